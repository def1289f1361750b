//! The ramp of a canary goes on after a restart, and after a process that was killed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use http::Request;
use portcullis::canary::{Ramp, RampAction, RampState, RampStatus, Sticky};
use portcullis::core::{Body, ManualClock};
use portcullis::{ApiSpec, CanaryRules, Gateway, GatewayBuilder};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{document, mock, shop};

/// A definition whose one route answers with this status.
fn answers(status: u16) -> String {
    let mut operation = mock("x");
    operation["x-amazon-apigateway-integration"]["responses"]["default"]["statusCode"] =
        status.to_string().into();
    document(&json!({ "/release": { "get": operation } }))
}

fn api(canary: u16, steps: &[f64]) -> ApiSpec {
    let minute = Duration::from_secs(60);
    let steps = steps.iter().map(|percent| (*percent, minute));
    let ramp = Ramp::new(steps)
        .window(Duration::from_secs(20))
        .min_requests(5);
    let stage = json!({
        "stageName": "prod",
        "canarySettings": { "percentTraffic": 0, "deploymentId": "next" },
    });
    let user = http::HeaderName::from_static("x-user");
    shop(answers(200))
        .deployment("next", answers(canary))
        .stage(serde_json::from_value(stage).expect("a stage"))
        .canary(
            "prod",
            CanaryRules::new().sticky(Sticky::header(user)).ramp(ramp),
        )
}

fn source(file: &Path, clock: &ManualClock, canary: u16, steps: &[f64]) -> GatewayBuilder {
    Gateway::builder()
        .api(api(canary, steps))
        .clock(clock.clone())
        .state_file(file)
}

const STEPS: &[f64] = &[20.0, 40.0, 60.0];

fn ramp(gateway: &Gateway) -> RampStatus {
    let ramp = gateway.handle().canary_ramp("shop", "prod");
    ramp.expect("a canary").expect("a ramp")
}

/// Two requests a second.
async fn serve(gateway: &Gateway, clock: &ManualClock, requests: u32) {
    for user in 0..requests {
        let request = Request::get("/prod/release").header("x-user", user.to_string());
        let request = request.body(Body::empty()).expect("a request");
        let answer = gateway.clone().oneshot(request).await;
        answer.expect("a gateway never fails");
        clock.advance(Duration::from_millis(500));
    }
}

/// What the file says of the ramp, as soon as it says this of its `field`: it is written beside the requests.
fn kept(file: &Path, field: &str, value: &Value) -> Value {
    for _ in 0..10_000 {
        // Between two renames it may be away.
        let text = fs::read_to_string(file).unwrap_or_default();
        let index = text.split_once('\n').map_or("", |(_, index)| index);
        let index: Value = serde_json::from_str(index).unwrap_or_default();
        let ramp = &index["apis"]["shop"]["stages"]["prod"]["canary"]["ramp"];
        if ramp[field] == *value {
            return ramp.clone();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("{field} never becomes {value}");
}

#[tokio::test]
async fn a_ramp_goes_on_where_it_stood_before_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    let clock = ManualClock::at_unix(1_767_225_600);
    let gateway = source(&file, &clock, 200, STEPS)
        .build()
        .expect("a gateway");
    kept(&file, "step", &1.into());
    serve(&gateway, &clock, 150).await;
    assert_eq!(ramp(&gateway).percent, 40.0);
    let since = kept(&file, "step", &2.into())["since"].clone();
    drop(gateway);

    clock.advance(Duration::from_secs(3600));
    let gateway = source(&file, &clock, 200, STEPS)
        .build()
        .expect("a gateway");
    let status = ramp(&gateway);
    assert_eq!(status.to_string(), "canary at 40 %, step 2 of 3");
    assert_eq!(status.decisions[0].action, RampAction::Resume);
    assert_eq!(kept(&file, "step", &2.into())["since"], since);
    // The hour in which nobody asked for anything proves nothing: it needs a window of its own.
    serve(&gateway, &clock, 30).await;
    assert_eq!(ramp(&gateway).percent, 40.0);
    serve(&gateway, &clock, 20).await;
    assert_eq!(ramp(&gateway).percent, 60.0);
    drop(gateway);

    // Another ramp begins from its start.
    let gateway = source(&file, &clock, 200, &[5.0, 10.0])
        .build()
        .expect("a gateway");
    assert_eq!(ramp(&gateway).to_string(), "canary at 5 %, step 1 of 2");
    // So does one that is told to forget.
    let gateway = source(&file, &clock, 200, STEPS)
        .reset_state(true)
        .build()
        .expect("a gateway");
    assert_eq!(ramp(&gateway).percent, 20.0);
}

#[tokio::test]
async fn a_canary_that_was_rolled_back_gets_nothing_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    let clock = ManualClock::at_unix(1_767_225_600);
    let gateway = source(&file, &clock, 500, STEPS)
        .build()
        .expect("a gateway");
    serve(&gateway, &clock, 100).await;
    assert_eq!(ramp(&gateway).state, RampState::RolledBack);
    kept(&file, "state", &"rolledBack".into());
    drop(gateway);

    let gateway = source(&file, &clock, 500, STEPS)
        .build()
        .expect("a gateway");
    let status = ramp(&gateway);
    assert_eq!((status.state, status.percent), (RampState::RolledBack, 0.0));
    // A new deployment has another chance, and a share that is set by hand ends the ramp for good.
    let handle = gateway.handle();
    handle
        .deploy("shop", answers(200))
        .expect("a good definition");
    assert_eq!(ramp(&gateway).percent, 20.0);
    handle
        .set_canary_weight("shop", "prod", 33.0)
        .expect("a share");
    drop((gateway, handle));
    let gateway = source(&file, &clock, 500, STEPS)
        .build()
        .expect("a gateway");
    let canary = gateway.handle().canary("shop", "prod").expect("a canary");
    assert_eq!((canary.percent_traffic, canary.ramp), (33.0, None));
}

