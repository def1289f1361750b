//! Canonicalisation and verification, from the guide "Signing AWS API requests" and the recorded order of checks.
//!
//! Pure: no clock, no store, no service. What a request presents is read by [`Signature::read`], which makes every check that
//! needs no secret; [`Signature::check`] makes the rest.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::time::{Duration, SystemTime};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use memchr::memmem;
use percent_encoding::percent_decode_str;
use portcullis_core::Rejection;

use super::asymmetric::{self, VerifyingKey};
use super::date::AmzDate;
use super::key::SigningKey;
use super::refusal;
use super::rules::SigV4Rules;

/// The algorithm that is verified.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
const CHUNKED_PAYLOAD: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
/// The longest life that a presigned URL can have: a week.
const MAX_EXPIRES: u64 = 604_800;

/// What of a request a signature covers, but for its body: the request as it came, before anything rewrote it.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    headers: &'a HeaderMap,
    /// The host where there is no `Host`: HTTP/2 has `:authority`.
    authority: Option<&'a str>,
}

impl<'a> SignedRequest<'a> {
    /// A request by its method, its target as on the request line, and its headers.
    #[must_use]
    pub fn new(method: &'a str, target: &'a str, headers: &'a HeaderMap) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        Self {
            method,
            path,
            query,
            headers,
            authority: None,
        }
    }

    /// A request by its parts.
    #[must_use]
    pub fn from_parts(method: &'a Method, uri: &'a Uri, headers: &'a HeaderMap) -> Self {
        Self {
            method: method.as_str(),
            path: uri.path(),
            query: uri.query(),
            headers,
            authority: uri.authority().map(http::uri::Authority::as_str),
        }
    }

    /// The request without its body.
    #[must_use]
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self::from_parts(request.method(), request.uri(), request.headers())
    }

    /// Whether there is anything that looks like a signature of version 4.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let scheme =
            |value: &HeaderValue| value.as_bytes().trim_ascii_start().starts_with(b"AWS4-");
        self.is_presigned()
            || self
                .headers
                .get_all(header::AUTHORIZATION)
                .iter()
                .any(scheme)
    }

    fn is_presigned(&self) -> bool {
        const ALGORITHM: &str = "X-Amz-Algorithm";
        // Nearly no query has the text at all.
        let query = self.query.unwrap_or_default().as_bytes();
        memmem::find(query, ALGORITHM.as_bytes()).is_some() && self.parameter(ALGORITHM).is_some()
    }

    /// A signature covers one of the two, and whoever is behind may go by the other.
    fn check_one_host(&self) -> Result<(), Rejection> {
        let Some(authority) = self.authority else {
            return Ok(());
        };
        let same = |host: &HeaderValue| host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
        if self.headers.get_all(header::HOST).iter().all(same) {
            Ok(())
        } else {
            Err(refusal::two_hosts())
        }
    }

    /// The raw value of the first parameter of this name.
    fn parameter(&self, name: &str) -> Option<&'a str> {
        parameters(self.query).find_map(|(own, value)| (own == name).then_some(value))
    }
}

/// The raw names and values of a query.
fn parameters(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    pieces(query.unwrap_or_default(), b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| cut(pair, b'=').unwrap_or((pair, "")))
}

/// As `split`, at a character of ASCII, and several times as fast: these texts are short, and every request has some.
fn pieces(text: &str, at: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match cut(text, at) {
            Some((piece, after)) => {
                rest = Some(after);
                Some(piece)
            }
            None => rest.take(),
        }
    })
}

/// As `split_once`, at a character of ASCII.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let index = memchr::memchr(at, text.as_bytes())?;
    Some((&text[..index], &text[index + 1..]))
}

impl fmt::Debug for SignedRequest<'_> {
    /// Leaves out the headers and the query, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A signature that a request presents, read and found to be of the right form, time and scope. Nothing is proved yet.
#[derive(Clone, Debug)]
pub struct Signature<'a> {
    credential: Cow<'a, str>,
    /// Where in the credential the access key id ends.
    id_end: usize,
    date: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    signature: Cow<'a, str>,
    session_token: Option<Cow<'a, str>>,
    presigned: bool,
    payload: PayloadMode,
    algorithm: Algorithm,
}

