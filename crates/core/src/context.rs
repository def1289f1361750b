//! The facts of one request, which every layer can add to and read.

mod answers;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};
use serde_json::{Map, Value};
use tracing::Span;

use crate::cache_status::CacheStatus;
use crate::call_record::CallRecord;
use crate::claims::Claims;
use crate::client_address::Connection;
use crate::client_certificate::ClientCertificate;
use crate::clock::{Clock, SystemClock};
use crate::identity::{CallerKey, Identity};
use crate::limit_standing::LimitStanding;
use crate::rejection::{ApiKind, Rejection};
use crate::release::Release;
use crate::request_id::{ExtendedRequestId, REQUEST_ID, RequestId};
use crate::route::MatchedRoute;
use crate::trace::{TRACE_ID, Trace};
use crate::variable::{Detail, Measure};

/// The facts of one request: what templates and log lines read as `$context`.
///
/// The outermost layer makes it and keeps a clone; it travels in the request's extensions, and is
/// the only extension of this workspace that a request carries. It is a handle: clones see the same
/// facts, also after the request itself is gone. What has one writer is set once, numbers are atomics, and
/// the rest is behind one lock that is held for moments only.
///
/// ```
/// use http::Request;
/// use portcullis_core::{Measure, RequestContext};
///
/// let mut request = Request::get("/prod/pets").header("host", "api.example.com").body(())?;
/// let context = RequestContext::of(&mut request).clone();
/// context.measure(Measure::Status, 200);
/// assert_eq!(context.get("domainName"), Some("api.example.com".into()));
/// assert_eq!(context.get("status"), Some(200.into()));
/// assert_eq!(context.get("stage"), None);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone)]
pub struct RequestContext {
    inner: Arc<Inner>,
}

struct Inner {
    started: Instant,
    wall: SystemTime,
    request_id: RequestId,
    extended_request_id: ExtendedRequestId,
    method: Method,
    /// Rare, so it takes little room.
    overriding: OnceLock<Box<Method>>,
    uri: Uri,
    version: Version,
    host: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    connection: OnceLock<Arc<Connection>>,
    client: OnceLock<IpAddr>,
    /// Where a proxy passed it on; else it is in the connection.
    client_certificate: OnceLock<Arc<ClientCertificate>>,
    stage: OnceLock<Arc<ApiStage>>,
    route: OnceLock<MatchedRoute>,
    trace: OnceLock<Trace>,
    /// The id of the span that calls go out from; 0 if nobody follows the trace.
    span: AtomicU64,
    measures: [AtomicI64; Measure::COUNT],
    /// 0 until a cache says something.
    cache: AtomicU8,
    /// Apart from the rest, so that an authorizer that finds a token in its cache allocates nothing.
    claims: Mutex<Option<Claims>>,
    /// Apart from the rest for the same reason.
    api_key: OnceLock<CallerKey>,
    /// Apart from the rest, so that a split of traffic allocates nothing.
    release: OnceLock<Release>,
    /// Absent until somebody writes: of most requests nobody does, and a smaller context is cheaper to make.
    open: Mutex<Option<Box<Open>>>,
    /// Whether it is there, so that of most requests nobody takes its lock.
    is_open: AtomicBool,
}

/// What several layers may change.
#[derive(Default)]
struct Open {
    identity: Identity,
    /// The value of an API key: a secret.
    usage_key: Option<Arc<str>>,
    authorizer: Map<String, Value>,
    overrides: Overrides,
    details: Vec<(Detail, Arc<str>)>,
    refusal: Option<Rejection>,
    observed: Vec<Rejection>,
    limits: Vec<LimitStanding>,
    call_record: Option<CallRecord>,
}

