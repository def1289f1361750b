//! The seven verbs that the service routes, and `ANY`.

use std::fmt;
use std::str::FromStr;

use http::Method;

/// What a route answers to: one of the seven verbs that the service knows, or `ANY` of them.
///
/// There is no eighth verb: `TRACE`, `CONNECT` and extension methods reach no route, not even an `ANY` one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the service has had these eight from its first day, and callers match on them"
)]
pub enum RouteMethod {
    /// `DELETE`
    Delete,
    /// `GET`, which does not stand for `HEAD`.
    Get,
    /// `HEAD`
    Head,
    /// `OPTIONS`
    Options,
    /// `PATCH`
    Patch,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// Each of the seven for which the same resource has no method of its own.
    Any,
}

/// A set of verbs, as an `Allow` header lists them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Methods(u8);

/// The text was none of the eight names of [`RouteMethod`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMethod(());

impl RouteMethod {
    /// The name under which definitions spell it, `GET` or `ANY`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAMES[self as usize]
    }

    /// Whether a request of this method is one that the route answers.
    #[must_use]
    pub fn answers(self, method: &Method) -> bool {
        Verb::of(method).is_some_and(|verb| self == Self::Any || self as usize == verb.index())
    }

    /// The verbs that it stands for: itself, or all seven.
    #[must_use]
    pub fn methods(self) -> Methods {
        match self {
            Self::Any => Methods::ALL,
            verb => Methods(1 << verb as u8),
        }
    }
}

impl AsRef<str> for RouteMethod {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for RouteMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RouteMethod {
    type Err = UnknownMethod;

    /// Reads one of the eight names, which are upper case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ALL.into_iter()
            .find(|method| method.as_str() == text)
            .ok_or(UnknownMethod(()))
    }
}

impl Methods {
    /// All seven: what `ANY` stands for.
    pub const ALL: Self = Self(0x7f);

    /// Whether no verb is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the set has this method. Never so for a method that is not one of the seven.
    #[must_use]
    pub fn contains(self, method: &Method) -> bool {
        Verb::of(method).is_some_and(|verb| self.0 & verb.bit() != 0)
    }

    /// The verbs in the set, in alphabetical order.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        VERBS
            .into_iter()
            .enumerate()
            .filter(move |(index, _)| self.0 & (1 << index) != 0)
            .map(|(_, method)| method)
    }

    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    pub(crate) fn bits(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Methods {
    /// Writes the value of an `Allow` header: `GET, HEAD, POST`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, method) in self.iter().enumerate() {
            if count > 0 {
                f.write_str(", ")?;
            }
            f.write_str(method.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for UnknownMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not one of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT and ANY")
    }
}

impl std::error::Error for UnknownMethod {}

/// One of the seven verbs, as the index of its slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verb(u8);

impl Verb {
    pub(crate) fn of(method: &Method) -> Option<Self> {
        let method = match *method {
            Method::GET => RouteMethod::Get,
            Method::POST => RouteMethod::Post,
            Method::PUT => RouteMethod::Put,
            Method::DELETE => RouteMethod::Delete,
            Method::OPTIONS => RouteMethod::Options,
            Method::HEAD => RouteMethod::Head,
            Method::PATCH => RouteMethod::Patch,
            _ => return None,
        };
        Some(Self(method as u8))
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..7).map(Self)
    }

    pub(crate) fn bit(self) -> u8 {
        1 << self.0
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

const ALL: [RouteMethod; 8] = [
    RouteMethod::Delete,
    RouteMethod::Get,
    RouteMethod::Head,
    RouteMethod::Options,
    RouteMethod::Patch,
    RouteMethod::Post,
    RouteMethod::Put,
    RouteMethod::Any,
];

const NAMES: [&str; 8] = [
    "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "ANY",
];

const VERBS: [Method; 7] = [
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_the_same_index_everywhere() {
        for (index, method) in VERBS.iter().enumerate() {
            assert_eq!(NAMES[index], method.as_str());
            assert_eq!(ALL[index] as usize, index);
            assert_eq!(Verb::of(method).map(Verb::index), Some(index));
        }
    }

    #[test]
    fn any_stands_for_exactly_the_seven_verbs() {
        assert_eq!(
            RouteMethod::Any.methods().to_string(),
            "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
        );
        assert!(RouteMethod::Any.answers(&Method::HEAD));
        for other in [Method::TRACE, Method::CONNECT] {
            assert!(!RouteMethod::Any.answers(&other));
            assert!(!Methods::ALL.contains(&other));
        }
    }

    #[test]
    fn get_does_not_stand_for_head() {
        assert!(RouteMethod::Get.answers(&Method::GET));
        assert!(!RouteMethod::Get.answers(&Method::HEAD));
    }

    #[test]
    fn names_are_read_in_upper_case_only() {
        assert_eq!("PATCH".parse(), Ok(RouteMethod::Patch));
        assert_eq!("ANY".parse(), Ok(RouteMethod::Any));
        assert!("get".parse::<RouteMethod>().is_err());
        assert!("TRACE".parse::<RouteMethod>().is_err());
    }
}
