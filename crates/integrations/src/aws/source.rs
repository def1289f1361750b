//! The places where credentials come from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::client::Wire;
use super::credentials::{CredentialsError, CredentialsProvider};
use super::environment::{self, Variables};
use super::profile;
use super::sts::{self, Role};
use crate::error::ConfigError;

/// Where the credentials of AWS calls come from: [`Credentials`](crate::Credentials) themselves, any [`CredentialsProvider`], or a place
/// where the tools of AWS look for them.
///
/// ```
/// use portcullis_integrations::{Credentials, CredentialsSource};
///
/// let given = CredentialsSource::from(Credentials::new("AKIDEXAMPLE", "secret"));
/// let environment = CredentialsSource::environment();
/// let profile = CredentialsSource::profile("staging");
/// let pod = CredentialsSource::web_identity("arn:aws:iam::111111111111:role/pets", "/var/run/token");
/// ```
#[derive(Clone)]
pub struct CredentialsSource {
    kind: Kind,
    variables: Variables,
}

#[derive(Clone)]
enum Kind {
    Provider(Arc<dyn CredentialsProvider>),
    Environment,
    Profile(String),
    WebIdentity(WebIdentity),
}

/// A role for whoever holds the token in a file.
#[derive(Clone, Debug)]
pub(super) struct WebIdentity {
    pub(super) role_arn: String,
    pub(super) token_file: PathBuf,
    pub(super) session_name: Option<String>,
}

impl CredentialsSource {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            variables: Arc::new(|name| std::env::var(name).ok()),
        }
    }

    /// The variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; else `AWS_WEB_IDENTITY_TOKEN_FILE`,
    /// `AWS_ROLE_ARN` and `AWS_ROLE_SESSION_NAME`; else the profile that `AWS_PROFILE` names.
    #[must_use]
    pub fn environment() -> Self {
        Self::new(Kind::Environment)
    }

    /// A profile of the files `~/.aws/credentials` and `~/.aws/config`, or those that `AWS_SHARED_CREDENTIALS_FILE` and
    /// `AWS_CONFIG_FILE` name. It has keys, or a `role_arn` with a `source_profile` or a `web_identity_token_file`.
    #[must_use]
    pub fn profile(name: impl Into<String>) -> Self {
        Self::new(Kind::Profile(name.into()))
    }

    /// A role that whoever has the token in this file may assume, as pods of Kubernetes have. The file is read anew each time.
    #[must_use]
    pub fn web_identity(role_arn: impl Into<String>, token_file: impl Into<PathBuf>) -> Self {
        Self::new(Kind::WebIdentity(WebIdentity {
            role_arn: role_arn.into(),
            token_file: token_file.into(),
            session_name: None,
        }))
    }

    /// Reads variables from here instead of the process's environment.
    #[must_use]
    pub fn with_variables(
        mut self,
        variables: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.variables = Arc::new(variables);
        self
    }

    pub(super) fn resolve(self, wire: &Wire) -> Result<Arc<dyn CredentialsProvider>, ConfigError> {
        match self.kind {
            Kind::Provider(provider) => Ok(provider),
            Kind::Environment => environment::provider(&self.variables, wire),
            Kind::Profile(name) => profile::provider(&name, &self.variables, wire),
            Kind::WebIdentity(identity) => Ok(web_identity(identity, wire.clone())),
        }
    }
}

/// Reads the token and assumes the role.
pub(super) fn web_identity(identity: WebIdentity, wire: Wire) -> Arc<dyn CredentialsProvider> {
    let mut role = Role::new(identity.role_arn);
    if let Some(name) = identity.session_name {
        role.session_name = name;
    }
    let shared = Arc::new((role, identity.token_file, wire));
    Arc::new(move || {
        let shared = Arc::clone(&shared);
        async move {
            let (role, token_file, wire) = &*shared;
            let token = std::fs::read_to_string(token_file).map_err(|error| {
                let path = token_file.display();
                CredentialsError::new(format!("the token file {path} cannot be read"))
                    .with_source(error)
            })?;
            sts::assume_role_with_web_identity(wire, role, &token).await
        }
    })
}

impl<P: CredentialsProvider> From<P> for CredentialsSource {
    fn from(provider: P) -> Self {
        Self::new(Kind::Provider(Arc::new(provider)))
    }
}

impl fmt::Debug for CredentialsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::Provider(_) => "CredentialsSource(provider)",
            Kind::Environment => "CredentialsSource(environment)",
            Kind::Profile(_) => "CredentialsSource(profile)",
            Kind::WebIdentity(_) => "CredentialsSource(web identity)",
        })
    }
}
