//! `Cache-Control`, read into a few words.

use std::fmt;

use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, HeaderName};

/// The directives of a `Cache-Control` field, of a request or a response, as RFC 9111 section 5.2 has them.
///
/// What nobody defined is left out. Of a directive that stands there twice, the first counts (RFC 9111 section 4.2.1).
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::CACHE_CONTROL};
/// use portcullis_cache::http::CacheControl;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=60, s-maxage=600, no-cache=\"set-cookie\""));
/// let directives = CacheControl::of(&headers);
/// assert_eq!(directives.s_maxage(), Some(600));
/// assert!(!directives.no_cache(), "it concerns one field only");
/// assert_eq!(directives.to_string(), "max-age=60, s-maxage=600");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    flags: u16,
    /// A bit for each number that is there.
    present: u8,
    numbers: [u32; NUMBERS.len()],
}

/// The words, each a bit.
const WORDS: [(&str, u16); 10] = [
    ("no-store", CacheControl::NO_STORE),
    ("no-cache", CacheControl::NO_CACHE),
    ("private", CacheControl::PRIVATE),
    ("public", CacheControl::PUBLIC),
    ("must-revalidate", CacheControl::MUST_REVALIDATE),
    ("proxy-revalidate", CacheControl::PROXY_REVALIDATE),
    ("must-understand", CacheControl::MUST_UNDERSTAND),
    ("no-transform", CacheControl::NO_TRANSFORM),
    ("only-if-cached", CacheControl::ONLY_IF_CACHED),
    ("immutable", CacheControl::IMMUTABLE),
];

/// The numbers, each in seconds. `max-stale` may stand without one.
const NUMBERS: [&str; 6] = [
    "max-age",
    "s-maxage",
    "stale-while-revalidate",
    "stale-if-error",
    "max-stale",
    "min-fresh",
];
const MAX_AGE: usize = 0;
const S_MAXAGE: usize = 1;
const STALE_WHILE_REVALIDATE: usize = 2;
const STALE_IF_ERROR: usize = 3;
const MAX_STALE: usize = 4;
const MIN_FRESH: usize = 5;

/// What a number that is too large to be told counts for (RFC 9111 section 1.2.2): 68 years.
pub(crate) const FOREVER: u32 = 1 << 31;

/// Directives whose argument may be a list of fields, which makes them concern these fields only.
const FIELD_LISTS: u16 = CacheControl::NO_CACHE | CacheControl::PRIVATE;

