//! Headers that the parameter mapping of an HTTP API may not touch.

use http::HeaderName;

/// Whether the service keeps a header for itself.
pub(super) fn is_reserved(name: &HeaderName) -> bool {
    const PREFIXES: [&str; 4] = ["access-control-", "apigw-", "x-amz-", "x-amzn-"];
    const NAMES: [&str; 18] = [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-location",
        "forwarded",
        "keep-alive",
        "origin",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
    ];
    let name = name.as_str();
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_and_families_are_reserved() {
        for (name, expected) in [
            ("Authorization", true),
            ("Access-Control-Allow-Origin", true),
            ("X-Amzn-Trace-Id", true),
            ("x-amz-date", true),
            ("apigw-requestid", true),
            ("X-Forwarded-For", true),
            ("X-Forwarded-Port", false),
            ("Host", false),
            ("x-amazing", false),
            ("Content-Type", false),
        ] {
            let name: HeaderName = name.parse().expect("a name");
            assert_eq!(is_reserved(&name), expected, "{name}");
        }
    }
}
