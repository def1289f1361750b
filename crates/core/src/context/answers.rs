//! What the context answers to each name below `$context`.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use http::Version;
use serde_json::{Map, Value};

use super::RequestContext;
use crate::identity::CallerKey;
use crate::rejection::ApiKind;
use crate::value::ContextValue;
use crate::variable::{Name, Variable};

impl RequestContext {
    /// The value of a name below `$context`, as JSON; `None` if the name is unknown or nothing is known under it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        self.json(&Variable::parse(name)?)
    }

    /// The value of a variable, as JSON.
    #[must_use]
    pub fn json(&self, variable: &Variable) -> Option<Value> {
        self.value(variable, |value| value.map(|value| value.to_json()))
    }

    /// Writes the value of a variable and says whether there was one.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, variable: &Variable, out: &mut dyn fmt::Write) -> Result<bool, fmt::Error> {
        self.value(variable, |value| match value {
            Some(value) => write!(out, "{value}").map(|()| true),
            None => Ok(false),
        })
    }

    /// Hands the value of a variable to `read`, borrowed. Do not touch the context from within `read`.
    pub fn value<T>(
        &self,
        variable: &Variable,
        read: impl FnOnce(Option<ContextValue<'_>>) -> T,
    ) -> T {
        use ContextValue::{Flag, Json, Number, Plain, Text};
        let inner = &*self.inner;
        let stage = self.stage();
        let route = self.route();
        match &variable.name {
            Name::AccountId => read(stage.map(|stage| Text(&stage.account_id))),
            Name::ApiId => read(stage.map(|stage| Text(&stage.api_id))),
            Name::Stage => read(stage.map(|stage| Text(&stage.stage))),
            Name::DeploymentId => read(
                stage
                    .and_then(|stage| stage.deployment_id.as_deref())
                    .map(Text),
            ),
            Name::EndpointType => read(
                stage
                    .and_then(|stage| stage.endpoint_type.as_deref())
                    .map(Text),
            ),
            Name::CipherSuite => {
                let tls = self
                    .connection()
                    .and_then(|connection| connection.tls.as_ref());
                read(tls.and_then(|tls| tls.cipher_suite.as_deref()).map(Text))
            }
            Name::TlsVersion => {
                let tls = self
                    .connection()
                    .and_then(|connection| connection.tls.as_ref());
                read(tls.and_then(|tls| tls.version.as_deref()).map(Text))
            }
            Name::DomainName => read(self.host().map(Text)),
            Name::DomainPrefix => {
                let prefix = self
                    .host()
                    .map(|host| host.split('.').next().unwrap_or(host));
                read(prefix.map(Text))
            }
            Name::ExtendedRequestId => read(Some(Plain(inner.extended_request_id.as_bytes()))),
            Name::HttpMethod => read(Some(Text(self.method().as_str()))),
            Name::Path => read(Some(Text(inner.uri.path()))),
            Name::Protocol => read(Some(Plain(match inner.version {
                Version::HTTP_09 | Version::HTTP_10 => b"HTTP/1.0",
                // The service prints this for HTTP/2, too.
                _ => b"HTTP/1.1",
            }))),
            // In an HTTP API the two ids are one.
            Name::RequestId if stage.is_some_and(|stage| stage.kind == ApiKind::Http) => {
                read(Some(Plain(inner.extended_request_id.as_bytes())))
            }
            Name::RequestId => read(Some(Plain(inner.request_id.as_bytes()))),
            Name::RequestTime => read(Some(Plain(clf_time(inner.wall).as_bytes()))),
            Name::RequestTimeEpoch => {
                let epoch = inner.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
                read(Some(Number(
                    i64::try_from(epoch.as_millis()).unwrap_or(i64::MAX),
                )))
            }
            Name::ResourceId => {
                let id = route.and_then(|route| route.route().resource_id.as_deref());
                read(id.map(Text))
            }
            Name::ResourcePath => read(route.map(|route| Text(&route.route().template))),
            Name::RouteKey => {
                let key = route.and_then(|route| route.route().route_key.as_deref());
                read(key.map(Text))
            }
            Name::XrayTraceId => read(self.trace().map(|trace| Text(trace.root()))),
            Name::IdentitySourceIp => match self.client() {
                Some(address) => read(Some(Plain(shown(address).as_bytes()))),
                None => read(None),
            },
            Name::IdentityUserAgent => {
                let agent = inner
                    .user_agent
                    .as_ref()
                    .and_then(|agent| agent.to_str().ok());
                read(agent.map(Text))
            }
            Name::IdentityApiKey => read(self.api_key().and_then(CallerKey::value).map(Text)),
            Name::IdentityApiKeyId => read(self.api_key().map(|key| Text(key.id().as_str()))),
            Name::ClientCertificate(field) => {
                let certificate = self.client_certificate();
                read(certificate.map(|certificate| Text(certificate.field(*field))))
            }
            Name::Measure(measure) => read(self.measured(*measure).map(Number)),
            Name::IsCanaryRequest => read(self.release().is_canary().map(Flag)),
            Name::Detail(detail) => {
                let open = self.opened();
                let text = open.as_ref().and_then(|open| open.detail(*detail));
                read(text.map(|text| Text(text)))
            }
            Name::Claim(name) => match self.claims() {
                Some(claims) => read(claims.shown(name).as_deref().map(Json)),
                None => read(None),
            },
            Name::Authorizer(name) => read(self.open().authorizer.get(&**name).map(Json)),
            Name::RequestOverride(path) => {
                read(descend(&self.open().overrides.request, path).map(Json))
            }
            Name::ResponseOverride(path) => {
                read(descend(&self.open().overrides.response, path).map(Json))
            }
            Name::ErrorMessage
            | Name::ErrorMessageString
            | Name::ErrorResponseType
            | Name::ErrorValidation => {
                let refusal = self.refusal();
                let Some(refusal) = refusal else {
                    return read(None);
                };
                match &variable.name {
                    Name::ErrorMessage => read(refusal.message().map(Text)),
                    Name::ErrorMessageString => read(Some(Text(&refusal.message_string()))),
                    Name::ErrorResponseType => read(refusal.kind().response_type().map(Text)),
                    _ => read(refusal.validation_error().map(Text)),
                }
            }
            name => {
                let Some(open) = self.opened() else {
                    return read(None);
                };
                let identity = &open.identity;
                let fact = match name {
                    Name::IdentityAccessKey => identity.access_key.as_deref(),
                    Name::IdentityAccountId => identity.account_id.as_deref(),
                    Name::IdentityCaller => identity.caller.as_deref(),
                    Name::IdentityUser => identity.user.as_deref(),
                    Name::IdentityUserArn => identity.user_arn.as_deref(),
                    Name::IdentityPrincipalOrgId => identity.principal_org_id.as_deref(),
                    Name::IdentityOther(name) => identity.other.get(name).map(|text| &**text),
                    _ => None,
                };
                read(fact.map(Text))
            }
        }
    }
}