/// What stands after the `=` of a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument<'a> {
    None,
    /// A token, or what is none, as it stands there.
    Plain(&'a [u8]),
    /// What stands between the quotes, its escapes untouched.
    Quoted(&'a [u8]),
}

impl CacheControl {
    const NO_STORE: u16 = 1;
    const NO_CACHE: u16 = 1 << 1;
    const PRIVATE: u16 = 1 << 2;
    const PUBLIC: u16 = 1 << 3;
    const MUST_REVALIDATE: u16 = 1 << 4;
    const PROXY_REVALIDATE: u16 = 1 << 5;
    const MUST_UNDERSTAND: u16 = 1 << 6;
    const NO_TRANSFORM: u16 = 1 << 7;
    const ONLY_IF_CACHED: u16 = 1 << 8;
    const IMMUTABLE: u16 = 1 << 9;
    /// `no-cache` or `private` for some fields: there is a list to be read.
    const FIELDS: u16 = 1 << 10;

    /// Reads all `Cache-Control` lines of a message.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for line in headers.get_all(CACHE_CONTROL) {
            for_each(line.as_bytes(), |name, argument| {
                directives.add(name, argument);
            });
        }
        directives
    }

    /// The same of a request, where `Pragma: no-cache` counts if there is no `Cache-Control` (RFC 9111 section 5.4).
    #[must_use]
    pub fn of_request(headers: &HeaderMap) -> Self {
        let mut directives = Self::of(headers);
        if !headers.contains_key(CACHE_CONTROL) {
            for line in headers.get_all(PRAGMA) {
                for_each(line.as_bytes(), |name, _| {
                    if name.eq_ignore_ascii_case(b"no-cache") {
                        directives.flags |= Self::NO_CACHE;
                    }
                });
            }
        }
        directives
    }

    /// Those of a request that do not make an origin work: `no-store`, `only-if-cached` and `max-stale`.
    pub(crate) const fn that_cost_nothing(mut self) -> Self {
        self.flags &= Self::NO_STORE | Self::ONLY_IF_CACHED;
        self.present &= 1 << MAX_STALE;
        self.numbers = [0, 0, 0, 0, self.numbers[MAX_STALE], 0];
        self
    }

    /// Adds one directive.
    pub(crate) fn add(&mut self, name: &[u8], argument: Argument<'_>) {
        if let Some(index) = number_index(name) {
            self.add_number(index, argument);
        } else if let Some((_, flag)) = word(name) {
            match argument {
                // RFC 9111 sections 5.2.2.4 and 5.2.2.7: the list is in quotes, and a token is taken too.
                Argument::Quoted(_) | Argument::Plain(_) if flag & FIELD_LISTS != 0 => {
                    self.flags |= Self::FIELDS;
                }
                _ => self.flags |= flag,
            }
        }
    }

    fn add_number(&mut self, index: usize, argument: Argument<'_>) {
        let bit = 1 << index;
        if self.present & bit != 0 {
            return;
        }
        self.present |= bit;
        self.numbers[index] = match argument {
            Argument::None if index == MAX_STALE => FOREVER,
            // What is no number makes the response stale (RFC 9111 section 4.2.1).
            Argument::None => 0,
            Argument::Plain(digits) | Argument::Quoted(digits) => seconds(digits).unwrap_or(0),
        };
    }

    /// Adds a number of another notation.
    pub(crate) fn set_number(&mut self, name: &[u8], value: u32) {
        if let Some(index) = number_index(name) {
            self.present |= 1 << index;
            self.numbers[index] = value.min(FOREVER);
        }
    }

    /// Whether a directive has a number.
    pub(crate) fn is_number(name: &[u8]) -> bool {
        number_index(name).is_some()
    }

    /// The name of a directive that is known, as it is written here.
    pub(crate) fn known_name(name: &str) -> Option<&'static str> {
        let words = WORDS.into_iter().map(|(word, _)| word);
        words.chain(NUMBERS).find(|known| *known == name)
    }

    const fn has(self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    const fn number(self, index: usize) -> Option<u32> {
        if self.present & (1 << index) == 0 {
            None
        } else {
            Some(self.numbers[index])
        }
    }

    /// Whether nothing may be stored.
    #[must_use]
    pub const fn no_store(self) -> bool {
        self.has(Self::NO_STORE)
    }

    /// Whether each use has to be validated first. `no-cache="field"` does not say that.
    #[must_use]
    pub const fn no_cache(self) -> bool {
        self.has(Self::NO_CACHE)
    }

    /// Whether the response is for one user. `private="field"` does not say that.
    #[must_use]
    pub const fn private(self) -> bool {
        self.has(Self::PRIVATE)
    }

    /// Whether the response may be stored although something else speaks against it.
    #[must_use]
    pub const fn public(self) -> bool {
        self.has(Self::PUBLIC)
    }

    /// Whether a stale response may not be used, whatever else would allow it.
    #[must_use]
    pub const fn must_revalidate(self) -> bool {
        self.has(Self::MUST_REVALIDATE)
    }

    /// The same for caches that several users share.
    #[must_use]
    pub const fn proxy_revalidate(self) -> bool {
        self.has(Self::PROXY_REVALIDATE)
    }

    /// Whether only a cache that knows the status may store the response.
    #[must_use]
    pub const fn must_understand(self) -> bool {
        self.has(Self::MUST_UNDERSTAND)
    }

    /// Whether the request wants nothing but what is stored.
    #[must_use]
    pub const fn only_if_cached(self) -> bool {
        self.has(Self::ONLY_IF_CACHED)
    }

    /// Whether `no-cache` or `private` names fields.
    pub(crate) const fn names_fields(self) -> bool {
        self.has(Self::FIELDS)
    }

    /// How long a response is fresh, or how old it may be for a request; in seconds.
    #[must_use]
    pub const fn max_age(self) -> Option<u32> {
        self.number(MAX_AGE)
    }

    /// How long a response is fresh in caches that several users share; in seconds.
    #[must_use]
    pub const fn s_maxage(self) -> Option<u32> {
        self.number(S_MAXAGE)
    }

    /// How long a stale response may be used while another is fetched (RFC 5861); in seconds.
    #[must_use]
    pub const fn stale_while_revalidate(self) -> Option<u32> {
        self.number(STALE_WHILE_REVALIDATE)
    }

    /// How long a stale response may be used when the origin fails (RFC 5861); in seconds.
    #[must_use]
    pub const fn stale_if_error(self) -> Option<u32> {
        self.number(STALE_IF_ERROR)
    }

    /// How stale a response may be for the request; in seconds.
    #[must_use]
    pub const fn max_stale(self) -> Option<u32> {
        self.number(MAX_STALE)
    }

    /// How long a response has to stay fresh for the request; in seconds.
    #[must_use]
    pub const fn min_fresh(self) -> Option<u32> {
        self.number(MIN_FRESH)
    }
}

