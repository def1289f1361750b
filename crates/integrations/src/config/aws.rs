//! Integrations with functions and AWS services.

use http::Method;
use portcullis_core::ApiKind;

use super::{Backends, IntegrationConfig, IntegrationKind, Settings};
use crate::aws::{Aws, AwsService, CallAs, ServiceUri, ServiceUriFault};
use crate::error::{Conduct, ConfigError, Findings};
use crate::function::{FunctionProxy, FunctionUri, LambdaAction, PayloadFormat};
use crate::http_api::{ServiceAction, ServiceProxy};
use crate::integration::Integration;
use crate::mapping::RequestParameters;
use crate::unserved::Unserved;

impl IntegrationConfig {
    /// `AWS`: a function, an action or a path of a service.
    pub(super) fn aws(
        &self,
        settings: Settings,
        parameters: RequestParameters,
        backends: &Backends,
        findings: &mut Findings,
    ) -> Result<Integration, ConfigError> {
        let uri = self.uri()?;
        let identity = CallAs::parse(self.credentials.as_deref());
        if let Some(function) = FunctionUri::parse(uri) {
            self.report_function(&function, backends, findings);
            let target = (backends.functions.clone(), function, identity);
            let mapping = self.mapping(parameters, findings)?;
            return Ok(LambdaAction::compiled(settings, target, mapping).into());
        }
        if !uri.starts_with("arn:") {
            return Err(ConfigError::new("/uri", format!("`{uri}` is not an ARN")));
        }
        let origin = backends.aws.as_ref().and_then(|aws| aws.origin());
        let (service, verb) = match ServiceUri::parse(uri, origin.as_deref()) {
            Ok(parsed) => parsed,
            Err(fault @ ServiceUriFault::NoActions { .. }) => {
                let what = format!("`{uri}`: {fault}");
                findings.add("/uri", what, Conduct::RefuseAll);
                return Ok(Unserved::new(self.api).into());
            }
            Err(fault) => return Err(ConfigError::new("/uri", fault.to_string())),
        };
        let Some(aws) = backends.aws.clone() else {
            let what = format!("AWS services, for which there are no credentials (`{uri}`)");
            findings.add("/uri", what, Conduct::RefuseAll);
            return Ok(Unserved::new(self.api).into());
        };
        if matches!(identity, CallAs::Caller) && !aws.knows_callers() {
            report_caller(findings);
        }
        let method = match verb {
            Some(verb) => Some(verb),
            None => self.method()?,
        };
        let mapping = self.mapping(parameters, findings)?;
        let (aws, uri) = ((aws, identity), (service, method));
        Ok(AwsService::compiled(settings, aws, uri, mapping).into())
    }

    /// `AWS_PROXY`: a function.
    pub(super) fn aws_proxy(
        &self,
        settings: Settings,
        parameters: &RequestParameters,
        backends: &Backends,
        findings: &mut Findings,
    ) -> Result<Integration, ConfigError> {
        let uri = self.uri()?;
        let Some(function) = FunctionUri::parse(uri) else {
            if uri.starts_with("arn:") {
                let what = format!("proxies to AWS services other than functions (`{uri}`)");
                findings.add("/uri", what, Conduct::RefuseAll);
                return Ok(Unserved::new(self.api).into());
            }
            return Err(ConfigError::new("/uri", format!("`{uri}` is not an ARN")));
        };
        self.report_function(&function, backends, findings);
        self.check_function_verb(findings)?;
        let format = match self.api {
            ApiKind::Rest => PayloadFormat::V1,
            ApiKind::Http => self.payload_format.unwrap_or(PayloadFormat::V1),
        };
        let proxy = FunctionProxy::compiled(
            settings.clone(),
            (
                backends.functions.clone(),
                function,
                CallAs::parse(self.credentials.as_deref()),
            ),
            (format, self.binary_media_types.clone()),
            parameters.forbidden().is_some(),
        );
        let proxy = if self.streams_response {
            proxy.with_response_stream()
        } else {
            proxy
        };
        self.proxy(proxy, settings, findings)
    }

    /// `AWS_PROXY` of an HTTP API with a subtype: an action of a service.
    pub(super) fn service(
        &self,
        subtype: &str,
        settings: Settings,
        backends: &Backends,
        findings: &mut Findings,
    ) -> Result<Integration, ConfigError> {
        const FIELD: &str = "/integrationSubtype";
        if self.api != ApiKind::Http || self.kind != IntegrationKind::AwsProxy {
            let fault = "belongs to integrations of type `AWS_PROXY` of an HTTP API";
            return Err(ConfigError::new(FIELD, fault));
        }
        if self.payload_format == Some(PayloadFormat::V2) {
            let fault = "must be 1.0, the only one that AWS services have here";
            return Err(ConfigError::new("/payloadFormatVersion", fault));
        }
        let action = ServiceAction::compile(subtype, &self.request_parameters)?;
        if self.uri.is_some() {
            let what = "a URI beside a subtype, which says what is called";
            findings.add("/uri", what, Conduct::Ignore);
        }
        let Some(aws) = backends.aws.clone() else {
            let what = format!("AWS services, for which there are no credentials (`{subtype}`)");
            findings.add(FIELD, what, Conduct::RefuseAll);
            return Ok(Unserved::new(self.api).into());
        };
        let identity = CallAs::parse(self.credentials.as_deref());
        if matches!(identity, CallAs::Caller) && !aws.knows_callers() {
            report_caller(findings);
        }
        let proxy = ServiceProxy::compiled(settings.clone(), (aws, identity), action);
        self.proxy(proxy, settings, findings)
    }

    /// Says so if it is known already that a function cannot be called.
    fn report_function(
        &self,
        function: &FunctionUri,
        backends: &Backends,
        findings: &mut Findings,
    ) {
        let functions = &backends.functions;
        let Some(target) = function.fixed() else {
            return;
        };
        let (name, qualifier) = (&*target.name, target.qualifier.as_deref());
        if !functions.contains(name, qualifier) {
            let what = match qualifier.filter(|_| functions.contains(name, None)) {
                Some(qualifier) => {
                    format!("the function `{name}`, which has no version or alias `{qualifier}`")
                }
                None => format!(
                    "the function `{name}`, which is not attached, and for AWS there are no credentials"
                ),
            };
            findings.add("/uri", what, Conduct::RefuseAll);
        } else if matches!(CallAs::parse(self.credentials.as_deref()), CallAs::Caller)
            && functions.is_elsewhere(name, qualifier)
            && !backends.aws.as_ref().is_some_and(Aws::knows_callers)
        {
            report_caller(findings);
        }
    }

    /// A function is called with POST: the service takes another verb and then answers each call 500.
    fn check_function_verb(&self, findings: &mut Findings) -> Result<(), ConfigError> {
        if let Some(method) = self.method()?
            && self.api == ApiKind::Rest
            && method != Method::POST
        {
            let what = format!("functions called with `{method}`: it must be `POST`");
            findings.add("/httpMethod", what, Conduct::RefuseAll);
        }
        Ok(())
    }
}

/// With credentials of ours a caller could do what it may not do with its own.
fn report_caller(findings: &mut Findings) {
    let what = "calls with the credentials of whoever signed the request";
    findings.add("/credentials", what, Conduct::RefuseAll);
}
