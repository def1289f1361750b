//! The split: who gets which variant, and how that is changed while requests run.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Request, header};
use portcullis_core::{Clock, Head, Release, RequestContext, SystemClock};
use rapidhash::v3::RapidSecrets;

use crate::carry::Carry;
use crate::cookie::Forged;
use crate::error::ConfigError;
use crate::forced::Forced;
use crate::measured::Measured;
use crate::ramp::{Now, Ramp, RampProgress, RampStatus, Ramps, Setting};
use crate::sticky::{self, Identified, Sticky, StickyKey};
use crate::weights::{MAX_VARIANTS, Point, Share, Weights};

/// A split of traffic between production and its variants: the rules, and the handle by which they are changed.
///
/// Clones share it. A change takes effect for the next request and never waits for one in flight.
///
/// ```
/// use portcullis_canary::Split;
///
/// let split = Split::builder().variant("v2", 5.0).variant("v3", 1.5).build()?;
/// split.set_weight("v2", 25.0)?;
/// assert_eq!(split.weight("v2"), Some(25.0));
/// split.promote("v2")?;
/// assert_eq!((split.weight("v2"), split.weight("v3")), (Some(100.0), Some(0.0)));
/// split.roll_back();
/// assert_eq!(split.weight("v2"), Some(0.0));
///
/// let error = split.set_weight("v2", 101.0).unwrap_err();
/// assert_eq!(error.to_string(), "variants.v2.percent: 101 is no share; give 0 to 100");
/// # Ok::<(), portcullis_canary::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Split {
    shared: Arc<Shared>,
}

struct Shared {
    weights: AtomicU64,
    /// Production first, then the variants in order.
    arms: Vec<Arm>,
    /// Whoever asks may have a word in it: a tester, or a split in front.
    has_word: bool,
    sticky: Option<Sticky>,
    forced: Option<Forced>,
    carry: Option<Carry>,
    salt: RapidSecrets,
    chance: Option<Arc<Chance>>,
    clock: Arc<dyn Clock>,
    forgeries: AtomicU64,
    ramps: Ramps,
}

type Chance = dyn Fn() -> u64 + Send + Sync;

/// Production, or a variant.
struct Arm {
    label: HeaderValue,
    name: Arc<str>,
    release: Release,
}

/// What production is called where a variant is named.
pub(crate) const PRODUCTION: &str = "production";

impl Split {
    /// A split with one variant, which gets this share of the requests by chance: 0 to 100, with two decimals at most.
    ///
    /// # Errors
    ///
    /// If the share or the name is none.
    pub fn new(variant: impl Into<String>, percent: f64) -> Result<Self, ConfigError> {
        Self::builder().variant(variant, percent).build()
    }

    /// A split with more to say.
    pub fn builder() -> SplitBuilder {
        SplitBuilder::default()
    }

    /// The names of the variants, in order.
    pub fn variants(&self) -> impl Iterator<Item = &str> {
        self.shared.arms.iter().skip(1).map(|arm| &*arm.name)
    }

    /// The share of a variant, in percent; `None` if there is no such variant.
    #[must_use]
    pub fn weight(&self, variant: &str) -> Option<f64> {
        let variant = self.position(variant)?;
        Some(self.weights().share(variant).percent())
    }

    /// Gives a variant this share of the requests, in percent. One that was [disabled](Self::disable) is enabled again.
    ///
    /// # Errors
    ///
    /// If there is no such variant, the share is none, or all shares together are more than 100 %.
    pub fn set_weight(&self, variant: &str, percent: f64) -> Result<(), ConfigError> {
        let own = self.known(variant)?;
        let share = Share::new(field(variant), percent)?;
        self.stop_ramp();
        self.shared.update(|weights| {
            let weights = weights.with_share(own, share).with_disabled(own, false);
            check_total(&field(variant), weights)?;
            Ok(weights)
        })
    }

    /// Gives a variant all requests.
    ///
    /// # Errors
    ///
    /// If there is no such variant.
    pub fn promote(&self, variant: &str) -> Result<(), ConfigError> {
        let own = self.known(variant)?;
        self.stop_ramp();
        self.shared.update(|weights| {
            let alone = weights.without_shares().with_share(own, Share::ALL);
            Ok(alone.with_disabled(own, false))
        })
    }