/// A short text that is not on the heap: log lines are written without an allocation.
#[derive(Clone, Copy)]
struct Short {
    bytes: [u8; Self::ROOM],
    length: usize,
}

impl Short {
    /// As long as the longest address.
    const ROOM: usize = 45;

    const fn new() -> Self {
        Self {
            bytes: [0; Self::ROOM],
            length: 0,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }

    /// Adds a number in at least `digits` digits.
    fn number(&mut self, mut number: u64, digits: usize) {
        let mut text = [b'0'; 20];
        let mut at = text.len();
        while number > 0 || text.len() - at < digits {
            at -= 1;
            text[at] = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self.push(&text[at..]);
    }

    /// Adds a number from 0 to 255.
    fn octet(&mut self, octet: u8) {
        if octet >= 100 {
            self.digit(octet / 100);
        }
        if octet >= 10 {
            self.digit(octet / 10 % 10);
        }
        self.digit(octet % 10);
    }

    const fn digit(&mut self, digit: u8) {
        if self.length < Self::ROOM {
            self.bytes[self.length] = b'0' + digit;
            self.length += 1;
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

fn shown(address: IpAddr) -> Short {
    let mut text = Short::new();
    match address {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    text.push(b".");
                }
                text.octet(octet);
            }
        }
        IpAddr::V6(address) => {
            // It has room for every address.
            let _ = write!(text, "{address}");
        }
    }
    text
}

/// `12/Mar/2020:19:03:58 +0000`. Each thread keeps the second that it has written last.
fn clf_time(time: SystemTime) -> Short {
    thread_local! {
        static LAST: Cell<(u64, Short)> = const { Cell::new((u64::MAX, Short::new())) };
    }
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let written = LAST.try_with(|last| {
        if last.get().0 != seconds {
            last.set((seconds, clf_second(seconds)));
        }
        last.get().1
    });
    // The thread is at its end.
    written.unwrap_or_else(|_| clf_second(seconds))
}

fn clf_second(seconds: u64) -> Short {
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's `civil_from_days`: years begin in March, so that the leap day is the last.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = (march + 2) % 12;
    let year = era * 400 + year + u64::from(march > 9);
    let mut text = Short::new();
    text.number(day, 2);
    text.push(b"/");
    text.push(MONTHS[month as usize]);
    text.push(b"/");
    text.number(year, 4);
    for (unit, mark) in [
        (second / 3_600, b":"),
        (second / 60 % 60, b":"),
        (second % 60, b":"),
    ] {
        text.push(mark);
        text.number(unit, 2);
    }
    text.push(b" +0000");
    text
}

/// The member of nested objects that `path` names: `header.X-Id`. A name with dots of its own is found, too.
fn descend<'a>(map: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = map.get(path) {
        return Some(value);
    }
    let (head, tail) = path.split_once('.')?;
    descend(map.get(head)?.as_object()?, tail)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::{Duration, UNIX_EPOCH};

    use super::{clf_time, shown};

    #[test]
    fn the_time_is_that_of_the_calendar() {
        // Every 9 hours and some for a century, and the days round 29 February.
        let steps = (0..100_000).map(|step| step * 32_503);
        for seconds in steps.chain([951_782_400, 951_868_799, 951_868_800, 4_107_542_400]) {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            let theirs = jiff::Timestamp::try_from(time).unwrap();
            let theirs = theirs.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
            assert_eq!(clf_time(time).as_bytes(), theirs.as_bytes());
        }
    }

    #[test]
    fn addresses_are_written_as_everywhere() {
        for text in [
            "0.0.0.0",
            "192.0.2.17",
            "255.255.255.255",
            "::1",
            "2001:db8::ff00:42:8329",
            "::ffff:192.0.2.128",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(shown(address).as_bytes(), text.as_bytes());
        }
    }
}
