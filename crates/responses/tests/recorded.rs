//! The gateway responses among the recorded cases.

use std::env;
use std::path::PathBuf;

use portcullis_responses::{GatewayResponses, ResponseConfig};
use serde_json::Value;

/// The cases' folder: `PORTCULLIS_CASES`, or `shared/cases` beside the repository. Under CI it has to be there.
fn cases(file: &str) -> Option<Value> {
    let folder = env::var_os("PORTCULLIS_CASES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases"),
        PathBuf::from,
    );
    if !folder.exists() {
        assert!(
            env::var_os("CI").is_none(),
            "the recorded cases are missing"
        );
        return None;
    }
    let text = std::fs::read(folder.join("recorded").join(file)).expect("the file of cases");
    Some(serde_json::from_slice(&text).expect("cases are JSON"))
}

#[test]
fn the_table_is_the_recorded_one() {
    let Some(file) = cases("gateway-responses.json") else {
        return;
    };
    for case in file["cases"].as_array().expect("a list of cases") {
        let id = &case["id"];
        let stored = &case["definition"]["x-amazon-apigateway-gateway-responses"];
        let mut builder = GatewayResponses::builder();
        for (name, entry) in stored.as_object().into_iter().flatten() {
            let mut entry: ResponseConfig =
                serde_json::from_value(entry.clone()).expect("an entry");
            entry.response_type.clone_from(name);
            builder = builder.response(entry);
        }
        let table = builder.build().expect("what was recorded is right").table();
        let table = serde_json::to_value(table).expect("it is plain data");
        let expected = case["expect"]["table"].as_object().expect("a table");
        for (name, row) in expected {
            assert_eq!(&table[name], row, "{id}: {name}");
        }
    }
}
