//! What a limit counts by.

use std::fmt;
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::quality::FoldHasher;
use http::HeaderName;
use portcullis_core::{Head, RequestContext};

use crate::client::ClientAddress;

/// What a limit counts by: the client's address, a header, the caller, or several of these together.
///
/// Requests without what the key asks for (no such header, no such caller) are counted together.
///
/// ```
/// use http::HeaderName;
/// use portcullis_throttle::Key;
///
/// let per_tenant_and_route = Key::header(HeaderName::from_static("x-tenant")).and(Key::route());
/// let per_version = Key::by(|head, key| {
///     if let Some(version) = head.uri().path().split('/').nth(1) {
///         key.part(version.as_bytes());
///     }
/// });
/// # let _ = (per_tenant_and_route, per_version);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Key {
    parts: Vec<Part>,
}

type Extract = dyn Fn(&Head<'_>, &mut KeyWriter<'_>) + Send + Sync;

#[derive(Clone)]
enum Part {
    Client(ClientAddress),
    Header(HeaderName),
    ApiKey,
    Principal,
    Claim(Arc<str>),
    Route,
    Method,
    Stage,
    By(Arc<Extract>),
}

impl Key {
    /// One bucket for all requests.
    pub const fn shared() -> Self {
        Self { parts: Vec::new() }
    }

    /// The address of the client, as the request's context has it; of IPv6 addresses the first 64 bits, which one client has to itself.
    ///
    /// [`ClientAddress`] has more to say: trusted proxies, other prefixes, where a connection's peer is found.
    pub fn client_address() -> Self {
        Self::one(Part::Client(ClientAddress::new()))
    }

    /// The first value of a header. Its clients choose it, so it should be one that a proxy sets, or an inner limit of several.
    pub fn header(name: HeaderName) -> Self {
        Self::one(Part::Header(name))
    }

    /// The id of the API key by which the request was let in.
    pub fn api_key() -> Self {
        Self::one(Part::ApiKey)
    }

    /// Who signed the request or whose token it carries: the caller's ARN, else `sub` of the verified claims, else `principalId` of a custom authorizer.
    pub fn principal() -> Self {
        Self::one(Part::Principal)
    }

    /// A claim of the verified token.
    pub fn claim(name: impl Into<Arc<str>>) -> Self {
        Self::one(Part::Claim(name.into()))
    }

    /// The template of the route that the request matched, as the request's context has it.
    pub fn route() -> Self {
        Self::one(Part::Route)
    }

    /// The verb.
    pub fn method() -> Self {
        Self::one(Part::Method)
    }

    /// The API and the stage that serve the request, as the request's context has them.
    pub fn stage() -> Self {
        Self::one(Part::Stage)
    }

    /// Whatever `extract` writes.
    pub fn by(extract: impl Fn(&Head<'_>, &mut KeyWriter<'_>) + Send + Sync + 'static) -> Self {
        Self::one(Part::By(Arc::new(extract)))
    }

    /// Both: each combination has a bucket of its own.
    pub fn and(mut self, other: impl Into<Self>) -> Self {
        self.parts.extend(other.into().parts);
        self
    }

    fn one(part: Part) -> Self {
        Self { parts: vec![part] }
    }

    pub(crate) const fn is_shared(&self) -> bool {
        self.parts.is_empty()
    }

    /// The header, if it is all that the key is made of.
    pub(crate) fn sole_header(&self) -> Option<&HeaderName> {
        match &*self.parts {
            [Part::Header(name)] => Some(name),
            _ => None,
        }
    }

    /// Writes what the key finds in `head`.
    #[inline]
    pub(crate) fn write(&self, head: &Head<'_>, key: &mut KeyWriter<'_>) {
        match &*self.parts {
            [Part::Header(name)] => header(head, name, key),
            parts => Self::write_all(parts, head, key),
        }
    }

    fn write_all(parts: &[Part], head: &Head<'_>, key: &mut KeyWriter<'_>) {
        for part in parts {
            part.write(head, key);
        }
    }

    /// Writes a key that is given as text, a value for each part.
    pub(crate) fn write_text(&self, values: &[&str], key: &mut KeyWriter<'_>) {
        for (index, part) in self.parts.iter().enumerate() {
            match (values.get(index), part) {
                (Some(value), Part::Client(client)) => match value.parse() {
                    Ok(address) => client.write(address, key),
                    Err(_) => key.absent(),
                },
                (Some(value), _) => key.part(value.as_bytes()),
                (None, _) => key.absent(),
            }
        }
    }
}

impl From<ClientAddress> for Key {
    fn from(client: ClientAddress) -> Self {
        Self::one(Part::Client(client))
    }
}

