//! Functions in this process.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use portcullis_core::{
    Function, FunctionError, FunctionErrorKind, FunctionFuture, FunctionReply, FunctionStream,
    FunctionStreamFuture, Invocation,
};
use serde_json::json;
use tokio::sync::Semaphore;

/// So many asynchronous calls run at once, as many as an account of the service may have by default.
pub(super) const MAX_RUNNING: usize = 1_000;

/// A function in this process. Its panic is its failure, and an asynchronous call of it is a task.
pub(super) struct Local {
    function: Arc<dyn Function>,
    running: Arc<Semaphore>,
}

impl Local {
    pub(super) fn new(function: Arc<dyn Function>, running: Arc<Semaphore>) -> Self {
        Self { function, running }
    }
}

impl Function for Local {
    fn invoke(&self, invocation: Invocation) -> FunctionFuture {
        let (name, asynchronous) = (Arc::clone(&invocation.name), invocation.asynchronous);
        let called = catch_unwind(AssertUnwindSafe(|| self.function.invoke(invocation)));
        let call = Guarded { called, name };
        if !asynchronous {
            return Box::pin(async move { call.await.unwrap_or_else(|crash| Ok(crash.reply())) });
        }
        let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() else {
            let error = FunctionError::new(FunctionErrorKind::Throttled)
                .with_source(format!("{MAX_RUNNING} asynchronous calls run already"));
            return Box::pin(async move { Err(error) });
        };
        // Nobody waits for it, so its outcome is only logged.
        tokio::spawn(async move {
            let _permit = permit;
            let name = Arc::clone(&call.name);
            if let Ok(Err(error)) = call.await {
                tracing::warn!(function = &*name, %error, "an asynchronous call failed");
            }
        });
        let mut accepted = FunctionReply::success(Bytes::new());
        accepted.status = 202;
        Box::pin(async { Ok(accepted) })
    }

    fn invoke_with_response_stream(&self, invocation: Invocation) -> FunctionStreamFuture {
        let name = Arc::clone(&invocation.name);
        let called = catch_unwind(AssertUnwindSafe(|| {
            self.function.invoke_with_response_stream(invocation)
        }));
        let call = Guarded { called, name };
        Box::pin(async move {
            call.await
                .unwrap_or_else(|crash| Ok(FunctionStream::from(crash.reply())))
        })
    }
}

/// A call whose panic ends it, and not the connection that it runs on.
pub(super) struct Guarded<T> {
    called: Result<Pin<Box<dyn Future<Output = T> + Send>>, Box<dyn Any + Send>>,
    name: Arc<str>,
}

impl<T> Guarded<T> {
    pub(super) fn new(name: Arc<str>, call: Pin<Box<dyn Future<Output = T> + Send>>) -> Self {
        Self {
            called: Ok(call),
            name,
        }
    }
}

/// What a panic said.
#[derive(Debug)]
pub(super) struct Crash(String);

impl Crash {
    fn of(panic: &(dyn Any + Send), name: &str) -> Self {
        let said = panic.downcast_ref::<&str>().copied();
        let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let said = said.unwrap_or("it panicked").to_owned();
        tracing::error!(function = name, panic = said, "a function panicked");
        Self(said)
    }

    /// The failure as the runtime of the service describes it.
    fn reply(&self) -> FunctionReply {
        let described = json!({"errorMessage": self.0, "errorType": "panic"});
        FunctionReply::failure(described.to_string())
    }
}

impl Display for Crash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "it panicked: {}", self.0)
    }
}

impl<T> Future for Guarded<T> {
    type Output = Result<T, Crash>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let panic = match &mut this.called {
            Ok(call) => match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
                Ok(polled) => return polled.map(Ok),
                Err(panic) => panic,
            },
            Err(panic) => std::mem::replace(panic, Box::new(())),
        };
        Poll::Ready(Err(Crash::of(&*panic, &this.name)))
    }
}
