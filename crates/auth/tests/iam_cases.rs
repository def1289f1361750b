//! The recorded cases of the policy language, and the tables of how API Gateway joins policies with authorizers.

use portcullis_auth::iam::{
    self, AccessRequest, CallerPolicies, ContextEntries, EvalDecision, IdentityPolicy, PolicyError,
    Principal, ResourcePolicy,
};
use portcullis_testkit::cases::{self, ExpectedFailures};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    id: String,
    must: bool,
    request: CaseRequest,
    policies: Policies,
    expect: Expect,
}

#[derive(Deserialize)]
struct CaseRequest {
    principal: Value,
    action: String,
    resource: CaseResource,
    context: ContextEntries,
}

#[derive(Deserialize)]
struct CaseResource {
    arn: String,
    account: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policies {
    #[serde(default)]
    identity: Vec<Value>,
    resource: Option<Value>,
    #[serde(default)]
    boundary: Vec<Value>,
    session: Option<Value>,
    #[serde(default)]
    scp: Vec<Vec<Value>>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Allowed,
    ExplicitDeny,
    ImplicitDeny,
}

impl From<EvalDecision> for Expect {
    fn from(decision: EvalDecision) -> Self {
        match decision {
            EvalDecision::Allowed => Self::Allowed,
            EvalDecision::ExplicitDeny => Self::ExplicitDeny,
            EvalDecision::ImplicitDeny => Self::ImplicitDeny,
        }
    }
}

/// The cases were judged by evaluators that take what Amazon's store of policies takes.
fn identity(document: &Value) -> Result<IdentityPolicy, PolicyError> {
    IdentityPolicy::parse_lenient(&document.to_string())
}

fn resource(document: &Value) -> Result<ResourcePolicy, PolicyError> {
    ResourcePolicy::parse_lenient(&document.to_string())
}

fn load(policies: &Policies) -> Result<(CallerPolicies, Option<ResourcePolicy>), PolicyError> {
    let mut caller = CallerPolicies::new();
    for document in &policies.identity {
        caller = caller.with_identity(identity(document)?);
    }
    for document in &policies.boundary {
        caller = caller.with_boundary(identity(document)?);
    }
    if let Some(document) = &policies.session {
        caller = caller.with_session(identity(document)?);
    }
    for level in &policies.scp {
        let level: Result<Vec<_>, _> = level.iter().map(identity).collect();
        caller = caller.with_service_control(level?);
    }
    let resource = policies.resource.as_ref().map(resource).transpose()?;
    Ok((caller, resource))
}

fn check(case: &Case) -> Result<(), String> {
    let principal = match case.request.principal.as_str() {
        Some(arn) => Principal::from_arn(arn).map_err(|error| error.to_string())?,
        None => Principal::anonymous(),
    };
    let (caller, resource) = load(&case.policies).map_err(|error| error.to_string())?;
    let request = &case.request;
    let request = AccessRequest::new(&principal, &request.action, &request.resource.arn)
        .with_resource_account(&request.resource.account)
        .with_keys(&request.context);
    let decision = iam::evaluate(&request, &caller, resource.as_ref()).decision();
    let explained = iam::explain(&request, &caller, resource.as_ref());
    if explained.decision != decision {
        return Err(format!("{decision}, explained as {explained}"));
    }
    if Expect::from(decision) != case.expect {
        return Err(format!("expected {:?}: {explained}", case.expect));
    }
    Ok(())
}

#[test]
fn policies_decide_as_the_cases_say() {
    let Some(dir) = cases::dir() else { return };
    let all: Vec<Case> = cases::load_jsonl(dir.join("iam/cases.jsonl"));
    let mut tally = cases::Tally::new("iam", &ExpectedFailures::none());
    for case in &all {
        match check(case) {
            Err(why) if !case.must => tally.leave_out(&case.id, &why),
            outcome => tally.record(&case.id, outcome),
        }
    }
    tally.finish();
}

#[derive(Deserialize)]
struct Workflow {
    id: String,
    auth_type: String,
    caller_account: String,
    identity_policy: Option<Value>,
    resource_policy: Option<Value>,
    request: WorkflowRequest,
    expect: Expect,
    authorizer_called: Option<bool>,
}

#[derive(Deserialize)]
struct WorkflowRequest {
    action: String,
    arn: String,
}

fn check_workflow(case: &Workflow) -> Result<(), String> {
    let told = |error: PolicyError| error.to_string();
    let own = case.identity_policy.as_ref().map(identity).transpose();
    let own = own.map_err(told)?;
    let resource = case.resource_policy.as_ref().map(resource).transpose();
    let resource = resource.map_err(told)?;
    let user = Principal::from_arn(&format!("arn:aws:iam::{}:user/tom", case.caller_account));
    let user = user.map_err(|error| error.to_string())?;
    let anonymous = Principal::anonymous();
    let ask = |principal: &Principal, caller: CallerPolicies| {
        let request = AccessRequest::new(principal, &case.request.action, &case.request.arn);
        iam::evaluate(&request, &caller, resource.as_ref()).decision()
    };
    let mut called = None;
    let decision = match (case.auth_type.as_str(), own) {
        ("AWS_IAM", own) => {
            let caller = CallerPolicies::new();
            ask(
                &user,
                own.into_iter().fold(caller, CallerPolicies::with_identity),
            )
        }
        ("LAMBDA", Some(own)) => {
            let before = ask(&anonymous, CallerPolicies::new());
            called = Some(before != EvalDecision::ExplicitDeny);
            match before {
                EvalDecision::ExplicitDeny => before,
                _ => ask(&anonymous, CallerPolicies::new().with_authorizer(own)),
            }
        }
        ("NONE", _) => ask(&anonymous, CallerPolicies::new()),
        // The token is good; the policy is evaluated on its own.
        (kind, _) if kind.starts_with("COGNITO") => match &resource {
            Some(_) => ask(&anonymous, CallerPolicies::new()),
            None => EvalDecision::Allowed,
        },
        (kind, _) => return Err(format!("there is no rule for {kind}")),
    };
    if case.authorizer_called.is_some() && called != case.authorizer_called {
        return Err(format!("the authorizer was called: {called:?}"));
    }
    if Expect::from(decision) != case.expect {
        return Err(format!("{decision}, not {:?}", case.expect));
    }
    Ok(())
}

#[test]
fn resource_policies_meet_authorizers_as_the_tables_say() {
    let Some(dir) = cases::dir() else { return };
    let all: Vec<Workflow> = cases::load_jsonl(dir.join("iam/apigw_workflow.jsonl"));
    let none = ExpectedFailures::none();
    cases::run("iam tables", all, &none, |case| &case.id, check_workflow);
}
