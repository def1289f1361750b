//! Cases as data: our own in `tests/cases`, and the shared ones where their folder is present.

use std::path::{Path, PathBuf};

use portcullis_templates::{Data, Dialect, Limits, Scope, Template};
use serde_json::Value;

/// Shared cases that fail, each with its reason. One that passes fails the run.
const EXPECTED_FAILURES: &[(&str, &str)] = &[];

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
}

impl Tally {
    fn note(&mut self, id: &str, outcome: Result<(), String>) {
        let listed = EXPECTED_FAILURES.iter().any(|(known, _)| *known == id);
        match (outcome, listed) {
            (Ok(()), false) => self.passed += 1,
            (Err(_), true) => {}
            (Ok(()), true) => self.failed.push(format!("{id}: passes, but is listed")),
            (Err(message), false) => self.failed.push(format!("{id}: {message}")),
        }
    }

    #[track_caller]
    fn finish(self, name: &str, least: usize) {
        println!(
            "{name}: {} passed, {} failed",
            self.passed,
            self.failed.len()
        );
        assert!(
            self.failed.is_empty(),
            "{name}: {} passed, {} failed\n{}",
            self.passed,
            self.failed.len(),
            self.failed.join("\n")
        );
        assert!(self.passed >= least, "{name}: only {} cases", self.passed);
    }
}

/// The shared folder: named by the environment or beside the repository. In CI it must be there.
fn shared(file: &str) -> Option<String> {
    let folder = std::env::var_os("PORTCULLIS_CASES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases"),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(folder.join(file)).ok();
    assert!(
        text.is_some() || std::env::var_os("CI").is_none(),
        "the shared cases are missing: {file}"
    );
    text
}

fn data(value: &Value) -> Data {
    Data::from_serialize(value).expect("JSON serializes")
}

/// The text and the overrides.
fn render(
    template: &str,
    dialect: Dialect,
    context: &Data,
) -> Result<(String, Value, Value), String> {
    let template = Template::parse_with(template, dialect, Limits::default())
        .map_err(|fault| format!("parse: {fault}"))?;
    let again = Template::parse_with(&template.to_string(), dialect, Limits::default());
    assert_eq!(
        again.as_ref(),
        Ok(&template),
        "the printed template differs"
    );
    let part = |names: &[&str]| {
        let found = names.iter().try_fold(context, |data, name| data.get(name));
        found.cloned().unwrap_or_default()
    };
    let output = if let Data::Text(body) = part(&["input", "body"]) {
        let path = part(&["input", "params", "path"]);
        let query = part(&["input", "params", "querystring"]);
        let header = part(&["input", "params", "header"]);
        let (ctx, variables) = (part(&["context"]), part(&["stageVariables"]));
        template.render(
            &Scope::new(body.as_bytes())
                .path(&path)
                .querystring(&query)
                .header(&header)
                .context(&ctx)
                .stage_variables(&variables),
        )
    } else {
        template.render(&Scope::of_variables(context))
    };
    let output = output.map_err(|error| format!("render: {error}"))?;
    let json = |data: &Data| serde_json::to_value(data).expect("data serializes");
    Ok((
        output.text().to_owned(),
        json(output.request_override()),
        json(output.response_override()),
    ))
}

/// One line of a case file.
fn run(case: &Value, context: &Data) -> Vec<(String, Result<(), String>)> {
    let id = case["id"].as_str().expect("an id");
    let dialects: &[(Dialect, &str)] = match case["mode"].as_str() {
        Some("velocity") => &[(Dialect::Velocity, "")],
        Some("apigw") => &[(Dialect::ApiGateway, "")],
        _ => &[
            (Dialect::Velocity, "/velocity"),
            (Dialect::ApiGateway, "/apigw"),
        ],
    };
    let template = case["template"].as_str().expect("a template");
    dialects
        .iter()
        .map(|(dialect, suffix)| {
            let outcome = render(template, *dialect, context);
            let judged = match (outcome, case["expected"].as_str()) {
                (Err(_), None) => Ok(()),
                (Err(error), Some(_)) => Err(format!("{template:?}: {error}")),
                (Ok((text, ..)), None) => Err(format!("{template:?}: gave {text:?}, should fail")),
                (Ok((text, ..)), Some(expected)) if text != expected => Err(format!(
                    "{template:?}\n   gave {text:?}\n   want {expected:?}"
                )),
                (Ok((_, request, response)), Some(_)) => {
                    overrides(&case["expected_overrides"], &request, &response)
                }
            };
            (format!("{id}{suffix}"), judged)
        })
        .collect()
}

fn overrides(expected: &Value, request: &Value, response: &Value) -> Result<(), String> {
    for (name, actual) in [("requestOverride", request), ("responseOverride", response)] {
        let expected = &expected[name];
        if !expected.is_null() && !subset(expected, actual) {
            return Err(format!("{name}: gave {actual}, want {expected}"));
        }
    }
    Ok(())
}

