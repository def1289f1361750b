//! Patterns with `*`, `?` and policy variables, matched in time linear in the text.
//!
//! A pattern is cut at its stars into segments. The first and the last are compared where they must stand, each
//! one between is searched for from where the one before it ended. Taking the first place is always right, so nothing is
//! ever tried twice. A segment of plain text is searched for with `memchr`'s linear search, one with `?` in it by a
//! bit-parallel automaton (Shift-And). What comes out of a variable is text, stars and all.

use std::fmt;
use std::ops::Range;

use memchr::memmem;

use super::keys::{ContextKeys, ShortText};

/// How to read the text of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Syntax {
    /// Whether `*` and `?` are wildcards.
    pub(super) wildcards: bool,
    /// Whether `${…}` is a variable: from version 2012-10-17 on.
    pub(super) variables: bool,
}

/// A compiled pattern.
pub(super) enum Pattern {
    /// `*`
    Any,
    /// No wildcard, no variable.
    Exact(Box<str>),
    /// One star, at the end.
    Prefix(Box<str>),
    /// The segments between the stars; there are as many stars as segments, less one.
    Segments(Box<[Segment]>),
}

pub(super) struct Segment {
    pieces: Box<[Piece]>,
    search: Search,
}

enum Piece {
    Text(Box<str>),
    /// `?`
    One,
    Variable(Variable),
}

struct Variable {
    /// In lower case.
    key: Box<str>,
    default: Option<Box<str>>,
}

/// How a segment between two stars is found.
enum Search {
    /// One character of ASCII, which needs no tables.
    Byte(u8),
    Text(Box<memmem::Finder<'static>>),
    Automaton(Box<ShiftAnd>),
    /// Not before the values of its variables are known.
    Later,
}

/// What came of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    Yes,
    No,
    /// A variable has no value, so nothing matches.
    NoValue,
}

/// A variable that has to be compared has no value.
struct NoValue;

impl Match {
    const fn of(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    ///
    /// What is wrong with a variable in it.
    pub(super) fn compile(text: &str, syntax: Syntax) -> Result<Self, String> {
        let mut segments = Vec::new();
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let flush = |plain: &mut String, pieces: &mut Vec<Piece>| {
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(plain).into()));
            }
        };
        let mut rest = text;
        while let Some(char) = rest.chars().next() {
            if syntax.variables && rest.starts_with("${") {
                let (inner, after) = variable(rest)?;
                match inner {
                    "*" | "?" | "$" => plain.push_str(inner),
                    _ => {
                        flush(&mut plain, &mut pieces);
                        pieces.push(Piece::Variable(Variable::parse(inner)?));
                    }
                }
                rest = after;
                continue;
            }
            rest = &rest[char.len_utf8()..];
            match char {
                '*' if syntax.wildcards => {
                    flush(&mut plain, &mut pieces);
                    segments.push(std::mem::take(&mut pieces));
                }
                '?' if syntax.wildcards => {
                    flush(&mut plain, &mut pieces);
                    pieces.push(Piece::One);
                }
                other => plain.push(other),
            }
        }
        flush(&mut plain, &mut pieces);
        segments.push(pieces);
        Ok(Self::from_segments(segments))
    }

    fn from_segments(mut segments: Vec<Vec<Piece>>) -> Self {
        // Two stars in a row are one: a segment of nothing between stars says nothing.
        if segments.len() > 2 {
            let last = segments.len() - 1;
            let mut index = 0;
            segments.retain(|pieces| {
                let keep = index == 0 || index == last || !pieces.is_empty();
                index += 1;
                keep
            });
        }
        match segments.as_mut_slice() {
            [only] if only.is_empty() => return Self::Exact("".into()),
            [only] => {
                if let [Piece::Text(text)] = only.as_mut_slice() {
                    return Self::Exact(std::mem::take(text));
                }
            }
            [first, last] if last.is_empty() => match first.as_mut_slice() {
                [] => return Self::Any,
                [Piece::Text(text)] => return Self::Prefix(std::mem::take(text)),
                _ => {}
            },
            _ => {}
        }
        Self::Segments(segments.into_iter().map(Segment::new).collect())
    }

    /// Compares `text` with the pattern.
    pub(super) fn matches(&self, text: &str, keys: &dyn ContextKeys) -> Match {
        match self {
            Self::Any => Match::Yes,
            Self::Exact(own) => Match::of(**own == *text),
            Self::Prefix(own) => Match::of(text.starts_with(&**own)),
            Self::Segments(segments) => match match_segments(segments, text, keys) {
                Ok(yes) => Match::of(yes),
                Err(NoValue) => Match::NoValue,
            },
        }
    }

    /// Compares `text` with the pattern without regard to case. For patterns without wildcards.
    pub(super) fn equals_ignoring_case(&self, text: &str, keys: &dyn ContextKeys) -> bool {
        let mut rest = text.chars().flat_map(char::to_lowercase);
        let mut eat = |text: &str| {
            text.chars()
                .flat_map(char::to_lowercase)
                .all(|char| rest.next() == Some(char))
        };
        match self {
            Self::Exact(own) => eat(own) && rest.next().is_none(),
            Self::Segments(segments) => {
                segments
                    .iter()
                    .flat_map(|segment| &segment.pieces)
                    .all(|piece| match piece {
                        Piece::Text(text) => eat(text),
                        Piece::One => false,
                        Piece::Variable(variable) => variable
                            .value(keys)
                            .is_some_and(|value| eat(value.as_str())),
                    })
                    && rest.next().is_none()
            }
            Self::Any | Self::Prefix(_) => false,
        }
    }
}

