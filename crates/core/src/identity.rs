//! Who sent a request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::HeaderValue;

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

/// The API key by which a request was let in: `$context.identity.apiKey` and `apiKeyId`.
///
/// `auth` finds it; throttles and quotas count by it. Making one allocates nothing.
///
/// ```
/// use http::HeaderValue;
/// use portcullis_core::{ApiKeyId, CallerKey};
///
/// let key = CallerKey::new(ApiKeyId::new("a1b2c3"))
///     .with_value(HeaderValue::from_static("0123456789abcdefghij"))
///     .with_usage_plan("gold");
/// assert_eq!(key.value(), Some("0123456789abcdefghij"));
/// assert!(!format!("{key:?}").contains("0123"));
/// ```
#[derive(Clone)]
pub struct CallerKey {
    id: ApiKeyId,
    value: Option<HeaderValue>,
    usage_plan: Option<Arc<str>>,
}

impl CallerKey {
    /// The key with this id, of which no more is known.
    #[must_use]
    pub const fn new(id: ApiKeyId) -> Self {
        Self {
            id,
            value: None,
            usage_plan: None,
        }
    }

    /// With what the caller sent. A secret: not in `Debug`.
    #[must_use]
    pub fn with_value(mut self, value: HeaderValue) -> Self {
        self.value = Some(value);
        self
    }

    /// With the id of the usage plan by which the key opens the stage.
    #[must_use]
    pub fn with_usage_plan(mut self, id: impl Into<Arc<str>>) -> Self {
        self.usage_plan = Some(id.into());
        self
    }

    /// The id of the key.
    #[must_use]
    pub const fn id(&self) -> &ApiKeyId {
        &self.id
    }

    /// What the caller sent. A secret.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_ref()?.to_str().ok()
    }

    /// The id of the usage plan by which the key opens the stage.
    #[must_use]
    pub const fn usage_plan(&self) -> Option<&Arc<str>> {
        self.usage_plan.as_ref()
    }
}

impl fmt::Debug for CallerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallerKey")
            .field("id", &self.id)
            .field("usage_plan", &self.usage_plan)
            .finish_non_exhaustive()
    }
}

/// What is known of the caller: `$context.identity`, but for its [API key](CallerKey). Each member is absent until a layer learns it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Identity {
    /// The access key that signed the request.
    pub access_key: Option<Arc<str>>,
    /// The account of the signer.
    pub account_id: Option<Arc<str>>,
    /// The principal id of the signer.
    pub caller: Option<Arc<str>>,
    /// The principal id of the user.
    pub user: Option<Arc<str>>,
    /// The ARN of the signer.
    pub user_arn: Option<Arc<str>>,
    /// The organisation of the signer.
    pub principal_org_id: Option<Arc<str>>,
    /// Facts of a Cognito identity and of a VPC endpoint, by their names below `identity`: `cognitoIdentityId`, `vpceId`.
    pub other: BTreeMap<&'static str, Arc<str>>,
}
