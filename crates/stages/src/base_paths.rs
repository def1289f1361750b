//! The base paths of a domain, ready to choose from.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::domain::NONE;
use crate::prefixes::Prefixes;
use crate::resolver::until_slash;

/// The mappings of a domain by base path.
#[derive(Clone, Debug)]
pub(crate) struct BasePaths<M> {
    catch_all: Option<(Arc<str>, M)>,
    choice: Choice<M>,
}

#[derive(Clone, Debug)]
enum Choice<M> {
    /// The first segment has to be equal.
    Segment(FxHashMap<Arc<str>, M>),
    /// The path has to begin with it; the longest counts.
    Prefix(Prefixes<(Arc<str>, M)>),
}

/// A mapping that was chosen.
pub(crate) struct Chosen<'a, M> {
    pub(crate) mapping: &'a M,
    pub(crate) base_path: &'a Arc<str>,
    /// How many bytes of the path it took: the base path and the slash before it.
    pub(crate) consumed: usize,
}

impl<M> BasePaths<M> {
    /// The paths have been checked, and none occurs twice.
    pub(crate) fn new(mappings: Vec<(Arc<str>, M)>) -> Self {
        let several = mappings.iter().any(|(path, _)| path.contains('/'));
        let (mut catch_all, mut segments, mut prefixes) =
            (None, FxHashMap::default(), Prefixes::default());
        for (path, mapping) in mappings {
            if &*path == NONE {
                catch_all = Some((path, mapping));
            } else if several {
                prefixes.insert(&Arc::clone(&path), (path, mapping));
            } else {
                segments.insert(path, mapping);
            }
        }
        let choice = match several {
            true => Choice::Prefix(prefixes),
            false => Choice::Segment(segments),
        };
        Self { catch_all, choice }
    }

    pub(crate) fn choose(&self, path: &str) -> Option<Chosen<'_, M>> {
        let below = path.strip_prefix('/').unwrap_or_default();
        let own = match &self.choice {
            Choice::Segment(mappings) => mappings.get_key_value(until_slash(below)),
            Choice::Prefix(mappings) => mappings.longest(below).map(|(path, own)| (path, own)),
        };
        match own {
            Some((base_path, mapping)) => Some(Chosen {
                mapping,
                base_path,
                consumed: base_path.len() + 1,
            }),
            None => self.catch_all.as_ref().map(|(base_path, mapping)| Chosen {
                mapping,
                base_path,
                consumed: 0,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(paths: &[&str]) -> BasePaths<String> {
        let mapping = |path: &&str| (Arc::from(*path), (*path).to_owned());
        BasePaths::new(paths.iter().map(mapping).collect())
    }

    #[track_caller]
    fn check(paths: &BasePaths<String>, path: &str, expected: Option<(&str, &str)>) {
        let found = paths.choose(path);
        let found = found.map(|chosen| (&**chosen.base_path, &path[chosen.consumed..]));
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
        let paths = paths(&["(none)", "orders"]);
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
}
