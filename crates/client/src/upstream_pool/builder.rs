//! From a configuration to a pool.

use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;

use super::balance::Balance;
use super::config::{CircuitBreaker, Ejection, HealthCheck, Retries, UpstreamPoolConfig};
use super::{Checked, UpstreamPool};
use crate::client::{Client, HttpProtocol};
use crate::upstreams::{NOT_AN_ORIGIN, Target};

/// Builds an [`UpstreamPool`]; [`UpstreamPool::builder`] begins one.
#[derive(Clone, Debug)]
#[must_use]
pub struct UpstreamPoolBuilder {
    config: UpstreamPoolConfig,
    client: Option<Client>,
}

/// What is wrong with the description of a pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct UpstreamPoolError {
    field: String,
    problem: String,
}

impl UpstreamPoolError {
    fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }

    /// The field, as a JSON pointer into an [`UpstreamPoolConfig`]: `/targets/0`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it, and what would be right.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl From<UpstreamPoolConfig> for UpstreamPoolBuilder {
    fn from(config: UpstreamPoolConfig) -> Self {
        Self {
            config,
            client: None,
        }
    }
}

impl UpstreamPoolBuilder {
    /// Adds an origin that requests go to: `http://10.0.0.1:9000`.
    pub fn target(mut self, origin: impl Into<String>) -> Self {
        self.config.targets.push(origin.into());
        self
    }

    /// Adds several.
    pub fn targets<T: Into<String>>(mut self, origins: impl IntoIterator<Item = T>) -> Self {
        let origins = origins.into_iter().map(Into::into);
        self.config.targets.extend(origins);
        self
    }

    /// How one of the targets is chosen. The default is each in turn.
    pub const fn balance(mut self, balance: Balance) -> Self {
        self.config.balance = balance;
        self
    }

    /// What is spoken with the targets. The default is HTTP/1.1 in the clear, and over TLS what they choose.
    pub const fn protocol(mut self, protocol: HttpProtocol) -> Self {
        self.config.protocol = protocol;
        self
    }

