//! Headers that the service keeps for itself.

/// Whether the service keeps this header, given in lower case, for itself: the parameter mapping of HTTP APIs may not touch it, and routing rules may
/// not look at it. Its values say nothing of what a client wants, or somebody in between writes them.
///
/// ```
/// use portcullis_core::is_service_header;
///
/// assert!(is_service_header("x-amzn-trace-id"));
/// assert!(!is_service_header("x-version"));
/// ```
#[must_use]
pub fn is_service_header(name: &str) -> bool {
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
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::is_service_header;

    #[test]
    fn whole_names_and_families_are_the_services() {
        for (name, expected) in [
            ("authorization", true),
            ("access-control-allow-origin", true),
            ("x-amzn-trace-id", true),
            ("x-amz-date", true),
            ("apigw-requestid", true),
            ("x-forwarded-for", true),
            ("x-forwarded-port", false),
            ("host", false),
            ("x-amazing", false),
            ("content-type", false),
        ] {
            assert_eq!(is_service_header(name), expected, "{name}");
        }
    }
}
