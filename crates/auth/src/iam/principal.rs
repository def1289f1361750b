//! Who asks: users, sessions of roles, the root of an account, services, nobody in particular.

use std::fmt;
use std::sync::Arc;

use super::arn;

/// Who makes a request, as policies see it.
///
/// ```
/// use portcullis_auth::iam::{Principal, PrincipalKind};
///
/// let session = Principal::from_arn("arn:aws:sts::123456789012:assumed-role/Reader/tom")?;
/// assert_eq!(session.kind(), PrincipalKind::AssumedRole);
/// assert_eq!(session.account(), Some("123456789012"));
/// assert_eq!(session.principal_arn(), "arn:aws:iam::123456789012:role/Reader");
/// # Ok::<(), portcullis_auth::iam::PrincipalError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    kind: PrincipalKind,
    /// The ARN; of a service its name.
    arn: Arc<str>,
    account: Option<Arc<str>>,
    /// Of a user, a role or a federated user the last part of its path.
    name: Arc<str>,
    /// Of a session the ARN of its role; of others the same as `arn`.
    principal_arn: Arc<str>,
}

/// What kind of principal it is; the names are the values of `aws:PrincipalType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrincipalKind {
    /// The root of an account.
    Account,
    /// An IAM user.
    User,
    /// A session of a role.
    AssumedRole,
    /// A session that a user got for somebody else.
    FederatedUser,
    /// One of the services, by its name: `sns.amazonaws.com`.
    Service,
    /// Nobody: the request was not signed.
    Anonymous,
}

impl PrincipalKind {
    /// The value of `aws:PrincipalType`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "Account",
            Self::User => "User",
            Self::AssumedRole => "AssumedRole",
            Self::FederatedUser => "FederatedUser",
            Self::Service => "Service",
            Self::Anonymous => "Anonymous",
        }
    }
}

impl Principal {
    /// Whoever did not sign.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::plain(PrincipalKind::Anonymous, "anonymous")
    }

    /// A service, by its name.
    #[must_use]
    pub fn service(name: &str) -> Self {
        Self::plain(PrincipalKind::Service, name)
    }

    fn plain(kind: PrincipalKind, name: &str) -> Self {
        let name: Arc<str> = name.into();
        Self {
            kind,
            arn: Arc::clone(&name),
            account: None,
            principal_arn: Arc::clone(&name),
            name,
        }
    }

    /// The principal of this ARN: of a user, of a role's session, of a federated user or of an account's root. The ARN of
    /// a role stands for some session of it.
    ///
    /// # Errors
    ///
    /// If it is the ARN of something else, or none.
    pub fn from_arn(text: &str) -> Result<Self, PrincipalError> {
        let wrong = || PrincipalError {
            arn: text.to_owned(),
        };
        let [_, partition, service, region, account, resource] =
            arn::parts(text).ok_or_else(wrong)?;
        if !is_account(account) || !region.is_empty() || text.contains(['*', '?']) {
            return Err(wrong());
        }
        let (kind, path) = match (service, resource.split_once('/')) {
            ("iam", None) if resource == "root" => (PrincipalKind::Account, resource),
            ("iam", Some(("user", path))) => (PrincipalKind::User, path),
            ("iam", Some(("role", path))) | ("sts", Some(("assumed-role", path))) => {
                (PrincipalKind::AssumedRole, path)
            }
            ("sts", Some(("federated-user", path))) => (PrincipalKind::FederatedUser, path),
            _ => return Err(wrong()),
        };
        let arn: Arc<str> = text.into();
        let mut principal_arn = Arc::clone(&arn);
        let mut name = path.rsplit('/').next().unwrap_or(path);
        if service == "sts" && kind == PrincipalKind::AssumedRole {
            let (role, session) = path.split_once('/').ok_or_else(wrong)?;
            if session.is_empty() || session.contains('/') {
                return Err(wrong());
            }
            principal_arn = format!("arn:{partition}:iam::{account}:role/{role}").into();
            name = role;
        }
        if name.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            kind,
            account: Some(account.into()),
            name: name.into(),
            arn,
            principal_arn,
        })
    }

    /// Of a session, sets the ARN of its role, which has a path that the session's own does not show. Others stay as they are.
    #[must_use]
    pub fn with_role_arn(mut self, arn: impl Into<Arc<str>>) -> Self {
        if self.kind == PrincipalKind::AssumedRole {
            self.principal_arn = arn.into();
        }
        self
    }

    /// What kind of principal it is.
    #[must_use]
    pub const fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// Its ARN; of a service its name, of nobody `anonymous`.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The value of `aws:PrincipalArn`: of a session the ARN of its role, of others [their own](Self::arn).
    #[must_use]
    pub fn principal_arn(&self) -> &str {
        &self.principal_arn
    }

    pub(crate) const fn shared_arn(&self) -> &Arc<str> {
        &self.arn
    }

    pub(crate) const fn shared_account(&self) -> Option<&Arc<str>> {
        self.account.as_ref()
    }

    /// The twelve digits of the account that it belongs to.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The friendly name: of a user or federated user its own, of a session its role's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

