//! On what terms a stored response may be used: how long it is fresh, and what may be done when it is not.

use http::header::{AGE, LAST_MODIFIED};
use http::{HeaderMap, StatusCode};

use super::date;
use super::directives::{CacheControl, FOREVER, Members, seconds};

/// What is kept of the fields that say how a response may be used, so that a hit reads none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// When the response came, in milliseconds since 1970.
    pub(crate) received: u64,
    /// How old it was then, in seconds (RFC 9111 section 4.2.3, `corrected_initial_age`).
    pub(crate) initial_age: u32,
    /// How old it may become, in seconds (section 4.2.1).
    pub(crate) lifetime: u32,
    /// How long after that it may be used while another is fetched, in seconds.
    pub(crate) stale_while_revalidate: u32,
    /// How long after that it may be used where the origin fails, in seconds.
    pub(crate) stale_if_error: u32,
    /// What else the origin says.
    pub(crate) demand: Demand,
}

/// What an origin demands before a stored response is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Nothing while it is fresh, and good reason when it is stale.
    Nothing,
    /// The same, but only its own permissions are reason enough (`s-maxage`).
    Permission,
    /// Validation as soon as it is stale (`must-revalidate`, `proxy-revalidate`).
    ValidateStale,
    /// Validation before each use (`no-cache`).
    ValidateAlways,
}

/// When the exchange took place, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    pub(crate) asked: u64,
    pub(crate) answered: u64,
}

/// How old a response may become where the origin does not say it (RFC 9111 section 4.2.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heuristic {
    /// Of the time that passed since the last modification, in parts of a thousand.
    pub(crate) per_mille: u32,
    /// At most so many seconds.
    pub(crate) most: u32,
}

/// What a stored response is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It is the answer.
    Serve,
    /// It is the answer, and another one is fetched.
    ServeAndRevalidate,
    /// The origin has to be asked.
    Validate,
}

/// Why the origin gave no answer that could be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It could not be reached, or did not answer.
    Disconnected,
    /// It answered 500, 502, 503 or 504 (RFC 5861 section 4).
    Status,
}

impl Terms {
    /// How many bytes they are written in.
    pub(crate) const LENGTH: usize = 17;

