//! Functions of AWS Lambda.

use std::sync::Arc;

use http::Response;
use portcullis_client::ResponseBody;
use portcullis_core::{
    Function, FunctionError, FunctionErrorKind, FunctionFuture, FunctionStreamFuture, Invocation,
};

use super::FunctionTarget;
use super::invoke_api::{self, Wanted, in_time, not_sent, unreachable};
use crate::aws::{Aws, AwsError, Endpoint};

/// A function of AWS Lambda, or each that is asked for. Calls are signed.
#[derive(Clone, Debug)]
pub(super) struct Lambda {
    aws: Aws,
    target: Option<FunctionTarget>,
}

impl Lambda {
    /// The function that each call names.
    pub(super) const fn of_each_call(aws: Aws) -> Self {
        Self { aws, target: None }
    }

    /// This one, whatever calls name.
    pub(super) const fn of(aws: Aws, target: FunctionTarget) -> Self {
        Self {
            aws,
            target: Some(target),
        }
    }

    /// Puts the function that is meant into the call, and gives its name or ARN, and the region that it is in.
    fn aim(&self, invocation: &mut Invocation) -> (Arc<str>, Arc<str>) {
        let region: Arc<str> = self.aws.region().into();
        let (name, arn) = match &self.target {
            Some(target) => {
                // A version that the ARN says is meant where the call names none.
                let own = &mut invocation.qualifier;
                *own = own.take().or_else(|| target.qualifier.clone());
                (&target.name, &target.arn)
            }
            None => (&invocation.name, &invocation.arn),
        };
        match arn {
            Some(arn) => {
                let named = arn.split(':').nth(3).filter(|region| !region.is_empty());
                (Arc::clone(arn), named.map_or(region, Into::into))
            }
            None => (Arc::clone(name), region),
        }
    }

    fn send(
        &self,
        mut invocation: Invocation,
        wanted: Wanted,
    ) -> impl Future<Output = Result<Response<ResponseBody>, FunctionError>> + Send + use<> {
        let (function, region) = self.aim(&mut invocation);
        let aws = self.aws.clone();
        async move {
            let endpoint = Endpoint::new("lambda", &region);
            let qualifier = invocation.qualifier.as_deref();
            let target = invoke_api::path_and_query(&function, qualifier, wanted);
            let uri = aws.uri(&endpoint, &target).map_err(unreachable)?;
            let (role, signer) = (invocation.role.clone(), invocation.signer.take());
            let request = invoke_api::request(uri, invocation);
            let credentials = match signer {
                Some(context) => aws.caller(&context).await,
                None => aws.credentials(role.as_deref()).await,
            };
            let credentials = credentials.map_err(no_access)?;
            let sent = aws.send(request, &endpoint, &credentials).await;
            sent.map_err(|error| match error {
                AwsError::Client(error) => not_sent(error),
                AwsError::Unsigned(error) => unreachable(error),
            })
        }
    }
}

fn no_access(error: crate::aws::CredentialsError) -> FunctionError {
    FunctionError::new(FunctionErrorKind::AccessDenied).with_source(error)
}

impl Function for Lambda {
    fn invoke(&self, invocation: Invocation) -> FunctionFuture {
        let timeout = invocation.timeout;
        let sent = self.send(invocation, Wanted::Whole);
        Box::pin(in_time(timeout, async {
            invoke_api::reply(sent.await?).await
        }))
    }

    fn invoke_with_response_stream(&self, invocation: Invocation) -> FunctionStreamFuture {
        let timeout = invocation.timeout;
        let sent = self.send(invocation, Wanted::Streamed);
        Box::pin(in_time(timeout, async { invoke_api::stream(sent.await?) }))
    }
}
