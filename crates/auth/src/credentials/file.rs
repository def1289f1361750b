//! Principals with their keys and policies, as a document.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::caller::Caller;
use super::credential::Credential;
use super::secret::Secret;
use super::store::{CredentialLookup, CredentialStore, MemoryCredentials};
use crate::ConfigError;
use crate::iam::{CallerPolicies, IdentityPolicy, PolicyError, Principal};

/// A principal with its access keys and policies, as a configuration says it. The words are those of IAM.
///
/// ```
/// use portcullis_auth::credentials::PrincipalConfig;
///
/// let tom: PrincipalConfig = serde_json::from_str(r#"{
///     "arn": "arn:aws:iam::123456789012:user/tom",
///     "userId": "AIDATOM",
///     "accessKeys": [{"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "secret"}],
///     "policies": [{"policyName": "read", "policyDocument": {
///         "Version": "2012-10-17",
///         "Statement": {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:*/prod/GET/*"}
///     }}],
///     "tags": {"team": "dogs"}
/// }"#)?;
/// let keys = tom.credentials()?;
/// assert_eq!(keys[0].access_key_id().as_ref(), "AKIDEXAMPLE");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct PrincipalConfig {
    /// The ARN of a user, of a role's session, of a federated user or of an account's root.
    pub arn: String,
    /// The unique id, `AIDA…`. Default: the name in the ARN.
    #[serde(default)]
    pub user_id: Option<String>,
    /// The organisation of the account, `o-…`.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// The keys that it signs with.
    #[serde(default)]
    pub access_keys: Vec<AccessKeyConfig>,
    /// The identity-based policies: its own, its groups', its role's.
    #[serde(default)]
    pub policies: Vec<PolicyConfig>,
    /// The most that it may do.
    #[serde(default)]
    pub permissions_boundary: Option<PolicyConfig>,
    /// The policies of the session.
    #[serde(default)]
    pub session_policies: Vec<PolicyConfig>,
    /// `aws:PrincipalTag/…`
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// An access key in a configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct AccessKeyConfig {
    /// The id, `AKIA…`, or `ASIA…` of a temporary key.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: Secret,
    /// The token of a temporary key, which needs an expiration, too.
    #[serde(default)]
    pub session_token: Option<Secret>,
    /// When a temporary key ends: `2026-01-31T12:00:00Z`.
    #[serde(default)]
    pub expiration: Option<String>,
    /// An inactive key is not taken. Default: active.
    #[serde(default)]
    pub status: KeyStatus,
}

/// Whether a key is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "a key is taken or it is not")]
pub enum KeyStatus {
    /// It is.
    #[default]
    Active,
    /// It is not.
    Inactive,
}

/// A policy with its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct PolicyConfig {
    /// The name, for explanations.
    #[serde(default)]
    pub policy_name: Option<String>,
    /// The document: an object, or its JSON as text.
    pub policy_document: Value,
}

impl PolicyConfig {
    fn compile(&self, field: &str) -> Result<IdentityPolicy, ConfigError> {
        let policy = match &self.policy_document {
            Value::String(text) => IdentityPolicy::parse(text),
            document => IdentityPolicy::from_value(document),
        };
        let wrong = |error: PolicyError| {
            let faults = error.to_string().replace('\n', "; ");
            ConfigError::new(
                format!("{field}.policyDocument"),
                format!("is no policy: {faults}"),
                "see the IAM user's guide for the grammar",
            )
        };
        let policy = policy.map_err(wrong)?;
        Ok(match &self.policy_name {
            Some(name) => policy.with_name(name.as_str()),
            None => policy,
        })
    }
}

impl PrincipalConfig {
    /// The principal without its keys.
    ///
    /// # Errors
    ///
    /// If the ARN is none of a principal, or a policy is none. The field is named.
    pub fn caller(&self) -> Result<Caller, ConfigError> {
        let principal = Principal::from_arn(&self.arn).map_err(|error| {
            ConfigError::new("arn", error.to_string(), "name a user, a session or a root")
        })?;
        let mut policies = CallerPolicies::new();
        for (index, policy) in self.policies.iter().enumerate() {
            policies = policies.with_identity(policy.compile(&format!("policies[{index}]"))?);
        }
        if let Some(boundary) = &self.permissions_boundary {
            policies = policies.with_boundary(boundary.compile("permissionsBoundary")?);
        }
        for (index, policy) in self.session_policies.iter().enumerate() {
            policies = policies.with_session(policy.compile(&format!("sessionPolicies[{index}]"))?);
        }
        let mut caller = Caller::new(principal).with_policies(policies);
        if let Some(id) = &self.user_id {
            caller = caller.with_user_id(id.as_str());
        }
        if let Some(id) = &self.organization_id {
            caller = caller.with_organization_id(id.as_str());
        }
        for (name, value) in &self.tags {
            caller = caller.with_tag(name, value);
        }
        Ok(caller)
    }

