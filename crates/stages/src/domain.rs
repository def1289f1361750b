//! A custom domain and its base path mappings, as they are given to a resolver, and the choice among them.

use rustc_hash::FxHashMap;

/// The base path that the service calls by this name is the empty one.
pub(crate) const NONE: &str = "(none)";

/// A custom domain, for [`ResolverBuilder::domain`](crate::ResolverBuilder::domain): a host whose base paths choose API and stage.
#[derive(Clone, Debug)]
#[must_use]
pub struct Domain {
    pub(crate) name: String,
    pub(crate) mappings: Vec<Mapping>,
}

/// A mapping as it was given.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) base_path: String,
    pub(crate) api: String,
    pub(crate) stage: Option<String>,
}

impl Domain {
    /// A domain without mappings. The first label of its name may be `*`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            mappings: Vec::new(),
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

/// The mappings of a domain, ready to choose from.
#[derive(Clone, Debug)]
pub(crate) struct BasePaths<M> {
    catch_all: Option<M>,
    choice: Choice<M>,
}

#[derive(Clone, Debug)]
enum Choice<M> {
    /// The first segment has to be equal.
    Segment(FxHashMap<Box<str>, M>),
    /// The path has to begin with it; the longest stands first.
    Prefix(Vec<(Box<str>, M)>),
}

/// A mapping that was chosen.
pub(crate) struct Chosen<'a, M> {
    pub(crate) mapping: &'a M,
    pub(crate) base_path: &'a str,
    /// How many bytes of the path it took: the base path and the slash before it.
    pub(crate) consumed: usize,
}

impl<M> BasePaths<M> {
    /// The paths have been checked, and none occurs twice.
    pub(crate) fn new(mappings: Vec<(Box<str>, M)>) -> Self {
        let several = mappings.iter().any(|(path, _)| path.contains('/'));
        let mut catch_all = None;
        let mut others = Vec::with_capacity(mappings.len());
        for (path, mapping) in mappings {
            if path.is_empty() || &*path == NONE {
                catch_all = Some(mapping);
            } else {
                others.push((path, mapping));
            }
        }
        let choice = if several {
            others.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
            Choice::Prefix(others)
        } else {
            Choice::Segment(others.into_iter().collect())
        };
        Self { catch_all, choice }
    }

    pub(crate) fn choose(&self, path: &str) -> Option<Chosen<'_, M>> {
        let below = path.strip_prefix('/').unwrap_or_default();
        let own = match &self.choice {
            Choice::Segment(mappings) => {
                let segment = below.split('/').next().unwrap_or_default();
                mappings.get_key_value(segment)
            }
            Choice::Prefix(mappings) => mappings
                .iter()
                .find(|(path, _)| below.starts_with(&**path))
                .map(|(path, mapping)| (path, mapping)),
        };
        match own {
            Some((base_path, mapping)) => Some(Chosen {
                mapping,
                base_path,
                consumed: base_path.len() + 1,
            }),
            None => self.catch_all.as_ref().map(|mapping| Chosen {
                mapping,
                base_path: NONE,
                consumed: 0,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(paths: &[&str]) -> BasePaths<String> {
        let mapping = |path: &&str| (Box::from(*path), (*path).to_owned());
        BasePaths::new(paths.iter().map(mapping).collect())
    }

    #[track_caller]
    fn check(paths: &BasePaths<String>, path: &str, expected: Option<(&str, &str)>) {
        let found = paths.choose(path);
        let found = found.map(|chosen| (chosen.base_path, &path[chosen.consumed..]));
        assert_eq!(found, expected, "{path}");
    }

    /// The example of the service's documents; the last mapping is the one they list, not the one they talk of.
    fn documented() -> BasePaths<String> {
        paths(&[
            "(none)",
            "orders",
            "orders/v1/items",
            "orders/v2/items",
            "orders/v1/items/categories",
        ])
    }

    #[test]
    fn the_longest_base_path_that_fits_is_chosen() {
        let paths = documented();
        check(&paths, "/orders", Some(("orders", "")));
        check(&paths, "/orders/v1/items", Some(("orders/v1/items", "")));
        check(
            &paths,
            "/orders/v1/items/123",
            Some(("orders/v1/items", "/123")),
        );
        check(
            &paths,
            "/orders/v1/items/categories/5",
            Some(("orders/v1/items/categories", "/5")),
        );
        check(
            &paths,
            "/orders/v2/items/categories/5",
            Some(("orders/v2/items", "/categories/5")),
        );
        check(&paths, "/customers", Some(("(none)", "/customers")));
    }

    #[test]
    fn a_mapping_of_several_segments_makes_prefixes_of_all_of_the_domain() {
        check(&documented(), "/ordersandmore", Some(("orders", "andmore")));
    }

    #[test]
    fn mappings_of_one_segment_need_an_equal_segment() {
        let paths = paths(&["", "orders"]);
        check(&paths, "/ordersandmore", Some(("(none)", "/ordersandmore")));
        check(&paths, "/orders/5", Some(("orders", "/5")));
        check(&paths, "/Orders/5", Some(("(none)", "/Orders/5")));
        check(&paths, "//orders/5", Some(("(none)", "//orders/5")));
    }

    #[test]
    fn without_a_catch_all_nothing_may_fit() {
        check(&paths(&["orders"]), "/customers", None);
        check(&paths(&["orders"]), "orders", None);
        check(&paths(&["orders"]), "*", None);
        check(&paths(&[]), "/", None);
    }

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
