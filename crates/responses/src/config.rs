//! Entries of a table as plain data.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize};

/// One gateway response as plain data, under the names that the service gives. What is unset keeps the default of its type.
///
/// ```
/// use portcullis_responses::ResponseConfig;
///
/// let text = r#"{"responseType": "DEFAULT_4XX", "statusCode": "444"}"#;
/// let response: ResponseConfig = serde_json::from_str(text)?;
/// assert_eq!(response, ResponseConfig::new("DEFAULT_4XX").status(444));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ResponseConfig {
    /// The type: `THROTTLED`, `DEFAULT_4XX`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub response_type: String,
    /// Whether it is only the service's default, listed. Such an entry is not stored: its type still falls back.
    pub default_response: bool,
    /// `gatewayresponse.header.Name` to an expression. (`gatewayresponse.path` and `gatewayresponse.querystring`
    /// are accepted, as in the service, and do nothing.)
    #[serde(deserialize_with = "or_default")]
    pub response_parameters: IndexMap<String, String>,
    /// Templates by content type.
    #[serde(deserialize_with = "or_default")]
    pub response_templates: IndexMap<String, String>,
    /// The status, three digits from 200 to 599; a number is accepted, too. Unset: the refusal's own.
    #[serde(deserialize_with = "status", skip_serializing_if = "Option::is_none")]
    pub status_code: Option<String>,
}

impl ResponseConfig {
    /// An entry for this type, with nothing set.
    #[must_use]
    pub fn new(response_type: impl Into<String>) -> Self {
        Self {
            response_type: response_type.into(),
            ..Self::default()
        }
    }

    /// Sets the status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status_code = Some(status.to_string());
        self
    }

    /// Sets a header to the value of an expression: `'text'`, with its quotes, or `context.path`, say.
    #[must_use]
    pub fn header(mut self, name: &str, expression: impl Into<String>) -> Self {
        let name = format!("gatewayresponse.header.{name}");
        self.response_parameters.insert(name, expression.into());
        self
    }

    /// Sets the template for a content type.
    #[must_use]
    pub fn template(mut self, content_type: impl Into<String>, text: impl Into<String>) -> Self {
        self.response_templates
            .insert(content_type.into(), text.into());
        self
    }
}

fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Status {
        Text(String),
        Number(u64),
    }
    let status = Option::deserialize(deserializer)?;
    Ok(status.map(|status| match status {
        Status::Text(text) => text,
        Status::Number(number) => number.to_string(),
    }))
}