/// By which key it is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hmac,
    /// Version 4A.
    Ecdsa,
}

impl Algorithm {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Hmac => ALGORITHM,
            Self::Ecdsa => asymmetric::ALGORITHM,
        }
    }
}

/// What stands for the payload in the canonical request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PayloadMode {
    /// The hash of the body as it came; if true, the signed `x-amz-content-sha256` must be the same.
    Hashed {
        named: bool,
    },
    Unsigned,
    Chunked,
}

impl<'a> Signature<'a> {
    /// Reads what `request` presents, and makes the checks that need no secret: form, date, scope.
    ///
    /// # Errors
    ///
    /// The refusal that the service gives, in its words.
    pub fn read(
        request: &SignedRequest<'a>,
        rules: &SigV4Rules,
        now: SystemTime,
    ) -> Result<Self, Rejection> {
        request.check_one_host()?;
        let mut authorization = request.headers.get_all(header::AUTHORIZATION).iter();
        let presented = match (authorization.next(), request.is_presigned()) {
            (Some(_), true) => return Err(refusal::two_signatures()),
            (None, false) => return Err(refusal::missing_token()),
            (Some(value), false) => {
                if authorization.next().is_some() {
                    return Err(refusal::several_authorizations());
                }
                Presented::from_header(value, request.headers)?
            }
            (None, true) => Presented::from_query(request)?,
        };
        let Presented { date, expires, .. } = &presented;

        let Some(signed_at) = AmzDate::parse(date) else {
            return Err(refusal::bad_date(date));
        };
        let life = match expires {
            Some(expires) if rules.honour_expires => parse_expires(expires)?,
            _ => rules.max_skew,
        };
        let now = AmzDate::of(now);
        if signed_at < now.minus(life) {
            return Err(refusal::expired(signed_at, now, life));
        }
        if signed_at > now.plus(rules.max_skew) {
            return Err(refusal::not_yet_current(signed_at, now, rules.max_skew));
        }

        check_signed_headers(&presented.signed_headers)?;
        let algorithm = match &*presented.algorithm {
            ALGORITHM => Algorithm::Hmac,
            asymmetric::ALGORITHM if rules.allow_asymmetric => Algorithm::Ecdsa,
            other => return Err(refusal::unsupported_algorithm(other)),
        };
        let id_end = match algorithm {
            Algorithm::Hmac => check_scope(&presented.credential, date, rules)?,
            Algorithm::Ecdsa => check_scope_of_regions(&presented, rules)?,
        };
        let payload = payload_mode(request.headers, &presented.signed_headers, algorithm, rules);
        Ok(Self {
            credential: presented.credential,
            id_end,
            date: presented.date,
            signed_headers: presented.signed_headers,
            signature: presented.signature.into(),
            session_token: presented.session_token,
            presigned: presented.presigned,
            payload,
            algorithm,
        })
    }

