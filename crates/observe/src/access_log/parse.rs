//! Reading a format: what is text in it, and what is a variable.

use http::HeaderName;
use portcullis_core::Variable;

use super::standard::ReadyFormat;
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
    let mut faults = Vec::new();
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
        match variable(name) {
            Ok(variable) => tokens.push(variable),
            Err(fault) => faults.push(fault),
        }
    }
    text.push_str(rest);
    if !text.is_empty() {
        tokens.push(Token::Text(text));
    }
    if tokens.iter().all(|token| matches!(token, Token::Text(_))) && faults.is_empty() {
        faults.push(without_variables(format));
    }
    match ConfigError::all(faults) {
        Some(faults) => Err(faults),
        None => Ok(tokens),
    }
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
    let problem = match nearest_variable(name) {
        Some(near) => format!("is no variable; did you mean `${near}`?"),
        None => "is no variable; there are `$context.…`, `$request.header.…`, `$request.querystring.…`, `$response.header.…` and `$stageVariables.…`".to_owned(),
    };
    ConfigError::new("format", format_args!("${name}"), problem)
}

/// What names of variables begin with.
const PREFIXES: [&str; 5] = [
    "context.",
    "request.header.",
    "request.querystring.",
    "response.header.",
    "stageVariables.",
];

/// The variable that was meant, as far as can be told.
fn nearest_variable(name: &str) -> Option<String> {
    // A beginning with a slip in it, before a name that is anything: `$request.headers.x-id`.
    let open = PREFIXES[1..].iter().find_map(|prefix| {
        let parts = prefix.matches('.').count();
        let own = name.match_indices('.').nth(parts - 1)?.0 + 1;
        let is_near = strsim::normalized_damerau_levenshtein(prefix, &name[..own]) > 0.8;
        (is_near && own < name.len()).then(|| format!("{prefix}{}", &name[own..]))
    });
    if open.is_some() {
        return open;
    }
    let own = name.strip_prefix("context.").unwrap_or(name);
    // `$contxt.status` has a good name behind a bad beginning.
    let behind = own.split_once('.').map_or(own, |(_, behind)| behind);
    let likeness = |known: &str| {
        let of = |own: &str| {
            strsim::jaro_winkler(&known.to_ascii_lowercase(), &own.to_ascii_lowercase())
        };
        of(own).max(of(behind))
    };
    Variable::names()
        .map(|known| (likeness(known), known))
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .map(|(_, known)| format!("context.{known}"))
}

/// A format of which every line would be the same: a word that was meant to name one, most likely.
fn without_variables(format: &str) -> ConfigError {
    let near = ReadyFormat::NAMES
        .into_iter()
        .map(|known| (strsim::jaro_winkler(known, format), known))
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .filter(|(likeness, _)| *likeness > 0.7);
    let problem = match near {
        Some((_, known)) => format!("has no variable; did you mean `{known}`?"),
        None => "has no variable; name at least `$context.requestId`".to_owned(),
    };
    ConfigError::new("format", format, problem)
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
        for (wrong, right) in [
            ("$context.statuss", "$context.status"),
            ("$contxt.status", "$context.status"),
            ("$requestId", "$context.requestId"),
            ("$request.headers.accept", "$request.header.accept"),
            ("$stageVariable.color", "$stageVariables.color"),
        ] {
            let error = tokens(wrong).unwrap_err().to_string();
            assert!(
                error.ends_with(&format!("did you mean `{right}`?")),
                "{error}"
            );
        }
    }

    #[test]
    fn several_names_that_nobody_knows_are_said_at_once() {
        let error = tokens("$context.statuss $context.status $context.pth").unwrap_err();
        assert_eq!(error.each().count(), 2, "{error}");
        assert!(error.to_string().contains("`$context.path`"), "{error}");
    }

    #[test]
    fn a_format_without_variables_is_a_slip() {
        let error = tokens("jsn").unwrap_err().to_string();
        assert_eq!(error, "format: `jsn` has no variable; did you mean `json`?");
        let error = tokens("hello there").unwrap_err().to_string();
        assert!(
            error.ends_with("name at least `$context.requestId`"),
            "{error}"
        );
    }
}