    /// Lets no request reach a variant, those of testers neither, until it is given a share again.
    ///
    /// # Errors
    ///
    /// If there is no such variant.
    pub fn disable(&self, variant: &str) -> Result<(), ConfigError> {
        let own = self.known(variant)?;
        self.stop_ramp();
        self.shared.update(|weights| {
            Ok(weights
                .with_share(own, Share::NONE)
                .with_disabled(own, true))
        })
    }

    /// Gives production all requests again, but for those of testers, who still reach the variants that are not [disabled](Self::disable).
    pub fn roll_back(&self) {
        self.stop_ramp();
        // Nothing is refused here.
        let _ = self.shared.update(|weights| Ok(weights.without_shares()));
    }

    /// Lets a variant's share rise by itself, within guard rails. It is moved by the requests that come, and needs no task of its own. Setting a weight by
    /// hand stops it.
    ///
    /// # Errors
    ///
    /// What is wrong with the ramp, that there is no such variant, or that another ramp runs.
    pub fn start_ramp(&self, variant: &str, ramp: Ramp) -> Result<(), ConfigError> {
        self.ramp_from(variant, ramp, None)
    }

    /// Goes on with a ramp where it stood: after a restart, say. A step that lasts goes on, for the rest of its time and for a window at least, since what
    /// was measured before is lost; a ramp that was rolled back stays so, and one that had come to its end stays there. One whose steps are others now begins from its start.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use portcullis_canary::{Ramp, Split};
    ///
    /// let ramp = || Ramp::new([(1.0, Duration::from_secs(600)), (10.0, Duration::from_secs(600))]);
    /// let split = Split::new("v2", 0.0)?;
    /// split.start_ramp("v2", ramp())?;
    /// let mut kept = split.ramp_progress().expect("it runs");
    /// // … the second step begins, and the process ends …
    /// kept.step = 2;
    /// let split = Split::new("v2", 0.0)?;
    /// split.resume_ramp("v2", ramp(), &kept)?;
    /// assert_eq!(split.weight("v2"), Some(10.0));
    /// # Ok::<(), portcullis_canary::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`start_ramp`](Self::start_ramp).
    pub fn resume_ramp(
        &self,
        variant: &str,
        ramp: Ramp,
        progress: &RampProgress,
    ) -> Result<(), ConfigError> {
        self.ramp_from(variant, ramp, Some(progress))
    }

    fn ramp_from(
        &self,
        variant: &str,
        ramp: Ramp,
        progress: Option<&RampProgress>,
    ) -> Result<(), ConfigError> {
        let own = self.known(variant)?;
        let shared = &*self.shared;
        let name = &*shared.arms[own + 1].name;
        let arms = shared.arms.len();
        let ramps = &shared.ramps;
        ramps.start((ramp, progress), (own, name), arms, shared.now(), shared)
    }

    /// Where the ramp stands that runs, or ran last, to be kept for [`resume_ramp`](Self::resume_ramp).
    #[must_use]
    pub fn ramp_progress(&self) -> Option<RampProgress> {
        self.shared.ramps.progress()
    }

    /// Ends a ramp where it stands; the variant keeps its share.
    pub fn stop_ramp(&self) {
        self.shared
            .ramps
            .stop(self.shared.clock.wall(), &*self.shared);
    }

    /// How the ramp stands that runs, or ran last.
    #[must_use]
    pub fn ramp(&self) -> Option<RampStatus> {
        self.shared.ramps.status(&*self.shared)
    }

    /// Measures a request from now until it is [finished](Measured::finish) or dropped; `None` unless a ramp runs. [`Canary`](crate::Canary) does it by itself.
    #[must_use]
    pub fn measure(&self, choice: &Choice) -> Option<Measured> {
        choice
            .measured
            .then(|| Measured::new(self.clone(), choice.arm, self.shared.clock.now()))
    }

