//! A custom domain with its base path mappings and routing rules, as they are given to a resolver.

use crate::rule::Rule;

/// The base path that the service calls by this name is the empty one.
pub(crate) const NONE: &str = "(none)";

/// A custom domain, for [`ResolverBuilder::domain`](crate::ResolverBuilder::domain): a host whose routing rules and base paths choose API and stage. Rules are tried
/// first.
#[derive(Clone, Debug)]
#[must_use]
pub struct Domain {
    pub(crate) name: String,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) strict_server_name: bool,
}

/// A mapping as it was given.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) base_path: String,
    pub(crate) api: String,
    pub(crate) stage: Option<String>,
}

impl Domain {
    /// A domain without mappings and rules. The first label of its name may be `*`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            mappings: Vec::new(),
            rules: Vec::new(),
            strict_server_name: false,
        }
    }

    /// Maps a base path to a stage. It has no slash at its ends; the empty one and `(none)` catch what no other fits.
    pub fn map(
        self,
        base_path: impl Into<String>,
        api: impl Into<String>,
        stage: impl Into<String>,
    ) -> Self {
        self.push(base_path.into(), api.into(), Some(stage.into()))
    }

    /// Maps a base path to an API whose stages are named behind it: `/orders/prod/5`.
    pub fn map_api(self, base_path: impl Into<String>, api: impl Into<String>) -> Self {
        self.push(base_path.into(), api.into(), None)
    }

    /// Adds a routing rule. The order in which rules are added does not matter.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Whether an encrypted connection must have been opened to the host that the request names, as the service's `endpointAccessMode: STRICT` asks. Default: no.
    /// [`Lookup::server_name`](crate::Lookup::server_name) says what it was opened to.
    pub const fn strict_server_name(mut self, strict: bool) -> Self {
        self.strict_server_name = strict;
        self
    }

    fn push(mut self, base_path: String, api: String, stage: Option<String>) -> Self {
        // `v1` of the service's interface calls a mapping's missing stage by the same name as its missing path.
        let stage = stage.filter(|stage| stage != NONE);
        self.mappings.push(Mapping {
            base_path,
            api,
            stage,
        });
        self
    }
}

/// What is wrong with a base path, if anything: the problem and its fix.
pub(crate) fn check_base_path(path: &str) -> Result<(), (String, &'static str)> {
    if path.is_empty() || path == NONE {
        return Ok(());
    }
    if path.len() > 300 {
        return Err((
            format!("the base path has {} characters", path.len()),
            "the service allows 300",
        ));
    }
    let allowed = |char: char| char.is_ascii_alphanumeric() || "$-_.+!*'()/".contains(char);
    if let Some(char) = path.chars().find(|&char| !allowed(char)) {
        return Err((
            format!("the base path holds {char:?}"),
            "use letters, digits and $-_.+!*'()/ only",
        ));
    }
    if path.split('/').any(str::is_empty) {
        return Err((
            "the base path has an empty segment".into(),
            "leave out the slash at its ends, and doubled ones",
        ));
    }
    if path == "ping" || path == "sping" {
        return Err((
            "this path is the service's health check".into(),
            "choose another base path",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_checked() {
        for good in ["", "(none)", "orders", "a/b/c", "$-_.+!*'()"] {
            assert_eq!(check_base_path(good), Ok(()), "{good}");
        }
        let long = "a".repeat(301);
        for bad in [
            "/orders", "orders/", "a//b", "a%20b", "ä", "ping", "sping", &long,
        ] {
            assert!(check_base_path(bad).is_err(), "{bad}");
        }
    }
}
