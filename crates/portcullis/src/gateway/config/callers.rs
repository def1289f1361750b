//! Opaque tokens, and what integrations are told of callers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::error::ConfigFault;
use super::reader::{Object, Reader, join};
use crate::auth::ConfigError;
use crate::auth::caller_headers::CallerHeadersLayer;
use crate::auth::introspection::{Introspection, IntrospectionLayer};
use crate::definition::SecretValue;
use crate::gateway::ApiSpec;

/// Routes whose callers show opaque tokens, and who is asked about those (RFC 7662).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct IntrospectionConfig {
    /// The endpoint: an `https` address, or an `http` one on this machine.
    pub address: String,
    /// The id and the secret by which the gateway shows who asks.
    pub client: Option<(String, SecretValue)>,
    /// The token by which it does so instead.
    pub bearer_token: Option<SecretValue>,
    /// Whose tokens are taken. Default: whoever the endpoint knows.
    pub issuer: Option<String>,
    /// For whom tokens must be. Default: for anybody.
    pub audiences: Vec<String>,
    /// For how long an answer is kept. Default: a minute.
    pub keep_for: Option<Duration>,
    /// How long an answer may take. Default: two seconds.
    pub timeout: Option<Duration>,
    /// The routes, as their keys name them (`GET /pets/{id}`), with the scopes of which a token must have one.
    pub routes: BTreeMap<String, Vec<String>>,
}

pub(super) fn introspection(
    object: Object<'_>,
    reader: &mut Reader,
) -> Option<IntrospectionConfig> {
    const FIELDS: &[&str] = &[
        "address",
        "clientId",
        "clientSecret",
        "bearerToken",
        "issuer",
        "audiences",
        "keepForInMillis",
        "timeoutInMillis",
        "routes",
    ];
    let path = object.at("introspection");
    let own = reader.object(object.get("introspection")?, &path, FIELDS)?;
    let address = reader.needed(own, "address").map(str::to_owned);
    let id = reader.text(own, "clientId").map(str::to_owned);
    let secret = reader.text(own, "clientSecret").map(SecretValue::new);
    let bearer_token = reader.text(own, "bearerToken").map(SecretValue::new);
    let has = |name| own.get(name).is_some();
    let (has_id, has_secret) = (has("clientId"), has("clientSecret"));
    if has_id != has_secret {
        reader.fault(&path, "`clientId` and `clientSecret` need each other");
    }
    if has_id && has("bearerToken") {
        reader.fault(
            &path,
            "has both `clientId` and `bearerToken`; leave one out",
        );
    }
    let mut routes = BTreeMap::new();
    let written = reader.map(own, "routes");
    let none = written.is_empty();
    for (route, _, item) in written {
        let scopes = item.as_array().map(|scopes| {
            let scopes = scopes.iter();
            scopes
                .map(|scope| scope.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        match scopes.flatten() {
            Some(scopes) => {
                routes.insert(route.to_owned(), scopes);
            }
            None => {
                let place = join(&own.at("routes"), route);
                reader.fault(
                    place,
                    "must be a list of scopes, each a text; `[]` asks for none",
                );
            }
        }
    }
    if none {
        let message = "is missing; name the routes that ask for a token, each with its scopes: `GET /pets: [pets:read]`";
        reader.fault(own.at("routes"), message);
    }
    let mut millis = |name| reader.number(own, name).map(Duration::from_millis);
    let (keep_for, timeout) = (millis("keepForInMillis"), millis("timeoutInMillis"));
    let issuer = reader.text(own, "issuer").map(str::to_owned);
    let audiences = reader.texts(own, "audiences");
    let config = IntrospectionConfig {
        address: address?,
        client: id.zip(secret),
        bearer_token,
        issuer,
        audiences,
        keep_for,
        timeout,
        routes,
    };
    if let Err((field, error)) = config.build() {
        let message = format!("{}; {}", error.problem(), error.fix());
        reader.fault(own.at(field), message);
    }
    Some(config)
}

/// Names of headers, and the variables of `$context` whose values they have.
pub(super) fn caller_headers(object: Object<'_>, reader: &mut Reader) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (header, path, item) in reader.map(object, "callerHeaders") {
        match item {
            Value::String(variable) => {
                if let Err(error) = told(CallerHeadersLayer::new(), header, variable) {
                    reader.fault(path, format!("{}; {}", error.problem(), error.fix()));
                }
                headers.insert(header.to_owned(), variable.clone());
            }
            _ => reader.fault(
                path,
                "must be a variable of the context, such as `authorizer.claims.sub`",
            ),
        }
    }
    headers
}

impl IntrospectionConfig {
    /// Puts a guard before each of the routes. All of them keep the same answers.
    pub(super) fn guard(
        &self,
        mut spec: ApiSpec,
        place: &str,
        skip_auth: bool,
        faults: &mut Vec<ConfigFault>,
    ) -> ApiSpec {
        let asked = match self.build() {
            Ok(asked) => asked,
            Err((field, error)) => {
                faults.push(ConfigFault {
                    place: join(place, field),
                    message: format!("{}; {}", error.problem(), error.fix()),
                });
                return spec;
            }
        };
        if skip_auth {
            return spec;
        }
        let layer = IntrospectionLayer::new(asked);
        for (route, scopes) in &self.routes {
            spec = spec.guard(route, layer.clone().require_scopes(scopes));
        }
        spec
    }

    fn build(&self) -> Result<Introspection, (&'static str, ConfigError)> {
        let mut asked = Introspection::at(&self.address).map_err(|error| ("address", error))?;
        if let Some((id, secret)) = &self.client {
            asked = asked.client_credentials(id, secret.expose());
        }
        if let Some(token) = &self.bearer_token {
            let shown = asked.bearer_token(token.expose());
            asked = shown.map_err(|error| ("bearerToken", error))?;
        }
        if let Some(issuer) = &self.issuer {
            asked = asked.issuer(issuer);
        }
        if !self.audiences.is_empty() {
            asked = asked.audiences(&self.audiences);
        }
        if let Some(duration) = self.keep_for {
            asked = asked.keep_for(duration);
        }
        if let Some(duration) = self.timeout {
            asked = asked.timeout(duration);
        }
        Ok(asked)
    }
}

/// The layer that sets these headers.
pub(super) fn caller_layer(
    headers: &BTreeMap<String, String>,
    place: &str,
    faults: &mut Vec<ConfigFault>,
) -> Option<CallerHeadersLayer> {
    if headers.is_empty() {
        return None;
    }
    let mut layer = CallerHeadersLayer::new();
    for (header, variable) in headers {
        match told(layer.clone(), header, variable) {
            Ok(more) => layer = more,
            Err(error) => faults.push(ConfigFault {
                place: join(place, header),
                message: format!("{}; {}", error.problem(), error.fix()),
            }),
        }
    }
    Some(layer)
}

fn told(
    layer: CallerHeadersLayer,
    header: &str,
    variable: &str,
) -> Result<CallerHeadersLayer, ConfigError> {
    // As the token has it, a list say; the context has a text.
    match variable.strip_prefix("authorizer.claims.") {
        Some(claim) => layer.claim(header, claim),
        None => layer.variable(header, variable),
    }
}
