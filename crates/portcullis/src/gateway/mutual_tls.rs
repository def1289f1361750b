//! Which domains ask for a certificate of the client, and whether a request may pass for one of theirs.

use crate::auth::mtls::ClientCertLayer;
use crate::core::{
    Decision, Guard, Head, Rejection, RejectionKind, RequestContext, TrustedProxies, Verdict,
};
use crate::stages::HostMap;

/// The domains of a gateway, by what they ask of clients.
#[derive(Debug)]
pub(super) struct MutualTls {
    /// By the same rules as those of the resolver: whatever names a domain there names it here.
    pub(super) domains: HostMap<Asking>,
    /// For hosts that ask for nothing, where proxies pass certificates on.
    pub(super) elsewhere: Option<ClientCertLayer>,
    /// Those that pass certificates on.
    pub(super) proxies: TrustedProxies,
}

/// What a domain asks of clients.
#[derive(Debug)]
pub(super) struct Asking {
    /// As it is configured.
    pub(super) domain: String,
    /// Absent where it asks for nothing.
    pub(super) layer: Option<ClientCertLayer>,
}

impl MutualTls {
    /// Whether a request to `host` may go on.
    pub(super) fn check(&self, host: Option<&str>, head: &Head<'_>) -> Result<(), Rejection> {
        let domain = host.and_then(|host| self.domains.find(host));
        let asking = domain.and_then(|domain| Some((&*domain.domain, domain.layer.as_ref()?)));
        let Some((name, layer)) = asking else {
            return self
                .elsewhere
                .as_ref()
                .map_or(Ok(()), |layer| ask(layer, head));
        };
        let connection = head.context().and_then(RequestContext::connection);
        let passed_on =
            connection.is_some_and(|connection| self.proxies.trusts(connection.peer.ip()));
        if !passed_on {
            // The listener asked by the name that the connection was opened to; this request may name another.
            let tls = connection.and_then(|connection| connection.tls.as_ref());
            let asked = tls.and_then(|tls| tls.server_name.as_deref());
            let asked = asked.and_then(|asked| self.domains.find(asked));
            if asked.is_none_or(|asked| asked.domain != name) {
                let decision =
                    Decision::new("gateway", "mtls/another-name").with("domain", name.to_owned());
                return Err(Rejection::new(RejectionKind::UnknownStage).with_decision(decision));
            }
        }
        ask(layer, head)
    }
}

fn ask(layer: &ClientCertLayer, head: &Head<'_>) -> Result<(), Rejection> {
    match layer.check(head) {
        Verdict::Pass => Ok(()),
        Verdict::Refuse(rejection) => Err(rejection),
        // It never has to wait.
        Verdict::Ask(_) => Err(RejectionKind::AuthorizerFailure.into()),
    }
}
