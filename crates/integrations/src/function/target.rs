//! Which function an integration URI names.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::uri::{Piece, UriFault, pieces, variable};

/// The function that an integration URI names; name and qualifier may come from stage variables.
#[derive(Clone, Debug)]
pub(crate) struct FunctionUri {
    parts: Parts,
}

#[derive(Clone, Debug)]
enum Parts {
    Fixed(Named),
    /// The pieces of the whole name, to be split when their variables are known.
    Pieces(Vec<Piece>),
}

/// The name of a function, and a version or alias of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: Arc<str>,
    pub(crate) qualifier: Option<Arc<str>>,
}

impl FunctionUri {
    /// Reads `arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function}/invocations`, where `{function}` is a
    /// function's ARN, or such an ARN alone. A name alone is taken too.
    ///
    /// `None` if the URI names no function.
    pub(crate) fn parse(uri: &str) -> Option<Self> {
        let function = match uri.split_once("/functions/") {
            Some((_, rest)) => rest
                .strip_suffix("/invocations")
                .or_else(|| rest.strip_suffix("/response-streaming-invocations"))?,
            None if uri.contains(":apigateway:") => return None,
            None => uri,
        };
        if function.is_empty() {
            return None;
        }
        let pieces = pieces(function);
        let parts = match &*pieces {
            [Piece::Text(text)] => Parts::Fixed(Named::parse(text)?),
            _ if pieces.iter().any(|piece| matches!(piece, Piece::Parameter(_))) => {
                return None;
            }
            _ => Parts::Pieces(pieces),
        };
        Some(Self { parts })
    }

    /// The function, with stage variables filled in.
    ///
    /// # Errors
    ///
    /// If a variable is not set, or what comes out names no function.
    pub(crate) fn resolve(
        &self,
        variables: Option<&BTreeMap<String, String>>,
    ) -> Result<Named, UriFault> {
        let pieces = match &self.parts {
            Parts::Fixed(named) => return Ok(named.clone()),
            Parts::Pieces(pieces) => pieces,
        };
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::StageVariable(name) => text.push_str(variable(variables, name)?),
                Piece::Parameter(name) => return Err(UriFault::UnmappedParameter(name.clone())),
            }
        }
        Named::parse(&text).ok_or(UriFault::NotAnAddress(text))
    }
}

impl Named {
    /// `name`, `name:qualifier`, or a function's ARN with or without a qualifier.
    fn parse(text: &str) -> Option<Self> {
        let text = match text.split_once(":function:") {
            Some((arn, name)) if arn.starts_with("arn:") => name,
            Some(_) => return None,
            None => text,
        };
        let (name, qualifier) = match text.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (text, None),
        };
        let valid = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_$.".contains(&byte))
        };
        (valid(name) && qualifier.is_none_or(valid)).then(|| Self {
            name: name.into(),
            qualifier: qualifier.map(Arc::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVOKE: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/";
    const ARN: &str = "arn:aws:lambda:us-east-1:111111111111:function:";

    #[track_caller]
    fn check(uri: &str, expected: Option<(&str, Option<&str>)>) {
        let variables = [("f", "pets"), ("alias", "prod")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let named = FunctionUri::parse(uri);
        let named = named.and_then(|target| target.resolve(Some(&variables)).ok());
        let named = named.map(|named| (named.name.to_string(), named.qualifier));
        let named = named.as_ref().map(|(name, qualifier)| (&**name, qualifier.as_deref()));
        assert_eq!(named, expected, "{uri}");
    }

    #[test]
    fn a_function_is_named_by_invocation_uri_arn_or_name() {
        check(&format!("{INVOKE}{ARN}pets/invocations"), Some(("pets", None)));
        check(&format!("{INVOKE}{ARN}pets:prod/invocations"), Some(("pets", Some("prod"))));
        check(&format!("{ARN}pets:$LATEST"), Some(("pets", Some("$LATEST"))));
        check("pets", Some(("pets", None)));
    }

    #[test]
    fn stage_variables_choose_function_and_alias() {
        let uri = format!("{INVOKE}{ARN}${{stageVariables.f}}:${{stageVariables.alias}}/invocations");
        check(&uri, Some(("pets", Some("prod"))));
        check(&format!("{INVOKE}{ARN}${{stageVariables.none}}/invocations"), None);
    }

    #[test]
    fn what_names_no_function_is_an_error() {
        for uri in [
            "",
            "arn:aws:apigateway:us-east-1:s3:path/bucket",
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/",
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions//invocations",
            "http://example.com",
            "arn:aws:lambda:us-east-1:111111111111:function:a/b",
        ] {
            check(uri, None);
        }
    }
}
