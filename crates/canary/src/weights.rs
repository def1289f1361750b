//! Who has which share of the points from 0 to 100 %.

use std::fmt;

use crate::error::ConfigError;

/// A share, in hundredths of a percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u16);

impl Share {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(10_000);

    /// The share that `percent` is; `field` is what it was given for.
    pub(crate) fn new(field: impl Into<String>, percent: f64) -> Result<Self, ConfigError> {
        if !(0.0..=100.0).contains(&percent) {
            let problem = format!("{percent} is no share; give 0 to 100");
            return Err(ConfigError::new(field.into(), problem));
        }
        let hundredths = percent * 100.0;
        if (hundredths - hundredths.round()).abs() > 1e-6 {
            let rounded = hundredths.round() / 100.0;
            let problem = format!("{percent} has more than two decimals; give {rounded}");
            return Err(ConfigError::new(field.into(), problem));
        }
        Ok(Self(hundredths.round() as u16))
    }

    /// Whether the point is among the first of this share.
    pub(crate) const fn has(self, point: Point) -> bool {
        point.0 < self.0
    }

    pub(crate) fn percent(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.percent())
    }
}

/// A place between 0 and 100 %, in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point(u16);

impl Point {
    /// The point that 32 uniform bits are. Of 2³² values each point has as many as any other, give or take one.
    pub(crate) const fn of(bits: u32) -> Self {
        Self(((bits as u64 * Share::ALL.0 as u64) >> 32) as u16)
    }
}

/// The most variants beside production.
pub(crate) const MAX_VARIANTS: usize = 4;

/// The shares of all variants in one word, so that a request sees all of them as they were at one moment.
///
/// Fourteen bits for the share of each of four variants, then a bit for each that is disabled, then one that says whether requests are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weights(u64);

const BITS: u32 = 14;
const MASK: u64 = (1 << BITS) - 1;
const DISABLED: u32 = BITS * MAX_VARIANTS as u32;
const MEASURED: u32 = DISABLED + MAX_VARIANTS as u32;

impl Weights {
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn share(self, variant: usize) -> Share {
        Share(((self.0 >> (BITS * variant as u32)) & MASK) as u16)
    }

    pub(crate) const fn with_share(self, variant: usize, share: Share) -> Self {
        let shift = BITS * variant as u32;
        Self(self.0 & !(MASK << shift) | (share.0 as u64) << shift)
    }

    pub(crate) const fn is_disabled(self, variant: usize) -> bool {
        self.0 >> (DISABLED + variant as u32) & 1 == 1
    }

    pub(crate) const fn with_disabled(self, variant: usize, disabled: bool) -> Self {
        self.with_bit(DISABLED + variant as u32, disabled)
    }

    pub(crate) const fn is_measured(self) -> bool {
        self.0 >> MEASURED & 1 == 1
    }

    pub(crate) const fn with_measured(self, measured: bool) -> Self {
        self.with_bit(MEASURED, measured)
    }

    const fn with_bit(self, bit: u32, set: bool) -> Self {
        Self(self.0 & !(1 << bit) | (set as u64) << bit)
    }

    /// Whether production has everything.
    pub(crate) const fn are_none(self) -> bool {
        self.0 & ((1 << DISABLED) - 1) == 0
    }

    /// What the variants have together.
    pub(crate) fn total(self) -> u32 {
        let shares = (0..MAX_VARIANTS).map(|variant| self.share(variant));
        shares.map(|share| u32::from(share.0)).sum()
    }

    /// The same with nobody but production having a share.
    pub(crate) fn without_shares(self) -> Self {
        (0..MAX_VARIANTS).fold(self, |weights, own| weights.with_share(own, Share::NONE))
    }

    /// The place of the variant that has this point, behind production's, which is 0.
    #[inline]
    pub(crate) fn arm_at(self, point: Point) -> u8 {
        // Mostly there is one variant, and nothing to say of it but its share.
        if self.0 <= MASK {
            return u8::from(u64::from(point.0) < self.0);
        }
        match self.at(point) {
            None => 0,
            // There are four at most.
            Some(variant) => variant as u8 + 1,
        }
    }

