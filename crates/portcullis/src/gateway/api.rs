//! An API as it is handed to the builder.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::canary::CanaryRules;
use crate::auth::caller_headers::CallerHeadersLayer;
use crate::cache::http::HttpCacheRulesBuilder;
use crate::core::{ApiKind, Chain, Guard};
use crate::cors::CorsRules;
use crate::definition::{EndpointType, Stage};
use crate::openapi::BasePath;
use crate::stages::Deprecation;

/// An API with its stages: a document, and how it is to be served.
///
/// ```
/// use portcullis::{ApiSpec, Gateway, UnknownRoute};
/// use portcullis::definition::Stage;
///
/// # let document = r#"{"openapi":"3.0.1","info":{"title":"pets","version":"1"},"paths":{}}"#;
/// let gateway = Gateway::builder()
///     .api(
///         ApiSpec::rest(document)
///             .id("petstore")
///             .stage_named("prod")
///             .unknown_route(UnknownRoute::NotFound),
///     )
///     .build()?;
/// # Ok::<(), portcullis::GatewayError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ApiSpec {
    pub(super) kind: ApiKind,
    /// Id and stage come from the addresses in the document.
    pub(super) exported: bool,
    pub(super) id: String,
    pub(super) document: String,
    pub(super) deployments: BTreeMap<String, String>,
    pub(super) stages: Vec<Stage>,
    pub(super) endpoint_type: Option<EndpointType>,
    pub(super) base_path: BasePath,
    pub(super) cors: Option<CorsRules>,
    pub(super) http_cache: Option<HttpCacheRulesBuilder>,
    pub(super) unknown_route: UnknownRoute,
    /// By route, as its key names it.
    pub(super) guards: Vec<(String, Chain)>,
    pub(super) caller_headers: Option<CallerHeadersLayer>,
    pub(super) method_override: bool,
    pub(super) web_sockets: Option<bool>,
    pub(super) max_body_bytes: u64,
    pub(super) max_document_bytes: Option<usize>,
    pub(super) stage_optional: bool,
    /// By stage.
    pub(super) deprecations: BTreeMap<String, Deprecation>,
    pub(super) strict: bool,
    pub(super) parity: Parity,
    /// By stage.
    pub(super) canaries: BTreeMap<String, Arc<CanaryRules>>,
}

/// What a client gets for a path or method that the API does not have.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum UnknownRoute {
    /// What the service sends: 403 `Missing Authentication Token` in a REST API, 404 in an HTTP API.
    #[default]
    AsService,
    /// 404 for an unknown path, 405 with `Allow` for an unknown method.
    NotFound,
}

/// How the hazards of the managed service are treated; `docs/deviations.md` lists them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Parity {
    /// The safe way.
    #[default]
    Safe,
    /// As the service does, hazards and all.
    Strict,
}

/// 10 MiB, the service's limit.
pub(super) const MAX_BODY_BYTES: u64 = 10 * 1024 * 1024;

impl ApiSpec {
    fn new(kind: ApiKind, document: String) -> Self {
        Self {
            kind,
            exported: false,
            id: "api".to_owned(),
            document,
            deployments: BTreeMap::new(),
            stages: Vec::new(),
            endpoint_type: None,
            base_path: BasePath::default(),
            cors: None,
            http_cache: None,
            unknown_route: UnknownRoute::default(),
            guards: Vec::new(),
            caller_headers: None,
            method_override: false,
            web_sockets: None,
            max_body_bytes: MAX_BODY_BYTES,
            max_document_bytes: None,
            stage_optional: false,
            deprecations: BTreeMap::new(),
            strict: false,
            parity: Parity::default(),
            canaries: BTreeMap::new(),
        }
    }

    /// A REST API from an OpenAPI or Swagger document, in JSON or YAML.
    pub fn rest(document: impl Into<String>) -> Self {
        Self::new(ApiKind::Rest, document.into())
    }

    /// An HTTP API from an OpenAPI 3 document, in JSON or YAML.
    pub fn http(document: impl Into<String>) -> Self {
        Self::new(ApiKind::Http, document.into())
    }

