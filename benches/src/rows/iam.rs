//! Decisions by policies of four and of twenty statements.
//!
//! Every row decides about the same request by statements that say the same. What a row does once for its policies, and the peers for their requests as well, is
//! not measured.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use portcullis_auth::iam::{
    AccessRequest, CallerPolicies, ContextKeyValue, ContextKeys, IdentityPolicy, Principal,
    evaluate,
};
use serde_json::{Value, json};

use crate::row::{Case, Goal, Who};

pub(super) const ACTION: &str = "execute-api:Invoke";
pub(super) const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets/42";
pub(super) const USER: &str = "arn:aws:iam::123456789012:user/tom";
pub(super) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
const PREFIX: &str = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/";

pub(super) fn cases() -> Vec<Case> {
    [4, 20].into_iter().map(statements).collect()
}

fn statements(count: usize) -> Case {
    let case = Case::new("iam", format!("{count}-statements"))
        .row(Who::Bare, || || black_box(Asked::new()))
        .row(Who::Floor, move || {
            let rules = by_hand(count);
            move || {
                let asked = black_box(Asked::new());
                assert!(is_allowed(&rules, &asked));
            }
        })
        .row(Who::Portcullis, move || {
            let policy = IdentityPolicy::from_value(&document(count)).expect("a policy");
            let caller = CallerPolicies::new().with_identity(policy);
            let tom = Principal::from_arn(USER).expect("a user");
            move || {
                let asked = black_box(Asked::new());
                let request = AccessRequest::new(&tom, asked.action, asked.resource);
                let request = request.with_keys(&asked);
                assert!(evaluate(&request, &caller, None).is_allowed());
            }
        })
        .goal(Goal::TimesFloorInTime(2.0))
        .goal(Goal::AllocationsOverBare(0.0));
    #[cfg(feature = "auth-peers")]
    let case = case
        .row(Who::Peer("iam-rs"), move || {
            super::auth_peers::iam_rs(&document(count))
        })
        .row(Who::Peer("scratchstack-aspen"), move || {
            super::auth_peers::aspen(&document(count))
        })
        .row(Who::Peer("cedar-policy"), move || {
            super::auth_peers::cedar(&rules(count))
        })
        .goal(Goal::TimesPeerInTime("iam-rs", 0.1))
        .goal(Goal::TimesPeerInTime("scratchstack-aspen", 0.1))
        .goal(Goal::TimesPeerInTime("cedar-policy", 0.1));
    case
}

/// What is decided about.
#[derive(Clone, Copy)]
struct Asked {
    action: &'static str,
    resource: &'static str,
    address: IpAddr,
}

impl Asked {
    const fn new() -> Self {
        Self {
            action: ACTION,
            resource: ARN,
            address: ADDRESS,
        }
    }
}

impl ContextKeys for Asked {
    fn value(&self, key: &str) -> Option<ContextKeyValue<'_>> {
        match key {
            "aws:sourceip" => Some(ContextKeyValue::Address(self.address)),
            _ => None,
        }
    }
}

/// A statement: its effect, its action, and the method and path behind the stage, if not all.
pub(super) struct Rule {
    pub(super) allow: bool,
    pub(super) every_action: bool,
    pub(super) path: Option<String>,
    /// It applies to whoever comes from elsewhere.
    pub(super) not_from: Option<(Ipv4Addr, u8)>,
}

/// Denials first: a peer stops at the first statement that applies.
pub(super) fn rules(count: usize) -> Vec<Rule> {
    let rule = |allow, every_action, path: Option<&str>| Rule {
        allow,
        every_action,
        path: path.map(str::to_owned),
        not_from: None,
    };
    let mut rules = vec![
        Rule {
            not_from: Some((Ipv4Addr::new(203, 0, 113, 0), 24)),
            ..rule(false, true, None)
        },
        rule(false, true, Some("DELETE/*")),
    ];
    for index in 4..count {
        let path = match index % 2 {
            0 => format!("GET/area{index}/*"),
            _ => format!("*/area{index}/*/items"),
        };
        rules.push(rule(index % 4 == 0, false, Some(&path)));
    }
    rules.push(rule(true, false, Some("*/orders/*/items")));
    rules.push(rule(true, false, Some("GET/pets/*")));
    rules.sort_by_key(|rule| rule.allow);
    rules
}

fn document(count: usize) -> Value {
    let statements = rules(count).into_iter().map(|rule| {
        let mut statement = json!({
            "Effect": if rule.allow { "Allow" } else { "Deny" },
            "Action": if rule.every_action { "execute-api:*" } else { ACTION },
            "Resource": match rule.path {
                Some(path) => format!("{PREFIX}{path}"),
                None => "*".to_owned(),
            },
        });
        if let Some((network, length)) = rule.not_from {
            let network = format!("{network}/{length}");
            statement["Condition"] = json!({"NotIpAddress": {"aws:SourceIp": network}});
        }
        statement
    });
    json!({"Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>()})
}

/// The rules as somebody would write them who needs no more of the language than these have.
struct ByHand {
    allow: bool,
    action: Glob,
    resource: Glob,
    not_from: Option<(u32, u32)>,
}

/// The texts between stars.
struct Glob(Vec<String>);

impl Glob {
    fn new(pattern: &str) -> Self {
        Self(pattern.split('*').map(str::to_owned).collect())
    }

    fn matches(&self, text: &str) -> bool {
        let Some((first, others)) = self.0.split_first() else {
            return false;
        };
        let Some((last, between)) = others.split_last() else {
            return text == first;
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        match rest.strip_suffix(last.as_str()) {
            Some(text) => rest = text,
            None => return false,
        }
        for part in between {
            match rest.split_once(part.as_str()) {
                Some((_, text)) => rest = text,
                None => return false,
            }
        }
        true
    }
}

fn by_hand(count: usize) -> Vec<ByHand> {
    let rules = rules(count).into_iter();
    rules
        .map(|rule| ByHand {
            allow: rule.allow,
            action: Glob::new(if rule.every_action {
                "execute-api:*"
            } else {
                ACTION
            }),
            resource: Glob::new(&match rule.path {
                Some(path) => format!("{PREFIX}{path}"),
                None => "*".to_owned(),
            }),
            not_from: rule.not_from.map(|(network, length)| {
                let mask = u32::MAX << (32 - u32::from(length));
                (network.to_bits(), mask)
            }),
        })
        .collect()
}

fn is_allowed(rules: &[ByHand], asked: &Asked) -> bool {
    let mut allowed = false;
    for rule in rules {
        if rule.allow && allowed {
            continue;
        }
        let applies = rule.action.matches(asked.action)
            && rule.resource.matches(asked.resource)
            && match (rule.not_from, asked.address) {
                (None, _) => true,
                (Some((network, mask)), IpAddr::V4(address)) => address.to_bits() & mask != network,
                (Some(_), IpAddr::V6(_)) => true,
            };
        if applies && !rule.allow {
            return false;
        }
        allowed |= applies;
    }
    allowed
}