/// The process of the next test: serves without end, and says each step when it is kept.
const CHILD: &str = "PORTCULLIS_TEST_RAMP";

#[test]
fn a_process_that_is_killed_while_a_ramp_rises_goes_on_with_the_last_step_that_was_kept() {
    let steps: Vec<f64> = (10..100).map(f64::from).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Some(file) = std::env::var_os(CHILD) {
        return runtime.block_on(rise_without_end(Path::new(&file), &steps));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    let mut last = 1;
    for round in 0..5 {
        let program = std::env::current_exe().expect("this very program");
        let mut child = Command::new(program)
            .args(["--exact", "--nocapture"])
            .arg("ramp::a_process_that_is_killed_while_a_ramp_rises_goes_on_with_the_last_step_that_was_kept")
            .env(CHILD, &file)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("an output"));
        let mut told = output.lines().map_while(Result::ok).filter_map(|line| {
            let step = line.strip_prefix("step ")?;
            step.parse::<usize>().ok()
        });
        let first = told.next().expect("it rises");
        assert!(
            first == last || first == last + 1,
            "it was at {last}, and goes on at {first}"
        );
        last = first;
        // Later in each round, and with what was on its way in the pipe.
        for _ in 0..round {
            last = told.next().expect("it rises");
        }
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        last = told.last().unwrap_or(last);

        let clock = ManualClock::at_unix(1_767_225_600);
        let gateway = source(&file, &clock, 200, &steps)
            .build()
            .expect("a gateway");
        let status = ramp(&gateway);
        // One may have been kept whose line was not written.
        assert!(
            status.step == last || status.step == last + 1,
            "told {last}, stands at {status}"
        );
        assert_eq!(status.percent, steps[status.step - 1]);
        last = status.step;
    }
}

async fn rise_without_end(file: &Path, steps: &[f64]) {
    let clock = ManualClock::at_unix(1_767_225_600);
    let gateway = source(file, &clock, 200, steps).build().expect("a gateway");
    println!();
    loop {
        let step = ramp(&gateway).step;
        kept(file, "step", &step.into());
        let mut out = std::io::stdout().lock();
        let told = writeln!(out, "step {step}").and_then(|()| out.flush());
        drop(out);
        // Nobody listens any more, or it is at the end.
        if told.is_err() || step == steps.len() {
            return;
        }
        while ramp(&gateway).step == step {
            serve(&gateway, &clock, 10).await;
        }
    }
}