    /// Writes them, all but when the response came.
    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let numbers = [
            self.initial_age,
            self.lifetime,
            self.stale_while_revalidate,
            self.stale_if_error,
        ];
        for (place, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes[16] = self.demand as u8;
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` if it did not.
    pub(crate) fn from_bytes(received: u64, bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<4>();
        let (&[age, lifetime, revalidate, error], &[demand]) = (numbers, rest) else {
            return None;
        };
        Some(Self {
            received,
            initial_age: u32::from_le_bytes(age),
            lifetime: u32::from_le_bytes(lifetime),
            stale_while_revalidate: u32::from_le_bytes(revalidate),
            stale_if_error: u32::from_le_bytes(error),
            demand: Demand::ALL
                .into_iter()
                .find(|known| *known as u8 == demand)?,
        })
    }

    /// The same, but stale from `now` on: what a soft purge says.
    pub(crate) fn stale_from(mut self, now: u64) -> Self {
        self.lifetime = self.lifetime.min(clamp(self.age(now)));
        self
    }

    /// Reads them from a response. `directives` are those of a targeted field where `targeted`: `Expires` does not count then.
    pub(crate) fn of(
        status: StatusCode,
        headers: &HeaderMap,
        directives: CacheControl,
        targeted: bool,
        heuristic: Heuristic,
        exchange: Exchange,
    ) -> Self {
        let answered = exchange.answered / 1000;
        let sent = date::date(headers).unwrap_or(answered);
        let expires = if targeted {
            None
        } else {
            date::expires(headers)
        };
        let lifetime = match (directives.s_maxage(), directives.max_age(), expires) {
            (Some(seconds), _, _) | (None, Some(seconds), _) => seconds,
            (None, None, Some(expires)) => clamp(expires.saturating_sub(sent)),
            (None, None, None) => heuristic.lifetime(status, headers, directives, sent),
        };
        let apparent = answered.saturating_sub(sent);
        let delay = exchange.answered.saturating_sub(exchange.asked) / 1000;
        let corrected = u64::from(age(headers)).saturating_add(delay);
        Self {
            received: exchange.answered,
            initial_age: clamp(apparent.max(corrected)),
            lifetime,
            stale_while_revalidate: directives.stale_while_revalidate().unwrap_or(0),
            stale_if_error: directives.stale_if_error().unwrap_or(0),
            demand: Demand::of(directives),
        }
    }

    /// How old the response is, in milliseconds.
    fn age_millis(&self, now: u64) -> u64 {
        millis(self.initial_age) + now.saturating_sub(self.received)
    }

    /// How old the response is, in seconds.
    pub(crate) fn age(&self, now: u64) -> u64 {
        self.age_millis(now) / 1000
    }

    /// How long it stays fresh, in milliseconds; what is negative, it has been stale for.
    pub(crate) fn remaining(&self, now: u64) -> i64 {
        let age = i64::try_from(self.age_millis(now)).unwrap_or(i64::MAX);
        i64::from(self.lifetime) * 1000 - age
    }

    /// What the response is good for, for a request of these directives.
    pub(crate) fn assess(&self, now: u64, request: CacheControl) -> Use {
        if self.demand == Demand::ValidateAlways || request.no_cache() {
            return Use::Validate;
        }
        if let Some(most) = request.max_age()
            && (most == 0 || self.age_millis(now) > millis(most))
        {
            return Use::Validate;
        }
        let remaining = self.remaining(now);
        if let Some(least) = request.min_fresh()
            && remaining < i64::from(least) * 1000
        {
            return Use::Validate;
        }
        if remaining > 0 {
            return Use::Serve;
        }
        let stale_for = remaining.unsigned_abs();
        if self.demand == Demand::ValidateStale {
            return Use::Validate;
        }
        if stale_for < millis(self.stale_while_revalidate) {
            return Use::ServeAndRevalidate;
        }
        match request.max_stale() {
            Some(most) if self.demand == Demand::Nothing && stale_for <= millis(most) => Use::Serve,
            _ => Use::Validate,
        }
    }

    /// Whether the response may be used although the origin failed. Where it did not answer at all, `disconnected` seconds after it
    /// became stale are allowed besides (RFC 9111 section 4.2.4).
    pub(crate) fn may_replace_failure(
        &self,
        now: u64,
        request: CacheControl,
        failure: Failure,
        disconnected: u32,
    ) -> bool {
        // Such a request would rather have no answer than one that nobody vouches for.
        if request.no_cache() || request.max_age() == Some(0) || request.min_fresh().is_some() {
            return false;
        }
        let remaining = self.remaining(now);
        if remaining > 0 {
            return self.demand != Demand::ValidateAlways;
        }
        let most = match (self.demand, failure) {
            (Demand::ValidateStale | Demand::ValidateAlways, _) => return false,
            (Demand::Nothing, Failure::Disconnected) => self.stale_if_error.max(disconnected),
            (Demand::Nothing, Failure::Status) | (Demand::Permission, _) => self.stale_if_error,
        };
        remaining.unsigned_abs() < millis(most)
    }

    /// For how many milliseconds from `now` the response can be of any use: while it is fresh, as long as it may be used stale, and, if there is
    /// something to ask for by (`validated`), for `keep` seconds after that.
    pub(crate) fn useful_for(
        &self,
        now: u64,
        validated: bool,
        disconnected: u32,
        keep: u32,
    ) -> u64 {
        let keep = if validated { keep } else { 0 };
        let fresh = u64::try_from(self.remaining(now)).unwrap_or(0);
        let own = self.stale_while_revalidate.max(self.stale_if_error);
        let grace = match self.demand {
            Demand::ValidateAlways => return millis(keep),
            Demand::ValidateStale => 0,
            Demand::Nothing if fresh > 0 => own.max(disconnected),
            // What was never fresh is no use where the origin is silent.
            Demand::Nothing | Demand::Permission => own,
        };
        fresh + millis(grace.max(keep))
    }
}

impl Demand {
    const ALL: [Self; 4] = [
        Self::Nothing,
        Self::Permission,
        Self::ValidateStale,
        Self::ValidateAlways,
    ];

    const fn of(directives: CacheControl) -> Self {
        if directives.no_cache() {
            Self::ValidateAlways
        } else if directives.must_revalidate() || directives.proxy_revalidate() {
            Self::ValidateStale
        } else if directives.s_maxage().is_some() {
            Self::Permission
        } else {
            Self::Nothing
        }
    }
}

impl Heuristic {
    fn lifetime(
        self,
        status: StatusCode,
        headers: &HeaderMap,
        directives: CacheControl,
        sent: u64,
    ) -> u32 {
        if !headers.contains_key(LAST_MODIFIED)
            || !(directives.public() || is_heuristically_cacheable(status))
        {
            return 0;
        }
        let modified = date::last_modified(headers).unwrap_or(sent);
        let part = sent
            .saturating_sub(modified)
            .saturating_mul(u64::from(self.per_mille))
            / 1000;
        clamp(part).min(self.most)
    }
}

/// Statuses that may be stored without the origin saying how long they are fresh (RFC 9110 section 15.1).
pub(crate) const fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// `Age`: of several values the first counts, and what is no number is not there (RFC 9111 section 5.1).
fn age(headers: &HeaderMap) -> u32 {
    let Some(line) = headers.get(AGE) else {
        return 0;
    };
    let first = Members(Some(line.as_bytes())).next().unwrap_or_default();
    // Nobody defined parameters; a number before one is a number all the same.
    let end = memchr::memchr(b';', first).unwrap_or(first.len());
    seconds(first[..end].trim_ascii()).unwrap_or(0)
}

fn clamp(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(FOREVER).min(FOREVER)
}

fn millis(seconds: u32) -> u64 {
    u64::from(seconds) * 1000
}

#[cfg(test)]
mod tests;
