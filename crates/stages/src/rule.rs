//! Routing rules of a domain, as they are given to a resolver, and their choice.

use std::collections::HashMap;
use std::sync::Arc;

use http::header::{self, HeaderName};
use portcullis_core::is_service_header;

use crate::domain;
use crate::glob::Glob;
use crate::lookup::Lookup;

/// A routing rule of a [`Domain`](crate::Domain): what fits all of its conditions goes to one stage of one API.
///
/// ```
/// use http::HeaderMap;
/// use portcullis_core::ApiKind;
/// use portcullis_stages::{Api, Domain, Lookup, Resolver, Rule};
///
/// let resolver = Resolver::builder("us-east-1")
///     .api(Api::new("shop", ApiKind::Rest).stage("v1", 1).stage("v2", 2))
///     .domain(
///         Domain::new("shop.example.com")
///             .rule(Rule::new(10, "shop", "v2").when_header("x-version", "v2*"))
///             .rule(Rule::new(20, "shop", "v1")),
///     )
///     .build()?;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-version", "v2.1".parse()?);
/// let asked = Lookup::new(Some("shop.example.com"), "/hats").headers(&headers);
/// assert_eq!(*resolver.look_up(&asked).expect("a rule fits").target(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Rule {
    pub(crate) id: Option<String>,
    pub(crate) priority: u32,
    pub(crate) headers: Vec<Vec<(String, String)>>,
    pub(crate) base_paths: Vec<Vec<String>>,
    pub(crate) api: String,
    pub(crate) stage: String,
    pub(crate) strip_base_path: bool,
}

impl Rule {
    /// A rule without conditions: it fits every request. Priorities are numbers from 1 to 1,000,000; lower ones are tried first, and no two rules of a domain have the same.
    pub fn new(priority: u32, api: impl Into<String>, stage: impl Into<String>) -> Self {
        Self {
            id: None,
            priority,
            headers: Vec::new(),
            base_paths: Vec::new(),
            api: api.into(),
            stage: stage.into(),
            strip_base_path: false,
        }
    }

    /// What `$context.customDomain.routingRuleIdMatched` says where the rule was chosen. Default: its priority.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Adds a condition: a line of this header has this value, which may begin and end with `*`. Case matters in values, and not in names. `Host` is the host
    /// that the client asked for, in lower case and without a port, wherever it stands. A rule has at most two conditions on headers.
    pub fn when_header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.when_any_header([(name, value)])
    }

    /// Adds a condition: one of these headers has its value.
    pub fn when_any_header<N: Into<String>, V: Into<String>>(
        mut self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let headers = headers.into_iter();
        let headers = headers.map(|(name, value)| (name.into(), value.into()));
        self.headers.push(headers.collect());
        self
    }

    /// Sets a condition: the path begins with these segments, written without a slash at their ends. Case matters. A rule has at most one condition on the path.
    pub fn when_base_path(self, path: impl Into<String>) -> Self {
        self.when_any_base_path([path])
    }

    /// Sets a condition: the path begins with the segments of one of these; the first that fits counts.
    pub fn when_any_base_path<P: Into<String>>(
        mut self,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        let paths = paths.into_iter().map(Into::into);
        self.base_paths.push(paths.collect());
        self
    }

    /// Whether the base path that fitted is taken off before the API looks for a route. Default: no.
    pub const fn strip_base_path(mut self, strip: bool) -> Self {
        self.strip_base_path = strip;
        self
    }
}

/// A rule, ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct CheckedRule {
    pub(crate) id: Arc<str>,
    pub(crate) priority: u32,
    /// Of each list one has to fit.
    headers: Box<[Box<[(HeaderName, Glob)]>]>,
    /// One of them has to fit, unless there are none.
    base_paths: Box<[Box<str>]>,
    pub(crate) api: usize,
    /// Its place among those of the API.
    pub(crate) stage: usize,
    strip_base_path: bool,
}

/// Headers that say which API is meant. No rule may look at them, as at those that the service keeps for itself.
const OF_APIS: &[&str] = &["x-apigw-api-id", "x-restapi"];