/// The API and stage that serve a request: what is the same for all requests that they serve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiStage {
    /// Whether it is a REST or an HTTP API.
    pub kind: ApiKind,
    /// The account that owns the API.
    pub account_id: String,
    /// The id of the API.
    pub api_id: String,
    /// The name of the API, which need not be its alone.
    pub api_name: Option<String>,
    /// The name of the stage.
    pub stage: String,
    /// The id of the deployment.
    pub deployment_id: Option<String>,
    /// `EDGE`, `REGIONAL` or `PRIVATE`.
    pub endpoint_type: Option<String>,
    /// The stage variables.
    pub variables: BTreeMap<String, String>,
}

/// What templates set by `$context.requestOverride` and `$context.responseOverride`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Overrides {
    /// `header`, `path` and `querystring` of the request to the integration.
    pub request: Map<String, Value>,
    /// `header` and `status` of the response to the client.
    pub response: Map<String, Value>,
}

/// What became of a request beyond numbers and texts, to be read at once.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Facts<'a> {
    /// Which release of the stage served it.
    pub release: &'a Release,
    /// The refusal that the client got.
    pub refusal: Option<&'a Rejection>,
    /// The refusals that were not carried out.
    pub observed: &'a [Rejection],
    /// How the caller stands with the limits that were looked at.
    pub limits: &'a [LimitStanding],
}

/// A number that was not measured.
const UNSET: i64 = i64::MIN;

impl RequestContext {
    /// A context for `request`, received at the time that `clock` shows. It is not put into the request.
    #[must_use]
    pub fn new<B>(request: &Request<B>, clock: &dyn Clock) -> Self {
        let headers = request.headers();
        let request_id = headers
            .get(REQUEST_ID)
            .and_then(|chosen| RequestId::parse(chosen.as_bytes()))
            .unwrap_or_else(RequestId::generate);
        Self {
            inner: Arc::new(Inner {
                started: clock.now(),
                wall: clock.wall(),
                request_id,
                extended_request_id: ExtendedRequestId::generate(),
                method: request.method().clone(),
                overriding: OnceLock::new(),
                uri: request.uri().clone(),
                version: request.version(),
                host: headers.get(header::HOST).cloned(),
                user_agent: headers.get(header::USER_AGENT).cloned(),
                connection: OnceLock::new(),
                client: OnceLock::new(),
                client_certificate: OnceLock::new(),
                stage: OnceLock::new(),
                route: OnceLock::new(),
                trace: OnceLock::new(),
                span: AtomicU64::new(0),
                measures: [const { AtomicI64::new(UNSET) }; Measure::COUNT],
                cache: AtomicU8::new(0),
                claims: Mutex::new(None),
                api_key: OnceLock::new(),
                release: OnceLock::new(),
                open: Mutex::new(None),
                is_open: AtomicBool::new(false),
            }),
        }
    }

    /// The context of `request`: the one that an outer layer put there, or a new one, which is put there.
    pub fn of<B>(request: &mut Request<B>) -> &Self {
        if request.extensions().get::<Self>().is_none() {
            let context = Self::new(request, &SystemClock);
            request.extensions_mut().insert(context);
        }
        request
            .extensions()
            .get()
            .expect("the context was there or has just been put there")
    }

    /// A context for a copy of the request, which goes to another release: the same request, connection, client and caller, with the same ids. Stage, route, release and
    /// whatever becomes of the copy are its own.
    #[must_use]
    pub fn for_copy(&self) -> Self {
        let own = &*self.inner;
        let open = self.open();
        let caller = Open {
            identity: open.identity.clone(),
            usage_key: open.usage_key.clone(),
            authorizer: open.authorizer.clone(),
            details: open.details.clone(),
            ..Open::default()
        };
        drop(open);
        Self {
            inner: Arc::new(Inner {
                started: own.started,
                wall: own.wall,
                request_id: own.request_id,
                extended_request_id: own.extended_request_id,
                method: own.method.clone(),
                overriding: own.overriding.clone(),
                uri: own.uri.clone(),
                version: own.version,
                host: own.host.clone(),
                user_agent: own.user_agent.clone(),
                connection: own.connection.clone(),
                client: own.client.clone(),
                client_certificate: own.client_certificate.clone(),
                stage: OnceLock::new(),
                route: OnceLock::new(),
                trace: OnceLock::new(),
                span: AtomicU64::new(0),
                measures: [const { AtomicI64::new(UNSET) }; Measure::COUNT],
                cache: AtomicU8::new(0),
                claims: Mutex::new(self.claims()),
                api_key: own.api_key.clone(),
                release: OnceLock::new(),
                is_open: AtomicBool::new(true),
                open: Mutex::new(Some(Box::new(caller))),
            }),
        }
    }

