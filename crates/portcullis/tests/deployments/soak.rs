//! Deployments, promotions, rollbacks, weights of a canary and variables while clients keep asking over sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use portcullis::definition::CanarySettings;
use portcullis::serve::Server;
use portcullis::{GatewayHandle, NewDeployment};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{build, document, mock, shop};

/// A definition that tells its number in the body, in a header and in its one path parameter's name; and which deployment it is.
fn release(number: u32) -> String {
    let template = format!(
        "{{\"release\": {number}, \"deployment\": \"$context.deploymentId\", \"parameter\": \"$input.params('r{number}')\"}}"
    );
    let mut operation = mock(&template);
    operation["responses"]["200"]["headers"] = json!({ "x-release": {} });
    operation["x-amazon-apigateway-integration"]["responses"]["default"]["responseParameters"] =
        json!({ "method.response.header.x-release": format!("'{number}'") });
    document(&json!({ (format!("/pets/{{r{number}}}")): { "get": operation } }))
}

const RELEASES: u32 = 8;
const CHANGES: u32 = 200;
const CLIENTS: usize = 4;

/// Asks over one connection until the changes are made. Each answer must be of one release, from first to last.
async fn client(address: SocketAddr, ids: Arc<Vec<String>>, done: Arc<AtomicBool>) -> u64 {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("it speaks HTTP");
    tokio::spawn(connection);
    let mut answers = 0;
    while !done.load(Ordering::Relaxed) {
        let request = Request::get("/prod/pets/7").header("host", "localhost");
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        let header = response.headers()["x-release"]
            .to_str()
            .expect("text")
            .to_owned();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a whole answer");
        let body: Value = serde_json::from_slice(&body.to_bytes()).expect("JSON");
        assert_eq!(body["release"].to_string(), header);
        assert_eq!(body["parameter"], "7", "the route is of the same release");
        let number: usize = header.parse().expect("a number");
        assert_eq!(body["deployment"], ids[number], "so is the context");
        answers += 1;
    }
    answers
}

fn change(handle: &GatewayHandle, number: u32, ids: &[String]) {
    let outcome = match number % 5 {
        0 => handle
            .deploy("shop", release(number / 5 % RELEASES))
            .map(drop),
        1 => {
            // Not the first, which is what rolling back leads to.
            let id = &ids[(1 + number * 3 % (RELEASES - 1)) as usize];
            handle.promote("shop", "prod", id).map(drop)
        }
        2 => handle.roll_back("shop", "prod").map(drop),
        3 => {
            let percent = f64::from(number * 13 % 101);
            handle.set_canary_weight("shop", "prod", percent).map(drop)
        }
        _ => {
            let value = [("turn", number.to_string())];
            handle.set_stage_variables("shop", "prod", value).map(drop)
        }
    };
    outcome.expect("a change that can be made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_changes_under_load_fail_and_mix_nothing() {
    let gateway = build(shop(release(0)).stage_named("prod"));
    let handle = gateway.handle();
    let ids = (0..RELEASES).map(|number| {
        let made = handle.create_deployment("shop", NewDeployment::new(release(number)));
        made.expect("a good definition").id
    });
    let ids = Arc::new(ids.collect::<Vec<_>>());
    let mut canary = CanarySettings::default();
    canary.deployment_id = ids.last().cloned();
    let canary = handle.set_canary("shop", "prod", canary);
    canary.expect("its deployment is there");
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .bind()
        .await
        .expect("a port");
    let listener = server.handle();
    let address = listener.local_addrs()[0];
    tokio::spawn(server.run(gateway));

    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(client(address, Arc::clone(&ids), Arc::clone(&done))))
        .collect();
    let operator = tokio::task::spawn_blocking(move || {
        for number in 0..CHANGES {
            change(&handle, number, &ids);
        }
    });
    operator.await.expect("every change was made");
    done.store(true, Ordering::Relaxed);
    let mut answers = 0;
    for client in clients {
        answers += client.await.expect("no client saw anything wrong");
    }
    assert!(answers >= CLIENTS as u64, "each client was served");
    listener.shutdown();
}
