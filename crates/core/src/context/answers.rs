//! What the context answers to each name below `$context`.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Method, Version};
use serde_json::{Map, Value};

use super::{ApiStage, RequestContext};
use crate::identity::CallerKey;
use crate::rejection::ApiKind;
use crate::value::{ContextValue, ContextVisitor};
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
        self.visit(variable, Read(read))
    }

    /// The same for whoever writes each kind of value in a way of its own, many times in a second. Do not touch the context from within `visitor`.
    #[inline]
    pub fn visit<V: ContextVisitor>(&self, variable: &Variable, visitor: V) -> V::Output {
        let inner = &*self.inner;
        match &variable.name {
            Name::AccountId => self.of_stage(visitor, |stage| Some(&stage.account_id)),
            Name::ApiId => self.of_stage(visitor, |stage| Some(&stage.api_id)),
            Name::Stage => self.of_stage(visitor, |stage| Some(&stage.stage)),
            Name::DeploymentId => self.of_stage(visitor, |stage| stage.deployment_id.as_deref()),
            Name::EndpointType => self.of_stage(visitor, |stage| stage.endpoint_type.as_deref()),
            Name::CipherSuite => {
                let tls = self
                    .connection()
                    .and_then(|connection| connection.tls.as_ref());
                maybe(visitor, tls.and_then(|tls| tls.cipher_suite.as_deref()))
            }
            Name::TlsVersion => {
                let tls = self
                    .connection()
                    .and_then(|connection| connection.tls.as_ref());
                maybe(visitor, tls.and_then(|tls| tls.version.as_deref()))
            }
            Name::DomainName => maybe(visitor, self.host()),
            Name::DomainPrefix => {
                let prefix = self
                    .host()
                    .map(|host| host.split('.').next().unwrap_or(host));
                maybe(visitor, prefix)
            }
            Name::ExtendedRequestId => visitor.plain(inner.extended_request_id.as_bytes()),
            // Those that HTTP knows are letters.
            Name::HttpMethod => match *self.method() {
                Method::GET => visitor.plain(b"GET"),
                Method::POST => visitor.plain(b"POST"),
                ref other => visitor.text(other.as_str()),
            },
            Name::Path => visitor.text(inner.uri.path()),
            Name::Protocol => visitor.plain(match inner.version {
                Version::HTTP_09 | Version::HTTP_10 => b"HTTP/1.0",
                // The service prints this for HTTP/2, too.
                _ => b"HTTP/1.1",
            }),
            // In an HTTP API the two ids are one.
            Name::RequestId
                if self
                    .stage()
                    .is_some_and(|stage| stage.kind == ApiKind::Http) =>
            {
                visitor.plain(inner.extended_request_id.as_bytes())
            }
            Name::RequestId => visitor.plain(inner.request_id.as_bytes()),
            Name::RequestTime => visitor.plain(clf_time(inner.wall).as_bytes()),
            Name::RequestTimeEpoch => {
                let epoch = inner.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
                visitor.number(i64::try_from(epoch.as_millis()).unwrap_or(i64::MAX))
            }
            Name::ResourceId => {
                let route = self.route();
                let id = route.and_then(|route| route.route().resource_id.as_deref());
                maybe(visitor, id)
            }
            Name::ResourcePath => {
                let template = self.route().map(|route| &*route.route().template);
                maybe(visitor, template)
            }
            Name::RouteKey => {
                let route = self.route();
                let key = route.and_then(|route| route.route().route_key.as_deref());
                maybe(visitor, key)
            }
            Name::XrayTraceId => maybe(visitor, self.trace().map(|trace| trace.root())),
            Name::IdentitySourceIp => match self.client() {
                Some(address) => visitor.plain(shown(address).as_bytes()),
                None => visitor.absent(),
            },
            Name::IdentityUserAgent => match &inner.user_agent {
                Some(agent) => visitor.header(agent),
                None => visitor.absent(),
            },
            Name::IdentityApiKey => maybe(visitor, self.api_key().and_then(CallerKey::value)),
            Name::IdentityApiKeyId => {
                let id = self.api_key().map(|key| key.id().as_str());
                maybe(visitor, id)
            }
            Name::ClientCertificate(field) => {
                let certificate = self.client_certificate();
                let field = certificate.map(|certificate| certificate.field(*field));
                maybe(visitor, field)
            }
            Name::Measure(measure) => match self.measured(*measure) {
                Some(number) => visitor.number(number),
                None => visitor.absent(),
            },
            Name::IsCanaryRequest => match self.release().is_canary() {
                Some(is_canary) => visitor.flag(is_canary),
                None => visitor.absent(),
            },
            _ => self.visit_rare(&variable.name, visitor),
        }
    }

    fn of_stage<V: ContextVisitor>(
        &self,
        visitor: V,
        read: impl for<'a> FnOnce(&'a ApiStage) -> Option<&'a str>,
    ) -> V::Output {
        maybe(visitor, self.stage().and_then(|stage| read(stage)))
    }

    /// What stands behind a lock, or takes some work.
    fn visit_rare<V: ContextVisitor>(&self, name: &Name, visitor: V) -> V::Output {
        if let Name::Claim(name) = name {
            return match self.claims() {
                Some(claims) => json(visitor, claims.shown(name).as_deref()),
                None => visitor.absent(),
            };
        }
        let Some(open) = self.opened() else {
            return visitor.absent();
        };
        match name {
            Name::Detail(detail) => maybe(visitor, open.detail(*detail).map(|text| &**text)),
            Name::Authorizer(name) => json(visitor, open.authorizer.get(&**name)),
            Name::RequestOverride(path) => json(visitor, descend(&open.overrides.request, path)),
            Name::ResponseOverride(path) => json(visitor, descend(&open.overrides.response, path)),
            Name::ErrorMessage
            | Name::ErrorMessageString
            | Name::ErrorResponseType
            | Name::ErrorValidation => {
                let Some(refusal) = &open.refusal else {
                    return visitor.absent();
                };
                match name {
                    Name::ErrorMessage => maybe(visitor, refusal.message()),
                    Name::ErrorMessageString => visitor.text(&refusal.message_string()),
                    Name::ErrorResponseType => maybe(visitor, refusal.kind().response_type()),
                    _ => maybe(visitor, refusal.validation_error()),
                }
            }
            name => {
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
                maybe(visitor, fact)
            }
        }
    }
}

