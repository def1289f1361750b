//! What can be wrong with a token.

use std::borrow::Cow;
use std::fmt;

/// Why a token is not believed, or does not suffice.
///
/// Its text is for callers and logs: it never holds the token or a part of it, other than the name of an algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenFault {
    /// There is none where one is looked for.
    Missing,
    /// There are several, or something else stands where the token should.
    Ambiguous,
    /// `Bearer` is written in another way than the service knows.
    Scheme,
    /// It is longer than tokens may be.
    TooLarge,
    /// It does not have three parts.
    Segments,
    /// A part of it is not base64url, not JSON, nested too deeply, or names something twice.
    Malformed,
    /// Its header asks for an algorithm that is not allowed here: this one.
    Algorithm(Box<str>),
    /// Its header says that it must not be read by who does not understand an extension (`crit`).
    Critical,
    /// It is of another type (`typ`).
    Type,
    /// Its header names no key (`kid`).
    NoKeyId,
    /// Its header names a key that the issuer does not have, or has for other algorithms.
    UnknownKey,
    /// The signature is not the key's.
    Signature,
    /// It is of another issuer (`iss`).
    Issuer,
    /// It is meant for somebody else (`aud`, `client_id`).
    Audience,
    /// It has no time at which it ends (`exp`).
    NoExpiry,
    /// It has expired (`exp`).
    Expired,
    /// Its time has not come yet (`nbf`).
    NotYetValid,
    /// It was issued in the future (`iat`).
    IssuedLater,
    /// It is a token for another use (`token_use`): an ID token instead of an access token, or the other way round.
    Use,
    /// A claim that is asked for is missing or has another value: this one.
    Claim(Box<str>),
    /// It is genuine, and has none of the scopes that are asked for.
    Scope,
    /// It is genuine, and a check of the operator's says no.
    Check,
    /// Whoever gave it out says that it counts no longer, or never did.
    Inactive,
    /// Whoever gave it out cannot be asked whether it counts.
    IntrospectionUnavailable,
    /// The issuer's description could not be fetched, and no keys are held.
    DiscoveryUnavailable,
    /// The issuer's keys could not be fetched, and none are held.
    KeysUnavailable,
}

impl TokenFault {
    /// Whether the token is genuine and grants too little: 403 instead of 401.
    #[must_use]
    pub const fn is_forbidden(&self) -> bool {
        matches!(self, Self::Scope | Self::Check)
    }

    /// Whether nothing is known of the token, because the issuer cannot be asked for its keys.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::DiscoveryUnavailable | Self::KeysUnavailable | Self::IntrospectionUnavailable
        )
    }

    /// A short name for decisions and counters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Missing => "token-missing",
            Self::Ambiguous => "token-ambiguous",
            Self::Scheme => "token-scheme",
            Self::TooLarge => "token-too-large",
            Self::Segments | Self::Malformed => "token-malformed",
            Self::Algorithm(_) => "token-algorithm",
            Self::Critical => "token-critical",
            Self::Type => "token-type",
            Self::NoKeyId => "token-without-key-id",
            Self::UnknownKey => "token-unknown-key",
            Self::Signature => "token-signature",
            Self::Issuer => "token-issuer",
            Self::Audience => "token-audience",
            Self::NoExpiry => "token-without-expiry",
            Self::Expired => "token-expired",
            Self::NotYetValid => "token-not-yet-valid",
            Self::IssuedLater => "token-issued-later",
            Self::Use => "token-use",
            Self::Claim(_) => "token-claim",
            Self::Scope => "token-scope",
            Self::Check => "token-check",
            Self::Inactive => "token-inactive",
            Self::IntrospectionUnavailable => "introspection",
            Self::DiscoveryUnavailable => "issuer-discovery",
            Self::KeysUnavailable => "issuer-keys",
        }
    }

    /// What the caller may read. Where the service's own text is known, it is that.
    #[must_use]
    pub fn description(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Missing => "there is no token",
            Self::Ambiguous => {
                "there is more than one token, or none that can be told from the rest"
            }
            Self::Scheme => "tokenstring should not contain 'bearer '",
            Self::TooLarge => "the token is too large",
            Self::Segments => "token contains an invalid number of segments",
            Self::Malformed => "the token is malformed",
            Self::Algorithm(name) => {
                return Cow::Owned(format!("signing method {} is invalid", printable(name)));
            }
            Self::Critical => "the token needs an extension that is not understood",
            Self::Type => "the token is of another type",
            Self::NoKeyId => "the token names no key",
            Self::UnknownKey => "the token names an unknown key",
            Self::Signature => "the token has an invalid signature",
            Self::Issuer => "the token does not have a valid issuer",
            Self::Audience => "the token does not have a valid audience",
            Self::NoExpiry => "the token does not expire",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::IssuedLater => "the token was issued in the future",
            Self::Use => "the token is for another use",
            Self::Claim(name) => {
                return Cow::Owned(format!("the token lacks the claim {}", printable(name)));
            }
            Self::Scope => "the token has none of the scopes that are needed",
            Self::Check => "the token does not suffice",
            Self::Inactive => "the token is not active",
            Self::IntrospectionUnavailable => "introspection endpoint communication error",
            Self::DiscoveryUnavailable => "OIDC discovery endpoint communication error",
            Self::KeysUnavailable => "JWKS communication error",
        })
    }
}

/// What of `text` may stand in a header (RFC 6750, 3), and no more of it than anybody needs to read.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'))
        .take(64)
        .collect()
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description())
    }
}

impl std::error::Error for TokenFault {}

#[cfg(test)]
mod tests {
    use super::TokenFault;

    #[test]
    fn a_description_can_stand_in_a_header_whatever_the_token_said() {
        let fault = TokenFault::Algorithm("a\"b\\c\r\nd\u{e9}".repeat(100).into());
        let text = fault.description();
        assert!(
            text.len() < 100 && text.starts_with("signing method abcdabcd"),
            "{text}"
        );
    }
}
