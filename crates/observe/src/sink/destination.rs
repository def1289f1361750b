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

/// Hands each line to a subscriber.
pub(super) struct Events(pub(super) Subscriber);

impl Write for Events {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.tell(|| {
            for line in lines.split(|byte| *byte == b'\n') {
                if !line.is_empty() {
                    let line = String::from_utf8_lossy(line);
                    tracing::info!(target: "portcullis::access_log", "{line}");
                }
            }
        });
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
