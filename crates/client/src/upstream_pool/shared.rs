//! The state of a pool: its targets, and what is known of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use tokio::time::Instant;

use super::Checked;
use super::balance::Balancer;
use super::circuit::{Change, Entry};
use super::config::{CircuitBreaker, Ejection, HealthCheck, UpstreamPoolConfig};
use super::health::{Fitness, Health, Report};
use super::lease::Lease;
use super::member::Member;
use super::retry::Retrier;
use super::status::TargetStatus;
use crate::client::{Client, HttpProtocol};
use crate::error::{ClientError, ClientErrorKind};

/// What the handles of a pool, its requests and its health checks share.
#[derive(Debug)]
pub(super) struct Shared {
    members: Vec<Member>,
    balancer: Balancer,
    ejection: Ejection,
    breaker: Option<CircuitBreaker>,
    pub(super) retrier: Option<Retrier>,
    failure_statuses: Vec<u16>,
    transport: Client,
    /// How many targets have a history that a request has to ask about. As a rule none has, and none is asked.
    troubled: AtomicUsize,
    /// Held by whoever ejects, so that no two are the last that may.
    ejecting: Mutex<()>,
    /// Whether health checks are made.
    pub(super) probing: AtomicBool,
}

impl Shared {
    pub(super) fn new(checked: &Checked, config: &UpstreamPoolConfig, client: &Client) -> Self {
        Self {
            members: checked.targets.iter().cloned().map(Member::new).collect(),
            balancer: Balancer::new(config.balance),
            ejection: config.ejection.clone(),
            breaker: config.circuit_breaker.clone(),
            retrier: Retrier::new(&config.retries),
            failure_statuses: config.failure_statuses.clone(),
            transport: client.for_pool(config.protocol, checked.connect_timeout),
            troubled: AtomicUsize::new(0),
            ejecting: Mutex::new(()),
            probing: AtomicBool::new(false),
        }
    }

