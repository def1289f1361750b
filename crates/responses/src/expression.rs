//! Header values: a literal, or one value of the request.

use http::HeaderValue;

use crate::source::{Scene, Source};

/// An expression for the value of a header.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Literal(HeaderValue),
    Source(Source),
    /// A name below `context` that nothing stands for: no header.
    Unknown,
}

impl Expression {
    /// Parses an expression. What is none is told with its problem and its fix.
    pub(crate) fn parse(text: &str) -> Result<Self, (String, &'static str)> {
        let problem = || format!("`{text}` is no mapping expression");
        if let Some(rest) = text.strip_prefix('\'') {
            let literal = rest
                .strip_suffix('\'')
                .ok_or_else(|| (problem(), "close the text with a single quote"))?;
            return HeaderValue::from_str(literal)
                .map(Self::Literal)
                .map_err(|_| {
                    (
                        format!("`{text}` cannot be the value of a header"),
                        "leave out line breaks and other control characters",
                    )
                });
        }
        if let Some(name) = text.strip_prefix("context.") {
            return Ok(Source::context(name).map_or(Self::Unknown, Self::Source));
        }
        let source = if let Some(name) = text.strip_prefix("stageVariables.") {
            (!name.is_empty()).then(|| Source::StageVariable(name.into()))
        } else if let Some(name) = text.strip_prefix("method.request.") {
            Source::request(name)
        } else if let Some(name) = text.strip_prefix("method.input.params.") {
            Source::input(name)
        } else {
            None
        };
        let fix = "write 'text' in single quotes, context.name, stageVariables.name, or method.request. with header.name, path.name or querystring.name";
        source.map(Self::Source).ok_or_else(|| (problem(), fix))
    }

    pub(crate) const fn source(&self) -> Option<&Source> {
        match self {
            Self::Source(source) => Some(source),
            Self::Literal(_) | Self::Unknown => None,
        }
    }

    /// The value; `None` if there is none. The client may have chosen it, so whatever could end the header is taken out.
    pub(crate) fn value(&self, scene: Scene<'_>) -> Option<HeaderValue> {
        let source = match self {
            Self::Literal(value) => return Some(value.clone()),
            Self::Unknown => return None,
            Self::Source(Source::Header(name)) => return scene.request.header(name).cloned(),
            Self::Source(source) => source,
        };
        let mut text = String::new();
        if !source.write(scene, &mut text) {
            return None;
        }
        text.retain(|char| char == '\t' || !char.is_ascii_control());
        HeaderValue::try_from(text).ok()
    }
}
