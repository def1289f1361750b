//! The endpoint that knows tokens.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis_client::Client;
use portcullis_core::{Body, Claims, Clock, SystemClock};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::ConfigError;
use crate::flights::{Flights, Key, key};
use crate::jwt::{Registered, Seconds, TokenFault, audience, endpoint};

/// An introspection endpoint, with what is asked of its answers. Clones share what is kept.
///
/// See the [module's front page](super) for an example.
#[derive(Clone)]
#[must_use]
pub struct Introspection {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    kept: Cache<Key, Kept, Weigh>,
    flights: Flights<Kept>,
    open: Semaphore,
    /// Failures in a row.
    failures: AtomicU32,
    started: Instant,
    /// Until when nobody is asked, in milliseconds since `started`.
    paused_until: AtomicU64,
}

#[derive(Clone)]
struct Settings {
    endpoint: Uri,
    /// Sensitive.
    authorization: Option<HeaderValue>,
    client: Client,
    clock: Arc<dyn Clock>,
    issuer: Option<Box<str>>,
    audiences: Option<Box<[Box<str>]>>,
    keep_for: Duration,
    timeout: Duration,
}

/// What is known of a token.
#[derive(Clone)]
pub(super) struct Kept {
    outcome: Result<Claims, TokenFault>,
    until: Instant,
    expires: Option<Seconds>,
    bytes: u32,
}

const KEEP_FOR: Duration = Duration::from_secs(60);
const KEEP_INACTIVE: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_TOKEN: usize = 16 * 1024;
const MAX_ANSWER: usize = 64 * 1024;
const MAX_OPEN: usize = 256;
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
const ENTRY_BYTES: u32 = 256;
/// After so many failures in a row …
const PATIENCE: u32 = 5;
/// … the endpoint is left alone for so long.
const PAUSE: Duration = Duration::from_secs(1);

impl Introspection {
    /// The endpoint at this address.
    ///
    /// # Errors
    ///
    /// If it is no `https` address (or `http` on this machine): tokens must not travel in the clear.
    pub fn at(address: &str) -> Result<Self, ConfigError> {
        let endpoint = endpoint(address).map_err(|error| {
            ConfigError::new("introspection", error.problem(), "give an https address")
        })?;
        Ok(Self::build(Settings {
            endpoint,
            authorization: None,
            client: Client::default(),
            clock: Arc::new(SystemClock::new()),
            issuer: None,
            audiences: None,
            keep_for: KEEP_FOR,
            timeout: TIMEOUT,
        }))
    }

    /// Shows who asks by the id and secret of a client (RFC 6749, 2.3.1), as HTTP Basic.
    pub fn client_credentials(self, id: &str, secret: &str) -> Self {
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let pair = format!("{}:{}", encode(id), encode(secret));
        self.authorization(&format!("Basic {}", STANDARD.encode(pair)))
    }

    /// Shows who asks by a token of its own (RFC 7662, 2.1).
    ///
    /// # Errors
    ///
    /// If it cannot stand in a header.
    pub fn bearer_token(self, token: &str) -> Result<Self, ConfigError> {
        let value = format!("Bearer {token}");
        match HeaderValue::try_from(&*value) {
            Ok(_) => Ok(self.authorization(&value)),
            Err(_) => Err(ConfigError::new(
                "bearerToken",
                "it has characters that cannot stand in a header",
                "give a token",
            )),
        }
    }

    fn authorization(self, value: &str) -> Self {
        let mut value = HeaderValue::try_from(value).expect("it was looked at or encoded");
        value.set_sensitive(true);
        self.with(|settings| settings.authorization = Some(value))
    }

