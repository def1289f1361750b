//! The way of a request that is not answered at once: it waits for another's response, or asks the origin.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, LAST_MODIFIED};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use portcullis_core::{BoxError, CacheStatus, RequestContext};
use tokio::runtime::Handle;
use tower_service::Service;

use super::admit::{Fetch, Verdict, describes};
use super::answer::{self, Want};
use super::conditional;
use super::invalidate::{self, Target};
use super::place::{self, Found, Place, Stored};
use super::rules::HttpCacheRules;
use super::status::{self, Did, Forwarded, Why};
use super::storable::{self, NotStored};
use super::surrogate::SURROGATE_CAPABILITY;
use super::terms::{Failure, Use};
use super::wish::Wish;
use crate::KeyBuilder;
use crate::body::CacheBody;
use crate::cache::{ResponseCache, Turn};
use crate::entry::Entry;
use crate::fill::{self, Landing, Lead};
use crate::flight::{Outcome, Seat};
use crate::moment::Moment;
use crate::purges::Sought;
use crate::rules::{Asked, Known, write_identity};
use crate::store::Purge;

/// What it takes to serve a request.
#[derive(Debug)]
pub(crate) struct Job<S> {
    /// Ready to be called.
    pub(crate) inner: S,
    pub(crate) cache: ResponseCache,
    pub(crate) rules: Arc<HttpCacheRules>,
    pub(crate) place: Place,
    pub(crate) wish: Wish,
}

/// So often a request waits for others before it goes by itself.
const TURNS: usize = 3;