impl CheckedRule {
    /// The rule as far as it can be told without the APIs; what is wrong with it goes to `fault` as a problem and its fix.
    pub(crate) fn new(
        rule: &Rule,
        (api, stage): (usize, usize),
        fault: &mut dyn FnMut(String, &str),
    ) -> Self {
        if !(1..=1_000_000).contains(&rule.priority) {
            fault(
                format!("{} is no priority", rule.priority),
                "use a number from 1 to 1,000,000",
            );
        }
        if rule.headers.len() > 2 || rule.base_paths.len() > 1 {
            fault(
                "it has too many conditions".into(),
                "use at most two on headers and one on the base path",
            );
        }
        let headers = rule.headers.iter().map(|any_of| {
            let pairs = any_of.iter();
            pairs
                .filter_map(|(name, value)| header_condition(name, value, fault))
                .collect()
        });
        let headers: Box<[Box<[_]>]> = headers.collect();
        let mut base_paths = Vec::new();
        for path in rule.base_paths.iter().flatten() {
            match base_path_fault(path) {
                Some((problem, fix)) => fault(problem, fix),
                None => base_paths.push(Box::from(path.as_str())),
            }
        }
        let nothing = rule.headers.iter().any(Vec::is_empty)
            || rule.base_paths.iter().any(|paths| paths.is_empty());
        if nothing {
            fault(
                "a condition names nothing".into(),
                "leave the condition out, or say what has to fit",
            );
        }
        let id = match &rule.id {
            Some(id) => Arc::from(id.as_str()),
            None => Arc::from(rule.priority.to_string()),
        };
        Self {
            id,
            priority: rule.priority,
            headers,
            base_paths: base_paths.into(),
            api,
            stage,
            strip_base_path: rule.strip_base_path,
        }
    }

