//! Policies, compiled.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::error::{PolicyError, PolicyFault};
use super::read::{self, Kind};
use super::statement::Statement;

/// A policy that is attached to a caller: an identity-based policy, a permissions boundary, a session policy, a
/// service control policy, or what a custom authorizer returns. It names no principals.
///
/// Compiled once, cheap to clone.
///
/// ```
/// use portcullis_auth::iam::IdentityPolicy;
///
/// let error = IdentityPolicy::parse(r#"{"Statement": {
///     "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*", "Conditions": {}
/// }}"#).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "/Statement/Conditions: a statement has no such element; is `Condition` meant?",
/// );
/// ```
#[derive(Clone)]
pub struct IdentityPolicy {
    compiled: Arc<Compiled>,
}

/// A policy that is attached to what is called: an API's resource policy. Each statement names principals.
///
/// Compiled once, cheap to clone.
///
/// ```
/// use portcullis_auth::iam::ResourcePolicy;
///
/// let policy = ResourcePolicy::parse(r#"{"Version": "2012-10-17", "Statement": [{
///     "Effect": "Allow",
///     "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
///     "Action": "execute-api:Invoke",
///     "Resource": "execute-api:/prod/GET/*"
/// }]}"#)?;
/// assert_eq!(policy.statements(), 1);
/// # Ok::<(), portcullis_auth::iam::PolicyError>(())
/// ```
#[derive(Clone)]
pub struct ResourcePolicy {
    compiled: Arc<Compiled>,
}

pub(super) struct Compiled {
    pub(super) name: Option<Box<str>>,
    pub(super) statements: Box<[Statement]>,
    pub(super) findings: Box<[PolicyFault]>,
}

macro_rules! policy {
    ($policy:ident, $kind:expr) => {
        impl $policy {
            /// Reads and compiles a document.
            ///
            /// # Errors
            ///
            /// With every fault of the document and where it stands: what is not JSON, elements that do not exist, stand twice
            /// or are missing, and values that could never match (a date that is none, a wildcard in a principal's ARN).
            pub fn parse(text: &str) -> Result<Self, PolicyError> {
                read::text(text, $kind, true).map(Self::new)
            }

            /// As [`parse`](Self::parse), from JSON that was read already, in which no member can stand twice.
            ///
            /// # Errors
            ///
            /// Those of [`parse`](Self::parse).
            pub fn from_value(document: &Value) -> Result<Self, PolicyError> {
                read::value(document, $kind, true).map(Self::new)
            }

            /// As [`parse`](Self::parse), but takes values that can never match, as Amazon's own store of policies does, and tells
            /// them as [`findings`](Self::findings), the first hundred. They match nothing, so that a `Deny` with one denies less than it says, and an `Allow` with one below
            /// a "not" allows more.
            ///
            /// # Errors
            ///
            /// With every other fault.
            pub fn parse_lenient(text: &str) -> Result<Self, PolicyError> {
                read::text(text, $kind, false).map(Self::new)
            }

            fn new(compiled: Compiled) -> Self {
                Self {
                    compiled: Arc::new(compiled),
                }
            }

            /// Gives the policy a name, for explanations.
            #[must_use]
            pub fn with_name(mut self, name: impl Into<Box<str>>) -> Self {
                let name = Some(name.into());
                match Arc::get_mut(&mut self.compiled) {
                    Some(compiled) => compiled.name = name,
                    None => {
                        self.compiled = Arc::new(Compiled {
                            name,
                            statements: self.compiled.statements.clone(),
                            findings: self.compiled.findings.clone(),
                        });
                    }
                }
                self
            }

            /// The name, if it was given one.
            #[must_use]
            pub fn name(&self) -> Option<&str> {
                self.compiled.name.as_deref()
            }

            /// How many statements it has.
            #[must_use]
            pub fn statements(&self) -> usize {
                self.compiled.statements.len()
            }

            /// The values that can never match. There are none where [`parse`](Self::parse) has read the policy.
            #[must_use]
            pub fn findings(&self) -> &[PolicyFault] {
                &self.compiled.findings
            }

            pub(super) fn compiled(&self) -> &Compiled {
                &self.compiled
            }
        }

        impl fmt::Debug for $policy {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($policy))
                    .field("name", &self.compiled.name)
                    .field("statements", &self.compiled.statements.len())
                    .finish_non_exhaustive()
            }
        }
    };
}

policy!(IdentityPolicy, Kind::Identity);
policy!(ResourcePolicy, Kind::Resource);
