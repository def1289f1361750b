//! Credentials from the files that the tools of AWS share.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::client::Wire;
use super::credentials::{Credentials, CredentialsError, CredentialsProvider};
use super::environment::Variables;
use super::source::{WebIdentity, web_identity};
use super::sts::{self, Role};
use crate::error::ConfigError;

type Profile = HashMap<String, String>;

/// The profiles of both files, by name.
#[derive(Debug, Default)]
struct Profiles(HashMap<String, Profile>);

/// Checks the profile now, and reads it again each time that credentials are needed.
pub(super) fn provider(
    name: &str,
    variables: &Variables,
    wire: &Wire,
) -> Result<Arc<dyn CredentialsProvider>, ConfigError> {
    let files = Files::of(variables)?;
    let fault = |message: String| ConfigError::new("/credentials/profile", message);
    files
        .read()
        .and_then(|all| all.chain(name))
        .map_err(fault)?;
    let shared = Arc::new((name.to_owned(), files, wire.clone()));
    Ok(Arc::new(move || {
        let shared = Arc::clone(&shared);
        async move {
            let (name, files, wire) = &*shared;
            let chain = files.read().and_then(|all| all.chain(name));
            follow(chain.map_err(CredentialsError::new)?, wire).await
        }
    }))
}

/// How credentials are come by: what one begins with, and the roles that are assumed one after the other.
struct Chain {
    first: First,
    roles: Vec<Role>,
}

enum First {
    Keys(Credentials),
    WebIdentity(WebIdentity),
}

async fn follow(chain: Chain, wire: &Wire) -> Result<Credentials, CredentialsError> {
    let mut credentials = match chain.first {
        First::Keys(credentials) => credentials,
        First::WebIdentity(identity) => web_identity(identity, wire.clone()).credentials().await?,
    };
    for role in chain.roles {
        credentials = sts::assume_role(wire, &role, &credentials).await?;
    }
    Ok(credentials)
}

/// Where the two files are.
struct Files {
    credentials: PathBuf,
    config: PathBuf,
}

impl Files {
    fn of(variables: &Variables) -> Result<Self, ConfigError> {
        let set = |name: &str| variables(name).filter(|value| !value.is_empty());
        let home = set("HOME")
            .or_else(|| set("USERPROFILE"))
            .map(PathBuf::from);
        let file = |variable: &str, name: &str| {
            let named = set(variable).map(PathBuf::from);
            named.or_else(|| Some(home.as_ref()?.join(".aws").join(name)))
        };
        let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        match (credentials, file("AWS_CONFIG_FILE", "config")) {
            (Some(credentials), Some(config)) => Ok(Self {
                credentials,
                config,
            }),
            _ => Err(ConfigError::new(
                "/credentials/profile",
                "no file is known: HOME is not set, nor AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE",
            )),
        }
    }

    /// Reads both; one that is not there has no profiles. What the credentials file says goes first.
    fn read(&self) -> Result<Profiles, String> {
        let mut profiles = Profiles::default();
        for (path, is_config) in [(&self.config, true), (&self.credentials, false)] {
            match std::fs::read_to_string(path) {
                Ok(text) => profiles.add(&text, is_config),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(cannot_read(path, &error)),
            }
        }
        Ok(profiles)
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be read: {error}", path.display())
}

impl Profiles {
    fn add(&mut self, text: &str, is_config: bool) {
        let mut current: Option<String> = None;
        for line in text.lines() {
            // Indented lines belong to settings that have parts, of which none is a credential.
            if line.starts_with([' ', '\t']) {
                continue;
            }
            let line = line.trim_end();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(header) = line.strip_prefix('[') {
                let name = header.split(']').next().unwrap_or_default().trim();
                current = section(name, is_config);
                continue;
            }
            if let (Some(profile), Some((key, value))) = (&current, line.split_once('=')) {
                let value = value.split(" #").next().unwrap_or_default();
                let value = value.split(" ;").next().unwrap_or_default();
                let profile = self.0.entry(profile.clone()).or_default();
                profile.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
            }
        }
    }

