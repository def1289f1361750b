//! Which responses are cached, for how long, and under which key.

mod admit;
mod asked;
mod builder;
mod coding;
mod identity;
mod part;
mod refresh;

use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderName, Method, Request, StatusCode};
use portcullis_core::RequestContext;

use crate::key::KeyBuilder;

pub(crate) use self::admit::{RulesAdmit, Wish, tags};
pub(crate) use self::asked::{Asked, Scan, write_base};
pub use self::builder::CacheRulesBuilder;
pub(crate) use self::coding::Codings;
pub(crate) use self::identity::{Known, write as write_identity};
pub use self::part::KeyPart;
use self::refresh::Refresh;
pub use self::refresh::UnauthorizedRefresh;
pub(crate) use self::refresh::{WARNING_TEXT, refusal};

/// Which responses are cached, for how long, and under which key: the conduct of Amazon API Gateway's cache, with its hazards closed.
///
/// See the [crate docs](crate) for an example.
#[derive(Clone, Debug)]
pub struct CacheRules {
    methods: Vec<Method>,
    ttl: Duration,
    scope: Box<[u8]>,
    namespace: Option<Box<str>>,
    parts: Vec<KeyPart>,
    max_body: usize,
    max_key_body: usize,
    shared_between_callers: bool,
    shared_between_releases: bool,
    stores_errors: bool,
    replays_cookies: bool,
    ignores_vary: bool,
    respects_no_store: bool,
    #[cfg(feature = "encryption")]
    encrypts: bool,
    dropped: Vec<HeaderName>,
    refresh: Refresh,
}

/// How a request is served.
pub(crate) enum Service {
    /// By its origin: the cache has no part in it.
    Pass,
    /// By its origin, though it could have been cached but for something about it.
    Bypass,
    /// Through the cache, under this key.
    Look {
        key: KeyBuilder,
        /// It asks for a new response.
        refresh: bool,
    },
}

/// The longest key that is looked up. What is longer is nobody's but its sender's.
const LONGEST_KEY: usize = 16 * 1024;

impl CacheRules {
    /// Begins with what holds by default: `GET` is cached for 300 seconds, a response per path and query.
    pub fn builder() -> CacheRulesBuilder {
        CacheRulesBuilder::new()
    }

    /// How long responses are kept.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// What is purged as one.
    #[must_use]
    pub const fn scope(&self) -> &[u8] {
        &self.scope
    }

    /// How much of a request's body is to be read, since it is a part of its key; none if it is not.
    pub(crate) fn reads_body<B: http_body::Body>(&self, request: &Request<B>) -> Option<usize> {
        let reads = self.parts.contains(&KeyPart::Body)
            && !self.ttl.is_zero()
            && self.methods.contains(request.method())
            && !request.body().is_end_stream();
        reads.then_some(self.max_key_body)
    }

    pub(crate) fn serve(&self, asked: &Asked<'_>) -> Service {
        if self.ttl.is_zero() || !self.methods.contains(asked.method) {
            return Service::Pass;
        }
        let scan = asked.scan();
        // An origin may read of such a request what no key tells.
        // (The rules may be others than those by which the body was read.)
        if (scan.has_body && !(asked.body.is_some() && self.parts.contains(&KeyPart::Body)))
            || scan.overrides_method
            || scan.has_two_hosts
            || scan.upgrades
        {
            return Service::Bypass;
        }
        let mut key = KeyBuilder::new(&self.scope);
        match &self.namespace {
            Some(namespace) => key.part(namespace.as_bytes()),
            None => key.absent(),
        }
        asked::write_base(asked, &scan, !self.shared_between_releases, &mut key);
        if !self.shared_between_callers {
            let known = identity::write(asked.context, &mut key);
            if scan.has_authorization {
                match known {
                    // Many authorizers call everybody by one name, and the origin reads the token.
                    Known::ByAuthorizer => {
                        for value in asked.headers.get_all(AUTHORIZATION) {
                            key.part(value.as_bytes());
                        }
                    }
                    // Credentials that nobody has looked at are for the origin, and its answer is for whoever has them.
                    Known::Nothing if !self.has_header(&AUTHORIZATION) => return Service::Bypass,
                    Known::Something | Known::Nothing => {}
                }
            }
            key.absent();
        }
        for part in &self.parts {
            part.write(asked, &mut key);
        }
        if key.as_bytes().len() > LONGEST_KEY {
            return Service::Bypass;
        }
        Service::Look {
            key,
            refresh: scan.has_cache_control && refresh::is_asked(asked.headers),
        }
    }

    /// Whether a caller may have a response replaced before its time; or what becomes of its request.
    pub(crate) fn may_refresh(&self, context: &RequestContext) -> Result<(), UnauthorizedRefresh> {
        self.refresh.may(context)
    }

    /// Whether a header is a part of the key.
    fn has_header(&self, name: &HeaderName) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, KeyPart::Header(own) if own == name))
    }

    fn stores(&self, status: StatusCode) -> bool {
        match status.as_u16() {
            // Parts of a response, and answers to conditions that the next request does not have.
            206 | 304 => false,
            200..400 => true,
            400..600 => self.stores_errors,
            _ => false,
        }
    }
}