    /// Takes only tokens that are of this issuer (`iss`).
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        self.with(|settings| settings.issuer = Some(issuer.into().into()))
    }

    /// Takes only tokens that are for this audience (`aud`; where there is none, `client_id`).
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.audiences([audience.into()])
    }

    /// Takes only tokens that are for one of these audiences.
    pub fn audiences<T: Into<String>>(self, audiences: impl IntoIterator<Item = T>) -> Self {
        let audiences = audiences.into_iter().map(|own| own.into().into()).collect();
        self.with(|settings| settings.audiences = Some(audiences))
    }

    /// Keeps answers for this long, a minute by default; zero keeps none. A token that is revoked passes for as long.
    pub fn keep_for(self, duration: Duration) -> Self {
        self.with(|settings| settings.keep_for = duration)
    }

    /// How long to wait for an answer; two seconds by default.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.timeout = timeout)
    }

    /// Asks through this client. By default there is one of its own.
    pub fn client(self, client: Client) -> Self {
        self.with(|settings| settings.client = client)
    }

    /// Takes the time from `clock`.
    pub fn clock(self, clock: impl Clock) -> Self {
        self.with(|settings| settings.clock = Arc::new(clock))
    }

    /// Asks about a token, or remembers.
    ///
    /// # Errors
    ///
    /// Why it is not believed.
    pub async fn verify(&self, token: &str) -> Result<Claims, TokenFault> {
        match self.look(token) {
            Some(outcome) => outcome,
            None => self.clone().ask(token.to_owned()).await,
        }
    }

    fn build(settings: Settings) -> Self {
        let now = settings.clock.now();
        let entries = usize::try_from(CACHE_BYTES / 1024).unwrap_or(usize::MAX);
        Self {
            shared: Arc::new(Shared {
                settings,
                kept: Cache::with_weighter(entries, CACHE_BYTES, Weigh),
                flights: Flights::default(),
                open: Semaphore::new(MAX_OPEN),
                failures: AtomicU32::new(0),
                started: now,
                paused_until: AtomicU64::new(0),
            }),
        }
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.shared.settings.clone();
        change(&mut settings);
        Self::build(settings)
    }

    /// What is known of a token without asking.
    pub(super) fn look(&self, token: &str) -> Option<Result<Claims, TokenFault>> {
        if token.len() > MAX_TOKEN {
            return Some(Err(TokenFault::TooLarge));
        }
        let shared = &*self.shared;
        let key = key([token]);
        let kept = shared.kept.get(&key)?;
        let clock = &shared.settings.clock;
        if kept.until <= clock.now() {
            shared.kept.remove(&key);
            return None;
        }
        // The wall clock may have been set since.
        match kept.expires {
            Some(expires) if expires <= Seconds::of(clock.wall()) => Some(Err(TokenFault::Expired)),
            _ => Some(kept.outcome),
        }
    }

    pub(super) async fn ask(self, token: String) -> Result<Claims, TokenFault> {
        let key = key([&*token]);
        let own = self.clone();
        let asked = self
            .shared
            .flights
            .ask_once(key, move || own.ask_anew(token, key));
        match asked.await {
            Some(kept) => kept.outcome,
            None => Err(TokenFault::IntrospectionUnavailable),
        }
    }

    async fn ask_anew(self, token: String, key: Key) -> Kept {
        let shared = &*self.shared;
        let settings = &shared.settings;
        let away = |now| Kept {
            outcome: Err(TokenFault::IntrospectionUnavailable),
            until: now,
            expires: None,
            bytes: 0,
        };
        let now = settings.clock.now();
        let Ok(_open) = shared.open.try_acquire() else {
            tracing::warn!("too many questions about tokens are open");
            return away(now);
        };
        if shared.millis(now) < shared.paused_until.load(Ordering::Relaxed) {
            return away(now);
        }
        let answer = match tokio::time::timeout(settings.timeout, self.fetch(&token)).await {
            Ok(answer) => answer,
            Err(_) => Err("no answer in time".to_owned()),
        };
        let now = settings.clock.now();
        let judged = answer.and_then(|json| self.judge(&json).map(|judged| (judged, json.len())));
        match judged {
            Ok((judged, length)) => {
                shared.failures.store(0, Ordering::Relaxed);
                let kept = judged.keep(now, settings, length);
                if kept.until > now {
                    shared.kept.insert(key, kept.clone());
                }
                kept
            }
            Err(why) => {
                let failures = shared.failures.fetch_add(1, Ordering::Relaxed) + 1;
                if failures >= PATIENCE {
                    let until = shared.millis(now + PAUSE);
                    shared.paused_until.store(until, Ordering::Relaxed);
                }
                let endpoint = &settings.endpoint;
                tracing::warn!(%endpoint, why, failures, "tokens cannot be introspected");
                away(now)
            }
        }
    }

    /// The answer's body.
    async fn fetch(&self, token: &str) -> Result<Bytes, String> {
        let settings = &self.shared.settings;
        let token = utf8_percent_encode(token, NON_ALPHANUMERIC);
        let form = format!("token={token}&token_type_hint=access_token");
        let mut request = Request::post(&settings.endpoint)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json");
        if let Some(authorization) = &settings.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request
            .body(Body::from(form))
            .map_err(|error| error.to_string())?;
        let response = settings.client.send(request).await;
        let response = response.map_err(|error| error.to_string())?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answered {}", response.status().as_u16()));
        }
        match Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
        {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What an answer says of a token; an error if it is no answer.
    fn judge(&self, json: &[u8]) -> Result<Judged, String> {
        #[derive(Deserialize)]
        struct State {
            active: bool,
        }
        let settings = &self.shared.settings;
        let text = std::str::from_utf8(json).map_err(|_| "its answer is no text".to_owned())?;
        let state: State = serde_json::from_str(text)
            .map_err(|_| "its answer does not say whether the token is active".to_owned())?;
        if !state.active {
            return Ok(Judged::refused(TokenFault::Inactive));
        }
        let registered = Registered::parse(text)
            .map_err(|_| "its answer has members of the wrong kinds".to_owned())?;
        let now = Seconds::of(settings.clock.wall());
        if registered.expires.is_some_and(|at| at <= now.0) {
            return Ok(Judged::refused(TokenFault::Expired));
        }
        if registered.not_before.is_some_and(|from| from > now.0) {
            return Ok(Judged::refused(TokenFault::NotYetValid));
        }
        if let Some(issuer) = &settings.issuer
            && registered.issuer.as_deref() != Some(&**issuer)
        {
            return Ok(Judged::refused(TokenFault::Issuer));
        }
        if let Some(accepted) = &settings.audiences
            && let Err(fault) = audience(&registered, accepted)
        {
            return Ok(Judged::refused(fault));
        }
        let expires = registered.expires.map(Seconds);
        Ok(Judged {
            lives_for: expires.map(|at| at.0 - now.0),
            expires,
            outcome: Ok(Claims::with_scopes(text, registered.scopes)),
        })
    }
}

