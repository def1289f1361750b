//! Evaluations that explain themselves.

use std::fmt;

use serde::{Serialize, Serializer};

use super::evaluate::{
    AccessRequest, CallerPolicies, EvalDecision, Evaluation, PolicyLevel, StatementId, Watch,
    decide,
};
use super::keys::ContextKeys;
use super::policy::ResourcePolicy;
use super::principal::Grant;
use super::statement::{Effect, Mismatch, Statement};

/// An evaluation with everything that it looked at: data, and by `Display` a text that a person can read.
///
/// ```
/// use portcullis_auth::iam::{AccessRequest, CallerPolicies, IdentityPolicy, Principal, explain};
///
/// let policy = IdentityPolicy::parse(r#"{"Version": "2012-10-17", "Statement": [
///     {"Sid": "Read", "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:*/prod/GET/*"},
///     {"Sid": "Office", "Effect": "Deny", "Action": "*", "Resource": "*",
///      "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}
/// ]}"#)?.with_name("pets");
/// let tom = Principal::from_arn("arn:aws:iam::123456789012:user/tom")?;
/// let arn = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets";
/// let request = AccessRequest::new(&tom, "execute-api:Invoke", arn);
/// let explained = explain(&request, &CallerPolicies::new().with_identity(policy), None);
/// assert_eq!(
///     explained.to_string(),
///     "\
/// explicitly denied by statement `Office` of identity-based policy `pets`
///   who   arn:aws:iam::123456789012:user/tom
///   what  execute-api:Invoke
///   on    arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets
///   identity-based policy `pets`
///     Allow `Read`: applies
///     Deny `Office`: applies
/// ",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Explain {
    /// The outcome.
    pub decision: EvalDecision,
    /// The level that decided: that of the statement, or the one that did not allow.
    pub level: Option<PolicyLevel>,
    /// The statement that decided; `None` if it was silence.
    pub statement: Option<StatementId>,
    /// The caller's ARN.
    pub principal: String,
    /// What the caller wants to do.
    pub action: String,
    /// The ARN of what it is to be done on.
    pub resource: String,
    /// Every policy that had a say.
    pub policies: Vec<ExplainedPolicy>,
}

/// A policy, and what each of its statements had to say.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ExplainedPolicy {
    /// Where it is attached.
    pub level: PolicyLevel,
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// Its statements, in the order of the document.
    pub statements: Vec<ExplainedStatement>,
}

/// A statement, and whether it applied.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ExplainedStatement {
    /// Its sid, if it has one.
    pub sid: Option<String>,
    /// What it does where it applies.
    pub effect: Effect,
    /// `None` if it applied; else the first thing about it that did not fit.
    pub because: Option<NotApplied>,
}

/// Why a statement did not apply.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum NotApplied {
    /// It is about other principals.
    Principal,
    /// It is about other actions.
    Action,
    /// It is about other resources.
    Resource,
    /// A condition of it does not hold.
    #[serde(rename_all = "camelCase")]
    #[non_exhaustive]
    Condition {
        /// The operator.
        operator: String,
        /// The condition key.
        key: String,
        /// What the statement names.
        values: Vec<String>,
        /// What the request has.
        request: Option<RequestValue>,
    },
}

/// The value that a request had for a condition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestValue(Vec<String>);