    /// The access key id that the caller claims.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.credential[..self.id_end]
    }

    /// The session token that came along, signed or not.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// Whether it came in the query: a presigned URL.
    #[must_use]
    pub const fn is_presigned(&self) -> bool {
        self.presigned
    }

    /// Whether the signer left the payload out, and may.
    #[must_use]
    pub fn is_unsigned_payload(&self) -> bool {
        self.payload == PayloadMode::Unsigned
    }

    /// Whether the payload comes in signed chunks, which [`Chunks`](super::Chunks) takes apart.
    #[must_use]
    pub fn is_chunked(&self) -> bool {
        self.payload == PayloadMode::Chunked
    }

    /// Whether it is one of version 4A, which only a [`SigV4Verifier`](super::SigV4Verifier) verifies.
    #[must_use]
    pub fn is_asymmetric(&self) -> bool {
        self.algorithm == Algorithm::Ecdsa
    }

    /// The day of the scope: `20240229`.
    #[must_use]
    pub fn day(&self) -> &str {
        &self.date[..8]
    }

    /// `20240229/eu-west-1/execute-api/aws4_request`
    pub(super) fn scope(&self) -> &str {
        &self.credential[self.id_end + 1..]
    }

    pub(super) fn date(&self) -> &str {
        &self.date
    }

    pub(super) fn as_hex(&self) -> &str {
        &self.signature
    }

    /// The same, without the request that it came in.
    #[must_use]
    pub fn into_owned(self) -> Signature<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Signature {
            credential: owned(self.credential),
            id_end: self.id_end,
            date: owned(self.date),
            signed_headers: owned(self.signed_headers),
            signature: owned(self.signature),
            session_token: self.session_token.map(owned),
            presigned: self.presigned,
            payload: self.payload,
            algorithm: self.algorithm,
        }
    }

    /// The SHA-256 that the signer names for the body, if it is a signed header: with it the signature can be checked before the body is here.
    #[must_use]
    pub fn named_payload_hash<'r>(&self, request: &SignedRequest<'r>) -> Option<&'r str> {
        match self.payload {
            PayloadMode::Hashed { named: true } => request
                .headers
                .get(CONTENT_SHA256)
                .and_then(|value| value.to_str().ok())
                .map(str::trim)
                .filter(|hash| is_hash(hash)),
            _ => None,
        }
    }

    /// What the signature must be one of: `request` with the body of this hash, in lower-case hex.
    pub(super) fn claim(
        &self,
        request: &SignedRequest<'_>,
        rules: &SigV4Rules,
        payload_hash: &str,
    ) -> Claim {
        let canonical = self.canonical_request(request, rules, payload_hash);
        // A body whose hash is named besides must have that hash, too.
        let honest = match self.payload {
            PayloadMode::Hashed { named: true } => request
                .headers
                .get(CONTENT_SHA256)
                .is_some_and(|value| value.as_bytes().trim_ascii() == payload_hash.as_bytes()),
            _ => true,
        };
        Claim {
            string_to_sign: self.string_to_sign(&canonical),
            canonical: rules.show_canonical_request.then_some(canonical),
            honest,
        }
    }

    /// Checks the signature over `request` and the hash of its body, in lower-case hex.
    ///
    /// # Errors
    ///
    /// The service's refusal of a signature that is not the one that the key gives. One of version 4A is none.
    pub fn check(
        &self,
        request: &SignedRequest<'_>,
        rules: &SigV4Rules,
        payload_hash: &str,
        key: &SigningKey,
    ) -> Result<(), Rejection> {
        self.claim(request, rules, payload_hash).check(self, key)
    }

    /// The canonical request, for the body with this hash.
    #[must_use]
    pub fn canonical_request(
        &self,
        request: &SignedRequest<'_>,
        rules: &SigV4Rules,
        payload_hash: &str,
    ) -> Vec<u8> {
        let query_length = request.query.map_or(0, str::len);
        let mut out = Vec::with_capacity(512 + request.path.len() + 2 * query_length);
        out.extend_from_slice(request.method.as_bytes());
        out.push(b'\n');
        canonical_path(request.path, rules, &mut out);
        out.push(b'\n');
        canonical_query(request.query, self.presigned, &mut out);
        out.push(b'\n');
        for name in pieces(&self.signed_headers, b';') {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            canonical_header(request, name, &mut out);
            out.push(b'\n');
        }
        out.push(b'\n');
        out.extend_from_slice(self.signed_headers.as_bytes());
        out.push(b'\n');
        let payload = match self.payload {
            PayloadMode::Hashed { .. } => payload_hash,
            PayloadMode::Unsigned => UNSIGNED_PAYLOAD,
            PayloadMode::Chunked => CHUNKED_PAYLOAD,
        };
        out.extend_from_slice(payload.as_bytes());
        out
    }

    fn string_to_sign(&self, canonical: &[u8]) -> String {
        let hash = payload_hash(canonical);
        let parts = [
            self.algorithm.as_str(),
            "\n",
            &self.date,
            "\n",
            self.scope(),
            "\n",
            hash.as_str(),
        ];
        parts.concat()
    }
}

/// What a signature claims to sign. It needs the request no more, so that it can wait for a key.
#[derive(Debug)]
pub(super) struct Claim {
    string_to_sign: String,
    /// For a refusal that may show it.
    canonical: Option<Vec<u8>>,
    /// Whether a hash that the request names is that of its body.
    honest: bool,
}

