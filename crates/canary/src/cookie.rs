//! Cookies: finding one, and making our own.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, header};

use crate::error::ConfigError;
use crate::signing::{SigningKey, from_hexadecimal, hexadecimal};

/// The value of the first cookie of this name.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .find_map(|pair| {
            let pair = pair.trim_ascii_start();
            let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(value.trim_ascii_end())
        })
}

/// A cookie of our own, by which a client is known again.
///
/// It holds a random identity, never the choice itself: a client keeps its place when weights change. By default it lives for 30 days and is sent over TLS
/// alone (`Path=/; HttpOnly; SameSite=Lax; Secure`).
///
/// ```
/// use portcullis_canary::{SigningKey, Split, Sticky, StickyCookie};
///
/// let key = SigningKey::new("thirty-two bytes, made by chance")?;
/// let cookie = StickyCookie::new("release").signed(key).max_age_seconds(7 * 24 * 3600);
/// let split = Split::builder().variant("v2", 10.0).sticky(Sticky::own_cookie(cookie)).build()?;
/// # let _ = split;
/// # Ok::<(), portcullis_canary::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct StickyCookie {
    name: Cow<'static, str>,
    max_age: u32,
    path: Cow<'static, str>,
    domain: Option<Cow<'static, str>>,
    secure: bool,
    key: Option<SigningKey>,
}

/// How much of a signature a cookie has: 128 bits.
const TAG: usize = 16;

impl StickyCookie {
    /// A cookie of this name.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            max_age: 30 * 24 * 3600,
            path: "/".into(),
            domain: None,
            secure: true,
            key: None,
        }
    }

    /// Signs it, and takes one that is not signed by this key for none: nobody tries identities until one is in the canary.
    pub fn signed(mut self, key: SigningKey) -> Self {
        self.key = Some(key);
        self
    }

    /// How long browsers keep it.
    pub const fn max_age_seconds(mut self, seconds: u32) -> Self {
        self.max_age = seconds;
        self
    }

    /// The path below which it is sent: `/` by default.
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.path = path.into();
        self
    }

    /// The domain that it is sent to. By default it is the host that set it, alone.
    pub fn domain(mut self, domain: impl Into<Cow<'static, str>>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Whether it is sent over TLS alone, which it is by default.
    pub const fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check_name("sticky.ownCookie.name", &self.name)?;
        let domain = self.domain.as_ref().map(|domain| ("domain", domain));
        for (field, text) in [("path", &self.path)].into_iter().chain(domain) {
            let legal = |byte: u8| matches!(byte, 0x21..=0x7e) && byte != b';';
            if text.is_empty() || !text.bytes().all(legal) {
                let problem = format!(
                    "`{text}` cannot stand in a cookie; leave out spaces, `;` and what is not ASCII"
                );
                return Err(ConfigError::new(
                    format!("sticky.ownCookie.{field}"),
                    problem,
                ));
            }
        }
        Ok(())
    }

    /// The identity in the request's cookie; an error is a cookie that we did not make.
    pub(crate) fn read(&self, headers: &HeaderMap) -> Result<Option<u64>, Forged> {
        let Some(value) = find(headers, &self.name) else {
            return Ok(None);
        };
        let (text, signature) = value.split_at_checked(16).ok_or(Forged)?;
        let mut id = [0; 8];
        from_hexadecimal(text, &mut id).ok_or(Forged)?;
        let ours = match &self.key {
            None => signature.is_empty(),
            Some(key) => signature
                .strip_prefix(b".")
                .is_some_and(|tag| key.verifies(&[self.name.as_bytes(), text], tag, TAG)),
        };
        ours.then_some(Some(u64::from_be_bytes(id))).ok_or(Forged)
    }

    /// The value of `Set-Cookie` for this identity.
    pub(crate) fn write(&self, id: u64) -> Option<HeaderValue> {
        let id = hexadecimal(&id.to_be_bytes());
        let mut line = format!("{}={id}", self.name);
        let mut add = |part: std::fmt::Arguments<'_>| {
            // Writing to a string cannot fail.
            let _ = line.write_fmt(part);
        };
        if let Some(key) = &self.key {
            let tag = key.sign(&[self.name.as_bytes(), id.as_bytes()], TAG);
            add(format_args!(".{tag}"));
        }
        add(format_args!(
            "; Path={}; Max-Age={}",
            self.path, self.max_age
        ));
        if let Some(domain) = &self.domain {
            add(format_args!("; Domain={domain}"));
        }
        add(format_args!("; HttpOnly; SameSite=Lax"));
        if self.secure {
            add(format_args!("; Secure"));
        }
        HeaderValue::try_from(line).ok()
    }
}

/// A cookie or a token that we did not make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forged;

/// Checks the name of a cookie: a token of RFC 9110.
pub(crate) fn check_name(field: &'static str, name: &str) -> Result<(), ConfigError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !name.is_empty() && name.bytes().all(legal) {
        return Ok(());
    }
    let problem = format!("`{name}` is no name of a cookie; use letters, digits, `-` and `_`");
    Err(ConfigError::new(field, problem))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{Forged, StickyCookie, find};
    use crate::signing::SigningKey;

    fn headers(lines: &[&str]) -> HeaderMap {
        let lines = lines.iter().map(|line| {
            let value = HeaderValue::from_str(line).expect("a value");
            (http::header::COOKIE, value)
        });
        lines.collect()
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_in_any_line() {
        let lines = ["xa=1; a=2", "b=3;c=4 ", "a=5"];
        let lines = headers(&lines);
        assert_eq!(find(&lines, "a"), Some(&b"2"[..]));
        assert_eq!(find(&lines, "c"), Some(&b"4"[..]));
        assert_eq!(find(&lines, "x"), None);
    }

    #[track_caller]
    fn reads(cookie: &StickyCookie, line: &str, expected: Result<Option<u64>, Forged>) {
        assert_eq!(cookie.read(&headers(&[line])), expected, "{line}");
    }

    #[test]
    fn a_cookie_that_we_made_is_read_again() {
        let plain = StickyCookie::new("r");
        assert_eq!(
            plain.write(0xab).unwrap(),
            "r=00000000000000ab; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"
        );
        reads(&plain, "r=00000000000000ab", Ok(Some(0xab)));
        reads(&plain, "other=1", Ok(None));
        reads(&plain, "r=ab", Err(Forged));
        reads(&plain, "r=00000000000000ab.", Err(Forged));
    }

    #[test]
    fn a_cookie_that_we_did_not_sign_is_not_read() {
        let key = SigningKey::new([7; 16]).unwrap();
        let signed = StickyCookie::new("r")
            .signed(key.clone())
            .secure(false)
            .domain("example.com");
        let line = signed.write(0xab).unwrap();
        let line = line.to_str().unwrap();
        assert!(
            line.ends_with("; Domain=example.com; HttpOnly; SameSite=Lax"),
            "{line}"
        );
        let pair = line.split(';').next().unwrap();
        reads(&signed, pair, Ok(Some(0xab)));
        reads(&signed, "r=00000000000000ab", Err(Forged));
        reads(&signed, &pair.replace("ab.", "ac."), Err(Forged));
        // The same value under another name is another cookie.
        let other = StickyCookie::new("s").signed(key);
        reads(&other, &pair.replace("r=", "s="), Err(Forged));
    }
}
