//! Why a layer decided as it did, as data.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeMap};

/// Why a layer refused a request: which rule decided, and the facts that it looked at.
///
/// It goes to logs, metrics and traces, and to the caller only where the operator allows it.
/// Never put a secret into it.
///
/// ```
/// use portcullis_core::Decision;
///
/// let decision = Decision::new("throttle", "plan/gold").with("limit", 100).with("window", "1s");
/// assert_eq!(decision.to_string(), "throttle: plan/gold (limit=100, window=1s)");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    layer: &'static str,
    rule: Cow<'static, str>,
    facts: Vec<(&'static str, Fact)>,
}

impl Decision {
    /// `layer` is the name of the crate that decided, `rule` the rule, statement, plan, limit,
    /// field or template line that did.
    #[must_use]
    pub fn new(layer: &'static str, rule: impl Into<Cow<'static, str>>) -> Self {
        Self {
            layer,
            rule: rule.into(),
            facts: Vec::new(),
        }
    }

    /// Adds a fact that the rule looked at.
    #[must_use]
    pub fn with(mut self, name: &'static str, fact: impl Into<Fact>) -> Self {
        self.facts.push((name, fact.into()));
        self
    }

    /// The name of the layer that decided.
    #[must_use]
    pub const fn layer(&self) -> &'static str {
        self.layer
    }

    /// The rule that decided.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The facts, in the order in which they were added.
    pub fn facts(&self) -> impl Iterator<Item = (&'static str, &Fact)> {
        self.facts.iter().map(|(name, fact)| (*name, fact))
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.layer, self.rule)?;
        for (index, (name, fact)) in self.facts.iter().enumerate() {
            write!(f, "{}{name}={fact}", if index == 0 { " (" } else { ", " })?;
        }
        if self.facts.is_empty() {
            Ok(())
        } else {
            f.write_str(")")
        }
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.facts.len() + 2))?;
        map.serialize_entry("layer", self.layer)?;
        map.serialize_entry("rule", &self.rule)?;
        for (name, fact) in &self.facts {
            map.serialize_entry(name, fact)?;
        }
        map.end()
    }
}

/// One fact of a [`Decision`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Fact {
    /// A name, an address, a pattern.
    Text(Cow<'static, str>),
    /// A count, a limit, a size.
    Number(i64),
    /// Whether something holds.
    Flag(bool),
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

impl From<&'static str> for Fact {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Fact {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for Fact {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Fact {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Fact {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Fact {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}