    pub(crate) fn record(&self, arm: u8, since: Instant, failed: bool) {
        let shared = &*self.shared;
        let now = shared.clock.now();
        let taken = now.saturating_duration_since(since);
        let both = || Now {
            now,
            wall: shared.clock.wall(),
        };
        shared
            .ramps
            .record(usize::from(arm), (taken, failed), both, now, shared);
    }

    /// How many cookies and tokens came that were not ours. Their requests were treated as if they had none.
    #[must_use]
    pub fn forgeries(&self) -> u64 {
        self.shared.forgeries.load(Ordering::Relaxed)
    }

    /// Decides about a request, and tells its context and the services behind. Do it once for each.
    #[inline]
    pub fn begin<B>(&self, request: &mut Request<B>) -> Choice {
        let choice = self.choose(&Head::of(request));
        self.shared.tell(choice.arm, request);
        choice
    }

    /// The same for a request of which nothing is to be done later; none if there may be something, and then [`take_turn`](Self::take_turn) decides.
    #[inline]
    pub(crate) fn serve<B>(&self, request: &Request<B>) -> Option<u8> {
        let shared = &*self.shared;
        let arm = shared.arm(request, self.weights())?;
        shared.tell_context(arm, request);
        Some(arm)
    }

    /// Whether services behind are told what was chosen.
    #[inline]
    pub(crate) fn carries(&self) -> bool {
        self.shared.carry.is_some()
    }

    /// Tells them.
    pub(crate) fn carry<B>(&self, arm: u8, request: &mut Request<B>) {
        self.shared.carry(arm, request);
    }

    /// Decides about a request, tells who is to be told, and says what is to be done when it is answered.
    pub(crate) fn take_turn<B>(&self, request: &mut Request<B>) -> (u8, Option<Turn>) {
        let choice = self.begin(request);
        let measured = self.measure(&choice);
        let Choice { arm, cookie, .. } = choice;
        let idle = measured.is_none() && cookie.is_none();
        (arm, (!idle).then_some(Turn { measured, cookie }))
    }

    /// Tells a request's context and the services behind that this variant serves it, or `production`, without a choice: of a copy, say. A name that is none tells nothing.
    pub fn mark<B>(&self, name: &str, request: &mut Request<B>) {
        let mut arms = self.shared.arms.iter();
        let own = arms.position(|arm| *arm.name == *name);
        // There are five at most.
        if let Some(own) = own.and_then(|own| u8::try_from(own).ok()) {
            self.shared.tell(own, request);
        }
    }

    /// Decides about a request, and tells nobody.
    #[inline]
    #[must_use]
    pub fn choose(&self, head: &Head<'_>) -> Choice {
        self.shared.choice(head, self.weights())
    }

    /// The name of the chosen variant, or `production`.
    #[must_use]
    pub fn name(&self, choice: &Choice) -> &str {
        let arm = self.shared.arms.get(usize::from(choice.arm));
        arm.map_or(PRODUCTION, |arm| &arm.name)
    }

    pub(crate) fn position(&self, variant: &str) -> Option<usize> {
        self.variants().position(|own| own == variant)
    }

    fn known(&self, variant: &str) -> Result<usize, ConfigError> {
        self.position(variant).ok_or_else(|| {
            let known: Vec<_> = self.variants().collect();
            let problem = format!("there is no such variant; there are: {}", known.join(", "));
            ConfigError::new(format!("variants.{variant}"), problem)
        })
    }

    fn weights(&self) -> Weights {
        self.shared.weights()
    }
}

impl Shared {
    fn weights(&self) -> Weights {
        Weights::from_bits(self.weights.load(Ordering::Relaxed))
    }

    fn now(&self) -> Now {
        Now {
            now: self.clock.now(),
            wall: self.clock.wall(),
        }
    }