    /// When the request came, for durations.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.inner.started
    }

    /// When the request came, by the wall clock.
    #[must_use]
    pub fn received(&self) -> SystemTime {
        self.inner.wall
    }

    /// The id of the request; in a REST API the client may have chosen it.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.inner.request_id
    }

    /// The gateway's own id of the request.
    #[must_use]
    pub fn extended_request_id(&self) -> ExtendedRequestId {
        self.inner.extended_request_id
    }

    /// The method: as the request came, or the one that [`override_method`](Self::override_method) put in its place.
    #[must_use]
    pub fn method(&self) -> &Method {
        match self.inner.overriding.get() {
            Some(method) => method,
            None => &self.inner.method,
        }
    }

    /// Says that the request is served as one with this method. Later calls change nothing.
    pub fn override_method(&self, method: Method) {
        let _ = self.inner.overriding.set(Box::new(method));
    }

    /// The target as the request came: with stage or base path.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.inner.uri
    }

    /// The host that the client asked for, without a port: from the target if it names one, else from `Host`.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        if let Some(host) = self.inner.uri.host() {
            return Some(host);
        }
        let host = self.inner.host.as_ref()?.as_bytes();
        // A port is short, and most hosts have none: nothing is looked at but what may be one.
        let behind_port = host.iter().rposition(|byte| !byte.is_ascii_digit());
        let end = behind_port.filter(|end| host[*end] == b':');
        let host = &host[..end.unwrap_or(host.len())];
        // No name has other letters. (All at once, which is faster than by character.)
        std::str::from_utf8(host)
            .ok()
            .filter(|host| host.is_ascii())
    }

    /// The same with its port, if the client named one.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        let authority = match self.inner.uri.authority() {
            Some(authority) => authority.as_str(),
            None => self.inner.host.as_ref()?.to_str().ok()?,
        };
        authority.rsplit('@').next()
    }

    /// What the client calls itself, if that is text.
    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.inner.user_agent.as_ref()?.to_str().ok()
    }

    /// The connection that the request came by, if its listener said.
    #[must_use]
    pub fn connection(&self) -> Option<&Arc<Connection>> {
        self.inner.connection.get()
    }

    /// Says by which connection the request came. Later calls change nothing.
    pub fn set_connection(&self, connection: impl Into<Arc<Connection>>) {
        let _ = self.inner.connection.set(connection.into());
    }

    /// The client's address: what trusted proxies say, or the peer of the connection.
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        let peer = || self.connection().map(|connection| connection.peer.ip());
        self.inner.client.get().copied().or_else(peer)
    }

    /// Says who the client behind trusted proxies is. Later calls change nothing.
    pub fn set_client(&self, client: IpAddr) {
        let _ = self.inner.client.set(client);
    }

    /// The certificate of the client: the one that a trusted proxy passed on, or that of the connection.
    #[must_use]
    pub fn client_certificate(&self) -> Option<&Arc<ClientCertificate>> {
        let connection = || self.connection()?.tls.as_ref()?.client_certificate.as_ref();
        self.inner.client_certificate.get().or_else(connection)
    }

    /// Says which certificate the client showed to a trusted proxy. Later calls change nothing.
    pub fn set_client_certificate(&self, certificate: impl Into<Arc<ClientCertificate>>) {
        let _ = self.inner.client_certificate.set(certificate.into());
    }

    /// The API and stage that serve the request.
    #[must_use]
    pub fn stage(&self) -> Option<&Arc<ApiStage>> {
        self.inner.stage.get()
    }

    /// Says which API and stage serve the request. Later calls change nothing.
    pub fn set_stage(&self, stage: impl Into<Arc<ApiStage>>) {
        let _ = self.inner.stage.set(stage.into());
    }

    /// The route that the request matched.
    #[must_use]
    pub fn route(&self) -> Option<&MatchedRoute> {
        self.inner.route.get()
    }

    /// Says which route the request matched. Later calls change nothing.
    pub fn set_route(&self, route: MatchedRoute) {
        let _ = self.inner.route.set(route);
    }

    /// The trace of the request, if one was set.
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        self.inner.trace.get()
    }

    /// Sets the trace unless there is one, and returns the one that holds.
    pub fn trace_or(&self, make: impl FnOnce() -> Trace) -> &Trace {
        self.inner.trace.get_or_init(make)
    }

    /// The trace of the request, as those see it whom it calls: below the span that [`set_span`](Self::set_span) named last.
    #[must_use]
    pub fn outgoing_trace(&self) -> Option<Trace> {
        let trace = self.trace()?;
        Some(match self.span() {
            None => trace.clone(),
            Some(span) => trace.below(span, trace.is_sampled()),
        })
    }

    /// Says that the request's trace is followed, and from which span calls go out: its id, which is not 0. Later calls take the place of earlier ones.
    pub fn set_span(&self, id: u64) {
        self.inner.span.store(id, Ordering::Relaxed);
    }

    /// The id of the span that calls go out from, if somebody follows the trace.
    #[must_use]
    pub fn span(&self) -> Option<u64> {
        match self.inner.span.load(Ordering::Relaxed) {
            0 => None,
            id => Some(id),
        }
    }

    /// Whether the spans of this request are recorded: its trace is followed, and sampled.
    #[must_use]
    pub fn records_spans(&self) -> bool {
        self.span().is_some() && self.trace().is_some_and(Trace::is_sampled)
    }

    /// The span of a phase of this request: what `make` makes, or none where spans are not recorded.
    pub fn phase(&self, make: impl FnOnce() -> Span) -> Span {
        if self.records_spans() {
            make()
        } else {
            Span::none()
        }
    }

    /// The trace of the request. Where nobody has set one, it becomes the one that `X-Amzn-Trace-Id` names in the client's headers, or a new one.
    #[must_use]
    pub fn trace_of(&self, headers: &HeaderMap) -> &Trace {
        self.trace_or(|| {
            let sent = headers.get(TRACE_ID).and_then(|trace| trace.to_str().ok());
            sent.and_then(Trace::parse)
                .unwrap_or_else(|| Trace::generate(self.received()))
        })
    }

    /// Writes the [trace of the request](Self::trace_of) to the headers of a request that goes out, in which those of the client may stand.
    /// `traceparent` is written where the trace is followed, and else passes as it is.
    pub fn write_trace(&self, headers: &mut HeaderMap) {
        let trace = self.trace_of(headers);
        match self.span() {
            None => {
                headers.insert(TRACE_ID, trace.to_header());
            }
            Some(span) => trace.below(span, trace.is_sampled()).write_to(headers),
        }
    }

    /// Notes a number. A later one takes its place.
    pub fn measure(&self, measure: Measure, number: i64) {
        self.inner.measures[measure as usize].store(number, Ordering::Relaxed);
    }

    /// A number that was noted.
    #[must_use]
    pub fn measured(&self, measure: Measure) -> Option<i64> {
        let number = self.inner.measures[measure as usize].load(Ordering::Relaxed);
        (number != UNSET).then_some(number)
    }

    /// Says what a response cache made of the request. A later word takes its place.
    pub fn set_cache_status(&self, status: CacheStatus) {
        self.inner.cache.store(status as u8, Ordering::Relaxed);
    }

    /// What a response cache made of the request, if it met one.
    #[must_use]
    pub fn cache_status(&self) -> Option<CacheStatus> {
        CacheStatus::from_number(self.inner.cache.load(Ordering::Relaxed))
    }

    /// Notes a text. A later one takes its place.
    pub fn note(&self, detail: Detail, text: impl Into<Arc<str>>) {
        let mut open = self.open();
        open.details.retain(|(own, _)| *own != detail);
        open.details.push((detail, text.into()));
    }

    /// A text that was noted.
    #[must_use]
    pub fn noted(&self, detail: Detail) -> Option<Arc<str>> {
        self.opened()?.detail(detail).map(Arc::clone)
    }

    /// What is known of the caller.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.open().identity.clone()
    }

    /// Adds to what is known of the caller. Do not touch the context from within `change`.
    pub fn update_identity(&self, change: impl FnOnce(&mut Identity)) {
        change(&mut self.open().identity);
    }

    /// The API key by which the request was let in.
    #[must_use]
    pub fn api_key(&self) -> Option<&CallerKey> {
        self.inner.api_key.get()
    }

    /// Says by which API key the request was let in. Later calls change nothing.
    pub fn set_api_key(&self, key: CallerKey) {
        let _ = self.inner.api_key.set(key);
    }

    /// The value of the API key that a custom authorizer names for the caller: its `usageIdentifierKey`. A secret. Whether there is such a key
    /// is for whoever checks keys to find out.
    #[must_use]
    pub fn usage_key(&self) -> Option<Arc<str>> {
        self.opened()?.usage_key.clone()
    }

    /// Sets the value of the API key that a custom authorizer names.
    pub fn set_usage_key(&self, value: impl Into<Arc<str>>) {
        self.open().usage_key = Some(value.into());
    }

    /// The verified claims of the caller's token: `$context.authorizer.claims`.
    #[must_use]
    pub fn claims(&self) -> Option<Claims> {
        self.inner
            .claims
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sets the verified claims. Later ones take the place of earlier ones.
    pub fn set_claims(&self, claims: impl Into<Claims>) {
        let claims = Some(claims.into());
        *self
            .inner
            .claims
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = claims;
    }

    /// The values that a custom authorizer gave: `$context.authorizer`.
    #[must_use]
    pub fn authorizer(&self) -> Map<String, Value> {
        self.open().authorizer.clone()
    }

    /// Sets the values of a custom authorizer.
    pub fn set_authorizer(&self, values: Map<String, Value>) {
        self.open().authorizer = values;
    }

    /// Which release of the stage serves the request.
    #[must_use]
    pub fn release(&self) -> Release {
        self.inner.release.get().cloned().unwrap_or_default()
    }

    /// Says which release serves the request. Later calls change nothing: the choice is made once.
    pub fn set_release(&self, release: Release) {
        let _ = self.inner.release.set(release);
    }

    /// Hands `read` who signed the request or whose token it carries: the caller's ARN, else `sub` of the verified claims, else `principalId` of a custom
    /// authorizer.
    pub fn principal<T>(&self, read: impl FnOnce(Option<&str>) -> T) -> T {
        let identity = self.identity();
        if let Some(caller) = identity.user_arn.or(identity.caller) {
            return read(Some(&caller));
        }
        let (claims, authorizer);
        let principal = match self.claims() {
            Some(own) => {
                claims = own;
                claims.get("sub")
            }
            None => {
                if let Some(own) = self.noted(Detail::AuthorizerPrincipalId) {
                    return read(Some(&own));
                }
                authorizer = self.authorizer();
                authorizer.get("principalId")
            }
        };
        match principal {
            Some(Value::String(principal)) => read(Some(principal)),
            Some(principal) => read(Some(&principal.to_string())),
            None => read(None),
        }
    }

    /// What templates have overridden so far.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        self.open().overrides.clone()
    }

    /// Adds to what templates have overridden. Do not touch the context from within `change`.
    pub fn update_overrides(&self, change: impl FnOnce(&mut Overrides)) {
        change(&mut self.open().overrides);
    }

    /// Notes the refusal that the client gets: `$context.error`.
    pub fn record_refusal(&self, rejection: &Rejection) {
        self.open().refusal = Some(rejection.clone());
    }

    /// The refusal that the client gets, if any.
    #[must_use]
    pub fn refusal(&self) -> Option<Rejection> {
        self.opened()?.refusal.clone()
    }

    /// Notes a refusal that was not carried out, because its layer only observes.
    pub fn record_observed(&self, rejection: Rejection) {
        self.open().observed.push(rejection);
    }

    /// The refusals that were not carried out.
    #[must_use]
    pub fn observed(&self) -> Vec<Rejection> {
        self.open().observed.clone()
    }

    /// Notes how the caller stands with a limit. A later word on the same limit takes its place.
    pub fn note_limit(&self, standing: LimitStanding) {
        let limits = &mut self.open().limits;
        match limits.iter_mut().find(|own| own.name == standing.name) {
            Some(own) => *own = standing,
            None => limits.push(standing),
        }
    }

    /// How the caller stands with the limits that were looked at, in that order.
    #[must_use]
    pub fn limits(&self) -> Vec<LimitStanding> {
        self.open().limits.clone()
    }

    /// Asks whoever calls the endpoint behind the method to write down what is said.
    pub fn set_call_record(&self, record: CallRecord) {
        self.open().call_record = Some(record);
    }

    /// What whoever calls the endpoint writes into, if somebody asked for that.
    #[must_use]
    pub fn call_record(&self) -> Option<CallRecord> {
        self.opened()?.call_record.clone()
    }

    /// Reads what became of the request, without a copy of it. Do not touch the context from within `read`.
    pub fn facts<T>(&self, read: impl FnOnce(&Facts<'_>) -> T) -> T {
        const NONE: Release = Release::None;
        let release = self.inner.release.get().unwrap_or(&NONE);
        match self.opened() {
            None => read(&Facts {
                release,
                refusal: None,
                observed: &[],
                limits: &[],
            }),
            Some(open) => read(&Facts {
                release,
                refusal: open.refusal.as_ref(),
                observed: &open.observed,
                limits: &open.limits,
            }),
        }
    }

    /// Whether nothing became of the request that [`facts`](Self::facts) tell of, and it went to no canary: so it is with most.
    #[must_use]
    pub fn is_ordinary(&self) -> bool {
        !self.inner.is_open.load(Ordering::Acquire)
            && !matches!(self.inner.release.get(), Some(Release::Canary(_)))
    }

    fn open(&self) -> OpenGuard<'_> {
        // Nothing that holds the lock can leave the facts half changed.
        OpenGuard {
            open: self
                .inner
                .open
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
            is_open: &self.inner.is_open,
        }
    }

    /// The same to read, if anything has been written.
    fn opened(&self) -> Option<OpenGuard<'_>> {
        self.inner
            .is_open
            .load(Ordering::Acquire)
            .then(|| self.open())
    }
}

/// The lock on what several layers may change, which is made when it is first written to.
struct OpenGuard<'a> {
    open: MutexGuard<'a, Option<Box<Open>>>,
    is_open: &'a AtomicBool,
}

impl Deref for OpenGuard<'_> {
    type Target = Open;

    fn deref(&self) -> &Open {
        static NOTHING: LazyLock<Open> = LazyLock::new(Open::default);
        self.open.as_deref().unwrap_or_else(|| &NOTHING)
    }
}

impl DerefMut for OpenGuard<'_> {
    fn deref_mut(&mut self) -> &mut Open {
        self.is_open.store(true, Ordering::Release);
        self.open.get_or_insert_default()
    }
}

impl Open {
    fn detail(&self, detail: Detail) -> Option<&Arc<str>> {
        self.details
            .iter()
            .find_map(|(own, text)| (*own == detail).then_some(text))
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("request_id", &self.inner.request_id)
            .field("method", self.method())
            .field("path", &self.inner.uri.path())
            .field("stage", &self.stage())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