impl RequestValue {
    /// The values: several of a multivalued key, else one.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Serialize for RequestValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Decides `request` as [`evaluate`](super::evaluate()) does, and says how.
#[must_use]
pub fn explain(
    request: &AccessRequest<'_>,
    caller: &CallerPolicies,
    resource: Option<&ResourcePolicy>,
) -> Explain {
    let mut writer = Writer {
        keys: request.keys,
        policies: Vec::new(),
    };
    let evaluation = decide(request, caller, resource, &mut writer);
    Explain {
        decision: evaluation.decision(),
        level: evaluation.level(),
        statement: evaluation.statement(),
        principal: request.principal.arn().to_owned(),
        action: request.action_as_given.to_owned(),
        resource: request.resource.to_owned(),
        policies: writer.policies,
    }
}

/// Decides `request` as [`evaluate`](super::evaluate()) does, with the outcome in one line: a refusal costs no more than a decision.
pub(crate) fn summarize(
    request: &AccessRequest<'_>,
    caller: &CallerPolicies,
    resource: Option<&ResourcePolicy>,
) -> (Evaluation, String) {
    let mut first = FirstDenial::default();
    let evaluation = decide(request, caller, resource, &mut first);
    let text = match (first.found, evaluation.statement(), evaluation.level()) {
        (Some((level, name, sid)), Some(id), _) => outcome_of_statement(
            evaluation.decision(),
            &Label(sid.as_deref(), id.statement),
            &Title(level, name.as_deref()),
        ),
        (_, _, level) => outcome_of_silence(evaluation.decision(), level),
    };
    (evaluation, text)
}

fn outcome_of_statement(
    decision: EvalDecision,
    statement: &Label<'_>,
    policy: &Title<'_>,
) -> String {
    format!("{decision} by statement {statement} of {policy}")
}

fn outcome_of_silence(decision: EvalDecision, level: Option<PolicyLevel>) -> String {
    match level {
        Some(level) => format!("{decision}: no {level} allows it"),
        None => format!("{decision}: the root of an account needs no policy"),
    }
}

/// Remembers which statement denied first.
#[derive(Default)]
struct FirstDenial {
    policy: Option<(PolicyLevel, Option<String>)>,
    found: Option<(PolicyLevel, Option<String>, Option<String>)>,
}

impl Watch for FirstDenial {
    const ALL: bool = false;

    fn policy(&mut self, level: PolicyLevel, name: Option<&str>) {
        self.policy = Some((level, name.map(str::to_owned)));
    }

    fn statement(&mut self, statement: &Statement, outcome: Result<Grant, Mismatch>) {
        let parts = statement.parts();
        if parts.effect == Effect::Deny
            && outcome.is_ok()
            && self.found.is_none()
            && let Some((level, name)) = self.policy.take()
        {
            self.found = Some((level, name, parts.sid.as_deref().map(str::to_owned)));
        }
    }
}

struct Writer<'a> {
    keys: &'a dyn ContextKeys,
    policies: Vec<ExplainedPolicy>,
}

impl Watch for Writer<'_> {
    const ALL: bool = true;

    fn policy(&mut self, level: PolicyLevel, name: Option<&str>) {
        self.policies.push(ExplainedPolicy {
            level,
            name: name.map(str::to_owned),
            statements: Vec::new(),
        });
    }

    fn statement(&mut self, statement: &Statement, outcome: Result<Grant, Mismatch>) {
        let parts = statement.parts();
        let because = outcome.err().map(|mismatch| match mismatch {
            Mismatch::Principal => NotApplied::Principal,
            Mismatch::Action => NotApplied::Action,
            Mismatch::Resource => NotApplied::Resource,
            Mismatch::Condition(index) => {
                let condition = &parts.conditions[index];
                let mut request = Vec::new();
                let value = condition.value(self.keys);
                if let Some(value) = &value {
                    value.any(|single| {
                        request.extend(single.text().map(|text| text.as_str().to_owned()));
                        false
                    });
                }
                NotApplied::Condition {
                    operator: condition.operator.to_string(),
                    key: condition.key.to_string(),
                    values: condition.values.iter().map(ToString::to_string).collect(),
                    request: value.map(|_| RequestValue(request)),
                }
            }
        });
        let policy = self
            .policies
            .last_mut()
            .expect("a policy is told before its statements");
        policy.statements.push(ExplainedStatement {
            sid: parts.sid.as_deref().map(str::to_owned),
            effect: parts.effect,
            because,
        });
    }
}

