//! What a gateway is built from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::Gateway;
use super::api::ApiSpec;
use super::caching::Caching;
use super::canary::KeptSplits;
use super::compile::{AuthorizerCaches, Issuers};
use super::control::Control;
use super::deployments::DEFAULT_KEPT;
use super::edge::Edge;
use super::error::GatewayError;
use super::limits::Limits;
use super::observe::ObserveSettings;
use super::state::{State, StateStore};
use super::upstreams::{Destination, Destinations};
use crate::auth::access::VpcEndpoint;
use crate::auth::api_key::KeyStore;
use crate::auth::credentials::CredentialStore;
use crate::auth::jwt::IssuerBuilder;
use crate::auth::mtls::ProxyHeader;
use crate::auth::sigv4::ReplayGuard;
use crate::cache::ResponseCache;
use crate::client::Client;
use crate::core::{
    Body, BoxError, Chain, Clock, Function, Guard, Mode, SystemClock, TrustedProxies,
};
use crate::definition::{DomainName, UsagePlan};
use crate::integrations::{CredentialsSource, FunctionAlias, Functions, FunctionsBuilder};
use crate::observe::trace::Traces;
use crate::observe::{AccessLog, Emf, ExecutionLog, LogSink, Metrics};
use crate::throttle::{Headers, Limit};

/// Builds a [`Gateway`]; [`Gateway::builder`] begins one.
#[derive(Clone)]
#[must_use]
pub struct GatewayBuilder {
    /// Absent until it is said, by the user or by an export.
    pub(super) region: Option<String>,
    pub(super) account_id: String,
    pub(super) apis: Vec<ApiSpec>,
    pub(super) domains: Vec<DomainName>,
    pub(super) functions: FunctionsBuilder,
    pub(super) upstreams: Destinations,
    pub(super) vpc_links: Destinations,
    pub(super) credentials: Option<CredentialsSource>,
    pub(super) assume_roles: bool,
    pub(super) aws_endpoint: Option<String>,
    pub(super) client: Option<Client>,
    /// The client that compiling made, kept for the next time.
    pub(super) made_client: Option<Client>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) trusted_proxies: TrustedProxies,
    pub(super) edge: Edge,
    pub(super) guards: Chain,
    pub(super) access_keys: Option<Arc<dyn CredentialStore>>,
    pub(super) vpc_endpoints: Vec<VpcEndpoint>,
    pub(super) honour_expires: bool,
    pub(super) replay_guard: Option<ReplayGuard>,
    pub(super) api_keys: Option<Arc<dyn KeyStore>>,
    pub(super) client_certificate_header: Option<ProxyHeader>,
    pub(super) usage_plans: Vec<UsagePlan>,
    pub(super) limits: Limits,
    pub(super) issuers: Issuers,
    pub(super) authorizer_caches: AuthorizerCaches,
    pub(super) observe: ObserveSettings,
    pub(super) canaries: KeptSplits,
    pub(super) kept_deployments: usize,
    pub(super) state: State,
    pub(super) caching: Caching,
    pub(super) traces: Option<Traces>,
    pub(super) trace_every_stage: bool,
    pub(super) strict: bool,
    pub(super) skip_auth: bool,
    /// What a configuration says that is not served, by JSON pointer.
    pub(super) remarks: Vec<(String, String)>,
    /// Where a configuration lets its listener listen.
    pub(super) listen: Option<Vec<String>>,
}

impl GatewayBuilder {
    pub(super) fn new() -> Self {
        Self {
            region: None,
            account_id: "000000000000".to_owned(),
            apis: Vec::new(),
            domains: Vec::new(),
            functions: Functions::builder(),
            upstreams: Destinations::default(),
            vpc_links: Destinations::default(),
            credentials: None,
            assume_roles: false,
            aws_endpoint: None,
            client: None,
            made_client: None,
            clock: Arc::new(SystemClock::new()),
            trusted_proxies: TrustedProxies::default(),
            edge: Edge::default(),
            guards: Chain::new(),
            access_keys: None,
            vpc_endpoints: Vec::new(),
            honour_expires: false,
            replay_guard: None,
            api_keys: None,
            client_certificate_header: None,
            usage_plans: Vec::new(),
            limits: Limits::default(),
            issuers: Issuers::default(),
            authorizer_caches: AuthorizerCaches::default(),
            observe: ObserveSettings::default(),
            canaries: KeptSplits::default(),
            kept_deployments: DEFAULT_KEPT,
            state: State::default(),
            caching: Caching::default(),
            traces: None,
            trace_every_stage: false,
            strict: false,
            skip_auth: false,
            remarks: Vec::new(),
            listen: None,
        }
    }

