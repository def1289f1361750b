//! JSON to SOAP and back: a SOAP service behind mapping templates.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use portcullis::Gateway;
use portcullis_testkit::{HyperServer, wire};
use serde_json::json;
use tower::service_fn;

use crate::support::{Running, rest};

/// Insists on what SOAP 1.1 insists on, and knows one pet.
async fn service() -> HyperServer {
    HyperServer::start(service_fn(async |request: Request<Incoming>| {
        let (parts, body) = request.into_parts();
        let header = |name| parts.headers.get(name).map(|value| value.as_bytes().to_vec());
        let body = body.collect().await.map(|body| body.to_bytes());
        let body = String::from_utf8(body.unwrap_or_default().to_vec()).unwrap_or_default();
        let spoken = header("soapaction").as_deref() == Some(b"\"urn:GetPet\"")
            && header("content-type").as_deref() == Some(b"text/xml; charset=utf-8")
            && body.starts_with("<soap:Envelope") && body.ends_with("</soap:Envelope>");
        let id = body.split("<id>").nth(1).and_then(|rest| rest.split("</id>").next());
        let (status, content) = match id {
            _ if !spoken => (415, "<soap:Fault><faultstring>not SOAP</faultstring></soap:Fault>".to_owned()),
            Some("7") => (200, "<GetPetResponse><name>Rex &amp; Co</name><age>3</age></GetPetResponse>".to_owned()),
            id => (500, format!("<soap:Fault><faultcode>Client</faultcode><faultstring>no pet {}</faultstring></soap:Fault>", id.unwrap_or_default())),
        };
        let envelope = format!("<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>{content}</soap:Body></soap:Envelope>");
        let response = Response::builder().status(status).header("content-type", "text/xml");
        Ok::<_, Infallible>(response.body(Full::new(Bytes::from(envelope))).expect("valid"))
    }))
    .await
}

#[tokio::test]
async fn a_soap_service_answers_json() {
    let service = service().await;
    // Templates read the envelope as text: there is no XML in the template language.
    let found = r##"#set($body = $input.body)
#set($name = $body.replaceAll("(?s).*<name>(.*?)</name>.*", "$1").replace("&amp;", "&"))
#set($age = $body.replaceAll("(?s).*<age>(.*?)</age>.*", "$1"))
{"name": "$util.escapeJavaScript($name)", "age": $age}"##;
    let fault = r##"#set($body = $input.body)
{"message": "$body.replaceAll("(?s).*<faultstring>(.*?)</faultstring>.*", "$1")"}"##;
    let integration = json!({
        "type": "http",
        "httpMethod": "POST",
        "uri": service.url("/soap"),
        "requestParameters": {
            "integration.request.header.Content-Type": "'text/xml; charset=utf-8'",
            "integration.request.header.SOAPAction": "'\"urn:GetPet\"'",
        },
        "requestTemplates": { "application/json": "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><GetPet><id>$input.path('$.id')</id></GetPet></soap:Body></soap:Envelope>" },
        "responses": {
            "default": {
                "statusCode": "200",
                "responseTemplates": { "application/json": found },
            },
            "500": {
                "statusCode": "404",
                "responseTemplates": { "application/json": fault },
            },
        },
    });
    let mut operation = rest("/pets", &integration);
    operation = operation.strict(true);
    let running = Running::start(Gateway::builder().api(operation)).await;
    let post = async |body: &str| {
        let length = body.len();
        let head = format!(
            "POST /prod/pets HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        wire::send(running.address, head).await
    };
    let answer = post(r#"{"id": 7}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), json!({ "name": "Rex & Co", "age": 3 }));
    let answer = post(r#"{"id": 8}"#).await;
    assert_eq!(answer.status, 404, "{}", answer.text());
    assert_eq!(answer.json(), json!({ "message": "no pet 8" }));
    let answer = post("{").await;
    assert_eq!(answer.status, 400, "{}", answer.text());
}
