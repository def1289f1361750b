//! Path templates, compiled, and what their variables hold in a given path.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{RouteError, RouteErrors, RouteRule};

/// A path with variables, such as `/pets/{id}` or `/files/{path+}`, compiled.
///
/// A clone shares the compiled template. Something that lives as long as a request can hold a clone and the path,
/// and work a parameter out on the day somebody asks for it:
///
/// ```
/// use portcullis_routing::PathTemplate;
///
/// let template = PathTemplate::rest("/pets/{id}/photos/{path+}")?;
/// let path = "/pets/7%2F8/photos/2026/rex.jpg/";
///
/// assert_eq!(template.parameter(path, "id"), Some("7%2F8"));
/// assert_eq!(template.parameter(path, "path"), Some("2026/rex.jpg"));
/// assert_eq!(template.parameter(path, "name"), None);
/// # Ok::<(), portcullis_routing::RouteErrors>(())
/// ```
#[derive(Clone)]
pub struct PathTemplate(Arc<Compiled>);

/// The variables of a template with what they hold in a path, left to right; each is cut out when it is asked for.
///
/// The values are raw: not decoded, exactly as the client wrote them.
#[derive(Clone, Debug)]
pub struct Parameters<'t, 'p> {
    template: &'t str,
    variables: std::slice::Iter<'t, Variable>,
    /// What is left of the path, from the part numbered `part` on; `None` past its last part.
    rest: Option<&'p str>,
    part: usize,
}

/// Which kind of API a path belongs to, where the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rest,
    Http,
}

/// One part of a template, between two slashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Literal(&'a str),
    Variable(&'a str),
    Greedy(&'a str),
}

#[derive(Debug)]
struct Compiled {
    text: Box<str>,
    variables: Box<[Variable]>,
    kind: Kind,
}

#[derive(Clone, Debug)]
struct Variable {
    /// Which part of the path it is, from 0.
    part: usize,
    /// Where its name stands in the template.
    name: Range<usize>,
    greedy: bool,
}

impl PathTemplate {
    /// Compiles the path of a REST API's resource.
    ///
    /// # Errors
    ///
    /// Every fault of the path at once: see [`RouteRule`] for what a path may not be.
    pub fn rest(path: &str) -> Result<Self, RouteErrors> {
        Self::compile(path, Kind::Rest, None)
    }

    /// Compiles the path of an HTTP API's route, which may have any characters but white space and control characters.
    ///
    /// # Errors
    ///
    /// Every fault of the path at once: see [`RouteRule`] for what a path may not be.
    pub fn http(path: &str) -> Result<Self, RouteErrors> {
        Self::compile(path, Kind::Http, None)
    }

    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// What the variable `name` holds in `path`, raw. If the template uses the name twice, its last place counts.
    ///
    /// The path is one that the template matches; for another path the answer is of no use, but there is no panic.
    #[must_use]
    pub fn parameter<'p>(&self, path: &'p str, name: &str) -> Option<&'p str> {
        self.parameters(path)
            .filter(|(variable, _)| *variable == name)
            .last()
            .map(|(_, value)| value)
    }

    /// All variables with what they hold in `path`, raw, left to right. See [`parameter`](Self::parameter).
    #[must_use]
    pub fn parameters<'t, 'p>(&'t self, path: &'p str) -> Parameters<'t, 'p> {
        let rest = inside(path, self.0.kind).filter(|inside| !inside.is_empty());
        Parameters {
            template: &self.0.text,
            variables: self.0.variables.iter(),
            rest,
            part: 0,
        }
    }

    /// The names of the variables, left to right.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.variables.iter().map(|v| v.name(&self.0.text))
    }

    /// Whether its last part is a greedy variable.
    #[must_use]
    pub fn is_greedy(&self) -> bool {
        self.0.variables.last().is_some_and(|v| v.greedy)
    }

    pub(crate) fn compile(
        path: &str,
        kind: Kind,
        method: Option<&str>,
    ) -> Result<Self, RouteErrors> {
        let mut faults = Vec::new();
        let mut fault = |rule| faults.push(RouteError::new(method, path, rule));

        let mut variables = Vec::new();
        match path.strip_prefix('/') {
            None => fault(RouteRule::NoLeadingSlash),
            Some("") => {}
            Some(inside) => {
                let mut start = 1;
                let mut empty = false;
                let mut parts = inside.split('/').enumerate().peekable();
                while let Some((number, part)) = parts.next() {
                    if part.is_empty() {
                        empty = true;
                    } else if let Err(rule) = check(part, kind) {
                        fault(rule);
                    } else if let Part::Variable(name) | Part::Greedy(name) = Part::of(part) {
                        let greedy = part.ends_with("+}");
                        if greedy && parts.peek().is_some() {
                            fault(RouteRule::GreedyNotLast {
                                part: part.to_owned(),
                            });
                        }
                        variables.push(Variable {
                            part: number,
                            name: start + 1..start + 1 + name.len(),
                            greedy,
                        });
                    }
                    start += part.len() + 1;
                }
                if empty {
                    fault(RouteRule::EmptyPart);
                }
            }
        }

        RouteErrors::check(faults)?;
        Ok(Self(Arc::new(Compiled {
            text: path.into(),
            variables: variables.into(),
            kind,
        })))
    }

    /// The parts between the slashes; none for `/`.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.0
            .text
            .split('/')
            .filter(|part| !part.is_empty())
            .map(Part::of)
    }
}

