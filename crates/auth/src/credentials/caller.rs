//! Who an access key belongs to.

use std::sync::Arc;

use crate::iam::{
    CallerPolicies, ContextEntries, ContextEntry, ContextKeyValue, ContextKeys, Principal,
    PrincipalKind,
};

/// Who an access key belongs to: the principal, the policies attached to it, and what conditions can ask about it.
///
/// As [`ContextKeys`] it answers `aws:PrincipalArn`, `aws:PrincipalAccount`, `aws:PrincipalType`, `aws:userid`, for users `aws:username`,
/// and what was added by [`with_key`](Self::with_key) and [`with_tag`](Self::with_tag).
///
/// ```
/// use portcullis_auth::credentials::Caller;
/// use portcullis_auth::iam::{ContextKeyValue, ContextKeys, Principal};
///
/// let tom = Caller::new(Principal::from_arn("arn:aws:iam::123456789012:user/tom")?)
///     .with_user_id("AIDATOM")
///     .with_tag("team", "dogs");
/// assert_eq!(tom.value("aws:username"), Some(ContextKeyValue::Text("tom")));
/// assert_eq!(tom.value("aws:principaltag/team"), Some(ContextKeyValue::Text("dogs")));
/// # Ok::<(), portcullis_auth::iam::PrincipalError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Caller {
    principal: Principal,
    user_id: Arc<str>,
    organization_id: Option<Arc<str>>,
    policies: CallerPolicies,
    keys: ContextEntries,
}

impl Caller {
    /// A caller with nothing but its principal: it may do what resource policies allow.
    #[must_use]
    pub fn new(principal: Principal) -> Self {
        let user_id = match principal.kind() {
            // Those of the root and of nobody are known, others are given out.
            PrincipalKind::Account => principal.account().unwrap_or_default().into(),
            _ => principal.name().into(),
        };
        Self {
            principal,
            user_id,
            organization_id: None,
            policies: CallerPolicies::new(),
            keys: ContextEntries::new(),
        }
    }

    /// Whoever did not sign.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(Principal::anonymous())
    }

    /// With the policies that are attached to it.
    #[must_use]
    pub fn with_policies(mut self, policies: CallerPolicies) -> Self {
        self.policies = policies;
        self
    }

    /// With its unique id (`AIDA…`; of a session `AROA…:name`): `aws:userid` and `$context.identity.user`. Default: the principal's name.
    #[must_use]
    pub fn with_user_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.user_id = id.into();
        self
    }

    /// With the organisation of its account: `aws:PrincipalOrgID`.
    #[must_use]
    pub fn with_organization_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.organization_id = Some(id.into());
        self
    }

    /// With a tag of the user, the role or the session: `aws:PrincipalTag/…`.
    #[must_use]
    pub fn with_tag(self, name: &str, value: &str) -> Self {
        self.with_key(&format!("aws:PrincipalTag/{name}"), value)
    }

    /// With the value of another condition key: `aws:MultiFactorAuthPresent`, `aws:PrincipalOrgPaths`.
    #[must_use]
    pub fn with_key(mut self, key: &str, value: impl Into<ContextEntry>) -> Self {
        self.keys.insert(key, value);
        self
    }

    /// The principal.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The unique id.
    #[must_use]
    pub const fn user_id(&self) -> &Arc<str> {
        &self.user_id
    }

    /// The organisation of the account.
    #[must_use]
    pub const fn organization_id(&self) -> Option<&Arc<str>> {
        self.organization_id.as_ref()
    }

    /// The policies that are attached to it.
    #[must_use]
    pub const fn policies(&self) -> &CallerPolicies {
        &self.policies
    }
}

impl ContextKeys for Caller {
    fn value(&self, key: &str) -> Option<ContextKeyValue<'_>> {
        let principal = &self.principal;
        let signed = principal.kind() != PrincipalKind::Anonymous;
        let text = match key {
            "aws:principaltype" => Some(principal.kind().as_str()),
            "aws:userid" => Some(&*self.user_id),
            "aws:principalarn" if signed => Some(principal.principal_arn()),
            "aws:principalaccount" => principal.account(),
            "aws:principalorgid" => self.organization_id.as_deref(),
            "aws:username" if principal.kind() == PrincipalKind::User => Some(principal.name()),
            _ => None,
        };
        text.map(ContextKeyValue::Text)
            .or_else(|| self.keys.value(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_the_arn_of_its_role_and_no_user_name() {
        let session = Principal::from_arn("arn:aws:sts::123456789012:assumed-role/Reader/tom");
        let session = Caller::new(session.unwrap()).with_user_id("AROAREADER:tom");
        let text = |key| match session.value(key) {
            Some(ContextKeyValue::Text(text)) => Some(text),
            _ => None,
        };
        assert_eq!(
            text("aws:principalarn"),
            Some("arn:aws:iam::123456789012:role/Reader")
        );
        assert_eq!(text("aws:userid"), Some("AROAREADER:tom"));
        assert_eq!(text("aws:principaltype"), Some("AssumedRole"));
        assert_eq!(text("aws:username"), None);
    }

    #[test]
    fn nobody_has_no_arn() {
        let nobody = Caller::anonymous();
        assert_eq!(nobody.value("aws:principalarn"), None);
        assert_eq!(
            nobody.value("aws:userid"),
            Some(ContextKeyValue::Text("anonymous"))
        );
    }
}
