//! The decision over all policies that have a say.

use std::fmt;

use serde::Serialize;

use super::arn;
use super::keys::ContextKeys;
use super::policy::{IdentityPolicy, ResourcePolicy};
use super::principal::{Grant, Principal, PrincipalKind};
use super::statement::{Effect, Mismatch, Statement};

/// What somebody wants to do.
///
/// ```
/// use portcullis_auth::iam::{AccessRequest, ContextEntries, Principal};
///
/// let tom = Principal::from_arn("arn:aws:iam::123456789012:user/tom")?;
/// let keys = ContextEntries::new().with("aws:SourceIp", "203.0.113.7");
/// let request = AccessRequest::new(
///     &tom,
///     "execute-api:Invoke",
///     "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets",
/// )
/// .with_keys(&keys);
/// # let _ = request;
/// # Ok::<(), portcullis_auth::iam::PrincipalError>(())
/// ```
#[derive(Clone)]
pub struct AccessRequest<'a> {
    pub(super) principal: &'a Principal,
    pub(super) action: LowerCase,
    pub(super) action_as_given: &'a str,
    pub(super) resource: &'a str,
    pub(super) resource_parts: Option<[&'a str; 6]>,
    resource_account: Option<&'a str>,
    pub(super) keys: &'a dyn ContextKeys,
}

impl<'a> AccessRequest<'a> {
    /// `principal` wants to do `action` (`execute-api:Invoke`) on the resource of this ARN. The resource belongs to
    /// the account in its ARN, and the request has no condition keys, unless they are added.
    #[must_use]
    pub fn new(principal: &'a Principal, action: &'a str, resource: &'a str) -> Self {
        let resource_parts = arn::parts(resource);
        Self {
            principal,
            action: LowerCase::of(action),
            action_as_given: action,
            resource,
            resource_account: resource_parts.map(|parts| parts[4]),
            resource_parts,
            keys: &(),
        }
    }

    /// With the condition keys of the request.
    #[must_use]
    pub fn with_keys(mut self, keys: &'a dyn ContextKeys) -> Self {
        self.keys = keys;
        self
    }

    /// Says which account owns the resource, where its ARN does not.
    #[must_use]
    pub fn with_resource_account(mut self, account: &'a str) -> Self {
        self.resource_account = Some(account);
        self
    }
}

impl fmt::Debug for AccessRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessRequest")
            .field("principal", &self.principal.arn())
            .field("action", &self.action_as_given)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

/// A text in lower case, in place if it is as short as actions are.
#[derive(Clone)]
pub(super) enum LowerCase {
    Short { bytes: [u8; 62], length: u8 },
    Long(Box<str>),
}

impl LowerCase {
    fn of(text: &str) -> Self {
        let mut bytes = [0; 62];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(room), Ok(length)) => {
                room.copy_from_slice(text.as_bytes());
                room.make_ascii_lowercase();
                Self::Short { bytes, length }
            }
            _ => Self::Long(text.to_ascii_lowercase().into()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Short { bytes, length } => std::str::from_utf8(&bytes[..usize::from(*length)])
                .expect("lower case of ASCII leaves text text"),
            Self::Long(text) => text,
        }
    }
}

/// The policies that are attached to a caller. Cheap to clone, and empty by default, which allows nothing.
///
/// ```
/// use portcullis_auth::iam::{CallerPolicies, IdentityPolicy};
///
/// let readers = IdentityPolicy::parse(r#"{"Statement": {
///     "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"
/// }}"#)?;
/// let caller = CallerPolicies::new().with_identity(readers);
/// # let _ = caller;
/// # Ok::<(), portcullis_auth::iam::PolicyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CallerPolicies {
    pub(super) identity: Vec<IdentityPolicy>,
    pub(super) authorizer: Vec<IdentityPolicy>,
    pub(super) boundary: Vec<IdentityPolicy>,
    pub(super) session: Vec<IdentityPolicy>,
    pub(super) service_control: Vec<Vec<IdentityPolicy>>,
}

impl CallerPolicies {
    /// No policies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an identity-based policy: of the user, of its groups, of the role.
    #[must_use]
    pub fn with_identity(mut self, policy: IdentityPolicy) -> Self {
        self.identity.push(policy);
        self
    }

    /// Adds the policy that a custom authorizer returned for the caller, who did not sign: either it or the resource's policy
    /// must allow, and neither deny.
    ///
    /// Before the authorizer is called, a resource policy that explicitly denies an anonymous caller stops the request.
    #[must_use]
    pub fn with_authorizer(mut self, policy: IdentityPolicy) -> Self {
        self.authorizer.push(policy);
        self
    }