    /// Adds one API from an exported document: the stage that it names, which requests may leave out.
    pub fn export(self, document: impl Into<String>) -> Self {
        self.api(ApiSpec::export(document))
    }

    /// Adds an API. Ids must differ.
    pub fn api(mut self, api: ApiSpec) -> Self {
        self.apis.push(api);
        self
    }

    /// The region that ARNs and host names say. By default that of an export's address, and else `us-east-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The account that ARNs and `$context.accountId` say. By default `000000000000`.
    pub fn account_id(mut self, account_id: impl Into<String>) -> Self {
        self.account_id = account_id.into();
        self
    }

    /// Adds a custom domain with its mappings.
    pub fn domain(mut self, domain: DomainName) -> Self {
        self.domains.push(domain);
        self
    }

    /// Attaches a Rust handler as the function with this name: it gets the HTTP request itself. An export that
    /// names the function in an integration URI runs unchanged.
    pub fn service<S, B>(mut self, name: impl Into<String>, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.functions = self.functions.service(name, service);
        self
    }

    /// Attaches a function of events to the name that integration URIs give: it gets the JSON event of the service, and
    /// its JSON reply is read as the service reads it.
    pub fn function(mut self, name: impl Into<String>, function: impl Function) -> Self {
        self.functions = self.functions.function(name, function);
        self
    }

    /// Attaches a closure from an event to a reply, of any types that serde knows: those of `aws_lambda_events`, say. An error becomes the
    /// function's failure, with its text as `errorMessage`.
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use serde_json::{Value, json};
    ///
    /// let builder = Gateway::builder().handler("create-pet", async |event: Value| {
    ///     let body = event["body"].as_str().ok_or("there is no body")?;
    ///     Ok::<_, &str>(json!({"statusCode": 201, "body": body}))
    /// });
    /// ```
    pub fn handler<T, R, E, F, Fut>(mut self, name: impl Into<String>, handler: F) -> Self
    where
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        T: DeserializeOwned + 'static,
        R: Serialize + 'static,
        E: fmt::Display + 'static,
    {
        self.functions = self.functions.handler(name, handler);
        self
    }

    /// Attaches a tower service of events, as [`handler`](Self::handler) does a closure: what the functions of `lambda_http` are.
    pub fn event_service<T, S>(mut self, name: impl Into<String>, service: S) -> Self
    where
        S: Service<T> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Response: Serialize,
        S::Error: fmt::Display,
        T: DeserializeOwned + Send + 'static,
    {
        self.functions = self.functions.event_service(name, service);
        self
    }

    /// Gives versions of a function another name: `pets:prod`. Versions are attached like functions, under `pets:1`.
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use portcullis::core::{FunctionReply, Invocation};
    /// use portcullis::integrations::FunctionAlias;
    ///
    /// async fn pets(_call: Invocation) -> Result<FunctionReply, portcullis::core::FunctionError> {
    ///     Ok(FunctionReply::success(r#"{"statusCode": 200}"#))
    /// }
    /// let builder = Gateway::builder()
    ///     .function("pets:1", pets)
    ///     .function("pets:2", pets)
    ///     .function_alias("pets:prod", FunctionAlias::new("1").additional_version_weight("2", 0.1));
    /// ```
    pub fn function_alias(mut self, name: impl Into<String>, alias: FunctionAlias) -> Self {
        self.functions = self.functions.alias(name, alias);
        self
    }

    /// Reaches the function with this name in AWS Lambda: its ARN, or its name in the gateway's region. It needs
    /// [`credentials`](Self::credentials).
    pub fn function_lambda(mut self, name: impl Into<String>, arn: impl Into<String>) -> Self {
        self.functions = self.functions.lambda(name, arn);
        self
    }

    /// Calls AWS with these credentials: the services that integrations name, and the functions that are not attached to this gateway.
    /// Without credentials neither is called, and such requests are answered 500.
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use portcullis::integrations::{Credentials, CredentialsSource};
    ///
    /// let builder = Gateway::builder().credentials(CredentialsSource::profile("staging"));
    /// let builder = Gateway::builder().credentials(Credentials::new("AKIDEXAMPLE", "secret"));
    /// ```
    pub fn credentials(mut self, credentials: impl Into<CredentialsSource>) -> Self {
        self.credentials = Some(credentials.into());
        self
    }

