//! The keys of an HTTP API's routes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{RouteError, RouteErrors, RouteRule};
use crate::method::RouteMethod;
use crate::template::{Kind, PathTemplate};

/// The key of an HTTP API's route: `GET /pets/{id}`, `ANY /files/{path+}` or `$default`.
///
/// A clone shares the text and the compiled path.
///
/// ```
/// use portcullis_routing::{RouteKey, RouteMethod};
///
/// let key: RouteKey = "GET /pets/{id}".parse()?;
/// assert_eq!(key.method(), Some(RouteMethod::Get));
/// assert_eq!(key.template().and_then(|t| t.parameter("/pets/7", "id")), Some("7"));
/// assert_eq!(key.to_string(), "GET /pets/{id}");
///
/// assert!("$default".parse::<RouteKey>()?.is_default());
/// assert!("GET pets".parse::<RouteKey>().is_err());
/// # Ok::<(), portcullis_routing::RouteErrors>(())
/// ```
#[derive(Clone)]
pub struct RouteKey {
    text: Arc<str>,
    target: Option<(RouteMethod, PathTemplate)>,
}

impl RouteKey {
    /// The key as it was written, which is also what access logs have.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is `$default`, the route of everything without another.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.target.is_none()
    }

    /// The method; none for `$default`.
    #[must_use]
    pub fn method(&self) -> Option<RouteMethod> {
        self.target.as_ref().map(|(method, _)| *method)
    }

    /// The path; none for `$default`.
    #[must_use]
    pub fn template(&self) -> Option<&PathTemplate> {
        self.target.as_ref().map(|(_, template)| template)
    }
}

impl FromStr for RouteKey {
    type Err = RouteErrors;

    /// Reads a key, with exactly one space between method and path, and says all that is wrong with it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == DEFAULT {
            return Ok(Self {
                text: text.into(),
                target: None,
            });
        }
        let Some((name, path)) = text.split_once(' ') else {
            let fault = RouteError::new(None, text, RouteRule::RouteKeySyntax);
            return Err(RouteErrors::from_one(fault));
        };
        let method = name.parse().map_err(|_| {
            RouteErrors::from_one(RouteError::new(Some(name), path, RouteRule::UnknownMethod))
        });
        let template = PathTemplate::compile(path, Kind::Http, Some(name));
        match (method, template) {
            (Ok(method), Ok(template)) => Ok(Self {
                text: text.into(),
                target: Some((method, template)),
            }),
            (Err(method), Err(template)) => Err(method.and(template)),
            (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => Err(faults),
        }
    }
}

impl PartialEq for RouteKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RouteKey {}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RouteKey").field(&self.as_str()).finish()
    }
}

const DEFAULT: &str = "$default";
