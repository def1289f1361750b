//! Testers, who choose their variant themselves.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName};

use crate::cookie::{self, Forged};
use crate::error::ConfigError;
use crate::signing::SigningKey;

/// A header or a cookie in which testers name the variant that they want, or `production`.
///
/// Unless it is [signed](Self::signed), anybody who knows the name can use it.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use http::HeaderName;
/// use portcullis_canary::{Forced, SigningKey, Split};
///
/// let key = SigningKey::new("thirty-two bytes, made by chance")?;
/// let forced = Forced::header(HeaderName::from_static("x-release")).signed(key);
/// // What a tester sends as `x-release` until midnight:
/// # let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(1_735_689_600);
/// let token = forced.token("v2", midnight);
/// assert!(token.starts_with("v2.1735689600."));
/// let split = Split::builder().variant("v2", 0.0).forced(forced).build()?;
/// # let _ = split;
/// # Ok::<(), portcullis_canary::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Forced {
    place: Place,
    key: Option<SigningKey>,
}

#[derive(Clone, Debug)]
enum Place {
    Header(HeaderName),
    Cookie(String),
}

/// How much of a signature a token has: all of it.
const TAG: usize = 32;

impl Forced {
    /// The variant is named in this header.
    pub const fn header(name: HeaderName) -> Self {
        Self {
            place: Place::Header(name),
            key: None,
        }
    }

    /// The variant is named in this cookie.
    pub fn cookie(name: impl Into<String>) -> Self {
        Self {
            place: Place::Cookie(name.into()),
            key: None,
        }
    }

    /// Takes only what this key signed: a [token](Self::token).
    pub fn signed(mut self, key: SigningKey) -> Self {
        self.key = Some(key);
        self
    }

    /// What a tester sends to get this variant: a token that holds until then, or, where nothing is signed, the variant's name.
    #[must_use]
    pub fn token(&self, variant: &str, until: SystemTime) -> String {
        let Some(key) = &self.key else {
            return variant.to_owned();
        };
        let until = until.duration_since(UNIX_EPOCH).unwrap_or_default();
        let until = until.as_secs().to_string();
        let tag = key.sign(&[PURPOSE, variant.as_bytes(), until.as_bytes()], TAG);
        format!("{variant}.{until}.{tag}")
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match &self.place {
            Place::Cookie(name) => cookie::check_name("forced.cookie", name),
            Place::Header(_) => Ok(()),
        }
    }

    /// The variant that the request asks for.
    pub(crate) fn read<'a>(
        &self,
        headers: &'a HeaderMap,
        wall: impl FnOnce() -> SystemTime,
    ) -> Result<Option<&'a str>, Forged> {
        let value = match &self.place {
            Place::Header(name) => headers.get(name).map(http::HeaderValue::as_bytes),
            Place::Cookie(name) => cookie::find(headers, name),
        };
        let Some(value) = value else {
            return Ok(None);
        };
        let Some(key) = &self.key else {
            return str::from_utf8(value).map(Some).map_err(|_| Forged);
        };
        let text = str::from_utf8(value).map_err(|_| Forged)?;
        let mut parts = text.rsplitn(3, '.');
        let (Some(tag), Some(until), Some(variant)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(Forged);
        };
        let signed = [PURPOSE, variant.as_bytes(), until.as_bytes()];
        if !key.verifies(&signed, tag.as_bytes(), TAG) {
            return Err(Forged);
        }
        let until: u64 = until.parse().map_err(|_| Forged)?;
        let now = wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        if now.as_secs() >= until {
            return Err(Forged);
        }
        Ok(Some(variant))
    }
}

/// Keeps tokens apart from cookies that the same key signs.
const PURPOSE: &[u8] = b"forced variant";

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::Forced;
    use crate::cookie::Forged;
    use crate::signing::SigningKey;

    const NAME: HeaderName = HeaderName::from_static("x-release");

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[track_caller]
    fn check(forced: &Forced, value: &str, now: u64, expected: Result<Option<&str>, Forged>) {
        let value = HeaderValue::from_str(value).expect("a value");
        let headers = HeaderMap::from_iter([(NAME, value)]);
        assert_eq!(forced.read(&headers, || at(now)), expected);
    }

    #[test]
    fn a_token_holds_for_its_variant_until_its_time() {
        let forced = Forced::header(NAME).signed(SigningKey::new([7; 16]).unwrap());
        let token = forced.token("v2", at(100));
        check(&forced, &token, 99, Ok(Some("v2")));
        check(&forced, &token, 100, Err(Forged));
        check(&forced, &token.replace("v2.", "v3."), 99, Err(Forged));
        check(&forced, &token.replace(".100.", ".200."), 99, Err(Forged));
        check(&forced, "v2", 99, Err(Forged));
        check(&forced, &token[..token.len() - 1], 99, Err(Forged));
        let other = Forced::header(NAME).signed(SigningKey::new([8; 16]).unwrap());
        check(&other, &token, 99, Err(Forged));
    }

    #[test]
    fn without_a_key_the_name_is_enough() {
        let forced = Forced::header(NAME);
        assert_eq!(forced.token("v2", at(100)), "v2");
        check(&forced, "v2", 1000, Ok(Some("v2")));
    }
}
