//! The plain configuration, as a file has it.

use serde::Deserialize;

use super::balance::Balance;
use super::builder::UpstreamPoolBuilder;
use crate::client::HttpProtocol;

/// A pool as a configuration has it. Its builder has a method for each field.
///
/// ```
/// use portcullis_client::UpstreamPoolConfig;
///
/// let config: UpstreamPoolConfig = serde_json::from_str(r#"{
///     "targets": ["http://10.0.0.1:9000", "http://10.0.0.2:9000"],
///     "balance": "leastLoaded",
///     "health": { "path": "/healthz", "intervalInMillis": 5000 },
///     "circuitBreaker": {}
/// }"#)?;
/// let pool = config.into_builder().build()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct UpstreamPoolConfig {
    /// The origins that requests go to: `http://10.0.0.1:9000`. At least one.
    pub targets: Vec<String>,
    /// How one of them is chosen. Default: each in turn.
    pub balance: Balance,
    /// What is spoken with them. Default: HTTP/1.1 in the clear, and over TLS what they choose.
    pub protocol: HttpProtocol,
    /// How long name resolution, connection and handshake may take together. Default: 10 s.
    pub connect_timeout_in_millis: Option<u64>,
    /// How long one target may take until the head of its answer is there. Default: as long as the caller waits.
    pub response_timeout_in_millis: Option<u64>,
    /// When a target that fails gets no more requests.
    pub ejection: Ejection,
    /// Asks each target now and then whether it is well. Default: does not ask.
    pub health: Option<HealthCheck>,
    /// When a request is sent again.
    pub retries: Retries,
    /// When requests are answered at once instead of being sent. Default: never.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// The statuses that count as a failure of the target. Default: 502, 503 and 504.
    pub failure_statuses: Vec<u16>,
}

/// When a target that fails gets no more requests: the *passive* health checks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Ejection {
    /// After so many failures in a row. 0 ejects nothing. Default: 5.
    pub failures: u32,
    /// For how long. A target that fails first thing when it is back goes at once. Default: 30 s.
    pub for_millis: u64,
    /// How many of the targets may be ejected at the same time, as a percentage, rounded down. Default: 50.
    pub max_percent: u32,
}

/// Asks each target now and then whether it is well: the *active* health checks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct HealthCheck {
    /// What is asked for with `GET`; a status from 200 to 299 says that the target is well. Default: `/`.
    pub path: String,
    /// Between two checks of a target. Default: 10 s.
    pub interval_in_millis: u64,
    /// How long a check may take. Default: 2 s.
    pub timeout_in_millis: u64,
    /// After so many good checks in a row, a target that was not well gets requests again. Default: 2.
    pub healthy_threshold: u32,
    /// After so many bad checks in a row, a target gets no more requests. Default: 3.
    pub unhealthy_threshold: u32,
}

/// When a request is sent again: it has an idempotent method (`GET`, `HEAD`, `OPTIONS`, `PUT`, `DELETE`) and a body that is in
/// memory or absent, and no head of an answer has come.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Retries {
    /// How often one request is sent again at most; to another target where there is one. 0 retries nothing. Default: 2.
    pub attempts: u32,
    /// How many retries there may be for 100 requests, so that a fault is not made worse. Default: 20.
    pub budget_percent: u32,
    /// How many retries a second there may be beside those. Default: 10.
    pub min_per_second: u32,
}

/// When requests are answered at once instead of being sent.
///
/// Each target has a circuit. While it is open, the target gets no request; while those of all targets are, the pool answers at once. After
/// its time the circuit is half open: some requests try whether the target is back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CircuitBreaker {
    /// The circuit opens when so many of 100 requests failed. Default: 50.
    pub failure_percent: u32,
    /// It does not open before there were so many requests. Default: 10.
    pub minimum_requests: u32,
    /// The requests that count: those in a window as long as this, which begins with a failure. Default: 10 s.
    pub window_in_millis: u64,
    /// How long the circuit stays open. Default: 5 s.
    pub open_for_millis: u64,
    /// How many requests try whether the target is back; the circuit closes when all of them succeed, and opens when one fails.
    /// Default: 1.
    pub trials: u32,
}

impl UpstreamPoolConfig {
    /// A builder with all of this set.
    pub fn into_builder(self) -> UpstreamPoolBuilder {
        UpstreamPoolBuilder::from(self)
    }
}

impl HealthCheck {
    /// Asks for this path, and has the defaults else.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            ..Self::default()
        }
    }
}

impl Default for UpstreamPoolConfig {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            balance: Balance::default(),
            protocol: HttpProtocol::default(),
            connect_timeout_in_millis: None,
            response_timeout_in_millis: None,
            ejection: Ejection::default(),
            health: None,
            retries: Retries::default(),
            circuit_breaker: None,
            failure_statuses: vec![502, 503, 504],
        }
    }
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            failures: 5,
            for_millis: 30_000,
            max_percent: 50,
        }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            interval_in_millis: 10_000,
            timeout_in_millis: 2_000,
            healthy_threshold: 2,
            unhealthy_threshold: 3,
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 2,
            budget_percent: 20,
            min_per_second: 10,
        }
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            failure_percent: 50,
            minimum_requests: 10,
            window_in_millis: 10_000,
            open_for_millis: 5_000,
            trials: 1,
        }
    }
}
