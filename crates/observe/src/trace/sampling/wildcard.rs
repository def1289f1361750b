//! Patterns with `*` and `?`.

/// A pattern: `*` stands for any text, `?` for any one character, and letters match whatever their case, as in X-Ray.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wildcard(Box<[char]>);

impl Wildcard {
    /// Longer patterns are none of X-Ray's, and matching costs their length times the text's.
    pub(super) const MAX_LENGTH: usize = 512;

    pub(super) fn new(pattern: &str) -> Self {
        let mut folded: Vec<char> = pattern.chars().map(|it| it.to_ascii_lowercase()).collect();
        folded.dedup_by(|next, before| *next == '*' && *before == '*');
        Self(folded.into())
    }

    /// Whether it matches whatever it is compared with.
    pub(super) fn is_any(&self) -> bool {
        *self.0 == ['*']
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        if self.is_any() {
            return true;
        }
        let pattern = &*self.0;
        let mut at = 0;
        let mut rest = text.chars();
        // Where to go on when what follows the last `*` does not match: let it stand for one character more.
        let mut retry = None;
        loop {
            match (pattern.get(at), rest.clone().next()) {
                (Some('*'), _) => {
                    at += 1;
                    retry = Some((at, rest.clone()));
                }
                (Some(wanted), Some(found))
                    if *wanted == '?' || *wanted == found.to_ascii_lowercase() =>
                {
                    at += 1;
                    rest.next();
                }
                (None, None) => return true,
                _ => {
                    let Some((after, longer)) = &mut retry else {
                        return false;
                    };
                    if longer.next().is_none() {
                        return false;
                    }
                    at = *after;
                    rest = longer.clone();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Wildcard;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(
            Wildcard::new(pattern).matches(text),
            expected,
            "{pattern} {text}"
        );
    }

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        check("*", "", true);
        check("*", "anything", true);
        check("", "", true);
        check("", "a", false);
        check("?", "", false);
        check("?", "é", true);
        check("/api/move/*", "/api/move/7", true);
        check("/api/move/*", "/api/move", false);
        check("*.example.com", "www.EXAMPLE.com", true);
        check("a*b*c", "axxbyybzzc", true);
        check("a*b*c", "axxbyybzz", false);
        check("a?c*", "abc", true);
        check("**a", "a", true);
        check("GET", "get", true);
    }

    #[test]
    fn a_hostile_text_takes_no_more_than_its_length_times_that_of_the_pattern() {
        check(&"a*".repeat(256), &"a".repeat(8192), true);
        check(&format!("{}b", "a*".repeat(255)), &"a".repeat(8192), false);
    }

    /// The plain meaning, which takes exponential time.
    fn matches(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
            [wanted, rest @ ..] => match text {
                [found, after @ ..] => (*wanted == '?' || wanted == found) && matches(rest, after),
                [] => false,
            },
        }
    }

    proptest! {
        #[test]
        fn it_matches_what_its_plain_meaning_matches(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let plain: (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(Wildcard::new(&pattern).matches(&text), matches(&plain.0, &plain.1));
        }
    }
}
