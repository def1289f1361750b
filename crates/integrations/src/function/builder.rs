//! What a registry of functions is built from.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use portcullis_client::Client;
use portcullis_core::{Body, BoxError, Function, FunctionReply, Invocation};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tower_service::Service;

use super::alias::{FunctionAlias, Random};
use super::http_service::{HttpFunction, HttpService};
use super::lambda::Lambda;
use super::local::{Local, MAX_RUNNING};
use super::registry::{Entry, Functions, Known, Named, Qualified};
use super::remote::Remote;
use super::target::target;
use super::typed::{EventService, Handler};
use crate::aws::Aws;
use crate::error::{ConfigError, escape};

/// Builds [`Functions`]. A name may have a version behind a colon, `pets:1`; a later function of the same name takes the place of
/// an earlier one.
///
/// ```
/// use portcullis_core::{FunctionReply, Invocation};
/// use portcullis_integrations::{FunctionAlias, Functions};
/// use serde_json::json;
///
/// let functions = Functions::builder()
///     .function("pets:1", |_call: Invocation| async { Ok(FunctionReply::success("{}")) })
///     .mock("pets:2", json!({"statusCode": 503}))
///     .alias("pets:prod", FunctionAlias::new("1").additional_version_weight("2", 0.1))
///     .build()?;
/// assert!(functions.contains("pets", Some("prod")));
/// assert!(!functions.contains("pets", Some("test")));
/// # Ok::<(), portcullis_integrations::ConfigError>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct FunctionsBuilder {
    attached: BTreeMap<String, Attached>,
    aliases: BTreeMap<String, FunctionAlias>,
    client: Option<Client>,
    aws: Option<Aws>,
    random: Random,
}

#[derive(Clone)]
enum Attached {
    Function(Arc<dyn Function>),
    Service(Arc<dyn HttpFunction>),
    Url(String),
    Lambda(String),
}

impl FunctionsBuilder {
    /// Attaches a function that gets events: a closure, say.
    pub fn function(self, name: impl Into<String>, function: impl Function) -> Self {
        self.attach(name, Attached::Function(Arc::new(function)))
    }

    /// Attaches a closure from an event to a reply, of any types that serde knows: those of `aws_lambda_events`, say. What it takes and gives is the
    /// JSON of the service; an error becomes the function's failure, with its text as `errorMessage`.
    ///
    /// ```
    /// use portcullis_integrations::Functions;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Deserialize)]
    /// #[serde(rename_all = "camelCase")]
    /// struct Event { path_parameters: Option<std::collections::HashMap<String, String>> }
    ///
    /// #[derive(Serialize)]
    /// #[serde(rename_all = "camelCase")]
    /// struct Reply { status_code: u16, body: String }
    ///
    /// let functions = Functions::builder()
    ///     .handler("get-pet", async |event: Event| match event.path_parameters {
    ///         Some(path) => Ok(Reply { status_code: 200, body: path["id"].clone() }),
    ///         None => Err("there is no id"),
    ///     })
    ///     .build()?;
    /// # Ok::<(), portcullis_integrations::ConfigError>(())
    /// ```
    pub fn handler<T, R, E, F, Fut>(self, name: impl Into<String>, handler: F) -> Self
    where
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        T: DeserializeOwned + 'static,
        R: Serialize + 'static,
        E: Display + 'static,
    {
        self.function(name, Handler::new(handler))
    }

    /// Attaches a tower service of events: as [`handler`](Self::handler), for what has layers round it.
    pub fn event_service<T, S>(self, name: impl Into<String>, service: S) -> Self
    where
        S: Service<T> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Response: Serialize,
        S::Error: Display,
        T: DeserializeOwned + Send + 'static,
    {
        self.function(name, EventService::new(service))
    }

    /// Attaches a service that gets HTTP requests, without an event in between. Only proxy integrations can call it.
    ///
    /// The path of a request is the one that the route matched, without stage or base path.
    pub fn service<S, ResBody>(self, name: impl Into<String>, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<ResBody>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        ResBody: http_body::Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Into<BoxError>,
    {
        let name = name.into();
        let service = HttpService::new(&name, service);
        self.attach(name, Attached::Service(Arc::new(service)))
    }

    /// Attaches a function behind an endpoint that speaks the Invoke API of AWS Lambda: `POST {url}/2015-03-31/functions/{name}/invocations`.
    /// A URL with such a path is taken as the whole address. Requests are not signed; the endpoint is told versions and aliases.
    pub fn url(self, name: impl Into<String>, url: impl Into<String>) -> Self {
        self.attach(name, Attached::Url(url.into()))
    }

    /// Attaches a function of AWS Lambda: its ARN, or its name in the region of [`aws`](Self::aws). Requests are signed.
    pub fn lambda(self, name: impl Into<String>, arn: impl Into<String>) -> Self {
        self.attach(name, Attached::Lambda(arn.into()))
    }

    /// Attaches a function that always returns this JSON.
    pub fn mock(self, name: impl Into<String>, json: impl Into<serde_json::Value>) -> Self {
        let json = Bytes::from(json.into().to_string());
        self.function(name, move |_: Invocation| {
            let json = json.clone();
            async move { Ok(FunctionReply::success(json)) }
        })
    }

    /// Gives versions of a function another name: `pets:prod`. Versions that are attached nowhere else are asked of the function itself, if
    /// it is elsewhere.
    pub fn alias(mut self, name: impl Into<String>, alias: FunctionAlias) -> Self {
        self.aliases.insert(name.into(), alias);
        self
    }

    /// The names under which something is attached, those of aliases among them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.attached.keys().chain(self.aliases.keys());
        names.map(String::as_str)
    }