    /// How many bytes of the path it takes off, if the rule fits.
    pub(crate) fn fits(&self, lookup: &Lookup<'_>) -> Option<usize> {
        let headers = self.headers.iter();
        let holds = |any_of: &[(HeaderName, Glob)]| {
            let mut pairs = any_of.iter();
            pairs.any(|(name, value)| header_fits(name, value, lookup))
        };
        if !headers.map(|any_of| &**any_of).all(holds) {
            return None;
        }
        if self.base_paths.is_empty() {
            return Some(0);
        }
        let below = lookup.path().strip_prefix('/')?;
        let fits = |path: &&str| {
            let rest = below.strip_prefix(*path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut paths = self.base_paths.iter().map(|path| &**path);
        let path = paths.find(fits)?;
        Some(match self.strip_base_path {
            true => path.len() + 1,
            false => 0,
        })
    }
}

/// What a rule is called in faults, and the priorities that are taken on its domain.
pub(crate) fn priority_fault(
    rule: &Rule,
    taken: &mut HashMap<u32, String>,
) -> Option<(String, &'static str)> {
    let name = rule.id.clone().unwrap_or_default();
    let before = taken.insert(rule.priority, name)?;
    let problem = match before.as_str() {
        "" => format!("another rule has the priority {}", rule.priority),
        before => format!("the rule `{before}` has the priority {}", rule.priority),
    };
    Some((problem, "give each rule its own priority"))
}

fn header_fits(name: &HeaderName, value: &Glob, lookup: &Lookup<'_>) -> bool {
    if *name == header::HOST {
        let fits = |host: &str| value.fits(host.as_bytes());
        return lookup
            .host()
            .is_some_and(|host| crate::host::with_normal(host, fits) == Some(true));
    }
    let lines = lookup.all_headers().map(|headers| headers.get_all(name));
    let mut lines = lines.into_iter().flatten();
    lines.any(|line| value.fits(line.as_bytes()))
}

fn header_condition(
    name: &str,
    value: &str,
    fault: &mut dyn FnMut(String, &str),
) -> Option<(HeaderName, Glob)> {
    let lower = name.to_ascii_lowercase();
    if is_service_header(&lower) || OF_APIS.contains(&lower.as_str()) {
        fault(
            format!("no rule may look at the header `{name}`"),
            "use a header of your own",
        );
        return None;
    }
    let parsed = HeaderName::try_from(lower.as_str()).ok();
    let Some(parsed) = parsed.filter(|_| name.len() < 40) else {
        fault(
            format!("`{name}` cannot be the header of a rule"),
            "name a header in fewer than 40 characters, without wildcards",
        );
        return None;
    };
    // The host is compared in lower case.
    let value = match parsed == header::HOST {
        true => value.to_ascii_lowercase(),
        false => value.to_owned(),
    };
    match Glob::parse(&value) {
        Ok(glob) => Some((parsed, glob)),
        Err((problem, fix)) => {
            fault(format!("header `{name}`: {problem}"), fix);
            None
        }
    }
}

/// What is wrong with the base path of a condition.
fn base_path_fault(path: &str) -> Option<(String, &'static str)> {
    if path.is_empty() || path == domain::NONE {
        return Some((
            "a base path is empty".into(),
            "leave the condition out, and every path fits",
        ));
    }
    if path.len() >= 128 {
        return Some((
            format!("a base path has {} characters", path.len()),
            "the service allows fewer than 128",
        ));
    }
    let fault = domain::check_base_path(path).err();
    fault.map(|(problem, fix)| (format!("`{path}`: {problem}"), fix))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[track_caller]
    fn check(rule: &Rule, path: &str, lines: &[(&'static str, &str)], expected: Option<usize>) {
        let rule = CheckedRule::new(rule, (0, 0), &mut |problem, _| panic!("{problem}"));
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a value"));
        }
        let lookup = Lookup::new(Some("A.Example.com:8443"), path).headers(&headers);
        assert_eq!(rule.fits(&lookup), expected, "{path} {lines:?}");
    }

    fn rule() -> Rule {
        Rule::new(1, "a", "s")
    }

    #[test]
    fn without_conditions_everything_fits() {
        check(&rule(), "/x", &[], Some(0));
        check(&rule().strip_base_path(true), "*", &[], Some(0));
    }

    #[test]
    fn each_line_of_a_header_is_looked_at_by_itself() {
        let json = rule().when_header("Accept", "*json");
        let lines = [("accept", "application/json"), ("accept", "text/xml")];
        check(&json, "/", &lines, Some(0));
        check(
            &json,
            "/",
            &[("accept", "application/json, text/xml")],
            None,
        );
        let json = rule().when_header("accept", "*json*");
        check(
            &json,
            "/",
            &[("accept", "application/json, text/xml")],
            Some(0),
        );
    }

    #[test]
    fn a_header_that_is_not_there_fits_nothing() {
        check(&rule().when_header("x-version", "*"), "/", &[], None);
        check(
            &rule().when_header("x-version", "*"),
            "/",
            &[("x-version", "")],
            Some(0),
        );
    }

    #[test]
    fn all_conditions_have_to_fit_and_of_each_one_alternative() {
        let both = rule()
            .when_header("a", "1")
            .when_any_header([("b", "1"), ("c", "1")]);
        check(&both, "/", &[("a", "1"), ("c", "1")], Some(0));
        check(&both, "/", &[("a", "1"), ("c", "2")], None);
        check(&both, "/", &[("c", "1")], None);
    }

    #[test]
    fn the_host_is_a_header_wherever_the_client_said_it() {
        check(
            &rule().when_header("Host", "A.example.com"),
            "/",
            &[],
            Some(0),
        );
        check(
            &rule().when_header("Host", "b.*"),
            "/",
            &[("host", "b.example.com")],
            None,
        );
    }

    #[test]
    fn a_base_path_is_whole_segments() {
        let kept = rule().when_base_path("PetStoreShopper/dogs");
        let stripped = kept.clone().strip_base_path(true);
        check(&kept, "/PetStoreShopper/dogs", &[], Some(0));
        check(&stripped, "/PetStoreShopper/dogs", &[], Some(21));
        check(&stripped, "/PetStoreShopper/dogs/5", &[], Some(21));
        check(&stripped, "/PetStoreShopper/dogsled", &[], None);
        check(&stripped, "/petstoreshopper/dogs", &[], None);
        check(&stripped, "/PetStoreShopper", &[], None);
    }

    #[test]
    fn what_cannot_be_a_condition_is_said() {
        let long = "x".repeat(40);
        let bad = [
            rule().when_header("Authorization", "x"),
            rule().when_header("X-Amz-Date", "x"),
            rule().when_header("a b", "x"),
            rule().when_header(long.as_str(), "x"),
            rule().when_header("x", "a*b"),
            rule().when_header("x", ""),
            rule().when_base_path("/x"),
            rule().when_base_path(""),
            rule().when_base_path("x".repeat(128)),
            rule().when_base_path("a").when_base_path("b"),
            rule().when_any_header::<&str, &str>([]),
            Rule::new(0, "a", "s"),
            Rule::new(1_000_001, "a", "s"),
        ];
        for rule in bad {
            let mut faults = 0;
            CheckedRule::new(&rule, (0, 0), &mut |_, _| faults += 1);
            assert_eq!(faults, 1, "{rule:?}");
        }
    }
}
