//! Who sent a request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The id of an API key, which is not the key: it may be logged.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiKeyId(Arc<str>);

impl ApiKeyId {
    /// Takes the id as it is.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of the caller: `$context.identity`. Each member is absent until a layer learns it.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Identity {
    /// The access key that signed the request.
    pub access_key: Option<Arc<str>>,
    /// The account of the signer.
    pub account_id: Option<Arc<str>>,
    /// The API key itself. A secret: not in `Debug`.
    pub api_key: Option<Arc<str>>,
    /// The id of the API key.
    pub api_key_id: Option<ApiKeyId>,
    /// The principal id of the signer.
    pub caller: Option<Arc<str>>,
    /// The principal id of the user.
    pub user: Option<Arc<str>>,
    /// The ARN of the signer.
    pub user_arn: Option<Arc<str>>,
    /// The organisation of the signer.
    pub principal_org_id: Option<Arc<str>>,
    /// Facts of a Cognito identity and of the certificate of mutual TLS, by their dotted names below
    /// `identity`: `cognitoIdentityId`, `clientCert.subjectDN`, `vpceId`.
    pub other: BTreeMap<&'static str, Arc<str>>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("access_key", &self.access_key)
            .field("account_id", &self.account_id)
            .field("api_key", &self.api_key.as_ref().map(|_| "…"))
            .field("api_key_id", &self.api_key_id)
            .field("caller", &self.caller)
            .field("user", &self.user)
            .field("user_arn", &self.user_arn)
            .field("principal_org_id", &self.principal_org_id)
            .field("other", &self.other)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn an_api_key_is_not_in_debug_output() {
        let identity = Identity {
            api_key: Some("hunter2".into()),
            ..Identity::default()
        };
        assert!(!format!("{identity:?}").contains("hunter2"));
    }
}
