//! Where the ramp of a canary stands, in the form in which it is kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::canary::{RampProgress, RampState};

/// Where a ramp stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::gateway) struct KeptRamp {
    /// Shares in percent, and how many milliseconds each lasts.
    steps: Vec<(f64, u64)>,
    /// The first is 1.
    step: usize,
    /// Milliseconds since 1970.
    since: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum State {
    Running,
    Finished,
    RolledBack,
    Stopped,
}

impl KeptRamp {
    pub(in crate::gateway) fn of(progress: &RampProgress) -> Self {
        let steps = progress.steps.iter();
        let since = progress.since.duration_since(UNIX_EPOCH);
        Self {
            steps: steps
                .map(|(share, lasts)| (*share, millis(*lasts)))
                .collect(),
            step: progress.step,
            since: millis(since.unwrap_or_default()),
            state: match progress.state {
                RampState::Running => State::Running,
                RampState::Finished => State::Finished,
                RampState::RolledBack => State::RolledBack,
                _ => State::Stopped,
            },
        }
    }

    pub(in crate::gateway) fn progress(&self) -> RampProgress {
        let steps = self.steps.iter();
        let steps = steps.map(|(share, lasts)| (*share, Duration::from_millis(*lasts)));
        let since = UNIX_EPOCH.checked_add(Duration::from_millis(self.since));
        let state = match self.state {
            State::Running => RampState::Running,
            State::Finished => RampState::Finished,
            State::RolledBack => RampState::RolledBack,
            State::Stopped => RampState::Stopped,
        };
        let since: SystemTime = since.unwrap_or(UNIX_EPOCH);
        RampProgress::new(steps.collect(), self.step, since, state)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::KeptRamp;
    use crate::canary::{RampProgress, RampState};

    #[test]
    fn what_is_kept_is_read() {
        for state in [
            RampState::Running,
            RampState::Finished,
            RampState::RolledBack,
            RampState::Stopped,
        ] {
            let steps = vec![(0.5, Duration::from_secs(60)), (100.0, Duration::ZERO)];
            let since = UNIX_EPOCH + Duration::from_millis(1_767_225_600_123);
            let progress = RampProgress::new(steps, 2, since, state);
            let text = serde_json::to_string(&KeptRamp::of(&progress)).expect("it can be written");
            let again: KeptRamp = serde_json::from_str(&text).expect("it was written");
            assert_eq!(again.progress(), progress);
        }
    }
}