/// What is said of a token.
struct Judged {
    outcome: Result<Claims, TokenFault>,
    expires: Option<Seconds>,
    /// In seconds; above zero.
    lives_for: Option<f64>,
}

impl Judged {
    const fn refused(fault: TokenFault) -> Self {
        Self {
            outcome: Err(fault),
            expires: None,
            lives_for: None,
        }
    }

    fn keep(self, now: Instant, settings: &Settings, length: usize) -> Kept {
        let longest = match self.outcome {
            Ok(_) => settings.keep_for,
            Err(_) => settings.keep_for.min(KEEP_INACTIVE),
        };
        let lives = self.lives_for.map(|seconds| {
            // More than fits is longer than anything is kept.
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        });
        Kept {
            until: now + lives.map_or(longest, |lives| lives.min(longest)),
            expires: self.expires,
            outcome: self.outcome,
            bytes: u32::try_from(3 * length).unwrap_or(u32::MAX / 2),
        }
    }
}

impl Shared {
    fn millis(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.started);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

#[derive(Clone)]
struct Weigh;

impl Weighter<Key, Kept> for Weigh {
    fn weight(&self, _key: &Key, kept: &Kept) -> u64 {
        (ENTRY_BYTES + kept.bytes).into()
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("endpoint", &self.shared.settings.endpoint)
            .field("audiences", &self.shared.settings.audiences)
            .field("kept", &self.shared.kept.len())
            .finish_non_exhaustive()
    }
}
