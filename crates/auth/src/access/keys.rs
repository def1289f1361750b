//! The condition keys of a request.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, header};
use portcullis_core::{Head, RequestContext};

use super::vpc::{VpcEndpoint, VpcEndpoints};
use crate::iam::{ContextEntries, ContextKeyValue, ContextKeys};

/// What conditions can ask of a request itself. (Who signed it is asked of the [`Caller`](crate::credentials::Caller).) Values are worked out when they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct RequestKeys<'a> {
    context: Option<&'a RequestContext>,
    headers: Option<&'a HeaderMap>,
    endpoint: Option<&'a VpcEndpoint>,
    now: SystemTime,
}

impl<'a> RequestKeys<'a> {
    /// The keys of the request with this head, which came at `now`.
    #[must_use]
    pub fn of(head: &Head<'a>, endpoints: &'a VpcEndpoints, now: SystemTime) -> Self {
        Self {
            headers: Some(head.headers()),
            ..Self::new(head.context(), endpoints, now)
        }
    }

    /// The keys of a request of which there is only the context. Those of its headers are missing.
    #[must_use]
    pub fn of_context(
        context: &'a RequestContext,
        endpoints: &'a VpcEndpoints,
        now: SystemTime,
    ) -> Self {
        Self::new(Some(context), endpoints, now)
    }

    fn new(
        context: Option<&'a RequestContext>,
        endpoints: &'a VpcEndpoints,
        now: SystemTime,
    ) -> Self {
        let client = context.and_then(RequestContext::client);
        Self {
            context,
            headers: None,
            endpoint: client.and_then(|client| endpoints.of(client)),
            now,
        }
    }

    /// The VPC endpoint that the request came through.
    #[must_use]
    pub const fn endpoint(&self) -> Option<&'a VpcEndpoint> {
        self.endpoint
    }

    fn header(&self, name: &HeaderName) -> Option<ContextKeyValue<'a>> {
        let value = self.headers?.get(name)?;
        // Text of which a policy cannot speak is as good as none.
        value.to_str().ok().map(ContextKeyValue::Text)
    }

    fn address(&self) -> Option<ContextKeyValue<'a>> {
        self.context?.client().map(ContextKeyValue::Address)
    }

    /// All keys that have a value, to be kept when the request is gone.
    pub(crate) fn to_entries(self) -> ContextEntries {
        let mut entries = ContextEntries::new();
        for key in KEYS {
            match self.value(key) {
                Some(ContextKeyValue::Text(text)) => entries.insert(key, text),
                Some(ContextKeyValue::Flag(flag)) => entries.insert(key, flag),
                Some(ContextKeyValue::Number(number)) => entries.insert(key, number),
                Some(ContextKeyValue::Time(time)) => entries.insert(key, time),
                Some(ContextKeyValue::Address(address)) => entries.insert(key, address),
                Some(ContextKeyValue::List(_)) | None => {}
            }
        }
        entries
    }
}

const KEYS: [&str; 9] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:securetransport",
    "aws:sourceip",
    "aws:vpcsourceip",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:useragent",
    "aws:referer",
];

impl ContextKeys for RequestKeys<'_> {
    fn value(&self, key: &str) -> Option<ContextKeyValue<'_>> {
        match key {
            "aws:currenttime" => Some(ContextKeyValue::Time(self.now)),
            "aws:epochtime" => {
                let since = self.now.duration_since(UNIX_EPOCH).ok()?;
                i64::try_from(since.as_secs())
                    .ok()
                    .map(ContextKeyValue::Number)
            }
            "aws:securetransport" => {
                let connection = self.context?.connection()?;
                Some(ContextKeyValue::Flag(connection.tls.is_some()))
            }
            // An endpoint takes the place of the address: it is in a network that others have, too.
            "aws:sourceip" if self.endpoint.is_none() => self.address(),
            "aws:vpcsourceip" if self.endpoint.is_some() => self.address(),
            "aws:sourcevpc" => self.endpoint?.vpc_id.as_deref().map(ContextKeyValue::Text),
            "aws:sourcevpce" => Some(ContextKeyValue::Text(&self.endpoint?.vpc_endpoint_id)),
            "aws:useragent" => self.header(&header::USER_AGENT),
            "aws:referer" => self.header(&header::REFERER),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use portcullis_core::{Connection, Tls};

    use super::*;

    #[test]
    fn a_request_says_what_is_known_of_it_and_nothing_else() {
        let mut request = Request::get("/")
            .header("user-agent", "curl/8")
            .body(())
            .unwrap();
        let none = VpcEndpoints::default();
        let head = Head::of(&request);
        let keys = RequestKeys::of(&head, &none, UNIX_EPOCH);
        assert_eq!(
            keys.value("aws:useragent"),
            Some(ContextKeyValue::Text("curl/8"))
        );
        assert_eq!(
            keys.value("aws:epochtime"),
            Some(ContextKeyValue::Number(0))
        );
        for absent in [
            "aws:securetransport",
            "aws:sourceip",
            "aws:sourcevpce",
            "aws:referer",
        ] {
            assert_eq!(keys.value(absent), None, "{absent}");
        }

        let mut connection = Connection::new("10.1.2.3:4".parse().unwrap());
        connection.tls = Some(Tls::default());
        RequestContext::of(&mut request).set_connection(connection);
        let head = Head::of(&request);
        let client = ContextKeyValue::Address("10.1.2.3".parse().unwrap());
        let keys = RequestKeys::of(&head, &none, UNIX_EPOCH);
        assert_eq!(keys.value("aws:sourceip"), Some(client));
        assert_eq!(
            keys.value("aws:securetransport"),
            Some(ContextKeyValue::Flag(true))
        );

        let endpoint = VpcEndpoint::new("vpce-1", ["10.0.0.0/8".parse().unwrap()]);
        let endpoints = VpcEndpoints::new([endpoint]);
        let keys = RequestKeys::of(&head, &endpoints, UNIX_EPOCH);
        assert_eq!(keys.value("aws:sourceip"), None);
        assert_eq!(keys.value("aws:vpcsourceip"), Some(client));
        assert_eq!(
            keys.value("aws:sourcevpce"),
            Some(ContextKeyValue::Text("vpce-1"))
        );
        let entries = keys.to_entries();
        for key in KEYS {
            assert_eq!(keys.value(key), entries.value(key), "{key}");
        }
    }
}