impl<S> Job<S> {
    /// Serves a request of which `found` was found, if anybody has looked.
    pub(crate) async fn serve<Q, B>(
        mut self,
        request: Request<Q>,
        mut found: Option<Found>,
    ) -> Result<Response<CacheBody<B>>, S::Error>
    where
        S: Service<Request<Q>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        Q: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut turns = 0;
        let mut collapsed = false;
        loop {
            let now = self.cache.now();
            let (why, previous) = match self.look(request.headers(), found.take()).await {
                Found::Away => return self.pass(request, NotStored::StoreAway).await,
                Found::Nothing if self.place.signpost().is_some() => (Why::VaryMiss, None),
                Found::Nothing => (Why::UriMiss, None),
                Found::Response(stored) => {
                    match stored.terms.assess(now.as_millis(), self.wish.directives) {
                        Use::Serve => return Ok(self.answer(&request, &stored, collapsed)),
                        Use::ServeAndRevalidate => {
                            let response = self.answer(&request, &stored, collapsed);
                            self.revalidate(request, stored);
                            return Ok(response);
                        }
                        Use::Validate => (self.why(&stored), Some(stored)),
                    }
                }
            };
            if self.wish.directives.only_if_cached() {
                return Ok(self.only_if_cached(&request, why));
            }
            if request.method() == Method::HEAD {
                return self.head(request, why, previous).await;
            }
            let Some(landing) = self.take_turn(&request, previous.as_ref(), turns) else {
                turns += 1;
                continue;
            };
            let landing = match landing {
                Ok(landing) => landing,
                Err(seat) => {
                    turns += 1;
                    match self.cache.outcome(&seat, self.place.key()).await {
                        Some(Outcome::Stored(entry)) => {
                            collapsed = true;
                            if let Some(response) = self.collapse(&request, entry) {
                                return Ok(response);
                            }
                            // It may not be used without asking again: everybody asks for himself.
                            turns = TURNS;
                        }
                        Some(Outcome::Failed) => {
                            if let Some(stored) = &previous
                                && self.may_replace_failure(stored)
                            {
                                return Ok(self.answer(&request, stored, true));
                            }
                        }
                        Some(Outcome::Private | Outcome::Purged) => {}
                        None => turns = TURNS,
                    }
                    continue;
                }
            };
            let asked = asked(&request, self.wish);
            return self.fetch(request, asked, why, previous, landing).await;
        }
    }

    async fn look(&mut self, request: &HeaderMap, found: Option<Found>) -> Found {
        match found {
            Some(found) => found,
            None => self.place.find(&self.cache, request).await,
        }
    }

    /// The duty to fetch, or a fetch to wait for; `None` if another look shows what has come meanwhile.
    fn take_turn<Q>(
        &self,
        request: &Request<Q>,
        previous: Option<&Stored>,
        turns: usize,
    ) -> Option<Result<Landing, Seat>> {
        let particular = self.wish.particular && !previous.is_some_and(can_be_confirmed);
        let alone = particular
            || turns >= TURNS
            || self.wish.directives.no_store()
            || !self.wish.takes_what_others_fetch()
            || request.headers().contains_key(http::header::AUTHORIZATION);
        if alone {
            return Some(Ok(self.cache.alone(self.place.key())));
        }
        let is_news = |entry: &Entry| {
            previous.is_none_or(|previous| previous.entry.stored_at() != entry.stored_at())
        };
        match self.cache.take_turn(self.sought(request.uri()), is_news) {
            Turn::Found(_) => None,
            Turn::Lead(landing) | Turn::Alone(landing) => Some(Ok(landing)),
            Turn::Follow(seat) => Some(Err(seat)),
        }
    }

    fn sought<'a>(&'a self, uri: &'a http::Uri) -> Sought<'a> {
        Sought {
            key: self.place.key(),
            root: self.place.target_key(),
            target: uri
                .path_and_query()
                .map_or("/", PathAndQuery::as_str)
                .as_bytes(),
        }
    }

    /// The answer that another request fetched, if it may be used.
    fn collapse<Q, B>(&self, request: &Request<Q>, entry: Entry) -> Option<Response<CacheBody<B>>> {
        let now = self.cache.now();
        let stored = place::response(entry, now)?;
        let good = match stored.terms.assess(now.as_millis(), self.wish.directives) {
            Use::Serve | Use::ServeAndRevalidate => true,
            // Its leader was given it in place of an error.
            Use::Validate => {
                stored.terms.remaining(now.as_millis()) <= 0 && self.may_replace_failure(&stored)
            }
        };
        good.then(|| self.answer(request, &stored, true))
    }

    fn may_replace_failure(&self, stored: &Stored) -> bool {
        stored.terms.may_replace_failure(
            self.cache.now().as_millis(),
            self.wish.directives,
            Failure::Disconnected,
            self.rules.disconnected,
        )
    }

    /// Why a stored response is not enough.
    fn why(&self, stored: &Stored) -> Why {
        if stored.terms.remaining(self.cache.now().as_millis()) <= 0 {
            Why::Stale
        } else if self.wish.directives == super::CacheControl::default() {
            // `no-cache`: what is fresh has to be asked about all the same.
            Why::Stale
        } else {
            Why::Request
        }
    }

    /// Answers with what is stored.
    pub(crate) fn answer<Q, B>(
        &self,
        request: &Request<Q>,
        stored: &Stored,
        collapsed: bool,
    ) -> Response<CacheBody<B>> {
        answer(
            &self.cache,
            &self.rules,
            self.wish,
            request,
            stored,
            collapsed,
            self.cache.now(),
        )
    }

    /// Calls the origin; nothing is stored.
    async fn pass<Q, B>(
        mut self,
        request: Request<Q>,
        detail: NotStored,
    ) -> Result<Response<CacheBody<B>>, S::Error>
    where
        S: Service<Request<Q>, Response = Response<B>>,
    {
        note(&self.cache, request.extensions().get(), CacheStatus::Bypass);
        let mut response = self.inner.call(request).await?.map(CacheBody::inner);
        let forwarded = Forwarded {
            detail: Some(detail),
            ..Forwarded::new(Why::Bypass)
        };
        mark(
            &self.rules,
            response.headers_mut(),
            Did::Forwarded(forwarded),
        );
        Ok(response)
    }

    fn only_if_cached<Q, B>(&self, request: &Request<Q>, why: Why) -> Response<CacheBody<B>> {
        note(&self.cache, request.extensions().get(), CacheStatus::Miss);
        let body = Bytes::from_static(br#"{"message":"Gateway Timeout"}"#);
        let mut response = Response::new(CacheBody::from(body));
        *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        mark(
            &self.rules,
            response.headers_mut(),
            Did::Forwarded(Forwarded::new(why)),
        );
        response
    }

    /// Asks the origin for what is said in `why`, or whether `previous` still holds.
    async fn fetch<Q, B>(
        self,
        mut request: Request<Q>,
        asked: storable::Asked,
        why: Why,
        previous: Option<Stored>,
        landing: Landing,
    ) -> Result<Response<CacheBody<B>>, S::Error>
    where
        S: Service<Request<Q>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Self {
            mut inner,
            cache,
            rules,
            place,
            wish,
        } = self;
        let context = request.extensions().get::<RequestContext>().cloned();
        let method = request.method().clone();
        let headers = Arc::new(request.headers().clone());
        let fetch = Fetch {
            rules: Arc::clone(&rules),
            place,
            request: Arc::clone(&headers),
            target: request.uri().path_and_query().cloned(),
            asked,
            sent: cache.now(),
            directives: wish.directives,
            previous: previous.clone(),
            forwarded: Forwarded::new(why),
        };
        announce(&rules, request.headers_mut());
        if let Some(previous) = previous
            .as_ref()
            .filter(|previous| can_be_confirmed(previous))
        {
            let value = |name| HeaderValue::from_bytes(previous.entry.header(&name)?).ok();
            conditional::make_conditional(request.headers_mut(), value(ETAG), value(LAST_MODIFIED));
        }
        let want = Want {
            method: &method,
            headers: &headers,
            particular: wish.particular,
        };
        let (instead, did) = match Lead::new(inner.call(request), fetch, landing).await {
            Ok(mut response) => {
                let verdict = response.extensions_mut().remove::<Verdict>();
                let forwarded = verdict
                    .as_ref()
                    .map_or_else(|| Forwarded::new(why), |verdict| verdict.forwarded);
                let did = Did::Forwarded(forwarded);
                match verdict.and_then(|verdict| verdict.instead) {
                    Some(stored) => (stored, did),
                    None => {
                        note(&cache, context.as_ref(), missed(why));
                        mark(&rules, response.headers_mut(), did);
                        return Ok(response);
                    }
                }
            }
            Err(error) => match previous {
                Some(stored)
                    if stored.terms.may_replace_failure(
                        cache.now().as_millis(),
                        wish.directives,
                        Failure::Disconnected,
                        rules.disconnected,
                    ) =>
                {
                    (stored, Did::Forwarded(Forwarded::new(why)))
                }
                _ => {
                    note(&cache, context.as_ref(), missed(why));
                    return Err(error);
                }
            },
        };
        let now = cache.now();
        let stale = instead.terms.remaining(now.as_millis()) <= 0;
        let status = if stale {
            CacheStatus::Stale
        } else {
            CacheStatus::Revalidated
        };
        note(&cache, context.as_ref(), status);
        let mut response = answer::from_stored(want, &instead, now);
        mark(&rules, response.headers_mut(), did);
        Ok(response)
    }

    /// Fetches a fresh response while the stale one is served.
    pub(crate) fn revalidate<Q, B>(self, mut request: Request<Q>, stored: Stored)
    where
        S: Service<Request<Q>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        Q: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        // Whoever else is served what is stale leaves it to the first. What was found not to be storable of late is not asked for again.
        let is_news = |entry: &Entry| stored.entry.stored_at() != entry.stored_at();
        let sought = self.sought(request.uri());
        let Turn::Lead(landing) = self.cache.take_turn(sought, is_news) else {
            return;
        };
        let (Some(leave), Ok(runtime)) = (self.cache.detach(), Handle::try_current()) else {
            return;
        };
        // The whole response is wanted, whatever part of it this client got.
        for name in &conditional::ANSWERED_HERE {
            request.headers_mut().remove(name);
        }
        *request.method_mut() = Method::GET;
        let asked = asked(&request, self.wish);
        // What is learned from here on is not about the client's request.
        request.extensions_mut().remove::<RequestContext>();
        let timeout = self.cache.fill_timeout();
        runtime.spawn(async move {
            let fetch = self.fetch(request, asked, Why::Stale, Some(stored), landing);
            drop(tokio::time::timeout(timeout, fetch).await);
            drop(leave);
        });
    }

    /// Asks the origin for the head of a response, and learns from it whether what is stored still holds.
    async fn head<Q, B>(
        mut self,
        mut request: Request<Q>,
        why: Why,
        previous: Option<Stored>,
    ) -> Result<Response<CacheBody<B>>, S::Error>
    where
        S: Service<Request<Q>, Response = Response<B>>,
    {
        let headers = previous
            .as_ref()
            .map(|_| Arc::new(request.headers().clone()));
        let target = request.uri().path_and_query().cloned();
        let asked = asked(&request, self.wish);
        let sent = self.cache.now();
        note(&self.cache, request.extensions().get(), missed(why));
        announce(&self.rules, request.headers_mut());
        let mut response = self.inner.call(request).await?.map(CacheBody::inner);
        if let (Some(previous), Some(headers), StatusCode::OK) =
            (previous, headers, response.status())
        {
            let key = self.place.key().to_vec();
            let mut landing = self.cache.alone(&key);
            if describes(response.headers(), &previous.entry) {
                let mut fetch = Fetch {
                    rules: Arc::clone(&self.rules),
                    place: self.place,
                    request: headers,
                    target,
                    asked,
                    sent,
                    directives: self.wish.directives,
                    previous: None,
                    forwarded: Forwarded::new(why),
                };
                let mut update = response.headers().clone();
                let (stored, filed) = fetch.freshen(&previous, &mut update, self.cache.now());
                if let Ok(signpost) = filed {
                    fetch.put_up(signpost, &mut landing);
                    landing.store(stored.entry);
                }
            } else {
                landing.forget();
            }
        }
        mark(
            &self.rules,
            response.headers_mut(),
            Did::Forwarded(Forwarded::new(why)),
        );
        Ok(response)
    }
}

