//! The URIs of integrations with AWS services: `arn:aws:apigateway:{region}:{subdomain.service}:{path|action}/{rest}`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::Method;

use super::endpoint::Endpoint;
use super::services::{Protocol, protocol};
use crate::uri::{Piece, UriFault, UriTemplate, pieces, push_query_value, variable};

/// An address of a service, with places to fill in.
#[derive(Clone, Debug)]
pub(crate) struct ServiceUri {
    pub(crate) endpoint: Endpoint,
    pub(crate) call: Call,
}

/// What of a service is called.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    /// A path and query below this origin.
    Path(UriTemplate),
    /// An action, by name.
    Action(Action),
}

/// An action, and the parameters that stand behind it.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    protocol: Protocol,
    name: Vec<Piece>,
    parameters: Vec<(String, Vec<Piece>)>,
}

/// An action with everything filled in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamedAction {
    /// `DynamoDB_20120810.Query`, for the header `X-Amz-Target`, and the version of JSON.
    pub(crate) target: Option<(String, &'static str)>,
    /// The parameters for the query.
    pub(crate) query: String,
}

/// Why a URI cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ServiceUriFault {
    #[error("`{0}` is not `arn:aws:apigateway:region:service:path/…` or `…:action/…`")]
    NotAService(String),
    #[error(
        "the service `{service}` has no actions that are called by name: use `{service}:path/…`"
    )]
    NoActions { service: String },
    #[error(transparent)]
    Address(#[from] UriFault),
}

impl ServiceUri {
    /// Reads the URI. `origin` is where services are, if that is not Amazon. The verb is that of an action that stands for a path.
    pub(crate) fn parse(
        uri: &str,
        origin: Option<&str>,
    ) -> Result<(Self, Option<Method>), ServiceUriFault> {
        let not_a_service = || ServiceUriFault::NotAService(uri.to_owned());
        let rest = uri.strip_prefix("arn:").ok_or_else(not_a_service)?;
        let [_, "apigateway", region, service, call] = rest.splitn(5, ':').collect::<Vec<_>>()[..]
        else {
            return Err(not_a_service());
        };
        if region.is_empty() || service.is_empty() || !is_host(region) || !is_host(service) {
            return Err(not_a_service());
        }
        let endpoint = Endpoint::new(service, region);
        let origin = match origin {
            Some(origin) => Cow::Borrowed(origin),
            None => Cow::Owned(format!("https://{}", endpoint.host)),
        };
        let path = |path: &str| UriTemplate::parse(&format!("{origin}/{path}"));
        if let Some(rest) = call.strip_prefix("path/") {
            let call = Call::Path(path(rest.trim_start_matches('/'))?);
            return Ok((Self { endpoint, call }, None));
        }
        let action = call.strip_prefix("action/").ok_or_else(not_a_service)?;
        let (name, parameters) = action.split_once(['&', '?']).unwrap_or((action, ""));
        let parameters = parameters.split('&').filter(|pair| !pair.is_empty());
        let parameters = parameters.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        if endpoint.service == "s3"
            && let Some((method, target)) = object_action(name, parameters.clone())
        {
            let call = Call::Path(path(&target)?);
            return Ok((Self { endpoint, call }, Some(method)));
        }
        let protocol = protocol(service).ok_or_else(|| ServiceUriFault::NoActions {
            service: service.to_owned(),
        })?;
        if name.is_empty() {
            return Err(not_a_service());
        }
        let call = Call::Action(Action {
            protocol,
            name: pieces(name),
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), pieces(value)))
                .collect(),
        });
        Ok((Self { endpoint, call }, None))
    }
}

impl Action {
    /// Fills in the places. `parameter` gives the value of a path parameter, percent-encoded.
    pub(crate) fn named<'v>(
        &self,
        variables: Option<&BTreeMap<String, String>>,
        parameter: impl Fn(&str) -> Option<Cow<'v, str>>,
    ) -> Result<NamedAction, UriFault> {
        let fill = |pieces: &[Piece]| {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(literal) => text.push_str(literal),
                    Piece::StageVariable(name) => text.push_str(variable(variables, name)?),
                    Piece::Parameter(name) => {
                        let value = parameter(name)
                            .ok_or_else(|| UriFault::UnmappedParameter(name.clone()))?;
                        let value = percent_encoding::percent_decode_str(&value);
                        text.push_str(&value.decode_utf8_lossy());
                    }
                }
            }
            Ok::<_, UriFault>(text)
        };
        let name = fill(&self.name)?;
        // It stands in a header or names an operation: a client chooses no other by what it writes behind it.
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(UriFault::NotAnAddress(name));
        }
        let mut query = String::new();
        let target = match self.protocol {
            Protocol::Json10(prefix) => {
                Some((format!("{prefix}.{name}"), "application/x-amz-json-1.0"))
            }
            Protocol::Json11(prefix) => {
                Some((format!("{prefix}.{name}"), "application/x-amz-json-1.1"))
            }
            Protocol::Query(version) => {
                push(&mut query, "Action", &name);
                push(&mut query, "Version", version);
                None
            }
        };
        for (name, value) in &self.parameters {
            push(&mut query, name, &fill(value)?);
        }
        Ok(NamedAction { target, query })
    }
}

fn push(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    push_query_value(query, name.as_bytes());
    query.push('=');
    push_query_value(query, value.as_bytes());
}

