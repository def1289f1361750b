//! Authorizers that verify JSON Web Tokens: of HTTP APIs, of REST APIs, of Cognito user pools.

use std::sync::Arc;

use super::stage_pools::StagePools;
use super::{Authorizer, Issuers, Shared, identity};
use crate::auth::ConfigError;
use crate::auth::jwt::{Algorithm, Conduct, Issuer, JwtLayer, Verifier};
use crate::client::Client;
use crate::core::Clock;
use crate::definition::{self, HttpAuthorizer, JwtConfiguration, JwtIssuer};
use crate::stages::StageTemplate;

/// What HTTP APIs and user pools accept.
const RSA: [Algorithm; 3] = [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];
/// What a JWT authorizer of a REST API can be told to accept.
const REST: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::ES512,
];
const CONFIGURATION: &str = "jwtConfiguration";
const NO_AUDIENCE: &str = "there is none, so that no token would do";

pub(super) fn http(described: &HttpAuthorizer, shared: &Shared) -> Result<Authorizer, ConfigError> {
    let none = JwtConfiguration::default();
    let configuration = described.jwt_configuration.as_ref().unwrap_or(&none);
    let issuer = single(configuration, &RSA, shared)?;
    let layer = layer([issuer], shared).conduct(Conduct::HttpApi);
    identity::http(layer, &described.identity_source).map(Authorizer::Token)
}

pub(super) fn rest(
    described: &definition::Authorizer,
    shared: &Shared,
) -> Result<Authorizer, ConfigError> {
    let none = JwtConfiguration::default();
    let configuration = described.jwt_configuration.as_ref().unwrap_or(&none);
    let algorithms = algorithms(&configuration.default_algorithms)?;
    let issuers = if configuration.issuers.is_empty() {
        vec![single(configuration, &algorithms, shared)?]
    } else {
        let issuers = configuration.issuers.iter().enumerate();
        let issuers = issuers.map(|(index, issuer)| {
            let own = several(issuer, &algorithms, shared);
            own.map_err(|error| error.within(&format!("{CONFIGURATION}.issuers[{index}]")))
        });
        issuers.collect::<Result<_, _>>()?
    };
    let layer = layer(issuers, shared).conduct(Conduct::RestApi);
    identity::rest(layer, described.identity_source.as_deref()).map(Authorizer::Token)
}

pub(super) fn user_pools(
    described: &definition::Authorizer,
    shared: &Shared,
) -> Result<Authorizer, ConfigError> {
    let arns = described.provider_arns.iter().map(|arn| {
        StageTemplate::parse(arn.clone()).map_err(|error| {
            let fix = "write ${stageVariables.name}, with letters, digits and underscores";
            ConfigError::new("providerARNs", error.to_string(), fix)
        })
    });
    let arns: Vec<_> = arns.collect::<Result<_, _>>()?;
    if arns.iter().all(StageTemplate::is_literal) {
        let layer = pools(described, &described.provider_arns, &Pools::of(shared))?;
        return Ok(Authorizer::Token(layer));
    }
    // What does not depend on the stage is wrong in every one.
    let literal = arns.iter().filter(|arn| arn.is_literal());
    let literal: Vec<_> = literal.map(|arn| arn.as_str().to_owned()).collect();
    let around = Pools::of(shared);
    let _ = pools(described, &literal, &around)?;
    let described = described.clone();
    let make = move |arns: &[String]| {
        let made = pools(&described, arns, &around);
        made.inspect_err(|error| tracing::error!(%error, "the user pools of a stage"))
            .ok()
    };
    Ok(Authorizer::StagePools(StagePools::new(arns, make)))
}

