//! From a key to a response: what is stored, what somebody else fetches, or what is fetched for all.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::uri::PathAndQuery;
use portcullis_core::{BoxError, CacheStatus, RequestContext};

use crate::body::CacheBody;
use crate::cache::{ResponseCache, Turn};
use crate::entry::Entry;
use crate::fill::{Landing, Lead};
use crate::flight::{Outcome, Seat};
use crate::key::{Key, KeyBuilder};
use crate::purges::Sought;
use crate::rules::{Asked, CacheRules, Codings, RulesAdmit, Wish};
use crate::store::{Answer, StoreError};

/// What a look into the cache comes to.
pub(crate) enum Look {
    /// It is there.
    Hit(Entry),
    /// It is to be fetched.
    Fetch(Landing),
    /// That takes waiting.
    Slow(Search),
}

/// Looks for what a request asks for, as far as that takes no waiting.
pub(crate) fn look(cache: &ResponseCache, asked: &Asked<'_>, mut key: KeyBuilder) -> Look {
    let mut codings = None;
    let mut stale = false;
    loop {
        let found = match cache.get(key.as_bytes()) {
            Answer::Now(found) => cache.noted(found),
            Answer::Later(found) => {
                return Look::Slow(Search::new(cache, asked, &key, codings, Wait::Ask(found)));
            }
        };
        match found {
            Ok(Some(entry)) if entry.is_fresh(cache.now()) => {
                if entry.meta().is_empty() {
                    return hit(cache, asked.context, entry, CacheStatus::Hit);
                }
                let accepted = Codings::of(asked.headers);
                if accepted.read(&entry) {
                    return hit(cache, asked.context, entry, CacheStatus::Hit);
                }
                if codings.is_some() {
                    break;
                }
                // For those who cannot read it there is another.
                accepted.write(&mut key);
                codings = Some(accepted);
            }
            Ok(found) => {
                stale = found.is_some();
                break;
            }
            Err(_) => {
                note(cache, asked.context, CacheStatus::Miss);
                return Look::Fetch(cache.alone(key.as_bytes()));
            }
        }
    }
    let usable =
        |entry: &Entry| entry.is_fresh(cache.now()) && Codings::of(asked.headers).read(entry);
    match cache.take_turn(sought(key.as_bytes(), asked.target()), usable) {
        Turn::Found(entry) => hit(cache, asked.context, entry, CacheStatus::Collapsed),
        Turn::Lead(landing) | Turn::Alone(landing) => {
            note(cache, asked.context, missed(stale));
            Look::Fetch(landing)
        }
        Turn::Follow(seat) => {
            Look::Slow(Search::new(cache, asked, &key, codings, Wait::Follow(seat)))
        }
    }
}

/// Begins to fetch what takes the place of an entry.
pub(crate) fn refresh(cache: &ResponseCache, asked: &Asked<'_>, mut key: KeyBuilder) -> Landing {
    // The entry that the client would have been served with.
    if let Answer::Now(Ok(Some(entry))) = cache.get(key.as_bytes())
        && !entry.meta().is_empty()
    {
        let accepted = Codings::of(asked.headers);
        if !accepted.read(&entry) {
            accepted.write(&mut key);
        }
    }
    note(cache, asked.context, CacheStatus::Refreshed);
    cache.refresh(sought(key.as_bytes(), asked.target()))
}

const fn sought<'a>(key: &'a [u8], target: &'a str) -> Sought<'a> {
    Sought {
        key,
        root: key,
        target: target.as_bytes(),
    }
}

fn hit(
    cache: &ResponseCache,
    context: Option<&RequestContext>,
    entry: Entry,
    status: CacheStatus,
) -> Look {
    note(cache, context, status);
    Look::Hit(entry)
}

const fn missed(stale: bool) -> CacheStatus {
    if stale {
        CacheStatus::Expired
    } else {
        CacheStatus::Miss
    }
}

/// Counts what became of a request, and tells its context.
pub(crate) fn note(cache: &ResponseCache, context: Option<&RequestContext>, status: CacheStatus) {
    cache.count(status);
    if let Some(context) = context {
        context.set_cache_status(status);
    }
}