/// Whether `text` is what `pattern` says, in which `*` and `?` are wildcards.
pub(crate) fn matches_wildcards(pattern: &str, text: &str) -> bool {
    let syntax = Syntax {
        wildcards: true,
        variables: false,
    };
    Pattern::compile(pattern, syntax).is_ok_and(|pattern| pattern.matches(text, &()) == Match::Yes)
}

/// The inside of the variable that `text` begins with, and what follows it.
fn variable(text: &str) -> Result<(&str, &str), String> {
    text.strip_prefix("${")
        .and_then(|inner| inner.split_once('}'))
        .ok_or_else(|| format!("the variable `{text}` is not closed by `}}`"))
}

impl Variable {
    /// `aws:username`, or `aws:PrincipalTag/team, 'nobody'`.
    fn parse(inner: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`${{{inner}}}` is no variable: a condition key is meant, \
                 or a key and its default as in `${{aws:PrincipalTag/team, 'nobody'}}`"
            )
        };
        let (key, default) = match inner.split_once(',') {
            None => (inner, None),
            Some((key, default)) => {
                let default = default
                    .trim()
                    .strip_prefix('\'')
                    .and_then(|default| default.strip_suffix('\''))
                    .ok_or_else(wrong)?;
                (key, Some(default.into()))
            }
        };
        let key = key.trim();
        if key.is_empty() || key.contains(['$', '{', '*', '?', '\'']) {
            return Err(wrong());
        }
        Ok(Self {
            key: key.to_lowercase().into(),
            default,
        })
    }

    fn value<'a>(&'a self, keys: &'a dyn ContextKeys) -> Option<ShortText<'a>> {
        match keys.value(&self.key) {
            // Several values, or none of them, are no text.
            Some(value) => value.text(),
            None => None,
        }
        .or_else(|| self.default.as_deref().map(ShortText::Borrowed))
    }

    fn known<'a>(&'a self, keys: &'a dyn ContextKeys) -> Result<ShortText<'a>, NoValue> {
        self.value(keys).ok_or(NoValue)
    }
}

