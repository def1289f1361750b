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
        let Compiled {
            text, variables, ..
        } = &*self.0;
        let last = variables.iter().rposition(|v| v.name(text) == name)?;
        let mut parameters = self.parameters(path);
        parameters.variables = variables[last..].iter();
        parameters.next().map(|(_, value)| value)
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
            let rest = self.rest?;
            self.rest = slash(rest).and_then(|slash| rest.get(slash + 1..));
            self.part += 1;
        }
        let rest = self.rest?;
        let value = match slash(rest) {
            Some(slash) if !variable.greedy => rest.get(..slash)?,
            _ => rest,
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
#[inline]
pub(crate) fn inside(path: &str, kind: Kind) -> Option<&str> {
    // By bytes: the patterns of `str` decode characters.
    let bytes = path.as_bytes();
    let mut start = 0;
    while bytes.get(start) == Some(&b'/') {
        start += 1;
    }
    if start == 0 && !bytes.is_empty() {
        return None;
    }
    let mut end = bytes.len();
    if kind == Kind::Rest {
        while end > start && bytes[end - 1] == b'/' {
            end -= 1;
        }
    }
    path.get(start..end)
}

/// Where the first slash is. The parts of a path are short: a plain loop finds it before a search over words has begun.
#[inline]
fn slash(path: &str) -> Option<usize> {
    path.as_bytes().iter().position(|byte| *byte == b'/')
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters<'p>(template: &PathTemplate, path: &'p str) -> Vec<(String, &'p str)> {
        template
            .parameters(path)
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    #[track_caller]
    fn check(template: &str, path: &str, expected: &[(&str, &str)]) {
        let template = PathTemplate::rest(template).expect("a template");
        let expected: Vec<_> = expected
            .iter()
            .map(|(n, v)| ((*n).to_owned(), *v))
            .collect();
        assert_eq!(parameters(&template, path), expected);
    }

    #[test]
    fn variables_are_cut_out_of_the_path_in_order() {
        check("/", "/", &[]);
        check("/pets", "/pets", &[]);
        check("/{a}", "/1", &[("a", "1")]);
        check("/{a}/x/{b}", "/1/x/2/", &[("a", "1"), ("b", "2")]);
        check("/x/{a}/{b+}", "//x/1/2//3/", &[("a", "1"), ("b", "2//3")]);
        check("/{proxy+}", "/%2F/../.", &[("proxy", "%2F/../.")]);
    }

    #[test]
    fn a_path_of_something_else_has_what_it_has_and_no_panic() {
        check("/x/{a}/y/{b}", "/x/1", &[("a", "1")]);
        check("/x/{a}", "/", &[]);
        check("/x/{a}", "*", &[]);
        check("/{a}", "", &[]);
    }

    #[test]
    fn the_last_place_of_a_repeated_name_counts() {
        let template = PathTemplate::rest("/{id}/copies/{id}").expect("a template");
        assert_eq!(template.parameter("/1/copies/2", "id"), Some("2"));
        assert_eq!(template.names().collect::<Vec<_>>(), ["id", "id"]);
    }

    #[test]
    fn only_http_apis_keep_a_slash_at_the_end() {
        let template = PathTemplate::http("/files/{path+}").expect("a template");
        assert_eq!(template.parameter("/files/a/", "path"), Some("a/"));
        assert_eq!(template.parameter("/files/", "path"), Some(""));
        let template = PathTemplate::rest("/files/{path+}").expect("a template");
        assert_eq!(template.parameter("/files/a/", "path"), Some("a"));
    }

    #[track_caller]
    fn refuses(path: &str, expected: &[&str]) {
        let faults = PathTemplate::rest(path).expect_err("faults");
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults, expected);
    }

    #[test]
    fn a_wrong_path_is_told_the_rule_and_the_fix() {
        refuses("pets", &["pets: a path begins with a slash; write `/pets`"]);
        refuses(
            "/a//b/",
            &["/a//b/: a path has no empty part; write `/a/b`"],
        );
        refuses("//", &["//: a path has no empty part; write `/`"]);
        refuses(
            "/a b",
            &[
                "/a b: ' ' in `a b` is not a character of a path part; rename `a b`, or match it with a variable",
            ],
        );
        refuses(
            "/{a}-{b}",
            &[
                "/{a}-{b}: the braces in `{a}-{b}` do not surround the whole part; \
               make the whole part a variable, and take its value apart behind the gateway",
            ],
        );
        refuses(
            "/{+}",
            &["/{+}: a variable has a name; give the variable a name, as in `{id}`"],
        );
        refuses(
            "/{a+}/b",
            &[
                "/{a+}/b: nothing may follow the greedy variable `{a+}`; end the path with `{a+}`, or drop its `+`",
            ],
        );
    }

    #[test]
    fn all_faults_of_a_path_come_at_once() {
        let faults = PathTemplate::rest("/a$/{b/{c+}//d").expect_err("faults");
        assert_eq!(faults.len(), 4, "{faults}");
    }

    #[test]
    fn rest_parts_have_the_characters_of_the_service() {
        assert!(PathTemplate::rest("/aZ09._-:,/{aZ09._-:,}/{x+}").is_ok());
        for part in [
            "a+", "a*", "~", "a%20", "ä", "$x", "{a b}", "{", "}", "a}", "{{a}}",
        ] {
            assert!(PathTemplate::rest(&format!("/{part}")).is_err(), "{part}");
        }
    }
}
