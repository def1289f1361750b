//! What an integration is made from, and the step that makes it.

mod aws;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use portcullis_client::{Client, Upstream};
use portcullis_core::{ApiKind, Clock, SystemClock};

use crate::aws::Aws;
use crate::error::{Conduct, ConfigError, Findings, Unsupported};
use crate::function::{Functions, PayloadFormat};
use crate::http_api::{MappedProxy, Proxy};
use crate::http_backend::HttpBackend;
use crate::http_proxy::HttpProxy;
use crate::integration::Integration;
use crate::mapping::{
    BinaryTypes, Mapping, Passthrough, ProxyHandling, RequestMapping, RequestParameters,
    ResponseMapping, Templates,
};
use crate::mock::Mock;
use crate::target::Target;
use crate::unserved::Unserved;

/// The kinds of integration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IntegrationKind {
    /// The gateway answers by itself.
    #[default]
    Mock,
    /// An HTTP endpoint, with mapped requests and responses.
    Http,
    /// An HTTP endpoint that gets the request and gives the response.
    HttpProxy,
    /// A function or an AWS action, with mapped requests and responses.
    Aws,
    /// A function that gets the request as an event and gives the response.
    AwsProxy,
}

/// A conversion of bodies between bytes and base64 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentHandling {
    /// Base64 text becomes the bytes that it stands for.
    ToBinary,
    /// Bytes become base64 text.
    ToText,
}

/// An integration as a definition describes it; [`compile`](Self::compile) checks it and makes it callable.
///
/// Templates, patterns and parameters are pairs in the order of the definition.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct IntegrationConfig {
    /// The kind of integration.
    pub kind: IntegrationKind,
    /// The kind of API that it is part of.
    pub api: ApiKind,
    /// The verb of the request to the endpoint; `None` and `ANY` keep the client's.
    pub method: Option<String>,
    /// The endpoint: a URL, or the ARN of a function. It may hold `${stageVariables.name}` and `{parameter}`.
    pub uri: Option<String>,
    /// The action of an AWS service that an HTTP API's `AWS_PROXY` calls, such as `SQS-SendMessage`. The request parameters are then
    /// those of the action.
    pub subtype: Option<String>,
    /// Who the integration calls AWS as: a role's ARN, which may hold stage variables, or `arn:aws:iam::*:user/*` for whoever signed the
    /// request. `None` leaves it to the permissions of what is called.
    pub credentials: Option<String>,
    /// The id of the VPC link by which the endpoint is reached; it may hold stage variables.
    pub vpc_link: Option<String>,
    /// The ARN of what is behind the link, if the address does not say it.
    pub link_target: Option<String>,
    /// `integration.request.header.name` and the like, to where the value comes from; for an HTTP API
    /// `overwrite:header.name` and the like.
    pub request_parameters: Vec<(String, String)>,
    /// Body templates by media type.
    pub request_templates: Vec<(String, String)>,
    /// What becomes of a body without a template.
    pub passthrough: Passthrough,
    /// The conversion of request bodies.
    pub content_handling: Option<ContentHandling>,
    /// The integration responses. Proxies have none.
    pub responses: Vec<ResponseConfig>,
    /// Of an HTTP API: by status, `overwrite:header.name` and the like to the new value.
    pub response_parameters: Vec<(String, Vec<(String, String)>)>,
    /// The statuses of the method's own responses; an integration response of another one answers 500. `None` allows all.
    pub declared_statuses: Option<Vec<u16>>,
    /// How long to wait, at least 50 ms; `None` is 29 s, for HTTP APIs 30 s.
    pub timeout: Option<Duration>,
    /// The shape of a function's event in an HTTP API; `None` is 1.0. REST APIs have 1.0 only.
    pub payload_format: Option<PayloadFormat>,
    /// The media types whose bodies are bytes: `image/png`, `image/*`, `*/*`.
    pub binary_media_types: Vec<String>,
    /// Whether any certificate of the endpoint is believed.
    pub insecure_skip_verification: bool,
    /// The name that the certificate of an HTTP endpoint must have instead of its host's.
    pub server_name_to_verify: Option<String>,
    /// Whether the response may take longer than the timeout once its headers are there.
    pub streams_response: bool,
    /// Whether an `HTTP_PROXY` integration lets WebSockets through; see [`HttpProxy::with_web_sockets`].
    pub web_sockets: bool,
    /// The largest request body, in bytes; `None` sets no cap.
    pub max_request_bytes: Option<u64>,
    /// The largest response body, in bytes; `None` sets no cap.
    pub max_response_bytes: Option<u64>,
}

