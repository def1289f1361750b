//! What the tests of functions begin with.

use http::Request;
use portcullis_core::{
    ApiKind, ApiStage, Body, Clock, ManualClock, MatchedRoute, RequestContext, Route,
};

pub(crate) const ECHO: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:echo:${stageVariables.alias}/invocations";

/// The request as a gateway hands it in, received at the start of 2025.
pub(crate) fn in_gateway(
    mut request: Request<Body>,
    api: ApiKind,
    path_at: usize,
) -> Request<Body> {
    let uri = request.uri().clone();
    let clock: &dyn Clock = &ManualClock::default();
    let context = RequestContext::new(&request, clock);
    let mut stage = ApiStage::default();
    stage.kind = api;
    stage.account_id = "111111111111".into();
    stage.api_id = "abc".into();
    stage.stage = "test".into();
    stage.deployment_id = Some("d1".into());
    stage.variables = [("alias".to_owned(), "prod".to_owned())].into();
    context.set_stage(stage);
    let mut route = Route::new("/pets/{proxy+}");
    route.resource_id = Some("r1".into());
    route.route_key = Some("POST /pets/{proxy+}".into());
    context.set_route(MatchedRoute::new(route, &uri, path_at));
    context.set_client("192.0.2.9".parse().expect("an address"));
    request.extensions_mut().insert(context);
    request
}

/// A call of `POST /pets/{proxy+}`.
pub(crate) fn post() -> Request<Body> {
    Request::post("/test/pets/a%2Fb/?q=1&q=b+%26&e")
        .header("host", "abc.execute-api.us-east-1.amazonaws.com")
        .header("user-agent", "tests")
        .header("x-a", "1")
        .header("x-a", "2")
        .header("cookie", "a=1; b=2")
        .header("content-length", "4")
        .header("content-type", "application/json")
        .header(
            "x-amzn-trace-id",
            "Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0",
        )
        .body(Body::from("\"hi\""))
        .expect("a valid request")
}
