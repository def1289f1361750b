//! Answers of the admin API.

use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use crate::core::Body;
use crate::gateway::{HandleError, HandleErrorKind};

/// An answer in JSON that nobody keeps.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let (status, text) = match serde_json::to_string(value) {
        Ok(text) => (status, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A refusal with nothing more to say.
pub(super) fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    json(status, &json!({ "message": message, "faults": [] }))
}

/// A refusal of the handle.
pub(super) fn error(error: &HandleError) -> Response<Body> {
    let status = match error.kind() {
        HandleErrorKind::NotFound => StatusCode::NOT_FOUND,
        HandleErrorKind::Conflict => StatusCode::CONFLICT,
        HandleErrorKind::Invalid => StatusCode::BAD_REQUEST,
        HandleErrorKind::Store => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let faults = error
        .faults()
        .iter()
        .map(|fault| json!({ "api": fault.api, "place": fault.place, "message": fault.message }));
    let faults: Vec<_> = faults.collect();
    json(
        status,
        &json!({ "message": error.to_string(), "faults": faults }),
    )
}
