//! Reading a format: what is text in it, and what is a variable.

use http::HeaderName;
use portcullis_core::Variable;

use crate::error::ConfigError;

/// A piece of a format.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Text(String),
    Context(Variable),
    RequestHeader(HeaderName),
    ResponseHeader(HeaderName),
    Query(String),
    StageVariable(String),
}

/// The pieces of a format, in their order. Two texts never follow each other.
pub(super) fn tokens(format: &str) -> Result<Vec<Token>, ConfigError> {
    let mut tokens = Vec::new();
    let mut text = String::new();
    let mut rest = format;
    while let Some(dollar) = rest.find('$') {
        text.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        let Some(length) = name_length(rest) else {
            text.push('$');
            continue;
        };
        let (name, behind) = rest.split_at(length);
        rest = behind;
        if !text.is_empty() {
            tokens.push(Token::Text(std::mem::take(&mut text)));
        }
        tokens.push(variable(name)?);
    }
    text.push_str(rest);
    if !text.is_empty() {
        tokens.push(Token::Text(text));
    }
    Ok(tokens)
}

/// The length of the name of a variable at the beginning of `text`; `None` if there is none.
fn name_length(text: &str) -> Option<usize> {
    if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let follows = bytes
            .get(at + 1)
            .is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'_');
        let belongs = match bytes[at] {
            b'_' => true,
            byte if byte.is_ascii_alphanumeric() => true,
            b'.' => follows,
            // Names that others give have dashes; `cognito:groups` and `custom:tenant` are claims.
            b'-' => follows && is_open(&text[..at]),
            b':' => follows && is_prefix_of_claims(&text[..at]),
            _ => false,
        };
        if !belongs {
            break;
        }
        at += 1;
    }
    Some(at)
}

/// Whether the name that begins so is one that others give.
fn is_open(name: &str) -> bool {
    [
        "request.header.",
        "request.querystring.",
        "response.header.",
        "context.authorizer.",
        "context.requestOverride.",
        "context.responseOverride.",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

fn is_prefix_of_claims(name: &str) -> bool {
    name.strip_prefix("context.authorizer.claims.")
        .is_some_and(|claim| matches!(claim, "cognito" | "custom"))
}

fn variable(name: &str) -> Result<Token, ConfigError> {
    let header = |name: &str| {
        name.parse()
            .map_err(|_| ConfigError::new("format", name, "is no name of a header"))
    };
    if let Some(own) = name.strip_prefix("context.") {
        return Variable::parse(own)
            .map(Token::Context)
            .ok_or_else(|| unknown(name));
    }
    if let Some(own) = name.strip_prefix("request.header.") {
        return header(own).map(Token::RequestHeader);
    }
    if let Some(own) = name.strip_prefix("response.header.") {
        return header(own).map(Token::ResponseHeader);
    }
    if let Some(own) = name.strip_prefix("request.querystring.") {
        return Ok(Token::Query(own.to_owned()));
    }
    if let Some(own) = name.strip_prefix("stageVariables.") {
        return Ok(Token::StageVariable(own.to_owned()));
    }
    Err(unknown(name))
}

fn unknown(name: &str) -> ConfigError {
    let own = name.strip_prefix("context.").unwrap_or(name);
    let nearest = Variable::names()
        .map(|known| (strsim::jaro_winkler(known, own), known))
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .filter(|(likeness, _)| *likeness > 0.8);
    let problem = match nearest {
        Some((_, known)) => format!("is no variable; did you mean `$context.{known}`?"),
        None => "is no variable; there are `$context.…`, `$request.header.…`, `$request.querystring.…`, `$response.header.…` and `$stageVariables.…`".to_owned(),
    };
    ConfigError::new("format", format_args!("${name}"), problem)
}

#[cfg(test)]
mod tests {
    use portcullis_core::Variable;

    use super::{Token, tokens};

    fn context(name: &str) -> Token {
        Token::Context(Variable::parse(name).expect(name))
    }

    fn text(text: &str) -> Token {
        Token::Text(text.to_owned())
    }

    #[test]
    fn a_variable_ends_where_its_name_does() {
        let format = "[$context.requestTime]\"$context.httpMethod $context.path.\" $5 a$";
        let expected = [
            text("["),
            context("requestTime"),
            text("]\""),
            context("httpMethod"),
            text(" "),
            context("path"),
            text(".\" $5 a$"),
        ];
        assert_eq!(tokens(format).unwrap(), expected);
    }

    #[test]
    fn names_that_others_give_may_have_dashes_and_colons() {
        let format = "$context.status-$context.authorizer.claims.cognito:groups:$request.header.x-id $request.querystring.page $response.header.etag $stageVariables.color";
        let expected = [
            context("status"),
            text("-"),
            context("authorizer.claims.cognito:groups"),
            text(":"),
            Token::RequestHeader("x-id".parse().unwrap()),
            text(" "),
            Token::Query("page".to_owned()),
            text(" "),
            Token::ResponseHeader("etag".parse().unwrap()),
            text(" "),
            Token::StageVariable("color".to_owned()),
        ];
        assert_eq!(tokens(format).unwrap(), expected);
    }

    #[test]
    fn a_name_that_nobody_knows_is_said_with_the_nearest() {
        let error = tokens("$context.identity.sourceip").unwrap_err();
        assert_eq!(
            error.to_string(),
            "format: `$context.identity.sourceip` is no variable; did you mean `$context.identity.sourceIp`?"
        );
        let error = tokens("$input.body").unwrap_err().to_string();
        assert!(error.contains("$request.header.…"), "{error}");
    }
}