impl Segment {
    fn new(pieces: Vec<Piece>) -> Self {
        let variable = pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Variable(_)));
        let search = match pieces.as_slice() {
            [Piece::Text(text)] if text.len() == 1 => Search::Byte(text.as_bytes()[0]),
            [Piece::Text(text)] => {
                Search::Text(Box::new(memmem::Finder::new(text.as_bytes()).into_owned()))
            }
            _ if variable => Search::Later,
            pieces => {
                Search::Automaton(Box::new(ShiftAnd::new(pieces.iter().flat_map(
                    |piece| match piece {
                        Piece::Text(text) => text.chars().map(Some).collect(),
                        Piece::One | Piece::Variable(_) => vec![None],
                    },
                ))))
            }
        };
        Self {
            pieces: pieces.into(),
            search,
        }
    }

    /// The text without the segment at its start; `None` if it does not start so.
    fn strip_start<'t>(
        &self,
        mut text: &'t str,
        keys: &dyn ContextKeys,
    ) -> Result<Option<&'t str>, NoValue> {
        for piece in &self.pieces {
            let rest = match piece {
                Piece::Text(own) => text.strip_prefix(&**own),
                Piece::One => {
                    let mut chars = text.chars();
                    chars.next().map(|_| chars.as_str())
                }
                Piece::Variable(variable) => text.strip_prefix(variable.known(keys)?.as_str()),
            };
            match rest {
                Some(rest) => text = rest,
                None => return Ok(None),
            }
        }
        Ok(Some(text))
    }

    /// The text without the segment at its end; `None` if it does not end so.
    fn strip_end<'t>(
        &self,
        mut text: &'t str,
        keys: &dyn ContextKeys,
    ) -> Result<Option<&'t str>, NoValue> {
        for piece in self.pieces.iter().rev() {
            let rest = match piece {
                Piece::Text(own) => text.strip_suffix(&**own),
                Piece::One => {
                    let mut chars = text.chars();
                    chars.next_back().map(|_| chars.as_str())
                }
                Piece::Variable(variable) => text.strip_suffix(variable.known(keys)?.as_str()),
            };
            match rest {
                Some(rest) => text = rest,
                None => return Ok(None),
            }
        }
        Ok(Some(text))
    }

    /// The text behind the first place where the segment stands; `None` if it stands nowhere.
    fn find<'t>(&self, text: &'t str, keys: &dyn ContextKeys) -> Result<Option<&'t str>, NoValue> {
        let end = match &self.search {
            Search::Byte(byte) => memchr::memchr(*byte, text.as_bytes()).map(|start| start + 1),
            Search::Text(finder) => finder
                .find(text.as_bytes())
                .map(|start| start + finder.needle().len()),
            Search::Automaton(automaton) => automaton.find_end(text),
            Search::Later => {
                let mut chars = Vec::new();
                for piece in &self.pieces {
                    match piece {
                        Piece::Text(own) => chars.extend(own.chars().map(Some)),
                        Piece::One => chars.push(None),
                        Piece::Variable(variable) => {
                            chars.extend(variable.known(keys)?.as_str().chars().map(Some));
                        }
                    }
                }
                ShiftAnd::new(chars).find_end(text)
            }
        };
        steps(1 + end.unwrap_or(text.len()));
        Ok(end.map(|end| &text[end..]))
    }
}