impl Claim {
    pub(super) fn check(
        &self,
        signature: &Signature<'_>,
        key: &SigningKey,
    ) -> Result<(), Rejection> {
        let expected = key.sign(self.string_to_sign.as_bytes());
        let matches = from_hex(&signature.signature)
            .is_some_and(|given| verify_slices_are_equal(expected.as_ref(), &given).is_ok());
        self.settle(signature, matches && signature.algorithm == Algorithm::Hmac)
    }

    pub(super) fn check_asymmetric(
        &self,
        signature: &Signature<'_>,
        key: &VerifyingKey,
    ) -> Result<(), Rejection> {
        let matches = key.verify(self.string_to_sign.as_bytes(), &signature.signature);
        self.settle(
            signature,
            matches && signature.algorithm == Algorithm::Ecdsa,
        )
    }

    /// What a guard against replays remembers. Of one and the same text there are many signatures of version 4A.
    pub(super) fn replayed(&self, signature: &Signature<'_>) -> Option<[u8; 32]> {
        match signature.algorithm {
            Algorithm::Hmac => from_hex(&signature.signature),
            Algorithm::Ecdsa => {
                let mut digest = digest::Context::new(&digest::SHA256);
                digest.update(signature.access_key_id().as_bytes());
                digest.update(b"\n");
                digest.update(self.string_to_sign.as_bytes());
                digest.finish().as_ref().try_into().ok()
            }
        }
    }

    fn settle(&self, signature: &Signature<'_>, matches: bool) -> Result<(), Rejection> {
        if matches && self.honest {
            return Ok(());
        }
        let canonical = self.canonical.as_deref().map(String::from_utf8_lossy);
        let shown = canonical.map(|canonical| (canonical, &*self.string_to_sign));
        Err(refusal::mismatch(signature.access_key_id(), shown))
    }
}

/// What a request says, whether it can be true or not.
struct Presented<'a> {
    algorithm: Cow<'a, str>,
    credential: Cow<'a, str>,
    date: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    signature: &'a str,
    session_token: Option<Cow<'a, str>>,
    expires: Option<Cow<'a, str>>,
    /// Of version 4A, if it is signed.
    region_set: Option<Cow<'a, str>>,
    presigned: bool,
}

impl<'a> Presented<'a> {
    fn from_header(value: &'a HeaderValue, headers: &'a HeaderMap) -> Result<Self, Rejection> {
        let Ok(text) = value.to_str() else {
            return Err(refusal::not_a_pair(value));
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(refusal::empty_authorization());
        }
        let mut items = items(text);
        let algorithm = items.next().unwrap_or_default();
        if algorithm.contains('=') {
            return Err(refusal::no_algorithm(value));
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for item in items {
            let Some((name, value_of_item)) = cut(item, b'=') else {
                return Err(refusal::not_a_pair(value));
            };
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(refusal::unknown_parameter(value)),
            };
            if place.replace(value_of_item).is_some() {
                return Err(refusal::repeated_parameter(value));
            }
        }
        let given = |part: Option<&'a str>| part.filter(|text| !text.is_empty());
        let (credential, signature) = (given(credential), given(signature));
        let signed_headers = given(signed_headers);
        let date = signing_date(headers);
        let (Some(credential), Some(signature), Some(signed_headers), Some(date)) =
            (credential, signature, signed_headers, &date)
        else {
            return Err(refusal::missing_parts(
                [
                    ("Credential", credential.is_some()),
                    ("Signature", signature.is_some()),
                    ("SignedHeaders", signed_headers.is_some()),
                ],
                date.is_some(),
                algorithm,
                value,
            ));
        };
        let token = headers.get(SECURITY_TOKEN);
        Ok(Self {
            algorithm: algorithm.into(),
            credential: credential.into(),
            date: date.clone(),
            signed_headers: signed_headers.into(),
            signature,
            session_token: token.map(|token| String::from_utf8_lossy(token.as_bytes())),
            expires: None,
            region_set: region_set(headers, signed_headers),
            presigned: false,
        })
    }

