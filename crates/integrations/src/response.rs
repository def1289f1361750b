//! Which integration response answers, and what it makes of the endpoint's.

use http::header::{CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use portcullis_core::RequestContext;
use regex::Regex;

use crate::config::ResponseConfig;
use crate::error::{Conduct, ConfigError, Findings, escape};
use crate::failure::Failure;
use crate::headers;
use crate::parameters::{Message, Source, Unreadable};
use crate::template::{Template, Templates};

/// The integration responses of a method, in the order in which their patterns are tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Responses {
    rules: Vec<Rule>,
    fallback: Option<Rule>,
}

/// One integration response.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pattern: Option<Regex>,
    status: StatusCode,
    headers: Vec<(HeaderName, Source)>,
    /// The headers that the client gets, if neither the request nor the endpoint has a say in them.
    fixed: Option<Vec<(HeaderName, HeaderValue)>>,
    templates: Templates,
    /// The method declares no response of this status.
    undeclared: bool,
}

impl Responses {
    pub(crate) fn compile(
        responses: &[ResponseConfig],
        declared: Option<&[u16]>,
        findings: &mut Findings,
    ) -> Result<Self, ConfigError> {
        let mut compiled = Self::default();
        for response in responses {
            let field = match response.pattern.as_deref() {
                Some(pattern) if !pattern.is_empty() => format!("/responses/{}", escape(pattern)),
                _ => "/responses/default".to_owned(),
            };
            let status = response
                .status
                .parse::<u16>()
                .ok()
                .and_then(|status| StatusCode::from_u16(status).ok())
                .filter(|status| (200..600).contains(&status.as_u16()))
                .ok_or_else(|| {
                    let fault = format!("`{}` is not a status from 200 to 599", response.status);
                    ConfigError::new(format!("{field}/statusCode"), fault)
                })?;
            let headers = parameters(response, &field, findings)?;
            let mut rule = Rule {
                pattern: None,
                status,
                fixed: fixed(&headers),
                headers,
                templates: Templates::compile(
                    &response.templates,
                    &format!("{field}/responseTemplates"),
                    findings,
                ),
                undeclared: declared.is_some_and(|all| !all.contains(&status.as_u16())),
            };
            if let Some(handling) = response.content_handling {
                findings.add(
                    format!("{field}/contentHandling"),
                    format!("conversion of response bodies ({handling:?})"),
                    Conduct::Ignore,
                );
            }
            match response.pattern.as_deref() {
                None | Some("") => {
                    compiled.fallback.get_or_insert(rule);
                }
                Some(pattern) => {
                    // The whole text must match.
                    match Regex::new(&format!("^(?:{pattern})$")) {
                        Ok(regex) => rule.pattern = Some(regex),
                        Err(_) if is_beyond_regex(pattern) => findings.add(
                            field,
                            "patterns that look around or refer back",
                            Conduct::RefuseAll,
                        ),
                        Err(error) => {
                            let fault = format!("is not a pattern: {error}");
                            return Err(ConfigError::new(field, fault));
                        }
                    }
                    compiled.rules.push(rule);
                }
            }
        }
        Ok(compiled)
    }

    /// The response for a status or a function's error message.
    pub(crate) fn select(&self, text: &str) -> Result<&Rule, Failure> {
        let matches = |rule: &&Rule| {
            let pattern = rule.pattern.as_ref();
            pattern.is_some_and(|pattern| pattern.is_match(text))
        };
        let rule = self.rules.iter().find(matches).or(self.fallback.as_ref());
        let rule = rule.ok_or_else(|| {
            Failure::Configuration(format!("no integration response matches `{text}`"))
        })?;
        if rule.undeclared {
            let status = rule.status;
            return Err(Failure::Configuration(format!(
                "the method has no response of status {status}"
            )));
        }
        Ok(rule)
    }
}

/// Whether a pattern has what Java's engine knows and a linear one does not.
fn is_beyond_regex(pattern: &str) -> bool {
    let around = ["(?=", "(?!", "(?<=", "(?<!", "(?>", "++", "*+"];
    let refers = |pair: &[u8]| pair[0] == b'\\' && matches!(pair[1], b'1'..=b'9' | b'k');
    around.iter().any(|part| pattern.contains(part)) || pattern.as_bytes().windows(2).any(refers)
}

fn parameters(
    response: &ResponseConfig,
    field: &str,
    findings: &mut Findings,
) -> Result<Vec<(HeaderName, Source)>, ConfigError> {
    let mut parameters = Vec::with_capacity(response.parameters.len());
    for (target, source) in &response.parameters {
        let field = format!("{field}/responseParameters/{}", escape(target));
        let name: HeaderName = target
            .strip_prefix("method.response.header.")
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| {
                let fault = format!("`{target}` is not `method.response.header.name`");
                ConfigError::new(field.clone(), fault)
            })?;
        if name == TRANSFER_ENCODING {
            continue;
        }
        match Source::response(source) {
            Ok(source) => {
                let name = headers::remapped(&name).unwrap_or(name);
                parameters.push((name, source));
            }
            Err(Unreadable::Body) => {
                findings.add(field, "a value from the body", Conduct::RefuseAll);
            }
            Err(Unreadable::Fault(fault)) => return Err(ConfigError::new(field, fault)),
        }
    }
    Ok(parameters)
}

