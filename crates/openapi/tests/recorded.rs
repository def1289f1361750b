//! What the service itself made of documents, as recorded by others.
//!
//! The cases lie beside the repository, or where `PORTCULLIS_CASES` says. Without them the test
//! passes, but not in CI.

use std::collections::BTreeMap;
use std::path::PathBuf;

use portcullis_definition::{Api, GatewayResponseType, RestApi};
use portcullis_openapi::{BasePath, ImportOptions, import, overwrite, parse};
use serde_json::{Value, json};

/// Cases that cannot pass, each with the reason.
const EXPECTED_FAILURES: &[(&str, &str)] = &[];

#[test]
fn documents_are_imported_as_recorded() {
    run("import.json", check_import);
}

#[test]
fn gateway_responses_are_completed_as_recorded() {
    run("gateway-responses.json", check_gateway_responses);
}

#[test]
fn wrong_documents_are_refused_in_the_recorded_words() {
    run("definition-errors.json", check_error);
}

#[test]
fn definitions_of_requests_are_all_imported() {
    for file in [
        "binary.json",
        "headers.json",
        "http.json",
        "imported.json",
        "lambda.json",
        "mock.json",
        "routing.json",
        "services.json",
        "stages.json",
        "validation.json",
    ] {
        run(file, check_definition);
    }
}

/// Runs the cases of a file. A check answers `None` for a case that is none of its own.
fn run(file: &str, check: fn(&Value) -> Option<Result<(), String>>) {
    let Some(folder) = cases() else { return };
    let text = std::fs::read_to_string(folder.join("recorded").join(file)).expect("a case file");
    let group: Value = serde_json::from_str(&text).expect("a case file is JSON");
    let mut problems = Vec::new();
    let mut ran = 0;
    for case in group["cases"].as_array().expect("cases") {
        let id = case["id"].as_str().expect("a case has an id");
        if !case["doubt"].is_null() {
            continue;
        }
        let Some(result) = check(case) else { continue };
        ran += 1;
        let expected = EXPECTED_FAILURES
            .iter()
            .find(|(expected, _)| *expected == id);
        match (result, expected) {
            (Err(problem), None) => problems.push(format!("{id}: {problem}")),
            (Ok(()), Some(_)) => problems.push(format!("{id}: passes, but is listed as failing")),
            _ => {}
        }
    }
    assert!(ran > 0, "no case of {file} is of this kind");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn cases() -> Option<PathBuf> {
    let folder = match std::env::var_os("PORTCULLIS_CASES") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases"),
    };
    if folder.is_dir() {
        return Some(folder);
    }
    let in_ci = std::env::var_os("CI").is_some();
    assert!(
        !in_ci,
        "the recorded cases are missing: {}",
        folder.display()
    );
    None
}

fn document_of(case: &Value) -> Option<String> {
    match (&case["document"], &case["documentText"]) {
        (Value::Null, Value::Null) => None,
        (Value::Null, text) => text.as_str().map(str::to_owned),
        (document, _) => Some(document.to_string()),
    }
}

fn options(case: &Value) -> ImportOptions {
    let given = &case["options"];
    let basepath: BasePath = given["basepath"]
        .as_str()
        .map_or(Ok(BasePath::Ignore), str::parse)
        .expect("a base path");
    ImportOptions::default()
        .api_id("api1234567")
        .account_id("111111111111")
        .basepath(basepath)
        .fail_on_warnings(given["failOnWarnings"].as_bool().unwrap_or(false))
}

fn check_import(case: &Value) -> Option<Result<(), String>> {
    let text = document_of(case)?;
    Some(import_and_compare(&text, case))
}

fn import_and_compare(text: &str, case: &Value) -> Result<(), String> {
    let document = parse(text).map_err(|error| error.to_string())?;
    let imported = import(&document, &options(case)).map_err(|error| error.to_string())?;
    let api = if case["options"]["mode"] == "overwrite" {
        // As in the recording: onto an API that was made just before.
        let mut fresh = RestApi::default();
        fresh.id = "api1234567".to_owned();
        fresh.endpoint_configuration = imported
            .api
            .as_rest()
            .expect("a REST API")
            .endpoint_configuration
            .clone();
        overwrite(Api::Rest(Box::new(fresh)), imported).map_err(|error| error.to_string())?
    } else {
        imported.api
    };
    let api = api.as_rest().expect("a REST API");
    let expected: Value = serde_json::from_str(
        &case["expect"]
            .to_string()
            .replace("{{apiId}}", "api1234567"),
    )
    .expect("JSON stays JSON");
    for (part, expected) in expected.as_object().expect("an expectation") {
        let actual = match part.as_str() {
            "api" => attributes(api),
            "resources" => resources(api),
            "methods" => methods(api),
            "models" => models(api),
            other => return Err(format!("nothing knows how to compare `{other}`")),
        };
        if actual != *expected {
            return Err(format!(
                "{part}:\n  expected {expected}\n  found    {actual}"
            ));
        }
    }
    Ok(())
}

