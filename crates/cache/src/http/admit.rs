//! Decides what becomes of a response that has just come from the origin.

use std::sync::Arc;

use http::header::{AGE, CONTENT_LENGTH, ETAG, LAST_MODIFIED, SET_COOKIE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, response};

use super::directives::{self, CacheControl};
use super::fields;
use super::place::{self, Place, Stored, Times};
use super::rules::{HttpCacheRules, SetCookie};
use super::storable::{self, Asked, NotStored};
use super::surrogate;
use super::targeted;
use super::terms::{Exchange, Failure, Terms};
use super::vary::Vary;
use super::{date, status::Forwarded};
use crate::entry::{Draft, Entry};
use crate::fill::{Admission, Admit, Landing};
use crate::key::Key;
use crate::moment::Moment;
use crate::rules::tags;

/// What is known of a request when its response comes.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) rules: Arc<HttpCacheRules>,
    pub(crate) place: Place,
    /// As the client sent them.
    pub(crate) request: Arc<HeaderMap>,
    pub(crate) target: Option<PathAndQuery>,
    pub(crate) asked: Asked,
    /// When it was sent.
    pub(crate) sent: Moment,
    /// The directives of the request, as far as they count.
    pub(crate) directives: CacheControl,
    /// What is stored, and was asked about.
    pub(crate) previous: Option<Stored>,
    pub(crate) forwarded: Forwarded,
}

/// What was made of a response, left in its extensions.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// What its client gets instead.
    pub(crate) instead: Option<Stored>,
    pub(crate) forwarded: Forwarded,
}

/// A response to be stored.
struct Filing {
    draft: Draft,
    terms: Terms,
    signpost: Option<Entry>,
}

impl Admit for Fetch {
    fn admit(mut self, head: &mut response::Parts, landing: &mut Landing) -> Admission {
        let now = landing.cache().now();
        let previous = self.previous.take();
        if let Some(previous) = &previous {
            if head.status == StatusCode::NOT_MODIFIED {
                self.confirm(head, previous, landing, now);
                return Admission::Failed;
            }
            if is_failure(head.status)
                && previous.terms.may_replace_failure(
                    now.as_millis(),
                    self.directives,
                    Failure::Status,
                    self.rules.disconnected,
                )
            {
                self.leave(head, Some(previous.clone()));
                landing.split().share(previous.entry.clone());
                return Admission::Failed;
            }
        }
        date::ensure(&mut head.headers, now);
        match self.file(head.status, &head.headers, now) {
            Ok(filing) => {
                self.forwarded.stored = true;
                self.leave(head, None);
                self.put_up(filing.signpost, landing);
                Admission::Store {
                    draft: filing.draft,
                    limit: self.rules.max_body,
                }
            }
            Err(why) => {
                self.forwarded.detail = Some(why);
                self.leave(head, None);
                // What the origin no longer wants to be stored is not served any longer.
                if previous.is_some() && !head.status.is_server_error() {
                    landing.forget();
                }
                if head.status.is_server_error() {
                    Admission::Failed
                } else {
                    Admission::Private
                }
            }
        }
    }
}

impl Fetch {
    /// Leaves word of what was made of the response.
    fn leave(&self, head: &mut response::Parts, instead: Option<Stored>) {
        let mut forwarded = self.forwarded;
        if instead.is_some() {
            forwarded.status = Some(head.status);
        }
        head.extensions.insert(Verdict { instead, forwarded });
    }

    /// The origin says that what is stored still holds (RFC 9111 section 4.3.4).
    fn confirm(
        &mut self,
        head: &mut response::Parts,
        previous: &Stored,
        landing: &mut Landing,
        now: Moment,
    ) {
        let (stored, filed) = self.freshen(previous, &mut head.headers, now);
        match filed {
            Ok(signpost) => {
                self.forwarded.stored = true;
                self.put_up(signpost, landing);
                landing.split().store(stored.entry.clone());
            }
            Err(why) => {
                self.forwarded.detail = Some(why);
                landing.forget();
            }
        }
        self.leave(head, Some(stored));
    }

    /// What is stored, with the fields of a response that confirms it; and what stands in the way of storing that.
    pub(crate) fn freshen(
        &mut self,
        previous: &Stored,
        update: &mut HeaderMap,
        now: Moment,
    ) -> (Stored, Result<Option<Entry>, NotStored>) {
        date::ensure(update, now);
        fields::remove_named_by_connection(update);
        let mut merged = HeaderMap::with_capacity(previous.entry.header_count() + 4);
        for (name, value) in previous.entry.headers() {
            merged.append(name, value);
        }
        fields::update(&mut merged, update);
        let status = previous.entry.status();
        let body = [previous.entry.body()];
        match self.file(status, &merged, now) {
            Ok(Filing {
                draft,
                terms,
                signpost,
            }) => {
                let entry = draft.finish(&body);
                (Stored { entry, terms }, Ok(signpost))
            }
            Err(why) => {
                let terms = self.terms(status, &merged, now);
                let draft = self.draft(status, &merged, terms, now, now);
                let entry = draft.finish(&body);
                (Stored { entry, terms }, Err(why))
            }
        }
    }

