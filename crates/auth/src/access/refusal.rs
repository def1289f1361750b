//! What a caller reads whom the policies refuse.

use portcullis_core::{Decision, Rejection, RejectionKind};

use crate::iam::{
    AccessRequest, CallerPolicies, EvalDecision, Evaluation, PolicyLevel, Principal, PrincipalKind,
    ResourcePolicy, summarize,
};

/// The longest ARN of a method, with the request's path in it, that the service takes.
const MAX_ARN: usize = 1600;

/// The refusal of a request whose path makes its ARN too long.
///
/// # Errors
///
/// That refusal.
pub(super) fn check_length(arn: &str) -> Result<(), Rejection> {
    if arn.len() <= MAX_ARN {
        return Ok(());
    }
    let decision = Decision::new("auth", "iam/arn-too-long").with("limit", MAX_ARN);
    Err(Rejection::new(RejectionKind::UriTooLong).with_decision(decision))
}

/// The refusal of a request that the policies do not allow: in the service's words for the caller, with statement and policy for the log.
pub(super) fn denied(
    request: &AccessRequest<'_>,
    principal: &Principal,
    (action, arn): (&str, &str),
    caller: &CallerPolicies,
    resource: Option<&ResourcePolicy>,
) -> Rejection {
    let (evaluation, why) = summarize(request, caller, resource);
    let mut message = format!(
        "User: {principal} is not authorized to perform: {action} on resource: {}",
        masked(arn)
    );
    let signed = principal.kind() != PrincipalKind::Anonymous;
    match (evaluation.decision(), evaluation.level()) {
        (EvalDecision::ExplicitDeny, _) => message.push_str(" with an explicit deny"),
        (_, Some(PolicyLevel::Identity)) if signed => {
            message.push_str(" because no identity-based policy allows the ");
            message.push_str(action);
            message.push_str(" action");
        }
        _ => {}
    }
    refusal(evaluation, why, message, principal, (action, arn))
}

/// The same where a custom authorizer's policy decided, or was silent: the service names neither caller nor resource then.
pub(super) fn denied_by_authorizer(
    request: &AccessRequest<'_>,
    principal: &Principal,
    operation: (&str, &str),
    caller: &CallerPolicies,
    resource: Option<&ResourcePolicy>,
) -> Rejection {
    let (evaluation, why) = summarize(request, caller, resource);
    let mut message = "User is not authorized to access this resource".to_owned();
    if evaluation.decision() == EvalDecision::ExplicitDeny {
        message.push_str(" with an explicit deny");
    }
    refusal(evaluation, why, message, principal, operation)
}

fn refusal(
    evaluation: Evaluation,
    why: String,
    message: String,
    principal: &Principal,
    (action, arn): (&str, &str),
) -> Rejection {
    let rule = match evaluation.decision() {
        EvalDecision::ExplicitDeny => "iam/explicit-deny",
        EvalDecision::ImplicitDeny | EvalDecision::Allowed => "iam/implicit-deny",
    };
    let decision = Decision::new("auth", rule)
        .with("why", why)
        .with("principal", principal.arn().to_owned())
        .with("action", action.to_owned())
        .with("resource", arn.to_owned());
    Rejection::new(RejectionKind::AccessDenied)
        .with_message(message)
        .with_decision(decision)
}

/// The ARN with all but the last four digits of its account hidden.
fn masked(arn: &str) -> String {
    let mut parts: Vec<&str> = arn.splitn(6, ':').collect();
    let hidden;
    if let Some(account) = parts.get_mut(4)
        && account.len() == 12
        && account.is_ascii()
    {
        hidden = format!("********{}", &account[8..]);
        *account = &hidden;
    }
    parts.join(":")
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn an_account_is_hidden_but_for_four_digits() {
        assert_eq!(
            masked("arn:aws:execute-api:eu-west-1:123456789012:a/prod/GET/x:y"),
            "arn:aws:execute-api:eu-west-1:********9012:a/prod/GET/x:y"
        );
        assert_eq!(masked("orders/7"), "orders/7");
    }
}
