//! The formats that the service's console offers, and one for services that are no gateways.

use portcullis_core::ApiKind;

use super::format::AccessFormat;
use super::redaction::Redaction;

/// The names of the formats that are ready.
pub(super) struct ReadyFormat;

impl ReadyFormat {
    pub(super) const NAMES: [&str; 5] = ["combined", "clf", "json", "xml", "csv"];
}

impl AccessFormat {
    /// The ready format of this name: `combined`, or one that the service's console offers for this kind of API: `clf`, `json`, `xml` or `csv`.
    #[must_use]
    pub fn named(name: &str, kind: ApiKind) -> Option<Self> {
        Some(match name {
            "combined" => Self::combined(),
            "clf" => Self::clf(kind),
            "json" => Self::json(kind),
            "xml" => Self::xml(kind),
            "csv" => Self::csv(kind),
            _ => return None,
        })
    }

    /// The Common Log Format, as the service's console offers it for this kind of API.
    #[must_use]
    pub fn clf(kind: ApiKind) -> Self {
        Self::known(match kind {
            ApiKind::Rest => {
                "$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime]\"$context.httpMethod $context.resourcePath $context.protocol\" $context.status $context.responseLength $context.requestId $context.extendedRequestId"
            }
            ApiKind::Http => {
                "$context.identity.sourceIp - - [$context.requestTime] \"$context.httpMethod $context.routeKey $context.protocol\" $context.status $context.responseLength $context.requestId"
            }
        })
    }

    /// JSON, as the service's console offers it for this kind of API.
    #[must_use]
    pub fn json(kind: ApiKind) -> Self {
        Self::known(match kind {
            ApiKind::Rest => {
                r#"{ "requestId":"$context.requestId", "extendedRequestId":"$context.extendedRequestId", "ip":"$context.identity.sourceIp", "caller":"$context.identity.caller", "user":"$context.identity.user", "requestTime":"$context.requestTime", "httpMethod":"$context.httpMethod", "resourcePath":"$context.resourcePath", "status":"$context.status", "protocol":"$context.protocol", "responseLength":"$context.responseLength" }"#
            }
            ApiKind::Http => {
                r#"{ "requestId":"$context.requestId", "ip":"$context.identity.sourceIp", "requestTime":"$context.requestTime", "httpMethod":"$context.httpMethod", "routeKey":"$context.routeKey", "status":"$context.status", "protocol":"$context.protocol", "responseLength":"$context.responseLength" }"#
            }
        })
    }

    /// XML, as the service's console offers it for this kind of API.
    #[must_use]
    pub fn xml(kind: ApiKind) -> Self {
        Self::known(match kind {
            ApiKind::Rest => {
                r#"<request id="$context.requestId"> <extendedRequestId>$context.extendedRequestId</extendedRequestId> <ip>$context.identity.sourceIp</ip> <caller>$context.identity.caller</caller> <user>$context.identity.user</user> <requestTime>$context.requestTime</requestTime> <httpMethod>$context.httpMethod</httpMethod> <resourcePath>$context.resourcePath</resourcePath> <status>$context.status</status> <protocol>$context.protocol</protocol> <responseLength>$context.responseLength</responseLength> </request>"#
            }
            ApiKind::Http => {
                r#"<request id="$context.requestId"> <ip>$context.identity.sourceIp</ip> <requestTime>$context.requestTime</requestTime> <httpMethod>$context.httpMethod</httpMethod> <routeKey>$context.routeKey</routeKey> <status>$context.status</status> <protocol>$context.protocol</protocol> <responseLength>$context.responseLength</responseLength> </request>"#
            }
        })
    }

    /// CSV, as the service's console offers it for this kind of API.
    #[must_use]
    pub fn csv(kind: ApiKind) -> Self {
        Self::known(match kind {
            ApiKind::Rest => {
                "$context.identity.sourceIp,$context.identity.caller,$context.identity.user,$context.requestTime,$context.httpMethod,$context.resourcePath,$context.protocol,$context.status,$context.responseLength,$context.requestId,$context.extendedRequestId"
            }
            ApiKind::Http => {
                "$context.identity.sourceIp,$context.requestTime,$context.httpMethod,$context.routeKey,$context.protocol,$context.status,$context.responseLength,$context.requestId"
            }
        })
    }

    /// The Combined Log Format of web servers, with the milliseconds that the request took and its id behind it: for services that are no gateways.
    #[must_use]
    pub fn combined() -> Self {
        Self::known(
            "$context.identity.sourceIp - $context.identity.user [$context.requestTime] \"$context.httpMethod $context.path $context.protocol\" $context.status $context.responseLength \"$request.header.referer\" \"$context.identity.userAgent\" $context.responseLatency $context.requestId",
        )
    }

    fn known(text: &str) -> Self {
        Self::parse_with(text, &Redaction::new()).expect("these formats are good")
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::ApiKind;

    use super::{AccessFormat, ReadyFormat};

    #[test]
    fn the_formats_of_the_console_are_good() {
        for kind in [ApiKind::Rest, ApiKind::Http] {
            for format in [
                AccessFormat::clf(kind),
                AccessFormat::json(kind),
                AccessFormat::xml(kind),
                AccessFormat::csv(kind),
            ] {
                assert!(format.names_the_request(), "{format:?}");
            }
        }
        assert!(AccessFormat::combined().names_the_request());
        for name in ReadyFormat::NAMES {
            assert!(AccessFormat::named(name, ApiKind::Rest).is_some(), "{name}");
        }
        assert!(AccessFormat::named("jsn", ApiKind::Rest).is_none());
    }
}