/// One integration response of an [`IntegrationConfig`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseConfig {
    /// The regular expression that the endpoint's whole status or a function's whole error message must match; `None` and `""` are the
    /// default response.
    pub pattern: Option<String>,
    /// The status of the response to the client.
    pub status: String,
    /// `method.response.header.name` to where the value comes from.
    pub parameters: Vec<(String, String)>,
    /// Body templates by media type.
    pub templates: Vec<(String, String)>,
    /// The conversion of response bodies.
    pub content_handling: Option<ContentHandling>,
}

impl ResponseConfig {
    /// The default response, with this status.
    #[must_use]
    pub fn new(status: impl Into<String>) -> Self {
        Self {
            status: status.into(),
            ..Self::default()
        }
    }
}

/// What integrations reach the outside with. Clones share connections and functions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Backends {
    /// For HTTP endpoints.
    pub client: Client,
    /// The functions, by name.
    pub functions: Functions,
    /// For AWS services; without it they are not called.
    pub aws: Option<Aws>,
    /// Where VPC links lead: by the id of the link, or by the ARN of what is behind it, which counts first.
    pub vpc_links: Arc<BTreeMap<String, Upstream>>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Backends {
    /// The system's clock, and these.
    #[must_use]
    pub fn new(client: Client, functions: Functions) -> Self {
        Self {
            client,
            functions,
            aws: None,
            vpc_links: Arc::default(),
            clock: Arc::new(SystemClock::new()),
        }
    }
}

/// What [`IntegrationConfig::compile`] makes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Compiled {
    /// The integration.
    pub integration: Integration,
    /// What it asks for and what is not served yet.
    pub unsupported: Vec<Unsupported>,
}

/// What all integrations that call something share.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) api: ApiKind,
    pub(crate) timeout: Duration,
    pub(crate) max_request: Option<u64>,
    pub(crate) max_response: Option<u64>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Settings {
    pub(crate) fn new(api: ApiKind, clock: Arc<dyn Clock>) -> Self {
        Self {
            api,
            timeout: default_timeout(api),
            max_request: None,
            max_response: None,
            clock,
        }
    }
}

const fn default_timeout(api: ApiKind) -> Duration {
    match api {
        ApiKind::Rest => Duration::from_millis(29_000),
        ApiKind::Http => Duration::from_millis(30_000),
    }
}

const SHORTEST_TIMEOUT: Duration = Duration::from_millis(50);

pub(crate) fn check_timeout(timeout: Duration) -> Result<Duration, ConfigError> {
    if timeout < SHORTEST_TIMEOUT {
        let fault = format!("is {} ms; at least 50 ms are needed", timeout.as_millis());
        return Err(ConfigError::new("/timeoutInMillis", fault));
    }
    Ok(timeout)
}

impl IntegrationConfig {
    /// A configuration of this kind for an API of this kind. Its other fields are set one by one.
    #[must_use]
    pub fn new(kind: IntegrationKind, api: ApiKind) -> Self {
        Self {
            kind,
            api,
            ..Self::default()
        }
    }

    /// Checks the configuration and makes it callable.
    ///
    /// What is valid but not served yet is in [`Compiled::unsupported`]; requests that need it are answered 500.
    ///
    /// # Errors
    ///
    /// If a field is not what it should be. The error names it.
    pub fn compile(&self, backends: &Backends) -> Result<Compiled, ConfigError> {
        let mut findings = Findings::default();
        let integration = self.integration(backends, &mut findings)?;
        let integration = match findings.refusing() {
            Some(cause) => Integration::from(Unserved::because(self.api, cause)),
            None => integration,
        };
        Ok(Compiled {
            integration,
            unsupported: findings.into_vec(),
        })
    }

