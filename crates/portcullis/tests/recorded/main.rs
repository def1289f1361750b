//! Cases recorded from the managed service, run over real sockets.
//!
//! The cases are not part of the repository; `portcullis_testkit::cases` says where they are looked for. `expected_failures.txt`
//! lists those that are known to fail, each with its reason.

mod backend;
mod compare;
mod gateway;
mod services;

use std::path::Path;

use portcullis_testkit::cases::{self, ExpectedFailures, Tally};
use serde_json::Value;

use backend::Backend;

/// Groups that are no requests to a deployed API, and where they are looked at.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "definition-errors",
        "control-plane calls; those with a document run in the tests of `openapi`",
    ),
    (
        "execution-log",
        "the logs of `TestInvokeMethod`, which is a control-plane call",
    ),
    ("export", "definitions are not exported yet"),
    ("gateway-responses", "runs in the tests of `responses`"),
    ("import", "runs in the tests of `openapi`"),
    (
        "mapping-units",
        "those of routing run in the tests of `routing`",
    ),
    ("stage-ops", "control-plane calls are not served"),
    (
        "templates",
        "runs in the tests of `templates` and `integrations`",
    ),
];

#[test]
fn a_gateway_answers_as_the_service_was_recorded_to() {
    let Some(dir) = cases::dir() else { return };
    let expected = ExpectedFailures::parse(include_str!("expected_failures.txt"));
    let mut tally = Tally::new("recorded", &expected);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut files: Vec<_> = std::fs::read_dir(dir.join("recorded"))
        .expect("the folder of recorded cases")
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    for file in files {
        run_file(&file, &runtime, &mut tally);
    }
    tally.finish();
}

fn run_file(file: &Path, runtime: &tokio::runtime::Runtime, tally: &mut Tally) {
    let group: Value = cases::load_json(file);
    let kind = group["kind"].as_str().expect("a group has a kind");
    let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == kind);
    for case in group["cases"].as_array().expect("a group has cases") {
        let id = case["id"].as_str().expect("a case has an id");
        if let Some((_, reason)) = elsewhere {
            tally.leave_out(id, reason);
        } else if case.get("doubt").is_some() {
            tally.leave_out(id, "the expectation is in doubt");
        } else {
            assert_eq!(
                kind, "data-plane",
                "a kind of cases that the runner does not know"
            );
            // A case that hangs must not hang the run.
            let limit = std::time::Duration::from_secs(60);
            let outcome = runtime.block_on(async {
                let case = case.clone();
                let run = tokio::spawn(async move { run_case(&case).await });
                match tokio::time::timeout(limit, run).await {
                    Ok(Ok(outcome)) => outcome,
                    Ok(Err(panic)) => Err(panic.to_string()),
                    Err(_) => Err(format!("no answer within {limit:?}")),
                }
            });
            tally.record(id, outcome);
        }
    }
}

/// Runs the steps of a case in order on one gateway; the first that is not answered as recorded fails it.
async fn run_case(case: &Value) -> Result<(), String> {
    let backend = Backend::start(&case["backend"]).await;
    let placeholders = gateway::Placeholders::new(&backend);
    let gateway = gateway::Running::start(case, &backend, &placeholders).await?;
    for step in case["steps"].as_array().expect("a case has steps") {
        let name = step["name"].as_str().unwrap_or("?");
        let answer = gateway.send(&step["request"], &placeholders).await;
        let expect = placeholders.fill(&step["expect"]);
        compare::answer(&expect, &answer).map_err(|fault| format!("step {name}: {fault}"))?;
        compare::backend(&expect, &backend).map_err(|fault| format!("step {name}: {fault}"))?;
    }
    Ok(())
}