    /// How the members are at the moment.
    pub(super) fn status(&self) -> Vec<TargetStatus> {
        let now = Instant::now();
        let breaker = self.breaker.as_ref();
        let status = |member: &Member| TargetStatus {
            target: member.target().to_string(),
            is_available: member.health().fitness(breaker, now) == Fitness::Well,
            in_flight: member.in_flight(),
        };
        self.members.iter().map(status).collect()
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(super) fn transport(&self, verify: bool) -> Client {
        self.transport.verifying(verify)
    }

    pub(super) const fn protocol(&self) -> HttpProtocol {
        self.transport.protocol()
    }

    pub(super) fn is_failure(&self, status: StatusCode) -> bool {
        self.failure_statuses.contains(&status.as_u16())
    }

    /// Chooses a target that is well and has not been tried, or, failing that, the next best.
    ///
    /// # Errors
    ///
    /// If the circuits of all of them are open.
    pub(super) fn lease(
        self: &Arc<Self>,
        tried: &[usize],
        until: Option<Instant>,
    ) -> Result<Lease, ClientError> {
        if tried.is_empty() && self.is_quiet() {
            let index = self.choose(self.members.len(), |nth| nth);
            return Ok(Lease::new(Arc::clone(self), index, false, until));
        }
        self.lease_carefully(tried, until)
    }

    #[cold]
    fn lease_carefully(
        self: &Arc<Self>,
        tried: &[usize],
        until: Option<Instant>,
    ) -> Result<Lease, ClientError> {
        let now = Instant::now();
        let breaker = self.breaker.as_ref();
        // Between the look and the choice another request may have taken the last place at a target.
        for _ in 0..=self.members.len() {
            let candidates = self.candidates(tried, now);
            if candidates.is_empty() {
                break;
            }
            let index = self.choose(candidates.len(), |nth| candidates[nth]);
            match self.health(index, |health| health.enter(breaker, now)) {
                Entry::Shut => {}
                entry => {
                    let trial = entry == Entry::Trial;
                    return Ok(Lease::new(Arc::clone(self), index, trial, until));
                }
            }
        }
        let message = "the circuits of all targets are open";
        Err(ClientError::new(ClientErrorKind::CircuitOpen, message))
    }

    /// The best targets there are; none if all circuits are open.
    fn candidates(&self, tried: &[usize], now: Instant) -> Vec<usize> {
        let mut ranked = Vec::with_capacity(self.members.len());
        for index in 0..self.members.len() {
            let rank = match self.look(index, now) {
                Fitness::Well => 0,
                // Better than no answer at all.
                Fitness::Unwell => 2,
                Fitness::Shut => continue,
            };
            ranked.push((rank + u8::from(tried.contains(&index)), index));
        }
        let best = ranked.iter().map(|(rank, _)| *rank).min();
        let of_the_best = ranked.into_iter().filter(|(rank, _)| Some(*rank) == best);
        of_the_best.map(|(_, index)| index).collect()
    }

    fn look(&self, index: usize, now: Instant) -> Fitness {
        let (returned, fitness) = self.health(index, |health| {
            let returned = health.return_in_time(&self.ejection, now);
            (returned, health.fitness(self.breaker.as_ref(), now))
        });
        if returned {
            let target = self.members[index].target();
            tracing::info!(%target, "an ejected target is back");
        }
        fitness
    }

    fn choose(&self, count: usize, member: impl Fn(usize) -> usize) -> usize {
        let load = |nth| self.members[member(nth)].in_flight();
        member(
            self.balancer
                .choose(count, load, |below| fastrand::usize(..below)),
        )
    }

    fn is_quiet(&self) -> bool {
        self.troubled.load(Ordering::Acquire) == 0
    }

    /// Looks at the health of a target or changes it, and keeps count of those in trouble.
    fn health<R>(&self, index: usize, change: impl FnOnce(&mut Health) -> R) -> R {
        let mut health = self.members[index].health();
        let before = health.is_troubled();
        let result = change(&mut health);
        match (before, health.is_troubled()) {
            (false, true) => {
                self.troubled.fetch_add(1, Ordering::Release);
            }
            (true, false) => {
                self.troubled.fetch_sub(1, Ordering::Release);
            }
            _ => {}
        }
        result
    }

    /// The head of a good answer is there.
    pub(super) fn answered(&self, index: usize, report: Report) {
        if self.breaker.is_none() || self.is_quiet() {
            return;
        }
        let now = Instant::now();
        let breaker = self.breaker.as_ref();
        let change = self.health(index, |health| health.tell_circuit(breaker, report, now));
        self.tell(index, change);
    }

    /// A good answer has ended.
    pub(super) fn finished(&self, index: usize) {
        if !self.is_quiet() {
            self.health(index, Health::forgive);
        }
    }

    /// A request failed, or was answered with a status that is a failure.
    pub(super) fn failed(&self, index: usize, trial: bool) {
        let now = Instant::now();
        let report = Report {
            success: false,
            trial,
        };
        let breaker = self.breaker.as_ref();
        let (change, too_many) = self.health(index, |health| {
            let change = health.tell_circuit(breaker, report, now);
            (change, health.blame(&self.ejection))
        });
        self.tell(index, change);
        if too_many {
            self.eject(index, now);
        }
    }

    /// A trial came to nothing.
    pub(super) fn abandoned(&self, index: usize) {
        let breaker = self.breaker.as_ref();
        self.health(index, |health| {
            health.abandon_trial(breaker, Instant::now());
        });
    }

    fn eject(&self, index: usize, now: Instant) {
        let _only_one = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        let ejected = |member: &&Member| member.health().is_ejected(now);
        let ejected = self.members.iter().filter(ejected).count();
        let most = self.members.len() as u64 * u64::from(self.ejection.max_percent) / 100;
        let target = self.members[index].target();
        if ejected as u64 >= most {
            tracing::debug!(%target, "a target fails, and no more targets may be ejected");
            return;
        }
        self.health(index, |health| health.eject(&self.ejection, now));
        let millis = self.ejection.for_millis;
        tracing::warn!(%target, millis, "a target is ejected");
    }

    /// A health check went well or not.
    pub(super) fn checked(&self, index: usize, check: &HealthCheck, well: bool) {
        let changed = self.health(index, |health| health.checked(check, well));
        let target = self.members[index].target();
        match changed {
            Some(true) => tracing::info!(%target, "a target is well again, say its checks"),
            Some(false) => tracing::warn!(%target, "a target is not well, say its checks"),
            None => {}
        }
    }

    fn tell(&self, index: usize, change: Option<Change>) {
        let target = self.members[index].target();
        match change {
            Some(Change::Opened) => tracing::warn!(%target, "the circuit of a target is open"),
            Some(Change::Closed) => tracing::info!(%target, "the circuit of a target is closed"),
            None => {}
        }
    }
}
