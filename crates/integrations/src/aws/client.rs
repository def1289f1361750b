//! One way to all AWS services.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use portcullis_client::{Client, ClientError, ResponseBody};
use portcullis_core::{Body, BoxError, Clock, RequestContext, SystemClock};

use super::credentials::{Credentials, CredentialsError};
use super::endpoint::Endpoint;
use super::kept::Kept;
use super::sign::sign;
use super::source::CredentialsSource;
use super::sts::{self, Role};
use crate::error::ConfigError;

/// Calls AWS services: remote functions, actions and objects. Clones share credentials and connections.
///
/// ```
/// use portcullis_client::{Client, ClientError};
/// use portcullis_integrations::{Aws, Credentials};
///
/// let client = Client::builder().build()?;
/// let aws = Aws::builder(client, Credentials::new("AKIDEXAMPLE", "secret"))
///     .region("eu-west-1")
///     .endpoint("http://127.0.0.1:5000") // not Amazon's own
///     .build()?;
/// assert_eq!(aws.region(), "eu-west-1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Aws {
    shared: Arc<Shared>,
}

struct Shared {
    wire: Wire,
    own: Kept,
    assume_roles: bool,
    callers: Option<Callers>,
    /// The roles that were assumed so far. There are as many as definitions name.
    roles: Mutex<HashMap<String, Kept>>,
}

/// Gives the credentials of whoever signed a request.
type Callers = Arc<dyn Fn(&RequestContext) -> CallerFuture + Send + Sync>;

type CallerFuture =
    Pin<Box<dyn Future<Output = Result<Option<Credentials>, CredentialsError>> + Send>>;

/// What a request needs besides credentials.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) client: Client,
    pub(super) region: String,
    pub(super) clock: Arc<dyn Clock>,
    endpoint: Option<(Scheme, Authority)>,
}

/// Why a request got no answer.
#[derive(Debug)]
pub(crate) enum AwsError {
    /// It has something in it that cannot be signed.
    Unsigned(BoxError),
    Client(ClientError),
}

/// Builds [`Aws`].
#[derive(Clone)]
#[must_use]
pub struct AwsBuilder {
    client: Client,
    source: CredentialsSource,
    region: String,
    endpoint: Option<String>,
    assume_roles: bool,
    callers: Option<Callers>,
    clock: Arc<dyn Clock>,
}

impl Aws {
    /// Starts with the client and the credentials to use.
    pub fn builder(client: Client, credentials: impl Into<CredentialsSource>) -> AwsBuilder {
        AwsBuilder {
            client,
            source: credentials.into(),
            region: "us-east-1".to_owned(),
            endpoint: None,
            assume_roles: false,
            callers: None,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// The region of calls that name none.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.shared.wire.region
    }

    /// Whether the roles that integrations name are assumed.
    #[must_use]
    pub fn assumes_roles(&self) -> bool {
        self.shared.assume_roles
    }

    /// Whether calls can be made as whoever signed the request.
    #[must_use]
    pub fn knows_callers(&self) -> bool {
        self.shared.callers.is_some()
    }

    /// The credentials of whoever signed a request.
    pub(crate) async fn caller(
        &self,
        context: &RequestContext,
    ) -> Result<Credentials, CredentialsError> {
        let found = match &self.shared.callers {
            Some(callers) => callers(context).await?,
            None => None,
        };
        found.ok_or_else(|| CredentialsError::new("the caller's own credentials are not known"))
    }

    /// Where all services are, if not at Amazon.
    pub(crate) fn origin(&self) -> Option<String> {
        let (scheme, authority) = self.shared.wire.endpoint.as_ref()?;
        Some(format!("{scheme}://{authority}"))
    }

    /// The credentials of a call for which a definition names this role.
    pub(crate) async fn credentials(
        &self,
        role: Option<&str>,
    ) -> Result<Credentials, CredentialsError> {
        match role {
            Some(role) if self.shared.assume_roles => self.role(role).get().await,
            _ => self.shared.own.get().await,
        }
    }

    fn role(&self, arn: &str) -> Kept {
        let roles = self.shared.roles.lock();
        let mut roles = roles.unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = roles.get(arn) {
            return kept.clone();
        }
        let (wire, own) = (self.shared.wire.clone(), self.shared.own.clone());
        let clock = Arc::clone(&wire.clock);
        let role = Arc::new(Role::new(arn));
        let provider = move || {
            let (wire, own, role) = (wire.clone(), own.clone(), Arc::clone(&role));
            async move {
                let own = own.get().await?;
                sts::assume_role(&wire, &role, &own).await
            }
        };
        let kept = Kept::new(Arc::new(provider), clock);
        roles.insert(arn.to_owned(), kept.clone());
        kept
    }

    /// The address of a path and query of a service.
    pub(crate) fn uri(&self, endpoint: &Endpoint, target: &str) -> Result<Uri, BoxError> {
        self.shared.wire.uri(endpoint, target)
    }

    /// Signs a request and sends it.
    pub(crate) async fn send(
        &self,
        mut request: Request<Bytes>,
        endpoint: &Endpoint,
        credentials: &Credentials,
    ) -> Result<Response<ResponseBody>, AwsError> {
        let wire = &self.shared.wire;
        sign(&mut request, endpoint, credentials, wire.clock.wall()).map_err(AwsError::Unsigned)?;
        let sent = wire.client.send(request.map(Body::from)).await;
        sent.map_err(AwsError::Client)
    }
}

impl Wire {
    pub(super) fn uri(&self, endpoint: &Endpoint, target: &str) -> Result<Uri, BoxError> {
        let builder = match &self.endpoint {
            Some((scheme, authority)) => Uri::builder()
                .scheme(scheme.clone())
                .authority(authority.clone()),
            None => Uri::builder()
                .scheme(Scheme::HTTPS)
                .authority(&*endpoint.host),
        };
        Ok(builder.path_and_query(target).build()?)
    }
}

impl AwsBuilder {
    /// The region of calls that name none. By default `us-east-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Calls every service at this origin (`http://127.0.0.1:5000`) instead of Amazon's: one endpoint that knows them all, as emulators have.
    /// For one service alone [`Upstreams`](portcullis_client::Upstreams) lead elsewhere.
    pub fn endpoint(mut self, origin: impl Into<String>) -> Self {
        self.endpoint = Some(origin.into());
        self
    }

