//! What claims must say: pure functions, with the time as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::fault::TokenFault;
use super::token::{Audience, Registered};

/// Seconds after the Unix epoch, as claims have them (`NumericDate`, RFC 7519, 2).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Seconds(pub(crate) f64);

impl Seconds {
    pub(crate) fn of(time: SystemTime) -> Self {
        Self(
            time.duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs_f64(),
        )
    }
}

/// Checks the times and returns when the token ends, leeway included.
pub(crate) fn times(
    claims: &Registered<'_>,
    now: Seconds,
    leeway: Duration,
) -> Result<Seconds, TokenFault> {
    let leeway = leeway.as_secs_f64();
    let expires = claims.expires.ok_or(TokenFault::NoExpiry)? + leeway;
    // A token whose end is now has ended.
    if expires <= now.0 {
        return Err(TokenFault::Expired);
    }
    if claims.not_before.is_some_and(|from| from - leeway > now.0) {
        return Err(TokenFault::NotYetValid);
    }
    if claims.issued.is_some_and(|from| from - leeway > now.0) {
        return Err(TokenFault::IssuedLater);
    }
    Ok(Seconds(expires))
}

/// Checks for whom the token is: one of `accepted` is in `aud`, or, only where there is no `aud`, is the `client_id`.
pub(crate) fn audience(claims: &Registered<'_>, accepted: &[Box<str>]) -> Result<(), TokenFault> {
    let is_accepted = |name: &str| accepted.iter().any(|own| **own == *name);
    let fits = match &claims.audience {
        Audience::One(name) => is_accepted(name),
        Audience::Many(names) => names.iter().any(|name| is_accepted(name)),
        Audience::Absent => claims.client_id.text().is_some_and(is_accepted),
    };
    if fits {
        Ok(())
    } else {
        Err(TokenFault::Audience)
    }
}

/// Compares types of tokens as media types: without case, and `application/` may be left out (RFC 7515, 4.1.9).
pub(crate) fn is_type(found: Option<&str>, expected: &str) -> bool {
    fn short(name: &str) -> &str {
        match name.get(..12) {
            Some(prefix) if prefix.eq_ignore_ascii_case("application/") => &name[12..],
            _ => name,
        }
    }
    found.is_some_and(|found| short(found).eq_ignore_ascii_case(short(expected)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Seconds, audience, is_type, times};
    use crate::jwt::fault::TokenFault;
    use crate::jwt::token::Registered;

    #[track_caller]
    fn check_times(json: &str, leeway: u64, expected: Result<f64, TokenFault>) {
        let claims = Registered::parse(json).expect("claims");
        let found = times(&claims, Seconds(1000.0), Duration::from_secs(leeway));
        assert_eq!(found, expected.map(Seconds), "{json}");
    }

    #[test]
    fn a_token_ends_at_its_expiry_and_not_after_it() {
        check_times(r#"{"exp":1001}"#, 0, Ok(1001.0));
        check_times(r#"{"exp":1000.25}"#, 0, Ok(1000.25));
        check_times(r#"{"exp":1000}"#, 0, Err(TokenFault::Expired));
        check_times(r#"{"exp":999.5}"#, 0, Err(TokenFault::Expired));
        check_times(r#"{"exp":-1e300}"#, 0, Err(TokenFault::Expired));
        check_times("{}", 0, Err(TokenFault::NoExpiry));
    }

    #[test]
    fn leeway_counts_on_both_sides() {
        check_times(r#"{"exp":941}"#, 60, Ok(1001.0));
        check_times(r#"{"exp":940}"#, 60, Err(TokenFault::Expired));
        check_times(r#"{"exp":2000,"nbf":1060,"iat":1060}"#, 60, Ok(2060.0));
        check_times(
            r#"{"exp":2000,"nbf":1061}"#,
            60,
            Err(TokenFault::NotYetValid),
        );
    }

    #[test]
    fn a_token_of_the_future_is_refused_and_one_of_now_is_not() {
        check_times(r#"{"exp":2000,"nbf":1000,"iat":1000}"#, 0, Ok(2000.0));
        check_times(
            r#"{"exp":2000,"nbf":1000.5}"#,
            0,
            Err(TokenFault::NotYetValid),
        );
        check_times(
            r#"{"exp":2000,"iat":1001}"#,
            0,
            Err(TokenFault::IssuedLater),
        );
    }

    #[test]
    fn a_client_id_counts_only_without_an_audience() {
        let fits = |json: &str| {
            let claims = Registered::parse(json).expect("claims");
            audience(&claims, &["a".into(), "b".into()]).is_ok()
        };
        assert!(fits(r#"{"aud":"a"}"#));
        assert!(fits(r#"{"aud":["x","b"]}"#));
        assert!(fits(r#"{"client_id":"b"}"#));
        assert!(!fits(r#"{"aud":"x","client_id":"a"}"#));
        assert!(!fits(r#"{"aud":[],"client_id":"a"}"#));
        assert!(!fits(r#"{"client_id":["a"]}"#));
        assert!(!fits(r#"{"aud":"A"}"#));
        assert!(!fits("{}"));
    }

    #[test]
    fn types_are_compared_as_media_types() {
        assert!(is_type(Some("at+jwt"), "at+jwt"));
        assert!(is_type(Some("application/AT+JWT"), "at+jwt"));
        assert!(!is_type(Some("jwt"), "at+jwt"));
        assert!(!is_type(None, "at+jwt"));
    }
}