/// Calls the origin with a request that may change what is stored, and makes that invalid.
pub(crate) async fn change<S, Q, B>(
    mut inner: S,
    cache: ResponseCache,
    rules: Arc<HttpCacheRules>,
    mut request: Request<Q>,
) -> Result<Response<CacheBody<B>>, S::Error>
where
    S: Service<Request<Q>, Response = Response<B>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let head = ChangeHead::of(&request);
    note(&cache, request.extensions().get(), CacheStatus::Bypass);
    let wish = Wish::of(request.headers(), true);
    let asked = asked(&request, wish);
    let sent = cache.now();
    announce(&rules, request.headers_mut());
    let response = inner.call(request).await?;
    let status = response.status();
    let mut forwarded = Forwarded::new(Why::Method);
    let mut response = if status.is_success() || status.is_redirection() {
        for target in head.targets(response.headers()) {
            if let Some(place) = head.place(&rules, &target) {
                let key = crate::Key::from_bytes(place.target_key());
                // A store that is away is served from by nobody.
                drop(cache.purge(Purge::key(key)).await);
            }
        }
        match head.storable(&rules, &response) {
            None => response.map(CacheBody::inner),
            Some(place) => {
                let landing = cache.alone(place.key());
                let fetch = Fetch {
                    rules: Arc::clone(&rules),
                    place,
                    request: Arc::new(head.headers),
                    target: head.target,
                    asked,
                    sent,
                    directives: wish.directives,
                    previous: None,
                    forwarded,
                };
                let mut fetched = Some((response, fetch, landing));
                let mut response = poll_fn(|cx| match fetched.take() {
                    Some((response, fetch, landing)) => {
                        Poll::Ready(fill::begin(response, fetch, landing, cx))
                    }
                    None => Poll::Pending,
                })
                .await;
                if let Some(verdict) = response.extensions_mut().remove::<Verdict>() {
                    forwarded = verdict.forwarded;
                }
                response
            }
        }
    } else {
        response.map(CacheBody::inner)
    };
    mark(&rules, response.headers_mut(), Did::Forwarded(forwarded));
    Ok(response)
}

