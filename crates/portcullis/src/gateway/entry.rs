//! How requests come in: who the client is, and from which network.

use std::net::IpAddr;

use http::Request;

use super::edge::Edge;
use crate::auth::access::VpcEndpoints;
use crate::core::{Connection, RequestContext, TrustedProxies};
use crate::stages::Lookup;

/// What a gateway knows of the ways to it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) proxies: TrustedProxies,
    pub(super) endpoints: VpcEndpoints,
    pub(super) edge: Edge,
    /// Every network is as good as a private one: auth is skipped.
    pub(super) open: bool,
}

impl Entry {
    /// The client, as far as that can be said without knowing which API is meant.
    pub(super) fn client<B>(
        &self,
        request: &Request<B>,
        context: &RequestContext,
    ) -> Option<IpAddr> {
        let peer = peer_of(context)?;
        Some(self.proxies.client(peer, request.headers()))
    }

    /// What the resolver is asked about a request of `client` to `host`.
    pub(super) fn lookup<'r, B>(
        &self,
        request: &'r Request<B>,
        host: Option<&'r str>,
        context: &'r RequestContext,
        client: Option<IpAddr>,
    ) -> Lookup<'r> {
        let private = client.is_some_and(|client| self.endpoints.of(client).is_some());
        let lookup = Lookup::new(host, request.uri().path())
            .headers(request.headers())
            .private(self.open || private);
        let tls = context.connection().and_then(|own| own.tls.as_ref());
        match tls.and_then(|tls| tls.server_name.as_deref()) {
            Some(name) => lookup.server_name(name),
            None => lookup,
        }
    }

    /// Says who the client of a request to an API of this endpoint type is. Of an edge-optimised one the content network in front knows better.
    pub(super) fn enter<B>(
        &self,
        endpoint_type: Option<&str>,
        request: &mut Request<B>,
        context: &RequestContext,
        client: Option<IpAddr>,
    ) {
        let viewer = match endpoint_type {
            Some("EDGE") => self.viewer(request, context),
            _ => None,
        };
        if let Some(client) = viewer.or(client) {
            context.set_client(client);
        }
    }

    fn viewer<B>(&self, request: &mut Request<B>, context: &RequestContext) -> Option<IpAddr> {
        let headers = request.headers_mut();
        if peer_of(context).is_some_and(|peer| self.proxies.trusts(peer)) {
            return self.edge.passed_on(headers);
        }
        self.edge.strip(headers);
        None
    }
}

fn peer_of(context: &RequestContext) -> Option<IpAddr> {
    let connection: &Connection = context.connection()?;
    Some(connection.peer.ip())
}
