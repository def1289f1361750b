//! The dashboard asks for what a gateway's scrape has: every metric, and every label.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use http::Request;
use metrics_exporter_prometheus::PrometheusBuilder;
use portcullis::core::{Body, FunctionReply, Guard, Head, Never, Release, Verdict};
use portcullis::definition::Stage;
use portcullis::observe::Metrics;
use portcullis::{ApiSpec, Gateway};
use regex::Regex;
use serde_json::{Value, json};
use tower::ServiceExt;

/// Sends whoever asks for it to a canary.
struct Split;

impl Guard for Split {
    type Ask = Never;

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        let release = if head.headers().contains_key("canary") {
            Release::Canary("canary".into())
        } else {
            Release::Production
        };
        if let Some(context) = head.context() {
            context.set_release(release);
        }
        Verdict::Pass
    }
}

fn gateway(metrics: Metrics) -> Gateway {
    let integration = json!({
        "type": "mock", "requestTemplates": {"application/json": "{\"statusCode\": 200}"}, "responses": {"default": {"statusCode": "200"}}
    });
    let authorizer = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:auth/invocations";
    let document = json!({
        "openapi": "3.0.1", "info": {"title": "pets", "version": "1"},
        "paths": {
            "/pets": {"get": {"x-amazon-apigateway-integration": integration}},
            "/limited": {"get": {"x-amazon-apigateway-integration": integration}},
            "/closed": {"get": {"security": [{"auth": []}], "x-amazon-apigateway-integration": integration}}
        },
        "components": {"securitySchemes": {"auth": {
            "type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "custom",
            "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": authorizer}
        }}}
    });
    let stage: Stage = serde_json::from_value(json!({
        "stageName": "prod",
        "methodSettings": {"limited/GET": {"throttlingRateLimit": 0.001, "throttlingBurstLimit": 1}}
    }))
    .expect("a stage");
    let allow = json!({"principalId": "me", "policyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    ]}});
    Gateway::builder()
        .api(
            ApiSpec::rest(document.to_string())
                .id("petstore")
                .stage(stage),
        )
        .function("auth", move |_| {
            let reply = FunctionReply::success(allow.to_string());
            std::future::ready(Ok(reply))
        })
        .guard(Split)
        .metrics(metrics)
        .build()
        .expect("a gateway")
}

/// The names of a scrape, each with its labels.
async fn scrape() -> BTreeMap<String, BTreeSet<String>> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&Metrics::DURATION_BUCKETS)
        .expect("buckets")
        .build_recorder();
    let handle = recorder.handle();
    let gateway = gateway(Metrics::builder().recorder(Arc::new(recorder)).build());
    for (path, header, status) in [
        ("/prod/pets", "x-none", 200),
        ("/prod/pets", "canary", 200),
        ("/prod/limited", "x-none", 200),
        ("/prod/limited", "x-none", 429),
        ("/prod/closed", "authorization", 200),
    ] {
        let request = Request::get(path).header(header, "1").body(Body::empty());
        let asked = gateway.clone().oneshot(request.expect("a request"));
        let response = asked.await.expect("a response");
        assert_eq!(response.status(), status, "{path}");
    }
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let label = Regex::new(r#"([a-zA-Z_]\w*)="(?:[^"\\]|\\.)*""#).expect("a pattern");
    for line in handle
        .render()
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let labels = names.entry(name.to_owned()).or_default();
        labels.extend(label.captures_iter(line).map(|found| found[1].to_owned()));
    }
    names
}

/// Every query of a dashboard: those of its panels, and those of its variables.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if matches!(&**name, "expr" | "definition") => {
                        found.push(text.clone());
                    }
                    member => queries(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_metric_and_label_of_the_dashboard_is_exported() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/grafana/portcullis.json");
    let text = std::fs::read_to_string(file).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let mut asked = Vec::new();
    queries(&dashboard, &mut asked);
    assert!(asked.len() > 20, "{asked:?}");

    let exported = scrape().await;
    // Every metric is written with braces, so that names of functions are told from it.
    let selector = Regex::new(r"([a-zA-Z_]\w*)\{([^}]*)\}").expect("a pattern");
    let matcher = Regex::new(r#"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*""#).expect("a pattern");
    let grouping = Regex::new(r"by \(([^)]*)\)").expect("a pattern");
    let variable = Regex::new(r"^label_values\(.*, (\w+)\)$").expect("a pattern");
    for query in &asked {
        let mut labels = BTreeSet::new();
        for found in selector.captures_iter(query) {
            let name = &found[1];
            let own = exported.get(name);
            let own = own.unwrap_or_else(|| panic!("no `{name}` in {:?}", exported.keys()));
            for wanted in matcher.captures_iter(&found[2]) {
                assert!(
                    own.contains(&wanted[1]),
                    "{name} has no `{}`: {own:?}",
                    &wanted[1]
                );
            }
            labels.extend(own.iter().map(String::as_str));
        }
        assert!(
            !labels.is_empty() || query.contains("{}"),
            "no metric: {query}"
        );
        let groups = grouping.captures_iter(query);
        let mut wanted: Vec<_> = groups
            .flat_map(|it| it.extract::<1>().1[0].split(", "))
            .collect();
        wanted.extend(variable.captures(query).map(|it| it.extract::<1>().1[0]));
        for label in wanted {
            assert!(labels.contains(label), "no label `{label}`: {query}");
        }
    }
}