fn subset(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => expected
            .iter()
            .all(|(key, value)| actual.get(key).is_some_and(|actual| subset(value, actual))),
        _ => expected == actual,
    }
}

fn run_lines(text: &str, tally: &mut Tally) {
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let case: Value = serde_json::from_str(line).expect("a case is JSON");
        // The order of members matters to templates, and only `Data` keeps it for sure.
        let ordered: Data = serde_json::from_str(line).expect("a case is JSON");
        let context = ordered.get("context").cloned().unwrap_or_default();
        for (id, outcome) in run(&case, &context) {
            tally.note(&id, outcome);
        }
    }
}

#[test]
fn own_cases_give_what_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut tally = Tally::default();
    for entry in std::fs::read_dir(folder).expect("the folder of cases") {
        let path = entry.expect("an entry").path();
        run_lines(
            &std::fs::read_to_string(path).expect("a case file"),
            &mut tally,
        );
    }
    tally.finish("own", 100);
}

#[test]
fn language_cases_give_what_velocity_gives() {
    let mut tally = Tally::default();
    for file in ["vtl/cases.jsonl", "vtl/generated.jsonl"] {
        let Some(text) = shared(file) else { return };
        run_lines(&text, &mut tally);
    }
    tally.finish("language", 1000);
}

#[test]
fn gateway_cases_give_what_the_service_gives() {
    let Some(text) = shared("vtl/apigw.jsonl") else {
        return;
    };
    let mut tally = Tally::default();
    run_lines(&text, &mut tally);
    tally.finish("apigw", 130);
}

#[test]
fn recorded_templates_give_what_was_recorded() {
    let Some(text) = shared("recorded/templates.json") else {
        return;
    };
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let mut tally = Tally::default();
    for case in file["cases"].as_array().expect("cases") {
        if case["doubt"].is_string() || case["phase"] == "appsync" {
            continue;
        }
        let mut input = case["input"].clone();
        for group in ["path", "querystring", "header"] {
            if input["params"][group].is_null() {
                input["params"][group] = serde_json::json!({});
            }
        }
        let object = |value: &Value| {
            if value.is_null() {
                serde_json::json!({})
            } else {
                value.clone()
            }
        };
        let context = serde_json::json!({
            "input": input,
            "context": object(&case["context"]),
            "stageVariables": object(&case["stageVariables"]),
        });
        let template = case["template"].as_str().expect("a template");
        let outcome = render(template, Dialect::ApiGateway, &data(&context))
            .and_then(|rendered| recorded(&case["expect"], rendered));
        tally.note(case["id"].as_str().expect("an id"), outcome);
    }
    tally.finish("recorded", 25);
}

fn recorded(
    expect: &Value,
    (text, request, response): (String, Value, Value),
) -> Result<(), String> {
    if let Some(expected) = expect["text"].as_str() {
        let actual = if expect["trim"] == true {
            text.trim()
        } else {
            &text
        };
        if actual != expected {
            return Err(format!("gave {actual:?}, want {expected:?}"));
        }
    }
    if !expect["json"].is_null() {
        let mut actual: Value =
            serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        for path in expect["parse"].as_array().into_iter().flatten() {
            let name = path
                .as_str()
                .unwrap_or("")
                .trim_start_matches("$.")
                .to_owned();
            let inner = actual[&name].as_str().unwrap_or("").to_owned();
            actual[&name] =
                serde_json::from_str(&inner).map_err(|error| format!("{error}: {inner}"))?;
        }
        if actual != expect["json"] {
            return Err(format!("gave {actual}, want {}", expect["json"]));
        }
    }
    if let Some(status) = expect["mockStatus"].as_i64() {
        let actual: Value = serde_json::from_str(text.trim()).map_err(|error| error.to_string())?;
        if actual["statusCode"] != status {
            return Err(format!("gave {actual}, want status {status}"));
        }
    }
    if !expect["xml"].is_null() {
        xml(&expect["xml"], &text)?;
    }
    overrides(&expect["overrides"], &request, &response)
}

/// Each leaf stands in the text as an element or an attribute: enough for the one such case.
fn xml(expected: &Value, text: &str) -> Result<(), String> {
    for (name, value) in expected.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => xml(value, text)?,
            _ => {
                let value = value.as_str().unwrap_or("");
                let compact = value.replace(": ", ":");
                let found = match name.strip_prefix('@') {
                    Some(name) => text.contains(&format!("{name}=\"{value}\"")),
                    None => [value, &compact]
                        .iter()
                        .any(|value| text.contains(&format!("<{name}>{value}</{name}>"))),
                };
                if !found {
                    return Err(format!("no {name} of {value:?} in {text}"));
                }
            }
        }
    }
    Ok(())
}
