//! The functions that integrations can call, by name.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri};
use portcullis_client::Client;
use portcullis_core::{
    Body, BoxError, Function, FunctionError, FunctionErrorKind, FunctionFuture, FunctionReply,
    Invocation,
};
use tower_service::Service;

use super::remote;
use crate::error::ConfigError;

/// The functions that integrations can call, by name: closures, services, endpoints, fixed answers.
///
/// It is itself a [`Function`], which looks the name up. A name may have a version or alias (`pets:prod`), which goes before
/// the name alone. Clones share the functions.
///
/// ```
/// use portcullis_core::{Function, FunctionReply, Invocation};
/// use portcullis_integrations::Functions;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let functions = Functions::builder()
///     .function("echo", |call: Invocation| async move { Ok(FunctionReply::success(call.payload)) })
///     .mock("prices", serde_json::json!({ "cat": 1 }))
///     .build()?;
/// let reply = functions.invoke(Invocation::new("prices", "{}")).await?;
/// assert_eq!(reply.payload, r#"{"cat":1}"#);
/// assert!(functions.invoke(Invocation::new("none", "{}")).await.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Functions {
    attached: Arc<HashMap<String, Attached>>,
}

/// Builds [`Functions`].
#[derive(Clone, Default)]
#[must_use]
pub struct FunctionsBuilder {
    attached: HashMap<String, Attached>,
    urls: Vec<(String, String)>,
    client: Option<Client>,
}

/// How a function is reached.
#[derive(Clone)]
pub(crate) enum Attached {
    /// It takes events.
    Function(Arc<dyn Function>),
    /// It takes the HTTP request itself.
    Service(Handler),
}

impl Functions {
    /// Starts with none.
    pub fn builder() -> FunctionsBuilder {
        FunctionsBuilder::default()
    }

    /// The function with this name and, if there is one of its own, this qualifier.
    pub(crate) fn get(&self, name: &str, qualifier: Option<&str>) -> Option<&Attached> {
        qualifier
            .and_then(|qualifier| self.attached.get(&format!("{name}:{qualifier}")))
            .or_else(|| self.attached.get(name))
    }
}

impl Function for Functions {
    fn invoke(&self, invocation: Invocation) -> FunctionFuture {
        match self.get(&invocation.name, invocation.qualifier.as_deref()) {
            Some(Attached::Function(function)) => function.invoke(invocation),
            Some(Attached::Service(_)) => {
                let error = FunctionError::new(FunctionErrorKind::AccessDenied)
                    .with_source("it is a handler of HTTP requests and takes no events");
                Box::pin(async { Err(error) })
            }
            None => {
                let error = FunctionError::new(FunctionErrorKind::NotFound)
                    .with_source(format!("nothing is attached to the name `{}`", invocation.name));
                Box::pin(async { Err(error) })
            }
        }
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.attached.keys().collect();
        names.sort();
        f.debug_tuple("Functions").field(&names).finish()
    }
}

impl FunctionsBuilder {
    /// Attaches a function of events: an `async` closure, or anything else that implements [`Function`].
    pub fn function(mut self, name: impl Into<String>, function: impl Function) -> Self {
        self.attached.insert(name.into(), Attached::Function(Arc::new(function)));
        self
    }

    /// Attaches a handler that gets the HTTP request itself: no event is made of it, and no reply is parsed. The request's context
    /// is in its extensions.
    pub fn service<S>(mut self, name: impl Into<String>, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        self.attached.insert(name.into(), Attached::Service(Handler::new(service)));
        self
    }

    /// Reaches a function at an endpoint that speaks the Lambda Invoke API: `http://127.0.0.1:9001`.
    pub fn url(mut self, name: impl Into<String>, url: impl Into<String>) -> Self {
        self.urls.push((name.into(), url.into()));
        self
    }

    /// Answers each call with the same JSON.
    pub fn mock(self, name: impl Into<String>, reply: impl Into<serde_json::Value>) -> Self {
        let reply = Bytes::from(reply.into().to_string());
        self.function(name, move |_call: Invocation| {
            let reply = reply.clone();
            async move { Ok(FunctionReply::success(reply)) }
        })
    }

    /// Sends what goes to endpoints through this client. Needed only with [`url`](Self::url).
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Checks the addresses.
    ///
    /// # Errors
    ///
    /// If an address is not one of HTTP, or there is one and no client.
    pub fn build(mut self) -> Result<Functions, ConfigError> {
        for (name, url) in std::mem::take(&mut self.urls) {
            let field = format!("functions/{name}/url");
            let client = self.client.clone().ok_or_else(|| {
                ConfigError::new(field.clone(), "needs a client: call `client` too")
            })?;
            let endpoint: Uri = url
                .parse()
                .ok()
                .filter(|uri: &Uri| {
                    matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none()
                })
                .ok_or_else(|| {
                    ConfigError::new(field, format!("`{url}` is not an address like `http://127.0.0.1:9001`"))
                })?;
            let function = remote::Endpoint::new(client, &endpoint);
            self.attached.insert(name, Attached::Function(Arc::new(function)));
        }
        Ok(Functions {
            attached: Arc::new(self.attached),
        })
    }
}

impl fmt::Debug for FunctionsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self
            .attached
            .keys()
            .chain(self.urls.iter().map(|(name, _)| name))
            .collect();
        names.sort();
        f.debug_tuple("FunctionsBuilder").field(&names).finish()
    }
}

type HandlerFuture =
    Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

/// A handler of HTTP requests whose type is forgotten.
#[derive(Clone)]
pub(crate) struct Handler {
    call: Arc<dyn Fn(Request<Body>) -> HandlerFuture + Send + Sync>,
}

impl Handler {
    fn new<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        Self {
            call: Arc::new(move |request| {
                let mut service = service.clone();
                Box::pin(async move {
                    poll_fn(|cx| service.poll_ready(cx))
                        .await
                        .map_err(Into::into)?;
                    service.call(request).await.map_err(Into::into)
                })
            }),
        }
    }

    pub(crate) fn call(&self, request: Request<Body>) -> HandlerFuture {
        (self.call)(request)
    }
}

const _: fn() = || {
    fn assert_shared<T: Send + Sync + Clone + 'static>() {}
    assert_shared::<Functions>();
};
