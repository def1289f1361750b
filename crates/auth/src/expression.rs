//! Regular expressions of operators, over text of clients.

use std::fmt;
use std::sync::Arc;

use fancy_regex::{Regex, RegexBuilder};

use crate::ConfigError;

/// A validation expression. It must match the whole of a text, as in Java's `matches`.
#[derive(Clone)]
pub(crate) struct Expression(Arc<Regex>);

/// Steps back that a look-around or back-reference may take before the text counts as no match.
const MAX_BACKTRACKS: usize = 100_000;
const MAX_BYTES: usize = 16 * 1024;

impl Expression {
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let fault = |problem: String| {
            ConfigError::new(
                "identityValidationExpression",
                problem,
                "give a regular expression of at most 16 KiB",
            )
        };
        if text.len() > MAX_BYTES {
            return Err(fault(format!("it has {} bytes", text.len())));
        }
        RegexBuilder::new(&format!("^(?:{text})$(?<!\\n)"))
            .backtrack_limit(MAX_BACKTRACKS)
            .build()
            .map(|regex| Self(Arc::new(regex)))
            .map_err(|error| fault(format!("`{text}` is no regular expression: {error}")))
    }

    /// Whether the whole of `text` matches. What takes too long to find out does not.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text).unwrap_or(false)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Expression;

    #[track_caller]
    fn check(expression: &str, text: &str, expected: bool) {
        let found = Expression::parse(expression)
            .expect("an expression")
            .matches(text);
        assert_eq!(found, expected, "{expression} on {text:?}");
    }

    #[test]
    fn the_whole_text_must_match() {
        check("allow|deny", "allow", true);
        check("allow|deny", "allowed", false);
        check("^Bearer [-0-9a-zA-z.]*$", "Bearer a.b", true);
        check("a.*", "xa", false);
        check("(?!bad).*", "good", true);
        check("(?!bad).*", "bad", false);
        check(".*", "a\n", false);
    }

    #[test]
    fn an_expression_that_never_ends_is_no_match() {
        check(r"(?=(a+)+$)(a|b|ab)*\1c", &"a".repeat(5000), false);
    }

    #[test]
    fn what_is_no_expression_is_an_error() {
        assert!(Expression::parse("(").is_err());
        assert!(Expression::parse(&"a".repeat(20_000)).is_err());
    }
}
