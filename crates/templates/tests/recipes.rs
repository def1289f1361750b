//! Runs the recipes of `docs/guide/templates.md`, as they stand there.
//!
//! A template's fence says `velocity`; the fences after it are its `body`, its `scope` (a gateway's values), and what
//! it gives: its `output` and, where it sets any, its `overrides`.

use std::path::Path;

use portcullis_templates::{Data, Scope, Template};

struct Recipe {
    title: String,
    template: String,
    body: String,
    scope: Data,
    output: Option<String>,
    overrides: Option<Data>,
}

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/templates.md");
    std::fs::read_to_string(path).expect("the guide")
}

fn json(text: &str) -> Data {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn recipes(guide: &str) -> Vec<Recipe> {
    let mut recipes: Vec<Recipe> = Vec::new();
    let mut title = "";
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("### ") {
            title = heading;
        }
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = inside.join("\n");
        if info == "velocity" {
            recipes.push(Recipe {
                title: title.to_owned(),
                template: text,
                body: String::new(),
                scope: Data::Null,
                output: None,
                overrides: None,
            });
            continue;
        }
        let (Some(recipe), Some((_, role))) = (recipes.last_mut(), info.split_once(' ')) else {
            continue;
        };
        match role {
            "body" => recipe.body = text,
            "scope" => recipe.scope = json(&text),
            "output" => recipe.output = Some(text),
            "overrides" => recipe.overrides = Some(json(&text)),
            _ => {}
        }
    }
    recipes
}

#[test]
fn each_recipe_of_the_guide_gives_what_the_guide_says() {
    let recipes = recipes(&guide());
    let mut titles: Vec<&str> = recipes.iter().map(|recipe| &*recipe.title).collect();
    titles.dedup();
    assert_eq!(titles.len(), 10, "{titles:?}");
    for recipe in &recipes {
        let title = &recipe.title;
        let template = Template::parse(&recipe.template)
            .unwrap_or_else(|fault| panic!("recipe {title}: {fault}"));
        let part = |name: &str| recipe.scope.get(name).cloned().unwrap_or_default();
        let (path, query, header) = (part("path"), part("querystring"), part("header"));
        let (context, variables) = (part("context"), part("stageVariables"));
        let scope = Scope::new(recipe.body.as_bytes())
            .path(&path)
            .querystring(&query)
            .header(&header)
            .context(&context)
            .stage_variables(&variables);
        let output = template
            .render(&scope)
            .unwrap_or_else(|error| panic!("recipe {title}: {error}"));
        let expected = recipe.output.as_deref().expect("the recipe's output");
        assert_eq!(output.text().trim(), expected, "recipe {title}");
        if let Some(overrides) = &recipe.overrides {
            let actual = Data::from_iter([
                ("request", output.request_override().clone()),
                ("response", output.response_override().clone()),
            ]);
            assert_eq!(&actual, overrides, "recipe {title}");
        }
    }
}

#[test]
fn the_guide_shows_the_golden_test_that_is_run() {
    assert!(guide().contains(include_str!("golden.rs")));
}
