//! Giving a refusal its look.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use portcullis_core::{ApiKind, Rejection, RequestContext};

use crate::capture::Captured;
use crate::source::Scene;
use crate::table::GatewayResponses;

impl GatewayResponses {
    /// The answer to a refusal, in the look that this table gives it. The refusal stays in the answer's extensions.
    ///
    /// `request` is what [`capture`](Self::capture) kept of the request.
    #[must_use]
    pub fn restyle<B: From<Bytes>>(
        &self,
        rejection: &Rejection,
        context: &RequestContext,
        request: &Captured,
    ) -> Response<B> {
        let mut response = rejection.clone().into_response();
        let scene = Scene {
            rejection,
            context: Some(context),
            request,
        };
        self.apply(scene, &mut response);
        response
    }

    /// Changes the answer to a refusal as the table says. What it does not speak of stays.
    pub(crate) fn apply<B: From<Bytes>>(&self, scene: Scene<'_>, response: &mut Response<B>) {
        if scene.rejection.api() != ApiKind::Rest {
            return;
        }
        if let Some(entry) = self.entry_for(scene.rejection) {
            if let Some(status) = entry.status {
                *response.status_mut() = status;
            }
            if let Some((content_type, template)) = &entry.body {
                let text = Bytes::from(template.render(scene));
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, content_type.clone());
                headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
                // It was said of the body that goes.
                headers.remove(CONTENT_ENCODING);
                *response.body_mut() = B::from(text);
            }
            for (name, value) in &entry.headers {
                if let Some(value) = value.value(scene) {
                    response.headers_mut().insert(name, value);
                }
            }
        }
        let bare = matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        );
        if bare || scene.request.is_head() {
            *response.body_mut() = B::from(Bytes::new());
            response
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        if matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        ) {
            // These have no length to speak of.
            response.headers_mut().remove(CONTENT_LENGTH);
        }
    }
}