/// The headers of a rule that has only literals.
fn fixed(headers: &[(HeaderName, Source)]) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let mut fixed = HeaderMap::new();
    for (name, source) in headers {
        let Source::Literal(text) = source else {
            return None;
        };
        fixed.insert(name.clone(), HeaderValue::from_bytes(text).ok()?);
    }
    fixed.entry(CONTENT_TYPE).or_insert(JSON);
    Some(
        fixed
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

/// The type of a body whose type nobody says.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Rule {
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers that the client gets; of the endpoint's own only those that are mapped.
    pub(crate) fn headers(
        &self,
        endpoint: &HeaderMap,
        context: &RequestContext,
    ) -> Result<HeaderMap, Failure> {
        // Room for what the gateway adds: two ids, and what CORS rules grant.
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 5);
        if let Some(fixed) = &self.fixed {
            for (name, value) in fixed {
                headers.insert(name.clone(), value.clone());
            }
            return Ok(headers);
        }
        let message = Message::response(endpoint);
        for (name, source) in &self.headers {
            if let Some(value) = source.value(&message, context) {
                let value = HeaderValue::from_bytes(&value).map_err(|_| {
                    Failure::Configuration(format!(
                        "the value of `{name}` cannot stand in a header"
                    ))
                })?;
                headers.insert(name.clone(), value);
            }
        }
        headers.entry(CONTENT_TYPE).or_insert(JSON);
        Ok(headers)
    }

    /// The template for a request with these headers.
    pub(crate) fn template_for(&self, request: &HeaderMap) -> Option<&Template> {
        self.templates.response_to(request)
    }

    pub(crate) fn template(&self, accept: Option<&HeaderValue>) -> Option<&Template> {
        self.templates.response(accept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn responses(rules: &[(Option<&str>, &str)]) -> Responses {
        let configs: Vec<_> = rules
            .iter()
            .map(|(pattern, status)| {
                let mut config = ResponseConfig::new(*status);
                config.pattern = pattern.map(str::to_owned);
                config
            })
            .collect();
        Responses::compile(&configs, None, &mut Findings::default()).expect("compiles")
    }

    #[track_caller]
    fn check(rules: &[(Option<&str>, &str)], text: &str, expected: Option<u16>) {
        let status = responses(rules).select(text).ok().map(|rule| rule.status);
        assert_eq!(status.map(|status| status.as_u16()), expected);
    }

    #[test]
    fn the_first_pattern_that_the_whole_text_matches_wins() {
        let rules = [
            (None, "200"),
            (Some(".*four hundred.*"), "405"),
            (Some(".+"), "502"),
            (Some("200"), "504"),
        ];
        check(&rules, "", Some(200));
        check(&rules, "Error: four hundred", Some(405));
        check(&rules, "Error: five hundred", Some(502));
        check(&rules, "two\nlines", Some(200));
        check(&[(Some("2\\d{2}"), "200")], "201", Some(200));
        check(&[(Some("2\\d{2}"), "200")], "2011", None);
    }

    #[test]
    fn a_pattern_that_matches_all_goes_before_the_default() {
        check(&[(None, "200"), (Some(".*"), "400")], "", Some(400));
        check(&[(Some(""), "201")], "404", Some(201));
    }

    #[test]
    fn a_status_that_the_method_does_not_declare_cannot_be_answered() {
        let config = [ResponseConfig::new("201")];
        let findings = &mut Findings::default();
        let responses = Responses::compile(&config, Some(&[200]), findings).expect("compiles");
        assert!(responses.select("200").is_err());
    }

    #[test]
    fn mapped_headers_get_the_names_that_the_service_gives_them() {
        let mut config = ResponseConfig::new("200");
        config.parameters = [
            ("method.response.header.Server", "'s'"),
            ("method.response.header.Transfer-Encoding", "'t'"),
            ("method.response.header.Via", "'v'"),
            ("method.response.header.X", "integration.response.header.a"),
            (
                "method.response.header.Y",
                "integration.response.multivalueheader.a",
            ),
        ]
        .map(|(target, source)| (target.to_owned(), source.to_owned()))
        .to_vec();
        let responses =
            Responses::compile(&[config], None, &mut Findings::default()).expect("compiles");
        let mut endpoint = HeaderMap::new();
        endpoint.append("a", HeaderValue::from_static("1"));
        endpoint.append("a", HeaderValue::from_static("2"));
        let context = RequestContext::of(&mut http::Request::new(())).clone();
        let rule = responses.select("200").expect("the default");
        let headers = rule.headers(&endpoint, &context).expect("valid values");
        assert_eq!(headers["x-amzn-remapped-server"], "s");
        assert_eq!(headers["via"], "v");
        assert_eq!(headers["x"], "2");
        assert_eq!(headers["y"], "1,2");
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers.len(), 5);
    }

    #[test]
    fn what_is_no_response_is_an_error_that_names_the_field() {
        for (pattern, status) in [(None, "99"), (None, "x"), (Some("("), "200")] {
            let mut config = ResponseConfig::new(status);
            config.pattern = pattern.map(str::to_owned);
            let error = Responses::compile(&[config], None, &mut Findings::default());
            let error = error.expect_err(status);
            assert!(error.field().starts_with("/responses/"), "{error}");
        }
    }
}
