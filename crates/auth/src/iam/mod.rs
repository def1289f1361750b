//! IAM policies: the whole language, compiled once, and decisions that explain themselves.
//!
//! ```
//! use portcullis_auth::iam::{
//!     self, AccessRequest, CallerPolicies, ContextEntries, EvalDecision, IdentityPolicy, Principal,
//! };
//!
//! let policy = IdentityPolicy::parse(r#"{
//!     "Version": "2012-10-17",
//!     "Statement": [
//!         {
//!             "Sid": "OwnOrders",
//!             "Effect": "Allow",
//!             "Action": "execute-api:Invoke",
//!             "Resource": "arn:aws:execute-api:*:*:*/prod/GET/orders/${aws:username}/*"
//!         },
//!         {
//!             "Sid": "OnlyEncrypted",
//!             "Effect": "Deny",
//!             "Action": "*",
//!             "Resource": "*",
//!             "Condition": {"Bool": {"aws:SecureTransport": "false"}}
//!         }
//!     ]
//! }"#)?;
//! let caller = CallerPolicies::new().with_identity(policy);
//!
//! let tom = Principal::from_arn("arn:aws:iam::123456789012:user/tom")?;
//! let arn = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/orders/tom/7";
//! let keys = ContextEntries::new().with("aws:username", "tom");
//! let request = AccessRequest::new(&tom, "execute-api:Invoke", arn).with_keys(&keys);
//! assert!(iam::evaluate(&request, &caller, None).is_allowed());
//!
//! let keys = keys.with("aws:SecureTransport", false);
//! let request = AccessRequest::new(&tom, "execute-api:Invoke", arn).with_keys(&keys);
//! let explained = iam::explain(&request, &caller, None);
//! assert_eq!(explained.decision, EvalDecision::ExplicitDeny);
//! println!("{explained}"); // each statement, and why it applied or did not
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Semantics
//!
//! The language and its evaluation are those of the IAM user's guide:
//!
//! - A document is refused with every fault at its JSON pointer: an element that does not exist (`Conditions`) would otherwise
//!   widen what is allowed.
//! - An explicit deny wins, in whatever policy and order. A negated operator holds where the key is absent.
//! - Variables are replaced from version 2012-10-17 on, and what comes out of one is literal. A pattern whose variable has no value
//!   matches nothing; in a `NotResource` it keeps an `Allow` from applying and a `Deny` not.
//! - Within one account, a resource policy that names the caller (or everyone) allows by itself; one that names the role lets
//!   boundary and session policies take away; one that names the account leaves it to the identity policies. Between
//!   accounts both sides must allow.
//! - `NotPrincipal` spares those of whom every layer is listed: account, role and session.
//! - A wildcard stays within its part of an ARN, and in the last part crosses slashes. A resource of fewer than six parts that ends in `*` leaves
//!   the missing parts open.
//!
//! Condition keys are what the caller of [`evaluate`] says, and nothing else: a principal's name is not `aws:username` unless [`ContextKeys`] says so.
//!
//! # Cost
//!
//! A pattern is matched in time linear in the text, whatever its stars. Evaluation allocates nothing, unless a variable stands between two stars.

mod arn;
mod condition;
mod document;
mod error;
mod evaluate;
mod explain;
mod keys;
mod pattern;
mod policy;
mod principal;
mod read;
mod statement;

pub(crate) use {explain::summarize, pattern::matches_wildcards};

pub use {
    error::{PolicyError, PolicyFault},
    evaluate::{
        AccessRequest, CallerPolicies, EvalDecision, Evaluation, PolicyLevel, StatementId, evaluate,
    },
    explain::{Explain, ExplainedPolicy, ExplainedStatement, NotApplied, RequestValue, explain},
    keys::{ContextEntries, ContextEntry, ContextKeyValue, ContextKeys},
    policy::{IdentityPolicy, ResourcePolicy},
    principal::{Principal, PrincipalError, PrincipalKind},
    statement::Effect,
};