fn maybe<V: ContextVisitor>(visitor: V, text: Option<&str>) -> V::Output {
    match text {
        Some(text) => visitor.text(text),
        None => visitor.absent(),
    }
}

fn json<V: ContextVisitor>(visitor: V, json: Option<&Value>) -> V::Output {
    match json {
        Some(json) => visitor.json(json),
        None => visitor.absent(),
    }
}

/// Hands each kind of value to one function.
struct Read<F>(F);

impl<T, F: FnOnce(Option<ContextValue<'_>>) -> T> ContextVisitor for Read<F> {
    type Output = T;

    fn absent(self) -> T {
        (self.0)(None)
    }

    fn text(self, text: &str) -> T {
        (self.0)(Some(ContextValue::Text(text)))
    }

    fn plain(self, text: &[u8]) -> T {
        (self.0)(Some(ContextValue::Plain(text)))
    }

    fn number(self, number: i64) -> T {
        (self.0)(Some(ContextValue::Number(number)))
    }

    fn flag(self, flag: bool) -> T {
        (self.0)(Some(ContextValue::Flag(flag)))
    }

    fn json(self, json: &Value) -> T {
        (self.0)(Some(ContextValue::Json(json)))
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

    /// An address in four parts, without a loop over its digits.
    fn dotted(octets: [u8; 4]) -> Self {
        let (mut word, mut length) = (0_u128, 0);
        for octet in octets {
            let [digits @ .., count] = OCTETS[usize::from(octet)];
            let [first, second, third, point] = digits;
            let digits = u32::from_le_bytes([first, second, third, point]);
            word |= u128::from(digits) << (8 * length);
            length += usize::from(count);
        }
        let mut text = Self::new();
        text.bytes[..16].copy_from_slice(&word.to_le_bytes());
        // There is no point behind the last one.
        text.length = length - 1;
        text
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

/// Each number from 0 to 255 with a point behind it, and how many bytes that is.
const OCTETS: [[u8; 5]; 256] = {
    let mut octets = [[0; 5]; 256];
    let mut octet = 0;
    while octet < 256 {
        let digits = [
            b'0' + (octet / 100) as u8,
            b'0' + (octet / 10 % 10) as u8,
            b'0' + (octet % 10) as u8,
        ];
        octets[octet] = match octet {
            0..10 => [digits[2], b'.', 0, 0, 2],
            10..100 => [digits[1], digits[2], b'.', 0, 3],
            _ => [digits[0], digits[1], digits[2], b'.', 4],
        };
        octet += 1;
    }
    octets
};

fn shown(address: IpAddr) -> Short {
    match address {
        IpAddr::V4(address) => Short::dotted(address.octets()),
        IpAddr::V6(address) => {
            let mut text = Short::new();
            // It has room for every address.
            let _ = write!(text, "{address}");
            text
        }
    }
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