    /// Adds a permissions boundary: what is not allowed by one is not allowed.
    #[must_use]
    pub fn with_boundary(mut self, policy: IdentityPolicy) -> Self {
        self.boundary.push(policy);
        self
    }

    /// Adds a policy that was given when the session began: what is not allowed by one is not allowed.
    #[must_use]
    pub fn with_session(mut self, policy: IdentityPolicy) -> Self {
        self.session.push(policy);
        self
    }

    /// Adds a level of the organisation (its root, a unit, the account) with its service control policies: at each level one
    /// must allow.
    #[must_use]
    pub fn with_service_control(mut self, level: impl IntoIterator<Item = IdentityPolicy>) -> Self {
        self.service_control.push(level.into_iter().collect());
        self
    }
}

/// What the policies together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "an evaluation ends in these three ways"
)]
pub enum EvalDecision {
    /// The request may go on.
    Allowed,
    /// A statement denies it.
    ExplicitDeny,
    /// Nothing denies it, but somewhere nothing allows it.
    ImplicitDeny,
}

impl fmt::Display for EvalDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed => "allowed",
            Self::ExplicitDeny => "explicitly denied",
            Self::ImplicitDeny => "implicitly denied",
        })
    }
}

/// Where a policy is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum PolicyLevel {
    /// To the caller's organisation.
    ServiceControl,
    /// To what is called.
    Resource,
    /// To the caller.
    Identity,
    /// To nothing: a custom authorizer returned it for the caller.
    Authorizer,
    /// To the caller, as the most that it may do.
    Boundary,
    /// To the caller's session.
    Session,
}

impl fmt::Display for PolicyLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServiceControl => "service control policy",
            Self::Resource => "resource-based policy",
            Self::Identity => "identity-based policy",
            Self::Authorizer => "authorizer's policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
        })
    }
}

/// The outcome of an evaluation, and what decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    decision: EvalDecision,
    level: Option<PolicyLevel>,
    statement: Option<StatementId>,
}

/// Which statement it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct StatementId {
    /// Which policy of its level, from 0 on.
    pub policy: usize,
    /// Which statement of the policy, from 0 on.
    pub statement: usize,
}

impl Evaluation {
    const fn new(
        decision: EvalDecision,
        level: PolicyLevel,
        statement: Option<StatementId>,
    ) -> Self {
        Self {
            decision,
            level: Some(level),
            statement,
        }
    }

    /// What the policies together say.
    #[must_use]
    pub const fn decision(&self) -> EvalDecision {
        self.decision
    }

    /// Whether the request may go on.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.decision == EvalDecision::Allowed
    }

    /// The level that decided: that of the statement, or the one that did not allow. `None` if it is the root of an account, which needs no policy.
    #[must_use]
    pub const fn level(&self) -> Option<PolicyLevel> {
        self.level
    }

    /// The statement that decided; `None` if it was silence.
    #[must_use]
    pub const fn statement(&self) -> Option<StatementId> {
        self.statement
    }
}

/// Decides `request` by the policies of its caller and of what it calls. Allocates nothing for ordinary policies.
///
/// An explicit deny in any policy wins. Within one account the caller's policies or the resource's may allow; between
/// accounts both must. Boundary, session and service control policies only take away. A caller who has no account (nobody,
/// a service) is judged by the resource's policy and an authorizer's, and the root of the resource's own account needs no policy.
#[must_use]
pub fn evaluate(
    request: &AccessRequest<'_>,
    caller: &CallerPolicies,
    resource: Option<&ResourcePolicy>,
) -> Evaluation {
    decide(request, caller, resource, &mut ())
}

/// Follows an evaluation.
pub(super) trait Watch {
    /// Whether it wants to see every statement, also when the decision is there.
    const ALL: bool;

    fn policy(&mut self, level: PolicyLevel, name: Option<&str>);
    fn statement(&mut self, statement: &Statement, outcome: Result<Grant, Mismatch>);
}

impl Watch for () {
    const ALL: bool = false;

    fn policy(&mut self, _level: PolicyLevel, _name: Option<&str>) {}
    fn statement(&mut self, _statement: &Statement, _outcome: Result<Grant, Mismatch>) {}
}

/// What was found at one level.
#[derive(Default)]
struct Found {
    allow: Option<(Grant, StatementId)>,
    deny: Option<StatementId>,
}

