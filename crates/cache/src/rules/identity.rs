//! Who a response is for, once anybody has found out who asks.

use portcullis_core::{Detail, RequestContext};
use serde_json::Value;

use crate::key::KeyBuilder;

/// What layers have found out of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Nothing,
    Something,
    /// What a custom authorizer said, and nobody else.
    ByAuthorizer,
}

/// Writes who asks, as far as layers have found out, and says whether any has.
///
/// All that is known of the caller counts, but for what changes with every token: two callers are one only if an origin cannot tell them apart by what
/// it is told of them.
pub(crate) fn write(context: Option<&RequestContext>, key: &mut KeyBuilder) -> Known {
    let Some(context) = context else {
        // The same as where nothing is known.
        for _ in 0..GROUPS {
            key.absent();
        }
        return Known::Nothing;
    };
    let mut known = false;
    let mut fact = |key: &mut KeyBuilder, name: &str, value: &str| {
        known = true;
        key.part(name.as_bytes());
        key.part(value.as_bytes());
    };
    if let Some(claims) = context.claims() {
        fact(key, "claims", "");
        for (name, value) in claims.values() {
            if OF_ONE_TOKEN.contains(&name.as_str()) {
                continue;
            }
            match value {
                // Its kind is part of the name, so that the text `1` is not the number.
                Value::String(value) => fact(key, name, value),
                value => {
                    key.part(b"json");
                    fact(key, name, &value.to_string());
                }
            }
        }
    }
    // Each group ends, so that no claim is taken for what another layer found out.
    key.absent();
    if let Some(api_key) = context.api_key() {
        fact(key, "apiKeyId", api_key.id().as_str());
    }
    key.absent();
    let identity = context.identity();
    let members = [
        ("accountId", &identity.account_id),
        ("caller", &identity.caller),
        ("user", &identity.user),
        ("userArn", &identity.user_arn),
        ("accessKey", &identity.access_key),
        ("principalOrgId", &identity.principal_org_id),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            fact(key, name, value);
        }
    }
    for (name, value) in &identity.other {
        fact(key, name, value);
    }
    key.absent();
    let others = known;
    let mut fact = |key: &mut KeyBuilder, name: &str, value: &str| {
        known = true;
        key.part(name.as_bytes());
        key.part(value.as_bytes());
    };
    if let Some(principal) = context.noted(Detail::AuthorizerPrincipalId) {
        fact(key, "principalId", &principal);
    }
    key.absent();
    let authorizer = context.authorizer();
    if !authorizer.is_empty() {
        fact(key, "authorizer", "");
        for (name, value) in &authorizer {
            if name != "integrationLatency" {
                fact(key, name, &value.to_string());
            }
        }
    }
    key.absent();
    let by_authorizer = known && !others;
    if let Some(certificate) = context.client_certificate() {
        known = true;
        key.part(b"clientCertificate");
        key.part(certificate.pem.as_bytes());
    }
    key.absent();
    match known {
        false => Known::Nothing,
        true if by_authorizer => Known::ByAuthorizer,
        true => Known::Something,
    }
}

/// Each is ended by an absent part.
const GROUPS: usize = 6;

/// Claims that differ between two tokens of one bearer.
const OF_ONE_TOKEN: [&str; 8] = [
    "exp",
    "iat",
    "nbf",
    "jti",
    "auth_time",
    "at_hash",
    "origin_jti",
    "event_id",
];