    /// Finds out whether, where and on what terms a response is stored.
    fn file(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        now: Moment,
    ) -> Result<Filing, NotStored> {
        let (directives, _) = self.directives_of(headers);
        let vary = storable::check(
            self.asked,
            status,
            headers,
            directives,
            self.rules.set_cookie,
        )?;
        let terms = self.terms(status, headers, now);
        let validated = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
        let rules = &self.rules;
        let useful = terms.useful_for(now.as_millis(), validated, rules.disconnected, rules.keep);
        if useful == 0 {
            return Err(NotStored::Useless);
        }
        let keep_until = Moment::from_millis(now.as_millis().saturating_add(useful));
        let names = match vary {
            Vary::On(names) => names,
            Vary::Nothing | Vary::Everything => Vec::new(),
        };
        let times = Times { now, keep_until };
        let target = self
            .target
            .as_ref()
            .map_or("/", PathAndQuery::as_str)
            .as_bytes();
        let signpost = self.place.settle(&names, &self.request, times, target);
        Ok(Filing {
            draft: self.draft(status, headers, terms, now, keep_until),
            terms,
            signpost,
        })
    }

    fn terms(&self, status: StatusCode, headers: &HeaderMap, now: Moment) -> Terms {
        let (directives, targeted) = self.directives_of(headers);
        let exchange = Exchange {
            asked: self.sent.as_millis(),
            answered: now.as_millis(),
        };
        Terms::of(
            status,
            headers,
            directives,
            targeted,
            self.rules.heuristic,
            exchange,
        )
    }

    /// The directives that count, and whether they are those of a field that goes before `Cache-Control`.
    fn directives_of(&self, headers: &HeaderMap) -> (CacheControl, bool) {
        let surrogate = || {
            let device = self.rules.surrogate.as_ref()?;
            surrogate::of(headers, device.device.as_bytes())
        };
        match targeted::of(headers, &self.rules.targets).or_else(surrogate) {
            Some(directives) => (directives, true),
            None => (CacheControl::of(headers), false),
        }
    }

    fn draft(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        terms: Terms,
        now: Moment,
        keep_until: Moment,
    ) -> Draft {
        let mut draft = Draft::new(status);
        let left_out = left_out(headers);
        draft.headers(headers, |name| {
            fields::is_stored(name)
                // It is counted anew for each answer.
                && *name != AGE
                && !(*name == SET_COOKIE && self.rules.set_cookie != SetCookie::Replay)
                && !left_out.contains(name)
        });
        draft.target(
            self.target
                .as_ref()
                .map_or("/", PathAndQuery::as_str)
                .as_bytes(),
        );
        tags(headers, &mut draft);
        place::write_terms(&mut draft, terms);
        let remaining = u64::try_from(terms.remaining(now.as_millis())).unwrap_or(0);
        draft.times(
            now,
            Moment::from_millis(now.as_millis().saturating_add(remaining)),
            keep_until,
        );
        draft
    }

    /// Puts the signpost up, and moves the response to where that leads.
    pub(crate) fn put_up(&self, signpost: Option<Entry>, landing: &mut Landing) {
        if let Some(signpost) = signpost {
            let key = Key::from_bytes(self.place.target_key());
            landing.aside(key).store(signpost);
        }
        if landing.key().as_bytes() != self.place.key() {
            landing.file_under(Key::from_bytes(self.place.key()));
        }
    }
}

/// The fields that belong to the connection, or that `no-cache` and `private` name.
fn left_out(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut names = fields::named_by_connection(headers);
    if CacheControl::of(headers).names_fields() {
        names.extend(directives::listed_fields(headers));
    }
    names
}

/// Errors that a stale response may take the place of (RFC 5861 section 4).
const fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// Whether the head of a response to `HEAD` describes what is stored (RFC 9111 section 4.3.5).
pub(crate) fn describes(head: &HeaderMap, stored: &Entry) -> bool {
    let same = |name: &HeaderName| match (head.get(name), stored.header(name)) {
        (Some(one), Some(other)) => one.as_bytes() == other,
        _ => true,
    };
    let length = head.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    same(&ETAG)
        && same(&LAST_MODIFIED)
        && length.is_none_or(|length| length == stored.body_len().to_string().as_bytes())
}