    fn from_query(request: &SignedRequest<'a>) -> Result<Self, Rejection> {
        /// In the order in which the service names those that are missing.
        const NAMES: [&str; 8] = [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Signature",
            "X-Amz-SignedHeaders",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-Security-Token",
            "X-Amz-Region-Set",
        ];
        const REQUIRED: usize = 5;
        let mut raw: [Option<&'a str>; NAMES.len()] = [None; NAMES.len()];
        for (name, value) in parameters(request.query) {
            let Some(index) = NAMES.iter().position(|own| *own == name) else {
                continue;
            };
            if raw[index].replace(value).is_some() {
                return Err(refusal::repeated_query_parameter(name));
            }
        }
        let missing = |index: usize| raw[index].is_none_or(str::is_empty);
        if (0..REQUIRED).any(missing) {
            let missing = (0..REQUIRED).filter(|index| missing(*index));
            return Err(refusal::missing_query_parts(
                missing.map(|index| NAMES[index]),
            ));
        }
        let decoded =
            raw.map(|value| value.map(|value| percent_decode_str(value).decode_utf8_lossy()));
        let [
            algorithm,
            credential,
            _,
            signed_headers,
            date,
            expires,
            session_token,
            region_set,
        ] = decoded;
        Ok(Self {
            algorithm: algorithm.unwrap_or_default(),
            credential: credential.unwrap_or_default(),
            date: date.unwrap_or_default(),
            signed_headers: signed_headers.unwrap_or_default(),
            signature: raw[2].unwrap_or_default(),
            session_token,
            expires,
            region_set,
            presigned: true,
        })
    }
}

/// The items of an `Authorization` header, between commas and blanks.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = memchr::memchr3(b',', b' ', b'\t', rest.as_bytes());
            let item = &rest[..end.unwrap_or(rest.len())];
            rest = end.map_or("", |end| &rest[end + 1..]);
            if !item.is_empty() {
                return Some(item);
            }
        }
        None
    })
}

const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const REGION_SET: HeaderName = HeaderName::from_static("x-amz-region-set");

/// Whether the list of signed headers has this one.
fn signs(list: &str, name: &HeaderName) -> bool {
    pieces(list, b';').any(|own| own == name.as_str())
}

/// The regions for which a header-signed request is signed, if it says so once and signs it.
fn region_set<'a>(headers: &'a HeaderMap, signed_headers: &str) -> Option<Cow<'a, str>> {
    let mut all = headers.get_all(REGION_SET).iter();
    let (Some(only), None) = (all.next(), all.next()) else {
        return None;
    };
    signs(signed_headers, &REGION_SET).then(|| String::from_utf8_lossy(only.as_bytes()))
}

/// The date that a header-signed request was signed with. Several are none that could be read.
fn signing_date(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut all = headers.get_all(AMZ_DATE).iter().peekable();
    if all.peek().is_none() {
        all = headers.get_all(header::DATE).iter().peekable();
    }
    let first = all.next()?.as_bytes().trim_ascii();
    if all.peek().is_none() {
        return Some(String::from_utf8_lossy(first)).filter(|date| !date.is_empty());
    }
    let mut joined = String::from_utf8_lossy(first).into_owned();
    for other in all {
        joined.push(',');
        joined.push_str(&String::from_utf8_lossy(other.as_bytes()));
    }
    Some(joined.into())
}

fn parse_expires(text: &str) -> Result<Duration, Rejection> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=MAX_EXPIRES) if !text.starts_with('+') => Ok(Duration::from_secs(seconds)),
        _ => Err(refusal::bad_expires()),
    }
}

/// Whether the list is one of names in lower case, sorted and each once, and has the host.
fn check_signed_headers(list: &str) -> Result<(), Rejection> {
    let (mut host, mut before) = (false, "");
    for name in pieces(list, b';') {
        host |= name == "host" || name == ":authority";
        let fine = name != header::AUTHORIZATION.as_str()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase());
        // Ascending order keeps a header from being written out as often as a hostile list names it.
        if !fine || name <= before {
            return Err(refusal::bad_signed_headers());
        }
        before = name;
    }
    if host {
        Ok(())
    } else {
        Err(refusal::host_not_signed())
    }
}

