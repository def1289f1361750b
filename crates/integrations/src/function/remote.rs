//! Functions behind an endpoint that speaks the Invoke API of AWS Lambda.

use http::{Request, Response, Uri};
use portcullis_client::{Client, ResponseBody};
use portcullis_core::{
    Body, BoxError, Function, FunctionError, FunctionFuture, FunctionStream, FunctionStreamFuture,
    Invocation,
};

use super::invoke_api::{self, Wanted, in_time, not_sent, unreachable};
use crate::uri::{UriFault, UriTemplate};

/// One function elsewhere. Its calls are not signed.
#[derive(Debug)]
pub(super) struct Remote {
    url: String,
    /// The URL is the whole address, not only where the API starts.
    is_complete: bool,
    client: Client,
}

impl Remote {
    pub(super) fn new(url: &str, client: Client) -> Result<Self, UriFault> {
        UriTemplate::parse(url)?;
        if url.contains(['?', '#', '{']) {
            return Err(UriFault::NotAnAddress(url.to_owned()));
        }
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            is_complete: url.contains("/2015-03-31/functions/"),
            client,
        })
    }

    fn uri(&self, invocation: &Invocation, wanted: Wanted) -> Result<Uri, BoxError> {
        let mut uri = self.url.clone();
        let qualifier = invocation.qualifier.as_deref();
        if self.is_complete {
            invoke_api::push_qualifier(&mut uri, qualifier);
        } else {
            uri += &invoke_api::path_and_query(&invocation.name, qualifier, wanted);
        }
        Ok(uri.parse::<Uri>()?)
    }

    /// A call, ready to be sent.
    fn call(
        &self,
        invocation: Invocation,
        wanted: Wanted,
    ) -> Result<(Client, Request<Body>), FunctionError> {
        let uri = self.uri(&invocation, wanted).map_err(unreachable)?;
        let request = invoke_api::request(uri, invocation).map(Body::from);
        Ok((self.client.clone(), request))
    }
}

async fn send(
    (client, request): (Client, Request<Body>),
) -> Result<Response<ResponseBody>, FunctionError> {
    client.send(request).await.map_err(not_sent)
}

impl Function for Remote {
    fn invoke(&self, invocation: Invocation) -> FunctionFuture {
        let timeout = invocation.timeout;
        let call = self.call(invocation, Wanted::Whole);
        Box::pin(in_time(timeout, async {
            invoke_api::reply(send(call?).await?).await
        }))
    }

    fn invoke_with_response_stream(&self, invocation: Invocation) -> FunctionStreamFuture {
        // The address of an emulator is for one way of calling, and that is not this one.
        if self.is_complete {
            let reply = self.invoke(invocation);
            return Box::pin(async { Ok(FunctionStream::from(reply.await?)) });
        }
        let timeout = invocation.timeout;
        let call = self.call(invocation, Wanted::Streamed);
        Box::pin(in_time(timeout, async {
            invoke_api::stream(send(call?).await?)
        }))
    }
}