/// A search that waits: for the store, or for another request.
pub(crate) struct Search {
    cache: ResponseCache,
    context: Option<RequestContext>,
    key: Key,
    target: Option<PathAndQuery>,
    accepted: Codings,
    /// The key names the codings already.
    classed: bool,
    wait: Wait,
}

enum Wait {
    Ask(Pin<Box<dyn Future<Output = Result<Option<Entry>, StoreError>> + Send>>),
    Follow(Seat),
}

impl Search {
    fn new(
        cache: &ResponseCache,
        asked: &Asked<'_>,
        key: &KeyBuilder,
        codings: Option<Codings>,
        wait: Wait,
    ) -> Self {
        Self {
            cache: cache.clone(),
            context: asked.context.cloned(),
            key: key.to_key(),
            target: asked.uri.path_and_query().cloned(),
            accepted: codings.unwrap_or_else(|| Codings::of(asked.headers)),
            classed: codings.is_some(),
            wait,
        }
    }

    /// Goes on until there is a response: what is found, or what `call` begins to fetch.
    pub(crate) async fn serve<F, B, E>(
        self,
        rules: Arc<CacheRules>,
        wish: Wish,
        call: impl Future<Output = Result<F, E>>,
    ) -> Result<Response<CacheBody<B>>, E>
    where
        F: Future<Output = Result<Response<B>, E>> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        match self.find().await {
            Ok(entry) => Ok(entry.to_response()),
            Err(landing) => {
                let admit = RulesAdmit { rules, wish };
                Lead::new(call.await?, admit, landing).await
            }
        }
    }

    /// What is found; or else the duty to fetch it.
    async fn find(mut self) -> Result<Entry, Landing> {
        let mut failed = false;
        loop {
            let stale = match self.wait {
                Wait::Ask(found) => match self.cache.noted(found.await) {
                    Ok(Some(entry)) if entry.is_fresh(self.cache.now()) => {
                        if self.accepted.read(&entry) {
                            note(&self.cache, self.context.as_ref(), CacheStatus::Hit);
                            return Ok(entry);
                        }
                        if !self.classed {
                            self.classed = true;
                            self.key = self.key.extended(|key| self.accepted.write(key));
                            self.wait = Wait::ask(&self.cache, &self.key);
                            continue;
                        }
                        false
                    }
                    Ok(found) => found.is_some(),
                    Err(_) => break,
                },
                Wait::Follow(ref seat) => match self.cache.outcome(seat, self.key.as_bytes()).await
                {
                    Some(Outcome::Stored(entry)) if self.usable(&entry) => {
                        note(&self.cache, self.context.as_ref(), CacheStatus::Collapsed);
                        return Ok(entry);
                    }
                    // One of those who waited tries in its place, for all of them, once.
                    Some(Outcome::Failed) if !failed => {
                        failed = true;
                        false
                    }
                    Some(Outcome::Purged) => false,
                    _ => break,
                },
            };
            let target = self.target.as_ref().map_or("/", PathAndQuery::as_str);
            let sought = sought(self.key.as_bytes(), target);
            let turn = self.cache.take_turn(sought, |entry| {
                entry.is_fresh(self.cache.now()) && self.accepted.read(entry)
            });
            match turn {
                Turn::Found(entry) => {
                    note(&self.cache, self.context.as_ref(), CacheStatus::Collapsed);
                    return Ok(entry);
                }
                Turn::Lead(landing) | Turn::Alone(landing) => {
                    note(&self.cache, self.context.as_ref(), missed(stale));
                    return Err(landing);
                }
                Turn::Follow(seat) => self.wait = Wait::Follow(seat),
            }
        }
        note(&self.cache, self.context.as_ref(), CacheStatus::Miss);
        Err(self.cache.alone(self.key.as_bytes()))
    }

    fn usable(&self, entry: &Entry) -> bool {
        entry.is_fresh(self.cache.now()) && self.accepted.read(entry)
    }
}

impl Wait {
    fn ask(cache: &ResponseCache, key: &Key) -> Self {
        Self::Ask(match cache.get(key.as_bytes()) {
            Answer::Now(found) => Box::pin(std::future::ready(found)),
            Answer::Later(found) => found,
        })
    }
}
