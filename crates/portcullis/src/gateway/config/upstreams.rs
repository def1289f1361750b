//! From a tree to upstreams: origins, and pools of targets.

use std::collections::BTreeMap;

use serde_json::Value;

use super::UpstreamConfig;
use super::again::Found;
use super::error::ConfigFault;
use super::reader::{Object, Reader};
use crate::client::{
    Balance, CircuitBreaker, Ejection, HealthCheck, HttpProtocol, Retries, Upstream,
    UpstreamPoolConfig, Upstreams,
};
use crate::definition::Pointer;
use crate::gateway::Destination;

const BALANCES: &[(&str, Balance)] = &[
    ("roundRobin", Balance::RoundRobin),
    ("leastLoaded", Balance::LeastLoaded),
];
const PROTOCOLS: &[(&str, HttpProtocol)] = &[
    ("auto", HttpProtocol::Auto),
    ("http1", HttpProtocol::Http1),
    ("http2", HttpProtocol::Http2),
];

/// A map whose values are origins or pools.
pub(super) fn upstreams(
    object: Object<'_>,
    name: &str,
    reader: &mut Reader,
) -> BTreeMap<String, UpstreamConfig> {
    let mut upstreams = BTreeMap::new();
    for (from, path, to) in reader.map(object, name) {
        // A link has a name, and everything else the origin that it stands for.
        if name == "upstreams"
            && let Err(error) = Upstreams::new([(from, "http://localhost")])
        {
            reader.fault(&path, error.to_string());
        }
        let read = match to {
            Value::String(origin) => {
                if let Err(error) = origin.parse::<Upstream>() {
                    reader.fault(&path, error.to_string());
                }
                Some(UpstreamConfig::Origin(origin.clone()))
            }
            Value::Object(_) => {
                let pool = reader.checked(to, &path, pool, check_pool);
                pool.map(UpstreamConfig::Pool)
            }
            _ => {
                let expected =
                    "must be an origin, like `http://127.0.0.1:9000`, or an object with `targets`";
                reader.fault(path, expected);
                None
            }
        };
        upstreams.extend(read.map(|upstream| (from.to_owned(), upstream)));
    }
    upstreams
}

fn pool(value: &Value, path: &str, reader: &mut Reader) -> Option<UpstreamPoolConfig> {
    const FIELDS: &[&str] = &[
        "targets",
        "balance",
        "protocol",
        "connectTimeoutInMillis",
        "responseTimeoutInMillis",
        "ejection",
        "health",
        "retries",
        "circuitBreaker",
        "failureStatuses",
    ];
    let object = reader.object(value, path, FIELDS)?;
    let mut pool = UpstreamPoolConfig::default();
    pool.targets = reader.texts(object, "targets");
    pool.balance = reader.word(object, "balance", BALANCES).unwrap_or_default();
    pool.protocol = reader
        .word(object, "protocol", PROTOCOLS)
        .unwrap_or_default();
    pool.connect_timeout_in_millis = reader.number(object, "connectTimeoutInMillis");
    pool.response_timeout_in_millis = reader.number(object, "responseTimeoutInMillis");
    if let Some(ejection) = object.get("ejection") {
        let path = object.at("ejection");
        set(&mut pool.ejection, self::ejection(ejection, &path, reader));
    }
    if let Some(health) = object.get("health") {
        pool.health = health_check(health, &object.at("health"), reader);
    }
    if let Some(retries) = object.get("retries") {
        let path = object.at("retries");
        set(&mut pool.retries, self::retries(retries, &path, reader));
    }
    if let Some(breaker) = object.get("circuitBreaker") {
        let path = object.at("circuitBreaker");
        pool.circuit_breaker = circuit_breaker(breaker, &path, reader);
    }
    if object.get("failureStatuses").is_some() {
        let statuses = reader.list(object, "failureStatuses");
        pool.failure_statuses = statuses
            .into_iter()
            .filter_map(|(path, status)| {
                let number = status.as_u64().and_then(|status| status.try_into().ok());
                if number.is_none() {
                    reader.fault(path, format!("{status} must be a status from 400 to 599"));
                }
                number
            })
            .collect();
    }
    Some(pool)
}