/// The head of a request that may change what is stored.
struct ChangeHead {
    method: Method,
    uri: http::Uri,
    target: Option<PathAndQuery>,
    headers: HeaderMap,
    context: Option<RequestContext>,
}

impl ChangeHead {
    fn of<Q>(request: &Request<Q>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            target: request.uri().path_and_query().cloned(),
            headers: request.headers().clone(),
            context: request.extensions().get().cloned(),
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            has_body: false,
            body: None,
            method: &self.method,
            uri: &self.uri,
            headers: &self.headers,
            context: self.context.as_ref(),
        }
    }

    fn own(&self) -> Target<'_> {
        let authority = match self.uri.authority() {
            Some(authority) => authority.as_str(),
            None => {
                let host = self.headers.get(http::header::HOST);
                host.and_then(|host| host.to_str().ok()).unwrap_or_default()
            }
        };
        Target {
            authority,
            path: self.target.as_ref().map_or("/", PathAndQuery::as_str),
        }
    }

    /// The targets whose responses are invalid by now.
    fn targets(&self, response: &HeaderMap) -> Vec<String> {
        let own = self.own();
        let mut targets = vec![own.path.to_owned()];
        targets.extend(invalidate::named_targets(own, response));
        targets.dedup();
        targets
    }

    fn place(&self, rules: &HttpCacheRules, target: &str) -> Option<Place> {
        let asked = self.asked();
        Place::of_target(rules, &asked, &asked.scan(), target)
    }

    /// Where a response to `POST` is stored that says to be the one of `GET`, and for how long (RFC 9110 section 9.3.3).
    fn storable<B>(&self, rules: &HttpCacheRules, response: &Response<B>) -> Option<Place> {
        if self.method != Method::POST || response.status() != StatusCode::OK {
            return None;
        }
        let own = self.own();
        let named = invalidate::content_location(own, response.headers())?;
        let directives = super::CacheControl::of(response.headers());
        let fresh = directives.max_age().is_some()
            || directives.s_maxage().is_some()
            || response.headers().contains_key(http::header::EXPIRES);
        if named != own.path || !fresh {
            return None;
        }
        let asked = self.asked();
        Place::of(rules, &asked, &asked.scan())
    }
}