/// Checks the five parts of a credential, and returns where the access key id ends.
fn check_scope(credential: &str, date: &str, rules: &SigV4Rules) -> Result<usize, Rejection> {
    let mut parts = pieces(credential, b'/');
    let found = [
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ];
    let ([Some(id), Some(day), Some(region), Some(service), Some(end)], None) =
        (found, parts.next())
    else {
        return Err(refusal::bad_credential(credential));
    };
    let wrong = refusal::Scope {
        region: (*region != *rules.region).then_some(region),
        service: (*service != *rules.service).then_some(&*rules.service),
        terminator: (end != TERMINATOR).then_some(end),
        day: (day != &date[..8]).then_some((day, date)),
    };
    wrong.check()?;
    Ok(id.len())
}

/// Checks the four parts of a credential of version 4A and its regions, and returns where the access key id ends.
fn check_scope_of_regions(
    presented: &Presented<'_>,
    rules: &SigV4Rules,
) -> Result<usize, Rejection> {
    let (credential, date) = (&*presented.credential, &*presented.date);
    let mut parts = credential.split('/');
    let found = [parts.next(), parts.next(), parts.next(), parts.next()];
    let ([Some(id), Some(day), Some(service), Some(end)], None) = (found, parts.next()) else {
        return Err(refusal::bad_regional_credential(credential));
    };
    let regions = presented.region_set.as_deref().unwrap_or_default();
    let wrong = refusal::Scope {
        region: (!asymmetric::covers(regions, &rules.region)).then_some(regions),
        service: (*service != *rules.service).then_some(&*rules.service),
        terminator: (end != TERMINATOR).then_some(end),
        day: (day != &date[..8]).then_some((day, date)),
    };
    wrong.check()?;
    Ok(id.len())
}

