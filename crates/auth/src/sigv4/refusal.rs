//! The refusals of a verifier, in the service's words.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use http::HeaderValue;
use portcullis_core::{Decision, Rejection, RejectionKind};

use super::date::AmzDate;
use super::verify::{ALGORITHM, hashed, write_canonical};

fn refuse(
    kind: RejectionKind,
    rule: &'static str,
    message: impl Into<Cow<'static, str>>,
) -> Rejection {
    Rejection::new(kind)
        .with_message(message)
        .with_decision(Decision::new("auth", rule))
}

fn incomplete(rule: &'static str, message: impl Into<Cow<'static, str>>) -> Rejection {
    refuse(RejectionKind::IncompleteSignature, rule, message)
}

fn invalid(rule: &'static str, message: impl Into<Cow<'static, str>>) -> Rejection {
    refuse(RejectionKind::InvalidSignature, rule, message)
}

pub(super) fn two_signatures() -> Rejection {
    invalid(
        "sigv4/two-signatures",
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    )
}

pub(super) fn missing_token() -> Rejection {
    Rejection::new(RejectionKind::MissingAuthenticationToken)
        .with_decision(Decision::new("auth", "sigv4/not-signed"))
}

pub(super) fn several_authorizations() -> Rejection {
    incomplete(
        "sigv4/several-authorizations",
        "There must be one Authorization header only.",
    )
}

pub(super) fn empty_authorization() -> Rejection {
    incomplete("sigv4/empty", "Authorization header cannot be empty: ''")
}

/// The header is named by its hash: what is no signature may be a token of another kind, and refusals go to logs.
pub(super) fn not_a_pair(value: &HeaderValue) -> Rejection {
    incomplete(
        "sigv4/not-a-pair",
        format!(
            "Invalid key=value pair (missing equal-sign) in Authorization header \
             (hashed with SHA-256 and encoded with Base64): '{}'.",
            hashed(value)
        ),
    )
}

pub(super) fn no_algorithm(value: &HeaderValue) -> Rejection {
    incomplete(
        "sigv4/no-algorithm",
        format!(
            "Authorization header must begin with the algorithm name, which cannot include an equal-sign \
             (hashed with SHA-256 and encoded with Base64): '{}'.",
            hashed(value)
        ),
    )
}

pub(super) fn unknown_parameter(value: &HeaderValue) -> Rejection {
    incomplete(
        "sigv4/unknown-parameter",
        format!(
            "Authorization header has a parameter that is none of 'Credential', 'SignedHeaders' and 'Signature' \
             (hashed with SHA-256 and encoded with Base64): '{}'.",
            hashed(value)
        ),
    )
}

pub(super) fn repeated_parameter(value: &HeaderValue) -> Rejection {
    incomplete(
        "sigv4/repeated-parameter",
        format!(
            "Authorization header has a parameter more than once \
             (hashed with SHA-256 and encoded with Base64): '{}'.",
            hashed(value)
        ),
    )
}

pub(super) fn missing_parts(
    parts: [(&str, bool); 3],
    date: bool,
    algorithm: &str,
    value: &HeaderValue,
) -> Rejection {
    let mut message = String::new();
    for (name, there) in parts {
        if !there {
            // Writing to a string cannot fail.
            let _ = write!(
                message,
                "Authorization header requires '{name}' parameter. "
            );
        }
    }
    if !date {
        message.push_str(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
        );
    }
    match value.to_str() {
        Ok(text) if algorithm.starts_with("AWS4-") => {
            let _ = write!(message, "Authorization={text}");
        }
        // It may be a token of another kind.
        _ => {
            let _ = write!(
                message,
                "(Hashed with SHA-256 and encoded with Base64) Authorization={}",
                hashed(value)
            );
        }
    }
    incomplete("sigv4/missing-parts", message)
}

pub(super) fn missing_query_parts(names: impl Iterator<Item = &'static str>) -> Rejection {
    let mut message = String::new();
    for name in names {
        // Writing to a string cannot fail.
        let _ = write!(
            message,
            "AWS query-string parameters must include '{name}'. "
        );
    }
    message.push_str("Re-examine the query-string parameters.");
    incomplete("sigv4/missing-parts", message)
}

pub(super) fn repeated_query_parameter(name: &str) -> Rejection {
    incomplete(
        "sigv4/repeated-parameter",
        format!(
            "AWS query-string parameters must include '{name}' once. Re-examine the query-string parameters."
        ),
    )
}

pub(super) fn bad_date(date: &str) -> Rejection {
    incomplete(
        "sigv4/bad-date",
        format!(
            "Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ),
    )
}

pub(super) fn bad_expires() -> Rejection {
    incomplete(
        "sigv4/bad-expires",
        "X-Amz-Expires must be a number of seconds from 1 to 604800.",
    )
}

pub(super) fn expired(signed: AmzDate, now: AmzDate, life: Duration) -> Rejection {
    invalid(
        "sigv4/expired",
        format!(
            "Signature expired: {signed} is now earlier than {} ({now} - {}.)",
            now.minus(life),
            Minutes(life)
        ),
    )
}

pub(super) fn not_yet_current(signed: AmzDate, now: AmzDate, skew: Duration) -> Rejection {
    invalid(
        "sigv4/not-yet-current",
        format!(
            "Signature not yet current: {signed} is still later than {} ({now} + {}.)",
            now.plus(skew),
            Minutes(skew)
        ),
    )
}

/// `5 min`; `90 sec` where it is no whole number.
struct Minutes(Duration);

impl std::fmt::Display for Minutes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        if seconds.is_multiple_of(60) {
            write!(f, "{} min", seconds / 60)
        } else {
            write!(f, "{seconds} sec")
        }
    }
}

