//! Heads of requests, as bytes: which reach the service, and as what.

use portcullis_testkit::wire::{self, Connection};

use crate::{builder, start};

/// Sends `request` and expects a refusal after which the connection ends.
#[track_caller]
fn refused(answer: &wire::Answer, status: u16, request: &str) {
    let request = &request[..request.len().min(80)];
    assert_eq!(answer.status, status, "{request:?}");
    assert!(
        !answer.text().contains("target"),
        "{request:?} reached the service"
    );
}

#[tokio::test]
async fn a_doubtful_request_is_refused_and_its_connection_ends() {
    let server = start(builder()).await;
    let long = "x".repeat(10_300);
    let requests = [
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into()),
        (400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost:\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n".into()),
        // Folded lines, of which each reader makes another value.
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\tc\r\n\r\n".into()),
        (400, "GET http://a/ HTTP/1.1\r\n\r\n".into()),
        (400, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        (400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        (400, "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        (400, "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".into()),
        (400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        (404, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        (400, "GET / FOO/1.1\r\nHost: a\r\n\r\n".into()),
        (400, "G@T / HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n".into()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".into()),
        (400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into()),
        (414, format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")),
        (414, format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(65_600))),
        (431, format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n")),
        (431, format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", format!("X: {long}\r\n").repeat(20))),
        (431, format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(101))),
    ];
    for (status, request) in requests {
        let mut connection = Connection::open(server.address).await;
        let answer = connection.exchange(&request).await;
        refused(&answer, status, &request);
        assert!(connection.read_to_end().await.is_empty(), "{request:.80}");
    }
}

#[tokio::test]
async fn a_refusal_is_worded_as_the_service_words_it() {
    let server = start(builder()).await;
    let answer = wire::send(server.address, "GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(answer.text(), r#"{"message":"Bad Request"}"#);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.header("x-amzn-errortype"),
        Some("BadRequestException")
    );
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn limits_are_met_to_the_byte() {
    let server = start(builder().max_header_bytes(100).max_uri_bytes(20)).await;
    // `host: a` takes 9 bytes with its separators, `x: ` and the line's end 5.
    for (length, status) in [(86, 200), (87, 431)] {
        let value = "v".repeat(length);
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n");
        assert_eq!(wire::send(server.address, request).await.status, status);
    }
    for (length, status) in [(19, 200), (20, 414)] {
        let path = "p".repeat(length);
        let request = format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(wire::send(server.address, request).await.status, status);
    }
}

#[tokio::test]
async fn the_host_of_an_absolute_target_counts() {
    let server = start(builder()).await;
    let request = "GET http://target.test:81/pets HTTP/1.1\r\nHost: header.test\r\n\r\n";
    let seen = wire::send(server.address, request).await.json();
    assert_eq!(seen["host"], "target.test:81");
}

#[tokio::test]
async fn old_clients_need_no_host() {
    let server = start(builder()).await;
    let answer = wire::send(server.address, "GET /pets HTTP/1.0\r\n\r\n").await;
    assert_eq!(answer.json()["target"], "/pets");
}

#[tokio::test]
async fn an_address_is_a_host() {
    let server = start(builder()).await;
    for host in ["[::1]:8080", "127.0.0.1", "a.test:"] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let seen = wire::send(server.address, request).await.json();
        assert_eq!(seen["host"], host);
    }
}

#[tokio::test]
async fn trace_reaches_the_service() {
    let server = start(builder()).await;
    let answer = wire::send(server.address, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.json()["method"], "TRACE");
}

#[tokio::test]
async fn of_two_lengths_the_chunked_one_counts_and_the_connection_ends() {
    let server = start(builder()).await;
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
    ] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        let mut connection = Connection::open(server.address).await;
        let seen = connection.exchange(request).await.json();
        assert_eq!(seen["body"], "");
        assert_eq!(seen["contentLength"], 0);
        assert!(connection.read_to_end().await.is_empty());
    }
}

/// RFC 9112, section 2.2, lets a recipient do so; what goes on to an upstream is framed anew.
#[tokio::test]
async fn a_line_of_the_head_may_end_in_a_bare_line_feed_and_none_of_a_chunk_may() {
    let server = start(builder()).await;
    let head = "POST /a HTTP/1.1\nHost: a\nX: 1\nContent-Length: 2\n\nhi";
    assert_eq!(wire::send(server.address, head).await.json()["body"], "hi");
    let chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi\n0\n\n";
    assert_eq!(wire::send(server.address, chunks).await.status, 400);
}

#[tokio::test]
async fn a_broken_body_is_an_error_to_the_service() {
    let server = start(builder()).await;
    let request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    assert_eq!(wire::send(server.address, request).await.status, 400);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start(builder()).await;
    let mut connection = Connection::open(server.address).await;
    let pipeline = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /3 HTTP/1.1\r\nHost: a\r\n\r\n";
    connection.write(pipeline).await;
    assert_eq!(connection.answer().await.json()["target"], "/1");
    assert_eq!(connection.answer().await.json()["body"], "hi");
    assert_eq!(connection.answer().await.json()["target"], "/3");
}

#[tokio::test]
async fn a_client_that_expects_it_is_told_to_continue() {
    let server = start(builder()).await;
    let mut connection = Connection::open(server.address).await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(connection.exchange(head).await.status, 100);
    assert_eq!(connection.exchange("hi").await.json()["body"], "hi");
}

#[tokio::test]
async fn the_client_is_the_one_that_a_trusted_proxy_names() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n";
    let server = start(builder()).await;
    let seen = wire::send(server.address, request).await.json();
    assert_eq!(seen["client"], "127.0.0.1");
    assert_eq!(seen["local"], server.address.to_string());

    let loopback = "127.0.0.0/8".parse().expect("a network");
    let proxies = portcullis::core::TrustedProxies::new([loopback]);
    let server = start(builder().trusted_proxies(proxies)).await;
    let seen = wire::send(server.address, request).await.json();
    assert_eq!(seen["client"], "192.0.2.7");
}
