//! AWS services that an HTTP API calls without a function in between: `integrationSubtype`.

mod subtype;
mod value;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response};
use portcullis_core::{ApiKind, Body, RequestContext, TRACE_ID};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use self::subtype::{Call, REGION, Shape, Subtype};
use self::value::Parsed;
use super::expression::{Expression, Side, Source};
use crate::answering::{self, Answering};
use crate::aws::{Aws, CallAs, Endpoint, Exchange, is_region};
use crate::body::{answer, read_answer, read_in_time};
use crate::config::Settings;
use crate::error::{ConfigError, escape};
use crate::failure::Failure;
use crate::headers;
use crate::http_proxy::trace;
use crate::integration::{IntegrationFuture, integration_service};
use crate::uri::push_query_value;

/// The header that names an action.
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// The most of a refusal that is read, to say in the log why.
const MAX_REFUSAL: u64 = 16 * 1024;

/// Calls one action of an AWS service with values of the request, and hands its answer on.
///
/// It is made by [`IntegrationConfig::compile`](crate::IntegrationConfig::compile) for an HTTP API's `integrationSubtype`.
#[derive(Clone, Debug)]
pub struct ServiceProxy {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    aws: Aws,
    identity: CallAs,
    action: Action,
}

/// What is asked of a service, with places to fill in.
#[derive(Debug)]
pub(crate) struct Action {
    subtype: &'static Subtype,
    /// In the order of the subtype's own.
    parameters: Vec<Mapped>,
    /// `None` is the gateway's region.
    region: Option<Mapped>,
}

/// A parameter that has a value.
#[derive(Debug)]
struct Mapped {
    name: &'static str,
    wire: &'static str,
    shape: Shape,
    value: Expression,
    /// The value as it is written in the definition.
    written: String,
}

impl Action {
    pub(crate) fn compile(
        subtype: &str,
        entries: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let subtype = subtype::find(subtype).ok_or_else(|| {
            let known: Vec<_> = subtype::names().collect();
            let fault = format!("`{subtype}` is none of {}", known.join(", "));
            ConfigError::new("/integrationSubtype", fault)
        })?;
        let known =
            |name: &str| name == REGION || subtype.parameters.iter().any(|p| p.name == name);
        if let Some((name, _)) = entries.iter().find(|(name, _)| !known(name)) {
            let all: Vec<_> = subtype.parameters.iter().map(|p| p.name).collect();
            return Err(ConfigError::new(
                format!("/requestParameters/{}", escape(name)),
                format!(
                    "is no parameter of `{}`, which takes {} and {REGION}",
                    subtype.name,
                    all.join(", ")
                ),
            ));
        }
        let mut parameters = Vec::new();
        for parameter in subtype.parameters {
            let (name, wire) = (parameter.name, parameter.wire);
            match Mapped::compile((name, wire), parameter.shape, entries)? {
                Some(mapped) => parameters.push(mapped),
                None if parameter.required => {
                    let fault = format!("must have `{name}`: `{}` needs it", subtype.name);
                    return Err(ConfigError::new("/requestParameters", fault));
                }
                None => {}
            }
        }
        let region = Mapped::compile((REGION, REGION), Shape::Text, entries)?;
        if let Some(fixed) = region.as_ref().and_then(|region| region.value.fixed())
            && !is_region(fixed)
        {
            let fault = format!("`{fixed}` is no region");
            return Err(ConfigError::new("/requestParameters/Region", fault));
        }
        Ok(Self {
            subtype,
            parameters,
            region,
        })
    }

    fn reads_body(&self) -> bool {
        let mut all = self.parameters.iter().chain(&self.region);
        all.any(|mapped| mapped.value.reads_body())
    }