/// Writes the directives in one order; fields that `no-cache` and `private` name are left out.
impl fmt::Display for CacheControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (word, flag) in WORDS {
            if self.has(flag) {
                write!(f, "{separator}{word}")?;
                separator = ", ";
            }
        }
        for (index, name) in NUMBERS.iter().enumerate() {
            if let Some(number) = self.number(index) {
                write!(f, "{separator}{name}={number}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

fn word(name: &[u8]) -> Option<(&'static str, u16)> {
    WORDS
        .into_iter()
        .find(|(word, _)| word.as_bytes().eq_ignore_ascii_case(name))
}

fn number_index(name: &[u8]) -> Option<usize> {
    NUMBERS
        .iter()
        .position(|number| number.as_bytes().eq_ignore_ascii_case(name))
}

/// Whole seconds (RFC 9111 section 1.2.2); `None` for what is no number. What is too large is [`FOREVER`].
pub(crate) fn seconds(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_u32;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value
            .saturating_mul(10)
            .saturating_add(u32::from(digit - b'0'));
    }
    Some(value.min(FOREVER))
}

/// Calls `each` with the name and the argument of each directive of a line. Commas between quotes separate nothing.
pub(crate) fn for_each<'a>(line: &'a [u8], mut each: impl FnMut(&'a [u8], Argument<'a>)) {
    for member in Members(Some(line)) {
        let (name, rest) = match memchr::memchr(b'=', member) {
            Some(at) => (&member[..at], Some(&member[at + 1..])),
            None => (member, None),
        };
        let argument = match rest {
            None => Argument::None,
            Some([b'"', inner @ .., b'"']) => Argument::Quoted(inner),
            Some(plain) => Argument::Plain(plain),
        };
        each(name, argument);
    }
}

/// The fields that `no-cache` and `private` name. Where a name is none, it is left out.
pub(crate) fn listed_fields(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut names = Vec::new();
    for line in headers.get_all(CACHE_CONTROL) {
        for_each(line.as_bytes(), |name, argument| {
            let (Argument::Plain(list) | Argument::Quoted(list)) = argument else {
                return;
            };
            if word(name).is_some_and(|(_, flag)| flag & FIELD_LISTS != 0) {
                names.extend(Members(Some(list)).filter_map(|m| HeaderName::from_bytes(m).ok()));
            }
        });
    }
    names
}

/// The members of a list as RFC 9110 section 5.6.1 has it: trimmed, empty ones left out, quoted strings whole.
pub(crate) struct Members<'a>(pub(crate) Option<&'a [u8]>);

impl<'a> Iterator for Members<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let line = self.0?;
            let member = match end_of_member(line) {
                Some(comma) => {
                    self.0 = Some(&line[comma + 1..]);
                    &line[..comma]
                }
                None => {
                    self.0 = None;
                    line
                }
            };
            let member = member.trim_ascii();
            if !member.is_empty() {
                return Some(member);
            }
        }
    }
}

