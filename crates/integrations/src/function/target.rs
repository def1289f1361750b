//! The addresses of functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::ConfigError;
use crate::uri::{Piece, UriFault, pieces, variable};

/// A function by name and, where its address names one, version or alias.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FunctionTarget {
    /// The function's name.
    pub name: Arc<str>,
    /// Version or alias.
    pub qualifier: Option<Arc<str>>,
    /// The whole ARN without the qualifier, where it is given: region and account are in it.
    pub arn: Option<Arc<str>>,
}

/// The address of a function, which may hold stage variables.
///
/// ```
/// use portcullis_integrations::FunctionUri;
///
/// let uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:pets:${stageVariables.alias}/invocations";
/// let variables = [("alias".to_owned(), "prod".to_owned())].into();
/// let target = FunctionUri::parse(uri).unwrap().resolve(&variables)?;
/// assert_eq!((&*target.name, target.qualifier.as_deref()), ("pets", Some("prod")));
/// # Ok::<(), portcullis_integrations::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FunctionUri {
    parts: Parts,
    streams: bool,
}

#[derive(Clone, Debug)]
enum Parts {
    Fixed(FunctionTarget),
    Pieces(Vec<Piece>),
}

impl FunctionUri {
    /// Takes an integration URI (`arn:aws:apigateway:…:lambda:path/2015-03-31/functions/…/invocations`, or with `2021-11-15` and
    /// `response-streaming-invocations`), a function's own ARN, or its name alone. `None` if it is none of these.
    #[must_use]
    pub fn parse(uri: &str) -> Option<Self> {
        let mut streams = false;
        let function = if let Some((_, path)) = uri
            .strip_prefix("arn:")
            .filter(|rest| rest.contains(":apigateway:"))
            .and_then(|rest| rest.split_once(":lambda:path/"))
        {
            let path = path.trim_start_matches('/');
            let (_, path) = path
                .split_once("/functions/")
                .filter(|(date, _)| is_date(date))?;
            match path.strip_suffix("/response-streaming-invocations") {
                Some(function) => {
                    streams = true;
                    function
                }
                None => path.strip_suffix("/invocations")?,
            }
        } else if uri.starts_with("arn:") && uri.split(':').nth(2) == Some("lambda")
            || !uri.contains([':', '/'])
        {
            uri
        } else {
            return None;
        };
        let pieces = pieces(function);
        let parts = match pieces.as_slice() {
            [Piece::Text(text)] => Parts::Fixed(target(text)?),
            [] => return None,
            pieces
                if pieces
                    .iter()
                    .any(|piece| matches!(piece, Piece::Parameter(_))) =>
            {
                return None;
            }
            _ => Parts::Pieces(pieces),
        };
        Some(Self { parts, streams })
    }

    /// Whether the function's answer is to be streamed.
    #[must_use]
    pub const fn streams(&self) -> bool {
        self.streams
    }

    /// The function, if no stage variable decides which it is.
    pub(crate) const fn fixed(&self) -> Option<&FunctionTarget> {
        match &self.parts {
            Parts::Fixed(target) => Some(target),
            Parts::Pieces(_) => None,
        }
    }

    /// The function, with these stage variables.
    ///
    /// # Errors
    ///
    /// If a variable is not set, or has characters that cannot stand in an address, or what comes out names no function.
    pub fn resolve(
        &self,
        variables: &BTreeMap<String, String>,
    ) -> Result<FunctionTarget, ConfigError> {
        self.expand(Some(variables))
            .map_err(|fault| ConfigError::new("/uri", fault.to_string()))
    }

    pub(crate) fn expand(
        &self,
        variables: Option<&BTreeMap<String, String>>,
    ) -> Result<FunctionTarget, UriFault> {
        let pieces = match &self.parts {
            Parts::Fixed(target) => return Ok(target.clone()),
            Parts::Pieces(pieces) => pieces,
        };
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(literal) | Piece::Parameter(literal) => text.push_str(literal),
                Piece::StageVariable(name) => text.push_str(variable(variables, name)?),
            }
        }
        target(&text).ok_or(UriFault::NotAnAddress(text))
    }
}

/// Whether this is the version of an API, as paths of Lambda begin with.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// The function that an ARN, `name` or `name:qualifier` names.
pub(super) fn target(text: &str) -> Option<FunctionTarget> {
    let (prefix, rest) = match text.split_once(":function:") {
        Some((prefix, rest)) => (Some(prefix), rest),
        None if text.starts_with("arn:") => return None,
        None => (None, text),
    };
    let (name, qualifier) = match rest.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (rest, None),
    };
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.$".contains(&byte))
    };
    (is_name(name) && qualifier.is_none_or(is_name)).then(|| FunctionTarget {
        name: name.into(),
        qualifier: qualifier.map(Into::into),
        arn: prefix.map(|prefix| format!("{prefix}:function:{name}").into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "arn:aws:apigateway:us-east-1:lambda:path";

    #[track_caller]
    fn check(uri: &str, expected: Option<(&str, Option<&str>)>) {
        let variables = BTreeMap::from([
            ("fn".to_owned(), "pets".to_owned()),
            (
                "arn".to_owned(),
                "arn:aws:lambda:r:1:function:pets:2".to_owned(),
            ),
        ]);
        let target = FunctionUri::parse(uri).and_then(|uri| uri.resolve(&variables).ok());
        let target = target
            .as_ref()
            .map(|it| (&*it.name, it.qualifier.as_deref()));
        assert_eq!(target, expected, "{uri}");
    }

    #[test]
    fn a_function_is_found_in_each_form_of_address() {
        let arn = "arn:aws:lambda:us-east-1:111111111111:function:pets";
        let functions = format!("{PATH}/2015-03-31/functions");
        check("pets", Some(("pets", None)));
        check(arn, Some(("pets", None)));
        check(&format!("{arn}:prod"), Some(("pets", Some("prod"))));
        check(
            &format!("{functions}/{arn}/invocations"),
            Some(("pets", None)),
        );
        check(
            &format!("{functions}/{arn}:$LATEST/invocations"),
            Some(("pets", Some("$LATEST"))),
        );
        check(
            &format!("{PATH}//2015-03-31/functions/{arn}/invocations"),
            Some(("pets", None)),
        );
        check(
            &format!("{functions}/pets:1/invocations"),
            Some(("pets", Some("1"))),
        );
        check(
            &format!("{functions}/${{stageVariables.arn}}/invocations"),
            Some(("pets", Some("2"))),
        );
        check(
            "arn:aws-cn:lambda:r:1:function:${stageVariables.fn}:prod",
            Some(("pets", Some("prod"))),
        );
    }

    #[test]
    fn what_names_no_function_is_none() {
        for uri in [
            "",
            "http://example.com",
            "arn:aws:apigateway:us-east-1:sqs:path/1/queue",
            "arn:aws:apigateway:us-east-1:lambda:action/Invoke",
            "arn:aws:lambda:r:1:function:",
            "arn:aws:lambda:r:1:function:${stageVariables.none}",
            "arn:aws:lambda:r:1:layer:x",
        ] {
            check(uri, None);
        }
        check(
            &format!("{PATH}/2015-03-31/functions/a b/invocations"),
            None,
        );
    }
}
