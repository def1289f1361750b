//! Targeted cache control (RFC 9213).

use std::convert::Infallible;

use http::{HeaderMap, HeaderName};
use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser};

use super::directives::{Argument, CacheControl};

/// The directives of the first field of `targets` that is there and valid; `None` if `Cache-Control` and `Expires` count.
pub(crate) fn of(headers: &HeaderMap, targets: &[HeaderName]) -> Option<CacheControl> {
    targets.iter().find_map(|target| parse(headers, target))
}

/// Reads one field. RFC 9213 section 2.1: what is empty or no dictionary is as if it were not there.
fn parse(headers: &HeaderMap, target: &HeaderName) -> Option<CacheControl> {
    let mut lines = headers.get_all(target).iter();
    let first = lines.next()?;
    let parsed = match lines.next() {
        None => Parser::new(first.as_bytes()).parse_dictionary_with_visitor(Directives::default()),
        Some(second) => {
            // Lines of one field are one list (RFC 9110 section 5.2).
            let mut joined = first.as_bytes().to_vec();
            for line in std::iter::once(second).chain(lines) {
                joined.extend_from_slice(b", ");
                joined.extend_from_slice(line.as_bytes());
            }
            Parser::new(&joined).parse_dictionary_with_visitor(Directives::default())
        }
    };
    parsed.ok().flatten()
}

/// Collects the members that are known. Of a key that stands there twice, the last counts, as in every dictionary.
#[derive(Default)]
struct Directives {
    members: Vec<(&'static str, Value)>,
    any: bool,
}

#[derive(Clone, Copy)]
enum Value {
    True,
    False,
    Number(u32),
    /// The argument of `no-cache` or `private`: which fields does not matter, since they are read from `Cache-Control` only.
    Fields,
    /// None that a directive takes.
    Wrong,
}

impl<'de> DictionaryVisitor<'de> for Directives {
    type Out = Option<CacheControl>;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        self.any = true;
        // What nobody defined is left out, so that a long field costs no more than its length.
        let Some(name) = CacheControl::known_name(key.as_str()) else {
            return Ok(None);
        };
        let at = match self.members.iter().position(|(known, _)| *known == name) {
            Some(at) => at,
            None => {
                self.members.push((name, Value::Wrong));
                self.members.len() - 1
            }
        };
        Ok(Some(Member(&mut self.members[at].1)))
    }

    fn finish(self) -> Result<Self::Out, Infallible> {
        if !self.any {
            return Ok(None);
        }
        let mut directives = CacheControl::default();
        for (name, value) in &self.members {
            let name = name.as_bytes();
            match value {
                Value::Number(number) => {
                    directives.set_number(name, *number);
                }
                // Where a number is meant and none is there, the field is not what RFC 9213 means.
                _ if CacheControl::is_number(name) => return Ok(None),
                // Nothing of a response is left out by a targeted field, so what concerns some fields concerns it as a whole.
                Value::True | Value::Fields => directives.add(name, Argument::None),
                Value::False | Value::Wrong => {}
            }
        }
        Ok(Some(directives))
    }
}

struct Member<'a>(&'a mut Value);

impl<'de> EntryVisitor<'de> for Member<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        *self.0 = Value::Wrong;
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for Member<'_> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        *self.0 = match item {
            BareItemFromInput::Boolean(true) => Value::True,
            BareItemFromInput::Boolean(false) => Value::False,
            BareItemFromInput::Integer(number) => match i64::from(number) {
                // Negative numbers are none of seconds; such a response is stale.
                ..0 => Value::Number(0),
                number => Value::Number(u32::try_from(number).unwrap_or(u32::MAX)),
            },
            BareItemFromInput::String(_) => Value::Fields,
            _ => Value::Wrong,
        };
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::{CacheControl, of};

    const CDN: HeaderName = HeaderName::from_static("cdn-cache-control");
    const OURS: HeaderName = HeaderName::from_static("ours-cache-control");

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn cdn(line: &str) -> Option<CacheControl> {
        of(&headers(&[(CDN, line)]), &[CDN])
    }

    #[test]
    fn the_first_field_of_the_list_that_is_valid_counts() {
        let both = headers(&[(CDN, "max-age=1"), (OURS, "max-age=2")]);
        assert_eq!(of(&both, &[OURS, CDN]).unwrap().max_age(), Some(2));
        assert_eq!(of(&both, &[CDN, OURS]).unwrap().max_age(), Some(1));
        let broken = headers(&[(CDN, "max-age=1"), (OURS, "max-age=2, &&&&&")]);
        assert_eq!(of(&broken, &[OURS, CDN]).unwrap().max_age(), Some(1));
        assert_eq!(of(&both, &[]), None);
    }

    #[test]
    fn lines_are_one_dictionary() {
        let lines = headers(&[(CDN, "max-age=1"), (CDN, "no-store")]);
        let directives = of(&lines, &[CDN]).unwrap();
        assert_eq!(directives.max_age(), Some(1));
        assert!(directives.no_store());
    }

    #[test]
    fn what_is_no_dictionary_is_as_if_it_were_not_there() {
        for line in [
            "",
            "max-age =1",
            "max-age= 1",
            "MaX-aGe=1",
            "max-age=1,",
            "max-age=1 no-store",
        ] {
            assert_eq!(cdn(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_number_of_another_type_makes_the_field_none() {
        for line in [
            "max-age=\"1\"",
            "max-age=1.5",
            "max-age",
            "max-age=(1)",
            "no-store, max-age=?1",
        ] {
            assert_eq!(cdn(line), None, "{line:?}");
        }
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        assert_eq!(cdn("max-age=1, max-age=2").unwrap().max_age(), Some(2));
        assert_eq!(cdn("max-age=x, max-age=2").unwrap().max_age(), Some(2));
        assert_eq!(cdn("max-age=2, max-age=x"), None);
    }

    #[test]
    fn a_directive_can_be_said_not_to_hold() {
        assert!(!cdn("no-store=?0, max-age=2").unwrap().no_store());
    }

    #[test]
    fn extensions_and_parameters_are_left_out() {
        let directives = cdn("foobar, max-age=3600;x=y, a=(1 2)").unwrap();
        assert_eq!(directives.to_string(), "max-age=3600");
    }

    #[test]
    fn no_cache_for_some_fields_is_no_cache() {
        assert!(
            cdn("no-cache=\"set-cookie\", max-age=1")
                .unwrap()
                .no_cache()
        );
    }

    #[test]
    fn numbers_are_held_within_bounds() {
        assert_eq!(cdn("max-age=-5").unwrap().max_age(), Some(0));
        assert_eq!(cdn("max-age=99999999999").unwrap().max_age(), Some(1 << 31));
    }

    proptest! {
        #[test]
        fn what_cache_control_writes_reads_as_the_same(max_age in 0_u32..1 << 31, no_store: bool) {
            let line = format!("{}max-age={max_age}", if no_store { "no-store, " } else { "" });
            let plain = CacheControl::of(&headers(&[(http::header::CACHE_CONTROL, &line)]));
            prop_assert_eq!(cdn(&line), Some(plain));
        }

        #[test]
        fn no_field_panics(line in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&line) {
                headers.insert(CDN, value);
            }
            of(&headers, &[CDN]);
        }
    }
}
