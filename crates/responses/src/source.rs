//! Where values in templates and headers come from.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use portcullis_core::{Rejection, RequestContext, Variable};

use crate::capture::Captured;

/// What a response is made of: the refusal, and what is known of the request.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) rejection: &'a Rejection,
    pub(crate) context: Option<&'a RequestContext>,
    pub(crate) request: &'a Captured,
}

/// A value that differs from request to request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    ErrorMessage,
    ErrorMessageString,
    ErrorResponseType,
    ErrorValidation,
    Context(Variable),
    StageVariable(Box<str>),
    Header(HeaderName),
    Path(Box<str>),
    Query(Box<str>),
    /// Path, then query, then header.
    Input(Box<str>, Option<HeaderName>),
}

impl Source {
    /// The value of a name below `$context`; `None` if there is no such name.
    pub(crate) fn context(name: &str) -> Option<Self> {
        // What is said of the error comes from the refusal at hand: a context may not have heard of it.
        Some(match name {
            "error.message" => Self::ErrorMessage,
            "error.messageString" => Self::ErrorMessageString,
            "error.responseType" => Self::ErrorResponseType,
            "error.validationErrorString" => Self::ErrorValidation,
            _ => Self::Context(Variable::parse(name)?),
        })
    }

    /// The value of a parameter of the request, named as in `header.Accept`; `None` if that is no name.
    pub(crate) fn request(name: &str) -> Option<Self> {
        let (place, name) = name.split_once('.')?;
        if name.is_empty() {
            return None;
        }
        match place {
            "header" => HeaderName::try_from(name).ok().map(Self::Header),
            "path" => Some(Self::Path(name.into())),
            "querystring" => Some(Self::Query(name.into())),
            _ => None,
        }
    }

    /// The value of a parameter wherever it stands.
    pub(crate) fn input(name: &str) -> Option<Self> {
        (!name.is_empty()).then(|| Self::Input(name.into(), HeaderName::try_from(name).ok()))
    }

    /// The header of the request that it reads, if any.
    pub(crate) const fn needed_header(&self) -> Option<&HeaderName> {
        match self {
            Self::Header(name) | Self::Input(_, Some(name)) => Some(name),
            _ => None,
        }
    }

    /// Whether it reads the request's context.
    pub(crate) const fn needs_context(&self) -> bool {
        matches!(
            self,
            Self::Context(_)
                | Self::StageVariable(_)
                | Self::Path(_)
                | Self::Query(_)
                | Self::Input(..)
        )
    }

    /// Writes the value and says whether there was one.
    pub(crate) fn write(&self, scene: Scene<'_>, out: &mut String) -> bool {
        let text = match self {
            Self::ErrorMessage => Some(Cow::Borrowed(scene.rejection.message().unwrap_or("null"))),
            Self::ErrorMessageString => Some(Cow::Owned(scene.rejection.message_string())),
            Self::ErrorResponseType => scene.rejection.kind().response_type().map(Cow::Borrowed),
            Self::ErrorValidation => scene.rejection.validation_error().map(Cow::Borrowed),
            Self::Context(variable) => {
                return scene.context.is_some_and(|context| {
                    // Writing to a string does not fail.
                    context.write(variable, out).unwrap_or(false)
                });
            }
            Self::StageVariable(name) => scene
                .context
                .and_then(|context| context.stage()?.variables.get(&**name))
                .map(|value| Cow::Borrowed(value.as_str())),
            Self::Header(name) => scene.request.header(name).map(text_of),
            Self::Path(name) => path_parameter(scene, name),
            Self::Query(name) => query_parameter(scene, name),
            Self::Input(name, header) => path_parameter(scene, name)
                .or_else(|| query_parameter(scene, name))
                .or_else(|| scene.request.header(header.as_ref()?).map(text_of)),
        };
        match text {
            Some(text) => {
                out.push_str(&text);
                true
            }
            None => false,
        }
    }
}

fn text_of(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

fn path_parameter<'a>(scene: Scene<'a>, name: &str) -> Option<Cow<'a, str>> {
    let value = scene.context?.route()?.parameter(name)?;
    Some(Cow::Borrowed(value))
}

/// The last value under this name, decoded.
fn query_parameter<'a>(scene: Scene<'a>, name: &str) -> Option<Cow<'a, str>> {
    let query = scene.context?.uri().query()?;
    query.rsplit('&').find_map(|pair| {
        let (own, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(own) == name).then(|| decoded(value))
    })
}

fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let text = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}