/// Whether the origin can be asked if a response still holds.
fn can_be_confirmed(stored: &Stored) -> bool {
    stored.entry.header(&ETAG).is_some() || stored.entry.header(&LAST_MODIFIED).is_some()
}

fn asked<Q>(request: &Request<Q>, wish: Wish) -> storable::Asked {
    let known = || {
        let context = request.extensions().get::<RequestContext>();
        write_identity(context, &mut KeyBuilder::new(b"")) != Known::Nothing
    };
    storable::Asked {
        no_store: wish.directives.no_store(),
        authorized: request.headers().contains_key(http::header::AUTHORIZATION) || known(),
    }
}

/// Says to the origin that `Surrogate-Control` is read.
fn announce(rules: &HttpCacheRules, request: &mut HeaderMap) {
    if let Some(surrogate) = &rules.surrogate {
        request.append(SURROGATE_CAPABILITY, surrogate.capability.clone());
    }
}

/// Answers with what is stored.
pub(crate) fn answer<Q, B>(
    cache: &ResponseCache,
    rules: &HttpCacheRules,
    wish: Wish,
    request: &Request<Q>,
    stored: &Stored,
    collapsed: bool,
    now: Moment,
) -> Response<CacheBody<B>> {
    let want = Want {
        method: request.method(),
        headers: request.headers(),
        particular: wish.particular,
    };
    let mut response = answer::from_stored(want, stored, now);
    let remaining = stored.terms.remaining(now.as_millis());
    let did = if collapsed {
        Did::Forwarded(Forwarded {
            collapsed: true,
            ..Forwarded::new(Why::UriMiss)
        })
    } else {
        Did::Hit {
            ttl: remaining.div_euclid(1000),
        }
    };
    mark(rules, response.headers_mut(), did);
    let status = match (collapsed, remaining > 0) {
        (_, false) => CacheStatus::Stale,
        (true, true) => CacheStatus::Collapsed,
        (false, true) => CacheStatus::Hit,
    };
    note(cache, request.extensions().get(), status);
    response
}

pub(crate) fn mark(rules: &HttpCacheRules, headers: &mut HeaderMap, did: Did) {
    if !rules.name.is_empty() {
        status::append(headers, &rules.name, did);
    }
}

pub(crate) fn note(cache: &ResponseCache, context: Option<&RequestContext>, status: CacheStatus) {
    cache.count(status);
    if let Some(context) = context {
        context.set_cache_status(status);
    }
}

const fn missed(why: Why) -> CacheStatus {
    match why {
        Why::Stale => CacheStatus::Expired,
        Why::Request => CacheStatus::Refreshed,
        Why::Bypass | Why::Method => CacheStatus::Bypass,
        Why::UriMiss | Why::VaryMiss | Why::Miss => CacheStatus::Miss,
    }
}
