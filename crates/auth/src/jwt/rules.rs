//! What a route asks of tokens, and what becomes of requests.

use std::sync::Arc;

use portcullis_core::{Claims, Detail, Measure, Mode, Rejection, RequestContext};

use super::conduct::Conduct;
use super::fault::TokenFault;
use super::place::Place;
use crate::expression::Expression;

/// What the route asks for.
#[derive(Clone, Default)]
pub(crate) struct TokenRules {
    pub(crate) place: Place,
    pub(crate) scopes: Box<[Box<str>]>,
    pub(crate) audience: Option<Expression>,
    pub(crate) checks: Vec<Arc<dyn Fn(&Claims) -> bool + Send + Sync>>,
    pub(crate) conduct: Conduct,
    pub(crate) mode: Mode,
}

impl TokenRules {
    /// Ends a request's check: its claims are shown, or it is refused.
    pub(crate) fn conclude(
        &self,
        context: Option<&RequestContext>,
        outcome: Result<Claims, TokenFault>,
    ) -> Result<(), Rejection> {
        let outcome = outcome.and_then(|claims| {
            self.check(&claims)?;
            Ok(claims)
        });
        match outcome {
            Ok(claims) => {
                if let Some(context) = context {
                    context.measure(Measure::AuthorizerStatus, 200);
                    context.set_claims(self.show(claims));
                }
                Ok(())
            }
            Err(fault) => Err(self.refuse(context, &fault)),
        }
    }

    pub(crate) fn refuse(&self, context: Option<&RequestContext>, fault: &TokenFault) -> Rejection {
        let rejection = self.conduct.refusal(fault, &self.scopes);
        if let Some(context) = context {
            context.measure(
                Measure::AuthorizerStatus,
                rejection.status().as_u16().into(),
            );
            context.note(Detail::AuthorizerError, &*fault.description());
        }
        rejection
    }

    /// What the route asks of a token that its issuer's rules let through.
    fn check(&self, claims: &Claims) -> Result<(), TokenFault> {
        if self.conduct == Conduct::UserPool {
            // Only the method's scopes tell which kind of token belongs here.
            let expected = match self.scopes.is_empty() {
                true => "id",
                false => "access",
            };
            if claims.get("token_use").and_then(|found| found.as_str()) != Some(expected) {
                return Err(TokenFault::Use);
            }
        }
        if let Some(expression) = &self.audience
            && !claims
                .get("aud")
                .and_then(|audience| audience.as_str())
                .is_some_and(|audience| expression.matches(audience))
        {
            return Err(TokenFault::Audience);
        }
        let scoped = self.scopes.is_empty()
            || claims
                .scopes()
                .any(|found| self.scopes.iter().any(|needed| **needed == *found));
        if !scoped {
            return Err(TokenFault::Scope);
        }
        match self.checks.iter().all(|check| check(claims)) {
            true => Ok(()),
            false => Err(TokenFault::Check),
        }
    }

    fn show(&self, claims: Claims) -> Claims {
        let claims = claims.on_scoped_route(!self.scopes.is_empty());
        match self.conduct.wording() {
            Some(wording) => claims.worded(wording),
            None => claims,
        }
    }
}