/// An ARN that names no principal who could make a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalError {
    arn: String,
}

impl fmt::Display for PrincipalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is the ARN of no principal; one reads `arn:aws:iam::123456789012:user/name`, \
             `arn:aws:sts::123456789012:assumed-role/role/session`, \
             `arn:aws:sts::123456789012:federated-user/name` or `arn:aws:iam::123456789012:root`",
            self.arn
        )
    }
}

impl std::error::Error for PrincipalError {}

pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `AIDA…`, `AROA…`
fn is_unique_id(text: &str) -> bool {
    text.len() >= 16
        && text.starts_with('A')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// What a resource policy's `Principal` or `NotPrincipal` says.
#[derive(Debug)]
pub(super) enum Principals {
    Only(Box<[Named]>),
    Not(Box<[Named]>),
}

/// One principal that a policy names.
#[derive(Debug)]
pub(super) enum Named {
    Everyone,
    Account(Box<str>),
    /// A user or a session, by its whole ARN.
    Arn(Box<str>),
    /// All sessions of a role. A role's name is unique in its account, whatever its path.
    Role {
        account: Box<str>,
        name: Box<str>,
    },
    Service(Box<str>),
    /// Identity providers, canonical users and what has been deleted: they make no requests here.
    Other,
}

/// How directly a resource policy grants something: what the caller's own policies may still take away by their silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grant {
    /// To the account, which hands it on by its identity policies.
    Account,
    /// To a role: its boundary and the session's policies must agree.
    Role,
    /// To the very caller, or to everyone.
    Direct,
}

impl Named {
    /// What an entry below `AWS` means.
    ///
    /// # Errors
    ///
    /// Why it could name nobody.
    pub(super) fn aws(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Everyone);
        }
        if is_account(text) {
            return Ok(Self::Account(text.into()));
        }
        if is_unique_id(text) {
            // The service writes one in place of an ARN when what it named has been deleted.
            return Ok(Self::Other);
        }
        let principal = Principal::from_arn(text).map_err(|_| {
            format!(
                "`{text}` names no principal: `*`, an account's twelve digits, or the whole ARN of a user, \
                 a role, a session or an account's root is meant; a wildcard within an ARN matches nobody"
            )
        })?;
        let account = principal.account().unwrap_or_default().into();
        Ok(match principal.kind() {
            PrincipalKind::Account => Self::Account(account),
            PrincipalKind::AssumedRole if principal.arn == principal.principal_arn => Self::Role {
                account,
                name: principal.name().into(),
            },
            _ => Self::Arn(text.into()),
        })
    }

    fn names(&self, principal: &Principal) -> Option<Grant> {
        let (named, grant) = match self {
            Self::Everyone => (true, Grant::Direct),
            Self::Account(account) => (
                principal.account() == Some(account.as_ref()),
                if principal.kind == PrincipalKind::Account {
                    Grant::Direct
                } else {
                    Grant::Account
                },
            ),
            Self::Arn(arn) => (*principal.arn == **arn, Grant::Direct),
            Self::Role { account, name } => (
                principal.kind == PrincipalKind::AssumedRole
                    && principal.account() == Some(account.as_ref())
                    && *principal.name == **name,
                Grant::Role,
            ),
            Self::Service(name) => (
                principal.kind == PrincipalKind::Service && *principal.name == **name,
                Grant::Direct,
            ),
            Self::Other => (false, Grant::Direct),
        };
        named.then_some(grant)
    }
}

