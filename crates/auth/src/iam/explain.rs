//! Evaluations that explain themselves.

use std::fmt;

use serde::{Serialize, Serializer};

use super::evaluate::{
    AccessRequest, CallerPolicies, EvalDecision, PolicyLevel, StatementId, Watch, decide,
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
        let decision = self.decision;
        match (self.decided_by(), self.level) {
            (Some((policy, statement, index)), _) => format!(
                "{decision} by statement {} of {}",
                Label(statement.sid.as_deref(), index),
                Title(policy)
            ),
            (None, Some(level)) => format!("{decision}: no {level} allows it"),
            (None, None) => format!("{decision}: the root of an account needs no policy"),
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
            writeln!(f, "  {}", Title(policy))?;
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

struct Title<'a>(&'a ExplainedPolicy);

impl fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.level.fmt(f)?;
        match &self.0.name {
            Some(name) => write!(f, " `{name}`"),
            None => Ok(()),
        }
    }
}
