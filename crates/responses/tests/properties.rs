//! What holds for every template and every request.

use http::Request;
use portcullis_core::{Body, Rejection, RejectionKind, RequestContext};
use portcullis_responses::{GatewayResponses, ResponseConfig};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_template_and_expression_is_answered_or_refused(
        template in r"(\PC|\$|\{|\}|context\.|stageVariables\.|method\.request\.|header\.|path\.|error\.message){0,24}",
        expression in r"(\PC|'|context\.|stageVariables\.|method\.request\.|querystring\.){0,8}",
        header in r"[ -~]{0,20}",
    ) {
        let config = ResponseConfig::new("DEFAULT_4XX")
            .template("application/json", template)
            .header("X-Any", expression);
        let Ok(table) = GatewayResponses::builder().response(config).build() else {
            return Ok(());
        };
        let request = Request::get("/a?b=%00%ff").header("x-a", header).body(());
        let mut request = request.expect("it is a request");
        let captured = table.capture(request.method(), request.headers());
        let context = RequestContext::of(&mut request);
        let rejection = Rejection::new(RejectionKind::Throttled);
        let response = table.restyle::<Body>(&rejection, context, &captured);
        let length = response.body().as_bytes().map_or(0, <[u8]>::len).to_string();
        prop_assert_eq!(&response.headers()["content-length"], length.as_str());
    }

    #[test]
    fn text_without_references_stays(text in r"[^$m]{1,40}") {
        let config = ResponseConfig::new("THROTTLED").template("text/plain", text.clone());
        let table = GatewayResponses::builder().response(config).build().expect("it is fine");
        let mut request = Request::new(());
        let captured = table.capture(request.method(), request.headers());
        let context = RequestContext::of(&mut request);
        let response = table.restyle::<Body>(&RejectionKind::Throttled.into(), context, &captured);
        prop_assert_eq!(response.body().as_bytes(), Some(text.as_bytes()));
    }
}
