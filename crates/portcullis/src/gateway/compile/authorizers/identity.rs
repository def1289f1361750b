//! Where a definition says that a token stands.

use http::HeaderName;

use crate::auth::ConfigError;
use crate::auth::jwt::JwtLayer;

const FIELD: &str = "identitySource";

/// `method.request.header.Authorization`, as REST APIs spell it. Without a word it is `Authorization`.
pub(super) fn rest(layer: JwtLayer, source: Option<&str>) -> Result<JwtLayer, ConfigError> {
    let fix = "name one header, such as `method.request.header.Authorization`";
    let Some(source) = source.filter(|source| !source.is_empty()) else {
        return Ok(layer);
    };
    match source.trim().strip_prefix("method.request.header.") {
        Some(name) => header(layer, name, fix),
        None => Err(fault(source, fix)),
    }
}

/// `$request.header.Authorization` or `$request.querystring.token`, as HTTP APIs spell it.
pub(super) fn http(layer: JwtLayer, sources: &[String]) -> Result<JwtLayer, ConfigError> {
    let fix =
        "name one place, such as `$request.header.Authorization` or `$request.querystring.token`";
    let source = match sources {
        [] => return Ok(layer),
        [source] => source.trim(),
        more => return Err(fault(&more.join(","), fix)),
    };
    if let Some(name) = source.strip_prefix("$request.header.") {
        header(layer, name, fix)
    } else if let Some(name) = source.strip_prefix("$request.querystring.")
        && !name.is_empty()
    {
        Ok(layer.token_in_query(name))
    } else {
        Err(fault(source, fix))
    }
}

fn header(layer: JwtLayer, name: &str, fix: &'static str) -> Result<JwtLayer, ConfigError> {
    match HeaderName::try_from(name) {
        Ok(name) => Ok(layer.token_in_header(name)),
        Err(_) => Err(fault(name, fix)),
    }
}

fn fault(source: &str, fix: &'static str) -> ConfigError {
    ConfigError::new(FIELD, format!("`{source}` is no place of a token"), fix)
}