    fn update(
        &self,
        mut change: impl FnMut(Weights) -> Result<Weights, ConfigError>,
    ) -> Result<(), ConfigError> {
        let mut before = self.weights();
        loop {
            let after = change(before)?.bits();
            let set = self.weights.compare_exchange_weak(
                before.bits(),
                after,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match set {
                Ok(_) => return Ok(()),
                Err(now) => before = Weights::from_bits(now),
            }
        }
    }

    #[inline]
    fn random(&self) -> u64 {
        match &self.chance {
            None => fastrand::u64(..),
            Some(chance) => chance(),
        }
    }

    #[inline]
    fn draw(&self) -> Point {
        Point::of((self.random() >> 32) as u32)
    }

    /// Tells the context of a request and the services behind who serves it.
    #[inline]
    fn tell<B>(&self, arm: u8, request: &mut Request<B>) {
        self.tell_context(arm, request);
        self.carry(arm, request);
    }

    #[inline]
    fn tell_context<B>(&self, arm: u8, request: &Request<B>) {
        if let Some(context) = request.extensions().get::<RequestContext>() {
            context.set_release(self.arms[usize::from(arm)].release.clone());
        }
    }

    fn carry<B>(&self, arm: u8, request: &mut Request<B>) {
        if let Some(carry) = &self.carry {
            let label = self.arms[usize::from(arm)].label.clone();
            request.headers_mut().insert(carry.header.clone(), label);
        }
    }

    /// Who serves a request of which nothing is to be done later; none if there may be something.
    #[inline]
    fn arm<B>(&self, request: &Request<B>, weights: Weights) -> Option<u8> {
        if self.has_word || weights.is_measured() {
            return None;
        }
        let point = match &self.sticky {
            None => self.draw(),
            Some(_) if weights.are_none() => return Some(0),
            Some(sticky) => match sticky.identify(&Head::of(request), &self.salt) {
                Identified::By(hash) => point(hash),
                Identified::Not => self.draw(),
                Identified::Anew(..) => return None,
            },
        };
        Some(weights.arm_at(point))
    }

    #[inline]
    fn choice(&self, head: &Head<'_>, weights: Weights) -> Choice {
        let mut choice = if self.sticky.is_none() && !self.has_word {
            Choice::of(weights.arm_at(self.draw()))
        } else {
            self.choose(head, weights)
        };
        choice.measured = weights.is_measured();
        choice
    }

    fn choose(&self, head: &Head<'_>, weights: Weights) -> Choice {
        if let Some(carry) = &self.carry
            && carry.trusted
            && let Some(label) = head.headers().get(&carry.header)
            && let Some(choice) = self.named(label.as_bytes(), weights)
        {
            return choice;
        }
        if let Some(forced) = &self.forced {
            match forced.read(head.headers(), || self.clock.wall()) {
                Ok(None) => {}
                Ok(Some(name)) => {
                    if let Some(choice) = self.named(name.as_bytes(), weights) {
                        return choice;
                    }
                }
                Err(Forged) => self.note_forgery("token"),
            }
        }
        let Some(sticky) = &self.sticky else {
            return Choice::of(weights.arm_at(self.draw()));
        };
        // Nobody needs a place where there is nothing to share.
        if weights.are_none() {
            return Choice::of(0);
        }
        match sticky.identify(head, &self.salt) {
            Identified::By(hash) => Choice::of(weights.arm_at(point(hash))),
            Identified::Not => Choice::of(weights.arm_at(self.draw())),
            Identified::Anew(cookie, forged) => {
                if forged.is_some() {
                    self.note_forgery("cookie");
                }
                let id = self.random();
                let mut key = StickyKey::new(&self.salt);
                key.part(&id.to_be_bytes());
                Choice {
                    cookie: cookie.write(id),
                    ..Choice::of(weights.arm_at(point(key.hash().unwrap_or_default())))
                }
            }
        }
    }

    /// The arm of this name, unless it is disabled.
    fn named(&self, name: &[u8], weights: Weights) -> Option<Choice> {
        let mut arms = self.arms.iter();
        let arm = arms.position(|arm| arm.name.as_bytes() == name)?;
        let is_disabled = |variant| weights.is_disabled(variant);
        if arm.checked_sub(1).is_some_and(is_disabled) {
            return None;
        }
        // There are five at most.
        u8::try_from(arm).ok().map(Choice::of)
    }

    fn note_forgery(&self, what: &str) {
        self.forgeries.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(what, "not ours, or not valid any more; it is passed over");
    }
}

impl Setting for Shared {
    fn share(&self, variant: usize) -> Share {
        self.weights().share(variant)
    }

