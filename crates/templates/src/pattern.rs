//! Regular expressions as Java has them, for those who match texts outside a template.

use std::fmt;

use crate::java::regex;

/// A regular expression as Java has it, which a whole text must match (`String.matches`).
///
/// It is compiled once. Look-around and back-references work, within a bound on the steps back.
///
/// ```
/// use portcullis_templates::Pattern;
///
/// let pattern = Pattern::parse("(?!404)4\\d{2}")?;
/// assert!(pattern.matches("403"));
/// assert!(!pattern.matches("404"));
/// assert!(!pattern.matches("4031"), "the whole text must match");
/// # Ok::<(), portcullis_templates::PatternError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pattern(regex::Whole);

/// A text that is no regular expression, or one that is too large to run safely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl Pattern {
    /// Compiles `source`.
    ///
    /// # Errors
    ///
    /// If it is no regular expression, or too large.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        regex::Whole::compile(source)
            .map(Self)
            .map_err(|failure| PatternError(failure.into_reason().message))
    }

    /// Whether the whole of `text` matches. Where that takes too many steps back it counts as no match.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.matches(text).unwrap_or(false)
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        let compiled = Pattern::parse(pattern).expect(pattern);
        assert_eq!(compiled.matches(text), expected, "{pattern} on {text:?}");
    }

    #[test]
    fn the_whole_text_must_match() {
        check("2\\d{2}", "200", true);
        check("2\\d{2}", "2000", false);
        check("200|201", "201", true);
        check("200|201", "2011", false);
        check("a|ab", "ab", true);
        check("Malformed.*", "Malformed: x", true);
        check("Malformed", "Malformed: x", false);
        check("", "", true);
        check("404", "404\n", false);
    }

    #[test]
    fn a_dot_stops_at_the_end_of_a_line_unless_it_is_told_not_to() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("first{end}second");
            check("first.*", &text, false);
            check("(?s)first.*", &text, true);
            check("(.|\\n|\\r)*", &text, true);
        }
    }

    #[test]
    fn javas_notation_is_understood() {
        check("\\Qa.b\\E.*", "a.bc", true);
        check("\\Qa.b\\E.*", "axbc", false);
        check("(?i)ERROR.*", "error: x", true);
        check("(a)b\\1", "aba", true);
        check("[^5].*", "404", true);
        check("(?!5).*", "503", false);
        check(".*\\{\"code\": 4\\}.*", "x {\"code\": 4} y", true);
    }

    #[test]
    fn what_is_no_pattern_is_an_error() {
        for pattern in ["(", "[", "*", "a{2,1}"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_runs_away_is_given_up() {
        let text = "a".repeat(40);
        check("(?=(a+)+b).*", &text, false);
    }
}
