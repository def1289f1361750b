//! Which requests of a gateway are traced, and what is told of them.

use std::sync::Arc;

use http::Request;

use crate::core::{ApiKind, ApiStage, Clock, RequestContext};
use crate::integrations::{IntegrationConfig, IntegrationKind};
use crate::observe::trace::{Callee, Following, Subject, Traces};

/// The traces of one stage.
#[derive(Clone, Debug)]
pub(super) struct StageTraces {
    traces: Traces,
    subject: Arc<Subject>,
}

impl StageTraces {
    /// `begins` says whether traces begin in the stage.
    pub(super) fn new(traces: &Traces, facts: &ApiStage, region: &str, begins: bool) -> Self {
        let stage = &facts.stage;
        let id = facts.api_id.as_str();
        let name = facts.api_name.as_deref().filter(|name| !name.is_empty());
        let name = name.unwrap_or(id);
        let kind = match facts.kind {
            ApiKind::Rest => "restapis",
            ApiKind::Http => "apis",
        };
        let subject = Subject::new(format!("{name}/{stage}"))
            .service_type("AWS::ApiGateway::Stage")
            .resource_arn(format!(
                "arn:aws:apigateway:{region}::/{kind}/{id}/stages/{stage}"
            ))
            .begins(begins);
        Self {
            traces: traces.clone(),
            subject: Arc::new(subject),
        }
    }

    /// Begins to follow a request; `None` if it is not recorded.
    pub(super) fn follow<B>(
        &self,
        request: &Request<B>,
        context: &RequestContext,
        clock: &Arc<dyn Clock>,
    ) -> Option<Following> {
        self.traces
            .follow(request.headers(), context, &self.subject, clock)
    }
}

/// What an integration calls, as traces name it; `None` if it calls nobody.
pub(super) fn callee(config: &IntegrationConfig) -> Option<Callee> {
    let uri = config.uri.as_deref().unwrap_or_default();
    // `arn:aws:apigateway:{region}:{service}:…`, or a subtype `SQS-SendMessage`.
    let service = || {
        let subtype = config.subtype.as_deref();
        let of_subtype = subtype.and_then(|subtype| subtype.split('-').next());
        of_subtype
            .or_else(|| uri.split(':').nth(4))
            .unwrap_or("AWS")
    };
    let function = || {
        let (_, function) = uri.split_once(":function:")?;
        Some(function.strip_suffix("/invocations").unwrap_or(function))
    };
    let host = || {
        let (_, rest) = uri.split_once("://")?;
        rest.split(['/', '?']).next()
    };
    let remote = |kind| Callee::new(host().unwrap_or("HTTP"), kind);
    Some(match config.kind {
        IntegrationKind::Http => remote("HTTP"),
        IntegrationKind::HttpProxy => remote("HTTP_PROXY"),
        IntegrationKind::Aws | IntegrationKind::AwsProxy => {
            let kind = match config.kind {
                IntegrationKind::Aws => "AWS",
                _ => "AWS_PROXY",
            };
            match function() {
                Some(function) => Callee::new("Lambda", kind).of_aws().function(function),
                None => Callee::new(service(), kind).of_aws(),
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::callee;
    use crate::core::ApiKind;
    use crate::integrations::{IntegrationConfig, IntegrationKind};
    use crate::observe::trace::Callee;

    #[track_caller]
    fn check(kind: IntegrationKind, uri: &str, expected: Option<&Callee>) {
        let mut config = IntegrationConfig::new(kind, ApiKind::Rest);
        config.uri = Some(uri.to_owned());
        assert_eq!(callee(&config).as_ref(), expected, "{uri}");
    }

    #[test]
    fn what_is_called_has_the_name_that_a_map_of_services_shows() {
        check(IntegrationKind::Mock, "", None);
        check(
            IntegrationKind::HttpProxy,
            "https://pets.example.com:8080/a/{proxy}",
            Some(&Callee::new("pets.example.com:8080", "HTTP_PROXY")),
        );
        check(
            IntegrationKind::Http,
            "http://${stageVariables.host}?a=b",
            Some(&Callee::new("${stageVariables.host}", "HTTP")),
        );
        check(
            IntegrationKind::AwsProxy,
            "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:000000000000:function:pets/invocations",
            Some(&Callee::new("Lambda", "AWS_PROXY").of_aws().function("pets")),
        );
        check(
            IntegrationKind::Aws,
            "arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem",
            Some(&Callee::new("dynamodb", "AWS").of_aws()),
        );
    }
}
