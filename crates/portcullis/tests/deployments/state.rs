//! What operators did outlives restarts, crashes and bad files.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use portcullis::{
    Gateway, GatewayBuilder, HandleErrorKind, NewDeployment, StateError, StateStore, StoredState,
};

use super::{get, release, shop, text};

fn source(file: &Path, number: u32) -> GatewayBuilder {
    let api = shop(release(number))
        .stage_named("prod")
        .stage_named("test");
    Gateway::builder().api(api).state_file(file)
}

fn start(file: &Path, number: u32) -> Gateway {
    source(file, number).build().expect("a gateway")
}

#[tokio::test]
async fn after_a_restart_the_state_wins_and_a_changed_definition_is_a_new_deployment() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    let gateway = start(&file, 1);
    let handle = gateway.handle();
    let two = NewDeployment::new(release(2))
        .description("two")
        .stage("prod");
    let two = handle.deploy("shop", two).expect("a good definition");
    handle
        .set_stage_variables("shop", "prod", [("a", "1")])
        .expect("a good value");
    drop((gateway, handle));

    let gateway = start(&file, 1);
    let handle = gateway.handle();
    assert_eq!(text(&gateway, "/prod/release").await, "2");
    assert_eq!(text(&gateway, "/test/release").await, "1");
    assert_eq!(
        handle.stage("shop", "prod").expect("a stage").variables["a"],
        "1"
    );
    let kept = handle.deployment("shop", &two.id).expect("it is kept");
    assert_eq!(kept.description.as_deref(), Some("two"));
    drop((gateway, handle));

    let gateway = start(&file, 3);
    let handle = gateway.handle();
    assert_eq!(text(&gateway, "/prod/release").await, "3");
    assert_eq!(handle.deployments("shop").expect("an API").len(), 3);
    handle.roll_back("shop", "prod").expect("it served two");
    assert_eq!(text(&gateway, "/prod/release").await, "2");
    drop((gateway, handle));

    let gateway = source(&file, 3)
        .reset_state(true)
        .build()
        .expect("a gateway");
    assert_eq!(text(&gateway, "/prod/release").await, "3");
    assert_eq!(
        gateway.handle().deployments("shop").expect("an API").len(),
        1
    );
    drop(gateway);
    assert_eq!(text(&start(&file, 3), "/prod/release").await, "3");
}

#[tokio::test]
async fn a_stage_that_is_gone_is_forgotten_and_one_that_is_new_serves_the_definition() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    let handle = start(&file, 1).handle();
    let two = NewDeployment::new(release(2)).stage("prod").stage("test");
    handle.deploy("shop", two).expect("a good definition");
    drop(handle);
    let api = shop(release(1)).stage_named("prod").stage_named("next");
    let gateway = Gateway::builder()
        .api(api)
        .state_file(&file)
        .build()
        .expect("a gateway");
    assert_eq!(text(&gateway, "/prod/release").await, "2");
    assert_eq!(text(&gateway, "/next/release").await, "1");
    assert_eq!(get(&gateway, "/test/release").await.0, 403);
}

/// Deploys twice, so that there is a state, and one before it.
async fn two_states(file: &Path) {
    let gateway = start(file, 1);
    let handle = gateway.handle();
    for number in [2, 3] {
        handle
            .deploy("shop", release(number))
            .expect("a good definition");
    }
    assert_eq!(text(&gateway, "/prod/release").await, "3");
}

#[tokio::test]
async fn a_file_that_is_not_whole_gives_way_to_the_state_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    two_states(&file).await;
    let whole = fs::read(&file).expect("it was written");
    let before =
        fs::read(folder.path().join("gateway.state.before")).expect("so was the one before");
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let mut bad = vec![flipped, Vec::new()];
    bad.extend([10, 80, 200, whole.len() - 1].map(|length| whole[..length].to_vec()));
    for bad in bad {
        fs::write(&file, &bad).expect("a file");
        fs::write(folder.path().join("gateway.state.before"), &before).expect("a file");
        let gateway = start(&file, 1);
        assert_eq!(
            text(&gateway, "/prod/release").await,
            "2",
            "{} bytes",
            bad.len()
        );
        // The next change mends it.
        gateway
            .handle()
            .deploy("shop", release(4))
            .expect("a good definition");
        drop(gateway);
        assert_eq!(text(&start(&file, 1), "/prod/release").await, "4");
    }
}

#[tokio::test]
async fn a_document_that_is_not_whole_gives_way_to_the_state_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    two_states(&file).await;
    let documents = fs::read_dir(folder.path().join("gateway.state.documents"));
    for entry in documents.expect("a folder") {
        let path = entry.expect("an entry").path();
        if fs::read_to_string(&path).expect("text") == release(3) {
            fs::write(&path, &release(3)[..50]).expect("a file");
        }
    }
    assert_eq!(text(&start(&file, 1), "/prod/release").await, "2");
}

#[test]
fn without_any_whole_state_a_gateway_does_not_start_and_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    fs::write(&file, "portcullis-state half").expect("a file");
    let error = source(&file, 1)
        .build()
        .expect_err("it forgets nothing silently");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("state {}: it is not whole", file.display())),
        "{text}"
    );
    assert!(
        text.ends_with("restore the file, or start without (`reset_state`)"),
        "{text}"
    );
    source(&file, 1)
        .reset_state(true)
        .build()
        .expect("it forgets when it is told to");

    let nowhere = folder.path().join("missing/gateway.state");
    let text = source(&nowhere, 1)
        .build()
        .expect_err("there is no folder")
        .to_string();
    assert!(
        text.contains("the folder") && text.ends_with("make it"),
        "{text}"
    );
}

