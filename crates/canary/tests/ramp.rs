//! A ramp in virtual time: it rises while the canary is no worse, and goes back with numbers when it is.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderName, Request, Response, StatusCode};
use portcullis_canary::{
    CanaryLayer, Comparisons, Ramp, RampAction, RampState, RampStatus, Split, Sticky,
};
use portcullis_core::ManualClock;
use tower::{Layer, Service, ServiceExt, service_fn};

const USER: HeaderName = HeaderName::from_static("x-user");

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How a version behaves: how long it takes, and which of its requests fail.
#[derive(Clone, Copy)]
struct Conduct {
    millis: u64,
    fails_one_in: u64,
}

const GOOD: Conduct = Conduct {
    millis: 20,
    fails_one_in: u64::MAX,
};

/// Two versions behind a split, on a clock that is turned by hand.
struct Scene {
    clock: ManualClock,
    split: Split,
    user: u64,
}

impl Scene {
    fn new() -> Self {
        let clock = ManualClock::at_unix(1_000_000);
        let split = Split::builder()
            .variant("v2", 0.0)
            .sticky(Sticky::header(USER))
            .clock(clock.clone())
            .build()
            .expect("a split");
        Self {
            clock,
            split,
            user: 0,
        }
    }

    /// Serves this many requests, one every hundredth of a second.
    async fn serve(&mut self, requests: u64, production: Conduct, canary: Conduct) {
        let layer = CanaryLayer::new(self.split.clone(), [("v2", self.version(canary))]);
        let service = layer.expect("a layer").layer(self.version(production));
        for _ in 0..requests {
            self.user += 1;
            let request = Request::builder().header(USER, self.user).body(());
            let request = request.expect("a request");
            let answer = service.clone().oneshot(request).await;
            answer.expect("it never fails");
            self.clock.advance(Duration::from_millis(10));
        }
    }

    fn version(
        &self,
        conduct: Conduct,
    ) -> impl Service<Request<()>, Response = Response<()>, Error = Infallible, Future: Send>
    + Clone
    + use<> {
        let (clock, count) = (self.clock.clone(), Arc::new(AtomicU64::new(0)));
        service_fn(move |_request: Request<()>| {
            let (clock, count) = (clock.clone(), Arc::clone(&count));
            async move {
                clock.advance(Duration::from_millis(conduct.millis));
                let count = count.fetch_add(1, Ordering::Relaxed) + 1;
                let mut response = Response::new(());
                if count.is_multiple_of(conduct.fails_one_in) {
                    *response.status_mut() = StatusCode::BAD_GATEWAY;
                }
                Ok(response)
            }
        })
    }

    fn ramp(&self) -> RampStatus {
        self.split.ramp().expect("there is one")
    }

    fn last(&self) -> RampAction {
        self.ramp().decisions.last().expect("there is one").action
    }
}

fn ramp() -> Ramp {
    let steps = [
        (10.0, seconds(30)),
        (50.0, seconds(30)),
        (100.0, seconds(0)),
    ];
    Ramp::new(steps).window(seconds(10)).min_requests(50)
}

#[tokio::test]
async fn it_rises_step_by_step_while_the_canary_is_no_worse() {
    let mut scene = Scene::new();
    scene.split.start_ramp("v2", ramp()).expect("a ramp");
    assert_eq!(scene.split.weight("v2"), Some(10.0));
    // Thirty-three requests a second.
    scene.serve(900, GOOD, GOOD).await;
    assert_eq!(
        scene.split.weight("v2"),
        Some(10.0),
        "a step lasts its time"
    );
    scene.serve(200, GOOD, GOOD).await;
    assert_eq!(scene.split.weight("v2"), Some(50.0));
    scene.serve(1_100, GOOD, GOOD).await;
    assert_eq!(scene.split.weight("v2"), Some(100.0));
    let ramp = scene.ramp();
    assert_eq!(ramp.state, RampState::Finished);
    let actions: Vec<_> = ramp.decisions.iter().map(|own| own.action).collect();
    let raise = RampAction::Raise;
    assert_eq!(
        actions,
        [RampAction::Start, raise, raise, RampAction::Finish]
    );
    assert_eq!(ramp.to_string(), "v2 at 100 %, step 3 of 3, finished");
}

