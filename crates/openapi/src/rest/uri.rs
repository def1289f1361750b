//! What an integration's URI must look like.

/// Checks the URL of an HTTP endpoint. What stage variables stand for is not known yet, so a
/// part that holds one passes.
pub(crate) fn check_http(uri: &str) -> Result<(), String> {
    const INVALID: &str = "Invalid HTTP endpoint specified for URI";
    if uri.starts_with("${stageVariables.") {
        return Ok(());
    }
    let rest = uri
        .strip_prefix("http://")
        .or_else(|| uri.strip_prefix("https://"))
        .ok_or_else(|| INVALID.to_owned())?;
    if rest.starts_with("${stageVariables.") {
        return Ok(());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if host.is_empty()
        || host.starts_with(':')
        || uri
            .chars()
            .any(|char| char.is_whitespace() || char.is_control())
    {
        return Err(INVALID.to_owned());
    }
    Ok(())
}

/// Checks the ARN of an action; a proxy takes functions and Firehose streams only.
pub(crate) fn check_action(uri: &str, is_proxy: bool) -> Result<(), String> {
    // arn : partition : apigateway : region : [subdomain.]service : path|action/…
    let mut parts = uri.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, _partition, gateway, _region, service, action) =
        (next(), next(), next(), next(), next(), next());
    if arn != "arn" || gateway != "apigateway" || service.is_empty() {
        return Err("Invalid ARN specified in the request".to_owned());
    }
    if !(action.starts_with("path/") || action.starts_with("action/")) {
        return Err("AWS ARN for integration must contain path or action".to_owned());
    }
    let service = service.rsplit('.').next().unwrap_or(service);
    if is_proxy && !matches!(service, "lambda" | "firehose") {
        return Err(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function \
                    and Firehose stream invocations."
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn http(uri: &str, ok: bool) {
        assert_eq!(check_http(uri).is_ok(), ok, "{uri}");
    }

    #[test]
    fn http_endpoints_have_a_scheme_and_a_host() {
        http("http://example.com", true);
        http("https://example.com:8443/a/{b}?c=d", true);
        http("https://${stageVariables.host}/a", true);
        http("http://a.${stageVariables.domain}/a", true);
        http("${stageVariables.url}", true);
        http("", false);
        http("example.com", false);
        http("ftp://example.com", false);
        http("http://", false);
        http("http:///path", false);
        http("http://:80/", false);
        http("http://exa mple.com", false);
    }

    #[track_caller]
    fn action(uri: &str, is_proxy: bool, fault: &str) {
        let found = check_action(uri, is_proxy).err().unwrap_or_default();
        assert!(
            found.contains(fault) && (!fault.is_empty() || found.is_empty()),
            "{uri}: {found}"
        );
    }

    #[test]
    fn actions_are_arns_with_a_path_or_an_action() {
        let function = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f/invocations";
        action(function, true, "");
        action(function, false, "");
        action("arn:aws:apigateway:us-east-1:sqs:path/1/queue", false, "");
        action(
            "arn:aws:apigateway:us-east-1:sqs:path/1/queue",
            true,
            "only supports Lambda",
        );
        action(
            "arn:aws:apigateway:us-east-1:dynamodb:action/GetItem",
            false,
            "",
        );
        action(
            "arn:aws:apigateway:us-east-1:lambda:test/x",
            true,
            "must contain path or action",
        );
        action("http://example.com", false, "Invalid ARN");
        action("", true, "Invalid ARN");
    }
}