/// What user pools need of what is around them.
struct Pools {
    issuers: Issuers,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl Pools {
    fn of(shared: &Shared) -> Self {
        Self {
            issuers: shared.issuers.clone(),
            client: shared.client.clone(),
            clock: Arc::clone(&shared.clock),
        }
    }
}

fn pools(
    described: &definition::Authorizer,
    arns: &[String],
    around: &Pools,
) -> Result<JwtLayer, ConfigError> {
    let mut issuers = Vec::new();
    for arn in arns {
        let pool = around
            .issuers
            .user_pool(arn, &around.client, &around.clock)?;
        let pool = pool.default_algorithms(RSA);
        // The service does not ask for which app client a token is.
        issuers.push(pool.dangerous_any_audience());
    }
    let verifier = Verifier::new(issuers);
    let layer = JwtLayer::new(verifier.shared_clock(Arc::clone(&around.clock)));
    let mut layer = layer.conduct(Conduct::UserPool);
    if let Some(expression) = &described.identity_validation_expression {
        layer = layer.identity_validation(expression)?;
    }
    identity::rest(layer, described.identity_source.as_deref())
}

fn layer(issuers: impl Into<Vec<Issuer>>, shared: &Shared) -> JwtLayer {
    let verifier = Verifier::new(issuers.into());
    JwtLayer::new(verifier.shared_clock(Arc::clone(&shared.clock)))
}

/// The one issuer of a configuration, with its audiences.
fn single(
    configuration: &JwtConfiguration,
    algorithms: &[Algorithm],
    shared: &Shared,
) -> Result<Issuer, ConfigError> {
    let name = configuration.issuer.as_deref().unwrap_or_default();
    let issuer = shared.issuers.issuer(name, &shared.client, &shared.clock);
    let issuer = issuer.map_err(|error| error.within(CONFIGURATION))?;
    if configuration.audience.is_empty() {
        let error = ConfigError::new("audience", NO_AUDIENCE, "name whom tokens must be for");
        return Err(error.within(CONFIGURATION));
    }
    let issuer = issuer.default_algorithms(algorithms.iter().copied());
    Ok(issuer.audiences(&configuration.audience))
}

/// One of several issuers.
fn several(
    described: &JwtIssuer,
    algorithms: &[Algorithm],
    shared: &Shared,
) -> Result<Issuer, ConfigError> {
    let name = described.issuer.as_str();
    let mut issuer = shared.issuers.issuer(name, &shared.client, &shared.clock)?;
    if described.audiences.is_empty() {
        let fix = "name whom tokens must be for";
        return Err(ConfigError::new("audiences", NO_AUDIENCE, fix));
    }
    for (index, claim) in described.additional_claims.iter().enumerate() {
        const OWN: [&str; 7] = ["iss", "aud", "exp", "nbf", "iat", "scope", "scp"];
        let name = claim.claim_name.as_str();
        let fault = |field: &str, problem: String, fix| {
            let field = format!("additionalClaims[{index}].{field}");
            ConfigError::new(field, problem, fix)
        };
        if name.is_empty() || OWN.contains(&name) {
            let problem = format!("`{name}` cannot be an additional claim");
            return Err(fault("claimName", problem, "name another claim"));
        }
        if let Some(format) = claim.format.as_deref()
            && format != "SINGLE_STRING"
        {
            let problem = format!("`{format}` is not a format");
            return Err(fault("format", problem, "write `SINGLE_STRING`"));
        }
        issuer = match (&*claim.expected_values, claim.required) {
            ([], true) => issuer.require_claim(name),
            // Its presence is not asked for, nor any text.
            ([], false) => issuer,
            ([text], true) => issuer.require_claim_value(name, text),
            ([text], false) => issuer.expect_claim_value(name, text),
            _ => {
                let problem = "there are several".to_owned();
                return Err(fault("expectedValues", problem, "give one value"));
            }
        };
    }
    let issuer = issuer.default_algorithms(algorithms.iter().copied());
    Ok(issuer.audiences(&described.audiences))
}

fn algorithms(names: &[String]) -> Result<Vec<Algorithm>, ConfigError> {
    let field = "jwtConfiguration.defaultAlgorithms";
    let fix = "list some of RS256, RS384, RS512, ES256, ES384, ES512";
    if names.is_empty() {
        return Err(ConfigError::new(field, "there is none", fix));
    }
    let known = |name: &String| {
        REST.iter()
            .copied()
            .find(|own| own.as_str() == name)
            .ok_or_else(|| ConfigError::new(field, format!("`{name}` is not served here"), fix))
    };
    names.iter().map(known).collect()
}
