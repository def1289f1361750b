//! The handle as a service: JSON over HTTP.

mod answer;
mod description;
mod endpoints;
mod operations;
mod service;

use std::fmt;

use super::GatewayHandle;

pub use service::AdminFuture;

/// What operators do with a gateway, as a `tower` service with a JSON API: the methods of [`GatewayHandle`] over HTTP.
///
/// **It asks nobody who they are.** Whoever reaches it can change what production serves. Mount it behind auth of your own, on an address of its own, and never beside
/// the routes of the public.
///
/// It takes requests with any body, answers with [`Body`](crate::core::Body), and never fails. Paths are those below where it is mounted: axum's
/// `nest_service` takes the prefix away. It must run on a tokio runtime; what compiles a definition runs on a thread that may block.
///
/// ```
/// use http::Request;
/// use portcullis::core::Body;
/// use portcullis::{AdminService, ApiSpec, Gateway};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let document = r#"{"openapi":"3.0.1","info":{"title":"pets","version":"1"},"paths":{}}"#;
/// let gateway = Gateway::builder().api(ApiSpec::rest(document).id("shop").stage_named("prod")).build()?;
/// let admin = AdminService::new(gateway.handle());
///
/// let green = r#"{"openapi":"3.0.1","info":{"title":"pets","version":"2"},"paths":{}}"#;
/// let request = Request::post("/apis/shop/deployments?stageName=prod").body(Body::from(green))?;
/// let response = admin.clone().oneshot(request).await?;
/// assert_eq!(response.status(), 201);
///
/// let request = Request::post("/apis/shop/stages/prod/rollback").body(Body::empty())?;
/// assert_eq!(admin.oneshot(request).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
///
/// # Semantics
///
/// | request | what it does |
/// | --- | --- |
/// | `GET /apis` | the APIs with their stages |
/// | `GET /apis/{api}` | one of them |
/// | `GET /apis/{api}/deployments` | the deployments that are kept, the youngest first |
/// | `POST /apis/{api}/deployments?stageName=…&description=…` | makes a deployment of the document that is the body (JSON or YAML), and serves it on the stages that are named; `*` is every stage that names no deployment of its own; without any it is only made |
/// | `GET /apis/{api}/deployments/{deployment}` | one deployment |
/// | `DELETE /apis/{api}/deployments/{deployment}` | forgets one that nothing serves |
/// | `GET /apis/{api}/deployments/{deployment}/diff/{to}` | what differs between two: routes and fields |
/// | `GET /apis/{api}/stages`, `GET /apis/{api}/stages/{stage}` | stages as they are served |
/// | `PUT /apis/{api}/stages/{stage}/deployment` | serves `{"deploymentId": …}`, or what `{"fromStage": …}` serves |
/// | `POST /apis/{api}/stages/{stage}/rollback` | serves what the stage served before |
/// | `PATCH /apis/{api}/stages/{stage}/variables` | sets the variables of `{"name": "value"}`; `null` removes one |
/// | `GET`, `PUT`, `DELETE /apis/{api}/stages/{stage}/canary` | the canary, under the names of `canarySettings` |
/// | `PUT /apis/{api}/stages/{stage}/canary/weight` | its share: `{"percentTraffic": 25}` |
/// | `POST /apis/{api}/stages/{stage}/canary/promotion`, `…/canary/rollback` | makes it production, or takes that back |
/// | `DELETE /apis/{api}/stages/{stage}/cache/authorizers` | forgets what custom authorizers said |
/// | `DELETE /apis/{api}/stages/{stage}/cache/data` | forgets the cached responses of a stage, and says how many there were |
/// | `GET /usageplans/{plan}/keys/{key}/usage` | what a key has used of its quota |
/// | `PUT /usageplans/{plan}/keys/{key}/usage` | sets what it has left in this period: `{"remaining": …}` |
/// | `GET /routes`, `GET /coverage` | what is served, and what became of each field of the definitions |
/// | `GET /openapi.json` | this API as an OpenAPI document |
///
/// Errors are `{"message": …, "faults": [{"api", "place", "message"}]}`: 400 for what is wrong with what was sent, 404 for what is not there, 405, 409 for what cannot be done as things
/// stand, 413, 500 if the state could not be kept. Nothing changed then. Definitions are taken in and never given out, since they may hold secrets: differences name fields, not
/// values.
///
/// # Caveats
///
/// Where auth is a cookie, another site could have a browser send requests. Those that a browser says came from another site (`Sec-Fetch-Site`) are refused unless they
/// only read; still, prefer a token in a header.
#[derive(Clone)]
pub struct AdminService {
    handle: GatewayHandle,
    max_body_bytes: usize,
}

/// What the service takes for a document.
const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

impl AdminService {
    /// The admin API of the gateway of this handle. Put it behind auth of your own.
    #[must_use]
    pub const fn new(handle: GatewayHandle) -> Self {
        Self {
            handle,
            max_body_bytes: MAX_BODY_BYTES,
        }
    }

    /// The largest body that is read, in bytes: 6 MiB by default, as large as a document may be.
    #[must_use]
    pub const fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }
}

impl fmt::Debug for AdminService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminService")
            .field("max_body_bytes", &self.max_body_bytes)
            .finish_non_exhaustive()
    }
}
