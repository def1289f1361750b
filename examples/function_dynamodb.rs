//! Client, gateway, Rust function, DynamoDB: the function behind `functions/pets.yaml` keeps its pets in a table.
//!
//! ```text
//! cargo run --example function_dynamodb              # the table is in memory
//! examples/with_dynamodb.sh function_dynamodb        # with a DynamoDB of its own (moto, which takes python3)
//! ```
//!
//! then:
//!
//! ```text
//! curl -i localhost:8080/pets -H 'content-type: application/json' -d '{"id": "7", "name": "Rex"}'
//! curl -i localhost:8080/pets/7
//! curl -i localhost:8080/pets/8
//! ```
//!
//! `DYNAMODB` is the endpoint, and `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` sign what is sent to it. `LISTEN` is another address for the gateway.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use http::Request;
use http_body_util::BodyExt;
use portcullis::Gateway;
use portcullis::client::Client;
use portcullis::core::{Body, Clock, SystemClock};
use portcullis::serve::Server;
use portcullis_examples::{listen, listening, shown};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What the function reads of its event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    path_parameters: Option<HashMap<String, String>>,
    body: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    status_code: u16,
    body: String,
}

#[derive(Clone, Deserialize, Serialize)]
struct Pet {
    id: String,
    name: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Error> {
    let table = Arc::new(Table::from_environment()?);
    let gateway = Gateway::builder()
        .export(include_str!("functions/pets.yaml"))
        .handler("pets", move |event| pets(Arc::clone(&table), event))
        .build()?;
    let server = Server::builder()
        .listen(listen("127.0.0.1:8080"))
        .bind()
        .await?;
    listening(
        server.handle().local_addrs()[0],
        include_str!("function_dynamodb.rs"),
    );
    server.run(gateway).await;
    Ok(())
}

/// The function. An error is its failure, which the gateway answers 502.
async fn pets(table: Arc<Table>, event: Event) -> Result<Reply, Error> {
    if let Some(path) = event.path_parameters {
        let id = path.get("id").ok_or("the path has no id")?;
        return Ok(match table.get(id).await? {
            Some(pet) => reply(200, &json!(pet)),
            None => reply(404, &json!({"message": "no such pet"})),
        });
    }
    match serde_json::from_str::<Pet>(&event.body.unwrap_or_default()) {
        Ok(pet) => {
            table.put(&pet).await?;
            Ok(reply(201, &json!(pet)))
        }
        Err(error) => Ok(reply(400, &json!({"message": error.to_string()}))),
    }
}

fn reply(status_code: u16, body: &Value) -> Reply {
    Reply {
        status_code,
        body: body.to_string(),
    }
}

/// Where pets are kept.
enum Table {
    Memory(Mutex<HashMap<String, Pet>>),
    Dynamo(Dynamo),
}

impl Table {
    fn from_environment() -> Result<Self, Error> {
        let Ok(endpoint) = std::env::var("DYNAMODB") else {
            println!("the table is in memory: DYNAMODB names no endpoint");
            return Ok(Self::Memory(Mutex::default()));
        };
        println!("the table is at {endpoint}");
        let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
        let (id, secret) = (
            variable("AWS_ACCESS_KEY_ID")?,
            variable("AWS_SECRET_ACCESS_KEY")?,
        );
        let token = variable("AWS_SESSION_TOKEN").ok();
        Ok(Self::Dynamo(Dynamo {
            client: Client::builder().build()?,
            endpoint,
            credentials: Credentials::new(id, secret, token, None, "example"),
        }))
    }

    async fn get(&self, id: &str) -> Result<Option<Pet>, Error> {
        match self {
            Self::Memory(pets) => Ok(pets.lock().expect("unharmed").get(id).cloned()),
            Self::Dynamo(dynamo) => {
                let key = json!({"TableName": "pets", "Key": {"id": {"S": id}}});
                let answer = dynamo.call("GetItem", &key).await?;
                let text = |name: &str| answer["Item"][name]["S"].as_str().map(str::to_owned);
                Ok(text("id")
                    .zip(text("name"))
                    .map(|(id, name)| Pet { id, name }))
            }
        }
    }

    async fn put(&self, pet: &Pet) -> Result<(), Error> {
        match self {
            Self::Memory(pets) => {
                let mut pets = pets.lock().expect("unharmed");
                pets.insert(pet.id.clone(), pet.clone());
            }
            Self::Dynamo(dynamo) => {
                let item = json!({"id": {"S": pet.id}, "name": {"S": pet.name}});
                let item = json!({"TableName": "pets", "Item": item});
                dynamo.call("PutItem", &item).await?;
            }
        }
        Ok(())
    }
}

/// As much of a client of DynamoDB as this takes; a function of your own would have the AWS SDK.
struct Dynamo {
    client: Client,
    endpoint: String,
    credentials: Credentials,
}

impl Dynamo {
    async fn call(&self, action: &str, input: &Value) -> Result<Value, Error> {
        let body = input.to_string();
        let mut request = Request::post(&self.endpoint)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("DynamoDB_20120810.{action}"))
            .body(Body::from(body.clone()))?;
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name("dynamodb")
            .time(SystemClock::new().wall())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers = request.headers().iter();
        let headers: Vec<_> = headers
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let signable = SignableRequest::new(
            "POST",
            &*self.endpoint,
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        )?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        instructions.apply_to_request_http1x(&mut request);

        let response = self.client.send(request).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            let answer = String::from_utf8_lossy(&answer);
            return Err(format!("DynamoDB answered {status}: {answer}").into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }
}