pub(super) fn host_not_signed() -> Rejection {
    invalid(
        "sigv4/host-not-signed",
        "'Host' must be a 'SignedHeader' in the AWS Authorization.",
    )
}

pub(super) fn bad_signed_headers() -> Rejection {
    incomplete(
        "sigv4/bad-signed-headers",
        "'SignedHeaders' must be the names of headers in lower case, sorted and each once, separated by semicolons.",
    )
}

pub(super) fn unsupported_algorithm(algorithm: &str) -> Rejection {
    incomplete(
        "sigv4/unsupported-algorithm",
        format!("Unsupported AWS 'algorithm': '{algorithm}'."),
    )
}

pub(super) fn bad_credential(credential: &str) -> Rejection {
    incomplete(
        "sigv4/bad-credential",
        format!(
            "Credential must have exactly 5 slash-delimited elements, \
             e.g. keyid/date/region/service/term, got '{credential}'"
        ),
    )
}

pub(super) fn bad_regional_credential(credential: &str) -> Rejection {
    incomplete(
        "sigv4/bad-credential",
        format!(
            "Credential must have exactly 4 slash-delimited elements, \
             e.g. keyid/date/service/term, got '{credential}'"
        ),
    )
}

/// What of a scope is wrong.
pub(super) struct Scope<'a> {
    pub(super) region: Option<&'a str>,
    /// The right one.
    pub(super) service: Option<&'a str>,
    pub(super) terminator: Option<&'a str>,
    /// The day of the scope, and the date of the request.
    pub(super) day: Option<(&'a str, &'a str)>,
}

impl Scope<'_> {
    /// # Errors
    ///
    /// A sentence for each thing that is wrong.
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let mut message = String::new();
        // Writing to a string cannot fail.
        if let Some(region) = self.region {
            let _ = write!(
                message,
                "Credential should be scoped to a valid region, not '{region}'. "
            );
        }
        if let Some(service) = self.service {
            let _ = write!(
                message,
                "Credential should be scoped to correct service: '{service}'. "
            );
        }
        if let Some(terminator) = self.terminator {
            let _ = write!(
                message,
                "Credential should be scoped with a valid terminator: 'aws4_request', not '{terminator}'. "
            );
        }
        if let Some((day, date)) = self.day {
            let _ = write!(
                message,
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{day}' != '{}', from '{date}'.",
                &date[..8]
            );
        }
        if message.is_empty() {
            return Ok(());
        }
        message.truncate(message.trim_end().len());
        Err(invalid("sigv4/wrong-scope", message))
    }
}

pub(super) fn unknown_key(access_key_id: &str) -> Rejection {
    unrecognized("sigv4/unknown-key", access_key_id)
}

pub(super) fn bad_token(access_key_id: &str) -> Rejection {
    unrecognized("sigv4/bad-token", access_key_id)
}

fn unrecognized(rule: &'static str, access_key_id: &str) -> Rejection {
    let decision = Decision::new("auth", rule).with("accessKeyId", access_key_id.to_owned());
    Rejection::new(RejectionKind::UnrecognizedClient).with_decision(decision)
}

pub(super) fn expired_token(access_key_id: &str) -> Rejection {
    let decision =
        Decision::new("auth", "sigv4/expired-token").with("accessKeyId", access_key_id.to_owned());
    Rejection::new(RejectionKind::ExpiredToken).with_decision(decision)
}

pub(super) fn replayed(access_key_id: &str) -> Rejection {
    let decision =
        Decision::new("auth", "sigv4/replayed").with("accessKeyId", access_key_id.to_owned());
    Rejection::new(RejectionKind::InvalidSignature)
        .with_message("The request signature has been used before.")
        .with_decision(decision)
}

/// The operator has to give the guard a larger capacity.
pub(super) fn no_room(access_key_id: &str) -> Rejection {
    let decision = Decision::new("auth", "sigv4/replay-guard-full")
        .with("accessKeyId", access_key_id.to_owned());
    Rejection::new(RejectionKind::AuthorizerFailure).with_decision(decision)
}

pub(super) fn body_not_read() -> Rejection {
    let decision = Decision::new("auth", "sigv4/body-not-read");
    Rejection::new(RejectionKind::InvalidSignature).with_decision(decision)
}

pub(super) fn two_hosts() -> Rejection {
    invalid(
        "sigv4/two-hosts",
        "The request's target and its 'Host' header name different hosts.",
    )
}

pub(super) fn bad_chunk(access_key_id: &str, rule: &'static str) -> Rejection {
    let decision = Decision::new("auth", rule).with("accessKeyId", access_key_id.to_owned());
    Rejection::new(RejectionKind::InvalidSignature).with_decision(decision)
}

pub(super) fn mismatch(access_key_id: &str, shown: Option<(Cow<'_, str>, &str)>) -> Rejection {
    let decision = Decision::new("auth", "sigv4/mismatch")
        .with("accessKeyId", access_key_id.to_owned())
        .with("algorithm", ALGORITHM);
    let rejection = Rejection::new(RejectionKind::InvalidSignature).with_decision(decision);
    match shown {
        None => rejection,
        Some((canonical, string_to_sign)) => {
            let mut message = RejectionKind::InvalidSignature
                .message()
                .unwrap_or_default()
                .to_owned();
            write_canonical(&mut message, &canonical, string_to_sign);
            rejection.with_message(message)
        }
    }
}
