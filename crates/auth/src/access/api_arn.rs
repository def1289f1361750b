//! The ARNs of an API's methods.

use portcullis_core::{Head, RequestContext};

use crate::ConfigError;

/// The ARN of an API, to which a request adds stage, method and path: `arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets/7`.
///
/// The path is that of the request as it came, still percent-encoded, behind the stage or the base path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiArn {
    /// `arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/`
    prefix: Box<str>,
    stage: Option<Box<str>>,
}

impl ApiArn {
    /// The API of this id, account and region.
    ///
    /// # Errors
    ///
    /// If one of them could not stand in an ARN.
    pub fn new(region: &str, account_id: &str, api_id: &str) -> Result<Self, ConfigError> {
        for (field, text) in [
            ("region", region),
            ("accountId", account_id),
            ("apiId", api_id),
        ] {
            if text.is_empty() || text.contains([':', '/', '*', '?']) {
                return Err(ConfigError::new(
                    field,
                    format!("`{text}` cannot stand in an ARN"),
                    "leave out colons, slashes, `*` and `?`",
                ));
            }
        }
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        Ok(Self {
            prefix: format!("arn:{partition}:execute-api:{region}:{account_id}:{api_id}/").into(),
            stage: None,
        })
    }

    /// The stage of requests whose [`RequestContext`] does not say one. Default: `$default`.
    #[must_use]
    pub fn stage(mut self, stage: impl Into<Box<str>>) -> Self {
        self.stage = Some(stage.into());
        self
    }

    /// The ARN of what the request calls.
    pub(super) fn of(&self, head: &Head<'_>) -> String {
        let context = head.context();
        let facts = context.and_then(RequestContext::stage);
        let stage = facts.map(|facts| facts.stage.as_str());
        let stage = stage.or(self.stage.as_deref()).unwrap_or("$default");
        let route = context.and_then(RequestContext::route);
        let path = route.map_or_else(|| head.uri().path(), |route| route.path());
        let path = path.strip_prefix('/').unwrap_or(path);
        [&self.prefix, stage, "/", head.method().as_str(), "/", path].concat()
    }

    /// The account that owns the API.
    pub(super) fn account_id(&self) -> &str {
        self.prefix.split(':').nth(4).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_request_adds_stage_method_and_path() {
        let api = ApiArn::new("eu-west-1", "123456789012", "a1b2c3").unwrap();
        let request = Request::get("/pets/a%2Fb?x=1").body(()).unwrap();
        assert_eq!(
            api.of(&Head::of(&request)),
            "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/$default/GET/pets/a%2Fb"
        );
        let root = Request::get("/").body(()).unwrap();
        assert_eq!(
            api.stage("prod").of(&Head::of(&root)),
            "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/"
        );
        let china = ApiArn::new("cn-north-1", "123456789012", "a").unwrap();
        assert!(china.of(&Head::of(&root)).starts_with("arn:aws-cn:"));
        assert_eq!(china.account_id(), "123456789012");
        assert!(ApiArn::new("eu-west-1", "*", "a").is_err());
    }
}
