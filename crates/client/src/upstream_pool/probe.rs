//! Asks each target now and then whether it is well.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{Method, Request};
use portcullis_core::Body;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::config::HealthCheck;
use super::shared::Shared;

/// Checks all targets, again and again. It ends with whoever holds the task.
pub(super) async fn run(running: Running, check: HealthCheck, path: PathAndQuery) {
    let shared = &running.0;
    let mut ticks = tokio::time::interval(Duration::from_millis(check.interval_in_millis));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let timeout = Duration::from_millis(check.timeout_in_millis);
    loop {
        ticks.tick().await;
        // Dropped with this task, and its checks with it.
        let mut checks = JoinSet::new();
        for index in 0..shared.members().len() {
            let (shared, path) = (Arc::clone(shared), path.clone());
            checks.spawn(async move { (index, is_well(&shared, index, path, timeout).await) });
        }
        while let Some(checked) = checks.join_next().await {
            if let Ok((index, well)) = checked {
                shared.checked(index, &check, well);
            }
        }
    }
}

async fn is_well(shared: &Shared, index: usize, path: PathAndQuery, timeout: Duration) -> bool {
    let Ok(uri) = shared.members()[index].target().at(path) else {
        return false;
    };
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    let sent = shared.transport(true).send_direct(request, false);
    match tokio::time::timeout(timeout, sent).await {
        Ok(Ok(response)) => response.status().is_success(),
        Ok(Err(_)) | Err(_) => false,
    }
}

/// Says that checks are made, until they end: a pool may outlive the runtime in which they began.
pub(super) struct Running(Arc<Shared>);

impl Running {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.probing.store(false, Ordering::Relaxed);
    }
}
