//! Asking an issuer for its keys.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AGE, CACHE_CONTROL, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use portcullis_client::Client;
use portcullis_core::Body;
use serde::Deserialize;

use super::fault::TokenFault;
use super::key_set::KeySet;
use crate::ConfigError;

/// Where an issuer's keys are found, and how long to wait for them.
pub(crate) struct Fetch {
    client: Client,
    issuer: Box<str>,
    place: Place,
    /// What the issuer's description said last.
    found: Mutex<Option<Uri>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The issuer describes itself here (OpenID Connect Discovery 1.0, 4).
    Discovery(Uri),
    /// The key set is here.
    Keys(Uri),
}

pub(crate) struct Fetched {
    pub(crate) keys: KeySet,
    /// The key set as it came.
    pub(crate) json: Bytes,
    /// For how long it may be kept, if the issuer said so.
    pub(crate) max_age: Option<Duration>,
}

/// Why there are no keys. Its text is for the log.
#[derive(Debug)]
pub(crate) struct FetchError {
    pub(crate) step: Step,
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Discovery,
    Keys,
}

impl Step {
    pub(crate) const fn fault(self) -> TokenFault {
        match self {
            Self::Discovery => TokenFault::DiscoveryUnavailable,
            Self::Keys => TokenFault::KeysUnavailable,
        }
    }
}

/// The service waits as long for each of its two requests.
const TIMEOUT: Duration = Duration::from_millis(1500);
/// The service's limit for a key set; a description has the same.
const MAX_BYTES: usize = 150_000;

impl Fetch {
    pub(crate) fn new(client: Client, issuer: &str, place: Place) -> Self {
        Self {
            client,
            issuer: issuer.into(),
            place,
            found: Mutex::new(None),
        }
    }

    /// Fetches the keys. With `again` the description is not asked for anew, if it was read before.
    pub(crate) async fn run(&self, again: bool) -> Result<Fetched, FetchError> {
        let place = match &self.place {
            Place::Keys(uri) => uri.clone(),
            Place::Discovery(uri) => match self.found().filter(|_| again) {
                Some(found) => found,
                None => {
                    let found = self.discover(uri).await?;
                    *self.found.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some(found.clone());
                    found
                }
            },
        };
        let fail = |why| FetchError {
            step: Step::Keys,
            why,
        };
        let (headers, json) = self.get(&place).await.map_err(fail)?;
        let keys = KeySet::read(&json).ok_or_else(|| {
            fail(format!(
                "{place}: no key set with a key that verifies signatures"
            ))
        })?;
        Ok(Fetched {
            keys,
            json,
            max_age: max_age(&headers),
        })
    }

