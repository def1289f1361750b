//! Where AWS services are.

use std::borrow::Cow;

use super::services::signing_name;

/// A service's host, and the names that its requests are signed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) service: Cow<'static, str>,
    pub(crate) region: Cow<'static, str>,
}

impl Endpoint {
    /// The endpoint of `service` in `region`: `dynamodb`, or with a subdomain `bucket.s3`.
    pub(crate) fn new(service: &str, region: &str) -> Self {
        let china = region.starts_with("cn-");
        let suffix = if china {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        if let Some((host, home)) = global(service, region) {
            return Self {
                host: host.to_owned(),
                service: Cow::Owned(service.to_owned()),
                region: Cow::Borrowed(home),
            };
        }
        // The data plane of IoT has another name for its hosts than for its signatures.
        let label = match service.strip_suffix("iotdata") {
            Some("") => Cow::Borrowed("data-ats.iot"),
            Some(subdomain) if subdomain.ends_with('.') => Cow::Owned(format!("{subdomain}iot")),
            _ => Cow::Borrowed(service),
        };
        Self {
            host: format!("{label}.{region}.{suffix}"),
            service: signed_as(service),
            region: Cow::Owned(region.to_owned()),
        }
    }
}

/// The name under which requests are signed: that of the service, without subdomains.
fn signed_as(service: &str) -> Cow<'static, str> {
    if let Some(name) = signing_name(service) {
        return Cow::Borrowed(name);
    }
    let last = service.rsplit('.').next().unwrap_or(service);
    match signing_name(last) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(last.to_owned()),
    }
}

/// Services that have one endpoint for all regions, and the region that they are signed for.
fn global(service: &str, region: &str) -> Option<(&'static str, &'static str)> {
    if region.starts_with("cn-") || region.starts_with("us-gov-") {
        return None;
    }
    match service {
        "budgets" => Some(("budgets.amazonaws.com", "us-east-1")),
        "cloudfront" => Some(("cloudfront.amazonaws.com", "us-east-1")),
        "iam" => Some(("iam.amazonaws.com", "us-east-1")),
        "importexport" => Some(("importexport.amazonaws.com", "us-east-1")),
        "organizations" => Some(("organizations.us-east-1.amazonaws.com", "us-east-1")),
        "route53" => Some(("route53.amazonaws.com", "us-east-1")),
        "shield" => Some(("shield.us-east-1.amazonaws.com", "us-east-1")),
        "waf" => Some(("waf.amazonaws.com", "us-east-1")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(service: &str, region: &str, host: &str, signed: (&str, &str)) {
        let endpoint = Endpoint::new(service, region);
        assert_eq!(endpoint.host, host);
        assert_eq!((&*endpoint.service, &*endpoint.region), signed);
    }

    #[test]
    fn a_service_is_in_its_region() {
        check(
            "dynamodb",
            "eu-west-1",
            "dynamodb.eu-west-1.amazonaws.com",
            ("dynamodb", "eu-west-1"),
        );
        check(
            "sqs",
            "cn-north-1",
            "sqs.cn-north-1.amazonaws.com.cn",
            ("sqs", "cn-north-1"),
        );
        check(
            "email",
            "us-east-1",
            "email.us-east-1.amazonaws.com",
            ("ses", "us-east-1"),
        );
    }

    #[test]
    fn a_subdomain_stands_before_the_service() {
        check(
            "bucket.s3",
            "us-east-1",
            "bucket.s3.us-east-1.amazonaws.com",
            ("s3", "us-east-1"),
        );
        check(
            "runtime.sagemaker",
            "us-east-1",
            "runtime.sagemaker.us-east-1.amazonaws.com",
            ("sagemaker", "us-east-1"),
        );
        check(
            "abc-ats.iotdata",
            "us-east-1",
            "abc-ats.iot.us-east-1.amazonaws.com",
            ("iotdata", "us-east-1"),
        );
    }

    #[test]
    fn some_services_have_one_endpoint() {
        check(
            "iam",
            "eu-west-1",
            "iam.amazonaws.com",
            ("iam", "us-east-1"),
        );
    }
}
