//! Which domains ask for a certificate of the client, and whether a request may pass for one of theirs.

use std::collections::HashMap;

use crate::auth::mtls::ClientCertLayer;
use crate::core::{
    Decision, Guard, Head, Rejection, RejectionKind, RequestContext, TrustedProxies, Verdict,
};

/// The domains of a gateway, by what they ask of clients.
#[derive(Debug)]
pub(super) struct MutualTls {
    /// By name in lower case, as it is configured; those that ask for nothing have no layer.
    pub(super) domains: HashMap<String, Option<ClientCertLayer>>,
    /// For hosts that ask for nothing, where proxies pass certificates on.
    pub(super) elsewhere: Option<ClientCertLayer>,
    /// Those that pass certificates on.
    pub(super) proxies: TrustedProxies,
}

impl MutualTls {
    /// Whether a request to `host` may go on.
    pub(super) fn check(&self, host: Option<&str>, head: &Head<'_>) -> Result<(), Rejection> {
        let domain = host.and_then(|host| self.domain(host));
        let Some((name, Some(layer))) = domain else {
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
            let asked = asked.and_then(|asked| self.domain(asked));
            if asked.is_none_or(|(asked, _)| asked != name) {
                let decision =
                    Decision::new("gateway", "mtls/another-name").with("domain", name.to_owned());
                return Err(Rejection::new(RejectionKind::UnknownStage).with_decision(decision));
            }
        }
        ask(layer, head)
    }

    /// The domain of this host: the one of its name, or a wildcard.
    fn domain(&self, host: &str) -> Option<(&str, Option<&ClientCertLayer>)> {
        let host = normal(host);
        let own = self.domains.get_key_value(&host);
        let wild = || {
            self.domains
                .get_key_value(&format!("*.{}", host.split_once('.')?.1))
        };
        let (name, layer) = own.or_else(wild)?;
        Some((name, layer.as_ref()))
    }
}

/// The host without ports and trailing dots, in lower case: whatever names a domain to the resolver names it here.
pub(super) fn normal(host: &str) -> String {
    let mut host = host;
    loop {
        let bare = match host.rsplit_once(':') {
            // A colon within brackets belongs to an address.
            Some((before, port)) if !port.contains(']') => before,
            _ => host,
        };
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        if bare.len() == host.len() {
            return host.to_ascii_lowercase();
        }
        host = bare;
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