    /// How long name resolution, connection and handshake may take together. The default is 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout_in_millis = Some(millis(timeout));
        self
    }

    /// How long one target may take until the head of its answer is there. The default is as long as the caller waits.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.config.response_timeout_in_millis = Some(millis(timeout));
        self
    }

    /// When a target that fails gets no more requests.
    pub fn ejection(mut self, ejection: Ejection) -> Self {
        self.config.ejection = ejection;
        self
    }

    /// Asks each target now and then whether it is well. By default nothing is asked.
    pub fn health_check(mut self, check: HealthCheck) -> Self {
        self.config.health = Some(check);
        self
    }

    /// When a request is sent again.
    pub fn retries(mut self, retries: Retries) -> Self {
        self.config.retries = retries;
        self
    }

    /// When requests are answered at once instead of being sent. By default they are always sent.
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.config.circuit_breaker = Some(breaker);
        self
    }

    /// The statuses that count as a failure of the target, instead of 502, 503 and 504.
    pub fn failure_statuses(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.config.failure_statuses = statuses.into_iter().collect();
        self
    }

    /// Believes the authorities that this client believes, and keeps connections as it does. Its upstream overrides do not count here.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Builds the pool. Nothing is connected yet. Health checks begin here in a runtime, and elsewhere with the first request.
    ///
    /// # Errors
    ///
    /// If a field has a value that it cannot have. The error names it.
    pub fn build(self) -> Result<UpstreamPool, UpstreamPoolError> {
        let checked = check(&self.config)?;
        Ok(UpstreamPool::from_checked(
            checked,
            self.config,
            self.client,
        ))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn check(config: &UpstreamPoolConfig) -> Result<Checked, UpstreamPoolError> {
    let positive = |field: &str, value: u64| {
        if value == 0 {
            return Err(UpstreamPoolError::new(field, "must be more than 0"));
        }
        Ok(Duration::from_millis(value))
    };
    let timeout = |field: &str, value: Option<u64>| match value {
        Some(value) => positive(field, value).map(Some),
        None => Ok(None),
    };
    check_ejection(&config.ejection)?;
    check_retries(&config.retries)?;
    for (index, status) in config.failure_statuses.iter().enumerate() {
        if !(400..600).contains(status) {
            let field = format!("/failureStatuses/{index}");
            return Err(UpstreamPoolError::new(field, "must be from 400 to 599"));
        }
    }
    if let Some(breaker) = &config.circuit_breaker {
        let least = |name: &str, value: u64| positive(&format!("/circuitBreaker/{name}"), value);
        if !(1..=100).contains(&breaker.failure_percent) {
            return Err(UpstreamPoolError::new(
                "/circuitBreaker/failurePercent",
                "must be from 1 to 100",
            ));
        }
        least("minimumRequests", breaker.minimum_requests.into())?;
        least("windowInMillis", breaker.window_in_millis)?;
        least("openForMillis", breaker.open_for_millis)?;
        least("trials", breaker.trials.into())?;
    }
    Ok(Checked {
        targets: check_targets(&config.targets)?,
        connect_timeout: timeout("/connectTimeoutInMillis", config.connect_timeout_in_millis)?,
        response_timeout: timeout(
            "/responseTimeoutInMillis",
            config.response_timeout_in_millis,
        )?,
        check_path: config.health.as_ref().map(check_health).transpose()?,
    })
}

fn check_targets(targets: &[String]) -> Result<Vec<Target>, UpstreamPoolError> {
    if targets.is_empty() {
        return Err(UpstreamPoolError::new(
            "/targets",
            "is empty; a pool needs at least one origin, such as `http://10.0.0.1:9000`",
        ));
    }
    let mut checked: Vec<Target> = Vec::with_capacity(targets.len());
    for (index, text) in targets.iter().enumerate() {
        let fault = |problem: &str| {
            UpstreamPoolError::new(format!("/targets/{index}"), format!("`{text}` {problem}"))
        };
        let target = Target::parse(text).ok_or_else(|| fault(NOT_AN_ORIGIN))?;
        if checked.contains(&target) {
            return Err(fault("is there twice"));
        }
        checked.push(target);
    }
    Ok(checked)
}

fn check_ejection(ejection: &Ejection) -> Result<(), UpstreamPoolError> {
    if ejection.max_percent > 100 {
        let field = "/ejection/maxPercent";
        return Err(UpstreamPoolError::new(field, "must be from 0 to 100"));
    }
    if ejection.failures > 0 && ejection.for_millis == 0 {
        let problem = "must be more than 0; to eject nothing, set `failures` to 0";
        return Err(UpstreamPoolError::new("/ejection/forMillis", problem));
    }
    Ok(())
}

fn check_retries(retries: &Retries) -> Result<(), UpstreamPoolError> {
    if retries.attempts > 10 {
        return Err(UpstreamPoolError::new(
            "/retries/attempts",
            "must be from 0 to 10",
        ));
    }
    if retries.budget_percent > 1000 {
        return Err(UpstreamPoolError::new(
            "/retries/budgetPercent",
            "must be from 0 to 1000",
        ));
    }
    if retries.min_per_second > 1_000_000 {
        return Err(UpstreamPoolError::new(
            "/retries/minPerSecond",
            "must be from 0 to 1000000",
        ));
    }
    Ok(())
}

fn check_health(health: &HealthCheck) -> Result<PathAndQuery, UpstreamPoolError> {
    let fault =
        |name: &str, problem: &str| Err(UpstreamPoolError::new(format!("/health/{name}"), problem));
    if health.interval_in_millis == 0 {
        return fault("intervalInMillis", "must be more than 0");
    }
    if health.timeout_in_millis == 0 {
        return fault("timeoutInMillis", "must be more than 0");
    }
    if health.healthy_threshold == 0 {
        return fault("healthyThreshold", "must be more than 0");
    }
    if health.unhealthy_threshold == 0 {
        return fault("unhealthyThreshold", "must be more than 0");
    }
    let uri = health.path.parse::<Uri>().ok();
    let path = uri.filter(|_| health.path.starts_with('/'));
    match path.and_then(|uri| uri.path_and_query().cloned()) {
        Some(path) => Ok(path),
        None => fault("path", "must be a path such as `/healthz`"),
    }
}
