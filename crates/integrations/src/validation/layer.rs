//! The validator as a layer.

use portcullis_core::{BodyGuardLayer, BodyGuarded};
use tower_layer::Layer;

use super::validator::Validator;

/// A [`Validator`] as a layer. Clones, and the services made by them, share it.
///
/// Over hyper's `Incoming` stands a [`BoxRequestBodyLayer`](portcullis_core::BoxRequestBodyLayer), since bodies that are checked are read.
///
/// ```
/// use http::{Request, Response};
/// use portcullis_core::{Body, Rejection};
/// use portcullis_integrations::{Model, ValidationLayer, Validator};
/// use serde_json::json;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pet = Model::new("Pet", json!({ "properties": { "name": { "type": "string" } } }))?;
/// let validator = Validator::builder().model("application/json", pet).build()?;
///
/// let echo = service_fn(async |request: Request<Body>| {
///     Ok::<_, std::convert::Infallible>(Response::new(request.into_body()))
/// });
/// let service = ValidationLayer::new(validator).layer(echo);
///
/// let good = Request::post("/").body(Body::from(r#"{"name": "Rex"}"#))?;
/// assert_eq!(service.clone().oneshot(good).await?.status(), 200);
/// let bad = Request::post("/").body(Body::from(r#"{"name": 7}"#))?;
/// let refused = service.oneshot(bad).await?;
/// assert_eq!(refused.status(), 400);
/// assert_eq!(
///     refused.extensions().get::<Rejection>().unwrap().validation_error(),
///     Some(r#"[instance type (integer) does not match any allowed primitive type (allowed: ["string"])]"#),
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ValidationLayer {
    shell: BodyGuardLayer<Validator>,
}

impl ValidationLayer {
    /// A layer that asks `validator` about every request.
    pub fn new(validator: Validator) -> Self {
        Self {
            shell: BodyGuardLayer::new(validator),
        }
    }
}

impl<S> Layer<S> for ValidationLayer {
    type Service = BodyGuarded<S, Validator>;

    fn layer(&self, inner: S) -> Self::Service {
        self.shell.layer(inner)
    }
}