    fn chain(&self, name: &str) -> Result<Chain, String> {
        let mut roles = Vec::new();
        let mut seen = HashSet::new();
        let mut name = name;
        loop {
            if !seen.insert(name) {
                return Err(format!("the profile `{name}` is its own source"));
            }
            let profile = self
                .0
                .get(name)
                .ok_or_else(|| format!("there is no profile `{name}`"))?;
            let get = |key: &str| profile.get(key).filter(|value| !value.is_empty());
            let keys = get("aws_access_key_id").zip(get("aws_secret_access_key"));
            let keys = keys.map(|(id, secret)| {
                let keys = Credentials::new(id, secret);
                match get("aws_session_token") {
                    Some(token) => keys.with_session_token(token),
                    None => keys,
                }
            });
            let first = match (get("role_arn"), keys) {
                (Some(arn), keys) => {
                    let mut role = Role::new(arn);
                    if let Some(session) = get("role_session_name") {
                        role.session_name.clone_from(session);
                    }
                    role.external_id = get("external_id").cloned();
                    if let Some(token_file) = get("web_identity_token_file") {
                        First::WebIdentity(WebIdentity {
                            role_arn: role.arn,
                            token_file: token_file.into(),
                            session_name: Some(role.session_name),
                        })
                    } else {
                        roles.push(role);
                        match (get("source_profile"), keys) {
                            // A profile may be its own source if it has keys.
                            (Some(source), Some(keys)) if source == name => First::Keys(keys),
                            (Some(source), _) => {
                                name = source;
                                continue;
                            }
                            (None, _) => {
                                return Err(format!(
                                    "the profile `{name}` has a role_arn and neither source_profile nor web_identity_token_file"
                                ));
                            }
                        }
                    }
                }
                (None, Some(keys)) => First::Keys(keys),
                (None, None) => {
                    return Err(format!(
                        "the profile `{name}` has no keys and no role_arn; other ways to credentials (credential_process, SSO) are not known here"
                    ));
                }
            };
            // The outermost role was found first and is assumed last.
            roles.reverse();
            return Ok(Chain { first, roles });
        }
    }
}

/// The profile that a section is about, if it is about one.
fn section(name: &str, is_config: bool) -> Option<String> {
    if !is_config || name == "default" {
        return Some(name.to_owned());
    }
    let name = name.strip_prefix("profile")?;
    let name = name.strip_prefix([' ', '\t'])?;
    Some(name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn profiles(config: &str, credentials: &str) -> Profiles {
        let mut profiles = Profiles::default();
        profiles.add(config, true);
        profiles.add(credentials, false);
        profiles
    }

    const CONFIG: &str = "
# what tools share
[default]
region = us-east-1
s3 =
  aws_access_key_id = nested

[profile ops]
role_arn = arn:aws:iam::1:role/ops
source_profile = base
external_id = x # why

[profile pod]
role_arn = arn:aws:iam::1:role/pod
web_identity_token_file = /token

[profile turn]
role_arn = arn:aws:iam::1:role/turn
source_profile = turn

[sso-session default]
aws_access_key_id = none
";
    const CREDENTIALS: &str = "
[default]
aws_access_key_id = AKID
aws_secret_access_key = a/b=c
[base]
AWS_ACCESS_KEY_ID=AKBASE
aws_secret_access_key=x
aws_session_token=t
";

    #[track_caller]
    fn check(name: &str, expected: Result<(&str, &[&str]), &str>) {
        let chain = profiles(CONFIG, CREDENTIALS).chain(name);
        let got = chain.map(|chain| {
            let first = match chain.first {
                First::Keys(keys) => {
                    format!("{} {}", keys.access_key_id(), keys.secret_access_key())
                }
                First::WebIdentity(identity) => {
                    format!("{} {}", identity.role_arn, identity.token_file.display())
                }
            };
            let roles: Vec<_> = chain.roles.into_iter().map(|role| role.arn).collect();
            (first, roles)
        });
        match (got, expected) {
            (Ok((first, roles)), Ok((expected, arns))) => {
                assert_eq!(
                    (&*first, roles),
                    (expected, arns.iter().map(|arn| (*arn).to_owned()).collect())
                );
            }
            (Err(message), Err(expected)) => assert!(message.contains(expected), "{message}"),
            (got, expected) => panic!("{got:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_profile_has_keys_or_a_way_to_them() {
        check("default", Ok(("AKID a/b=c", &[])));
        check("base", Ok(("AKBASE x", &[])));
        check("ops", Ok(("AKBASE x", &["arn:aws:iam::1:role/ops"])));
        check("pod", Ok(("arn:aws:iam::1:role/pod /token", &[])));
    }

    #[test]
    fn what_leads_nowhere_is_said() {
        check("none", Err("no profile `none`"));
        check("turn", Err("its own source"));
        let only_region = profiles("[default]\nregion = x\n", "");
        let message = only_region.chain("default").err().expect("no keys");
        assert!(message.contains("has no keys"), "{message}");
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "(\\[[a-z ]{0,9}\\]?|[a-z_]{1,5} ?=? ?[^\n]{0,9}|[#; ].{0,5})(\n|\r\n)?".prop_flat_map(|one| Just(one.repeat(3)))) {
            let all = profiles(&text, &text);
            for name in all.0.keys() {
                let _ = all.chain(name);
            }
        }
    }
}
