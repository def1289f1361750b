//! The mapping of requests and responses: what `MOCK`, `HTTP` and `AWS` integrations have and proxies have not.
//!
//! A backend is called in three steps, whatever it is:
//!
//! ```text
//! let (mut asked, body) = request.into_parts();
//! complete_head(&mut asked, context);
//! let mut mapped = mapping.request.map(&asked, body, settings, context).await?;   // parameters and a body
//! let (headers, body) = …                                                         // the backend sends them
//! let reply = Reply { outcome, headers, body };
//! mapping.responses.answer(&asked, reply, mapped.carried, settings, context).await // the client's response
//! ```
//!
//! `asked` is the head of the client's request, which both directions read.

mod overrides;
mod parameters;
mod payload;
mod request;
mod response;
mod scene;
mod template;

use http::header::{HOST, HeaderValue};
use http::request::Parts;
use portcullis_core::RequestContext;

use crate::forwarded::add_x_forwarded;

pub(crate) use self::overrides::Carried;
pub(crate) use self::parameters::{Mapped, MappingFault, Message, RequestParameters};
pub(crate) use self::payload::{BinaryTypes, ProxyHandling, media_type};
pub(crate) use self::request::{ClientBody, RequestMapping};
pub(crate) use self::response::{Reply, ResponseMapping, Rule};
pub use self::template::Passthrough;
pub(crate) use self::template::{Template, Templates};

/// Both directions.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) request: RequestMapping,
    pub(crate) responses: ResponseMapping,
}

/// Adds to a client's head what the service has added before any mapping sees it: where the request came from, its
/// trace, and the name of the host where the protocol has no header for it.
pub(crate) fn complete_head(asked: &mut Parts, context: &RequestContext) {
    if !asked.headers.contains_key(HOST)
        && let Some(host) = context.host()
        && let Ok(host) = HeaderValue::try_from(host)
    {
        asked.headers.insert(HOST, host);
    }
    add_x_forwarded(&mut asked.headers, context);
    context.write_trace(&mut asked.headers);
}
