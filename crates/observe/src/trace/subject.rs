//! Whom a trace is told of: services, and what they call.

use std::sync::Arc;

/// A service that gets requests, as traces name it.
///
/// ```
/// use portcullis_observe::trace::Subject;
///
/// let stage = Subject::new("pets/prod")
///     .service_type("AWS::ApiGateway::Stage")
///     .resource_arn("arn:aws:apigateway:eu-west-1::/restapis/petstore/stages/prod");
/// # let _ = stage;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Subject {
    pub(crate) name: Arc<str>,
    pub(crate) service_type: Option<Arc<str>>,
    pub(crate) resource_arn: Option<Arc<str>>,
    pub(crate) begins: bool,
}

impl Subject {
    /// The service with this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            service_type: None,
            resource_arn: None,
            begins: true,
        }
    }

    /// What kind of service it is, as sampling rules and X-Ray name it: `AWS::ApiGateway::Stage`.
    pub fn service_type(mut self, kind: impl Into<Arc<str>>) -> Self {
        self.service_type = Some(kind.into());
        self
    }

    /// The ARN by which sampling rules and X-Ray know it.
    pub fn resource_arn(mut self, arn: impl Into<Arc<str>>) -> Self {
        self.resource_arn = Some(arn.into());
        self
    }

    /// Whether traces begin here. If not, only requests whose callers are traced are recorded: what the service calls passive tracing. They do unless set.
    pub const fn begins(mut self, begins: bool) -> Self {
        self.begins = begins;
        self
    }
}

/// What a service calls to answer a request: an integration of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Callee {
    pub(crate) name: Arc<str>,
    pub(crate) kind: &'static str,
    pub(crate) is_aws: bool,
    pub(crate) function: Option<Arc<str>>,
}

impl Callee {
    /// `name` is what X-Ray shows as a node of its map: `Lambda`, or a host. `kind` says how it is called: `HTTP_PROXY`.
    pub fn new(name: impl Into<Arc<str>>, kind: &'static str) -> Self {
        Self {
            name: name.into(),
            kind,
            is_aws: false,
            function: None,
        }
    }

    /// Says which function of Lambda it is.
    pub fn function(mut self, name: impl Into<Arc<str>>) -> Self {
        self.function = Some(name.into());
        self
    }

    /// Says that it is a service of AWS.
    pub const fn of_aws(mut self) -> Self {
        self.is_aws = true;
        self
    }
}
