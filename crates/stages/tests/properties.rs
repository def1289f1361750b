//! What holds for every host, path and text.

use std::collections::BTreeMap;

use portcullis_core::ApiKind;
use portcullis_stages::{Api, Domain, Fallback, Resolver, StageTemplate, expand};
use proptest::prelude::*;

fn resolver(fallback: Fallback) -> Resolver<()> {
    Resolver::builder("r")
        .api(Api::new("a", ApiKind::Rest).stage("s", ()).host("rest"))
        .api(
            Api::new("b", ApiKind::Http)
                .stage("s", ())
                .stage("$default", ())
                .host("http"),
        )
        .domain(
            Domain::new("one")
                .map("s", "a", "s")
                .map_api("a", "b")
                .map("", "b", "$default"),
        )
        .domain(Domain::new("many").map("s/s", "a", "s").map_api("s", "a"))
        .domain(Domain::new("*.any").map("", "a", "s"))
        .fallback(fallback)
        .build()
        .expect("it is fine")
}

/// Paths made of what the resolver knows, and anything else.
const PATH: &str = r"/{0,2}(s|a|b|/|\$default|%2F|ä|\PC){0,8}";

proptest! {
    #[test]
    fn what_is_consumed_is_a_start_of_the_path(
        host in r"(rest|http|one|many|x\.any|(\PC|\.|:|\[){0,12})(:[0-9]{0,5})?",
        path in PATH,
        by_path: bool,
    ) {
        let fallback = if by_path { Fallback::ByPath } else { Fallback::Api("a".into()) };
        let resolver = resolver(fallback);
        if let Ok(found) = resolver.resolve(Some(&host), &path) {
            prop_assert!(path.is_char_boundary(found.consumed()));
            prop_assert!(path.ends_with(found.rest_of(&path)) || found.rest_of(&path) == "/");
        }
    }

    #[test]
    fn below_the_stage_is_what_follows_it(rest in "(/[a-z%.]{1,5}){0,4}/?") {
        let resolver = resolver(Fallback::None);
        let path = format!("/s{rest}");
        let found = resolver.resolve(Some("rest"), &path).expect("the stage is there");
        let expected = if rest.is_empty() { "/" } else { rest.as_str() };
        prop_assert_eq!(found.rest_of(&path), expected);
    }

    #[test]
    fn both_ways_to_expand_agree(text in r"(\PC|\$|\{|\}|\$\{stageVariables\.|[ab]\}){0,16}") {
        let variables = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        if let Ok(template) = StageTemplate::parse(text.as_str()) {
            prop_assert_eq!(template.expand(&variables), expand(&text, &variables));
        } else {
            let _ = expand(&text, &variables);
        }
    }
}
