//! The keys that requests are signed with.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::SystemTime;

use portcullis_core::BoxError;

/// An access key of AWS. Its `Debug` shows the id alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expires: Option<SystemTime>,
}

impl Credentials {
    /// A key that does not expire.
    #[must_use]
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
            expires: None,
        }
    }

    /// Adds the token that a temporary key comes with.
    #[must_use]
    pub fn with_session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(token.into());
        self
    }

    /// Says when the key ends. New ones are asked for some minutes before.
    #[must_use]
    pub const fn with_expiry(mut self, at: SystemTime) -> Self {
        self.expires = Some(at);
        self
    }

    /// The key's id, which is no secret.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// When the key ends; `None` if it does not.
    #[must_use]
    pub const fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    pub(crate) fn secret_access_key(&self) -> &str {
        &self.secret_access_key
    }

    pub(crate) fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &format_args!("…"))
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// The future of a [`CredentialsProvider`].
pub type CredentialsFuture =
    Pin<Box<dyn Future<Output = Result<Credentials, CredentialsError>> + Send>>;

/// Gives credentials: [`Credentials`] themselves, or a closure to a future of them.
///
/// It is asked when the last ones come to their end, and not for every request. So the providers of other crates fit in:
///
/// ```
/// use portcullis_integrations::{Credentials, CredentialsError, CredentialsProvider};
///
/// async fn from_a_vault() -> Result<Credentials, CredentialsError> {
///     let (id, secret) = ("AKIDEXAMPLE", "from the vault");
///     Ok(Credentials::new(id, secret))
/// }
/// fn takes_a_provider(_: impl CredentialsProvider) {}
/// takes_a_provider(from_a_vault);
/// ```
pub trait CredentialsProvider: Send + Sync + 'static {
    /// Fetches credentials.
    fn credentials(&self) -> CredentialsFuture;
}

impl<F, Fut> CredentialsProvider for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Credentials, CredentialsError>> + Send + 'static,
{
    fn credentials(&self) -> CredentialsFuture {
        Box::pin(self())
    }
}

impl CredentialsProvider for Credentials {
    fn credentials(&self) -> CredentialsFuture {
        let own = self.clone();
        Box::pin(async move { Ok(own) })
    }
}

/// Why there are no credentials. It never holds a secret.
#[derive(Debug)]
pub struct CredentialsError {
    message: String,
    source: Option<BoxError>,
}

impl CredentialsError {
    /// A failure in these words.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// Adds what it came from.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CredentialsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