pub(super) fn decide<W: Watch>(
    request: &AccessRequest<'_>,
    caller: &CallerPolicies,
    resource: Option<&ResourcePolicy>,
    watch: &mut W,
) -> Evaluation {
    use EvalDecision::{Allowed, ExplicitDeny, ImplicitDeny};
    use PolicyLevel::{Authorizer, Boundary, Identity, Resource, ServiceControl, Session};

    let mut denied = None;
    let mut look =
        |level, before, policies: &mut dyn Iterator<Item = (Option<&str>, &[Statement])>| {
            let mut found = Found::default();
            if denied.is_none() || W::ALL {
                found.look(request, level, before, policies, watch);
            }
            if let (Some(deny), None) = (found.deny, denied) {
                denied = Some((level, deny));
            }
            found.allow
        };

    let mut silent_organisation = false;
    let mut before = 0;
    for level in &caller.service_control {
        silent_organisation |=
            look(ServiceControl, before, &mut identity_policies(level)).is_none();
        before += level.len();
    }
    let by_resource = look(
        Resource,
        0,
        &mut resource.iter().map(|policy| {
            let compiled = policy.compiled();
            (compiled.name.as_deref(), &*compiled.statements)
        }),
    );
    let by_identity = look(Identity, 0, &mut identity_policies(&caller.identity));
    let by_authorizer = look(Authorizer, 0, &mut identity_policies(&caller.authorizer));
    let by_boundary = look(Boundary, 0, &mut identity_policies(&caller.boundary));
    let by_session = look(Session, 0, &mut identity_policies(&caller.session));

    if let Some((level, statement)) = denied {
        return Evaluation::new(ExplicitDeny, level, Some(statement));
    }
    let allowed = |level, (_, statement)| Evaluation::new(Allowed, level, Some(statement));
    let silence = |level| Evaluation::new(ImplicitDeny, level, None);

    let Some(account) = request.principal.account() else {
        return match (by_resource, by_authorizer) {
            (Some(allow), _) => allowed(Resource, allow),
            (None, Some(allow)) => allowed(Authorizer, allow),
            (None, None) if caller.authorizer.is_empty() => silence(Resource),
            (None, None) => silence(Authorizer),
        };
    };
    if silent_organisation {
        return silence(ServiceControl);
    }
    let same_account = request.resource_account == Some(account);
    let by_resource_here = by_resource.filter(|_| same_account);
    if let Some(allow @ (Grant::Direct, _)) = by_resource_here {
        return allowed(Resource, allow);
    }
    let root = request.principal.kind() == PrincipalKind::Account;
    let outcome = match (by_resource_here, by_identity, by_authorizer) {
        (Some(allow @ (Grant::Role, _)), _, _) => allowed(Resource, allow),
        (_, Some(allow), _) => allowed(Identity, allow),
        (_, None, Some(allow)) => allowed(Authorizer, allow),
        (_, None, None) if root => Evaluation {
            decision: Allowed,
            level: None,
            statement: None,
        },
        (_, None, None) => return silence(Identity),
    };
    if by_boundary.is_none() && !caller.boundary.is_empty() {
        return silence(Boundary);
    }
    if by_session.is_none() && !caller.session.is_empty() {
        return silence(Session);
    }
    if !same_account && by_resource.is_none() {
        return silence(Resource);
    }
    outcome
}

fn identity_policies(
    policies: &[IdentityPolicy],
) -> impl Iterator<Item = (Option<&str>, &[Statement])> {
    policies.iter().map(|policy| {
        let compiled = policy.compiled();
        (compiled.name.as_deref(), &*compiled.statements)
    })
}

impl Found {
    fn look<W: Watch>(
        &mut self,
        request: &AccessRequest<'_>,
        level: PolicyLevel,
        before: usize,
        policies: &mut dyn Iterator<Item = (Option<&str>, &[Statement])>,
        watch: &mut W,
    ) {
        for (policy, (name, statements)) in policies.enumerate() {
            watch.policy(level, name);
            for (index, statement) in statements.iter().enumerate() {
                let effect = statement.parts().effect;
                let settled =
                    effect == Effect::Allow && matches!(self.allow, Some((Grant::Direct, _)));
                if settled && !W::ALL {
                    continue;
                }
                let outcome = statement.applies(request);
                watch.statement(statement, outcome);
                let Ok(grant) = outcome else {
                    continue;
                };
                let id = StatementId {
                    policy: before + policy,
                    statement: index,
                };
                match effect {
                    Effect::Allow => {
                        if self.allow.is_none_or(|(before, _)| before < grant) {
                            self.allow = Some((grant, id));
                        }
                    }
                    Effect::Deny => {
                        if self.deny.is_none() {
                            self.deny = Some(id);
                        }
                        if !W::ALL {
                            return;
                        }
                    }
                }
            }
        }
    }
}