    /// The variant that has this point; none is production.
    ///
    /// A variant's points depend on its own share as far as that is possible: the first grows from the low end, the second from the high end, and the
    /// third and fourth away from the middle, which makes room only if the first two reach it.
    #[inline]
    pub(crate) fn at(self, point: Point) -> Option<usize> {
        let point = u64::from(point.0);
        let low = self.0 & MASK;
        if point < low {
            return Some(0);
        }
        let high = u64::from(Share::ALL.0) - (self.0 >> BITS & MASK);
        if point >= high {
            return Some(1);
        }
        let above = self.0 >> (BITS * 2) & MASK;
        let below = self.0 >> (BITS * 3) & MASK;
        if above | below == 0 {
            return None;
        }
        // All shares together fit, so there is a place for the middle.
        let middle = u64::from(Share::ALL.0 / 2)
            .max(low + below)
            .min(high - above);
        match point {
            _ if (middle..middle + above).contains(&point) => Some(2),
            _ if (middle - below..middle).contains(&point) => Some(3),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weights(shares: [u16; MAX_VARIANTS]) -> Weights {
        let shares = shares.into_iter().enumerate();
        shares.fold(Weights::default(), |weights, (variant, share)| {
            weights.with_share(variant, Share(share))
        })
    }

    fn everybody(weights: Weights) -> impl Iterator<Item = Option<usize>> {
        (0..Share::ALL.0).map(move |point| weights.at(Point(point)))
    }

    /// Four shares of 100 % at most.
    fn shares() -> impl Strategy<Value = [u16; MAX_VARIANTS]> {
        proptest::array::uniform4(0..=10_000_u16).prop_map(|mut cuts| {
            cuts.sort_unstable();
            [
                cuts[0],
                cuts[1] - cuts[0],
                cuts[2] - cuts[1],
                cuts[3] - cuts[2],
            ]
        })
    }

    proptest! {
        #[test]
        fn each_variant_has_exactly_its_share(shares in shares()) {
            let mut counts = [0; MAX_VARIANTS];
            for variant in everybody(weights(shares)).flatten() {
                counts[variant] += 1;
            }
            prop_assert_eq!(counts, shares);
        }

        #[test]
        fn of_two_variants_raising_one_moves_only_the_added_share(
            before in 0..=5_000_u16, added in 0..=5_000_u16, other in 0..=5_000_u16, first in any::<bool>(),
        ) {
            prop_assume!(before + added + other <= 10_000);
            let place = |own| if first { weights([own, other, 0, 0]) } else { weights([other, own, 0, 0]) };
            let moved = everybody(place(before)).zip(everybody(place(before + added)));
            let moved: Vec<_> = moved.filter(|(before, after)| before != after).collect();
            prop_assert_eq!(moved.len(), usize::from(added));
            let own = usize::from(!first);
            prop_assert!(moved.iter().all(|pair| *pair == (None, Some(own))));
        }

        #[test]
        fn of_four_variants_raising_one_moves_only_the_added_share_while_none_has_more_than_a_quarter(
            shares in proptest::array::uniform4(0..=2_500_u16), variant in 0..MAX_VARIANTS, raised in 0..=2_500_u16,
        ) {
            prop_assume!(raised >= shares[variant]);
            let mut after = shares;
            after[variant] = raised;
            let moved = everybody(weights(shares)).zip(everybody(weights(after)));
            for (before, after) in moved.filter(|(before, after)| before != after) {
                prop_assert_eq!((before, after), (None, Some(variant)));
            }
        }
    }

    proptest! {
        #[test]
        fn arms_are_variants_behind_production(shares in shares(), point in 0..10_000_u16, disabled in any::<bool>()) {
            for shares in [shares, [shares[0], 0, 0, 0]] {
                let weights = weights(shares).with_disabled(3, disabled);
                let arm = usize::from(weights.arm_at(Point(point)));
                prop_assert_eq!(arm.checked_sub(1), weights.at(Point(point)));
            }
        }
    }

    #[test]
    fn a_share_has_two_decimals() {
        assert_eq!(Share::new("x", 7.5).map(Share::percent), Ok(7.5));
        assert_eq!(Share::new("x", 99.99).map(|share| share.0), Ok(9_999));
        for (percent, problem) in [
            (-0.01, "x: -0.01 is no share; give 0 to 100"),
            (100.01, "x: 100.01 is no share; give 0 to 100"),
            (f64::NAN, "x: NaN is no share; give 0 to 100"),
            (33.333, "x: 33.333 has more than two decimals; give 33.33"),
        ] {
            let error = Share::new("x", percent).unwrap_err();
            assert_eq!(error.to_string(), problem);
        }
    }

    #[test]
    fn the_ends_of_the_bits_are_the_ends_of_the_points() {
        assert_eq!(Point::of(0), Point(0));
        assert_eq!(Point::of(u32::MAX), Point(9_999));
    }
}
