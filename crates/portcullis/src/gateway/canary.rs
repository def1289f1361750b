//! The canary of a stage: who gets it, beyond what the service has.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use serde_json::Value;

use super::control::Control;
use super::deployments::KeptRamp;
use super::error::GatewayFault;
use super::mirror::{StageMirror, extensions_of_copy};
use super::plan::StagePlan;
use crate::canary::{
    Carry, Choice, ConfigError, Forced, Measured, MirrorLayer, MirrorLayerBuilder, Ramp, Split,
    SplitBuilder, Sticky,
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
    mirror: Option<MirrorLayerBuilder>,
    mismatches_above: Option<f64>,
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

    /// Sends copies of production's requests to the canary as well, beside the requests themselves, and compares its answers with production's. Nobody is served by them.
    ///
    /// A copy is made where production calls an integration: its guards have let the request in and have counted it, and those of the canary are not asked. It gets what the canary's
    /// integration gets, by the canary's routes and variables, and passes its cache by. [`GatewayHandle::canary_mirror`](crate::GatewayHandle::canary_mirror) says what comes of it.
    ///
    /// ```
    /// use portcullis::CanaryRules;
    /// use portcullis::canary::{Comparison, MirrorLayer, Ramp};
    ///
    /// # fn run() -> Result<CanaryRules, portcullis::canary::ConfigError> {
    /// let minute = std::time::Duration::from_secs(60);
    /// let rules = CanaryRules::new()
    ///     .mirror(MirrorLayer::builder().share(20.0).compare(Comparison::new().ignore_path("/servedAt")?))
    ///     .ramp(Ramp::new([(5.0, minute * 10), (50.0, minute * 10)]))
    ///     .max_mismatches_above(1.0);
    /// # Ok(rules)
    /// # }
    /// # run().unwrap();
    /// ```
    pub fn mirror(mut self, mirror: MirrorLayerBuilder) -> Self {
        self.mirror = Some(mirror);
        self
    }

    /// A guard rail of the ramp: how many percent of the compared answers may differ. It needs a [`mirror`](Self::mirror).
    pub const fn max_mismatches_above(mut self, percent: f64) -> Self {
        self.mismatches_above = Some(percent);
        self
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
        let mirror = self.mirror_of(place, clock)?;
        if self.mismatches_above.is_some() && (mirror.is_none() || self.ramp.is_none()) {
            let (api, stage) = place;
            let place = format!("stage {stage}:/canary/ramp/maxMismatchesAbove");
            let problem =
                "needs a ramp that it guards, and `mirror`, by which answers are compared";
            return Err(GatewayFault::new(api, place, problem));
        }
        let ramp = self.guarded_ramp(mirror.as_ref());
        let ramp = ramp.map_or(Ok(()), |ramp| ramp.check());
        ramp.map_err(|error| fault(place, &error))
    }

    /// The ramp with all its guard rails.
    fn guarded_ramp(&self, mirror: Option<&MirrorLayer<()>>) -> Option<Ramp> {
        let ramp = self.ramp.clone()?;
        Some(match (self.mismatches_above, mirror) {
            (Some(percent), Some(mirror)) => {
                ramp.max_mismatches_above(percent, mirror.handle().comparisons())
            }
            _ => ramp,
        })
    }

    /// The mirror, with nothing behind it yet.
    fn mirror_of(
        &self,
        place: (&str, &str),
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<MirrorLayer<()>>, GatewayFault> {
        let Some(mirror) = self.mirror.clone() else {
            return Ok(None);
        };
        let mirror = mirror.extensions(extensions_of_copy);
        let made = mirror.clock(Arc::clone(clock)).build(());
        made.map(Some).map_err(|error| fault(place, &error))
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
    // A field of a builder is a place in a configuration.
    let field = error.field().replace(['.', '['], "/").replace(']', "");
    let place = format!("stage {stage}:/canary/{field}");
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
    /// Who is sent copies of production's requests, if anybody is.
    pub(super) mirror: Option<StageMirror>,
}

/// A split, with what it was made from: one that would be made from the same stays, with its ramp.
#[derive(Debug)]
pub(super) struct KeptSplit {
    pub(super) split: Split,
    /// With nothing behind it: what that is changes with each deployment, and what has come of it stays.
    pub(super) mirror: Option<MirrorLayer<()>>,
    settings: CanarySettings,
    ramps: bool,
    rules: Option<Arc<CanaryRules>>,
}

type Splits = BTreeMap<(String, String), Vec<Weak<KeptSplit>>>;

/// The splits that are served, by API and stage, so that a deployment finds them again. The plans hold them.
#[derive(Clone, Default)]
pub(super) struct KeptSplits {
    splits: Arc<Mutex<Splits>>,
    /// Who keeps where ramps stand; absent until there is somebody.
    keeper: Arc<OnceLock<Weak<Control>>>,
}

impl KeptSplits {
    /// Lets this one keep where ramps stand.
    pub(super) fn keep_by(&self, control: &Arc<Control>) {
        // There is one for each gateway.
        let _ = self.keeper.set(Arc::downgrade(control));
    }

    /// The split for these settings, which is the one that is served if nothing has changed. A ramp that is kept goes on where it stood.
    pub(super) fn split(
        &self,
        (api, stage): (&str, &str),
        (settings, ramps, kept): (&CanarySettings, bool, Option<&KeptRamp>),
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
        let mirror = own.mirror_of(place, clock)?;
        if let (true, Some(ramp)) = (ramps, own.guarded_ramp(mirror.as_ref())) {
            let keeper = Arc::clone(&self.keeper);
            let ramp = ramp.on_decision(move |_| {
                if let Some(keeper) = keeper.get().and_then(Weak::upgrade) {
                    keeper.keep_ramps();
                }
            });
            let started = match kept {
                Some(kept) => split.resume_ramp(CANARY, ramp, &kept.progress()),
                None => split.start_ramp(CANARY, ramp),
            };
            started.map_err(|error| fault(place, &error))?;
        }
        let kept = Arc::new(KeptSplit {
            split,
            mirror,
            settings: settings.clone(),
            ramps,
            rules: rules.cloned(),
        });
        known.push(Arc::downgrade(&kept));
        Ok(kept)
    }
}

impl fmt::Debug for KeptSplits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptSplits")
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
