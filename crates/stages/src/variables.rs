//! Stage variables.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::{ConfigError, Fault};

/// The variables of a stage, checked: names of letters, digits and `_` (1 to 64), values of letters, digits and
/// `-._~:/?#&=,` (1 to 512). They are not meant for secrets; still, `Debug` and errors do not show values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StageVariables {
    map: BTreeMap<String, String>,
}

impl StageVariables {
    /// Checks names and values. Of a name that occurs twice the last value holds.
    ///
    /// # Errors
    ///
    /// Every name and value that the service would not accept, at once.
    pub fn new<N, V>(variables: impl IntoIterator<Item = (N, V)>) -> Result<Self, ConfigError>
    where
        N: Into<String>,
        V: Into<String>,
    {
        let mut map = BTreeMap::new();
        let mut faults = Vec::new();
        for (name, value) in variables {
            let (name, value) = (name.into(), value.into());
            faults.extend(check(&name, &value));
            map.insert(name, value);
        }
        ConfigError::unless_faulty(faults, Self { map })
    }

    /// The value of a variable.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.map.get(name).map(String::as_str)
    }

    /// Names and values, as [`ApiStage`](portcullis_core::ApiStage) and [`StageTemplate`](crate::StageTemplate) take them.
    #[must_use]
    pub const fn as_map(&self) -> &BTreeMap<String, String> {
        &self.map
    }

    /// Names and values, owned.
    #[must_use]
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.map
    }
}

impl fmt::Debug for StageVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.map.keys()).finish()
    }
}

/// Whether `name` can be the name of a stage variable.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

fn check(name: &str, value: &str) -> Option<Fault> {
    let at = || format!("stage variable `{name}`");
    if !is_name(name) {
        let fix = "use 1 to 64 letters, digits and underscores";
        return Some(Fault::new(at(), "the name is not allowed", fix));
    }
    if value.is_empty() || value.len() > 512 {
        let problem = format!("the value has {} bytes", value.len());
        return Some(Fault::new(at(), problem, "1 to 512 are allowed"));
    }
    let allowed = |char: char| char.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(char);
    let char = value.chars().find(|&char| !allowed(char))?;
    let fix = "use letters, digits and -._~:/?#&=, only";
    Some(Fault::new(at(), format!("the value holds {char:?}"), fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, value: &str, ok: bool) {
        assert_eq!(
            StageVariables::new([(name, value)]).is_ok(),
            ok,
            "{name}={value}"
        );
    }

    #[test]
    fn names_and_values_are_those_that_the_service_accepts() {
        check(
            "url_1",
            "https://example.com:8080/a~b?c=d&e=f,g#h-i_j.k",
            true,
        );
        check(&"n".repeat(64), &"v".repeat(512), true);
        check(&"n".repeat(65), "v", false);
        check("n", &"v".repeat(513), false);
        check("n", "", false);
        check("", "v", false);
        check("a-b", "v", false);
        for char in [' ', '"', '\'', '$', '{', '}', '%', '@', ';', '+', '\n', 'ü'] {
            check("n", &char.to_string(), false);
        }
    }

    #[test]
    fn each_fault_is_named_and_no_value_shown() {
        let error = StageVariables::new([("good", "1"), ("bad-name", "1"), ("bad", "se cret")])
            .expect_err("two are wrong");
        assert_eq!(error.faults().len(), 2);
        assert_eq!(
            error.faults()[1].to_string(),
            "stage variable `bad`: the value holds ' '; use letters, digits and -._~:/?#&=, only"
        );
        let variables = StageVariables::new([("good", "se-cret")]).expect("it is fine");
        assert_eq!(format!("{variables:?}"), r#"{"good"}"#);
    }
}
