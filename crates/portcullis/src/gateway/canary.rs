//! The canary of a stage: who gets it, beyond what the service has.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;

use super::error::GatewayFault;
use super::plan::StagePlan;
use crate::canary::{
    Carry, Choice, ConfigError, Forced, Measured, Ramp, Split, SplitBuilder, Sticky,
};
use crate::core::Clock;
use crate::definition::CanarySettings;

/// Who gets the canary of a stage, and how its share rises: what `canarySettings` cannot say.
///
/// Without any, each request is drawn by chance, as in the service.
///
/// ```
/// use http::HeaderName;
/// use portcullis::canary::{Sticky, StickyCookie};
/// use portcullis::definition::Stage;
/// use portcullis::{ApiSpec, CanaryRules, Gateway};
///
/// # let document = r#"{"openapi":"3.0.1","info":{"title":"pets","version":"1"},"paths":{}}"#;
/// let stage: Stage = serde_json::from_str(r#"{
///     "stageName": "prod",
///     "canarySettings": { "percentTraffic": 10, "deploymentId": "next" }
/// }"#)?;
/// let rules = CanaryRules::new()
///     .sticky(Sticky::own_cookie(StickyCookie::new("release")))
///     .ramp_steps([(10.0, std::time::Duration::from_secs(600)), (50.0, std::time::Duration::from_secs(600))]);
/// let gateway = Gateway::builder()
///     .api(
///         ApiSpec::rest(document)
///             .id("shop")
///             .deployment("next", document)
///             .stage(stage)
///             .canary("prod", rules),
///     )
///     .build()?;
/// assert_eq!(gateway.handle().canary("shop", "prod")?.percent_traffic, 10.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CanaryRules {
    split: SplitBuilder,
    sticky: Option<Sticky>,
    ramp: Option<Ramp>,
    /// Where they were written, if they come from a configuration.
    written: Option<Written>,
}

/// A part of a configuration: two that are written alike are the same. It may have secrets in it.
#[derive(Clone, PartialEq)]
struct Written(Value);

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written(…)")
    }
}

impl CanaryRules {
    /// Every request by chance.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps clients where they are: by a cookie, a header, or their address. Who the caller is is not known yet when a deployment is chosen, so
    /// [`Sticky::principal`] is an error here.
    pub fn sticky(mut self, sticky: Sticky) -> Self {
        self.sticky = Some(sticky.clone());
        self.split = self.split.sticky(sticky);
        self
    }

    /// Lets testers choose: `canary`, or `production`.
    pub fn forced(mut self, forced: Forced) -> Self {
        self.split = self.split.forced(forced);
        self
    }

    /// Tells integrations what was chosen: `canary`, or `production`.
    pub fn carry(mut self, carry: Carry) -> Self {
        self.split = self.split.carry(carry);
        self
    }

    /// Mixes this into the places of clients: see [`SplitBuilder::salt`].
    pub fn salt(mut self, salt: impl Into<String>) -> Self {
        self.split = self.split.salt(salt);
        self
    }

    /// Lets the share rise by itself, within guard rails. It begins when the stage gets a canary, or its canary a deployment, instead of at `percentTraffic`; a share that is
    /// set by hand stops it.
    pub fn ramp(mut self, ramp: Ramp) -> Self {
        self.ramp = Some(ramp);
        self
    }

    /// A [`ramp`](Self::ramp) of these steps, with its usual guard rails.
    pub fn ramp_steps(self, steps: impl IntoIterator<Item = (f64, std::time::Duration)>) -> Self {
        self.ramp(Ramp::new(steps))
    }

    /// Takes chance from here: 64 uniform bits at each call.
    pub fn chance(mut self, chance: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.split = self.split.chance(chance);
        self
    }

    /// Notes how they were written, so that reading the same again changes nothing.
    pub(super) fn written(mut self, value: Value) -> Self {
        self.written = Some(Written(value));
        self
    }

    fn is_same(&self, other: &Self) -> bool {
        self.written.is_some() && self.written == other.written
    }

    /// What is wrong with them.
    pub(super) fn check(
        &self,
        place: (&str, &str),
        clock: &Arc<dyn Clock>,
    ) -> Result<(), GatewayFault> {
        self.split(place, 0.0, clock)?;
        let ramp = self.ramp.as_ref().map_or(Ok(()), Ramp::check);
        ramp.map_err(|error| fault(place, &error))
    }

    fn split(
        &self,
        place: (&str, &str),
        percent: f64,
        clock: &Arc<dyn Clock>,
    ) -> Result<Split, GatewayFault> {
        let sticky = self.sticky.as_ref();
        if sticky.is_some_and(Sticky::asks_for_the_principal) {
            let (api, stage) = place;
            let place = format!("stage {stage}:/canary/sticky");
            let problem = "who the caller is is not known when a deployment is chosen; use a cookie, a header or the address";
            return Err(GatewayFault::new(api, place, problem));
        }
        let builder = self.split.clone().variant(CANARY, percent);
        let split = builder.clock(Arc::clone(clock)).build();
        split.map_err(|error| fault(place, &error))
    }
}

