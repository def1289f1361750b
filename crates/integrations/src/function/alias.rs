//! Names for versions of a function.

use std::fmt;
use std::sync::Arc;

/// A name for one version of a function, or for several that share its calls by weight.
///
/// The words are those of AWS: `FunctionVersion`, and `AdditionalVersionWeights` of the `RoutingConfig`.
///
/// ```
/// use portcullis_integrations::FunctionAlias;
///
/// // Every tenth call or so goes to version 2.
/// let prod = FunctionAlias::new("1").additional_version_weight("2", 0.1);
/// assert_eq!(prod.function_version(), "1");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionAlias {
    function_version: Arc<str>,
    additional_version_weights: Vec<(Arc<str>, f64)>,
}

impl FunctionAlias {
    /// An alias of this version.
    #[must_use]
    pub fn new(function_version: impl Into<Arc<str>>) -> Self {
        Self {
            function_version: function_version.into(),
            additional_version_weights: Vec::new(),
        }
    }

    /// Sends this share of the calls, from 0 to 1, to another version.
    #[must_use]
    pub fn additional_version_weight(mut self, version: impl Into<Arc<str>>, weight: f64) -> Self {
        self.additional_version_weights
            .push((version.into(), weight));
        self
    }

    /// The version that gets what no weight sends elsewhere.
    #[must_use]
    pub fn function_version(&self) -> &str {
        &self.function_version
    }

    /// Every version that may be chosen.
    pub(super) fn versions(&self) -> impl Iterator<Item = &Arc<str>> {
        let additional = self.additional_version_weights.iter();
        std::iter::once(&self.function_version).chain(additional.map(|(version, _)| version))
    }

    /// What is wrong with the weights.
    pub(super) fn fault(&self) -> Option<String> {
        let mut sum = 0.0;
        for (version, weight) in &self.additional_version_weights {
            if !(0.0..=1.0).contains(weight) {
                return Some(format!(
                    "has {weight} for version `{version}`; a weight is from 0 to 1"
                ));
            }
            sum += weight;
        }
        (sum > 1.0).then(|| format!("has weights of {sum} in all; there is 1 to share"))
    }

    /// The version for a random number from 0 up to, but not including, 1.
    pub(super) fn choose(&self, random: f64) -> &Arc<str> {
        let mut passed = 0.0;
        for (version, weight) in &self.additional_version_weights {
            passed += weight;
            if random < passed {
                return version;
            }
        }
        &self.function_version
    }
}

/// Where the choice between versions comes from.
#[derive(Clone)]
pub(super) struct Random(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Random {
    pub(super) fn new(source: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    pub(super) fn next(&self) -> f64 {
        (self.0)()
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new(fastrand::f64)
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_share_the_numbers_from_0_to_1() {
        let alias = FunctionAlias::new("1")
            .additional_version_weight("2", 0.25)
            .additional_version_weight("3", 0.5);
        for (random, version) in [
            (0.0, "2"),
            (0.24, "2"),
            (0.25, "3"),
            (0.74, "3"),
            (0.75, "1"),
            (0.99, "1"),
        ] {
            assert_eq!(&**alias.choose(random), version, "{random}");
        }
        assert_eq!(&**FunctionAlias::new("1").choose(0.0), "1");
    }

    #[test]
    fn a_weight_of_0_chooses_nothing_and_of_1_all() {
        let none = FunctionAlias::new("1").additional_version_weight("2", 0.0);
        assert_eq!(&**none.choose(0.0), "1");
        let all = FunctionAlias::new("1").additional_version_weight("2", 1.0);
        assert_eq!(&**all.choose(0.999_999), "2");
    }

    #[test]
    fn weights_that_cannot_be_shared_are_faults() {
        let alias = |weights: &[f64]| {
            weights
                .iter()
                .fold(FunctionAlias::new("1"), |alias, weight| {
                    alias.additional_version_weight("2", *weight)
                })
        };
        assert_eq!(alias(&[0.5, 0.5]).fault(), None);
        for wrong in [&[1.1][..], &[-0.1], &[f64::NAN], &[0.6, 0.6]] {
            assert!(alias(wrong).fault().is_some(), "{wrong:?}");
        }
    }
}
