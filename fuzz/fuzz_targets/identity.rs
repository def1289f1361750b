//! No request panics who looks for a caller's identity in it. Parts are separated by zero bytes: a source, an expression, the query, a header.
#![no_main]

use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use portcullis_auth::custom::{
    AuthorizerReply, AuthorizerRequest, CustomAuthorizerLayer, IdentitySource,
};
use portcullis_core::{Guard, Head, RequestContext, Verdict};

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(4, |byte| *byte == 0);
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (source, expression, query, header) = (text(), text(), text(), text());
    let sources = [
        "$request.header.x-id",
        "method.request.querystring.id",
        &source,
    ];
    // What is printed of a source is read as that source.
    if let Ok(read) = IdentitySource::parse(&source) {
        assert!(IdentitySource::parse(&read.to_string()).is_ok(), "{read}");
    }
    let layer =
        CustomAuthorizerLayer::new(async |_: AuthorizerRequest| Ok(AuthorizerReply::allow("me")));
    let known = if IdentitySource::parse(&source).is_ok() {
        3
    } else {
        2
    };
    let layer = layer.identity_sources(&sources[..known]).expect("sources");
    let Ok(layer) = layer.identity_validation(&expression) else {
        return;
    };
    let Ok(mut request) = Request::get(format!("/pets?{query}")).body(()) else {
        return;
    };
    if let Ok(value) = HeaderValue::from_str(&header) {
        request.headers_mut().append("x-id", value);
    }
    RequestContext::of(&mut request);
    match layer.check(&Head::of(&request)) {
        Verdict::Refuse(rejection) => assert!(rejection.status().is_client_error()),
        Verdict::Ask(_) => {}
        Verdict::Pass => panic!("nobody was asked"),
    }
});
