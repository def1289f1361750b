//! What is wrong within one object is told at once, each with its place, what stands there and what would do.

use portcullis::{ConfigFormat, GatewayConfig};

use crate::{faults, none};

#[test]
fn all_faults_of_a_stage_are_told() {
    faults(
        "
apis:
  - id: a
    definition: x
    stages:
      - stageName: pro d
        variables: { ok: fine, bad name: x, table: 'a b' }
        methodSettings:
          '*/*': { throttlingRateLimit: fast, throttlingBurstLimit: many, cachingEnabled: perhaps }
          pets/GET: { cacheTtlInSeconds: long }
        canarySettings: { percentTraffic: 120 }",
        &[
            "/apis/0/stages/0/methodSettings/*~1*/cachingEnabled: must be true or false, not \"perhaps\"",
            "/apis/0/stages/0/methodSettings/*~1*/throttlingBurstLimit: must be a whole number, not \"many\"",
            "/apis/0/stages/0/methodSettings/*~1*/throttlingRateLimit: must be a number, not \"fast\"",
            "/apis/0/stages/0/methodSettings/pets~1GET/cacheTtlInSeconds: must be a whole number, 0 or more, not \"long\"",
            "/apis/0/stages/0/stageName: the name `pro d` holds ' '; only letters, digits, `_` and `-` are allowed",
            "/apis/0/stages/0/variables/bad name: the name `bad name` holds ' '; only letters, digits and `_` are allowed",
            "/apis/0/stages/0/variables/table: the value of `table` holds ' '; only letters, digits and `-._~:/?#&=,` are allowed",
            "/apis/0/stages/0/canarySettings/percentTraffic: 120 is not a share from 0.0 to 100.0",
        ],
    );
}

#[test]
fn all_faults_of_route_settings_plans_and_keys_are_told() {
    faults(
        "
apis:
  - { id: a, kind: http, definition: x, stages: [{ stageName: v1, routeSettings: { GET /a: { throttlingRateLimit: x }, GET /b: { detailedMetricsEnabled: 7 } } }] }
apiKeys:
  - { id: '', value: 'a b' }
  - { id: two, value: 'a b', previousValue: 'ü', enabled: maybe }
usagePlans:
  - { id: gold, throttle: { rateLimit: x, burstLimit: y }, quota: { limit: z, period: YEAR } }",
        &[
            "/apis/0/stages/0/routeSettings/GET ~1a/throttlingRateLimit: must be a number, not \"x\"",
            "/apis/0/stages/0/routeSettings/GET ~1b/detailedMetricsEnabled: must be true or false, not `7`",
            "/usagePlans/0/quota/limit: must be a whole number, 0 or more, not \"z\"",
            "/usagePlans/0/quota/period: `YEAR` is none of [DAY, WEEK, MONTH]",
            "/usagePlans/0/throttle/burstLimit: must be a whole number, 0 or more, not \"y\"",
            "/usagePlans/0/throttle/rateLimit: must be a number, not \"x\"",
            "/apiKeys/0/id: is missing; usage plans name keys by their ids",
            "/apiKeys/0/value: must be visible ASCII without blanks, at most 1,024 of it; or `sha256:` and the hash of a value",
            "/apiKeys/1/enabled: must be true or false, not \"maybe\"",
            "/apiKeys/1/value: must be visible ASCII without blanks, at most 1,024 of it; or `sha256:` and the hash of a value",
            "/apiKeys/1/previousValue: must be visible ASCII without blanks, at most 1,024 of it; or `sha256:` and the hash of a value",
        ],
    );
}