impl Part {
    fn write(&self, head: &Head<'_>, key: &mut KeyWriter<'_>) {
        // Only those look for the context that need it.
        let context = || head.context();
        match self {
            Self::Client(client) => match client.of(head) {
                Some(address) => client.write(address, key),
                None => {
                    warn_of_missing_address();
                    key.absent();
                }
            },
            Self::Header(name) => header(head, name, key),
            Self::ApiKey => {
                let own = context().and_then(RequestContext::api_key);
                key.optional(own.map(|own| own.id().as_str().as_bytes()));
            }
            Self::Principal => principal(context(), key),
            Self::Claim(name) => claim(context(), name, key),
            Self::Route => {
                let route = context().and_then(RequestContext::route);
                key.optional(route.map(|route| route.route().template.as_bytes()));
            }
            Self::Method => key.part(head.method().as_str().as_bytes()),
            Self::Stage => match context().and_then(RequestContext::stage) {
                Some(stage) => {
                    key.part(stage.api_id.as_bytes());
                    key.part(stage.stage.as_bytes());
                }
                None => key.absent(),
            },
            Self::By(extract) => extract(head, key),
        }
    }
}

#[inline]
fn header(head: &Head<'_>, name: &HeaderName, key: &mut KeyWriter<'_>) {
    key.optional(head.headers().get(name).map(http::HeaderValue::as_bytes));
}

fn principal(context: Option<&RequestContext>, key: &mut KeyWriter<'_>) {
    match context {
        Some(context) => context.principal(|own| key.optional(own.map(str::as_bytes))),
        None => key.absent(),
    }
}

fn claim(context: Option<&RequestContext>, name: &str, key: &mut KeyWriter<'_>) {
    let claims = context.and_then(RequestContext::claims);
    match claims.as_ref().and_then(|claims| claims.get(name)) {
        Some(value) => match value.as_str() {
            Some(text) => key.part(text.as_bytes()),
            None => key.part(value.to_string().as_bytes()),
        },
        None => key.absent(),
    }
}

/// A limit by address that finds none is a fault of whoever put the layers together, and says so once.
fn warn_of_missing_address() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        tracing::error!(
            "no client address: all such requests share one bucket. Set the connection in the request's context, or say where the peer is found \
             (`ClientAddress::peer`)"
        );
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => fmt::Debug::fmt(client, f),
            Self::Header(name) => write!(f, "Header({name})"),
            Self::ApiKey => f.write_str("ApiKey"),
            Self::Principal => f.write_str("Principal"),
            Self::Claim(name) => write!(f, "Claim({name})"),
            Self::Route => f.write_str("Route"),
            Self::Method => f.write_str("Method"),
            Self::Stage => f.write_str("Stage"),
            Self::By(_) => f.write_str("By(…)"),
        }
    }
}

/// Takes the parts of a key. Nothing of them is kept but a hash.
pub struct KeyWriter<'a> {
    hasher: FoldHasher<'a>,
    /// The same for whoever else counts: a hash that every process makes alike.
    #[cfg(feature = "redis")]
    digest: Option<&'a mut aws_lc_rs::digest::Context>,
}

/// Adds what every process makes of the key that `write` writes: 128 bits of a hash, as text.
#[cfg(feature = "redis")]
pub(crate) fn digest<'a>(
    hasher: FoldHasher<'a>,
    text: &mut String,
    write: impl FnOnce(&mut KeyWriter<'_>),
) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    use aws_lc_rs::digest::{Context, SHA256};

    let mut digest = Context::new(&SHA256);
    write(&mut KeyWriter {
        hasher,
        digest: Some(&mut digest),
    });
    for byte in digest.finish().as_ref().iter().take(16) {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(half)]));
        }
    }
}

impl<'a> KeyWriter<'a> {
    pub(crate) const fn new(hasher: FoldHasher<'a>) -> Self {
        Self {
            hasher,
            #[cfg(feature = "redis")]
            digest: None,
        }
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.hasher.write(bytes);
        #[cfg(feature = "redis")]
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.hasher.write_u32(number);
        #[cfg(feature = "redis")]
        if let Some(digest) = &mut self.digest {
            digest.update(&number.to_le_bytes());
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.hasher.write_u64(number);
        #[cfg(feature = "redis")]
        if let Some(digest) = &mut self.digest {
            digest.update(&number.to_le_bytes());
        }
    }

    /// Adds a part. `ab`, `c` and `a`, `bc` are different keys.
    #[inline]
    pub fn part(&mut self, bytes: &[u8]) {
        self.write(bytes);
        self.write_u32(bytes.len() as u32);
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) {
        self.write_u64(number);
    }

    /// Adds that there is no such part.
    #[inline]
    pub fn absent(&mut self) {
        self.write_u32(u32::MAX);
    }

    #[inline]
    pub(crate) fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.part(bytes),
            None => self.absent(),
        }
    }

    pub(crate) fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.write_u32(address.to_bits()),
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                self.write_u64((bits >> 64) as u64);
                self.write_u64(bits as u64);
            }
        }
    }

    pub(crate) fn into_hasher(self) -> FoldHasher<'a> {
        self.hasher
    }
}

impl fmt::Debug for KeyWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyWriter")
    }
}
