//! `Vary`: which headers of a request a stored response is for (RFC 9111 section 4.1).

use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::directives::Members;
use crate::key::KeyBuilder;

/// What a response depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Vary {
    /// Nothing in the request's headers.
    Nothing,
    /// These headers, sorted.
    On(Vec<HeaderName>),
    /// More than a cache can know (`*`, or what is no name).
    Everything,
}

impl Vary {
    /// Reads all lines of the field.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut names = Vec::new();
        for line in headers.get_all(VARY) {
            for member in Members(Some(line.as_bytes())) {
                match HeaderName::from_bytes(member) {
                    Ok(name) if member != b"*" => names.push(name),
                    _ => return Self::Everything,
                }
            }
        }
        if names.is_empty() {
            return Self::Nothing;
        }
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        Self::On(names)
    }
}

/// Adds the values of `names` to a key, so that requests which mean the same are the same.
pub(crate) fn write_values<'a>(
    key: &mut KeyBuilder,
    names: impl IntoIterator<Item = &'a HeaderName>,
    request: &HeaderMap,
) {
    for name in names {
        let mut lines = request.get_all(name).iter();
        let Some(first) = lines.next() else {
            key.absent();
            continue;
        };
        let second = lines.next();
        let weighted = *name == ACCEPT_LANGUAGE || *name == ACCEPT_ENCODING;
        if second.is_none() && !weighted && is_plain(first.as_bytes()) {
            key.part(first.as_bytes());
            continue;
        }
        let lines = std::iter::once(first).chain(second).chain(lines);
        let value = if weighted {
            by_weight(lines)
        } else {
            without_spaces(lines)
        };
        key.part(&value);
    }
}

/// Whether a value is the same with and without [`without_spaces`].
fn is_plain(value: &[u8]) -> bool {
    !value.contains(&b',') && value.trim_ascii().len() == value.len()
}

/// The lines as one list, without the spaces between its members.
fn without_spaces<'a>(lines: impl Iterator<Item = &'a HeaderValue>) -> Vec<u8> {
    let mut value = Vec::new();
    for line in lines {
        for member in Members(Some(line.as_bytes())) {
            if !value.is_empty() {
                value.push(b',');
            }
            value.extend_from_slice(member);
        }
    }
    value
}

/// The members in one case, the most wanted first. Of those that are wanted alike, no order is meant (RFC 9110 sections 12.5.3 and 12.5.4).
fn by_weight<'a>(lines: impl Iterator<Item = &'a HeaderValue>) -> Vec<u8> {
    let mut members = Vec::new();
    for line in lines {
        for member in Members(Some(line.as_bytes())) {
            let (name, weight) = match memchr::memchr(b';', member) {
                Some(at) => (member[..at].trim_ascii(), weight(&member[at + 1..])),
                None => (member, Some(1000)),
            };
            match weight {
                Some(weight) => {
                    members.push((std::cmp::Reverse(weight), name.to_ascii_lowercase()))
                }
                // Whatever it means, it is told apart from everything else.
                None => members.push((std::cmp::Reverse(1001), member.to_vec())),
            }
        }
    }
    members.sort_unstable();
    members.dedup();
    let mut value = Vec::new();
    for (weight, name) in members {
        if !value.is_empty() {
            value.push(b',');
        }
        value.extend_from_slice(&name);
        value.push(b';');
        value.extend_from_slice(weight.0.to_string().as_bytes());
    }
    value
}

/// `q=0.5`, in thousandths.
fn weight(parameter: &[u8]) -> Option<u16> {
    let parameter = parameter.trim_ascii();
    let value = parameter
        .strip_prefix(b"q=")
        .or_else(|| parameter.strip_prefix(b"Q="))?;
    let (whole, fraction) = match value {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let mut thousandths = match whole {
        b'0' => 0,
        b'1' => 1000,
        _ => return None,
    };
    let mut place = 100;
    for digit in fraction {
        if !digit.is_ascii_digit() {
            return None;
        }
        thousandths += u16::from(digit - b'0') * place;
        place /= 10;
    }
    (thousandths <= 1000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT_LANGUAGE;
    use proptest::prelude::*;

    use super::{HeaderMap, HeaderName, HeaderValue, KeyBuilder, VARY, Vary, weight, write_values};
    use crate::key::Key;

    fn vary(lines: &[&'static str]) -> Vary {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(VARY, HeaderValue::from_static(line));
        }
        Vary::of(&headers)
    }

    fn key(name: &HeaderName, lines: &[&str]) -> Key {
        let mut request = HeaderMap::new();
        for line in lines {
            request.append(name, HeaderValue::from_str(line).unwrap());
        }
        let mut key = KeyBuilder::new(b"");
        write_values(&mut key, [name], &request);
        key.to_key()
    }

    const FOO: HeaderName = HeaderName::from_static("foo");

    #[test]
    fn a_star_anywhere_is_everything() {
        for lines in [
            &["*"][..],
            &["*, *"],
            &["*", "*"],
            &[", *"],
            &["", "*"],
            &["*, Foo"],
            &["Foo, *"],
            &["a b"],
        ] {
            assert_eq!(vary(lines), Vary::Everything, "{lines:?}");
        }
    }

    #[test]
    fn names_are_sorted_and_stand_there_once() {
        assert_eq!(vary(&[]), Vary::Nothing);
        assert_eq!(vary(&[", "]), Vary::Nothing);
        let names = ["a", "foo"].map(HeaderName::from_static).to_vec();
        assert_eq!(vary(&["Foo, A", "foo"]), Vary::On(names));
    }

    #[test]
    fn lists_are_the_same_however_they_are_spaced_and_broken() {
        let one = key(&FOO, &["1, 2"]);
        assert_eq!(one, key(&FOO, &["1", "2"]));
        assert_eq!(one, key(&FOO, &[" 1,2 "]));
        assert_ne!(one, key(&FOO, &["2, 1"]));
        assert_ne!(one, key(&FOO, &["12"]));
        assert_ne!(key(&FOO, &[]), key(&FOO, &[""]));
        assert_ne!(key(&FOO, &["a"]), key(&FOO, &["A"]));
    }

    #[test]
    fn languages_are_the_same_in_any_order_and_case_but_not_with_other_weights() {
        let one = key(&ACCEPT_LANGUAGE, &["en, de"]);
        assert_eq!(one, key(&ACCEPT_LANGUAGE, &["dE ,  EN;q=1.0"]));
        assert_eq!(one, key(&ACCEPT_LANGUAGE, &["en", "de"]));
        assert_ne!(one, key(&ACCEPT_LANGUAGE, &["en;q=0.5, de"]));
        assert_ne!(one, key(&ACCEPT_LANGUAGE, &["en"]));
        assert_ne!(one, key(&ACCEPT_LANGUAGE, &["en;x=1, de"]));
    }

    #[test]
    fn weights_have_three_digits() {
        for (text, expected) in [
            ("q=1", Some(1000)),
            ("q=0.5", Some(500)),
            (" Q=0.001 ", Some(1)),
            ("q=1.000", Some(1000)),
            ("q=0.", Some(0)),
            ("q=1.001", None),
            ("q=2", None),
            ("q=0.0001", None),
            ("q=", None),
            ("v=b3", None),
        ] {
            assert_eq!(weight(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_value_panics(value in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let request = HeaderMap::from_iter([(ACCEPT_LANGUAGE, value.clone()), (FOO, value)]);
                write_values(&mut KeyBuilder::new(b""), [&ACCEPT_LANGUAGE, &FOO], &request);
            }
        }
    }
}