#[test]
fn all_faults_of_an_upstream_are_told() {
    faults(
        "
apis: []
upstreams:
  http://a:
    targets: [http://b, ftp://c, 7, http://d/x]
    balance: random
    ejection: { maxPercent: 200, failures: x }
    retries: { attempts: 99, budgetPercent: 5000 }
    health: { path: x, intervalInMillis: 0 }
    circuitBreaker: { trials: 0, failurePercent: 0 }
    failureStatuses: [ok, 502, 200]",
        &[
            "/upstreams/http:~1~1a/targets/2: 7 must be a text",
            "/upstreams/http:~1~1a/balance: must be one of `roundRobin`, `leastLoaded`, not \"random\"",
            "/upstreams/http:~1~1a/ejection/failures: must be a whole number, 0 or more, not \"x\"",
            "/upstreams/http:~1~1a/failureStatuses/0: \"ok\" must be a status from 400 to 599",
            "/upstreams/http:~1~1a/ejection/maxPercent: must be from 0 to 100, not `200`",
            "/upstreams/http:~1~1a/retries/attempts: must be from 0 to 10, not `99`",
            "/upstreams/http:~1~1a/retries/budgetPercent: must be from 0 to 1000, not `5000`",
            "/upstreams/http:~1~1a/failureStatuses/2: must be from 400 to 599, not `200`",
            "/upstreams/http:~1~1a/circuitBreaker/failurePercent: must be from 1 to 100, not `0`",
            "/upstreams/http:~1~1a/circuitBreaker/trials: must be more than 0, not `0`",
            "/upstreams/http:~1~1a/targets/1: `ftp://c` is not an origin such as `https://api.example.com`",
            "/upstreams/http:~1~1a/targets/3: `http://d/x` is not an origin such as `https://api.example.com`",
            "/upstreams/http:~1~1a/health/intervalInMillis: must be more than 0, not `0`",
            "/upstreams/http:~1~1a/health/path: must be a path such as `/healthz`, not \"x\"",
        ],
    );
}

#[test]
fn all_faults_of_cors_rules_are_told() {
    faults(
        "
apis:
  - id: a
    definition: x
    cors: { allowOrigins: ['*', shop.example.com, 'https://a.example.com'], allowMethods: [get, PUT], allowHeaders: ['x a'], maxAge: -5, allowCredentials: true }",
        &[
            "/apis/0/cors/allowOrigins/0: `*` cannot stand together with credentials; name the origins, or set allowCredentials to false",
            "/apis/0/cors/allowOrigins/1: `shop.example.com` is not valid; write an origin as scheme://host, scheme://host:port, or `*`",
            "/apis/0/cors/allowMethods/0: `get` is not valid; methods are compared with their case: write it in capitals",
            "/apis/0/cors/allowHeaders/0: `x a` is not valid; write one header name an item, without spaces",
            "/apis/0/cors/maxAge: `-5` is not valid; give seconds, 0, or -1 to forbid keeping the answer",
        ],
    );
}

#[test]
fn all_faults_of_issuers_and_callers_are_told() {
    faults(
        "
apis:
  - id: a
    definition: x
    introspection: { address: 'http://id.example.com', bearerToken: 'a b', keepForInMillis: x, audiences: [7], routes: { GET /pets: x } }
    callerHeaders: { x y: authorizer.principalId, x-tier: authorize.tier, x-user: 7 }
    deprecations: { v1: { since: soon, link: a b }, v2: {} }
issuers:
  https://x: { jwksUri: 'http://y.example.com/k', algorithms: [none, ES256, magic] }",
        &[
            "/apis/0/deprecations/v1/since: must be a day or a time in quotes, like `2026-12-31` or `2026-12-31T23:59:59Z`",
            "/apis/0/deprecations/v1/link: is no link; write an address such as https://example.com/changes",
            "/apis/0/deprecations/v2: it has no date; set `since`, `sunset` or both",
            "/apis/0/introspection/routes/GET ~1pets: must be a list of scopes, each a text; `[]` asks for none",
            "/apis/0/introspection/keepForInMillis: must be a whole number, 0 or more, not \"x\"",
            "/apis/0/introspection/audiences/0: 7 must be a text",
            "/apis/0/introspection/address: `http://id.example.com` is not encrypted, and whoever is in between could choose the keys; give an https address",
            "/apis/0/callerHeaders/x y: `x y` is no name of a header; name one such as `x-user-id`",
            "/apis/0/callerHeaders/x-tier: `authorize.tier` is nothing in the context; name one such as `authorizer.principalId`",
            "/apis/0/callerHeaders/x-user: must be a variable of the context, such as `authorizer.claims.sub`",
            "/issuers/https:~1~1x/algorithms/0: `none` is not a signature algorithm that is served; use RS256, PS256, ES256, EdDSA or one of their kin; `none` is never served",
            "/issuers/https:~1~1x/algorithms/2: `magic` is not a signature algorithm that is served; use RS256, PS256, ES256, EdDSA or one of their kin; `none` is never served",
            "/issuers/https:~1~1x/jwksUri: `http://y.example.com/k` is not encrypted, and whoever is in between could choose the keys; give an address such as `https://id.example.com`",
        ],
    );
}

#[test]
fn all_faults_of_a_canary_are_told() {
    faults(
        "
apis:
  - id: a
    definition: x
    canaries:
      prod:
        sticky: { ownCookie: { signingKey: short, maxAge: x, secure: perhaps } }
        forced: { header: 'x y', signingKey: short }
        carry: { trustInbound: 7 }
        ramp: { steps: [{ percent: x, seconds: y }], windowSeconds: z }",
        &[
            "/apis/0/canaries/prod/sticky/ownCookie/name: is missing",
            "/apis/0/canaries/prod/sticky/ownCookie/signingKey: has 5 bytes, which can be guessed; give at least 16 by chance",
            "/apis/0/canaries/prod/sticky/ownCookie/maxAge: must be a whole number, 0 or more, not \"x\"",
            "/apis/0/canaries/prod/sticky/ownCookie/secure: must be true or false, not \"perhaps\"",
            "/apis/0/canaries/prod/forced/signingKey: has 5 bytes, which can be guessed; give at least 16 by chance",
            "/apis/0/canaries/prod/forced/header: `x y` is no name of a header",
            "/apis/0/canaries/prod/carry/trustInbound: must be true or false, not `7`",
            "/apis/0/canaries/prod/carry/header: is missing",
            "/apis/0/canaries/prod/ramp/steps/0/percent: must be a number, not \"x\"",
            "/apis/0/canaries/prod/ramp/steps/0/seconds: must be a whole number, 0 or more, not \"y\"",
            "/apis/0/canaries/prod/ramp/windowSeconds: must be a whole number, 0 or more, not \"z\"",
        ],
    );
}

#[test]
fn all_faults_of_principals_are_told() {
    faults(
        "
apis: []
principals:
  - arn: nobody
    userID: x
    accessKeys: [{ secretAccessKey: x }, { accessKeyId: AKIDEXAMPLE, secretAccessKey: 12345678 }]
    tags: { team: 7 }",
        &[
            "/principals/0/accessKeys/0/accessKeyId: is missing",
            "/principals/0/accessKeys/1/secretAccessKey: must be a text (in quotes, if it looks like a number), not a number",
            "/principals/0/tags/team: must be a text (in quotes, if it looks like a number), not a number",
            "/principals/0/userID: no such field; did you mean `userId`?",
            "/principals/0/arn: `nobody` is the ARN of no principal; one reads `arn:aws:iam::123456789012:user/name`, `arn:aws:sts::123456789012:assumed-role/role/session`, `arn:aws:sts::123456789012:federated-user/name` or `arn:aws:iam::123456789012:root`; name a user, a session or a root",
        ],
    );
}

#[test]
fn a_variable_that_is_not_set_is_the_only_fault_of_what_it_stands_in() {
    let variable = |name: &str| {
        format!("the variable `{name}` is not set; set it, or write `${{{name}:-default}}`")
    };
    let cookie = "/apis/0/canaries/prod/sticky/ownCookie/signingKey";
    faults(
        "
listen: ['${ADDRESS}']
apis:
  - id: a
    definition: x
    maxBodyBytes: ${BYTES}
    parity: ${PARITY}
    cors: { allowOrigins: ['${ORIGIN}'] }
    canaries: { prod: { sticky: { ownCookie: { name: release, signingKey: '${RELEASE_KEY}' } } } }
apiKeys: [{ id: one, value: '${KEY}', enabled: '${ENABLED}' }]
upstreams: { http://a: '${BACKEND}', http://b: { targets: ['${TARGET}'] } }",
        &[
            &format!("/apiKeys/0/enabled: {}", variable("ENABLED")),
            &format!("/apiKeys/0/value: {}", variable("KEY")),
            &format!("{cookie}: {}", variable("RELEASE_KEY")),
            &format!("/apis/0/cors/allowOrigins/0: {}", variable("ORIGIN")),
            &format!("/apis/0/maxBodyBytes: {}", variable("BYTES")),
            &format!("/apis/0/parity: {}", variable("PARITY")),
            &format!("/listen/0: {}", variable("ADDRESS")),
            &format!("/upstreams/http:~1~1a: {}", variable("BACKEND")),
            &format!("/upstreams/http:~1~1b/targets/0: {}", variable("TARGET")),
        ],
    );
}

#[test]
fn a_fault_shows_no_secret() {
    let yaml = "
apis:
  - { id: a, definition: x, introspection: { address: 'https://id.example.com', clientId: c, clientSecret: 1234567, routes: { GET /: [] } } }
apiKeys: [{ id: one, value: 1234567 }]
principals: [{ arn: 'arn:aws:iam::123456789012:user/tom', accessKeys: [{ accessKeyId: A, secretAccessKey: 1234567 }] }]
credentials: { accessKeyId: A, secretAccessKey: 1234567 }";
    let error = GatewayConfig::parse_with(yaml, ConfigFormat::Yaml, none).expect_err("faults");
    assert_eq!(error.faults().len(), 4, "{error}");
    assert!(!error.to_string().contains("1234567"), "{error}");
}