    fn endpoint(&self, source: &Source<'_>, own: &str) -> Result<Endpoint, Failure> {
        let Some(mapped) = &self.region else {
            return Ok(Endpoint::new(self.subtype.host, own));
        };
        let region = mapped.text(source)?;
        // It becomes part of a host's name.
        if !is_region(&region) {
            return Err(mapped.unusable("is no region"));
        }
        Ok(Endpoint::new(self.subtype.host, &region))
    }

    /// Everything that is mapped, with its name on the wire.
    fn values(&self, source: &Source<'_>) -> Result<Vec<(&'static str, Parsed)>, Failure> {
        let values = self.parameters.iter().map(|mapped| {
            let parsed = Parsed::read(mapped.text(source)?, mapped.shape);
            Ok((mapped.wire, parsed.map_err(|fault| mapped.unusable(fault))?))
        });
        values.collect()
    }
}

impl Mapped {
    fn compile(
        (name, wire): (&'static str, &'static str),
        shape: Shape,
        entries: &[(String, String)],
    ) -> Result<Option<Self>, ConfigError> {
        let Some((_, written)) = entries.iter().find(|(own, _)| own == name) else {
            return Ok(None);
        };
        let fault = |fault: String| ConfigError::new(format!("/requestParameters/{name}"), fault);
        let value = Expression::parse(written, Side::Request).map_err(fault)?;
        if let Some(fixed) = value.fixed() {
            if fixed.is_empty() {
                return Err(fault("is empty".to_owned()));
            }
            Parsed::read(fixed.to_owned(), shape)
                .map_err(|what| fault(format!("`{written}` {what}")))?;
        }
        Ok(Some(Self {
            name,
            wire,
            shape,
            value,
            written: written.clone(),
        }))
    }

    /// The text for a request. The service refuses one that has nothing for a parameter, even for an optional one.
    fn text(&self, source: &Source<'_>) -> Result<String, Failure> {
        let text = match self.shape {
            Shape::JsonText | Shape::Attributes | Shape::List => self.value.json(source),
            Shape::Text | Shape::Number | Shape::Time => self.value.value(source),
        };
        text.filter(|text| !text.is_empty()).ok_or_else(|| {
            Failure::Unmapped(format!(
                "Unable to resolve property {} from source {}. Please make sure that the request to API Gateway contains all the necessary fields specified in request parameters.",
                self.name, self.written
            ))
        })
    }

    fn unusable(&self, fault: &str) -> Failure {
        Failure::Unmapped(format!(
            "The value of {} from source {} {fault}.",
            self.name, self.written
        ))
    }
}

impl ServiceProxy {
    pub(crate) fn compiled(
        settings: Settings,
        (aws, identity): (Aws, CallAs),
        action: Action,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                aws,
                identity,
                action,
            }),
        }
    }

    /// Calls the service. A refusal is an `Err`.
    pub fn call(&self, request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        answering::call(&self.shared, request, context)
    }
}

impl Answering for Shared {
    fn api(&self) -> ApiKind {
        self.settings.api
    }

    async fn answer(
        &self,
        request: Request<Body>,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let (asked, body) = request.into_parts();
        let body = match self.action.reads_body() {
            true => Some(read_in_time(body, &self.settings).await?),
            false => None,
        };
        let (endpoint, request) = {
            let body = body.as_deref().filter(|body| !body.is_empty());
            let source = Source::new(&asked.headers, Some(&asked.uri), body, context);
            let endpoint = self.action.endpoint(&source, self.aws.region())?;
            let values = self.action.values(&source)?;
            let request = self.request(&endpoint, values, (&asked, context))?;
            (endpoint, request)
        };
        let deadline = Instant::now() + self.settings.timeout;
        let exchange = Exchange {
            settings: &self.settings,
            aws: &self.aws,
            identity: &self.identity,
            deadline,
        };
        let response = exchange.send(request, &endpoint, context).await?;
        let (mut parts, body) = response.into_parts();
        if !parts.status.is_success() {
            return Err(refusal(parts.status.as_u16(), Body::new(body), deadline).await);
        }
        headers::take_framing(&mut parts.headers).map_err(Failure::BrokenAnswer)?;
        headers::from_http_api(&mut parts.headers);
        let body = answer(body, self.settings.max_response, Some(deadline), context)?;
        Ok(Response::from_parts(parts, body))
    }
}

