//! What is wrong with a table of routes.

use std::fmt;

/// Everything that is wrong with a table of routes, or with one path, found in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteErrors(Vec<RouteError>);

/// One fault: which route, which rule it breaks, and what would mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteError {
    method: Option<String>,
    path: String,
    rule: RouteRule,
}

/// The rule that a route breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteRule {
    /// The method is none of the seven verbs, nor `ANY`.
    UnknownMethod,
    /// A route key is `METHOD /path`, `ANY /path` or `$default`.
    RouteKeySyntax,
    /// A path begins with a slash.
    NoLeadingSlash,
    /// A path has no empty part: neither a doubled slash nor one at its end.
    EmptyPart,
    /// A part has a character that the service does not take.
    #[non_exhaustive]
    Characters {
        /// The part with the character.
        part: String,
        /// The first such character.
        character: char,
    },
    /// Braces surround a whole part, or there are none.
    #[non_exhaustive]
    Braces {
        /// The part whose braces are wrong.
        part: String,
    },
    /// A variable has a name.
    NamelessVariable,
    /// Nothing follows a greedy variable.
    #[non_exhaustive]
    GreedyNotLast {
        /// The greedy part.
        part: String,
    },
    /// A resource has at most one child that is a variable, greedy or not.
    #[non_exhaustive]
    SecondVariable {
        /// The path of the resource with two of them.
        parent: String,
        /// The part that stands there already.
        first: String,
        /// The part that would be the second.
        second: String,
    },
    /// A resource has a method once.
    Duplicate,
}

impl RouteErrors {
    /// The faults, in the order in which the routes were given.
    pub fn iter(&self) -> std::slice::Iter<'_, RouteError> {
        self.0.iter()
    }

    /// How many faults there are, at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn from_one(fault: RouteError) -> Self {
        Self(vec![fault])
    }

    pub(crate) fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// The faults as an error, if there are any.
    pub(crate) fn check(faults: Vec<RouteError>) -> Result<(), Self> {
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Self(faults))
        }
    }
}

impl<'a> IntoIterator for &'a RouteErrors {
    type Item = &'a RouteError;
    type IntoIter = std::slice::Iter<'a, RouteError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for RouteErrors {
    type Item = RouteError;
    type IntoIter = std::vec::IntoIter<RouteError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for RouteErrors {
    /// One fault a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, fault) in self.0.iter().enumerate() {
            if count > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RouteErrors {}

impl RouteError {
    pub(crate) fn new(method: Option<&str>, path: &str, rule: RouteRule) -> Self {
        Self {
            method: method.map(str::to_owned),
            path: path.to_owned(),
            rule,
        }
    }

    /// The method of the faulty route as it was given, if the fault is one of a route and not of a path alone.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The faulty path as it was given, or the whole text of a route key that could not be read.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The rule that is broken. Its `Display` is the rule in words.
    #[must_use]
    pub fn rule(&self) -> &RouteRule {
        &self.rule
    }

    /// What would mend it, in words.
    #[must_use]
    pub fn fix(&self) -> String {
        match &self.rule {
            RouteRule::UnknownMethod => {
                "use DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT or ANY, in upper case".to_owned()
            }
            RouteRule::RouteKeySyntax => {
                "write it as `GET /pets`, `ANY /pets` or `$default`".to_owned()
            }
            RouteRule::NoLeadingSlash => format!("write `/{}`", self.path),
            RouteRule::EmptyPart => {
                let mut joined = String::new();
                for part in self.path.split('/').filter(|part| !part.is_empty()) {
                    joined.push('/');
                    joined.push_str(part);
                }
                if joined.is_empty() {
                    joined.push('/');
                }
                format!("write `{joined}`")
            }
            RouteRule::Characters { part, .. } => {
                format!("rename `{part}`, or match it with a variable")
            }
            RouteRule::Braces { .. } => {
                "make the whole part a variable, and take its value apart behind the gateway"
                    .to_owned()
            }
            RouteRule::NamelessVariable => "give the variable a name, as in `{id}`".to_owned(),
            RouteRule::GreedyNotLast { part } => {
                format!("end the path with `{part}`, or drop its `+`")
            }
            RouteRule::SecondVariable { first, .. } => {
                format!("call both `{first}`")
            }
            RouteRule::Duplicate => "remove one of the two".to_owned(),
        }
    }
}

impl fmt::Display for RouteError {
    /// `GET /a//b: a path has no empty part; write `/a/b``
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = &self.method {
            write!(f, "{method} ")?;
        }
        write!(f, "{}: {}; {}", self.path, self.rule, self.fix())
    }
}

impl std::error::Error for RouteError {}

impl fmt::Display for RouteRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownMethod => f.write_str("a method is one of seven verbs, or ANY"),
            Self::RouteKeySyntax => {
                f.write_str("a route key is a method, one space and a path, or $default")
            }
            Self::NoLeadingSlash => f.write_str("a path begins with a slash"),
            Self::EmptyPart => f.write_str("a path has no empty part"),
            Self::Characters { part, character } => write!(
                f,
                "{character:?} in `{part}` is not a character of a path part"
            ),
            Self::Braces { part } => {
                write!(f, "the braces in `{part}` do not surround the whole part")
            }
            Self::NamelessVariable => f.write_str("a variable has a name"),
            Self::GreedyNotLast { part } => {
                write!(f, "nothing may follow the greedy variable `{part}`")
            }
            Self::SecondVariable {
                parent,
                first,
                second,
            } => write!(
                f,
                "`{parent}` has the variable `{first}` already, `{second}` would be a second one"
            ),
            Self::Duplicate => f.write_str("a resource has a method only once"),
        }
    }
}
