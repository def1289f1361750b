//! Which connection a request takes.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_client::{Client, ClientErrorKind};
use portcullis_core::{Body, BoxError};
use portcullis_testkit::request as testkit;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::support::{Counting, Encrypted, client, fetch, get, kind};

#[tokio::test]
async fn one_connection_serves_one_request_after_the_other() {
    let endpoint = Counting::start(usize::MAX).await;
    let client = client();
    for _ in 0..5 {
        assert_eq!(fetch(&client, &endpoint.url()).await, "pets");
    }
    assert_eq!(endpoint.accepted(), 1);
}

#[tokio::test]
async fn hosts_differ_in_more_than_case() {
    let endpoint = Counting::start(usize::MAX).await;
    let client = client();
    let port = endpoint
        .url()
        .rsplit_once(':')
        .expect("a port")
        .1
        .to_owned();
    for host in ["localhost", "LocalHost", "user@localhost"] {
        fetch(&client, &format!("http://{host}:{port}")).await;
    }
    assert_eq!(endpoint.accepted(), 1);
    fetch(&client, &endpoint.url()).await;
    assert_eq!(endpoint.accepted(), 2, "an address is not its name");
}

#[tokio::test]
async fn two_requests_at_once_have_two_connections() {
    let endpoint = Counting::start(usize::MAX).await;
    let client = client();
    let url = endpoint.url();
    tokio::join!(fetch(&client, &url), fetch(&client, &url));
    assert_eq!(endpoint.accepted(), 2);
    tokio::join!(fetch(&client, &url), fetch(&client, &url));
    assert_eq!(endpoint.accepted(), 2, "and the next two have the same");
}

#[tokio::test]
async fn a_connection_that_the_endpoint_has_closed_is_not_used() {
    let mut endpoint = Counting::start(1).await;
    let client = client();
    for _ in 0..3 {
        assert_eq!(fetch(&client, &endpoint.url()).await, "pets");
        endpoint.one_ended().await;
    }
    assert_eq!(endpoint.accepted(), 3);
}

#[tokio::test]
async fn an_unused_connection_is_closed_after_its_time() {
    let mut endpoint = Counting::start(usize::MAX).await;
    let client = Client::builder().idle_timeout(Duration::from_secs(60));
    let client = client.build().expect("valid settings");
    fetch(&client, &endpoint.url()).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(59)).await;
    fetch(&client, &endpoint.url()).await;
    assert_eq!(endpoint.accepted(), 1);
    // Without a request that would find it too old.
    tokio::time::advance(Duration::from_secs(120)).await;
    endpoint.one_ended().await;
    fetch(&client, &endpoint.url()).await;
    assert_eq!(endpoint.accepted(), 2);
}

#[tokio::test]
async fn no_more_connections_are_kept_than_allowed() {
    let mut endpoint = Counting::start(usize::MAX).await;
    let client = Client::builder().max_idle_per_host(1);
    let client = client.build().expect("valid settings");
    let url = endpoint.url();
    tokio::join!(fetch(&client, &url), fetch(&client, &url));
    endpoint.one_ended().await;
    fetch(&client, &url).await;
    assert_eq!(endpoint.accepted(), 2);
}

#[tokio::test]
async fn a_client_that_is_gone_leaves_no_connection() {
    let mut endpoint = Counting::start(usize::MAX).await;
    let client = client();
    fetch(&client, &endpoint.url()).await;
    drop(client);
    endpoint.one_ended().await;
}

#[tokio::test]
async fn a_request_takes_a_connection_that_becomes_free_before_its_own_is_made() {
    let endpoint = Encrypted::start_except(&["http/1.1"], 1).await;
    let (client, url) = (endpoint.client(), endpoint.url());
    fetch(&client, &url).await;

    let (finish, finished) = oneshot::channel();
    let body = stream::once(async {
        finished.await.expect("the test goes on");
        Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"pets")))
    });
    let body = Body::new(StreamBody::new(Box::pin(body)));
    let slow = Request::post(&url).body(body).expect("valid");
    let first = async {
        let response = client.send(slow).await.expect("an answer");
        response.into_body().collect().await.expect("whole");
    };
    let second = async {
        let mut second = pin!(fetch(&client, &url));
        tokio::select! {
            _ = &mut second => panic!("the other request is not done with its connection"),
            () = endpoint.stalled() => {}
        }
        finish.send(()).expect("the body is waited for");
        second.await
    };
    let ((), answer) = tokio::join!(first, second);
    assert_eq!(answer, "HTTP/1.1");
    assert_eq!(endpoint.accepted(), 2);
}

#[tokio::test]
async fn requests_share_one_connection_of_http2() {
    let endpoint = Encrypted::start(&["h2"]).await;
    let client = endpoint.client().with_http2_prior_knowledge();
    let url = endpoint.url();
    join_all((0..20).map(|_| fetch(&client, &url))).await;
    assert_eq!(endpoint.accepted(), 1);
}

#[tokio::test]
async fn requests_share_one_connection_once_the_endpoint_has_chosen_http2() {
    let endpoint = Encrypted::start(&["h2"]).await;
    let (client, url) = (endpoint.client(), endpoint.url());
    fetch(&client, &url).await;
    join_all((0..20).map(|_| fetch(&client, &url))).await;
    assert_eq!(endpoint.accepted(), 1);
}

#[tokio::test]
async fn a_connection_on_which_a_request_waited_in_vain_is_not_shared_any_more() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let client = client().with_http2_prior_knowledge();
    for patience in [Duration::from_millis(10), Duration::from_millis(60)] {
        let asked = tokio::time::timeout(patience, client.send(get(&url)));
        assert!(asked.await.is_err(), "nobody answers");
    }
    // The second request shared the connection of the first, which had not waited for long. The third has its own.
    let (silent, _) = listener.accept().await.expect("a connection");
    let third = tokio::spawn({
        let (client, url) = (client.clone(), url.clone());
        async move { fetch(&client, &url).await }
    });
    let (stream, _) = listener.accept().await.expect("another one");
    let answer = hyper::service::service_fn(async |_| {
        Ok::<_, std::convert::Infallible>(testkit::answer(200, "pets"))
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    tokio::spawn(server.serve_connection(TokioIo::new(stream), answer));
    assert_eq!(third.await.expect("no panic"), "pets");
    assert_eq!(fetch(&client, &url).await, "pets", "by the same connection");
    drop(silent);
}

#[tokio::test]
async fn nobody_waits_for_a_connection_that_cannot_be_made() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    let client = client().with_http2_prior_knowledge();
    let kinds = join_all((0..20).map(|_| kind(&client, get(&url)))).await;
    assert_eq!(kinds, [ClientErrorKind::Refused; 20]);
}

#[tokio::test]
async fn nobody_waits_for_a_request_that_gave_up_connecting() {
    let endpoint = Encrypted::start_except(&["h2"], 0).await;
    let client = endpoint.client().with_http2_prior_knowledge();
    let url = endpoint.url();
    let mut first = Box::pin(fetch(&client, &url));
    tokio::select! {
        _ = &mut first => panic!("there is no handshake"),
        () = endpoint.stalled() => {}
    }
    let second = tokio::spawn({
        let (client, url) = (client.clone(), url.clone());
        async move { fetch(&client, &url).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(
        endpoint.accepted(),
        1,
        "the second request waits for the first one's connection"
    );
    drop(first);
    assert_eq!(second.await.expect("no panic"), "HTTP/2.0");
}