impl fmt::Debug for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PathTemplate").field(&self.as_str()).finish()
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Parameters<'_, '_> {
    /// Those of a route without a path.
    pub(crate) fn none() -> Self {
        Self {
            template: "",
            variables: [].iter(),
            rest: None,
            part: 0,
        }
    }
}

impl<'t, 'p> Iterator for Parameters<'t, 'p> {
    type Item = (&'t str, &'p str);

    fn next(&mut self) -> Option<Self::Item> {
        let variable = self.variables.next()?;
        while self.part < variable.part {
            self.rest = self.rest?.split_once('/').map(|(_, rest)| rest);
            self.part += 1;
        }
        let rest = self.rest?;
        let value = if variable.greedy {
            rest
        } else {
            rest.split_once('/').map_or(rest, |(value, _)| value)
        };
        Some((variable.name(self.template), value))
    }
}

impl<'a> Part<'a> {
    /// What a part that passed [`check`] is.
    fn of(part: &'a str) -> Self {
        match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            None => Self::Literal(part),
            Some(name) => match name.strip_suffix('+') {
                None => Self::Variable(name),
                Some(name) => Self::Greedy(name),
            },
        }
    }
}

impl Variable {
    fn name<'t>(&self, template: &'t str) -> &'t str {
        // `compile` cut the range out of the same text.
        &template[self.name.clone()]
    }
}

/// What of a path is matched, or `None` if it is not a path (`*`, say).
///
/// Slashes at the front count as one in both kinds of API. Slashes at the end are ignored by REST APIs alone.
pub(crate) fn inside(path: &str, kind: Kind) -> Option<&str> {
    if !path.is_empty() && !path.starts_with('/') {
        return None;
    }
    let inside = path.trim_start_matches('/');
    Some(match kind {
        Kind::Rest => inside.trim_end_matches('/'),
        Kind::Http => inside,
    })
}

/// Checks one part that is not empty.
fn check(part: &str, kind: Kind) -> Result<(), RouteRule> {
    let (name, variable) = match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
        Some(name) => (name.strip_suffix('+').unwrap_or(name), true),
        None => (part, false),
    };
    if name.contains(['{', '}']) {
        return Err(RouteRule::Braces {
            part: part.to_owned(),
        });
    }
    if variable && name.is_empty() {
        return Err(RouteRule::NamelessVariable);
    }
    let allowed = |c: char| match kind {
        // The service's pattern, and the comma, which its guide allows beside it.
        Kind::Rest => c.is_ascii_alphanumeric() || "._-:,".contains(c),
        Kind::Http => !c.is_whitespace() && !c.is_control() && !"?#".contains(c),
    };
    match name.chars().find(|c| !allowed(*c)) {
        None => Ok(()),
        Some(character) => Err(RouteRule::Characters {
            part: part.to_owned(),
            character,
        }),
    }
}