#[tokio::test]
async fn it_goes_back_with_the_numbers_when_the_canary_fails_more() {
    let mut scene = Scene::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = {
        let (told, split) = (Arc::clone(&told), scene.split.clone());
        move |decision: &portcullis_canary::RampDecision| {
            // Who is told may look.
            let weight = split.weight("v2").zip(split.ramp().map(|own| own.percent));
            told.lock()
                .expect("nobody panics")
                .push((decision.to_string(), weight));
        }
    };
    scene
        .split
        .start_ramp("v2", ramp().on_decision(listener))
        .expect("a ramp");
    let failing = Conduct {
        fails_one_in: 10,
        ..GOOD
    };
    scene.serve(1_000, GOOD, failing).await;
    assert_eq!(scene.split.weight("v2"), Some(0.0));
    let ramp = scene.ramp();
    assert_eq!(ramp.state, RampState::RolledBack);
    let decision = ramp.decisions.last().expect("there is one");
    assert_eq!(decision.action, RampAction::RollBackForErrors(1.0));
    assert_eq!((decision.from, decision.to), (10.0, 0.0));
    assert!(decision.canary.requests >= 50 && decision.canary.error_rate() >= 5.0);
    assert!(decision.baseline.requests > 300 && decision.baseline.errors == 0);
    let text = decision.to_string();
    let start = "v2 rolled back from 10 % to 0 %: errors are more than 1 points above production's; canary ";
    assert!(
        text.starts_with(start) && text.contains("% errors"),
        "{text}"
    );
    let told = told.lock().expect("nobody panics").pop();
    assert_eq!(told, Some((text, Some((0.0, 0.0)))));

    // What was rolled back stays so.
    scene.serve(500, GOOD, GOOD).await;
    assert_eq!(scene.split.weight("v2"), Some(0.0));
}

#[tokio::test]
async fn it_goes_back_when_the_canary_is_slower() {
    let mut scene = Scene::new();
    scene.split.start_ramp("v2", ramp()).expect("a ramp");
    let slow = Conduct { millis: 40, ..GOOD };
    scene.serve(1_000, GOOD, slow).await;
    assert_eq!(scene.last(), RampAction::RollBackForP99(1.5));
    let ramp = scene.ramp();
    let decision = ramp.decisions.last().expect("there is one");
    assert!(decision.canary.p99 > decision.baseline.p99 + Duration::from_millis(15));
}

#[tokio::test]
async fn errors_that_production_has_as_well_do_not_count() {
    let mut scene = Scene::new();
    scene.split.start_ramp("v2", ramp()).expect("a ramp");
    let failing = Conduct {
        fails_one_in: 4,
        ..GOOD
    };
    let margin_is_wide = ramp().max_error_rate_above(20.0);
    scene.split.stop_ramp();
    scene
        .split
        .start_ramp("v2", margin_is_wide)
        .expect("a ramp");
    scene.serve(1_200, failing, failing).await;
    assert_eq!(scene.split.weight("v2"), Some(50.0));
}

#[tokio::test]
async fn nothing_is_decided_on_too_few_requests() {
    let mut scene = Scene::new();
    scene
        .split
        .start_ramp("v2", ramp().min_requests(1_000))
        .expect("a ramp");
    let broken = Conduct {
        fails_one_in: 1,
        ..GOOD
    };
    scene.serve(1_500, GOOD, broken).await;
    assert_eq!(scene.split.weight("v2"), Some(10.0), "neither up nor down");
    assert_eq!(scene.ramp().state, RampState::Running);
}

#[tokio::test]
async fn it_goes_back_when_answers_differ_more_than_by_themselves() {
    let mut scene = Scene::new();
    let (canary, noise) = (Comparisons::new(), Comparisons::new());
    let guarded = ramp().min_requests(20).max_mismatches_above(2.0, &canary);
    let guarded = guarded.mismatch_noise(&noise);
    scene.split.start_ramp("v2", guarded).expect("a ramp");
    for pair in 0..200 {
        canary.note(pair % 10 == 0);
        noise.note(pair % 10 == 0);
    }
    scene.serve(600, GOOD, GOOD).await;
    assert_eq!(scene.ramp().state, RampState::Running);
    for _ in 0..100 {
        canary.note(true);
    }
    scene.serve(300, GOOD, GOOD).await;
    assert_eq!(scene.last(), RampAction::RollBackForMismatches(2.0));
    assert!(
        scene
            .ramp()
            .decisions
            .last()
            .is_some_and(|own| own.canary.mismatched >= 100)
    );
}

#[tokio::test]
async fn a_weight_that_is_set_by_hand_stops_it() {
    let mut scene = Scene::new();
    scene.split.start_ramp("v2", ramp()).expect("a ramp");
    let error = scene.split.start_ramp("v2", ramp()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ramp: a ramp of `v2` runs; stop it first"
    );
    scene.split.set_weight("v2", 33.0).expect("a share");
    scene.serve(3_000, GOOD, GOOD).await;
    assert_eq!(scene.split.weight("v2"), Some(33.0));
    assert_eq!(scene.ramp().state, RampState::Stopped);
    assert_eq!(scene.last(), RampAction::Stop);
}

