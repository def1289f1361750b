//! The response side: which integration response answers, and what it makes of the backend's.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use portcullis_core::{Body, RequestContext};
use portcullis_templates::{JsonPath, Pattern};

use super::overrides::Carried;
use super::parameters::{Message, Source, document};
use super::payload::{BinaryTypes, Conversion, media_type};
use super::scene;
use super::template::{Template, Templates};
use crate::body::read_reply;
use crate::config::{ContentHandling, ResponseConfig, Settings};
use crate::error::{ConfigError, Findings, escape};
use crate::failure::Failure;
use crate::headers;

/// The integration responses of a method, in the order in which their patterns are tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResponseMapping {
    rules: Vec<Rule>,
    fallback: Option<Rule>,
    binary: BinaryTypes,
}

/// One integration response.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pattern: Option<Pattern>,
    status: StatusCode,
    headers: Vec<(HeaderName, Source)>,
    /// The headers that the client gets, if neither the request nor the backend has a say in them.
    fixed: Option<Vec<(HeaderName, HeaderValue)>>,
    templates: Templates,
    handling: Option<ContentHandling>,
    /// The method declares no response of this status.
    undeclared: bool,
}

/// What a backend gave back.
pub(crate) struct Reply<'a> {
    /// What the patterns are matched against: a status, or a function's error message.
    pub(crate) outcome: &'a str,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

impl ResponseMapping {
    pub(crate) fn compile(
        responses: &[ResponseConfig],
        declared: Option<&[u16]>,
        binary: BinaryTypes,
        findings: &mut Findings,
    ) -> Result<Self, ConfigError> {
        let mut compiled = Self {
            binary,
            ..Self::default()
        };
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
            let headers = parameters(response, &field)?;
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
                handling: response.content_handling,
                undeclared: declared.is_some_and(|all| !all.contains(&status.as_u16())),
            };
            match response.pattern.as_deref() {
                None | Some("") => {
                    compiled.fallback.get_or_insert(rule);
                }
                Some(pattern) => {
                    let pattern = Pattern::parse(pattern).map_err(|error| {
                        ConfigError::new(field, format!("is not a pattern: {error}"))
                    })?;
                    rule.pattern = Some(pattern);
                    compiled.rules.push(rule);
                }
            }
        }
        Ok(compiled)
    }

    /// The response for a status or a function's error message.
    pub(crate) fn select(&self, outcome: &str) -> Result<&Rule, Failure> {
        let matches = |rule: &&Rule| {
            let pattern = rule.pattern.as_ref();
            pattern.is_some_and(|pattern| pattern.matches(outcome))
        };
        let rule = self.rules.iter().find(matches).or(self.fallback.as_ref());
        let rule = rule.ok_or_else(|| {
            Failure::Configuration(format!("no integration response matches `{outcome}`"))
        })?;
        if rule.undeclared {
            let status = rule.status;
            return Err(Failure::Configuration(format!(
                "the method has no response of status {status}"
            )));
        }
        Ok(rule)
    }

    /// Makes the client's response out of a backend's. The body is read only if the mapping needs it.
    pub(crate) async fn answer(
        &self,
        asked: &Parts,
        reply: Reply<'_>,
        carried: Carried,
        settings: &Settings,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let rule = self.select(reply.outcome)?;
        let template = rule.templates.response_to(&asked.headers);
        let conversion = self.conversion(rule, asked, &reply.headers);
        let needs_body = rule.headers.iter().any(|(_, source)| source.reads_body())
            || match template {
                None => conversion != Conversion::None,
                Some(Template::Rendered(_)) => true,
                // Unless somebody wants to see it.
                Some(Template::Fixed(_) | Template::Broken(_)) => context.call_record().is_some(),
            };
        if template.is_none() && !needs_body {
            let response = rule.respond(asked, &reply.headers, None, context)?;
            return finish(asked, response, reply.body, &carried);
        }
        let body = if needs_body {
            read_reply(reply.body, settings.max_response).await?
        } else {
            Bytes::new()
        };
        rule.render(asked, &reply.headers, (conversion, body), carried, context)
    }

    /// The same by a rule that is selected already, with a body in memory.
    pub(crate) fn render(
        &self,
        rule: &Rule,
        asked: &Parts,
        reply: (&HeaderMap, Bytes),
        carried: Carried,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let (headers, body) = reply;
        let conversion = self.conversion(rule, asked, headers);
        rule.render(asked, headers, (conversion, body), carried, context)
    }

    fn conversion(&self, rule: &Rule, asked: &Parts, reply: &HeaderMap) -> Conversion {
        let binary = self.binary.matches(media_type(reply.get(CONTENT_TYPE)));
        let accepts = self.binary.accepted(asked.headers.get(ACCEPT));
        Conversion::of_response(binary, accepts, rule.handling)
    }
}

impl Rule {
    /// Whether the response to a request with these headers is rendered.
    pub(crate) fn renders(&self, request: &HeaderMap) -> bool {
        matches!(
            self.templates.response_to(request),
            Some(Template::Rendered(_))
        )
    }