impl Principals {
    /// Whether the statement is about `principal`, and how directly.
    pub(super) fn covers(&self, principal: &Principal) -> Option<Grant> {
        match self {
            Self::Only(named) => named
                .iter()
                .filter_map(|named| named.names(principal))
                .max(),
            Self::Not(named) => (!lists(named, principal)).then_some(Grant::Direct),
        }
    }
}

/// Whether a `NotPrincipal` spares `principal`: every layer of it must be listed, the account, for a session the
/// role, and the very caller, because the service checks each of them.
fn lists(named: &[Named], principal: &Principal) -> bool {
    let grants = |grant: Grant| {
        named
            .iter()
            .any(|named| named.names(principal) == Some(grant))
    };
    if named.iter().any(|named| matches!(named, Named::Everyone)) {
        return true;
    }
    match principal.kind {
        PrincipalKind::User | PrincipalKind::FederatedUser => {
            grants(Grant::Account) && grants(Grant::Direct)
        }
        PrincipalKind::AssumedRole => {
            grants(Grant::Account)
                && grants(Grant::Role)
                && (principal.arn == principal.principal_arn || grants(Grant::Direct))
        }
        PrincipalKind::Account | PrincipalKind::Service | PrincipalKind::Anonymous => {
            grants(Grant::Direct)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_of_something_else_names_no_principal() {
        for text in [
            "",
            "tom",
            "arn:aws:iam::123456789012:group/dogs",
            "arn:aws:iam::123456789012:user/",
            "arn:aws:iam::123456789012:user/*",
            "arn:aws:iam::12:user/tom",
            "arn:aws:iam:eu-west-1:123456789012:user/tom",
            "arn:aws:sts::123456789012:assumed-role/Reader",
            "arn:aws:sts::123456789012:assumed-role/Reader/a/b",
        ] {
            assert!(Principal::from_arn(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_role_with_a_path_is_the_role_of_its_sessions() {
        let session =
            Principal::from_arn("arn:aws:sts::123456789012:assumed-role/Reader/tom").unwrap();
        let named = Named::aws("arn:aws:iam::123456789012:role/team/Reader").unwrap();
        assert_eq!(named.names(&session), Some(Grant::Role));
        let other = Named::aws("arn:aws:iam::210987654321:role/Reader").unwrap();
        assert_eq!(other.names(&session), None);
    }

    #[test]
    fn whoever_is_not_listed_in_every_layer_is_not_spared() {
        let not = |list: &[&str]| {
            Principals::Not(list.iter().map(|text| Named::aws(text).unwrap()).collect())
        };
        let session =
            Principal::from_arn("arn:aws:sts::123456789012:assumed-role/Reader/tom").unwrap();
        let role = "arn:aws:iam::123456789012:role/Reader";
        let all = not(&["123456789012", role, session.arn()]);
        assert_eq!(all.covers(&session), None);
        for partial in [
            not(&["123456789012", role]),
            not(&["123456789012", session.arn()]),
            not(&[role, session.arn()]),
        ] {
            assert_eq!(partial.covers(&session), Some(Grant::Direct));
        }
        assert_eq!(all.covers(&Principal::anonymous()), Some(Grant::Direct));
    }
}
