//! What each endpoint of the admin API does.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer;
use super::endpoints::Operation;
use crate::core::{Body, BoxError};
use crate::gateway::{GatewayHandle, HandleError, HandleErrorKind, NewDeployment};
use crate::throttle::Usage;

/// A request for one endpoint.
pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) parameters: Vec<String>,
    pub(super) query: String,
    pub(super) body: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Promotion {
    deployment_id: Option<String>,
    from_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Weight {
    percent_traffic: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Grant {
    remaining: u64,
}

/// Carries a request out. It may block.
pub(super) fn run(handle: &GatewayHandle, call: &Call) -> Response<Body> {
    let created = call.operation == Operation::CreateDeployment;
    match carry_out(handle, call) {
        Ok(Value::Null) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Ok(value) if created => answer::json(StatusCode::CREATED, &value),
        Ok(value) => answer::json(StatusCode::OK, &value),
        Err(error) => answer::error(&error),
    }
}

fn carry_out(handle: &GatewayHandle, call: &Call) -> Result<Value, HandleError> {
    let parameter = |index: usize| call.parameters.get(index).map_or("", String::as_str);
    let (api, second, third) = (parameter(0), parameter(1), parameter(2));
    let value = match call.operation {
        Operation::Apis => {
            let apis = handle.apis();
            let apis = apis.iter().map(|id| summary(handle, id));
            json!({ "items": apis.collect::<Result<Vec<_>, _>>()? })
        }
        Operation::Api => summary(handle, api)?,
        Operation::Deployments => json!({ "items": handle.deployments(api)? }),
        Operation::CreateDeployment => create(handle, api, call)?,
        Operation::Deployment => json!(handle.deployment(api, second)?),
        Operation::DeleteDeployment => {
            handle.delete_deployment(api, second)?;
            Value::Null
        }
        Operation::Diff => json!(handle.diff(api, second, third)?),
        Operation::Stages => json!({ "items": handle.stages(api)? }),
        Operation::Stage => json!(handle.stage(api, second)?),
        Operation::Promote => {
            let id = match read::<Promotion>(call)? {
                Promotion {
                    deployment_id: Some(id),
                    from_stage: None,
                } => id,
                Promotion {
                    deployment_id: None,
                    from_stage: Some(stage),
                } => handle.stage(api, &stage)?.deployment_id,
                _ => {
                    let message = "must have either `deploymentId` or `fromStage`";
                    return Err(invalid("body", message));
                }
            };
            handle.promote(api, second, &id)?;
            json!(handle.stage(api, second)?)
        }
        Operation::RollBack => {
            handle.roll_back(api, second)?;
            json!(handle.stage(api, second)?)
        }
        Operation::Variables => {
            let variables = variables(read(call)?)?;
            json!(handle.change_stage_variables(api, second, variables)?)
        }
        Operation::Canary => json!(handle.canary(api, second)?),
        Operation::SetCanary => json!(handle.set_canary(api, second, read(call)?)?),
        Operation::CanaryWeight => {
            let Weight { percent_traffic } = read(call)?;
            json!(handle.set_canary_weight(api, second, percent_traffic)?)
        }
        Operation::PromoteCanary => json!(handle.promote_canary(api, second)?),
        Operation::RollBackCanary => json!(handle.roll_back_canary(api, second)?),
        Operation::DisableCanary => json!(handle.disable_canary(api, second)?),
        Operation::FlushAuthorizers => {
            handle.flush_authorizers_cache(api, second)?;
            Value::Null
        }
        Operation::FlushCache => {
            let flushed = wait(handle.flush_stage_cache(api, second))?;
            json!({ "flushed": flushed })
        }
        Operation::Usage => usage(api, wait(handle.usage(api, second)))?,
        Operation::SetUsage => {
            let Grant { remaining } = read(call)?;
            usage(api, wait(handle.set_remaining(api, second, remaining)))?
        }
        Operation::Routes => {
            let routes = handle.routes();
            let routes = routes.iter().map(|route| {
                json!({
                    "api": route.api,
                    "method": route.method,
                    "path": route.path,
                    "integration": route.integration,
                })
            });
            json!({ "items": routes.collect::<Vec<_>>() })
        }
        Operation::Coverage => json!({ "items": *handle.coverage() }),
        Operation::Description => super::description::document(),
    };
    Ok(value)
}

/// Texts, and null for those that are to go.
fn variables(
    given: BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Option<String>>, HandleError> {
    let read = |(name, value)| match value {
        Value::String(text) => Ok((name, Some(text))),
        Value::Null => Ok((name, None)),
        other => {
            let message = format!("`{name}` is {other}; a variable is a text, and null removes it");
            Err(invalid("body", message))
        }
    };
    given.into_iter().map(read).collect()
}

fn summary(handle: &GatewayHandle, id: &str) -> Result<Value, HandleError> {
    Ok(json!({ "id": id, "stages": handle.stages(id)? }))
}

fn create(handle: &GatewayHandle, api: &str, call: &Call) -> Result<Value, HandleError> {
    let Ok(document) = String::from_utf8(call.body.to_vec()) else {
        return Err(invalid(
            "body",
            "must be a document in UTF-8, in JSON or YAML",
        ));
    };
    let mut deployment = NewDeployment::new(document);
    let mut stages = Vec::new();
    for pair in call.query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // As forms are written.
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8();
        let Ok(value) = value else {
            return Err(invalid(name, "must be UTF-8"));
        };
        match name {
            "stageName" => stages.push(value.into_owned()),
            "description" => deployment = deployment.description(value),
            _ => {
                let message = "there is no such parameter; there are: stageName, description";
                return Err(invalid(name, message));
            }
        }
    }
    let made = if stages.is_empty() {
        handle.create_deployment(api, deployment)
    } else if stages == ["*"] {
        handle.deploy(api, deployment)
    } else {
        let named = stages.into_iter();
        handle.deploy(api, named.fold(deployment, NewDeployment::stage))
    };
    Ok(json!(made?))
}

/// Waits for what may be in another process. This thread may block.
fn wait<F: Future>(answer: F) -> F::Output {
    tokio::runtime::Handle::current().block_on(answer)
}

fn usage(plan: &str, usage: Result<Option<Usage>, BoxError>) -> Result<Value, HandleError> {
    let usage = usage.map_err(|error| {
        let message = format!("the store of the shared limits: {error}");
        HandleError::new(HandleErrorKind::Store, "", "sharedLimits", message)
    })?;
    let usage = usage.ok_or_else(|| no_quota(plan))?;
    Ok(json!({
        "used": usage.used,
        "remaining": usage.remaining,
        "since": seconds(usage.since),
        "until": seconds(usage.until),
    }))
}

fn no_quota(plan: &str) -> HandleError {
    let message = format!("there is no usage plan `{plan}` with a quota");
    HandleError::new(HandleErrorKind::NotFound, "", "usagePlans", message)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn read<T: DeserializeOwned>(call: &Call) -> Result<T, HandleError> {
    serde_json::from_slice(&call.body).map_err(|error| invalid("body", error))
}

fn invalid(field: &str, message: impl std::fmt::Display) -> HandleError {
    HandleError::new(HandleErrorKind::Invalid, "", field, message)
}
