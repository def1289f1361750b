//! The service's quotas, which are no limits of ours: what is over one is said, and is an error under strict parity.

use crate::definition::{Api, HttpApi, RestApi};
use crate::gateway::api::{ApiSpec, Parity};
use crate::gateway::error::GatewayFault;

/// How many of something an API has.
struct Count {
    place: &'static str,
    what: &'static str,
    count: usize,
    quota: usize,
}

pub(super) fn check(spec: &ApiSpec, api: &Api, faults: &mut Vec<GatewayFault>) {
    let mut counts = match api {
        Api::Rest(api) => rest(api),
        Api::Http(api) => http(api),
    };
    counts.push(Count {
        place: "stages",
        what: "stages",
        count: spec.stages.len(),
        quota: 10,
    });
    for Count {
        place,
        what,
        count,
        quota,
    } in counts
    {
        if count <= quota {
            continue;
        }
        let message = format!("there are {count} {what}; the service allows {quota}");
        if spec.parity == Parity::Strict {
            faults.push(GatewayFault::new(&spec.id, place, message));
        } else {
            tracing::warn!(api = spec.id, place, message, "over a quota of the service");
        }
    }
}

fn rest(api: &RestApi) -> Vec<Count> {
    let policy = api.policy.as_ref();
    let models = api
        .models
        .iter()
        .map(|model| model.schema.as_ref().map_or(0, String::len));
    vec![
        Count {
            place: "/paths",
            what: "resources",
            count: api.resources.len(),
            quota: 300,
        },
        Count {
            place: "authorizers",
            what: "authorizers",
            count: api.authorizers.len(),
            quota: 10,
        },
        Count {
            place: "/x-amazon-apigateway-policy",
            what: "characters in the policy",
            count: policy.map_or(0, |policy| policy.as_value().to_string().chars().count()),
            quota: 8192,
        },
        Count {
            place: "models",
            what: "bytes of models",
            count: models.sum(),
            quota: 400 * 1024,
        },
    ]
}

fn http(api: &HttpApi) -> Vec<Count> {
    vec![
        Count {
            place: "/paths",
            what: "routes",
            count: api.routes.len(),
            quota: 300,
        },
        Count {
            place: "/paths",
            what: "integrations",
            count: api.integrations.len(),
            quota: 300,
        },
        Count {
            place: "authorizers",
            what: "authorizers",
            count: api.authorizers.len(),
            quota: 10,
        },
    ]
}
