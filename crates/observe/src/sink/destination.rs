//! Lines as events of `tracing`.

use std::io::{self, Write};

use tracing::dispatcher::{self, Dispatch};
use tracing::subscriber::NoSubscriber;

/// The subscriber that a sink was made under, or else that of the program: its thread has none of its own.
pub(super) struct Subscriber(Option<Dispatch>);

impl Subscriber {
    pub(super) fn current() -> Self {
        Self(dispatcher::get_default(|dispatch| {
            (!dispatch.is::<NoSubscriber>()).then(|| dispatch.clone())
        }))
    }

    /// Hands it the events of `tell`.
    pub(super) fn tell(&self, tell: impl FnOnce()) {
        match &self.0 {
            Some(own) => dispatcher::with_default(own, tell),
            None => tell(),
        }
    }
}

/// What the events of a log are called, where it goes to `tracing`: their target, by which subscribers tell them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogTarget {
    /// `portcullis::access_log`
    #[default]
    Access,
    /// `portcullis::execution_log`
    Execution,
    /// `portcullis::metrics`
    Metrics,
}

impl LogTarget {
    fn tell(self, line: &str) {
        match self {
            Self::Access => tracing::info!(target: "portcullis::access_log", "{line}"),
            Self::Execution => tracing::info!(target: "portcullis::execution_log", "{line}"),
            Self::Metrics => tracing::info!(target: "portcullis::metrics", "{line}"),
        }
    }
}

/// Hands each line to a subscriber.
pub(super) struct Events {
    pub(super) subscriber: Subscriber,
    pub(super) target: LogTarget,
}

impl Write for Events {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.subscriber.tell(|| {
            for line in lines.split(|byte| *byte == b'\n') {
                if !line.is_empty() {
                    self.target.tell(&String::from_utf8_lossy(line));
                }
            }
        });
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
