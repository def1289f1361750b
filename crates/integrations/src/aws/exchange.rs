//! One signed request on behalf of a client, and what bounds it.

use bytes::Bytes;
use http::{Request, Response};
use portcullis_client::{ClientErrorKind, ResponseBody};
use portcullis_core::{Detail, Measure, REQUEST_ID, RequestContext};
use tokio::time::Instant;

use super::client::{Aws, AwsError};
use super::endpoint::Endpoint;
use super::identity::CallAs;
use crate::config::Settings;
use crate::failure::Failure;

pub(crate) struct Exchange<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) aws: &'a Aws,
    pub(crate) identity: &'a CallAs,
    pub(crate) deadline: Instant,
}

impl Exchange<'_> {
    /// Signs and sends, and waits for the head of the answer.
    pub(crate) async fn send(
        &self,
        request: Request<Bytes>,
        endpoint: &Endpoint,
        context: &RequestContext,
    ) -> Result<Response<ResponseBody>, Failure> {
        let started = self.settings.clock.now();
        let record = context.call_record();
        if let Some(record) = &record {
            record.sent(request.uri(), request.headers());
            record.request_body().add(request.body());
        }
        let call = async {
            let credentials = self.identity.credentials(self.aws, context).await?;
            let sent = self.aws.send(request, endpoint, &credentials).await;
            sent.map_err(|error| match error {
                AwsError::Unsigned(error) => {
                    Failure::Configuration(format!("the request cannot be signed: {error}"))
                }
                AwsError::Client(error) if error.kind() == ClientErrorKind::Timeout => {
                    Failure::Timeout
                }
                AwsError::Client(error) => Failure::Client(error),
            })
        };
        let sent = tokio::time::timeout_at(self.deadline, call).await;
        let waited = self.settings.clock.now().saturating_duration_since(started);
        let waited = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
        context.measure(Measure::IntegrationLatency, waited);
        let response = sent.unwrap_or(Err(Failure::Timeout))?;
        if let Some(record) = &record {
            record.answered(response.headers());
        }
        let status = i64::from(response.status().as_u16());
        context.measure(Measure::IntegrationStatus, status);
        context.measure(Measure::IntegrationServiceStatus, status);
        let id = response.headers().get(REQUEST_ID);
        if let Some(id) = id.and_then(|id| id.to_str().ok()) {
            context.note(Detail::EndpointRequestId, id);
        }
        Ok(response)
    }
}
