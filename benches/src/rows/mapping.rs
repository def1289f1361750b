//! A mapped round trip: 1 KiB of JSON through a request template to a function, and 1 KiB of JSON back through a response template.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, Uri};
use portcullis::client::Client;
use portcullis::core::{
    ApiKind, ApiStage, Body, FunctionReply, Invocation, MatchedRoute, RequestContext, Route,
};
use portcullis::integrations::{
    Backends, Functions, Integration, IntegrationConfig, IntegrationKind, ResponseConfig,
};
use serde_json::Value;

use super::surroundings::{answer, request_with};
use crate::row::{Case, Goal, Who};

/// An order with ten items.
const ORDER: &str = r#"{
  "order": { "id": 4211, "placed": "2025-06-01T12:30:00Z", "express": false, "note": "ring \"twice\"" },
  "customer": { "id": "c-77", "name": "Ada Lovelace", "mail": "ada@example.com", "tags": ["vip", "beta"] },
  "address": { "street": "12 St James's Square", "city": "London", "zip": "SW1Y 4JH", "country": "GB" },
  "items": [
    { "sku": "A-1001", "name": "collar", "count": 1, "price": 12.5 },
    { "sku": "A-1002", "name": "leash", "count": 2, "price": 19.99 },
    { "sku": "A-1003", "name": "bowl", "count": 1, "price": 7.25 },
    { "sku": "A-1004", "name": "bed", "count": 1, "price": 54.0 },
    { "sku": "A-1005", "name": "ball", "count": 6, "price": 2.1 },
    { "sku": "A-1006", "name": "brush", "count": 1, "price": 9.4 },
    { "sku": "A-1007", "name": "food", "count": 12, "price": 3.35 },
    { "sku": "A-1008", "name": "treats", "count": 4, "price": 5.5 },
    { "sku": "A-1009", "name": "crate", "count": 1, "price": 89.9 },
    { "sku": "A-1010", "name": "tag", "count": 1, "price": 4.75 }
  ]
}"#;

/// Parts of the body as they are, a loop over the rest, and facts of the request.
const REQUEST: &str = r##"#set($root = $input.path('$'))
{
  "id": $root.order.id,
  "customer": $input.json('$.customer'),
  "address": "$root.address.street, $root.address.zip $root.address.city",
  "lines": [#foreach($item in $root.items)
    {"sku": "$item.sku", "count": $item.count}#if($foreach.hasNext),#end
#end
  ],
  "by": "$context.requestId",
  "stage": "$context.stage",
  "page": "$input.params('page')"
}"##;

const RESPONSE: &str = r##"#set($root = $input.path('$'))
{
  "status": "accepted",
  "order": $input.json('$.order'),
  "total": [#foreach($item in $root.items)$item.price#if($foreach.hasNext), #end#end],
  "city": "$root.address.city"
}"##;

/// A request as a gateway hands it in.
fn request(uri: &Uri, stage: &Arc<ApiStage>, route: &Arc<Route>) -> Request<Body> {
    let mut request = request_with(Method::POST, uri).map(|_| Body::from(ORDER));
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(CONTENT_TYPE, json);
    let context = RequestContext::of(&mut request);
    context.set_stage(Arc::clone(stage));
    context.set_route(MatchedRoute::new(Arc::clone(route), uri, 0));
    request
}

/// An `AWS` integration, with these templates, of a function that answers with an order at once.
fn integration(templates: Option<(&str, &str)>) -> Integration {
    let functions = Functions::builder().function("orders", async |_: Invocation| {
        Ok(FunctionReply::success(Bytes::from_static(ORDER.as_bytes())))
    });
    let functions = functions.build().expect("no URL");
    let client = Client::builder().build().expect("the defaults are valid");
    let mut config = IntegrationConfig::new(IntegrationKind::Aws, ApiKind::Rest);
    config.uri = Some("orders".to_owned());
    config.responses = vec![ResponseConfig::new("200")];
    if let Some((request, response)) = templates {
        let json = || "application/json".to_owned();
        config.request_templates = vec![(json(), request.to_owned())];
        config.responses[0].templates = vec![(json(), response.to_owned())];
    }
    let compiled = config.compile(&Backends::new(client, functions));
    compiled.expect("a valid configuration").integration
}

/// Calls the integration in a runtime, as its deadlines need one.
fn round_trip(templates: Option<(&'static str, &'static str)>) -> impl FnMut() -> Response<Body> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().expect("a runtime");
    let mut integration = integration(templates);
    let uri = Uri::from_static("/orders/4211?page=2");
    let mut stage = ApiStage::default();
    stage.stage = "prod".to_owned();
    let (stage, route) = (Arc::new(stage), Arc::new(Route::new("/orders/{id}")));
    move || {
        let _entered = runtime.enter();
        let response = answer(&mut integration, request(&uri, &stage, &route));
        debug_assert_eq!(response.status(), 200);
        response
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("mapping", "round-trip")
            // The same bodies pass as they are.
            .row(Who::Bare, || round_trip(None))
            // Both are parsed besides, and nothing is made of them.
            .row(Who::Floor, || {
                let mut plain = round_trip(None);
                let parsed = RefCell::new((Value::Null, Value::Null));
                move || {
                    let parse = || serde_json::from_str(ORDER).expect("it is JSON");
                    *parsed.borrow_mut() = (parse(), parse());
                    plain()
                }
            })
            .row(Who::Portcullis, || round_trip(Some((REQUEST, RESPONSE))))
            .goal(Goal::TimesFloorOverBare(1.5)),
    ]
}