fn fault((api, stage): (&str, &str), error: &ConfigError) -> GatewayFault {
    let place = format!("stage {stage}:/canary/{}", error.field());
    GatewayFault::new(api, place, error.problem())
}

/// What the variant of a stage is called where one is named.
pub(super) const CANARY: &str = "canary";

/// The canary of a stage, as it is served.
#[derive(Debug)]
pub(super) struct CanaryPlan {
    pub(super) kept: Arc<KeptSplit>,
    /// The stage as its requests see it.
    pub(super) stage: Arc<StagePlan>,
}

/// A split, with what it was made from: one that would be made from the same stays, with its ramp.
#[derive(Debug)]
pub(super) struct KeptSplit {
    pub(super) split: Split,
    settings: CanarySettings,
    ramps: bool,
    rules: Option<Arc<CanaryRules>>,
}

type Splits = BTreeMap<(String, String), Vec<Weak<KeptSplit>>>;

/// The splits that are served, by API and stage, so that a deployment finds them again. The plans hold them.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptSplits {
    splits: Arc<Mutex<Splits>>,
}

impl KeptSplits {
    /// The split for these settings, which is the one that is served if nothing has changed.
    pub(super) fn split(
        &self,
        (api, stage): (&str, &str),
        (settings, ramps): (&CanarySettings, bool),
        rules: Option<&Arc<CanaryRules>>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<KeptSplit>, GatewayFault> {
        let key = (api.to_owned(), stage.to_owned());
        let mut splits = self.splits.lock().unwrap_or_else(PoisonError::into_inner);
        let known = splits.entry(key).or_default();
        known.retain(|own| own.strong_count() > 0);
        let same = known.iter().filter_map(Weak::upgrade).find(|own| {
            let same_rules = match (&own.rules, rules) {
                (Some(own), Some(rules)) => Arc::ptr_eq(own, rules) || own.is_same(rules),
                (own, rules) => own.is_none() && rules.is_none(),
            };
            same_rules && own.settings == *settings && own.ramps == ramps
        });
        if let Some(same) = same {
            return Ok(same);
        }
        let none = CanaryRules::new();
        let own = rules.map_or(&none, |rules| rules);
        let place = (api, stage);
        let split = own.split(place, hundredths(settings.percent_traffic), clock)?;
        if let (true, Some(ramp)) = (ramps, own.ramp.clone()) {
            let started = split.start_ramp(CANARY, ramp);
            started.map_err(|error| fault(place, &error))?;
        }
        let kept = Arc::new(KeptSplit {
            split,
            settings: settings.clone(),
            ramps,
            rules: rules.cloned(),
        });
        known.push(Arc::downgrade(&kept));
        Ok(kept)
    }
}

/// The share as it is kept: to hundredths, but never nothing or all for something in between.
fn hundredths(percent: f64) -> f64 {
    let rounded = (percent * 100.0).round() / 100.0;
    if percent > 0.0 && percent < 100.0 {
        rounded.clamp(0.01, 99.99)
    } else {
        rounded.clamp(0.0, 100.0)
    }
}

/// What is still to be done for a request when its answer goes out: few have anything.
#[derive(Debug)]
pub(super) struct CanaryTurn {
    pub(super) choice: Choice,
    pub(super) measured: Option<Measured>,
}

impl CanaryPlan {
    /// Chooses for a request. What is to be done with its answer comes with it, if there is anything.
    pub(super) fn begin<B>(
        &self,
        request: &mut http::Request<B>,
    ) -> (Option<&Arc<StagePlan>>, Option<Box<CanaryTurn>>) {
        let split = &self.kept.split;
        let choice = split.begin(request);
        let stage = choice.variant().is_some().then_some(&self.stage);
        let measured = split.measure(&choice);
        let turn = (measured.is_some() || choice.sets_cookie())
            .then(|| Box::new(CanaryTurn { choice, measured }));
        (stage, turn)
    }
}

impl CanaryTurn {
    /// The answer goes out.
    pub(super) fn finish<B>(self, response: &mut http::Response<B>) {
        self.choice.decorate(response.headers_mut());
        if let Some(measured) = self.measured {
            measured.finish(response.status().is_server_error());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::hundredths;

    #[test]
    fn something_in_between_is_never_rounded_to_never_or_always() {
        for (percent, expected) in [
            (0.0, 0.0),
            (0.001, 0.01),
            (33.333, 33.33),
            (99.999, 99.99),
            (100.0, 100.0),
        ] {
            assert_eq!(hundredths(percent), expected);
        }
    }
}