fn match_segments(
    segments: &[Segment],
    text: &str,
    keys: &dyn ContextKeys,
) -> Result<bool, NoValue> {
    let Some((first, others)) = segments.split_first() else {
        return Ok(text.is_empty());
    };
    let Some(mut rest) = first.strip_start(text, keys)? else {
        return Ok(false);
    };
    let Some((last, between)) = others.split_last() else {
        return Ok(rest.is_empty());
    };
    match last.strip_end(rest, keys)? {
        Some(text) => rest = text,
        None => return Ok(false),
    }
    for segment in between {
        match segment.find(rest, keys)? {
            Some(text) => rest = text,
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// The Shift-And automaton: one bit for each character of the needle, all of them moved on at once by each character of the text.
///
/// Its memory is linear in the needle, however many characters that has: a rare one is kept as its places, not as a row of bits.
struct ShiftAnd {
    /// The characters of the needle, sorted, each once, and where they fit.
    alphabet: Box<[(char, Places)]>,
    /// The rows of the frequent characters, `words` words each. The first is that of every other character: the places of `?`.
    rows: Box<[u64]>,
    /// The places of the rare ones.
    places: Box<[u32]>,
    words: usize,
    length: usize,
}

/// Where in the needle a character fits, besides `?`.
enum Places {
    /// As in this row, which has the places of `?`, too.
    Row(usize),
    /// In these of the places.
    Few(Range<usize>),
}

/// Needles of up to so many words have a row for each character.
const FEW_WORDS: usize = 4;

impl ShiftAnd {
    /// For a needle in which `None` stands for any character.
    fn new(needle: impl IntoIterator<Item = Option<char>>) -> Self {
        let needle: Vec<Option<char>> = needle.into_iter().collect();
        let words = needle.len().div_ceil(64).max(1);
        let mut rows = vec![0; words];
        let mut places: Vec<(char, u32)> = Vec::new();
        for (place, char) in (0_u32..).zip(&needle) {
            match char {
                Some(char) => places.push((*char, place)),
                None => set(&mut rows, place),
            }
        }
        places.sort_unstable();
        let mut alphabet = Vec::new();
        let mut few = Vec::new();
        for same in places.chunk_by(|(left, _), (right, _)| left == right) {
            let Some((char, _)) = same.first() else {
                continue;
            };
            let places = same.iter().map(|(_, place)| *place);
            let kept = if words <= FEW_WORDS || same.len() > words {
                let start = rows.len();
                rows.extend_from_within(..words);
                places.for_each(|place| set(&mut rows[start..], place));
                Places::Row(start / words)
            } else {
                let start = few.len();
                few.extend(places);
                Places::Few(start..few.len())
            };
            alphabet.push((*char, kept));
        }
        Self {
            alphabet: alphabet.into(),
            rows: rows.into(),
            places: few.into(),
            words,
            length: needle.len(),
        }
    }

    /// Where the first place ends at which the needle stands.
    fn find_end(&self, text: &str) -> Option<usize> {
        if self.length == 0 {
            return Some(0);
        }
        // No character is shorter than a byte.
        if self.length > text.len() {
            return None;
        }
        let mut short = [0_u64; 8];
        let mut long = Vec::new();
        let state = if self.words <= short.len() {
            &mut short[..self.words]
        } else {
            long.resize(self.words, 0);
            long.as_mut_slice()
        };
        let last = self.length - 1;
        for (start, char) in text.char_indices() {
            steps(self.words);
            let found = self.alphabet.binary_search_by_key(&char, |(own, _)| *own);
            let (row, few) = match found.map(|index| &self.alphabet[index].1) {
                Ok(Places::Row(row)) => (*row, 0..0),
                Ok(Places::Few(few)) => (0, few.clone()),
                Err(_) => (0, 0..0),
            };
            let mut few = self.places[few].iter().peekable();
            let mut carry = 1;
            let rows = &self.rows[row * self.words..];
            for (index, (word, mask)) in state.iter_mut().zip(rows).enumerate() {
                let moved = (*word << 1) | carry;
                carry = *word >> 63;
                let mut next = moved & mask;
                while let Some(place) = few.next_if(|place| **place as usize / 64 == index) {
                    next |= moved & (1 << (place % 64));
                }
                *word = next;
            }
            if state[last / 64] >> (last % 64) & 1 == 1 {
                return Some(start + char.len_utf8());
            }
        }
        None
    }
}

fn set(words: &mut [u64], place: u32) {
    words[place as usize / 64] |= 1 << (place % 64);
}

/// Counts what is done, in tests.
#[cfg(test)]
fn steps(count: usize) {
    tests::STEPS.with(|steps| steps.set(steps.get() + count));
}

#[cfg(not(test))]
const fn steps(_count: usize) {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(text) => f.write_str(text),
            Self::Prefix(text) => write!(f, "{text}*"),
            Self::Segments(segments) => {
                for (index, segment) in segments.iter().enumerate() {
                    if index > 0 {
                        f.write_str("*")?;
                    }
                    for piece in &segment.pieces {
                        match piece {
                            Piece::Text(text) => f.write_str(text)?,
                            Piece::One => f.write_str("?")?,
                            Piece::Variable(variable) => write!(f, "${{{}}}", variable.key)?,
                        }
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::super::keys::ContextEntries;
    use super::*;

    thread_local! {
        pub(super) static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    const LIKE: Syntax = Syntax {
        wildcards: true,
        variables: true,
    };

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        let keys = ContextEntries::new()
            .with("aws:username", "r*x")
            .with("aws:PrincipalTag/team", "dogs");
        let compiled = Pattern::compile(pattern, LIKE).unwrap();
        let matched = compiled.matches(text, &keys) == Match::Yes;
        assert_eq!(matched, expected, "{pattern} on {text}: {compiled:?}");
    }

    #[test]
    fn stars_match_any_run_and_question_marks_one_character() {
        check("*", "", true);
        check("**", "a/b", true);
        check("", "", true);
        check("", "a", false);
        check("a*", "a", true);
        check("a*", "ba", false);
        check("*a", "ba", true);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("a*a", "a", false);
        check("*ab*ab*", "aab", false);
        check("*ab*ab*", "aabab", true);
        check("?", "", false);
        check("?", "é", true);
        check("a?c*", "abcd", true);
        check("*?b?*", "xbx", true);
        check("*?b?*", "xb", false);
        check("*é?*", "ééa", true);
        check("x*?", "x", false);
    }

    #[test]
    fn what_comes_out_of_a_variable_is_literal() {
        check("users/${aws:username}", "users/r*x", true);
        check("users/${aws:username}", "users/rax", false);
        check("*${AWS:UserName}*", "-r*x-", true);
        check("*?${aws:username}*", "r*x", false);
        check("*?${aws:username}*", "-r*x", true);
        check("a${*}b", "a*b", true);
        check("a${*}b", "axb", false);
        check("${?}${$}{x}", "?${x}", true);
    }

    #[test]
    fn a_variable_without_a_value_matches_nothing_unless_it_has_a_default() {
        check("users/${aws:userid}", "users/", false);
        check("users/${aws:userid}*", "users/", false);
        check("*/${aws:userid}/*", "users//x", false);
        check("users/${aws:userid, 'nobody'}", "users/nobody", true);
        check("${aws:PrincipalTag/Team, 'nobody'}", "dogs", true);
    }

    #[test]
    fn a_broken_variable_is_an_error() {
        for broken in ["${aws:username", "a${}", "${a,b}", "${a, 'b}", "${${x}}"] {
            assert!(Pattern::compile(broken, LIKE).is_err(), "{broken}");
        }
        let literal = Syntax {
            wildcards: true,
            variables: false,
        };
        let old = Pattern::compile("${aws:username", literal).unwrap();
        assert_eq!(old.matches("${aws:username", &()), Match::Yes);
    }

    #[test]
    fn needles_longer_than_a_word_are_found() {
        let long = format!("{}?{}", "a".repeat(600), "b".repeat(700));
        let text = format!("xx{}cccc", long.replace('?', "é"));
        check(&format!("*{long}*"), &text, true);
        check(&format!("*{long}b*"), &text, false);
    }

    /// Which families of patterns take hours where stars are tried one by one.
    #[test]
    fn whatever_its_stars_a_pattern_is_matched_in_steps_linear_in_the_text() {
        let count = |pattern: &str, text: &str| {
            let keys = ContextEntries::new().with("key", "ab*");
            let pattern = Pattern::compile(pattern, LIKE).unwrap();
            STEPS.set(0);
            let _ = pattern.matches(text, &keys);
            STEPS.get()
        };
        for family in [
            "*a", "*?a", "*a?", "*aa", "*ab", "**", "*?", "*${key}", "*é?",
        ] {
            for end in ["", "b", "*", "*b"] {
                for length in [1_000] {
                    for text in ["a", "ab", "aab", "éa", "ab*"] {
                        let text = text.repeat(length);
                        for stars in [10, 400] {
                            let pattern = family.repeat(stars) + end;
                            let taken = count(&pattern, &text);
                            // Twice: an automaton's steps, and the segment that it found.
                            let most = 2 * text.len() + 2 * stars + 2;
                            assert!(taken <= most, "{family} {stars} {end} {length}: {taken}");
                        }
                    }
                }
            }
        }
        // A segment that is long itself moves on 64 characters at a time.
        let marks = format!("*{}b*", "a?".repeat(2_000));
        let text = "a".repeat(100_000);
        assert!(count(&marks, &text) <= (text.len() + 1) * (4_001 / 64 + 2));
    }

    #[test]
    fn an_automaton_is_no_larger_than_its_needle() {
        // Every character another one, with a mark between.
        let needle: String = (0..20_000)
            .filter_map(|index| char::from_u32(0x4e00 + index))
            .flat_map(|char| [char, '?'])
            .collect();
        let pattern = format!("*{needle}*");
        let mut compiled = None;
        let counted = allocation_counter::measure(|| {
            compiled = Some(Pattern::compile(&pattern, LIKE).unwrap());
        });
        assert!(counted.bytes_max < 80 * pattern.len() as u64, "{counted:?}");
        let compiled = compiled.unwrap();
        let text = format!("xx{}yy", needle.replace('?', "é"));
        assert_eq!(compiled.matches(&text, &()), Match::Yes);
        let other = text.replacen('\u{4e07}', "\u{4e08}", 1);
        assert_eq!(compiled.matches(&other, &()), Match::No);
    }

    /// The definition, word by word; exponential, and so for short texts only.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            Some(('?', rest)) => !text.is_empty() && naive(rest, &text[1..]),
            Some((own, rest)) => text.first() == Some(own) && naive(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_match_is_what_the_definition_says(pattern in "[ab*?é]{0,9}", text in "[abé]{0,12}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let compiled = Pattern::compile(&pattern, LIKE).unwrap();
            prop_assert_eq!(
                compiled.matches(&text, &()) == Match::Yes,
                naive(&chars(&pattern), &chars(&text))
            );
        }

        /// Long needles keep rare characters as places, frequent ones as rows.
        #[test]
        fn a_long_segment_is_found_where_it_stands(
            needle in prop::collection::vec(prop_oneof![6 => "[a-c]", 3 => "[d-zé-ü]", 1 => "\\?"], 260..400),
            before in "[a-z]{0,40}",
            change in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let needle = needle.concat();
            let mut text: Vec<char> = needle.replace('?', "!").chars().collect();
            let changed = change.map(|place| place.index(text.len()));
            let same = changed.is_none_or(|place| needle.chars().nth(place) == Some('?'));
            if let Some(place) = changed {
                text[place] = '#';
            }
            let text: String = before.chars().chain(text).chain("tail".chars()).collect();
            let pattern = Pattern::compile(&format!("*{needle}*"), LIKE).unwrap();
            prop_assert_eq!(pattern.matches(&text, &()) == Match::Yes, same);
        }

        #[test]
        fn no_text_breaks_the_compiler(text in ".{0,40}") {
            let _ = Pattern::compile(&text, LIKE);
        }
    }
}