    fn integration(
        &self,
        backends: &Backends,
        findings: &mut Findings,
    ) -> Result<Integration, ConfigError> {
        let settings = Settings {
            timeout: check_timeout(self.timeout.unwrap_or_else(|| default_timeout(self.api)))?,
            max_request: self.max_request_bytes,
            max_response: self.max_response_bytes,
            ..Settings::new(self.api, Arc::clone(&backends.clock))
        };
        self.report_common(findings);
        if let Some(subtype) = &self.subtype {
            return self.service(subtype, settings, backends, findings);
        }
        let to_aws = matches!(self.kind, IntegrationKind::Aws | IntegrationKind::AwsProxy);
        let parameters = if self.api == ApiKind::Rest {
            RequestParameters::compile(&self.request_parameters, to_aws)?
        } else {
            RequestParameters::default()
        };
        Ok(match self.kind {
            IntegrationKind::Mock => {
                // A mock sends nothing: its parameters are only looked at.
                let mapping = self.mapping(RequestParameters::default(), findings)?;
                Mock::compiled(settings, mapping).into()
            }
            IntegrationKind::Http => {
                let target = Target::compile(self, backends, findings)?;
                let target = (target, self.method()?);
                let mapping = self.mapping(parameters, findings)?;
                HttpBackend::compiled(settings, target, mapping).into()
            }
            IntegrationKind::HttpProxy => {
                let target = Target::compile(self, backends, findings)?;
                let streams = self.streams_response;
                let method = self.method()?;
                let proxy =
                    HttpProxy::compiled(settings.clone(), target, method, parameters, streams)
                        .with_web_sockets(self.web_sockets)
                        .with_handling(self.content_handling.map(|handling| ProxyHandling {
                            binary: BinaryTypes::new(self.binary_media_types.clone()),
                            handling,
                        }));
                self.proxy(proxy, settings, findings)?
            }
            IntegrationKind::Aws => self.aws(settings, parameters, backends, findings)?,
            IntegrationKind::AwsProxy => {
                self.aws_proxy(settings, &parameters, backends, findings)?
            }
        })
    }

    /// A proxy, with the parameter mapping of an HTTP API round it if there is any.
    fn proxy<P: Into<Integration> + Into<Proxy>>(
        &self,
        proxy: P,
        settings: Settings,
        findings: &mut Findings,
    ) -> Result<Integration, ConfigError> {
        let maps_request = self.subtype.is_none() && !self.request_parameters.is_empty();
        let mapped = maps_request || !self.response_parameters.is_empty();
        if self.api == ApiKind::Http && mapped {
            Ok(MappedProxy::compiled(self, settings, proxy, findings)?.into())
        } else {
            Ok(proxy.into())
        }
    }

    /// Both directions of an integration that is no proxy.
    fn mapping(
        &self,
        parameters: RequestParameters,
        findings: &mut Findings,
    ) -> Result<Mapping, ConfigError> {
        let binary = BinaryTypes::new(self.binary_media_types.clone());
        let declared = self.declared_statuses.as_deref();
        Ok(Mapping {
            request: RequestMapping {
                parameters,
                templates: Templates::compile(
                    &self.request_templates,
                    "/requestTemplates",
                    findings,
                ),
                passthrough: self.passthrough,
                handling: self.content_handling,
                binary: binary.clone(),
                to_aws: self.kind == IntegrationKind::Aws,
            },
            responses: ResponseMapping::compile(&self.responses, declared, binary, findings)?,
        })
    }

    fn report_common(&self, findings: &mut Findings) {
        let over_http = matches!(
            self.kind,
            IntegrationKind::Http | IntegrationKind::HttpProxy
        );
        if self.vpc_link.is_some() && !over_http {
            let what = "VPC links of integrations that are not HTTP";
            findings.add("/connectionId", what, Conduct::RefuseAll);
        }
    }

    fn uri(&self) -> Result<&str, ConfigError> {
        let uri = self.uri.as_deref().filter(|uri| !uri.trim().is_empty());
        uri.ok_or_else(|| ConfigError::new("/uri", "is missing"))
    }

    fn method(&self) -> Result<Option<Method>, ConfigError> {
        match self.method.as_deref() {
            None | Some("" | "ANY" | "any" | "x-amazon-apigateway-any-method") => Ok(None),
            Some(name) => Method::from_bytes(name.to_ascii_uppercase().as_bytes())
                .map(Some)
                .map_err(|_| ConfigError::new("/httpMethod", format!("`{name}` is not a verb"))),
        }
    }
}
