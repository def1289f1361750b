//! What a stage may be called and what its variables may hold.

use std::fmt;

use crate::{ApiKind, Pointer, Stage};

/// Something in a stage that the service would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageFault {
    /// The field, seen from the stage.
    pub pointer: Pointer,
    /// What is wrong, what is allowed, and the value.
    pub message: String,
}

impl fmt::Display for StageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.message)
    }
}

impl std::error::Error for StageFault {}

impl Stage {
    /// Everything in this stage that the service would refuse: the name, the variables, the
    /// canary's variables and its share.
    #[must_use]
    pub fn faults(&self, kind: ApiKind) -> Vec<StageFault> {
        let mut faults = Vec::new();
        let mut note = |pointer: Pointer, result: Result<(), String>| {
            if let Err(message) = result {
                faults.push(StageFault { pointer, message });
            }
        };
        note(
            Pointer::root().child("stageName"),
            check_stage_name(&self.stage_name, kind),
        );
        let variables = Pointer::root().child("variables");
        note(variables.clone(), check_count(self.variables.len()));
        for (name, value) in &self.variables {
            note(variables.child(name), check_stage_variable(name, value));
        }
        if let Some(canary) = &self.canary_settings {
            let pointer = Pointer::root().child("canarySettings");
            note(
                pointer.child("percentTraffic"),
                check_percent(canary.percent_traffic),
            );
            let overrides = pointer.child("stageVariableOverrides");
            for (name, value) in &canary.stage_variable_overrides {
                note(overrides.child(name), check_stage_variable(name, value));
            }
        }
        faults
    }
}

/// Checks the name of a stage: letters, digits, `_` and `-`, at most 128 of them; an HTTP API may
/// also call one `$default`.
///
/// # Errors
///
/// A sentence that says what is wrong.
pub fn check_stage_name(name: &str, kind: ApiKind) -> Result<(), String> {
    if kind == ApiKind::Http && name == "$default" {
        return Ok(());
    }
    if name.is_empty() {
        return Err("a stage needs a name".into());
    }
    if name.len() > 128 {
        return Err(format!("the name `{name}` is longer than 128 characters"));
    }
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    match name.chars().find(|&char| !allowed(char)) {
        Some(char) => Err(format!(
            "the name `{name}` holds {char:?}; only letters, digits, `_` and `-` are allowed"
        )),
        None => Ok(()),
    }
}

/// Checks a stage variable: a name of letters, digits and `_` (at most 64), a value of letters,
/// digits and `-._~:/?#&=,` (1 to 512).
///
/// # Errors
///
/// A sentence that says what is wrong. It does not repeat the value, which may be a secret.
pub fn check_stage_variable(name: &str, value: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 64 {
        return Err(format!("the name `{name}` must have 1 to 64 characters"));
    }
    let in_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
    if let Some(char) = name.chars().find(|&char| !in_name(char)) {
        return Err(format!(
            "the name `{name}` holds {char:?}; only letters, digits and `_` are allowed"
        ));
    }
    if value.is_empty() || value.len() > 512 {
        return Err(format!(
            "the value of `{name}` must have 1 to 512 characters"
        ));
    }
    let in_value = |char: char| char.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(char);
    match value.chars().find(|&char| !in_value(char)) {
        Some(char) => Err(format!(
            "the value of `{name}` holds {char:?}; only letters, digits and `-._~:/?#&=,` are allowed"
        )),
        None => Ok(()),
    }
}

fn check_count(count: usize) -> Result<(), String> {
    if count > 100 {
        return Err(format!(
            "there are {count} stage variables; at most 100 are allowed"
        ));
    }
    Ok(())
}

fn check_percent(percent: f64) -> Result<(), String> {
    if (0.0..=100.0).contains(&percent) {
        return Ok(());
    }
    Err(format!("{percent} is not a share from 0.0 to 100.0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_name(name: &str, kind: ApiKind, ok: bool) {
        assert_eq!(check_stage_name(name, kind).is_ok(), ok, "{name}");
    }

    #[test]
    fn stage_names_are_letters_digits_underscores_and_hyphens() {
        check_name("dev", ApiKind::Rest, true);
        check_name("v1_2-x", ApiKind::Http, true);
        check_name("", ApiKind::Rest, false);
        check_name("a b", ApiKind::Rest, false);
        check_name("a/b", ApiKind::Rest, false);
        check_name(&"a".repeat(128), ApiKind::Rest, true);
        check_name(&"a".repeat(129), ApiKind::Rest, false);
    }

    #[test]
    fn only_http_apis_have_a_default_stage() {
        check_name("$default", ApiKind::Http, true);
        check_name("$default", ApiKind::Rest, false);
    }

    #[track_caller]
    fn check_variable(name: &str, value: &str, ok: bool) {
        assert_eq!(
            check_stage_variable(name, value).is_ok(),
            ok,
            "{name}={value}"
        );
    }

    #[test]
    fn variables_keep_to_their_alphabets() {
        check_variable("url", "example.com:80/a?b=c&d,e#f~g_h-i", true);
        check_variable("my_var", "x", true);
        check_variable("my-var", "x", false);
        check_variable("", "x", false);
        check_variable("x", "", false);
        for char in " \"'${%@;".chars() {
            check_variable("x", &char.to_string(), false);
        }
        check_variable(&"n".repeat(65), "x", false);
        check_variable("x", &"v".repeat(513), false);
    }

    #[test]
    fn a_stage_names_all_its_faults_by_pointer() {
        let stage: Stage = serde_json::from_value(serde_json::json!({
            "stageName": "a b",
            "variables": {"x": "{"},
            "canarySettings": {"percentTraffic": 101.0, "stageVariableOverrides": {"y/z": "v"}},
        }))
        .unwrap();
        let faults = stage.faults(ApiKind::Rest);
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/stageName",
                "/variables/x",
                "/canarySettings/percentTraffic",
                "/canarySettings/stageVariableOverrides/y~1z",
            ]
        );
    }
}
