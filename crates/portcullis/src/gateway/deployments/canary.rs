//! The canary of a stage, as an operator left it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::history::StageState;
use super::ramp::KeptRamp;
use crate::definition::CanarySettings;

/// The canary of a stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct CanaryState {
    /// What the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway) configured: Option<CanarySettings>,
    /// What is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway) settings: Option<CanarySettings>,
    /// Whether its share rises by itself, where the stage has a ramp: until somebody sets it by hand.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::gateway) ramps: bool,
    /// Where its ramp stands, so that a restart goes on from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway) ramp: Option<KeptRamp>,
    /// How the stage was before the canary was promoted.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Box<Before>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Before {
    deployment: String,
    variables: BTreeMap<String, Option<String>>,
    settings: CanarySettings,
}

impl CanaryState {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Takes over what a source says, if that is something else than before.
    pub(super) fn reconcile(&mut self, configured: Option<&CanarySettings>) {
        if self.configured.as_ref() != configured {
            self.configured = configured.cloned();
            self.set(configured.cloned(), true);
        }
    }

    /// Puts another canary, or none, in place.
    pub(in crate::gateway) fn set(&mut self, settings: Option<CanarySettings>, ramps: bool) {
        self.ramps = ramps && settings.is_some();
        self.ramp = None;
        self.settings = settings;
        self.before = None;
    }

    /// The deployment that it serves, if it names one.
    pub(super) fn deployment(&self) -> Option<&str> {
        self.settings.as_ref()?.deployment_id.as_deref()
    }
}

impl StageState {
    /// Serves a new deployment: a canary gets it, as in the service, and production is left alone.
    pub(in crate::gateway) fn redeploy(&mut self, id: &str) {
        match &self.canary.settings {
            Some(settings) => {
                let mut settings = settings.clone();
                settings.deployment_id = Some(id.to_owned());
                self.canary.set(Some(settings), true);
            }
            None => self.serve(id),
        }
    }

    /// Makes the canary production: its deployment, and the stage's variables with its own over them. The canary stays, with no share. Says whether
    /// there is one.
    pub(in crate::gateway) fn promote_canary(&mut self) -> bool {
        let Some(mut settings) = self.canary.settings.clone() else {
            return false;
        };
        let before = Before {
            deployment: self.deployment.clone(),
            variables: self.variables.clone(),
            settings: settings.clone(),
        };
        let id = settings
            .deployment_id
            .get_or_insert_with(|| self.deployment.clone())
            .clone();
        self.serve(&id);
        for (name, value) in &settings.stage_variable_overrides {
            self.variables.insert(name.clone(), Some(value.clone()));
        }
        settings.percent_traffic = 0.0;
        self.canary.set(Some(settings), false);
        self.canary.before = Some(Box::new(before));
        true
    }

    /// Gives production all requests; after a promotion, production is what it was before. Says whether there is a canary.
    pub(in crate::gateway) fn roll_back_canary(&mut self) -> bool {
        let Some(settings) = &mut self.canary.settings else {
            return false;
        };
        settings.percent_traffic = 0.0;
        self.canary.ramps = false;
        self.canary.ramp = None;
        if let Some(before) = self.canary.before.take() {
            let Before {
                deployment,
                variables,
                mut settings,
            } = *before;
            settings.percent_traffic = 0.0;
            settings
                .deployment_id
                .get_or_insert_with(|| deployment.clone());
            self.canary.settings = Some(settings);
            self.serve(&deployment);
            self.variables = variables;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::StageState;
    use crate::definition::CanarySettings;

    fn settings(deployment: &str, percent: f64) -> CanarySettings {
        let mut settings = CanarySettings::default();
        settings.deployment_id = Some(deployment.to_owned());
        settings.percent_traffic = percent;
        let overrides = [("a".to_owned(), "canary".to_owned())];
        settings.stage_variable_overrides.extend(overrides);
        settings
    }

    fn stage() -> StageState {
        let mut stage = StageState::default();
        stage.serve("one");
        stage
            .variables
            .insert("b".to_owned(), Some("stage".to_owned()));
        stage.canary.reconcile(Some(&settings("two", 10.0)));
        stage
    }

    #[test]
    fn promotion_merges_variables_and_leaves_the_canary_with_no_share() {
        let mut stage = stage();
        assert!(stage.promote_canary());
        assert_eq!(stage.deployment, "two");
        let variables: Vec<_> = stage.variables.into_iter().collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            variables,
            [
                ("a".to_owned(), some("canary")),
                ("b".to_owned(), some("stage"))
            ]
        );
        assert_eq!(stage.canary.settings, Some(settings("two", 0.0)));
        assert!(!stage.canary.ramps);
    }

    #[test]
    fn a_promotion_can_be_taken_back() {
        let mut stage = stage();
        stage.promote_canary();
        assert!(stage.roll_back_canary());
        assert_eq!(stage.deployment, "one");
        assert!(!stage.variables.contains_key("a"));
        assert_eq!(stage.canary.settings, Some(settings("two", 0.0)));
        // Done again, it changes nothing.
        let once = stage.clone();
        assert!(stage.roll_back_canary());
        assert_eq!(stage, once);
        assert!(!StageState::default().roll_back_canary());
    }

    #[test]
    fn a_new_deployment_goes_to_the_canary_if_there_is_one() {
        let mut stage = stage();
        stage.redeploy("three");
        assert_eq!(
            (&*stage.deployment, stage.canary.deployment()),
            ("one", Some("three"))
        );
        stage.canary.set(None, false);
        stage.redeploy("four");
        assert_eq!(stage.deployment, "four");
    }

    #[test]
    fn what_an_operator_did_stays_until_the_source_says_something_else() {
        let mut stage = stage();
        stage.canary.set(Some(settings("two", 50.0)), false);
        stage.canary.reconcile(Some(&settings("two", 10.0)));
        assert_eq!(stage.canary.settings, Some(settings("two", 50.0)));
        stage.canary.reconcile(Some(&settings("two", 20.0)));
        assert_eq!(stage.canary.settings, Some(settings("two", 20.0)));
        stage.canary.reconcile(None);
        assert_eq!(stage.canary.settings, None);
    }

    #[test]
    fn a_state_is_written_and_read() {
        let mut stage = stage();
        stage.promote_canary();
        let text = serde_json::to_string(&stage).expect("it can be written");
        let again: StageState = serde_json::from_str(&text).expect("it was written");
        assert_eq!(again, stage);
        // One that was kept before there was a canary.
        let old: StageState = serde_json::from_str(r#"{"deployment": "one"}"#).expect("a state");
        assert_eq!(old.canary.settings, None);
    }
}