/// The place of the first comma that stands outside of quotes.
fn end_of_member(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut bytes = line.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => {
                bytes.next();
            }
            b',' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::{Argument, CACHE_CONTROL, CacheControl, HeaderMap, Members, PRAGMA, for_each};

    fn of(lines: &[&str]) -> CacheControl {
        CacheControl::of(&headers(lines))
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn names_are_read_in_any_case() {
        assert!(of(&["No-StOrE"]).no_store());
        assert_eq!(of(&["MaX-aGe=3600"]).max_age(), Some(3600));
    }

    #[test]
    fn what_nobody_defined_is_left_out() {
        assert_eq!(
            of(&["foobar, max-age=3600, a=b"]).to_string(),
            "max-age=3600"
        );
    }

    #[test]
    fn a_comma_between_quotes_separates_nothing() {
        let directives = of(&["extension=\"a, max-age=3600, \\\", no-store\", max-age=1"]);
        assert_eq!(directives.max_age(), Some(1));
        assert!(!directives.no_store());
    }

    #[test]
    fn numbers_are_taken_with_quotes_and_without() {
        assert_eq!(of(&["max-age=\"60\""]).max_age(), Some(60));
        assert_eq!(of(&["max-age=0060"]).max_age(), Some(60));
        assert_eq!(of(&["max-age='60'"]).max_age(), Some(0));
    }

    #[test]
    fn what_is_no_number_of_seconds_is_none_at_all() {
        for wrong in ["-1", "1.5", "a1", "1a", " 1", "", "1 "] {
            let directives = of(&[&format!("x, max-age={wrong}, y")]);
            let expected = if wrong == "1 " { 1 } else { 0 };
            assert_eq!(directives.max_age(), Some(expected), "{wrong:?}");
        }
        assert_eq!(of(&["max-age"]).max_age(), Some(0));
    }

    #[test]
    fn a_number_too_large_is_forever() {
        assert_eq!(
            of(&["max-age=99999999999999999999"]).max_age(),
            Some(1 << 31)
        );
        assert_eq!(of(&["max-age=4294967296"]).max_age(), Some(1 << 31));
    }

    #[test]
    fn of_a_directive_that_stands_there_twice_the_first_counts() {
        assert_eq!(of(&["max-age=1, max-age=1800"]).max_age(), Some(1));
        assert_eq!(of(&["max-age=1800", "max-age=1"]).max_age(), Some(1800));
    }

    #[test]
    fn fields_that_are_named_are_told_and_the_rest_is_free() {
        let headers = headers(&["no-cache=\"set-cookie, x-a\", private=x-b", "max-age=1"]);
        let directives = CacheControl::of(&headers);
        assert!(!directives.no_cache());
        assert!(!directives.private());
        assert!(directives.names_fields());
        let names = super::listed_fields(&headers);
        assert_eq!(names, ["set-cookie", "x-a", "x-b"]);
    }

    #[test]
    fn max_stale_without_a_number_takes_any() {
        assert_eq!(of(&["max-stale"]).max_stale(), Some(1 << 31));
        assert_eq!(of(&["max-stale=5"]).max_stale(), Some(5));
    }

    #[test]
    fn pragma_counts_where_there_is_no_cache_control() {
        let mut headers = HeaderMap::new();
        headers.insert(PRAGMA, HeaderValue::from_static("foo, no-cache"));
        assert!(CacheControl::of_request(&headers).no_cache());
        assert!(!CacheControl::of(&headers).no_cache());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("x"));
        assert!(!CacheControl::of_request(&headers).no_cache());
    }

    proptest! {
        #[test]
        fn no_line_panics_and_members_are_parts_of_it(line in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut length = 0;
            for member in Members(Some(&line)) {
                prop_assert!(!member.is_empty());
                length += member.len();
            }
            prop_assert!(length <= line.len());
            let mut directives = CacheControl::default();
            for_each(&line, |name, argument| directives.add(name, argument));
        }

        #[test]
        fn what_is_written_reads_as_the_same(
            flags in 0_u16..1 << 10,
            numbers in prop::collection::vec(prop::option::of(0_u32..1 << 31), 6),
        ) {
            let mut directives = CacheControl { flags, ..CacheControl::default() };
            for (name, number) in super::NUMBERS.iter().zip(numbers) {
                if let Some(number) = number {
                    let digits = number.to_string();
                    directives.add(name.as_bytes(), Argument::Plain(digits.as_bytes()));
                }
            }
            prop_assert_eq!(of(&[&directives.to_string()]), directives);
        }
    }
}
