//! What must not be read in a log.

use std::collections::BTreeSet;

/// Which values a log does not show: keys, tokens and the like, unless it is told otherwise.
///
/// ```
/// use portcullis_observe::{AccessFormat, Redaction};
///
/// let redaction = Redaction::new().hide("x-patient").show("x-csrf-token");
/// assert!(redaction.hides("Authorization"));
/// assert!(redaction.hides("X-Patient"));
/// assert!(!redaction.hides("x-csrf-token"));
///
/// let format = AccessFormat::parse_with("$context.requestId $request.header.x-patient", &redaction)?;
/// # let _ = format;
/// # Ok::<(), portcullis_observe::ConfigError>(())
/// ```
///
/// Names are those of headers, of query parameters and of variables below `$context`, without regard to case. Hidden from the beginning are
/// `identity.apiKey`, and headers and parameters in whose names one of these stands: `authorization`, `cookie`, `credential`, `password`, `secret`, `signature`,
/// `token`, `api-key`, `api_key`, `apikey`; and `code`, `key` and `sig` by themselves. A value that is hidden prints as `REDACTED`, so that it can be seen that there was one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Redaction {
    hidden: BTreeSet<String>,
    shown: BTreeSet<String>,
}

/// Parts of names that say that the value is a secret.
const WORDS: [&str; 10] = [
    "authorization",
    "cookie",
    "credential",
    "password",
    "secret",
    "signature",
    "token",
    "api-key",
    "api_key",
    "apikey",
];

/// Whole names.
const NAMES: [&str; 3] = ["code", "key", "sig"];

impl Redaction {
    /// What is hidden from the beginning; the same as `Redaction::default()`.
    pub const fn new() -> Self {
        Self {
            hidden: BTreeSet::new(),
            shown: BTreeSet::new(),
        }
    }

    /// Hides the values of this name, too.
    pub fn hide(mut self, name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        self.shown.remove(&name);
        self.hidden.insert(name);
        self
    }

    /// Shows the values of this name.
    pub fn show(mut self, name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        self.hidden.remove(&name);
        self.shown.insert(name);
        self
    }

    /// Whether values of a header or parameter of this name are hidden.
    #[must_use]
    pub fn hides(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        if self.shown.contains(&name) {
            return false;
        }
        self.hidden.contains(&name)
            || NAMES.contains(&name.as_str())
            || WORDS.iter().any(|word| name.contains(word))
    }

    /// Whether the value of a variable below `$context` is hidden.
    #[must_use]
    pub fn hides_variable(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        if self.shown.contains(&lower) {
            return false;
        }
        if self.hidden.contains(&lower) || lower == "identity.apikey" {
            return true;
        }
        // These are headers and parameters by another way.
        let overrides = [
            "requestoverride.header.",
            "requestoverride.querystring.",
            "responseoverride.header.",
        ];
        overrides
            .iter()
            .find_map(|prefix| lower.strip_prefix(prefix))
            .is_some_and(|header| self.hides(header))
    }
}

#[cfg(test)]
mod tests {
    use super::Redaction;

    #[test]
    fn keys_and_tokens_are_hidden_from_the_beginning() {
        let redaction = Redaction::new();
        for name in [
            "authorization",
            "Proxy-Authorization",
            "cookie",
            "set-cookie",
            "x-api-key",
            "X-Amz-Security-Token",
            "x-amz-signature",
            "access_token",
            "code",
        ] {
            assert!(redaction.hides(name), "{name}");
        }
        for name in ["accept", "user-agent", "x-tenant", "decode"] {
            assert!(!redaction.hides(name), "{name}");
        }
        assert!(redaction.hides_variable("identity.apiKey"));
        assert!(redaction.hides_variable("requestOverride.header.Authorization"));
        assert!(!redaction.hides_variable("identity.apiKeyId"));
        assert!(!redaction.hides_variable("authorizer.claims.token_use"));
    }

    #[test]
    fn the_last_word_on_a_name_counts() {
        let redaction = Redaction::new()
            .show("x-api-key")
            .hide("x-tenant")
            .show("identity.apiKey");
        assert!(!redaction.hides("X-Api-Key"));
        assert!(redaction.hides("x-tenant"));
        assert!(!redaction.hides_variable("identity.apiKey"));
        assert!(
            redaction
                .show("x-tenant")
                .hide("x-api-key")
                .hides("x-api-key")
        );
    }
}
