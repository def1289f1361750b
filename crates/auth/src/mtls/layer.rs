//! The layer, which is a guard as well.

use std::fmt;
use std::sync::Arc;

use portcullis_core::{
    Clock, Decision, Guard, GuardLayer, Guarded, Head, Mode, Never, Rejection, RejectionKind,
    RequestContext, SystemClock, TrustedProxies, Verdict,
};
use tower_layer::Layer;

use super::certificate;
use super::proxy::ProxyHeader;
use super::truststore::Truststore;

/// Lets requests through whose client showed a certificate, to the listener or to a trusted proxy, and puts what it says into their
/// [`RequestContext`].
///
/// See the [module's front page](super) for an example. What the connection has was checked by its listener. What a proxy passes on is
/// believed if the connection came from one of the trusted proxies, and checked against a [truststore](Self::truststore), if there is one.
#[derive(Clone)]
#[must_use]
pub struct ClientCertLayer {
    shared: Arc<Shared>,
}

#[derive(Clone)]
struct Shared {
    proxies: Option<(TrustedProxies, ProxyHeader)>,
    truststore: Option<Truststore>,
    optional: bool,
    clock: Arc<dyn Clock>,
    mode: Mode,
}

impl ClientCertLayer {
    /// A layer that asks for the certificate of the connection.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                proxies: None,
                truststore: None,
                optional: false,
                clock: Arc::new(SystemClock::new()),
                mode: Mode::Enforce,
            }),
        }
    }

    /// Takes the certificate from this header, too, where the connection came from one of these proxies. From others the header means nothing.
    pub fn from_proxies(self, proxies: TrustedProxies, header: ProxyHeader) -> Self {
        self.with(|shared| shared.proxies = Some((proxies, header)))
    }

    /// Checks the certificates that proxies pass on against this truststore. Without one they are taken as the proxies give them.
    pub fn truststore(self, truststore: Truststore) -> Self {
        self.with(|shared| shared.truststore = Some(truststore))
    }

    /// Lets requests without a certificate pass, too. One that is not good is refused all the same.
    pub fn optional(self) -> Self {
        self.with(|shared| shared.optional = true)
    }

    /// Takes the time from `clock`.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.with(|shared| shared.clock = clock)
    }

    /// **Lets every request through** and only writes down what would be refused.
    pub fn dangerous_observe(self) -> Self {
        tracing::warn!("client certificates are only observed: requests pass without one");
        self.with(|shared| shared.mode = Mode::Observe)
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }
}

impl Default for ClientCertLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn check(&self, head: &Head<'_>) -> Result<(), Rejection> {
        let context = head.context();
        let der = match self.proxy_header(head) {
            // The connection's certificate would be the proxy's own.
            Some(header) => header
                .certificate(head.headers())
                .map_err(|error| refusal("mtls/unreadable", Some(error.to_string())))?,
            None if context.is_some_and(|context| context.client_certificate().is_some()) => {
                return Ok(());
            }
            None => None,
        };
        let Some(der) = der else {
            return if self.optional {
                Ok(())
            } else {
                Err(refusal("mtls/no-certificate", None))
            };
        };
        let read = certificate::read(&der)
            .map_err(|error| refusal("mtls/unreadable", Some(error.to_string())))?;
        if let Some(truststore) = &self.truststore
            && !truststore.vouches_for(&der, self.clock.wall())
        {
            return Err(refusal("mtls/not-trusted", Some(read.subject_dn)));
        }
        if let Some(context) = context {
            context.set_client_certificate(read);
        }
        Ok(())
    }

    /// The header to look into, if the request came from a trusted proxy.
    fn proxy_header(&self, head: &Head<'_>) -> Option<&ProxyHeader> {
        let (proxies, header) = self.proxies.as_ref()?;
        let connection = head.context().and_then(RequestContext::connection)?;
        proxies.trusts(connection.peer.ip()).then_some(header)
    }
}

fn refusal(rule: &'static str, why: Option<String>) -> Rejection {
    let mut decision = Decision::new("auth", rule);
    if let Some(why) = why {
        decision = decision.with("certificate", why);
    }
    Rejection::new(RejectionKind::UnknownStage).with_decision(decision)
}

impl Guard for ClientCertLayer {
    type Ask = Never;

    const NEEDS_CONTEXT: bool = true;

    const NAME: &'static str = "client-certificate";

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        match self.shared.check(head) {
            Ok(()) => Verdict::Pass,
            Err(rejection) => Verdict::Refuse(rejection),
        }
    }

    fn mode(&self) -> Mode {
        self.shared.mode
    }
}

impl<S> Layer<S> for ClientCertLayer {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Guarded<S, Self> {
        GuardLayer::new(self.clone()).layer(inner)
    }
}

impl fmt::Debug for ClientCertLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertLayer")
            .field("proxies", &self.shared.proxies)
            .field("truststore", &self.shared.truststore)
            .field("optional", &self.shared.optional)
            .finish_non_exhaustive()
    }
}
