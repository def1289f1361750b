//! Credentials from variables of the environment.

use std::sync::Arc;

use super::client::Wire;
use super::credentials::{Credentials, CredentialsProvider};
use super::profile;
use super::source::{WebIdentity, web_identity};
use crate::error::ConfigError;

/// Where variables are read.
pub(super) type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The keys in the variables, else a web identity that they tell of, else the profile that they name.
pub(super) fn provider(
    variables: &Variables,
    wire: &Wire,
) -> Result<Arc<dyn CredentialsProvider>, ConfigError> {
    let set = |name: &str| variables(name).filter(|value| !value.is_empty());
    if let (Some(id), Some(secret)) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
        let mut credentials = Credentials::new(id, secret);
        if let Some(token) = set("AWS_SESSION_TOKEN") {
            credentials = credentials.with_session_token(token);
        }
        return Ok(Arc::new(credentials));
    }
    if let (Some(token_file), Some(role_arn)) =
        (set("AWS_WEB_IDENTITY_TOKEN_FILE"), set("AWS_ROLE_ARN"))
    {
        let identity = WebIdentity {
            role_arn,
            token_file: token_file.into(),
            session_name: set("AWS_ROLE_SESSION_NAME"),
        };
        return Ok(web_identity(identity, wire.clone()));
    }
    if let Some(name) = set("AWS_PROFILE") {
        return profile::provider(&name, variables, wire);
    }
    Err(ConfigError::new(
        "/credentials",
        "the environment has no credentials: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, nor AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, nor AWS_PROFILE are set",
    ))
}