    /// Whether the role that an integration names is assumed for its calls. By default it is not, and
    /// the credentials given here sign every call: roles that trust Amazon's gateway do not trust this one.
    pub const fn assume_roles(mut self, assume: bool) -> Self {
        self.assume_roles = assume;
        self
    }

    /// Knows the credentials of whoever signed a request, for integrations that call as the caller (`arn:aws:iam::*:user/*`). Without it they are
    /// refused, and so is a request whose signer it does not know.
    ///
    /// ```
    /// use portcullis_client::{Client, ClientError};
    /// use portcullis_core::RequestContext;
    /// use portcullis_integrations::{Aws, Credentials};
    ///
    /// let aws = Aws::builder(Client::builder().build()?, Credentials::new("AKIDEXAMPLE", "secret"))
    ///     .callers(|context: &RequestContext| {
    ///         let signer = context.identity().access_key; // set once its signature was verified
    ///         async move { Ok(signer.map(|id| Credentials::new(&*id, "from the vault"))) }
    ///     })
    ///     .build()?;
    /// assert!(aws.knows_callers());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn callers<F, Fut>(mut self, credentials: F) -> Self
    where
        F: Fn(&RequestContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Credentials>, CredentialsError>> + Send + 'static,
    {
        self.callers = Some(Arc::new(move |context: &RequestContext| {
            Box::pin(credentials(context)) as CallerFuture
        }));
        self
    }

    /// Takes the time from here.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The way to the services.
    ///
    /// # Errors
    ///
    /// If the endpoint is no origin, or it is clear that the credentials cannot be had: a variable that is not set, a
    /// profile that is not in the file.
    pub fn build(self) -> Result<Aws, ConfigError> {
        let endpoint = match &self.endpoint {
            Some(text) => Some(origin(text)?),
            None => None,
        };
        if !is_region(&self.region) {
            let fault = format!("`{}` is no region", self.region);
            return Err(ConfigError::new("/region", fault));
        }
        let wire = Wire {
            client: self.client,
            region: self.region,
            clock: self.clock,
            endpoint,
        };
        let provider = self.source.resolve(&wire)?;
        Ok(Aws {
            shared: Arc::new(Shared {
                own: Kept::new(provider, Arc::clone(&wire.clock)),
                wire,
                assume_roles: self.assume_roles,
                callers: self.callers,
                roles: Mutex::default(),
            }),
        })
    }
}

fn origin(text: &str) -> Result<(Scheme, Authority), ConfigError> {
    let parts = text.parse::<Uri>().ok().map(Uri::into_parts);
    let parts = parts.filter(|parts| {
        parts
            .path_and_query
            .as_ref()
            .is_none_or(|path| path.as_str() == "/")
    });
    match parts.map(|parts| (parts.scheme, parts.authority)) {
        Some((Some(scheme), Some(authority)))
            if scheme == Scheme::HTTP || scheme == Scheme::HTTPS =>
        {
            Ok((scheme, authority))
        }
        _ => {
            let fault = format!("`{text}` is not an origin such as `http://127.0.0.1:5000`");
            Err(ConfigError::new("/endpoint", fault))
        }
    }
}

/// Whether this can be a region: it becomes part of hosts' names.
pub(crate) fn is_region(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(allowed)
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws")
            .field("region", &self.shared.wire.region)
            .field("endpoint", &self.shared.wire.endpoint)
            .field("assume_roles", &self.shared.assume_roles)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AwsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsBuilder")
            .field("source", &self.source)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("assume_roles", &self.assume_roles)
            .finish_non_exhaustive()
    }
}