#[tokio::test]
async fn a_canary_that_hangs_is_slow_when_its_clients_give_up() {
    let mut scene = Scene::new();
    scene.split.start_ramp("v2", ramp()).expect("a ramp");
    scene.serve(600, GOOD, GOOD).await;
    assert_eq!(scene.ramp().state, RampState::Running);
    let clock = scene.clock.clone();
    let hanging = service_fn(move |_request: Request<()>| {
        // Its client gives up after a second.
        clock.advance(seconds(1));
        std::future::pending::<Result<Response<()>, Infallible>>()
    });
    let layer = CanaryLayer::new(scene.split.clone(), [("v2", hanging)]).expect("a layer");
    let production = layer.layer(scene.version(GOOD));
    for user in 0..2_000_u64 {
        let request = Request::builder().header(USER, user).body(());
        let answer = production.clone().oneshot(request.expect("a request"));
        let _ = tokio::time::timeout(Duration::ZERO, answer).await;
        scene.clock.advance(Duration::from_millis(10));
    }
    assert_eq!(scene.ramp().state, RampState::RolledBack);
}

#[tokio::test]
async fn a_ramp_that_is_wrong_changes_nothing() {
    let scene = Scene::new();
    scene.split.set_weight("v2", 5.0).expect("a share");
    let error = scene
        .split
        .start_ramp("v2", ramp().min_requests(0))
        .unwrap_err();
    assert_eq!(error.field(), "ramp.minRequests");
    let error = scene.split.start_ramp("v3", ramp()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "variants.v3: there is no such variant; there are: v2"
    );
    assert_eq!(scene.split.weight("v2"), Some(5.0));
    assert!(scene.split.ramp().is_none());
}

/// The same versions after a restart, behind a split that knows nothing yet.
fn restarted(scene: &Scene) -> Scene {
    let split = Split::builder()
        .variant("v2", 0.0)
        .sticky(Sticky::header(USER))
        .clock(scene.clock.clone());
    Scene {
        clock: scene.clock.clone(),
        split: split.build().expect("a split"),
        user: scene.user,
    }
}

#[tokio::test]
async fn after_a_restart_it_goes_on_with_its_step_and_with_a_window_of_its_own() {
    let mut scene = Scene::new();
    scene.split.start_ramp("v2", ramp()).expect("a ramp");
    scene.serve(1_100, GOOD, GOOD).await;
    assert_eq!(scene.split.weight("v2"), Some(50.0));
    // Nearly the whole step: a third of it is a window.
    scene.serve(900, GOOD, GOOD).await;
    let kept = scene.split.ramp_progress().expect("it runs");
    assert_eq!((kept.step, kept.state), (2, RampState::Running));

    let mut scene = restarted(&scene);
    let resumed = scene.split.resume_ramp("v2", ramp(), &kept);
    resumed.expect("the same ramp");
    assert_eq!(scene.ramp().to_string(), "v2 at 50 %, step 2 of 3");
    assert_eq!(scene.last(), RampAction::Resume);
    assert_eq!(scene.split.ramp_progress().as_ref(), Some(&kept));
    scene.serve(250, GOOD, GOOD).await;
    assert_eq!(
        scene.split.weight("v2"),
        Some(50.0),
        "nothing is known of the window that was lost"
    );
    scene.serve(150, GOOD, GOOD).await;
    assert_eq!(scene.split.weight("v2"), Some(100.0));

    // It stays at its end after the next restart.
    let kept = scene.split.ramp_progress().expect("it ran");
    let scene = restarted(&scene);
    let resumed = scene.split.resume_ramp("v2", ramp(), &kept);
    resumed.expect("the same ramp");
    assert_eq!(scene.ramp().state, RampState::Finished);
    assert_eq!(scene.split.weight("v2"), Some(100.0));
}

#[tokio::test]
async fn after_a_restart_what_was_rolled_back_stays_so_and_another_ramp_begins() {
    let mut scene = Scene::new();
    scene.split.start_ramp("v2", ramp()).expect("a ramp");
    let failing = Conduct {
        fails_one_in: 10,
        ..GOOD
    };
    scene.serve(1_000, GOOD, failing).await;
    let kept = scene.split.ramp_progress().expect("it ran");
    assert_eq!(kept.state, RampState::RolledBack);

    let mut scene = restarted(&scene);
    let resumed = scene.split.resume_ramp("v2", ramp(), &kept);
    resumed.expect("the same ramp");
    scene.serve(1_500, GOOD, GOOD).await;
    assert_eq!(scene.split.weight("v2"), Some(0.0));

    let scene = restarted(&scene);
    let other = Ramp::new([(5.0, seconds(30))]);
    scene
        .split
        .resume_ramp("v2", other, &kept)
        .expect("another ramp");
    assert_eq!(scene.split.weight("v2"), Some(5.0));
    assert_eq!(scene.last(), RampAction::Start);
}