    /// Whether the role that an integration names (`credentials`) is assumed for its calls. By default it is not, and the credentials of
    /// the gateway sign every call.
    pub fn assume_roles(mut self, assume: bool) -> Self {
        self.assume_roles = assume;
        self
    }

    /// Calls every AWS service at this origin, an emulator's say, instead of Amazon's. For one service alone there is
    /// [`upstream`](Self::upstream).
    pub fn aws_endpoint(mut self, origin: impl Into<String>) -> Self {
        self.aws_endpoint = Some(origin.into());
        self
    }

    /// Reaches the function with this name at an endpoint that speaks the Lambda Invoke API.
    pub fn function_url(mut self, name: impl Into<String>, url: impl Into<String>) -> Self {
        self.functions = self.functions.url(name, url);
        self
    }

    /// Answers every call of the function with this name with the same JSON.
    pub fn function_mock(
        mut self,
        name: impl Into<String>,
        reply: impl Into<serde_json::Value>,
    ) -> Self {
        self.functions = self.functions.mock(name, reply);
        self
    }

    /// Sends what is meant for `from` (`https://api.example.com`) to `to` instead: another origin, or a pool of several. The
    /// upstream still reads the `Host` of `from`.
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use portcullis::client::UpstreamPool;
    ///
    /// let pets = UpstreamPool::builder().targets(["http://10.0.0.1:9000", "http://10.0.0.2:9000"]).build()?;
    /// let builder = Gateway::builder()
    ///     .upstream("https://pets.example.com", pets)
    ///     .upstream("https://orders.example.com", "http://127.0.0.1:9000");
    /// # Ok::<(), portcullis::client::UpstreamPoolError>(())
    /// ```
    pub fn upstream(mut self, from: impl Into<String>, to: impl Into<Destination>) -> Self {
        self.upstreams.push(from.into(), to.into());
        self
    }

    /// Leads a VPC link to an origin or to a pool. `link` is its id (`connectionId`), or the ARN of what is behind it, which counts first:
    /// one link leads to many. If an [`upstream`](Self::upstream) stands for the origin, that is where it leads.
    ///
    /// The address of an integration in a REST API still says `Host` and path. In an HTTP API, which names a listener, the
    /// request keeps its own, with the stage in the path.
    ///
    /// ```
    /// let builder = portcullis::Gateway::builder().vpc_link("abc123", "http://10.0.0.1:9000");
    /// ```
    pub fn vpc_link(mut self, link: impl Into<String>, to: impl Into<Destination>) -> Self {
        self.vpc_links.push(link.into(), to.into());
        self
    }

    /// Sends outbound requests through this client. Its own upstream overrides count where the gateway has none. By default the gateway makes one,
    /// and keeps it and its connections across deployments.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Takes the time from here.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Believes these proxies about who the client is.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// Knows this content network in front of edge-optimised APIs: where [trusted proxies](Self::trusted_proxies) pass requests on to them, its headers say who the
    /// viewer is. From anybody else such headers are taken away. (Other APIs see them as they were sent.)
    pub fn edge(mut self, edge: Edge) -> Self {
        self.edge = edge;
        self
    }

    /// Takes the certificates of clients from this header, where the connection came from one of the [trusted proxies](Self::trusted_proxies). Domains
    /// with `mutualTlsAuthentication` check them against their truststores. By default certificates are those that clients showed to the listener.
    pub fn client_certificate_header(mut self, header: ProxyHeader) -> Self {
        self.client_certificate_header = Some(header);
        self
    }

