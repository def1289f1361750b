//! What an authorizer says.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};

use crate::iam::IdentityPolicy;

/// An authorizer's answer: who calls, and what that caller may call. Cheap to clone.
#[derive(Clone)]
pub struct AuthorizerReply {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    principal_id: Option<Arc<str>>,
    policy: IdentityPolicy,
    context: Map<String, Value>,
    /// A secret.
    usage_identifier_key: Option<Arc<str>>,
    /// About as much memory as it takes.
    bytes: usize,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorizerError {
    /// Who the caller is was not shown, or not believed: 401.
    Unauthorized,
    /// The authorizer failed, for this reason: 500. The text goes to the log and to `$context.authorizer.error`, so it must hold no secret.
    Failed(String),
    /// What it answered is no answer, for this reason: 500.
    Malformed(String),
    /// It did not answer in time: 500.
    TimedOut,
}

/// What a reply takes without its policy and context.
const REPLY_BYTES: usize = 512;

static ALL: LazyLock<IdentityPolicy> = LazyLock::new(|| everything("Allow"));
static NOTHING: LazyLock<IdentityPolicy> = LazyLock::new(|| everything("Deny"));

fn everything(effect: &str) -> IdentityPolicy {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"{effect}","Action":"*","Resource":"*"}}}}"#
    );
    IdentityPolicy::parse(&text).expect("it is a policy")
}

impl AuthorizerReply {
    /// This caller may call everything that the authorizer stands before.
    #[must_use]
    pub fn allow(principal_id: impl Into<Arc<str>>) -> Self {
        Self::policy(principal_id, ALL.clone())
    }

    /// This caller may call nothing.
    #[must_use]
    pub fn deny(principal_id: impl Into<Arc<str>>) -> Self {
        Self::policy(principal_id, NOTHING.clone())
    }

    /// This caller may call what the policy allows: `execute-api:Invoke` on the ARNs of methods. What it does not speak of is refused.
    #[must_use]
    pub fn policy(principal_id: impl Into<Arc<str>>, policy: IdentityPolicy) -> Self {
        Self::new(Some(principal_id.into()), policy)
    }

    /// A simple response, which names nobody.
    pub(super) fn simple(is_authorized: bool) -> Self {
        let policy = if is_authorized { &ALL } else { &NOTHING };
        Self::new(None, IdentityPolicy::clone(policy))
    }

    fn new(principal_id: Option<Arc<str>>, policy: IdentityPolicy) -> Self {
        Self {
            inner: Arc::new(Inner {
                bytes: REPLY_BYTES + 256 * policy.statements(),
                principal_id,
                policy,
                context: Map::new(),
                usage_identifier_key: None,
            }),
        }
    }

    /// Adds what is shown as `$context.authorizer.{name}`.
    #[must_use]
    pub fn with_context(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let inner = Arc::make_mut(&mut self.inner);
        let (name, value) = (name.into(), value.into());
        inner.bytes += name.len() + 64 + value.as_str().map_or(64, str::len);
        inner.context.insert(name, value);
        self
    }

    /// Names the API key that the caller uses, by its value: for APIs whose keys come from their authorizer.
    #[must_use]
    pub fn with_usage_identifier_key(mut self, value: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.inner).usage_identifier_key = Some(value.into());
        self
    }

    /// Says how much memory it takes, where that is known better.
    pub(super) fn with_bytes(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.inner).bytes = REPLY_BYTES + bytes;
        self
    }

    /// Who calls; a simple response does not say.
    #[must_use]
    pub fn principal_id(&self) -> Option<&str> {
        self.inner.principal_id.as_deref()
    }

    pub(super) fn principal(&self) -> Option<&Arc<str>> {
        self.inner.principal_id.as_ref()
    }

    pub(super) fn policy_document(&self) -> &IdentityPolicy {
        &self.inner.policy
    }

    pub(super) fn context(&self) -> &Map<String, Value> {
        &self.inner.context
    }

    pub(super) fn usage_identifier_key(&self) -> Option<&Arc<str>> {
        self.inner.usage_identifier_key.as_ref()
    }

    pub(super) fn bytes(&self) -> usize {
        self.inner.bytes
    }
}

impl fmt::Debug for AuthorizerReply {
    /// Names what is in the context and leaves out what it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizerReply")
            .field("principal_id", &self.inner.principal_id)
            .field("policy", &self.inner.policy)
            .field("context", &self.inner.context.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl AuthorizerError {
    /// A short name for decisions and counters.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Unauthorized => "custom/unauthorized",
            Self::Failed(_) => "custom/failed",
            Self::Malformed(_) => "custom/malformed-answer",
            Self::TimedOut => "custom/timed-out",
        }
    }
}

impl fmt::Display for AuthorizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized => {
                f.write_str("the authorizer says that the caller is nobody it knows")
            }
            Self::Failed(why) => write!(f, "the authorizer failed: {why}"),
            Self::Malformed(why) => write!(f, "the authorizer's answer is none: {why}"),
            Self::TimedOut => f.write_str("the authorizer did not answer in time"),
        }
    }
}

impl std::error::Error for AuthorizerError {}
