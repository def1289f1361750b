//! Builds validators.

use portcullis_core::Mode;

use super::model::Model;
use super::parameters::Required;
use super::validator::Validator;
use crate::error::ConfigError;

/// Builds a [`Validator`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ValidatorBuilder {
    required: Vec<String>,
    models: Vec<(String, Model)>,
    max_body_bytes: u64,
    mode: Mode,
}

impl Default for ValidatorBuilder {
    fn default() -> Self {
        Self {
            required: Vec::new(),
            models: Vec::new(),
            max_body_bytes: MAX_BODY_BYTES,
            mode: Mode::default(),
        }
    }
}

impl ValidatorBuilder {
    /// Requires a parameter, by the service's name for it: `method.request.header.x`, `method.request.querystring.x` or
    /// `method.request.path.x`. The last is one of the route in the [`RequestContext`](portcullis_core::RequestContext), and missing where no outer
    /// layer found a route.
    pub fn require(mut self, parameter: impl Into<String>) -> Self {
        self.required.push(parameter.into());
        self
    }

    /// Requires bodies of this media type to fit a model. `$default` stands for all media types that have no model of their own.
    pub fn model(mut self, media_type: impl Into<String>, model: Model) -> Self {
        self.models.push((media_type.into(), model));
        self
    }

    /// The bytes that a body may have that is checked: 10 MiB unless set. A longer one is answered 413.
    pub const fn max_body_bytes(mut self, bytes: u64) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Whether what does not fit is refused: [`Mode::Enforce`] unless set.
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Checks what was given.
    ///
    /// # Errors
    ///
    /// If a parameter's name is none, or a media type has two models.
    pub fn build(self) -> Result<Validator, ConfigError> {
        let mut required = Required::default();
        for parameter in &self.required {
            required.add(parameter)?;
        }
        let mut models: Vec<(String, Model)> = Vec::with_capacity(self.models.len());
        for (media_type, model) in self.models {
            let media_type = media_type.trim().to_ascii_lowercase();
            if models.iter().any(|(own, _)| *own == media_type) {
                let field = format!("/requestModels/{}", crate::error::escape(&media_type));
                return Err(ConfigError::new(field, "has two models"));
            }
            models.push((media_type, model));
        }
        Ok(Validator {
            required,
            models,
            max_body_bytes: self.max_body_bytes,
            mode: self.mode,
        })
    }
}

/// As much as the service takes.
const MAX_BODY_BYTES: u64 = 10 * 1024 * 1024;