    /// The active keys of the principal.
    ///
    /// # Errors
    ///
    /// Those of [`caller`](Self::caller), and if a key has a token and no expiration, or the other way round.
    pub fn credentials(&self) -> Result<Vec<Credential>, ConfigError> {
        let caller = Arc::new(self.caller()?);
        let mut keys = Vec::with_capacity(self.access_keys.len());
        for (index, key) in self.access_keys.iter().enumerate() {
            let field = |name: &str| format!("accessKeys[{index}].{name}");
            if key.access_key_id.is_empty() || key.access_key_id.contains(['/', ' ', ',']) {
                return Err(ConfigError::new(
                    field("accessKeyId"),
                    "is empty, or has a slash, a blank or a comma in it",
                    "use letters and digits",
                ));
            }
            if key.secret_access_key.expose().is_empty() {
                return Err(ConfigError::new(
                    field("secretAccessKey"),
                    "is empty",
                    "give the key a secret",
                ));
            }
            let own = Credential::new(
                key.access_key_id.as_str(),
                key.secret_access_key.clone(),
                Arc::clone(&caller),
            );
            let own = match (&key.session_token, &key.expiration) {
                (None, None) => own,
                (Some(token), Some(expiration)) => {
                    let moment = expiration.parse::<Timestamp>().ok();
                    let moment = moment.and_then(|moment| SystemTime::try_from(moment).ok());
                    let expires = moment.ok_or_else(|| {
                        ConfigError::new(
                            field("expiration"),
                            format!("`{expiration}` is no date"),
                            "write it as 2026-01-31T12:00:00Z",
                        )
                    })?;
                    own.temporary(token.clone(), expires)
                }
                (Some(_), None) => {
                    return Err(ConfigError::new(
                        field("expiration"),
                        "is missing",
                        "a key with a sessionToken is temporary and needs it",
                    ));
                }
                (None, Some(_)) => {
                    return Err(ConfigError::new(
                        field("sessionToken"),
                        "is missing",
                        "a key with an expiration is temporary and needs it",
                    ));
                }
            };
            if key.status == KeyStatus::Active {
                keys.push(own);
            }
        }
        Ok(keys)
    }
}

/// The keys of `principals`.
///
/// # Errors
///
/// What is wrong with the first that is, and with two keys of one id.
pub(crate) fn credentials_of(
    principals: &[PrincipalConfig],
) -> Result<Vec<Credential>, ConfigError> {
    let mut all: BTreeMap<Arc<str>, Credential> = BTreeMap::new();
    for (index, principal) in principals.iter().enumerate() {
        let keys = principal
            .credentials()
            .map_err(|error| error.within(&format!("principals[{index}]")))?;
        for key in keys {
            let id = Arc::clone(key.access_key_id());
            if all.insert(Arc::clone(&id), key).is_some() {
                return Err(ConfigError::new(
                    format!("principals[{index}].accessKeys"),
                    format!("`{id}` is the id of another key, too"),
                    "give each key an id of its own",
                ));
            }
        }
    }
    Ok(all.into_values().collect())
}

impl MemoryCredentials {
    /// Holds the keys of these principals.
    ///
    /// # Errors
    ///
    /// What is wrong with the first principal that is, by its field.
    pub fn from_config(principals: &[PrincipalConfig]) -> Result<Self, ConfigError> {
        credentials_of(principals).map(Self::new)
    }
}

/// Access keys from a JSON file with the member `principals`, read anew when it is told to.
///
/// ```no_run
/// use portcullis_auth::credentials::FileCredentials;
///
/// let store = FileCredentials::open("principals.json")?;
/// store.reload()?; // a file that is wrong changes nothing
/// # Ok::<(), portcullis_auth::credentials::FileError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileCredentials {
    path: Arc<Path>,
    keys: MemoryCredentials,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    principals: Vec<PrincipalConfig>,
}

impl FileCredentials {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is not such a document, or something in it is wrong.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, FileError> {
        let own = Self {
            path: path.into().into(),
            keys: MemoryCredentials::default(),
        };
        own.reload()?;
        Ok(own)
    }

    /// Reads the file again. The next request sees what it says.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open); then nothing changes.
    pub fn reload(&self) -> Result<(), FileError> {
        let fault = |fault| FileError {
            path: self.path.to_path_buf(),
            fault,
        };
        let text = std::fs::read(&self.path).map_err(|error| fault(Fault::Read(error)))?;
        let document: Document =
            serde_json::from_slice(&text).map_err(|error| fault(Fault::Parse(error)))?;
        let keys =
            credentials_of(&document.principals).map_err(|error| fault(Fault::Config(error)))?;
        self.keys.replace(keys);
        Ok(())
    }
}

impl CredentialStore for FileCredentials {
    fn find(&self, access_key_id: &str) -> CredentialLookup {
        self.keys.find(access_key_id)
    }
}

/// A file of principals that cannot be used.
#[derive(Debug)]
pub struct FileError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Read(std::io::Error),
    Parse(serde_json::Error),
    Config(ConfigError),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.fault {
            Fault::Read(error) => error.fmt(f),
            Fault::Parse(error) => error.fmt(f),
            Fault::Config(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match &self.fault {
            Fault::Read(error) => error,
            Fault::Parse(error) => error,
            Fault::Config(error) => error,
        })
    }
}
