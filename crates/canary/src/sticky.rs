//! By what a client is known again.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderName;
use portcullis_core::{Head, RequestContext};
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use crate::cookie::{self, Forged, StickyCookie};
use crate::error::ConfigError;

/// By what a client is known again, so that it stays where it is: canary users in the canary, and everybody else out of it.
///
/// Each identity has one fixed place between 0 and 100 %, on every machine and after every restart. Requests without one are drawn by chance, each for
/// itself, unless [`or`](Self::or) names something else to look at.
///
/// ```
/// use http::HeaderName;
/// use portcullis_canary::Sticky;
///
/// let by_tenant = Sticky::header(HeaderName::from_static("x-tenant"));
/// let by_session = Sticky::cookie("session").or(Sticky::client_address());
/// let by_path = Sticky::by(|head, key| {
///     if let Some(shop) = head.uri().path().split('/').nth(1) {
///         key.part(shop.as_bytes());
///     }
/// });
/// # let _ = (by_tenant, by_session, by_path);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Sticky {
    sources: Vec<Source>,
}

type Extract = dyn Fn(&Head<'_>, &mut StickyKey<'_>) + Send + Sync;

#[derive(Clone)]
enum Source {
    Cookie(String),
    Own(Arc<StickyCookie>),
    Header(HeaderName),
    Principal,
    Client,
    By(Arc<Extract>),
}

impl Sticky {
    /// A cookie that the application sets: that of its session, say.
    pub fn cookie(name: impl Into<String>) -> Self {
        Self::one(Source::Cookie(name.into()))
    }

    /// A cookie of our own, which clients without one get with their answer. With it every client has an identity, so nothing behind it is looked at.
    pub fn own_cookie(cookie: StickyCookie) -> Self {
        Self::one(Source::Own(Arc::new(cookie)))
    }

    /// The first value of a header.
    pub fn header(name: HeaderName) -> Self {
        Self::one(Source::Header(name))
    }

    /// Who signed the request or whose token it carries, as the request's context has it. The split stands inside of authentication then.
    pub fn principal() -> Self {
        Self::one(Source::Principal)
    }

    /// The address of the client, as the request's context has it; of IPv6 addresses the first 64 bits.
    pub fn client_address() -> Self {
        Self::one(Source::Client)
    }

    /// Whatever `extract` writes; if it writes nothing, the request has no identity.
    pub fn by(extract: impl Fn(&Head<'_>, &mut StickyKey<'_>) + Send + Sync + 'static) -> Self {
        Self::one(Source::By(Arc::new(extract)))
    }

    /// Looks at `other` for requests that have no identity by this.
    pub fn or(mut self, other: Self) -> Self {
        self.sources.extend(other.sources);
        self
    }

    /// Whether it looks at who signed the request or whose token it carries.
    #[must_use]
    pub fn asks_for_the_principal(&self) -> bool {
        let mut sources = self.sources.iter();
        sources.any(|source| matches!(source, Source::Principal))
    }

    fn one(source: Source) -> Self {
        Self {
            sources: vec![source],
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        for source in &self.sources {
            match source {
                Source::Cookie(name) => cookie::check_name("sticky.cookie", name)?,
                Source::Own(own) => own.check()?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Who sent the request.
    pub(crate) fn identify(&self, head: &Head<'_>, salt: &RapidSecrets) -> Identified<'_> {
        let mut key = StickyKey::new(salt);
        for source in &self.sources {
            match source {
                Source::Header(name) => {
                    if let Some(value) = head.headers().get(name) {
                        key.part(value.as_bytes());
                    }
                }
                Source::Cookie(name) => {
                    if let Some(value) = cookie::find(head.headers(), name) {
                        key.part(value);
                    }
                }
                Source::Own(cookie) => {
                    return match cookie.read(head.headers()) {
                        Ok(Some(id)) => {
                            key.part(&id.to_be_bytes());
                            Identified::By(key.hash.unwrap_or_default())
                        }
                        Ok(None) => Identified::Anew(cookie, None),
                        Err(forged) => Identified::Anew(cookie, Some(forged)),
                    };
                }
                Source::Principal => {
                    if let Some(context) = head.context() {
                        context.principal(|own| {
                            if let Some(own) = own {
                                key.part(own.as_bytes());
                            }
                        });
                    }
                }
                Source::Client => {
                    if let Some(client) = head.context().and_then(RequestContext::client) {
                        key.address(client);
                    }
                }
                Source::By(extract) => extract(head, &mut key),
            }
            if let Some(hash) = key.hash {
                return Identified::By(hash);
            }
        }
        Identified::Not
    }
}

/// What became of looking for an identity.
pub(crate) enum Identified<'a> {
    /// The hash of it.
    By(u64),
    /// There is none, and this cookie is to give it one.
    Anew(&'a StickyCookie, Option<Forged>),
    Not,
}

/// Takes the parts of an identity, in order.
#[derive(Debug)]
pub struct StickyKey<'a> {
    salt: &'a RapidSecrets,
    hash: Option<u64>,
}

impl<'a> StickyKey<'a> {
    pub(crate) const fn new(salt: &'a RapidSecrets) -> Self {
        Self { salt, hash: None }
    }

    pub(crate) const fn hash(&self) -> Option<u64> {
        self.hash
    }

    /// Adds a part.
    pub fn part(&mut self, bytes: &[u8]) {
        let hash = hash(bytes, self.salt);
        self.hash = Some(match self.hash {
            None => hash,
            // Odd, so that no bit of what came before is lost.
            Some(before) => before.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) ^ hash,
        });
    }

    /// Adds the address of a client: of IPv6 addresses the first 64 bits, which one client has to itself.
    pub fn address(&mut self, address: IpAddr) {
        match address.to_canonical() {
            IpAddr::V4(v4) => self.part(&v4.octets()),
            IpAddr::V6(v6) => self.part(&v6.octets()[..8]),
        }
    }
}

/// A hash that is the same on every machine and in every version.
pub(crate) fn hash(bytes: &[u8], salt: &RapidSecrets) -> u64 {
    rapidhash_v3_seeded(bytes, salt)
}

/// The salt that a text is.
pub(crate) fn salt(text: &str) -> RapidSecrets {
    const PLAIN: RapidSecrets = RapidSecrets::seed(0);
    RapidSecrets::seed(hash(text.as_bytes(), &PLAIN))
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cookie(name) => f.debug_tuple("Cookie").field(name).finish(),
            Self::Own(cookie) => f.debug_tuple("Own").field(cookie).finish(),
            Self::Header(name) => f.debug_tuple("Header").field(name).finish(),
            Self::Principal => f.write_str("Principal"),
            Self::Client => f.write_str("Client"),
            Self::By(_) => f.write_str("By"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{hash, salt};

    #[test]
    fn places_are_the_same_in_every_build() {
        // If this changes, every user of a sticky split moves.
        assert_eq!(hash(b"user-1", &salt("")), PLACE);
        assert_ne!(hash(b"user-1", &salt("other")), PLACE);
    }

    const PLACE: u64 = 12_257_383_788_375_942_715;
}