impl Explain {
    /// Whether the request may go on.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.decision == EvalDecision::Allowed
    }

    /// The outcome in one line: ``explicitly denied by statement `Office` of identity-based policy `pets` ``.
    #[must_use]
    pub fn summary(&self) -> String {
        match self.decided_by() {
            Some((policy, statement, index)) => outcome_of_statement(
                self.decision,
                &Label(statement.sid.as_deref(), index),
                &policy.title(),
            ),
            None => outcome_of_silence(self.decision, self.level),
        }
    }

    /// The policy and the statement that decided.
    fn decided_by(&self) -> Option<(&ExplainedPolicy, &ExplainedStatement, usize)> {
        let (level, id) = (self.level?, self.statement?);
        let policy = self
            .policies
            .iter()
            .filter(|policy| policy.level == level)
            .nth(id.policy)?;
        Some((policy, policy.statements.get(id.statement)?, id.statement))
    }
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.summary())?;
        writeln!(f, "  who   {}", self.principal)?;
        writeln!(f, "  what  {}", self.action)?;
        writeln!(f, "  on    {}", self.resource)?;
        for policy in &self.policies {
            writeln!(f, "  {}", policy.title())?;
            for (index, statement) in policy.statements.iter().enumerate() {
                write!(
                    f,
                    "    {:?} {}: ",
                    statement.effect,
                    Label(statement.sid.as_deref(), index)
                )?;
                match &statement.because {
                    None => writeln!(f, "applies")?,
                    Some(because) => writeln!(f, "{because}")?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for NotApplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal => f.write_str("is about other principals"),
            Self::Action => f.write_str("is about other actions"),
            Self::Resource => f.write_str("is about other resources"),
            Self::Condition {
                operator,
                key,
                values,
                request,
            } => {
                write!(
                    f,
                    "{operator} {key} [{}] does not hold: ",
                    values.join(", ")
                )?;
                match request {
                    Some(RequestValue(values)) => {
                        write!(f, "the request has [{}]", values.join(", "))
                    }
                    None => f.write_str("the request does not have the key"),
                }
            }
        }
    }
}

/// The name of a statement: its sid, or its number.
struct Label<'a>(Option<&'a str>, usize);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(sid) if !sid.is_empty() => write!(f, "`{sid}`"),
            _ => write!(f, "{}", self.1 + 1),
        }
    }
}

/// What a policy is called: its level, and its name if it has one.
struct Title<'a>(PolicyLevel, Option<&'a str>);

impl ExplainedPolicy {
    fn title(&self) -> Title<'_> {
        Title(self.level, self.name.as_deref())
    }
}

impl fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        match self.1 {
            Some(name) => write!(f, " `{name}`"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ContextEntries, IdentityPolicy, Principal};
    use super::*;

    #[test]
    fn a_summary_is_that_of_the_whole_explanation() {
        let policy = |effect: &str, sid: &str| {
            IdentityPolicy::parse(&format!(
                r#"{{"Statement": [
                    {{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}},
                    {{"Effect": "{effect}", "Sid": "{sid}", "Action": "*", "Resource": "*"}}
                ]}}"#
            ))
            .unwrap()
        };
        let allow = || policy("Allow", "A").with_name("allows");
        let deny = || policy("Deny", "D").with_name("denies");
        let tom = Principal::from_arn("arn:aws:iam::123456789012:user/tom").unwrap();
        let root = Principal::from_arn("arn:aws:iam::123456789012:root").unwrap();
        let arn = "arn:aws:execute-api:eu-west-1:123456789012:a/prod/GET/pets";
        let keys = ContextEntries::new();
        let callers = [
            CallerPolicies::new(),
            CallerPolicies::new().with_identity(allow()),
            CallerPolicies::new()
                .with_identity(allow())
                .with_identity(deny()),
            CallerPolicies::new()
                .with_identity(allow())
                .with_boundary(policy("Deny", "")),
            CallerPolicies::new()
                .with_session(deny())
                .with_identity(deny()),
            // The second policy of the second level.
            CallerPolicies::new()
                .with_service_control([allow()])
                .with_service_control([allow(), deny()])
                .with_identity(allow()),
            CallerPolicies::new().with_authorizer(deny()),
        ];
        for caller in callers {
            for principal in [&tom, &root, &Principal::anonymous()] {
                let request = AccessRequest::new(principal, "a:B", arn).with_keys(&keys);
                let explained = explain(&request, &caller, None);
                let (evaluation, summary) = summarize(&request, &caller, None);
                assert_eq!(evaluation.decision(), explained.decision);
                assert_eq!(evaluation.statement(), explained.statement);
                if explained.decision != EvalDecision::Allowed {
                    assert_eq!(summary, explained.summary());
                }
                if explained.decision == EvalDecision::ExplicitDeny {
                    assert!(
                        summary.contains("`denies`") || summary.contains("statement 2"),
                        "{summary}"
                    );
                }
            }
        }
    }
}
