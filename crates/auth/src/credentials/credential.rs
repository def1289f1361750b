//! Access keys.

use std::sync::Arc;
use std::time::SystemTime;

use super::caller::Caller;
use super::secret::Secret;

/// An access key, and whom it belongs to. Cheap to clone.
///
/// ```
/// use portcullis_auth::credentials::{Caller, Credential};
/// use portcullis_auth::iam::Principal;
///
/// let tom = Caller::new(Principal::from_arn("arn:aws:iam::123456789012:user/tom")?);
/// let key = Credential::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", tom);
/// assert_eq!(&**key.access_key_id(), "AKIDEXAMPLE");
/// # Ok::<(), portcullis_auth::iam::PrincipalError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Credential {
    access_key_id: Arc<str>,
    secret: Secret,
    session: Option<Session>,
    caller: Arc<Caller>,
}

/// What makes a credential temporary.
#[derive(Clone, Debug)]
struct Session {
    token: Secret,
    expires: SystemTime,
}

impl Credential {
    /// A long-term key.
    #[must_use]
    pub fn new(
        access_key_id: impl Into<Arc<str>>,
        secret: impl Into<Secret>,
        caller: impl Into<Arc<Caller>>,
    ) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret: secret.into(),
            session: None,
            caller: caller.into(),
        }
    }

    /// Makes it a temporary key: requests must show the token, and are refused from `expires` on.
    #[must_use]
    pub fn temporary(mut self, token: impl Into<Secret>, expires: SystemTime) -> Self {
        self.session = Some(Session {
            token: token.into(),
            expires,
        });
        self
    }

    /// The id by which requests name it.
    #[must_use]
    pub const fn access_key_id(&self) -> &Arc<str> {
        &self.access_key_id
    }

    /// The secret access key.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The session token of a temporary key.
    #[must_use]
    pub fn session_token(&self) -> Option<&Secret> {
        self.session.as_ref().map(|session| &session.token)
    }

    /// When a temporary key ends.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.session.as_ref().map(|session| session.expires)
    }

    /// Whether it is a temporary key that has ended by `now`.
    #[must_use]
    pub fn has_expired(&self, now: SystemTime) -> bool {
        self.expires().is_some_and(|expires| expires <= now)
    }

    /// Whom it belongs to.
    #[must_use]
    pub const fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }
}
