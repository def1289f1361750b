//! Functions of typed events: what the runtime of the service does between JSON and a handler.

use std::any::type_name;
use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;

use bytes::Bytes;
use portcullis_core::{Function, FunctionFuture, FunctionReply, Invocation};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tower_service::Service;

/// A closure from an event to a future of a reply.
pub(super) struct Handler<F, T> {
    handler: F,
    event: PhantomData<fn(T)>,
}

impl<F, T> Handler<F, T> {
    pub(super) const fn new(handler: F) -> Self {
        Self {
            handler,
            event: PhantomData,
        }
    }
}

impl<F, T, Fut, R, E> Function for Handler<F, T>
where
    F: Fn(T) -> Fut + Send + Sync + 'static,
    T: DeserializeOwned + 'static,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
    R: Serialize,
    E: Display,
{
    fn invoke(&self, invocation: Invocation) -> FunctionFuture {
        match event(&invocation.payload) {
            Ok(event) => {
                let called = (self.handler)(event);
                Box::pin(async move { Ok(reply(called.await)) })
            }
            Err(failure) => Box::pin(async move { Ok(failure) }),
        }
    }
}

/// A service of events. Each call has a clone of its own.
pub(super) struct EventService<S, T> {
    service: S,
    event: PhantomData<fn(T)>,
}

impl<S, T> EventService<S, T> {
    pub(super) const fn new(service: S) -> Self {
        Self {
            service,
            event: PhantomData,
        }
    }
}

impl<S, T> Function for EventService<S, T>
where
    S: Service<T> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Response: Serialize,
    S::Error: Display,
    T: DeserializeOwned + Send + 'static,
{
    fn invoke(&self, invocation: Invocation) -> FunctionFuture {
        let mut service = self.service.clone();
        Box::pin(async move {
            let event = match event(&invocation.payload) {
                Ok(event) => event,
                Err(failure) => return Ok(failure),
            };
            if let Err(error) = poll_fn(|cx| service.poll_ready(cx)).await {
                return Ok(reply(Err::<S::Response, _>(error)));
            }
            Ok(reply(service.call(event).await))
        })
    }
}

fn event<T: DeserializeOwned>(payload: &Bytes) -> Result<T, FunctionReply> {
    serde_json::from_slice(payload).map_err(|error| {
        let message = format!("the event is not what the function takes: {error}");
        failure(&message, type_name::<serde_json::Error>())
    })
}

fn reply<R: Serialize, E: Display>(outcome: Result<R, E>) -> FunctionReply {
    match outcome {
        Ok(reply) => match serde_json::to_vec(&reply) {
            Ok(json) => FunctionReply::success(json),
            Err(error) => failure(&error.to_string(), type_name::<serde_json::Error>()),
        },
        Err(error) => failure(&error.to_string(), type_name::<E>()),
    }
}

/// The failure as the runtime of the service describes it.
fn failure(message: &str, kind: &str) -> FunctionReply {
    let described = json!({"errorMessage": message, "errorType": kind});
    FunctionReply::failure(described.to_string())
}