fn payload_mode(
    headers: &HeaderMap,
    signed_headers: &str,
    algorithm: Algorithm,
    rules: &SigV4Rules,
) -> PayloadMode {
    // An unsigned header has no say: whoever is on the way could have added it.
    let named = headers.get(CONTENT_SHA256);
    let named = named.filter(|_| signs(signed_headers, &CONTENT_SHA256));
    match named.map(HeaderValue::as_bytes) {
        Some(b"UNSIGNED-PAYLOAD") if rules.allow_unsigned_payload => PayloadMode::Unsigned,
        Some(b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
            if rules.allow_chunked_payload && algorithm == Algorithm::Hmac =>
        {
            PayloadMode::Chunked
        }
        named => PayloadMode::Hashed {
            named: named.is_some(),
        },
    }
}

/// The SHA-256 of `bytes` in lower-case hex.
#[must_use]
pub fn payload_hash(bytes: &[u8]) -> PayloadHash {
    PayloadHash::from_digest(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// A SHA-256 in lower-case hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadHash([u8; 64]);

impl PayloadHash {
    pub(super) fn from_digest(digest: &[u8]) -> Self {
        let mut hex = [b'0'; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        Self(hex)
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hex is text")
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

pub(super) fn is_hash(text: &str) -> bool {
    from_hex(text).is_some()
}

/// 32 bytes from 64 digits in lower case.
pub(super) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = lower_hex(pair[0])? << 4 | lower_hex(pair[1])?;
    }
    Some(bytes)
}

pub(super) const fn lower_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// What stands as itself in a canonical path or query.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

/// `%XX`
fn push_encoded(byte: u8, out: &mut Vec<u8>) {
    const UPPER: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[
        b'%',
        UPPER[usize::from(byte >> 4)],
        UPPER[usize::from(byte & 15)],
    ]);
}

/// Percent-decodes and encodes again in one pass: `%7e` becomes `~`, `+` becomes `%2B`, a lone `%` becomes `%25`.
fn push_recoded(text: &str, keep_slash: bool, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        index += 1;
        if byte == b'%'
            && let Some(&[high, low]) = bytes.get(index..index + 2).and_then(<[u8]>::first_chunk)
            && let (Some(high), Some(low)) = (
                lower_hex(high.to_ascii_lowercase()),
                lower_hex(low.to_ascii_lowercase()),
            )
        {
            index += 2;
            let decoded = high << 4 | low;
            if is_unreserved(decoded) {
                out.push(decoded);
            } else {
                push_encoded(decoded, out);
            }
        } else if is_unreserved(byte) || (keep_slash && byte == b'/') {
            out.push(byte);
        } else {
            push_encoded(byte, out);
        }
    }
}

/// The canonical path. It is taken as it came: to decode it first would turn `%2F` into a separator.
fn canonical_path(path: &str, rules: &SigV4Rules, out: &mut Vec<u8>) {
    let start = out.len();
    let push = |segment: &str, out: &mut Vec<u8>| {
        if rules.double_encode_path {
            for &byte in segment.as_bytes() {
                if is_unreserved(byte) || byte == b'/' {
                    out.push(byte);
                } else {
                    push_encoded(byte, out);
                }
            }
        } else {
            push_recoded(segment, true, out);
        }
    };
    if !rules.normalize_path || !(path.contains("//") || path.contains("/.")) {
        push(path, out);
    } else {
        let mut directory = false;
        for segment in path.split('/') {
            directory = matches!(segment, "" | "." | "..");
            match segment {
                "" | "." => {}
                ".." => {
                    let parent = out[start..].iter().rposition(|byte| *byte == b'/');
                    out.truncate(start + parent.unwrap_or(0));
                }
                name => {
                    out.push(b'/');
                    push(name, out);
                }
            }
        }
        if directory {
            out.push(b'/');
        }
    }
    if out.len() == start {
        out.push(b'/');
    }
}

/// The canonical query: each name and value encoded anew, sorted as pairs. Of a presigned URL the signature itself is left out; elsewhere it
/// stays, or it could be added freely.
fn canonical_query(query: Option<&str>, presigned: bool, out: &mut Vec<u8>) {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return;
    };
    let mut encoded = Vec::with_capacity(query.len() + query.len() / 2);
    // Where the name, and where the value ends.
    let mut pairs: Vec<(usize, usize, usize)> = Vec::with_capacity(16);
    for (name, value) in parameters(Some(query)) {
        if presigned && name == "X-Amz-Signature" {
            continue;
        }
        let start = encoded.len();
        push_recoded(name, false, &mut encoded);
        let middle = encoded.len();
        push_recoded(value, false, &mut encoded);
        pairs.push((start, middle, encoded.len()));
    }
    // As pairs, not as joined text: `=` would sort between letters and digits.
    let split = |&(start, middle, end): &(usize, usize, usize)| {
        (&encoded[start..middle], &encoded[middle..end])
    };
    pairs.sort_unstable_by(|left, right| split(left).cmp(&split(right)));
    for (index, pair) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        let (name, value) = split(pair);
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

/// The values of a header, trimmed, runs of blanks as one, joined by commas in the order in which they came. One that is missing is empty.
fn canonical_header(request: &SignedRequest<'_>, name: &str, out: &mut Vec<u8>) {
    let is_host = name == "host";
    if is_host || name == ":authority" {
        let known = request.headers.contains_key(header::HOST);
        if let Some(authority) = request.authority.filter(|_| !known) {
            out.extend_from_slice(authority.as_bytes());
            return;
        }
    }
    let name = if is_host || name == ":authority" {
        "host"
    } else {
        name
    };
    let values = match name {
        // Names that nearly every signer signs need no parsing.
        "host" => request.headers.get_all(header::HOST),
        "content-type" => request.headers.get_all(header::CONTENT_TYPE),
        "x-amz-date" => request.headers.get_all(AMZ_DATE),
        name => request.headers.get_all(name),
    };
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let value = value.as_bytes().trim_ascii();
        if !value.windows(2).any(|pair| pair == b"  ") {
            out.extend_from_slice(value);
            continue;
        }
        let mut before = 0;
        for &byte in value {
            if byte != b' ' || before != b' ' {
                out.push(byte);
            }
            before = byte;
        }
    }
}

/// The SHA-256 of a header as base64, by which the service names it without showing it.
pub(super) fn hashed(value: &HeaderValue) -> String {
    use base64::Engine as _;
    let digest = digest::digest(&digest::SHA256, value.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(digest)
}

/// Adds the canonical request and the string to sign to a refusal, as the service does.
pub(super) fn write_canonical(message: &mut String, canonical: &str, string_to_sign: &str) {
    // Writing to a string cannot fail.
    let _ = write!(
        message,
        "\n\nThe Canonical String for this request should have been\n'{canonical}'\n\n\
         The String-to-Sign should have been\n'{string_to_sign}'\n"
    );
}