/// The actions on objects that stand for a verb and a path: `GetObject&Bucket={bucket}&Key={key}`.
fn object_action<'a>(
    name: &str,
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<(Method, String)> {
    let (mut bucket, mut key, mut query) = ("", "", String::new());
    for (name, value) in parameters {
        match name {
            "Bucket" => bucket = value,
            "Key" => key = value,
            other => {
                query.push('&');
                query.push_str(other);
                query.push('=');
                query.push_str(value);
            }
        }
    }
    let (method, mut target) = match name {
        "GetObject" => (Method::GET, format!("{bucket}/{key}")),
        "HeadObject" => (Method::HEAD, format!("{bucket}/{key}")),
        "PutObject" => (Method::PUT, format!("{bucket}/{key}")),
        "DeleteObject" => (Method::DELETE, format!("{bucket}/{key}")),
        "ListObjects" => (Method::GET, bucket.to_owned()),
        "ListObjectsV2" => {
            query.insert_str(0, "&list-type=2");
            (Method::GET, bucket.to_owned())
        }
        "ListBuckets" => (Method::GET, String::new()),
        _ => return None,
    };
    if !query.is_empty() {
        target.push('?');
        target.push_str(&query[1..]);
    }
    Some((method, target))
}

fn is_host(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rest: &str) -> Result<(ServiceUri, Option<Method>), ServiceUriFault> {
        ServiceUri::parse(&format!("arn:aws:apigateway:{rest}"), None)
    }

    fn parameter(name: &str) -> Option<Cow<'static, str>> {
        match name {
            "key" => Some(Cow::Borrowed("a%20b/c")),
            "action" => Some(Cow::Borrowed("Query%0D%0Ax")),
            _ => None,
        }
    }

    #[track_caller]
    fn path(rest: &str, verb: Option<&Method>, expected: &str) {
        let (uri, method) = parse(rest).expect(rest);
        let Call::Path(template) = uri.call else {
            panic!("no path: {rest}");
        };
        let variables = BTreeMap::from([("bucket".to_owned(), "pets".to_owned())]);
        let uri = template.expand(Some(&variables), parameter);
        assert_eq!(uri.expect("filled in"), expected);
        assert_eq!(method.as_ref(), verb);
    }

    #[track_caller]
    fn action(rest: &str, target: Option<(&str, &'static str)>, query: &str) {
        let (uri, _) = parse(rest).expect(rest);
        let Call::Action(action) = uri.call else {
            panic!("no action: {rest}");
        };
        let named = action.named(None, parameter).expect("filled in");
        assert_eq!(
            named.target,
            target.map(|(text, json)| (text.to_owned(), json))
        );
        assert_eq!(named.query, query);
    }

    #[test]
    fn a_path_stands_below_the_service() {
        path(
            "us-east-1:s3:path/${stageVariables.bucket}/{key}",
            None,
            "https://s3.us-east-1.amazonaws.com/pets/a%20b/c",
        );
        path(
            "eu-west-1:pets.s3:path//x?versionId={key}",
            None,
            "https://pets.s3.eu-west-1.amazonaws.com/x?versionId=a%20b%2Fc",
        );
        path(
            "us-east-1:sqs:path/",
            None,
            "https://sqs.us-east-1.amazonaws.com/",
        );
    }

    #[test]
    fn an_action_is_named_as_the_service_wants_it() {
        action(
            "us-east-1:dynamodb:action/Query",
            Some(("DynamoDB_20120810.Query", "application/x-amz-json-1.0")),
            "",
        );
        action(
            "us-east-1:kinesis:action/PutRecord",
            Some(("Kinesis_20131202.PutRecord", "application/x-amz-json-1.1")),
            "",
        );
        action(
            "us-east-1:sns:action/Publish&Subject={key}&Message=a b",
            None,
            "Action=Publish&Version=2010-03-31&Subject=a%20b%2Fc&Message=a%20b",
        );
    }

    #[test]
    fn actions_on_objects_are_verbs_and_paths() {
        path(
            "us-west-2:s3:action/GetObject&Bucket=pets&Key={key}",
            Some(&Method::GET),
            "https://s3.us-west-2.amazonaws.com/pets/a%20b/c",
        );
        path(
            "us-west-2:s3:action/ListObjectsV2&Bucket=pets&prefix=a",
            Some(&Method::GET),
            "https://s3.us-west-2.amazonaws.com/pets?list-type=2&prefix=a",
        );
    }

    #[test]
    fn a_client_cannot_write_on_behind_an_action() {
        let (uri, _) = parse("us-east-1:dynamodb:action/{action}").expect("an action");
        let Call::Action(action) = uri.call else {
            panic!("no action");
        };
        assert!(action.named(None, parameter).is_err());
    }

    #[test]
    fn what_is_no_service_is_a_fault() {
        for rest in [
            "us-east-1:s3:x/y",
            "us-east-1:s3",
            ":s3:path/x",
            "r:s3/x:path/y",
            "r:dynamodb:action/",
        ] {
            assert!(
                matches!(parse(rest), Err(ServiceUriFault::NotAService(_))),
                "{rest}"
            );
        }
        assert!(ServiceUri::parse("http://example.com", None).is_err());
        assert!(matches!(
            parse("us-east-1:s3:action/RestoreObject"),
            Err(ServiceUriFault::NoActions { .. })
        ));
    }
}