    fn set(&self, variant: usize, share: Share, measured: bool) -> Result<(), ConfigError> {
        self.update(|weights| {
            let weights = weights.with_share(variant, share).with_measured(measured);
            check_total("ramp", weights)?;
            Ok(weights)
        })
    }
}

const fn point(hash: u64) -> Point {
    Point::of((hash >> 32) as u32)
}

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weights = self.weights();
        let mut split = f.debug_struct("Split");
        for (index, name) in self.variants().enumerate() {
            split.field(name, &weights.share(index).percent());
        }
        split.finish_non_exhaustive()
    }
}

/// What was chosen for a request.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Nought is production.
    arm: u8,
    measured: bool,
    cookie: Option<HeaderValue>,
}

/// What is to be done when a request is answered.
pub(crate) struct Turn {
    pub(crate) measured: Option<Measured>,
    pub(crate) cookie: Option<HeaderValue>,
}

impl Choice {
    const fn of(arm: u8) -> Self {
        Self {
            arm,
            measured: false,
            cookie: None,
        }
    }

    /// The place of the variant among the split's; `None` is production.
    #[must_use]
    pub const fn variant(&self) -> Option<usize> {
        (self.arm as usize).checked_sub(1)
    }

    /// Whether the client is to have a cookie.
    #[must_use]
    pub const fn sets_cookie(&self) -> bool {
        self.cookie.is_some()
    }

    /// Gives the client its cookie, if it is to have one.
    pub fn decorate(&self, response: &mut HeaderMap) {
        if let Some(cookie) = &self.cookie {
            response.append(header::SET_COOKIE, cookie.clone());
        }
    }
}

/// Collects what a [`Split`] goes by.
#[derive(Clone, Default)]
#[must_use]
pub struct SplitBuilder {
    variants: Vec<(String, f64)>,
    sticky: Option<Sticky>,
    forced: Option<Forced>,
    carry: Option<Carry>,
    salt: String,
    chance: Option<Arc<Chance>>,
    clock: Option<Arc<dyn Clock>>,
}

impl SplitBuilder {
    /// Adds a variant with its share, in percent: 0 to 100, with two decimals at most. There may be four of them; what they leave is production's.
    pub fn variant(mut self, name: impl Into<String>, percent: f64) -> Self {
        self.variants.push((name.into(), percent));
        self
    }

    /// Keeps clients where they are. By default each request is drawn by chance, as in Amazon's stages.
    pub fn sticky(mut self, sticky: Sticky) -> Self {
        self.sticky = Some(sticky);
        self
    }

    /// Lets testers choose.
    pub fn forced(mut self, forced: Forced) -> Self {
        self.forced = Some(forced);
        self
    }

    /// Tells services behind what was chosen.
    pub fn carry(mut self, carry: Carry) -> Self {
        self.carry = Some(carry);
        self
    }

    /// Mixes this into the places of clients. Splits of the same salt have the same clients in their first percents: give each experiment another, unless the same
    /// people are meant to see them all. Changing it moves everybody.
    pub fn salt(mut self, salt: impl Into<String>) -> Self {
        self.salt = salt.into();
        self
    }

    /// Takes chance from here: 64 uniform bits at each call.
    pub fn chance(mut self, chance: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.chance = Some(Arc::new(chance));
        self
    }

