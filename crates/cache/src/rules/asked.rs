//! What a request asks for, as far as a cache looks at it.

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body::Body;
use portcullis_core::{Release, RequestContext};

use crate::key::KeyBuilder;

/// The head of a request, and what is known of it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) context: Option<&'a RequestContext>,
    /// It has a body, of which an origin may read what is no part of the key.
    pub(crate) has_body: bool,
    /// The body, where it has been read because the key needs it.
    pub(crate) body: Option<&'a [u8]>,
}

impl<'a> Asked<'a> {
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            context: request.extensions().get(),
            has_body: false,
            body: None,
        }
    }

    /// With what its body says of itself. Without a length, only that tells.
    pub(crate) fn with_body<B: Body>(request: &'a Request<B>) -> Self {
        Self {
            has_body: !request.body().is_end_stream(),
            ..Self::of(request)
        }
    }

    /// Path and query.
    pub(crate) fn target(&self) -> &'a str {
        self.uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str)
    }

    /// Whether the target and `Host` name different hosts.
    pub(crate) fn has_two_hosts(&self, host: Option<&HeaderValue>) -> bool {
        let (Some(authority), Some(host)) = (self.uri.authority(), host) else {
            return false;
        };
        !host
            .as_bytes()
            .eq_ignore_ascii_case(authority.as_str().as_bytes())
    }

    /// What its headers say, found in one walk.
    pub(crate) fn scan(&self) -> Scan<'a> {
        let mut scan = Scan {
            has_body: self.has_body,
            ..Scan::default()
        };
        for (name, value) in self.headers {
            if *name == HOST {
                scan.has_two_hosts |= scan.host.is_some();
                scan.host = Some(value);
            } else if *name == CACHE_CONTROL {
                scan.has_cache_control = true;
            } else if *name == AUTHORIZATION {
                scan.has_authorization = true;
            } else if *name == CONTENT_LENGTH {
                scan.has_body |= value.as_bytes() != b"0";
            } else if *name == TRANSFER_ENCODING {
                scan.has_body = true;
            } else if *name == UPGRADE {
                scan.upgrades = true;
            } else {
                match Steering::of(name, value) {
                    Some(Steering::Method) => scan.overrides_method = true,
                    Some(Steering::Target) => scan.is_steered = true,
                    None => {}
                }
            }
        }
        scan.has_two_hosts |= self.has_two_hosts(scan.host);
        scan
    }
}

/// What the headers of a request say to a cache.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan<'a> {
    pub(crate) host: Option<&'a HeaderValue>,
    pub(crate) has_cache_control: bool,
    pub(crate) has_authorization: bool,
    pub(crate) has_body: bool,
    /// It names different hosts, of which an origin may believe either.
    pub(crate) has_two_hosts: bool,
    /// It asks for another protocol.
    pub(crate) upgrades: bool,
    /// It asks the origin to take it for a request with another method.
    pub(crate) overrides_method: bool,
    /// It says of itself what some origins put into their answers.
    pub(crate) is_steered: bool,
}

/// Whether some origins take one header for the other: to programs that are called by CGI and its like, an underscore is a dash.
pub(crate) fn is_taken_for(name: &HeaderName, other: &HeaderName) -> bool {
    let (name, other) = (name.as_str().as_bytes(), other.as_str().as_bytes());
    let dashed = |byte: u8| if byte == b'_' { b'-' } else { byte };
    name.len() == other.len()
        && name
            .iter()
            .zip(other)
            .all(|(one, other)| dashed(*one) == dashed(*other))
}

/// What a header does to an origin that believes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Steering {
    Method,
    Target,
}

impl Steering {
    /// Headers that frameworks read by default, or commonly: a response that was made for one must not reach those who did not send it.
    fn of(name: &HeaderName, value: &HeaderValue) -> Option<Self> {
        let name = name.as_str();
        // Nearly all headers end here.
        if !matches!(name.as_bytes(), [b'x', b'-' | b'_', ..] | [b'f', ..]) {
            return None;
        }
        let dashed;
        let name = if name.contains('_') {
            dashed = name.replace('_', "-");
            &*dashed
        } else {
            name
        };
        match name {
            "x-http-method-override" | "x-http-method" | "x-method-override" => Some(Self::Method),
            "x-forwarded-host"
            | "x-forwarded-server"
            | "x-forwarded-proto"
            | "x-forwarded-protocol"
            | "x-scheme"
            | "x-forwarded-scheme"
            | "x-forwarded-port"
            | "x-forwarded-prefix"
            | "x-forwarded-path"
            | "x-forwarded-uri"
            | "x-forwarded-ssl"
            | "x-host"
            | "x-original-host"
            | "x-http-host-override"
            | "x-original-url"
            | "x-original-uri"
            | "x-envoy-original-path"
            | "x-rewrite-url"
            | "x-url-scheme"
            | "front-end-https" => Some(Self::Target),
            // It also names the client, which makes no difference to what is answered.
            "forwarded" => {
                let value = value.as_bytes().to_ascii_lowercase();
                let says = |word: &[u8]| value.windows(word.len()).any(|part| part == word);
                (says(b"host=") || says(b"proto=")).then_some(Self::Target)
            }
            _ => None,
        }
    }
}

/// Writes what decides about the response of a request, whatever the rules say: method, host, deployment, release (if releases are kept `apart`), and headers
/// that steer origins.
pub(crate) fn write_base(asked: &Asked<'_>, scan: &Scan<'_>, apart: bool, key: &mut KeyBuilder) {
    key.part(asked.method.as_str().as_bytes());
    // A target in absolute form goes before the header, as it does for the origin.
    match (asked.uri.authority(), scan.host) {
        (Some(authority), _) => key.lower_part(authority.as_str().as_bytes()),
        (None, Some(host)) => key.lower_part(host.as_bytes()),
        (None, None) => key.absent(),
    }
    if scan.is_steered {
        for (name, value) in asked.headers {
            if Steering::of(name, value) == Some(Steering::Target) {
                key.part(name.as_str().as_bytes());
                key.part(value.as_bytes());
            }
        }
    }
    key.absent();
    // A request without a context is one without a deployment.
    let stage = asked.context.and_then(RequestContext::stage);
    match stage.and_then(|stage| stage.deployment_id.as_deref()) {
        Some(deployment) => key.part(deployment.as_bytes()),
        None => key.absent(),
    }
    if apart && let Some(Release::Canary(name)) = asked.context.map(RequestContext::release) {
        key.part(name.as_bytes());
    }
    key.absent();
}
