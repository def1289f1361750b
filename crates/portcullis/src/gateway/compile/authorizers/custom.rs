//! Custom authorizers: functions that decide who may call.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::access::Access;
use super::{Authorizer, Notes, Shared};
use crate::auth::ConfigError;
use crate::auth::custom::{
    AuthorizerCache, CustomAuthorizerLayer, EventFormat, FunctionAuthorizer,
};
use crate::core::{FunctionError, FunctionErrorKind, Invocation, RequestContext};
use crate::definition::{self, AuthorizerType, HttpAuthorizer, Pointer};
use crate::gateway::api::{ApiSpec, Parity};
use crate::integrations::{FunctionTarget, FunctionUri};

/// What authorizers of one gateway keep. It stays when something is deployed, for authorizers that stay the same.
#[derive(Clone, Default)]
pub(in crate::gateway) struct AuthorizerCaches {
    caches: Arc<Mutex<BTreeMap<Place, AuthorizerCache>>>,
}

/// The id of an API, the name of an authorizer, and everything that its definition says.
type Place = (String, String, String);

impl AuthorizerCaches {
    fn of(&self, api: &str, name: &str, described: &impl Debug) -> AuthorizerCache {
        let place = (api.to_owned(), name.to_owned(), format!("{described:?}"));
        let mut caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        caches.entry(place).or_default().clone()
    }

    /// Forgets what the authorizers of an API keep for one of its stages.
    pub(in crate::gateway) fn flush(&self, api: &str, stage: &str) {
        let caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        for ((own, ..), cache) in &*caches {
            if own == api {
                cache.flush_stage(stage);
            }
        }
    }
}

/// What surrounds an authorizer.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) access: &'a Access,
    pub(super) spec: &'a ApiSpec,
    pub(super) shared: &'a Shared,
}

pub(super) fn rest(
    described: &definition::Authorizer,
    around: Surroundings<'_>,
    notes: &mut Notes<'_>,
) -> Result<Authorizer, ConfigError> {
    let format = match described.r#type {
        AuthorizerType::Token => EventFormat::Token,
        _ => EventFormat::Request,
    };
    let source = described.source.as_ref();
    let function = function(
        described.authorizer_uri.as_deref(),
        described.authorizer_credentials.as_deref(),
        (format, around.shared),
        (source, notes),
    )?;
    let mut layer = CustomAuthorizerLayer::from(function);
    let sources = described.identity_source.as_deref().unwrap_or_default();
    let sources: Vec<&str> = sources
        .split(',')
        .map(str::trim)
        .filter(|source| !source.is_empty())
        .collect();
    if format == EventFormat::Token && sources.len() > 1 {
        let problem = "a token stands in one place, and several are named";
        let fix = "name one header, such as `method.request.header.Authorization`";
        return Err(ConfigError::new("identitySource", problem, fix));
    }
    if format == EventFormat::Token {
        if let Some(expression) = &described.identity_validation_expression {
            layer = layer.identity_validation(expression)?;
        }
    } else {
        let note = "only authorizers of type TOKEN have one";
        notes.idle(source, "identityValidationExpression", note);
    }
    let ttl = described.authorizer_result_ttl_in_seconds;
    let cache = around
        .shared
        .authorizer_caches
        .of(&around.spec.id, &described.name, described);
    let layer = layer.cache(cache);
    finish(layer, &sources, ttl, around, (source, notes))
}

pub(super) fn http(
    described: &HttpAuthorizer,
    around: Surroundings<'_>,
    notes: &mut Notes<'_>,
) -> Result<Authorizer, ConfigError> {
    let simple_responses = described.enable_simple_responses;
    let format = match described.authorizer_payload_format_version.as_deref() {
        Some("1.0") if simple_responses => {
            let problem = "payload format 1.0 has no simple responses";
            let fix = "set `authorizerPayloadFormatVersion` to `2.0`";
            return Err(ConfigError::new("enableSimpleResponses", problem, fix));
        }
        Some("1.0") => EventFormat::HttpV1,
        Some("2.0") => EventFormat::HttpV2 { simple_responses },
        other => {
            let problem = match other {
                Some(version) => format!("`{version}` is no payload format"),
                None => "is missing".to_owned(),
            };
            let field = "authorizerPayloadFormatVersion";
            return Err(ConfigError::new(field, problem, "write `1.0` or `2.0`"));
        }
    };
    let source = described.source.as_ref();
    let function = function(
        described.authorizer_uri.as_deref(),
        described.authorizer_credentials_arn.as_deref(),
        (format, around.shared),
        (source, notes),
    )?;
    let sources: Vec<&str> = described
        .identity_source
        .iter()
        .map(String::as_str)
        .collect();
    let ttl = described.authorizer_result_ttl_in_seconds;
    let cache = around
        .shared
        .authorizer_caches
        .of(&around.spec.id, &described.name, described);
    let layer = CustomAuthorizerLayer::from(function).cache(cache);
    finish(layer, &sources, ttl, around, (source, notes))
}

fn finish(
    mut layer: CustomAuthorizerLayer,
    sources: &[&str],
    ttl: Option<u32>,
    around: Surroundings<'_>,
    (source, notes): (Option<&Pointer>, &mut Notes<'_>),
) -> Result<Authorizer, ConfigError> {
    if sources.is_empty() {
        let note = "there is no identity source, so that no answer is kept";
        notes.idle(source, "authorizerResultTtlInSeconds", note);
    } else {
        layer = layer.identity_sources(sources)?;
    }
    // The service's default.
    let ttl = Duration::from_secs(ttl.unwrap_or(300).into());
    let layer = layer
        .cache_for(ttl)
        .kept_policies_are_final(around.spec.parity == Parity::Strict)
        .access(around.access.authorizer())
        .clock(Arc::clone(&around.shared.clock));
    Ok(Authorizer::Custom(layer))
}

/// The function that is asked, by the address in the definition.
fn function(
    uri: Option<&str>,
    role: Option<&str>,
    (format, shared): (EventFormat, &Shared),
    (source, notes): (Option<&Pointer>, &mut Notes<'_>),
) -> Result<FunctionAuthorizer, ConfigError> {
    let uri = uri.unwrap_or_default();
    let Some(address) = FunctionUri::parse(uri) else {
        return Err(ConfigError::new(
            "authorizerUri",
            format!("`{uri}` is not the address of a function"),
            "give one such as `arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111111111111:function:auth/invocations`",
        ));
    };
    // An address with stage variables leads to a function of its own in each stage.
    if let Ok(FunctionTarget {
        name, qualifier, ..
    }) = address.resolve(&BTreeMap::new())
        && !shared.functions.contains(&name, qualifier.as_deref())
    {
        let note = "the function is not attached, and for AWS there are no credentials: methods that need it answer 500";
        notes.missing(source, "authorizerUri", note);
    }
    let role: Option<Arc<str>> = role.map(Into::into);
    let target = move |context: &RequestContext| {
        let none = BTreeMap::new();
        let variables = context.stage().map_or(&none, |stage| &stage.variables);
        let target = address.resolve(variables).map_err(|error| {
            FunctionError::new(FunctionErrorKind::NotFound).with_source(error.to_string())
        })?;
        let mut call = Invocation::new(target.name, Vec::new());
        call.qualifier = target.qualifier;
        call.arn = target.arn;
        call.role.clone_from(&role);
        Ok(call)
    };
    let functions = shared.functions.clone();
    Ok(FunctionAuthorizer::with_target(functions, format, target))
}
