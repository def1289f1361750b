//! The plain configuration, as a file has it.

use serde::Deserialize;

use crate::builder::CorsRulesBuilder;
use crate::error::ConfigError;
use crate::rules::{Conduct, CorsRules};

/// A CORS configuration as a file has it, under the names that Amazon API Gateway gives the fields.
///
/// It converts into [`CorsRules`] of the standard's conduct; [`into_builder`](Self::into_builder) leads to others.
///
/// ```
/// use portcullis_cors::{CorsConfig, CorsRules};
///
/// let config: CorsConfig = serde_json::from_str(
///     r#"{"allowOrigins": ["https://*.example.com"], "allowMethods": ["PUT"], "maxAge": 600}"#,
/// )?;
/// let rules = CorsRules::try_from(config)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CorsConfig {
    /// See [`CorsRulesBuilder::allow_origins`].
    pub allow_origins: Vec<String>,
    /// See [`CorsRulesBuilder::allow_methods`].
    pub allow_methods: Vec<String>,
    /// See [`CorsRulesBuilder::allow_headers`].
    pub allow_headers: Vec<String>,
    /// See [`CorsRulesBuilder::expose_headers`].
    pub expose_headers: Vec<String>,
    /// Seconds; see [`CorsRulesBuilder::max_age_seconds`].
    pub max_age: Option<i64>,
    /// See [`CorsRulesBuilder::allow_credentials`].
    pub allow_credentials: bool,
    /// See [`CorsRulesBuilder::allow_private_network`].
    pub allow_private_network: bool,
}

impl CorsConfig {
    /// A builder with all of this set, to which more can be added (another [`Conduct`], a predicate).
    pub fn into_builder(self) -> CorsRulesBuilder {
        let builder = CorsRules::builder()
            .allow_origins(self.allow_origins)
            .allow_methods(self.allow_methods)
            .allow_headers(self.allow_headers)
            .expose_headers(self.expose_headers)
            .allow_credentials(self.allow_credentials)
            .allow_private_network(self.allow_private_network);
        match self.max_age {
            Some(seconds) => builder.max_age_seconds(seconds),
            None => builder,
        }
    }
}

impl TryFrom<CorsConfig> for CorsRules {
    type Error = ConfigError;

    fn try_from(config: CorsConfig) -> Result<Self, ConfigError> {
        config.into_builder().conduct(Conduct::Standard).build()
    }
}