    /// The response to a request with this head, when the backend's body is in memory.
    fn render(
        &self,
        asked: &Parts,
        reply: &HeaderMap,
        (conversion, body): (Conversion, Bytes),
        mut carried: Carried,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let _phase = context
            .phase(|| tracing::info_span!("map response"))
            .entered();
        let template = self.templates.response_to(&asked.headers);
        // A template works on text. What it makes of it may be base64 as well as what it was given.
        let decodes_after = conversion == Conversion::Decode && template.is_some();
        let conversion = if decodes_after {
            Conversion::Text
        } else {
            conversion
        };
        let body = conversion.apply(body)?;
        let response = self.respond(asked, reply, Some(&body), context)?;
        let mut body = match template {
            None => body,
            Some(Template::Fixed(text)) => text.clone(),
            Some(Template::Broken(fault)) => return Err(Failure::broken_template(fault)),
            Some(Template::Rendered(template)) => {
                if std::str::from_utf8(&body).is_err() {
                    let cause = "a template cannot be rendered over bytes that are no text";
                    return Err(Failure::Configuration(cause.to_owned()));
                }
                let rendered = scene::render(template, &body, asked, &carried, context);
                let output = rendered.map_err(|error| {
                    Failure::Configuration(format!("the response template failed: {error}"))
                })?;
                carried.update(output, context)?.into()
            }
        };
        if decodes_after && self.handling == Some(ContentHandling::ToBinary) {
            body = Conversion::Decode.apply(body)?;
        }
        finish(asked, response, body.into(), &carried)
    }

    /// A response with status and headers, of the backend's own only those that are mapped.
    fn respond(
        &self,
        asked: &Parts,
        reply: &HeaderMap,
        body: Option<&Bytes>,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        // Room for what the gateway adds: two ids, and what CORS rules grant.
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 5);
        if let Some(fixed) = &self.fixed {
            for (name, value) in fixed {
                headers.insert(name.clone(), value.clone());
            }
            *response.headers_mut() = headers;
            return Ok(response);
        }
        let sources = self.headers.iter().map(|(_, source)| source);
        let reads_body = sources.clone().any(Source::reads_body);
        let text = body.filter(|_| reads_body && asked.method != Method::HEAD);
        let text = text.map(|body| String::from_utf8_lossy(body));
        let document = document(sources, text.as_deref()).map_err(|_| {
            Failure::Configuration(
                "a value comes from a JSON body, and the body is none".to_owned(),
            )
        })?;
        let mut message = Message::response(reply);
        message.body = text.as_deref();
        let json = |path: &JsonPath| document.as_ref()?.text(path);
        message.json = Some(&json);
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
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// Puts overrides and body in. A response to `HEAD` has no body.
fn finish(
    asked: &Parts,
    mut response: Response<Body>,
    body: Body,
    carried: &Carried,
) -> Result<Response<Body>, Failure> {
    carried.apply_to_response(&mut response)?;
    if asked.method != Method::HEAD {
        *response.body_mut() = body;
    }
    Ok(response)
}

fn parameters(
    response: &ResponseConfig,
    field: &str,
) -> Result<Vec<(HeaderName, Source)>, ConfigError> {
    let mut parameters = Vec::with_capacity(response.parameters.len());
    for (target, source) in &response.parameters {
        let fault = |fault| {
            let field = format!("{field}/responseParameters/{}", escape(target));
            ConfigError::new(field, fault)
        };
        let name: HeaderName = target
            .strip_prefix("method.response.header.")
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| fault(format!("`{target}` is not `method.response.header.name`")))?;
        if name == TRANSFER_ENCODING {
            continue;
        }
        let source = Source::response(source).map_err(fault)?;
        let name = headers::remapped(&name).unwrap_or(name);
        parameters.push((name, source));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(
        configs: &[ResponseConfig],
        declared: Option<&[u16]>,
    ) -> Result<ResponseMapping, ConfigError> {
        let binary = BinaryTypes::default();
        ResponseMapping::compile(configs, declared, binary, &mut Findings::default())
    }

    fn asked() -> Parts {
        http::Request::new(()).into_parts().0
    }

    fn responses(rules: &[(Option<&str>, &str)]) -> ResponseMapping {
        let configs: Vec<_> = rules
            .iter()
            .map(|(pattern, status)| {
                let mut config = ResponseConfig::new(*status);
                config.pattern = pattern.map(str::to_owned);
                config
            })
            .collect();
        compile(&configs, None).expect("compiles")
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
        let responses = compile(&config, Some(&[200])).expect("compiles");
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
        let responses = compile(&[config], None).expect("compiles");
        let mut endpoint = HeaderMap::new();
        endpoint.append("a", HeaderValue::from_static("1"));
        endpoint.append("a", HeaderValue::from_static("2"));
        let context = RequestContext::of(&mut http::Request::new(())).clone();
        let rule = responses.select("200").expect("the default");
        let response = rule.respond(&asked(), &endpoint, None, &context);
        let (parts, _) = response.expect("valid values").into_parts();
        let headers = parts.headers;
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
            let error = compile(&[config], None);
            let error = error.expect_err(status);
            assert!(error.field().starts_with("/responses/"), "{error}");
        }
    }
}