    /// An API from an export: its id and stage are those in the export's address (`host` and `basePath`, or
    /// `servers`), where it has one, and requests may leave the stage out of their path. It is a REST API, unless the export says
    /// `x-amazon-apigateway-importexport-version`, as those of HTTP APIs do.
    pub fn export(document: impl Into<String>) -> Self {
        Self {
            exported: true,
            stage_optional: true,
            ..Self::new(ApiKind::Rest, document.into())
        }
    }

    /// The API's id: the first label of its host name. By default `api`.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Adds a stage, as `get-stage` gives it. Without any there is one: `default` in a REST API, `$default` in
    /// an HTTP API.
    pub fn stage(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self
    }

    /// Adds a stage of this name, with nothing set.
    pub fn stage_named(self, name: impl Into<String>) -> Self {
        let mut stage = Stage::default();
        stage.stage_name = name.into();
        self.stage(stage)
    }

    /// Adds a document that stages with this `deploymentId` serve instead of the API's own.
    pub fn deployment(mut self, id: impl Into<String>, document: impl Into<String>) -> Self {
        self.deployments.insert(id.into(), document.into());
        self
    }

    /// Says who gets the canary of a stage, where `canarySettings` give it one, and how its share rises.
    pub fn canary(mut self, stage: impl Into<String>, rules: CanaryRules) -> Self {
        self.canaries.insert(stage.into(), Arc::new(rules));
        self
    }

    /// The endpoint type, which a document does not say. By default the service's: `EDGE` for REST APIs,
    /// `REGIONAL` for HTTP APIs.
    pub fn endpoint_type(mut self, endpoint_type: EndpointType) -> Self {
        self.endpoint_type = Some(endpoint_type);
        self
    }

    /// What becomes of the base path in the document; by default it is ignored, as in the service.
    pub fn base_path(mut self, base_path: BasePath) -> Self {
        self.base_path = base_path;
        self
    }

    /// Puts the standard CORS layer outside the API: for REST APIs that have no CORS of their own.
    /// (An HTTP API takes its rules from its document.)
    pub fn cors(mut self, rules: CorsRules) -> Self {
        self.cors = Some(rules);
        self
    }

    /// Serves responses of an HTTP API from the gateway's cache for as long as they themselves say, by RFC 9111. The service has no cache for HTTP APIs, and by
    /// default there is none. Each stage has its own [scope](HttpCacheRulesBuilder::scope), which is flushed with it.
    ///
    /// ```
    /// use portcullis::ApiSpec;
    /// use portcullis::cache::http::HttpCacheRules;
    ///
    /// # let document = "";
    /// let api = ApiSpec::http(document).http_cache(HttpCacheRules::builder());
    /// ```
    pub fn http_cache(mut self, rules: HttpCacheRulesBuilder) -> Self {
        self.http_cache = Some(rules);
        self
    }

    /// What a client gets for a path or method that the API does not have.
    pub fn unknown_route(mut self, conduct: UnknownRoute) -> Self {
        self.unknown_route = conduct;
        self
    }

    /// Asks a guard of your own about the requests to one route, after what the definition asks for: `GET /pets/{id}`, `ANY /{proxy+}`, `$default`.
    /// Several for one route are asked in order. That there is no such route is an error, so that a slip of the pen opens no door.
    ///
    /// ```
    /// use portcullis::ApiSpec;
    /// use portcullis::auth::combine::AnyOf;
    /// use portcullis::auth::jwt::{Issuer, JwtLayer};
    ///
    /// # let document = r#"{"openapi":"3.0.1","info":{"title":"pets","version":"1"},"paths":{}}"#;
    /// let tokens = JwtLayer::new(Issuer::discover("https://id.example.com")?.audience("pets"));
    /// let api = ApiSpec::rest(document)
    ///     .guard("GET /pets", AnyOf::new(tokens.clone()).or_anonymous())
    ///     .guard("POST /pets", tokens.require_scopes(["pets:write"]));
    /// # let _ = api;
    /// # Ok::<(), portcullis::auth::ConfigError>(())
    /// ```
    pub fn guard(mut self, route: impl Into<String>, guard: impl Guard) -> Self {
        self.guards.push((route.into(), Chain::new().with(guard)));
        self
    }

