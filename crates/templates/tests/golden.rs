//! Renders each folder of `tests/golden` and compares: `template.vtl` and `body.json` give `expected.txt`.
//! `UPDATE=1 cargo test` writes the expected texts anew.

use std::fs;
use std::path::Path;

use portcullis_templates::{Scope, Template};

#[test]
fn templates_give_what_is_expected() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for case in fs::read_dir(cases).expect("the folder of cases") {
        let folder = case.expect("a case").path();
        let source = fs::read_to_string(folder.join("template.vtl")).expect("a template");
        let body = fs::read(folder.join("body.json")).unwrap_or_default();
        let actual = Template::parse(&source)
            .map_err(|fault| fault.to_string())
            .and_then(|template| {
                let output = template.render(&Scope::new(&body));
                output.map_err(|error| error.to_string())
            })
            .map_or_else(|fault| fault, |output| output.into_text());
        if std::env::var_os("UPDATE").is_some() {
            fs::write(folder.join("expected.txt"), &actual).expect("the text is written");
        }
        let expected = fs::read_to_string(folder.join("expected.txt")).expect("a text");
        assert_eq!(actual, expected, "{}", folder.display());
    }
}