#[test]
fn two_processes_with_one_file_do_not_write_over_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    let (one, other) = (start(&file, 1), start(&file, 1));
    one.handle()
        .deploy("shop", release(2))
        .expect("it is the first");
    let error = other
        .handle()
        .deploy("shop", release(3))
        .expect_err("it is not");
    assert_eq!(error.kind(), HandleErrorKind::Store);
    assert!(
        error
            .to_string()
            .contains("give each gateway a file of its own"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    start(&file, 1);
    let mode = fs::metadata(&file)
        .expect("it was written")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn documents_that_no_state_names_are_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    let gateway = source(&file, 0)
        .kept_deployments(2)
        .build()
        .expect("a gateway");
    for number in 1..=10 {
        gateway
            .handle()
            .deploy("shop", release(number))
            .expect("a good definition");
    }
    let documents = fs::read_dir(folder.path().join("gateway.state.documents"));
    let count = documents.expect("a folder").count();
    assert!(
        count <= 4,
        "those of two states of two deployments, and not {count}"
    );
}

/// A store on a disk that can be full.
#[derive(Default)]
struct Disk {
    full: Arc<AtomicBool>,
    kept: Mutex<Option<StoredState>>,
}

impl StateStore for Disk {
    fn load(&self) -> Result<Option<StoredState>, StateError> {
        Ok(self.kept.lock().expect("nothing panics in here").clone())
    }

    fn save(&self, state: &StoredState) -> Result<(), StateError> {
        if self.full.load(Ordering::Relaxed) {
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(StateError::new("it cannot be written").with_source(full));
        }
        *self.kept.lock().expect("nothing panics in here") = Some(state.clone());
        Ok(())
    }
}

#[tokio::test]
async fn a_full_disk_is_the_operators_error_and_no_requests() {
    let disk = Disk::default();
    let full = Arc::clone(&disk.full);
    let gateway = Gateway::builder()
        .api(shop(release(1)).stage_named("prod"))
        .state_store(disk)
        .build()
        .expect("a gateway");
    let handle = gateway.handle();
    full.store(true, Ordering::Relaxed);
    let error = handle
        .deploy("shop", release(2))
        .expect_err("the disk is full");
    assert_eq!(error.kind(), HandleErrorKind::Store);
    assert_eq!(
        error.to_string(),
        "state: it cannot be written: no storage space; nothing was changed"
    );
    assert_eq!(text(&gateway, "/prod/release").await, "1");
    assert_eq!(handle.deployments("shop").expect("an API").len(), 1);
    full.store(false, Ordering::Relaxed);
    handle.deploy("shop", release(2)).expect("there is room");
    assert_eq!(text(&gateway, "/prod/release").await, "2");
}

#[tokio::test]
async fn a_folder_that_vanishes_is_the_operators_error_and_no_requests() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = start(&folder.path().join("gateway.state"), 1);
    drop(folder);
    let error = gateway
        .handle()
        .deploy("shop", release(2))
        .expect_err("there is no folder");
    assert_eq!(error.kind(), HandleErrorKind::Store);
    assert_eq!(text(&gateway, "/prod/release").await, "1");
}

/// The process of the next test: deploys without end, and says each release when it is served.
const CHILD: &str = "PORTCULLIS_TEST_STATE";

#[test]
fn a_process_that_is_killed_while_it_deploys_serves_the_last_whole_deployment_after_a_restart() {
    if let Some(file) = std::env::var_os(CHILD) {
        return deploy_without_end(Path::new(&file));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut last = 1;
    for round in 0..8 {
        let program = std::env::current_exe().expect("this very program");
        let mut child = Command::new(program)
            .args(["--exact", "--nocapture"])
            .arg("state::a_process_that_is_killed_while_it_deploys_serves_the_last_whole_deployment_after_a_restart")
            .env(CHILD, &file)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("an output"));
        let told = output.lines().map_while(Result::ok).filter_map(|line| {
            let number = line.strip_prefix("serving ")?;
            number.parse::<u32>().ok()
        });
        // Later in each round, and with what was on its way in the pipe.
        let mut told = told;
        for _ in 0..=round * 2 {
            last = told.next().expect("it deploys");
        }
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        last = told.last().unwrap_or(last);

        let served = runtime.block_on(text(&start(&file, 1), "/prod/release"));
        let served: u32 = served.parse().expect("a release, whole");
        // One may have been made whose line was not written.
        assert!(
            served == last || served == last + 1,
            "told {last}, served {served}"
        );
        last = served;
    }
}

fn deploy_without_end(file: &Path) {
    let gateway = start(file, 1);
    let handle = gateway.handle();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let first = runtime.block_on(text(&gateway, "/prod/release"));
    let first: u32 = first.parse().expect("a release");
    println!();
    for number in first + 1..first + 10_000 {
        handle
            .deploy("shop", release(number))
            .expect("a good definition");
        let mut out = std::io::stdout().lock();
        let told = writeln!(out, "serving {number}").and_then(|()| out.flush());
        // Nobody listens any more, or never did.
        if told.is_err() {
            return;
        }
    }
}