    /// Tells what stands behind every method who calls: headers that no client can forge, put in once the guards are through.
    ///
    /// ```
    /// use portcullis::ApiSpec;
    /// use portcullis::auth::caller_headers::CallerHeadersLayer;
    ///
    /// # let document = r#"{"openapi":"3.0.1","info":{"title":"pets","version":"1"},"paths":{}}"#;
    /// let headers = CallerHeadersLayer::new()
    ///     .claim("x-user-id", "sub")?
    ///     .variable("x-user-tier", "authorizer.tier")?;
    /// let api = ApiSpec::rest(document).caller_headers(headers);
    /// # let _ = api;
    /// # Ok::<(), portcullis::auth::ConfigError>(())
    /// ```
    pub fn caller_headers(mut self, headers: CallerHeadersLayer) -> Self {
        self.caller_headers = Some(headers);
        self
    }

    /// The guards of a route.
    pub(super) fn guards_of(&self, route: &str) -> impl Iterator<Item = &Chain> {
        let own = self.guards.iter().filter(move |(key, _)| key == route);
        own.map(|(_, chain)| chain)
    }

    /// Serves a request that has the header `X-HTTP-Method-Override` as one with that method, as the service does for REST APIs. The header
    /// goes no further. Off by default: a rule that somebody in front has for one method would be passed by with another.
    pub fn method_override(mut self, enabled: bool) -> Self {
        self.method_override = enabled;
        self
    }

    /// Whether requests for a WebSocket pass through `HTTP_PROXY` integrations, to endpoints that know them. They do by default, and not
    /// under [`Parity::Strict`]: the service drops `Upgrade`. The integration's timeout and the caps on bodies do not count for what passes
    /// then.
    pub fn web_sockets(mut self, pass: bool) -> Self {
        self.web_sockets = Some(pass);
        self
    }

    pub(super) fn passes_web_sockets(&self) -> bool {
        self.web_sockets.unwrap_or(self.parity != Parity::Strict)
    }

    /// The largest request body, in bytes: 10 MiB by default. A larger one is answered 413. Responses may always have 10 MiB,
    /// or as much as requests, if that is more.
    pub fn max_body_bytes(mut self, bytes: u64) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// The largest document, in bytes: 6 MiB by default, as in the service.
    pub fn max_document_bytes(mut self, bytes: usize) -> Self {
        self.max_document_bytes = Some(bytes);
        self
    }

    /// Lets requests leave the stage's name out of the path. They go to the first stage, if their first
    /// segment names none. Off by default.
    pub fn stage_optional(mut self, optional: bool) -> Self {
        self.stage_optional = optional;
        self
    }

    /// Tells clients with every response of a stage that it goes away. That there is no such stage is an error.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use portcullis::ApiSpec;
    /// use portcullis::stages::Deprecation;
    ///
    /// # let document = r#"{"openapi":"3.0.1","info":{"title":"pets","version":"1"},"paths":{}}"#;
    /// let sunset = SystemTime::UNIX_EPOCH + Duration::from_secs(1_798_761_599);
    /// let deprecation = Deprecation::builder().sunset(sunset).successor("/v2").build()?;
    /// let api = ApiSpec::rest(document)
    ///     .stage_named("v1")
    ///     .stage_named("v2")
    ///     .deprecation("v1", deprecation);
    /// # let _ = api;
    /// # Ok::<(), portcullis::stages::ConfigError>(())
    /// ```
    pub fn deprecation(mut self, stage: impl Into<String>, deprecation: Deprecation) -> Self {
        self.deprecations.insert(stage.into(), deprecation);
        self
    }

    /// Makes it an error if a field of the definition is not served yet.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// How the hazards of the managed service are treated.
    pub fn parity(mut self, parity: Parity) -> Self {
        self.parity = parity;
        self
    }
}