    /// Calls endpoints by this client, which only [`url`](Self::url) needs.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Calls every function that is not attached in AWS Lambda, by its ARN or its name.
    pub fn aws(mut self, aws: Aws) -> Self {
        self.aws = Some(aws);
        self
    }

    /// Chooses between the versions of an alias by these numbers, which are from 0 up to, but not including, 1.
    pub fn random(mut self, source: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.random = Random::new(source);
        self
    }

    /// The registry.
    ///
    /// # Errors
    ///
    /// If a name is none, a URL is not an `http` or `https` address, what reaches it is missing, or an alias names a
    /// version that is not attached.
    pub fn build(self) -> Result<Functions, ConfigError> {
        let mut known = Known {
            elsewhere: self
                .aws
                .clone()
                .map(|aws| Arc::new(Lambda::of_each_call(aws))),
            random: self.random.clone(),
            ..Known::default()
        };
        let running = Arc::new(Semaphore::new(MAX_RUNNING));
        for (full_name, attached) in &self.attached {
            let (name, version) = split(full_name)?;
            let entry = self.entry(full_name, attached, &running)?;
            let named = known.names.entry(name).or_default();
            match version {
                None => named.latest = Some(entry),
                Some(version) => {
                    named.qualified.insert(version, Qualified::Version(entry));
                }
            }
        }
        for (full_name, alias) in &self.aliases {
            let field = format!("/functions/{}", escape(full_name));
            let (name, Some(qualifier)) = split(full_name)? else {
                let fault = "is an alias and must be named like `pets:prod`";
                return Err(ConfigError::new(field, fault));
            };
            if let Some(fault) = alias.fault() {
                return Err(ConfigError::new(field, fault));
            }
            let named = known.names.entry(name.clone()).or_default();
            // A function that nobody attached is elsewhere, and so are its versions.
            if named.latest.is_none() && named.qualified.is_empty() {
                named.latest = elsewhere(&known.elsewhere);
            }
            if let Some(missing) = alias.versions().find(|it| !named.has_version(it)) {
                let fault =
                    format!("names version `{missing}`, and there is no `{name}:{missing}`");
                return Err(ConfigError::new(field, fault));
            }
            let other = named
                .qualified
                .insert(qualifier, Qualified::Alias(alias.clone()));
            if other.is_some() {
                return Err(ConfigError::new(field, "is a version and an alias at once"));
            }
        }
        Ok(Functions::new(known))
    }

    fn entry(
        &self,
        name: &str,
        attached: &Attached,
        running: &Arc<Semaphore>,
    ) -> Result<Entry, ConfigError> {
        let field = |field: &str| format!("/functions/{}/{field}", escape(name));
        Ok(match attached {
            Attached::Function(function) => Entry::Events {
                function: Arc::new(Local::new(Arc::clone(function), Arc::clone(running))),
                is_elsewhere: false,
            },
            Attached::Service(service) => Entry::Service(Arc::clone(service)),
            Attached::Url(url) => {
                let client = self.client.clone();
                let client =
                    client.ok_or_else(|| ConfigError::new(field("url"), "needs a client"))?;
                let remote = Remote::new(url, client)
                    .map_err(|fault| ConfigError::new(field("url"), fault.to_string()))?;
                Entry::Events {
                    function: Arc::new(remote),
                    is_elsewhere: true,
                }
            }
            Attached::Lambda(arn) => {
                let aws = self.aws.clone().ok_or_else(|| {
                    ConfigError::new(field("lambda"), "needs credentials for AWS")
                })?;
                let target = target(arn).ok_or_else(|| {
                    let fault = format!("`{arn}` is no name or ARN of a function");
                    ConfigError::new(field("lambda"), fault)
                })?;
                Entry::Events {
                    function: Arc::new(Lambda::of(aws, target)),
                    is_elsewhere: true,
                }
            }
        })
    }

    fn attach(mut self, name: impl Into<String>, attached: Attached) -> Self {
        self.attached.insert(name.into(), attached);
        self
    }
}

impl Named {
    /// Whether an alias may stand for this version. Aliases of aliases are none.
    fn has_version(&self, version: &str) -> bool {
        match self.qualified.get(version) {
            Some(Qualified::Version(_)) => true,
            Some(Qualified::Alias(_)) => false,
            None => {
                matches!(
                    self.latest,
                    Some(Entry::Events {
                        is_elsewhere: true,
                        ..
                    })
                ) || version == "$LATEST" && self.latest.is_some()
            }
        }
    }
}

fn elsewhere(lambda: &Option<Arc<Lambda>>) -> Option<Entry> {
    let function = Arc::clone(lambda.as_ref()?) as _;
    Some(Entry::Events {
        function,
        is_elsewhere: true,
    })
}

/// A function's name and, behind a colon, its version or alias. An ARN is taken, too.
fn split(full_name: &str) -> Result<(String, Option<String>), ConfigError> {
    let target = target(full_name).ok_or_else(|| {
        ConfigError::new(
            format!("/functions/{}", escape(full_name)),
            "is no name of a function: letters, digits, `-` and `_`, and a version behind a colon",
        )
    })?;
    let qualifier = target.qualifier.as_deref().filter(|it| *it != "$LATEST");
    Ok((target.name.to_string(), qualifier.map(str::to_owned)))
}

impl fmt::Debug for FunctionsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.attached.keys().chain(self.aliases.keys()).collect();
        f.debug_tuple("FunctionsBuilder").field(&names).finish()
    }
}