    /// Takes the time from here.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Checks all of it.
    ///
    /// # Errors
    ///
    /// What is wrong first: a share that is none, a name that cannot be used or is there twice, shares of more than 100 % together.
    pub fn build(self) -> Result<Split, ConfigError> {
        if self.variants.is_empty() || self.variants.len() > MAX_VARIANTS {
            let problem = format!(
                "there are {}; give 1 to {MAX_VARIANTS}",
                self.variants.len()
            );
            return Err(ConfigError::new("variants", problem));
        }
        let mut arms = vec![Arm {
            label: HeaderValue::from_static(PRODUCTION),
            name: PRODUCTION.into(),
            release: Release::Production,
        }];
        let mut weights = Weights::default();
        for (index, (name, percent)) in self.variants.iter().enumerate() {
            let label = label(name)?;
            if arms.iter().any(|arm| *arm.name == **name) {
                let problem = format!("`{name}` is there already; give each another name");
                return Err(ConfigError::new("variants", problem));
            }
            weights = weights.with_share(index, Share::new(field(name), *percent)?);
            let name: Arc<str> = name.as_str().into();
            arms.push(Arm {
                label,
                name: Arc::clone(&name),
                release: Release::Canary(name),
            });
        }
        check_total("variants", weights)?;
        if let Some(sticky) = &self.sticky {
            sticky.check()?;
        }
        if let Some(forced) = &self.forced {
            forced.check()?;
        }
        let trusted = self.carry.as_ref().is_some_and(|carry| carry.trusted);
        Ok(Split {
            shared: Arc::new(Shared {
                weights: AtomicU64::new(weights.bits()),
                arms,
                has_word: self.forced.is_some() || trusted,
                sticky: self.sticky,
                forced: self.forced,
                carry: self.carry,
                salt: sticky::salt(&self.salt),
                chance: self.chance,
                clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
                forgeries: AtomicU64::new(0),
                ramps: Ramps::default(),
            }),
        })
    }
}

impl fmt::Debug for SplitBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SplitBuilder")
            .field("variants", &self.variants)
            .field("sticky", &self.sticky)
            .field("forced", &self.forced)
            .field("carry", &self.carry)
            .finish_non_exhaustive()
    }
}

fn field(variant: &str) -> String {
    format!("variants.{variant}.percent")
}

/// The name of a variant as a header has it.
fn label(name: &str) -> Result<HeaderValue, ConfigError> {
    const LONGEST: usize = 64;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let legal = (1..=LONGEST).contains(&name.len()) && name.bytes().all(legal);
    match HeaderValue::from_str(name) {
        Ok(label) if legal => Ok(label),
        _ => {
            let problem = format!(
                "`{name}` is no name of a variant; use letters, digits, `-` and `_`, at most {LONGEST}"
            );
            Err(ConfigError::new("variants", problem))
        }
    }
}

fn check_total(field: &str, weights: Weights) -> Result<(), ConfigError> {
    let total = weights.total();
    if total <= 10_000 {
        return Ok(());
    }
    let percent = f64::from(total) / 100.0;
    let problem = format!("all variants together have {percent} %; give at most 100");
    Err(ConfigError::new(field.to_owned(), problem))
}

#[cfg(test)]
mod tests {
    use super::{Split, SplitBuilder};

    #[track_caller]
    fn refused(builder: SplitBuilder, expected: &str) {
        assert_eq!(builder.build().unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_cannot_be_split_is_an_error_that_names_the_field() {
        let split = Split::builder;
        refused(split(), "variants: there are 0; give 1 to 4");
        refused(
            split().variant("v2", 100.5),
            "variants.v2.percent: 100.5 is no share; give 0 to 100",
        );
        refused(
            split().variant("v2", 60.0).variant("v3", 50.0),
            "variants: all variants together have 110 %; give at most 100",
        );
        refused(
            split().variant("production", 1.0),
            "variants: `production` is there already; give each another name",
        );
        refused(
            split().variant("v 2", 1.0),
            "variants: `v 2` is no name of a variant; use letters, digits, `-` and `_`, at most 64",
        );
    }

    #[test]
    fn a_change_that_is_refused_changes_nothing() {
        let split = Split::builder()
            .variant("a", 60.0)
            .variant("b", 30.0)
            .build()
            .unwrap();
        let error = split.set_weight("b", 50.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "variants.b.percent: all variants together have 110 %; give at most 100"
        );
        let error = split.promote("c").unwrap_err();
        assert_eq!(
            error.to_string(),
            "variants.c: there is no such variant; there are: a, b"
        );
        assert_eq!(
            (split.weight("a"), split.weight("b")),
            (Some(60.0), Some(30.0))
        );
    }
}