    fn found(&self) -> Option<Uri> {
        self.found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn discover(&self, place: &Uri) -> Result<Uri, FetchError> {
        #[derive(Deserialize)]
        struct Description {
            issuer: String,
            jwks_uri: String,
        }
        let fail = |why| FetchError {
            step: Step::Discovery,
            why,
        };
        let (_, json) = self.get(place).await.map_err(fail)?;
        let description: Description = serde_json::from_slice(&json)
            .map_err(|error| fail(format!("{place}: no description of an issuer: {error}")))?;
        // Whoever answers here could otherwise speak for another issuer (OpenID Connect Discovery 1.0, 4.3).
        if description.issuer != *self.issuer {
            let other = description.issuer;
            return Err(fail(format!(
                "{place}: it describes another issuer, `{other}`"
            )));
        }
        // Nobody in between may choose the keys: in the clear only if the issuer itself is.
        let clear = place.scheme_str() == Some("http");
        match endpoint(&description.jwks_uri) {
            Ok(uri) if clear || uri.scheme_str() == Some("https") => Ok(uri),
            _ => Err(fail(format!("{place}: its jwks_uri is no https address"))),
        }
    }

    async fn get(&self, place: &Uri) -> Result<(HeaderMap, Bytes), String> {
        let get = async {
            let request = Request::get(place)
                .header(ACCEPT, HeaderValue::from_static("application/json"))
                .body(Body::empty())
                .map_err(|error| error.to_string())?;
            let response = self
                .client
                .send(request)
                .await
                .map_err(|error| error.to_string())?;
            let (parts, body) = response.into_parts();
            // A redirect is not followed: it could lead anywhere.
            if parts.status != StatusCode::OK {
                return Err(format!("answered {}", parts.status.as_u16()));
            }
            let length = parts
                .headers
                .get(CONTENT_LENGTH)
                .and_then(|length| length.to_str().ok()?.parse().ok());
            if length.is_some_and(|length: u64| length > MAX_BYTES as u64) {
                return Err(format!("more than {MAX_BYTES} bytes"));
            }
            match Limited::new(body, MAX_BYTES).collect().await {
                Ok(body) => Ok((parts.headers, body.to_bytes())),
                Err(error) => Err(error.to_string()),
            }
        };
        match tokio::time::timeout(TIMEOUT, get).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => Err(format!("{place}: {why}")),
            Err(_) => Err(format!(
                "{place}: no answer within {} ms",
                TIMEOUT.as_millis()
            )),
        }
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch")
            .field("issuer", &self.issuer)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// For how long `headers` let the answer be kept (RFC 9111, 5.2.2).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let age = headers
        .get(AGE)
        .and_then(|age| age.to_str().ok()?.parse().ok())
        .unwrap_or(0_u64);
    let mut found = None;
    for line in headers.get_all(CACHE_CONTROL) {
        for directive in line.to_str().ok()?.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let name = name.trim();
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            if name.eq_ignore_ascii_case("max-age") {
                found = value.trim().trim_matches('"').parse::<u64>().ok();
            }
        }
    }
    found.map(|seconds| Duration::from_secs(seconds.saturating_sub(age)))
}

/// An address that keys may come from: `https`, or `http` on this very machine.
pub(crate) fn endpoint(text: &str) -> Result<Uri, ConfigError> {
    let fault = |problem| {
        ConfigError::new(
            "issuer",
            format!("`{text}` {problem}"),
            "give an address such as `https://id.example.com`",
        )
    };
    let uri: Uri = text.parse().map_err(|_| fault("is not an address"))?;
    let host = uri.host().ok_or_else(|| fault("names no host"))?;
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err(fault("names a user"));
    }
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if is_loopback(host) => Ok(uri),
        Some("http") => Err(fault(
            "is not encrypted, and whoever is in between could choose the keys",
        )),
        _ => Err(fault("is not an https address")),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue};

    use super::{endpoint, max_age};

    #[track_caller]
    fn check(lines: &[(&'static str, &'static str)], expected: Option<u64>) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        assert_eq!(
            max_age(&headers),
            expected.map(Duration::from_secs),
            "{lines:?}"
        );
    }

    #[test]
    fn an_answer_is_kept_for_as_long_as_its_headers_say() {
        check(&[], None);
        check(
            &[("cache-control", "public, Max-Age=600, must-revalidate")],
            Some(600),
        );
        check(
            &[("cache-control", "max-age=600"), ("age", "100")],
            Some(500),
        );
        check(
            &[
                ("cache-control", "max-age=600"),
                ("cache-control", "no-store"),
            ],
            Some(0),
        );
        check(&[("cache-control", "max-age=much")], None);
        check(&[("cache-control", "max-age=60"), ("age", "61")], Some(0));
    }

    #[test]
    fn keys_come_encrypted_or_from_this_machine() {
        for good in [
            "https://id.example.com",
            "http://localhost:8080/x",
            "http://127.0.0.2",
            "http://[::1]:1/",
        ] {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for wrong in [
            "http://id.example.com",
            "ftp://x",
            "id.example.com",
            "",
            "https://me:pw@x",
            "http://127.0.0.1.example",
        ] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }
}