    /// Knows by this store whose access keys sign requests: methods with `AWS_IAM` are open to those whom its policies and the API's allow.
    /// Without one they refuse every request.
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use portcullis::auth::credentials::{Caller, Credential, MemoryCredentials};
    /// use portcullis::auth::iam::{CallerPolicies, IdentityPolicy, Principal};
    ///
    /// let all = IdentityPolicy::parse(r#"{"Version": "2012-10-17", "Statement": {
    ///     "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"
    /// }}"#)?;
    /// let tom = Caller::new(Principal::from_arn("arn:aws:iam::000000000000:user/tom")?)
    ///     .with_policies(CallerPolicies::new().with_identity(all));
    /// let keys = MemoryCredentials::new([Credential::new("AKIDEXAMPLE", "secret", tom)]);
    /// let builder = Gateway::builder().access_keys(keys);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn access_keys(mut self, store: impl CredentialStore) -> Self {
        self.access_keys = Some(Arc::new(store));
        self
    }

    /// Knows API keys by this store: methods that need one are open to whoever sends one that is in a [usage plan](Self::usage_plan) with the
    /// stage. Without a store they refuse every request.
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use portcullis::auth::api_key::{ApiKey, MemoryKeys};
    /// use portcullis::definition::UsagePlan;
    ///
    /// let keys = MemoryKeys::new([ApiKey::new("acme", "0123456789abcdefghij")]);
    /// let gold: UsagePlan = serde_json::from_str(r#"{
    ///     "id": "gold",
    ///     "apiStages": [{"apiId": "petstore", "stage": "prod"}],
    ///     "keys": ["acme"]
    /// }"#)?;
    /// let builder = Gateway::builder().api_keys(keys).usage_plan(gold);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn api_keys(mut self, store: impl KeyStore) -> Self {
        self.api_keys = Some(Arc::new(store));
        self
    }

    /// Adds a usage plan, as `get-usage-plan` gives it, with the ids of its keys: the stages that it opens for them, and the rate and the quota that each
    /// of them has. What they have used survives deployments and reloads; [`Gateway::usage_plans`] reads it.
    pub fn usage_plan(mut self, plan: UsagePlan) -> Self {
        self.usage_plans.push(plan);
        self
    }

    /// Keeps used quotas in this file, so that they outlive a restart.
    pub fn quota_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.limits.quota_file = Some(path.into());
        self
    }

    /// Limits all requests to all APIs together, as the account's limit does in the service (10,000 a second with a burst of 5,000, unless it was raised). By default
    /// there is no such limit.
    pub fn account_limit(mut self, limit: Limit) -> Self {
        self.limits.account = Some(limit);
        self
    }

    /// Counts the rates of plans, stages, routes and the account in buckets that several gateways share, and the quotas of plans beside them.
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use portcullis::redis::Redis;
    /// use portcullis::throttle::{SharedBuckets, WhenAway};
    ///
    /// let redis = Redis::builder("redis://127.0.0.1:6379").build()?;
    /// let shared = SharedBuckets::new(redis, WhenAway::Local { share: 0.5 })?;
    /// let builder = Gateway::builder().shared_limits(shared);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "redis")]
    pub fn shared_limits(mut self, shared: crate::throttle::SharedBuckets) -> Self {
        self.limits.shared = Some(shared);
        self
    }

    /// Whether limits and quotas refuse requests ([`Mode::Enforce`], the default), or only write down and log what they would refuse ([`Mode::Observe`]).
    pub const fn limit_mode(mut self, mode: Mode) -> Self {
        self.limits.mode = mode;
        self
    }

    /// Tells clients how they stand with their limits. By default they are told nothing, as by the service.
    pub fn limit_headers(mut self, headers: Headers) -> Self {
        self.limits.headers = headers;
        self
    }

    /// Records metrics of every request, by API, stage, method, resource and canary. Methods have metrics of their own under the service's names where the definition says
    /// so: `metricsEnabled` in `methodSettings`, or `detailedMetricsEnabled` in the settings of routes.
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use portcullis::observe::Metrics;
    ///
    /// let builder = Gateway::builder().metrics(Metrics::new());
    /// ```
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.observe.metrics = Some(metrics);
        self
    }

    /// Writes the same metrics as lines for CloudWatch.
    pub fn emf(mut self, emf: Emf) -> Self {
        self.observe.emf = Some(emf);
        self
    }

    /// Writes a line for every request, also for those that no stage serves. Stages have logs of their own by their `accessLogSettings`.
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.observe.log = Some(log);
        self
    }

    /// Sends the access logs of stages whose `destinationArn` is this one here. The lines of requests to a canary go to what is said for the ARN with `/Canary` behind
    /// it, too, as in the service.
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use portcullis::observe::LogSink;
    ///
    /// let pets = "arn:aws:logs:us-east-1:000000000000:log-group:pets";
    /// let builder = Gateway::builder()
    ///     .log_destination(pets, LogSink::stderr())
    ///     .other_log_destinations(LogSink::stdout());
    /// ```
    pub fn log_destination(mut self, arn: impl Into<String>, sink: LogSink) -> Self {
        self.observe.destinations.insert(arn.into(), sink);
        self
    }

    /// Sends the access logs of all other stages here. By default they are not written, and the coverage report says so.
    pub fn other_log_destinations(mut self, sink: LogSink) -> Self {
        self.observe.other_destinations = Some(sink);
        self
    }

    /// Writes execution logs here, of the methods of REST APIs whose `methodSettings` have a `loggingLevel`, with requests and responses where `dataTraceEnabled` is set.
    pub fn execution_log(mut self, log: ExecutionLog) -> Self {
        self.observe.execution = Some(log);
        self
    }

    /// Adds a VPC endpoint, which here is a network: private APIs are reached through one, and policies can ask which.
    pub fn vpc_endpoint(mut self, endpoint: VpcEndpoint) -> Self {
        self.vpc_endpoints.push(endpoint);
        self
    }

    /// Whether presigned URLs live for as long as their `X-Amz-Expires` says, a week at most. By default they live for five minutes,
    /// as in the service.
    pub fn honour_expires(mut self, honour: bool) -> Self {
        self.honour_expires = honour;
        self
    }

    /// Lets each signature pass once, whichever API it is for: off unless set. What it remembers survives deployments.
    ///
    /// A client that sends the same request twice within a second signs it the same, so this is for callers that put something into each that differs.
    pub fn replay_guard(mut self, guard: ReplayGuard) -> Self {
        self.replay_guard = Some(guard);
        self
    }

    /// Takes this issuer wherever a definition names `name`: the issuer of a JWT authorizer, or the ARN or the issuer of a user pool. It is
    /// how an export runs with an issuer on this machine, or with keys that are given. Audiences, claims and, unless this issuer says which,
    /// algorithms stay those of the definition.
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use portcullis::auth::jwt::Issuer;
    ///
    /// let builder = Gateway::builder()
    ///     // It calls itself by the name in the definition …
    ///     .upstream("https://id.example.com", "http://localhost:9000")
    ///     // … or by its own.
    ///     .issuer("https://login.example.com/", Issuer::discover("http://localhost:9001")?);
    /// # Ok::<(), portcullis::auth::ConfigError>(())
    /// ```
    pub fn issuer(mut self, name: impl Into<String>, issuer: IssuerBuilder) -> Self {
        self.issuers.insert(name.into(), issuer);
        self
    }

    /// Keeps the responses of methods that are cached here, instead of in a cache of the gateway's own. By default, they are in the memory of this
    /// process.
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use portcullis::cache::ResponseCache;
    ///
    /// let cache = ResponseCache::in_memory(1 << 30);
    /// let builder = Gateway::builder().response_cache(cache.clone());
    /// ```
    pub fn response_cache(mut self, cache: ResponseCache) -> Self {
        self.caching.own = Some(cache);
        self
    }

    /// How many bytes the gateway's own cache of responses may hold, for all stages together. Default: 256 MiB.
    pub const fn cache_max_bytes(mut self, bytes: u64) -> Self {
        self.caching.max_bytes = bytes;
        self
    }

    /// Asks a guard of your own about every request that has a route, after the gateway's own guards.
    pub fn guard(mut self, guard: impl Guard) -> Self {
        self.guards = self.guards.with(guard);
        self
    }

    /// Keeps what operators do in this file, so that it outlives a restart: which deployment each stage serves, and its variables. The folder must be
    /// there; documents go into one beside the file ([`FileStore`](super::FileStore)).
    ///
    /// After a restart the state goes before the source. Where the source says something else than it did (another definition, another deployment for a
    /// stage), the source goes before the state: a changed definition is a new deployment.
    pub fn state_file(mut self, path: impl AsRef<Path>) -> Self {
        let reset = self.state.reset;
        self.state = State::file(path.as_ref());
        self.state.reset = reset;
        self
    }

    /// Keeps what operators do in this store, as [`state_file`](Self::state_file) does in a file.
    pub fn state_store(mut self, store: impl StateStore) -> Self {
        self.state.store = Some(Arc::new(store));
        self.state.file = None;
        self
    }

    /// Whether the gateway begins as if nothing had been kept, and forgets what was. Off by default.
    pub fn reset_state(mut self, reset: bool) -> Self {
        self.state.reset = reset;
        self
    }

    /// Keeps so many deployments of each API, to be rolled back to: 20 by default. Those that a stage serves are kept besides, whatever their number.
    pub fn kept_deployments(mut self, deployments: usize) -> Self {
        self.kept_deployments = deployments;
        self
    }

    /// Follows traces through every stage. They begin in stages whose `tracingEnabled` says so; in the others only requests are recorded whose callers are traced.
    /// By default nobody follows them: `X-Amzn-Trace-Id` is passed on as by a stage that is not traced, and `traceparent` as it is.
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use portcullis::observe::trace::{SamplingRules, Traces};
    ///
    /// // Each stage goes by its own name: that of its API, a slash, and its own.
    /// let traces = Traces::builder("gateway").sampling(SamplingRules::standard()).build();
    /// let builder = Gateway::builder().traces(traces).trace_every_stage(true);
    /// ```
    pub fn traces(mut self, traces: Traces) -> Self {
        self.traces = Some(traces);
        self
    }

    /// Begins traces in every stage, whatever its `tracingEnabled` says: HTTP APIs have no such setting. Default: no.
    pub fn trace_every_stage(mut self, begin: bool) -> Self {
        self.trace_every_stage = begin;
        self
    }

    /// Makes it an error if a field of any definition is not served yet.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Serves methods that need an authorizer, a signature, an API key or a resource policy **to everyone**, and asks for none of them. Without it, a
    /// method whose keys, functions or issuers this gateway does not have refuses every request. For a laptop only.
    pub fn dangerously_skip_auth(mut self, skip: bool) -> Self {
        self.skip_auth = skip;
        self
    }

    /// Adds lines to the coverage report.
    pub(super) fn remarks(mut self, remarks: Vec<(String, String)>) -> Self {
        self.remarks = remarks;
        self
    }

    /// Compiles all of it.
    ///
    /// # Errors
    ///
    /// Every fault of every definition and setting.
    pub fn build(self) -> Result<Gateway, GatewayError> {
        Control::begin(self)
    }

    /// Keeps what the authorizers of the gateway that this one takes the place of have said, and the canaries with their ramps.
    pub(super) fn take_answers_from(&mut self, before: &Self) {
        self.authorizer_caches = before.authorizer_caches.clone();
        self.canaries = before.canaries.clone();
    }

    /// What a reload of a configuration that names another place to listen has to say.
    pub(super) fn moved_from(&self, before: &Self) -> Option<String> {
        let (own, before) = (self.listen.as_ref()?, before.listen.as_ref()?);
        (own != before).then(|| {
            format!(
                "`listen` has changed to `{}`: the listener stays at `{}` until the next start",
                own.join(", "),
                before.join(", ")
            )
        })
    }

    /// A guard that is configured anew remembers what the one before it knew.
    pub(super) fn take_replays_from(&mut self, before: &Self) {
        if let (Some(own), Some(before)) = (&mut self.replay_guard, &before.replay_guard) {
            before.set_capacity(own.capacity());
            *own = before.clone();
        }
    }

    /// Keeps the connections and the issuers' keys of the gateway that this one takes the place of, if it would make a client just like it, and its pools.
    pub(super) fn take_client_from(&mut self, other: &Self) {
        self.vpc_links.take_pools_from(&other.vpc_links);
        self.upstreams.take_pools_from(&other.upstreams);
        if self.upstreams.is_same(&other.upstreams) {
            self.made_client.clone_from(&other.made_client);
            self.issuers.take_from(&other.issuers);
        }
    }
}

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBuilder")
            .field("region", &self.region)
            .field("apis", &self.apis.len())
            .field("domains", &self.domains.len())
            .field("functions", &self.functions)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::gateway::GatewayBuilder;

    #[test]
    fn another_place_to_listen_is_told_and_nothing_else_is() {
        let at = |places: &[&str]| {
            let mut builder = GatewayBuilder::new();
            builder.listen = Some(places.iter().map(|own| (*own).to_owned()).collect());
            builder
        };
        let (one, two) = (at(&["[::1]:1"]), at(&["[::1]:1", "[::1]:2"]));
        assert_eq!(one.moved_from(&one), None);
        assert_eq!(one.moved_from(&GatewayBuilder::new()), None);
        assert_eq!(
            two.moved_from(&one).as_deref(),
            Some(
                "`listen` has changed to `[::1]:1, [::1]:2`: the listener stays at `[::1]:1` until the next start"
            )
        );
    }
}
