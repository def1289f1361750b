//! The routing cases among the recorded ones.

use std::env;
use std::path::PathBuf;

use http::Method;
use portcullis_routing::RestRoutes;
use serde_json::Value;

/// The cases' folder: `PORTCULLIS_CASES`, or `shared/cases` beside the repository. Under CI it has to be there.
fn cases(file: &str) -> Option<Value> {
    let folder = env::var_os("PORTCULLIS_CASES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        assert!(
            env::var_os("CI").is_none(),
            "{} is missing",
            folder.display()
        );
        return None;
    }
    let text = std::fs::read(folder.join("recorded").join(file)).expect("the file of cases");
    Some(serde_json::from_slice(&text).expect("cases are JSON"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn recorded_requests_take_the_recorded_resources() {
    let Some(file) = cases("mapping-units.json") else {
        return;
    };
    let mut count = 0;
    for case in list(&file["cases"]) {
        if text(case, "kind") != "routing" {
            continue;
        }
        count += 1;
        let (id, given, expect) = (text(case, "id"), &case["given"], &case["expect"]);

        let mut builder = RestRoutes::builder();
        for resource in list(&given["resources"]) {
            for method in list(&resource["methods"]) {
                let method = method.as_str().expect("a method");
                builder = builder.route(method, text(resource, "path"), ());
            }
        }
        let routes = builder
            .build()
            .unwrap_or_else(|faults| panic!("{id}: {faults}"));

        let method: Method = text(given, "method").parse().expect("a method");
        let found = routes.find(&method, text(given, "path")).ok();
        let resource = found.map(|found| found.template().as_str());
        assert_eq!(resource, expect["resource"].as_str(), "{id}");
        if let Some(used) = expect["methodUsed"].as_str() {
            assert_eq!(
                found.map(|found| found.method().as_str()),
                Some(used),
                "{id}"
            );
        }
        if let Some(parameters) = expect["pathParameters"].as_object() {
            let found = found.expect("a route");
            assert_eq!(found.parameters().count(), parameters.len(), "{id}");
            for (name, value) in parameters {
                assert_eq!(found.parameter(name), value.as_str(), "{id}");
            }
        }
    }
    assert!(count > 0, "no routing case was found");
}
