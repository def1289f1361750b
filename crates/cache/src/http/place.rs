//! Where the response to a request is filed, and what is found there.
//!
//! A response without `Vary` lies under its target. One with it lies under its target, what the request has of the headers that count, and a number; under the
//! target alone lies a signpost with the names of these headers and the number. Who removes the signpost makes all responses of the target unreachable.

use http::{HeaderMap, HeaderName, Method};

use super::rules::HttpCacheRules;
use super::terms::Terms;
use super::vary;
use crate::cache::ResponseCache;
use crate::entry::{Draft, Entry};
use crate::key::KeyBuilder;
use crate::moment::Moment;
use crate::rules::{Asked, Scan, write_base};
use crate::store::{Answer, StoreError};

/// A stored response and its terms.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) entry: Entry,
    pub(crate) terms: Terms,
}

/// What was found at a place.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing; or, if there is a signpost, nothing for these headers.
    Nothing,
    Response(Stored),
    /// The store did not answer.
    Away,
}

/// Where the response to a request is filed.
#[derive(Debug)]
pub(crate) struct Place {
    key: KeyBuilder,
    /// Where the part for the target alone ends.
    target_end: usize,
    signpost: Option<Signpost>,
}

/// Which headers a target's responses depend on.
#[derive(Clone, Debug)]
pub(crate) struct Signpost {
    pub(crate) entry: Entry,
    number: [u8; 8],
}

/// What an entry is.
enum Kind {
    Response(Stored),
    Signpost(Signpost),
    Foreign,
}

const RESPONSE: u8 = b'R';
const SIGNPOST: u8 = b'V';

/// What tells keys of this conduct from others of the same scope.
const MARK: &[u8] = b"\0RFC 9111";

/// The longest key that is looked up.
const LONGEST_KEY: usize = 16 * 1024;

impl Place {
    /// The place of a request; `None` if its key would be too long.
    pub(crate) fn of(rules: &HttpCacheRules, asked: &Asked<'_>, scan: &Scan<'_>) -> Option<Self> {
        Self::of_target(rules, asked, scan, asked.target())
    }

    /// The place of a request to another target of the same origin.
    pub(crate) fn of_target(
        rules: &HttpCacheRules,
        asked: &Asked<'_>,
        scan: &Scan<'_>,
        target: &str,
    ) -> Option<Self> {
        let mut key = KeyBuilder::new(&rules.scope);
        key.part(MARK);
        // What is stored answers `HEAD` as well as `GET`, and is made invalid by other methods.
        let asked = Asked {
            method: &Method::GET,
            ..*asked
        };
        write_base(&asked, scan, true, &mut key);
        key.part(target.as_bytes());
        let target_end = key.as_bytes().len();
        (target_end <= LONGEST_KEY).then_some(Self {
            key,
            target_end,
            signpost: None,
        })
    }

    /// The key of the target alone.
    pub(crate) fn target_key(&self) -> &[u8] {
        &self.key.as_bytes()[..self.target_end]
    }

    /// The key as far as it is known.
    pub(crate) fn key(&self) -> &[u8] {
        self.key.as_bytes()
    }

    pub(crate) const fn signpost(&self) -> Option<&Signpost> {
        self.signpost.as_ref()
    }

    /// Looks, if the store has its answers in memory.
    pub(crate) fn find_now(
        &mut self,
        cache: &ResponseCache,
        request: &HeaderMap,
        now: Moment,
    ) -> Option<Found> {
        self.reset();
        let Answer::Now(first) = cache.get(self.target_key()) else {
            return None;
        };
        let first = match cache.noted(first) {
            Ok(entry) => kind(entry, now),
            Err(StoreError { .. }) => return Some(Found::Away),
        };
        match first {
            Kind::Response(stored) => Some(Found::Response(stored)),
            Kind::Foreign => Some(Found::Nothing),
            Kind::Signpost(signpost) => {
                self.follow(signpost, request);
                let Answer::Now(second) = cache.get(self.key()) else {
                    return None;
                };
                Some(self.found(cache.noted(second), now))
            }
        }
    }

    /// Looks.
    pub(crate) async fn find(&mut self, cache: &ResponseCache, request: &HeaderMap) -> Found {
        self.reset();
        let first = cache.get(self.target_key()).wait().await;
        let first = match cache.noted(first) {
            Ok(entry) => kind(entry, cache.now()),
            Err(StoreError { .. }) => return Found::Away,
        };
        match first {
            Kind::Response(stored) => Found::Response(stored),
            Kind::Foreign => Found::Nothing,
            Kind::Signpost(signpost) => {
                self.follow(signpost, request);
                let second = cache.get(self.key()).wait().await;
                self.found(cache.noted(second), cache.now())
            }
        }
    }

