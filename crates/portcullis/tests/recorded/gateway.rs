//! A gateway on a real socket, set up as a case says.

use std::net::SocketAddr;

use portcullis::definition::Stage;
use portcullis::integrations::Credentials;
use portcullis::openapi::BasePath;
use portcullis::serve::{Handle, Server};
use portcullis::{ApiSpec, Gateway};
use portcullis_testkit::wire::{self, Answer};
use serde_json::{Value, json};

use super::backend::Backend;
use super::services::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

const API_ID: &str = "abcde12345";
const ACCOUNT_ID: &str = "111111111111";

/// What stands for `{{apiId}}` and the like.
pub(crate) struct Placeholders(Vec<(&'static str, String)>);

impl Placeholders {
    pub(crate) fn new(backend: &Backend) -> Self {
        Self(vec![
            ("{{apiId}}", API_ID.to_owned()),
            (
                "{{apiHost}}",
                format!("{API_ID}.execute-api.us-east-1.amazonaws.com"),
            ),
            ("{{accountId}}", ACCOUNT_ID.to_owned()),
            ("{{backendHost}}", backend.host()),
            ("http://backend.test", format!("http://{}", backend.host())),
            ("backend.test", backend.host()),
        ])
    }

    pub(crate) fn fill_text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
    }

    pub(crate) fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.fill_text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, member)| (self.fill_text(name), self.fill(member)))
                .collect(),
            other => other.clone(),
        }
    }
}

pub(crate) struct Running {
    address: SocketAddr,
    handle: Handle,
    stage: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

impl Running {
    pub(crate) async fn start(
        case: &Value,
        backend: &Backend,
        placeholders: &Placeholders,
    ) -> Result<Self, String> {
        let stage = stage(&case["stage"], placeholders);
        let stage_name = stage.stage_name.clone();
        let mut api = ApiSpec::rest(placeholders.fill(&case["definition"]).to_string())
            .id(API_ID)
            .stage(stage);
        if let Some(base_path) = case["import"]["basepath"].as_str() {
            api = api.base_path(
                base_path
                    .parse::<BasePath>()
                    .expect("a way to read base paths"),
            );
        }
        if let Some(endpoint_type) = case["endpointType"].as_str() {
            let endpoint_type = serde_json::from_value(endpoint_type.into());
            api = api.endpoint_type(endpoint_type.expect("an endpoint type"));
        }
        for (id, document) in case["deployments"].as_object().into_iter().flatten() {
            api = api.deployment(id, placeholders.fill(document).to_string());
        }
        let credentials = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY);
        let mut builder = Gateway::builder()
            .region("us-east-1")
            .account_id(ACCOUNT_ID)
            .credentials(credentials)
            .aws_endpoint(format!("http://{}", backend.host()))
            .api(api);
        if let Some(name) = case["backend"]["function"].as_str() {
            builder = builder.function(name, backend.function(&case["backend"]["behaviour"]));
        }
        let gateway = builder.build().map_err(|error| error.to_string())?;
        let server = Server::builder().listen("127.0.0.1:0").bind().await;
        let server = server.map_err(|error| error.to_string())?;
        let handle = server.handle();
        let address = handle.local_addrs()[0];
        tokio::spawn(server.run(gateway));
        Ok(Self {
            address,
            handle,
            stage: stage_name,
        })
    }

    /// Puts the request on the wire as it stands.
    pub(crate) async fn send(&self, request: &Value, placeholders: &Placeholders) -> Answer {
        let method = request["method"].as_str().expect("a request has a method");
        let path = request["path"].as_str().expect("a request has a path");
        let host = match request["host"].as_str() {
            Some(host) => placeholders.fill_text(host),
            None => placeholders.fill_text("{{apiHost}}"),
        };
        let body = bytes_of(&request["body"]);
        let mut head = format!(
            "{method} /{}{path} HTTP/1.1\r\nHost: {host}\r\n",
            self.stage
        );
        let mut chunked = false;
        for (name, value) in request["headers"].as_object().into_iter().flatten() {
            let values = value
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![value.clone()]);
            for value in values {
                let value = placeholders.fill_text(value.as_str().unwrap_or_default());
                chunked |= name.eq_ignore_ascii_case("transfer-encoding");
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        let mut bytes = if chunked {
            (head + "\r\n0\r\n\r\n").into_bytes()
        } else if body.is_empty() && method != "POST" && method != "PUT" {
            (head + "\r\n").into_bytes()
        } else {
            format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes()
        };
        if !chunked {
            bytes.extend_from_slice(&body);
        }
        let mut connection = wire::Connection::open(self.address).await;
        connection.write(&bytes).await;
        loop {
            let answer = if method == "HEAD" {
                connection.answer_to_head().await
            } else {
                connection.answer().await
            };
            // `100 Continue` comes before the answer.
            if answer.status >= 200 {
                return answer;
            }
        }
    }
}

fn stage(stage: &Value, placeholders: &Placeholders) -> Stage {
    let mut described = json!({
        "stageName": stage["name"],
        "variables": placeholders.fill(&stage["variables"]),
    });
    if let Some(canary) = stage["canarySettings"].as_object() {
        let mut canary = canary.clone();
        if let Some(deployment) = canary.remove("deployment") {
            canary.insert("deploymentId".to_owned(), deployment);
        }
        described["canarySettings"] = canary.into();
    }
    if described["variables"].is_null() {
        described["variables"] = json!({});
    }
    serde_json::from_value(described).expect("a stage")
}

pub(crate) fn bytes_of(body: &Value) -> Vec<u8> {
    use base64::Engine;
    match (body["text"].as_str(), body["base64"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(encoded)) => base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .expect("Base64"),
        (None, None) => Vec::new(),
    }
}
