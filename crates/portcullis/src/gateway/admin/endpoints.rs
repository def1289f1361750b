//! The endpoints of the admin API, in one table.

use http::Method;
use percent_encoding::percent_decode_str;

/// One endpoint.
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) operation: Operation,
    pub(super) summary: &'static str,
    pub(super) body: Takes,
}

/// What a request has in its body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Document,
    /// An object, by an example.
    Json(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Apis,
    Api,
    Deployments,
    CreateDeployment,
    Deployment,
    DeleteDeployment,
    Diff,
    Stages,
    Stage,
    Promote,
    RollBack,
    Variables,
    Canary,
    SetCanary,
    CanaryWeight,
    PromoteCanary,
    RollBackCanary,
    DisableCanary,
    FlushAuthorizers,
    FlushCache,
    Usage,
    SetUsage,
    Routes,
    Coverage,
    Description,
}

macro_rules! endpoints {
    ($($method:ident $path:literal $operation:ident $body:expr, $summary:literal;)*) => {
        &[$(Endpoint {
            method: Method::$method,
            path: $path,
            operation: Operation::$operation,
            summary: $summary,
            body: $body,
        }),*]
    };
}

use Takes::{Document, Json, Nothing};

pub(super) const ENDPOINTS: &[Endpoint] = endpoints! {
    GET "/apis" Apis Nothing, "The APIs with their stages";
    GET "/apis/{api}" Api Nothing, "One API with its stages";
    GET "/apis/{api}/deployments" Deployments Nothing, "The deployments that are kept, the youngest first";
    POST "/apis/{api}/deployments" CreateDeployment Document, "Makes a deployment, and serves it on the stages that `stageName` names";
    GET "/apis/{api}/deployments/{deployment}" Deployment Nothing, "One deployment";
    DELETE "/apis/{api}/deployments/{deployment}" DeleteDeployment Nothing, "Forgets a deployment that nothing serves";
    GET "/apis/{api}/deployments/{deployment}/diff/{to}" Diff Nothing, "What differs between two deployments";
    GET "/apis/{api}/stages" Stages Nothing, "The stages as they are served";
    GET "/apis/{api}/stages/{stage}" Stage Nothing, "One stage as it is served";
    PUT "/apis/{api}/stages/{stage}/deployment" Promote Json(r#"{"deploymentId": "0123456789abcdef"}"#), "Serves a deployment, or what another stage serves (`fromStage`)";
    POST "/apis/{api}/stages/{stage}/rollback" RollBack Nothing, "Serves what the stage served before";
    PATCH "/apis/{api}/stages/{stage}/variables" Variables Json(r#"{"backend": "green.example.com", "old": null}"#), "Sets variables; null removes one";
    GET "/apis/{api}/stages/{stage}/canary" Canary Nothing, "The canary of a stage, with its ramp";
    PUT "/apis/{api}/stages/{stage}/canary" SetCanary Json(r#"{"percentTraffic": 5, "deploymentId": "0123456789abcdef", "stageVariableOverrides": {"backend": "next.example.com"}}"#), "Gives a stage a canary, under the names of `canarySettings`";
    PUT "/apis/{api}/stages/{stage}/canary/weight" CanaryWeight Json(r#"{"percentTraffic": 25}"#), "Sets the share of a canary, and stops its ramp";
    POST "/apis/{api}/stages/{stage}/canary/promotion" PromoteCanary Nothing, "Makes the canary production; it stays, with no share";
    POST "/apis/{api}/stages/{stage}/canary/rollback" RollBackCanary Nothing, "Gives production all requests, and takes a promotion back";
    DELETE "/apis/{api}/stages/{stage}/canary" DisableCanary Nothing, "Takes the canary off a stage";
    DELETE "/apis/{api}/stages/{stage}/cache/authorizers" FlushAuthorizers Nothing, "Forgets what custom authorizers said";
    DELETE "/apis/{api}/stages/{stage}/cache/data" FlushCache Nothing, "Forgets the cached responses of a stage, and says how many there were";
    GET "/usageplans/{plan}/keys/{key}/usage" Usage Nothing, "What a key has used of its quota";
    PUT "/usageplans/{plan}/keys/{key}/usage" SetUsage Json(r#"{"remaining": 500}"#), "Sets what a key has left in this period";
    GET "/routes" Routes Nothing, "The routes that are served";
    GET "/coverage" Coverage Nothing, "What became of each field of the definitions";
    GET "/openapi.json" Description Nothing, "This API";
};

/// What a request is for.
pub(super) enum Found {
    /// An endpoint, with what stands for its parameters, in their order.
    Endpoint(&'static Endpoint, Vec<String>),
    /// A path that takes these methods.
    Methods(Vec<&'static str>),
    Nothing,
}

/// Finds the endpoint of a request. `HEAD` is `GET` here.
pub(super) fn find(method: &Method, path: &str) -> Found {
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut methods = Vec::new();
    for endpoint in ENDPOINTS {
        let Some(parameters) = matches(endpoint.path, path) else {
            continue;
        };
        if endpoint.method == *method {
            return Found::Endpoint(endpoint, parameters);
        }
        methods.push(endpoint.method.as_str());
    }
    if methods.is_empty() {
        Found::Nothing
    } else {
        Found::Methods(methods)
    }
}

/// The paths that are most like one that leads nowhere: those with the same beginning, or else all beginnings.
pub(super) fn like(path: &str) -> Vec<&'static str> {
    let first = |path: &'static str| path.split('/').nth(1).unwrap_or_default();
    let sought = path.split('/').nth(1).unwrap_or_default();
    let mut known: Vec<_> = ENDPOINTS.iter().map(|own| own.path).collect();
    let alike = known.iter().any(|own| first(own) == sought);
    known.retain(|own| match alike {
        true => first(own) == sought,
        false => own.split('/').count() <= 2 || first(own) == "usageplans",
    });
    known.dedup();
    known
}

/// What stands for the parameters of a template, if the path is one of its.
fn matches(template: &str, path: &str) -> Option<Vec<String>> {
    let mut parameters = Vec::new();
    let mut segments = path.split('/');
    for own in template.split('/') {
        let segment = segments.next()?;
        if own.starts_with('{') {
            let text = percent_decode_str(segment).decode_utf8().ok()?;
            if text.is_empty() {
                return None;
            }
            parameters.push(text.into_owned());
        } else if own != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{Found, Operation, find};

    #[track_caller]
    fn check(method: &Method, path: &str, operation: Operation, parameters: &[&str]) {
        match find(method, path) {
            Found::Endpoint(endpoint, found) => {
                assert_eq!(endpoint.operation, operation);
                assert_eq!(found, parameters);
            }
            _ => panic!("{method} {path} is nothing"),
        }
    }

    #[test]
    fn a_path_leads_to_its_endpoint_with_its_parameters_decoded() {
        check(&Method::GET, "/apis", Operation::Apis, &[]);
        check(&Method::HEAD, "/apis", Operation::Apis, &[]);
        check(&Method::GET, "/apis/a%2Fb", Operation::Api, &["a/b"]);
        check(
            &Method::GET,
            "/apis/a/stages/%24default",
            Operation::Stage,
            &["a", "$default"],
        );
        check(
            &Method::GET,
            "/apis/a/deployments/1/diff/2",
            Operation::Diff,
            &["a", "1", "2"],
        );
    }

    #[test]
    fn what_is_no_path_leads_nowhere_and_what_is_no_method_says_which_are() {
        for path in [
            "/",
            "",
            "/apis/",
            "/apis//stages",
            "/apis/a/",
            "/apis/%ff",
            "/nothing",
        ] {
            assert!(matches!(find(&Method::GET, path), Found::Nothing), "{path}");
        }
        let Found::Methods(methods) = find(&Method::PUT, "/apis/a/deployments") else {
            panic!("the path is there");
        };
        assert_eq!(methods, ["GET", "POST"]);
    }
}