impl Shared {
    /// The service's request, not signed yet.
    fn request(
        &self,
        endpoint: &Endpoint,
        values: Vec<(&'static str, Parsed)>,
        (asked, context): (&Parts, &RequestContext),
    ) -> Result<Request<Bytes>, Failure> {
        let (mut target, mut request) = ("/".to_owned(), Request::new(Bytes::new()));
        let headers = request.headers_mut();
        let content_type = match self.action.subtype.call {
            Call::Json {
                target,
                content_type,
            }
            | Call::JsonEntry {
                target,
                content_type,
            } => {
                headers.insert(TARGET, HeaderValue::from_static(target));
                Some(content_type)
            }
            Call::Form { .. } => Some("application/x-www-form-urlencoded"),
            Call::Configuration => None,
        };
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        headers.insert(TRACE_ID, trace(&asked.headers, context));
        let body = match self.action.subtype.call {
            Call::Json { .. } => Value::Object(object(values)).to_string(),
            Call::JsonEntry { .. } => json!({"Entries": [object(values)]}).to_string(),
            Call::Form { action, version } => form(action, version, values),
            Call::Configuration => {
                target = configuration(values)?;
                String::new()
            }
        };
        if !body.is_empty() {
            *request.method_mut() = Method::POST;
        }
        *request.body_mut() = body.into();
        let uri = self.aws.uri(endpoint, &target);
        *request.uri_mut() = uri.map_err(|error| Failure::Configuration(error.to_string()))?;
        Ok(request)
    }
}

fn object(values: Vec<(&'static str, Parsed)>) -> Map<String, Value> {
    let values = values.into_iter();
    values
        .map(|(name, value)| (name.to_owned(), value.into_json()))
        .collect()
}

fn form(action: &str, version: &str, values: Vec<(&'static str, Parsed)>) -> String {
    let mut form = format!("Action={action}&Version={version}");
    for (name, value) in values {
        value.into_fields(name, |name, value| {
            form.push('&');
            push_form_text(&mut form, name);
            form.push('=');
            push_form_text(&mut form, value);
        });
    }
    form
}

/// In forms a space is a plus.
fn push_form_text(form: &mut String, text: &str) {
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 {
            form.push('+');
        }
        push_query_value(form, word.as_bytes());
    }
}

/// `/applications/{…}/environments/{…}/configurations/{…}?client_id=…`
fn configuration(values: Vec<(&'static str, Parsed)>) -> Result<String, Failure> {
    let (mut path, mut query) = (String::new(), String::new());
    for (name, value) in values {
        let mut written = String::new();
        value.into_fields(name, |_, value| written.push_str(value));
        if name.starts_with("client_") {
            query.push(if query.is_empty() { '?' } else { '&' });
            query.push_str(name);
            query.push('=');
            push_query_value(&mut query, written.as_bytes());
        } else if matches!(&*written, "." | "..") {
            return Err(Failure::BadRequest(format!("`{written}` in {name}")));
        } else {
            path.push('/');
            path.push_str(name);
            path.push('/');
            push_query_value(&mut path, written.as_bytes());
        }
    }
    path.push_str(&query);
    Ok(path)
}

/// A service that refuses is a failure of the integration, whoever's fault it is, as recorded. The log says why.
async fn refusal(status: u16, body: Body, deadline: Instant) -> Failure {
    let read = tokio::time::timeout_at(deadline, read_answer(body, Some(MAX_REFUSAL))).await;
    let said = read.ok().and_then(Result::ok).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    Failure::BadReply(format!("the service answered {status}: {said}"))
}

integration_service!(ServiceProxy);
