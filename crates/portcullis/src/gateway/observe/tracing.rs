//! What data tracing keeps of a request and its response.

use http::HeaderMap;

use crate::core::{Beginning, CallRecord};
use crate::observe::DataTrace;

/// The heads and the beginnings of the bodies.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) request_headers: HeaderMap,
    pub(super) request_body: Beginning,
    /// What is said to the endpoint, and what it says.
    pub(super) record: CallRecord,
    pub(super) response_headers: Option<HeaderMap>,
    pub(super) response_body: Beginning,
}

impl Kept {
    pub(super) fn trace<T>(&self, read: impl FnOnce(&DataTrace<'_>) -> T) -> T {
        let request_body = self.request_body.read();
        let response_body = self.response_body.read();
        let mut trace = DataTrace::new(&self.request_headers);
        trace.request_body = &request_body;
        trace.record = Some(&self.record);
        trace.response_headers = self.response_headers.as_ref();
        trace.response_body = &response_body;
        read(&trace)
    }
}
