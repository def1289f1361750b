//! User pools whose ARNs hold stage variables: which pools they are is known when a request has a stage.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::auth::jwt::JwtLayer;
use crate::core::{
    BoxAsk, Decision, Guard, Head, Live, Rejection, RejectionKind, RequestContext, Verdict,
};
use crate::stages::StageTemplate;

/// Makes the layer for pools with these ARNs.
type Make = dyn Fn(&[String]) -> Option<JwtLayer> + Send + Sync;

#[derive(Clone)]
pub(in super::super) struct StagePools {
    arns: Arc<[StageTemplate]>,
    make: Arc<Make>,
    scopes: Vec<String>,
    /// By the ARNs as they are in a stage; nothing for those that are none. Operators set variables, and clients cannot, so these are few.
    made: Live<BTreeMap<Vec<String>, Option<JwtLayer>>>,
}

/// The sets of values that are kept. An operator may change a variable for years.
const MOST: usize = 64;

impl StagePools {
    pub(super) fn new(
        arns: Vec<StageTemplate>,
        make: impl Fn(&[String]) -> Option<JwtLayer> + Send + Sync + 'static,
    ) -> Self {
        Self {
            arns: arns.into(),
            make: Arc::new(make),
            scopes: Vec::new(),
            made: Live::default(),
        }
    }

    /// The same for a method that asks for one of these scopes.
    pub(in super::super) fn require_scopes(&self, scopes: &[String]) -> Self {
        Self {
            scopes: scopes.to_vec(),
            made: Live::default(),
            ..self.clone()
        }
    }

    fn layer(&self, head: &Head<'_>) -> Option<JwtLayer> {
        let stage = head.context().and_then(RequestContext::stage)?;
        let arns = self.arns.iter().map(|arn| arn.expand(&stage.variables));
        let arns = arns.map(|arn| arn.ok().map(|arn| arn.into_owned()));
        let arns: Vec<String> = arns.collect::<Option<_>>()?;
        let known = self.made.load();
        if let Some(layer) = known.get(&arns) {
            return layer.clone();
        }
        let layer = (self.make)(&arns).map(|layer| layer.require_scopes(&self.scopes));
        let mut next = match known.len() {
            0..MOST => BTreeMap::clone(&known),
            _ => BTreeMap::new(),
        };
        next.insert(arns, layer.clone());
        self.made.replace(next);
        layer
    }
}

impl Guard for StagePools {
    type Ask = BoxAsk;

    const NEEDS_CONTEXT: bool = true;

    const NAME: &'static str = "jwt";

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        match self.layer(head) {
            Some(layer) => layer.check(head),
            None => {
                let decision = Decision::new("gateway", "user-pool-of-stage")
                    .with("needs", "stage variables that make ARNs of user pools");
                let kind = RejectionKind::AuthorizerConfigurationError;
                Verdict::Refuse(Rejection::new(kind).with_decision(decision))
            }
        }
    }
}