    fn reset(&mut self) {
        self.key.truncate(self.target_end);
        self.signpost = None;
    }

    fn follow(&mut self, signpost: Signpost, request: &HeaderMap) {
        self.key.part(&signpost.number);
        let names = signpost.entry.headers().map(|(name, _)| name);
        vary::write_values(&mut self.key, names, request);
        self.signpost = Some(signpost);
    }

    fn found(&self, entry: Result<Option<Entry>, StoreError>, now: Moment) -> Found {
        match entry.map(|entry| kind(entry, now)) {
            Ok(Kind::Response(mut stored)) => {
                // A soft purge of the target is one of all its responses.
                if self.signpost.as_ref().is_some_and(Signpost::is_stale) {
                    stored.terms = stored.terms.stale_from(now.as_millis());
                }
                Found::Response(stored)
            }
            Ok(Kind::Signpost(_) | Kind::Foreign) => Found::Nothing,
            Err(_) => Found::Away,
        }
    }

    /// Moves to where a response lies that depends on `names`, and gives the signpost to be put up there; `None` if the one that is there says the same.
    pub(crate) fn settle(
        &mut self,
        names: &[HeaderName],
        request: &HeaderMap,
        times: Times,
        target: &[u8],
    ) -> Option<Entry> {
        if let Some(signpost) = &self.signpost
            && !signpost.is_stale()
            && signpost.entry.headers().map(|(name, _)| name).eq(names)
        {
            return signpost.outlive(times);
        }
        self.reset();
        if names.is_empty() {
            return None;
        }
        let signpost = Signpost::new(names, times, target);
        let entry = signpost.entry.clone();
        self.follow(signpost, request);
        Some(entry)
    }
}

/// When something is put there, and how long it is of use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) now: Moment,
    pub(crate) keep_until: Moment,
}

impl Signpost {
    fn new(names: &[HeaderName], times: Times, target: &[u8]) -> Self {
        let number = fastrand::u64(..).to_le_bytes();
        let mut draft = Draft::new(http::StatusCode::OK);
        for name in names {
            draft.header(name, &http::HeaderValue::from_static(""));
        }
        draft.target(target);
        let mut meta = [SIGNPOST; 9];
        meta[1..].copy_from_slice(&number);
        draft.meta(&meta);
        draft.times(times.now, times.keep_until, times.keep_until);
        Self {
            entry: draft.finish(&[]),
            number,
        }
    }

    fn is_stale(&self) -> bool {
        self.entry.fresh_until() == Moment::EPOCH
    }

    /// The same for longer, if that is needed.
    fn outlive(&self, times: Times) -> Option<Entry> {
        (self.entry.keep_until() < times.keep_until).then(|| {
            let mut draft = self.entry.to_draft();
            draft.times(times.now, times.keep_until, times.keep_until);
            draft.finish(&[])
        })
    }
}

/// Writes the terms of a response into its entry.
pub(crate) fn write_terms(draft: &mut Draft, terms: Terms) {
    let mut meta = [RESPONSE; 1 + Terms::LENGTH];
    meta[1..].copy_from_slice(&terms.to_bytes());
    draft.meta(&meta);
}

/// The response in an entry, if it is one of this conduct.
pub(crate) fn response(entry: Entry, now: Moment) -> Option<Stored> {
    match kind(Some(entry), now) {
        Kind::Response(stored) => Some(stored),
        Kind::Signpost(_) | Kind::Foreign => None,
    }
}

fn kind(entry: Option<Entry>, now: Moment) -> Kind {
    let Some(entry) = entry.filter(|entry| entry.is_kept(now)) else {
        return Kind::Foreign;
    };
    match entry.meta() {
        [RESPONSE, terms @ ..] => match Terms::from_bytes(entry.stored_at().as_millis(), terms) {
            Some(mut terms) => {
                if entry.fresh_until() == Moment::EPOCH {
                    terms = terms.stale_from(now.as_millis());
                }
                Kind::Response(Stored { entry, terms })
            }
            None => Kind::Foreign,
        },
        [SIGNPOST, number @ ..] => match number.try_into() {
            Ok(number) => Kind::Signpost(Signpost { entry, number }),
            Err(_) => Kind::Foreign,
        },
        _ => Kind::Foreign,
    }
}
