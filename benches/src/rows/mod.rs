//! The rows, a file for each layer.

mod api_key;
#[cfg(feature = "auth-peers")]
mod auth_peers;
pub(crate) mod cache;
mod canary;
mod cors;
mod gateway;
mod guard;
mod iam;
mod jwt;
mod live;
mod mapping;
mod observe;
mod request_id;
mod routing;
mod sigv4;
mod stages;
pub(crate) mod surroundings;
pub(crate) mod throttle;
mod validation;

use crate::row::Case;

/// Every case, in the order in which they are printed.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(guard::cases());
    cases.extend(cors::cases());
    cases.extend(cache::cases());
    cases.extend(canary::cases());
    cases.extend(stages::cases());
    cases.extend(routing::cases());
    cases.extend(request_id::cases());
    cases.extend(live::cases());
    cases.extend(mapping::cases());
    cases.extend(gateway::cases());
    cases.extend(validation::cases());
    cases.extend(sigv4::cases());
    cases.extend(iam::cases());
    cases.extend(jwt::cases());
    cases.extend(api_key::cases());
    cases.extend(observe::cases());
    cases.extend(throttle::cases());
    cases
}