/// The first thing that is wrong with a pool whose fields are of the right kinds.
fn check_pool(pool: UpstreamPoolConfig) -> Result<(), Vec<Found>> {
    let checked = pool.into_builder().build();
    checked.map(|_| ()).map_err(|error| {
        let segments = error.field().split('/').skip(1);
        let field = segments.fold(Pointer::root(), |field, segment| field.child(segment));
        vec![(field, error.problem().to_owned())]
    })
}

fn ejection(value: &Value, path: &str, reader: &mut Reader) -> Option<Ejection> {
    let object = reader.object(value, path, &["failures", "forMillis", "maxPercent"])?;
    let mut ejection = Ejection::default();
    set(&mut ejection.failures, small(object, "failures", reader));
    set(&mut ejection.for_millis, reader.number(object, "forMillis"));
    set(
        &mut ejection.max_percent,
        small(object, "maxPercent", reader),
    );
    Some(ejection)
}

fn health_check(value: &Value, path: &str, reader: &mut Reader) -> Option<HealthCheck> {
    const FIELDS: &[&str] = &[
        "path",
        "intervalInMillis",
        "timeoutInMillis",
        "healthyThreshold",
        "unhealthyThreshold",
    ];
    let object = reader.object(value, path, FIELDS)?;
    let mut check = HealthCheck::default();
    set(
        &mut check.path,
        reader.text(object, "path").map(str::to_owned),
    );
    set(
        &mut check.interval_in_millis,
        reader.number(object, "intervalInMillis"),
    );
    set(
        &mut check.timeout_in_millis,
        reader.number(object, "timeoutInMillis"),
    );
    set(
        &mut check.healthy_threshold,
        small(object, "healthyThreshold", reader),
    );
    set(
        &mut check.unhealthy_threshold,
        small(object, "unhealthyThreshold", reader),
    );
    Some(check)
}

fn retries(value: &Value, path: &str, reader: &mut Reader) -> Option<Retries> {
    let object = reader.object(value, path, &["attempts", "budgetPercent", "minPerSecond"])?;
    let mut retries = Retries::default();
    set(&mut retries.attempts, small(object, "attempts", reader));
    set(
        &mut retries.budget_percent,
        small(object, "budgetPercent", reader),
    );
    set(
        &mut retries.min_per_second,
        small(object, "minPerSecond", reader),
    );
    Some(retries)
}

fn circuit_breaker(value: &Value, path: &str, reader: &mut Reader) -> Option<CircuitBreaker> {
    const FIELDS: &[&str] = &[
        "failurePercent",
        "minimumRequests",
        "windowInMillis",
        "openForMillis",
        "trials",
    ];
    let object = reader.object(value, path, FIELDS)?;
    let mut breaker = CircuitBreaker::default();
    set(
        &mut breaker.failure_percent,
        small(object, "failurePercent", reader),
    );
    set(
        &mut breaker.minimum_requests,
        small(object, "minimumRequests", reader),
    );
    set(
        &mut breaker.window_in_millis,
        reader.number(object, "windowInMillis"),
    );
    set(
        &mut breaker.open_for_millis,
        reader.number(object, "openForMillis"),
    );
    set(&mut breaker.trials, small(object, "trials", reader));
    Some(breaker)
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn small(object: Object<'_>, name: &str, reader: &mut Reader) -> Option<u32> {
    let number = reader.number(object, name)?;
    let small = u32::try_from(number).ok();
    if small.is_none() {
        reader.fault(object.at(name), format!("{number} is too large"));
    }
    small
}

impl UpstreamConfig {
    /// Where it leads. What is wrong with it goes to the faults, with its place under `path`.
    pub(super) fn destination(
        &self,
        path: &str,
        faults: &mut Vec<ConfigFault>,
    ) -> Option<Destination> {
        match self {
            Self::Origin(origin) => match origin.parse::<Upstream>() {
                Ok(_) => Some(origin.into()),
                Err(error) => {
                    faults.push(ConfigFault {
                        place: path.to_owned(),
                        message: error.to_string(),
                    });
                    None
                }
            },
            Self::Pool(pool) => match pool.clone().into_builder().build() {
                Ok(pool) => Some(pool.into()),
                Err(error) => {
                    faults.push(ConfigFault {
                        place: format!("{path}{}", error.field()),
                        message: error.problem().to_owned(),
                    });
                    None
                }
            },
        }
    }
}