/// What the service says of the API itself, ids and dates apart.
fn attributes(api: &RestApi) -> Value {
    let mut value = serde_json::to_value(api).expect("an API is JSON");
    let members = value.as_object_mut().expect("an object");
    for part in [
        "id",
        "rootResourceId",
        "resources",
        "authorizers",
        "models",
        "requestValidators",
        "gatewayResponses",
    ] {
        members.remove(part);
    }
    value
}

fn resources(api: &RestApi) -> Value {
    let by_path: BTreeMap<_, _> = api
        .resources
        .iter()
        .map(|resource| {
            let mut verbs: Vec<_> = resource.resource_methods.keys().collect();
            verbs.sort();
            (
                &resource.path,
                json!({"path": resource.path, "methods": verbs}),
            )
        })
        .collect();
    by_path.into_values().collect()
}

fn methods(api: &RestApi) -> Value {
    let mut all = serde_json::Map::new();
    for resource in &api.resources {
        for (verb, method) in &resource.resource_methods {
            let mut value = serde_json::to_value(method).expect("a method is JSON");
            let members = value.as_object_mut().expect("an object");
            members.remove("httpMethod");
            if let Some(id) = members.remove("authorizerId") {
                let authorizer = api
                    .authorizer(id.as_str().expect("an id"))
                    .expect("an authorizer");
                members.insert("authorizer".into(), json!(authorizer.name));
            }
            if let Some(id) = members.remove("requestValidatorId") {
                let id = id.as_str().expect("an id");
                let validator = api.request_validator(id).expect("a validator");
                members.insert("requestValidator".into(), json!(validator.name));
            }
            if let Some(integration) = value["methodIntegration"].as_object_mut() {
                let namespace = integration.remove("cacheNamespace");
                assert_eq!(
                    namespace,
                    Some(json!(resource.id)),
                    "{verb} {}",
                    resource.path
                );
            }
            all.insert(format!("{verb} {}", resource.path), value);
        }
    }
    Value::Object(all)
}

fn models(api: &RestApi) -> Value {
    let by_name: BTreeMap<_, _> = api
        .models
        .iter()
        .map(|model| {
            let mut value = serde_json::to_value(model).expect("a model is JSON");
            let mut schema: Value =
                serde_json::from_str(value["schema"].as_str().expect("a schema")).expect("JSON");
            if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
                required.sort_by_key(ToString::to_string);
            }
            value["schema"] = schema;
            (&model.name, value)
        })
        .collect();
    by_name.into_values().collect()
}

fn check_gateway_responses(case: &Value) -> Option<Result<(), String>> {
    let compare = || {
        let document = parse(&case["definition"].to_string()).map_err(|error| error.to_string())?;
        let imported = import(&document, &options(case)).map_err(|error| error.to_string())?;
        let table = imported
            .api
            .as_rest()
            .expect("a REST API")
            .gateway_response_table();
        for (name, expected) in case["expect"]["table"].as_object().expect("a table") {
            let kind: GatewayResponseType = name.parse().expect("a type");
            let actual = &table[&kind];
            let mut value = serde_json::to_value(actual).expect("a response is JSON");
            let members = value.as_object_mut().expect("an object");
            members.remove("responseType");
            members
                .entry("responseParameters")
                .or_insert_with(|| json!({}));
            if value != *expected {
                return Err(format!("{name}: expected {expected}, found {value}"));
            }
        }
        Ok(())
    };
    Some(compare())
}

/// A case whose flaw can be seen in a document; the others are calls of the management API.
fn check_error(case: &Value) -> Option<Result<(), String>> {
    let text = document_of(case)?;
    let message = case["error"]["message"].as_str()?;
    let result = parse(&text).and_then(|document| import(&document, &options(case)));
    Some(match result {
        Ok(_) => Err("the document is taken".to_owned()),
        Err(errors) if errors.faults().iter().any(|fault| fault.message == message) => Ok(()),
        Err(errors) => Err(format!("expected `{message}`, found:\n{errors}")),
    })
}

/// A case of requests: its definitions must come in without a fault and without loss.
fn check_definition(case: &Value) -> Option<Result<(), String>> {
    let deployments = case["deployments"].as_object().into_iter().flatten();
    let definitions: Vec<_> = deployments
        .map(|(_, deployment)| deployment.get("definition").unwrap_or(deployment))
        .chain(case.get("definition"))
        .filter(|definition| definition.is_object())
        .collect();
    if definitions.is_empty() {
        return None;
    }
    let mut problems = String::new();
    for definition in definitions {
        let imported =
            parse(&definition.to_string()).and_then(|document| import(&document, &options(case)));
        match imported {
            Ok(imported) if imported.unknown.is_empty() => {}
            Ok(imported) => problems += &format!("unknown: {:?}", imported.unknown),
            Err(errors) => problems += &errors.to_string(),
        }
    }
    Some(if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    })
}
