//! Where lines go: off the request's path, through a bounded buffer.

mod destination;
mod queue;
#[cfg(feature = "rolling-file")]
mod rolling;
mod writer;

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use portcullis_core::{Clock, SystemClock};

use crate::access_log::Line;
use crate::error::ConfigError;
use destination::{Events, Subscriber};
use queue::Queue;

pub use destination::LogTarget;

#[cfg(feature = "rolling-file")]
pub use rolling::{RollingFile, Rotation};

/// Where the lines of a log go.
///
/// A line is put into a buffer of fixed size in the way of the request, and written by a thread of the sink's own, many at a time. Where the buffer is full, because the disk or
/// the reader is slow, lines are dropped and counted, and no request waits. What was lost is said by a `tracing` event, at once and then once a minute.
///
/// ```
/// use std::time::Duration;
/// use portcullis_observe::LogSink;
///
/// let sink = LogSink::builder("access").capacity(1024 * 1024).stdout();
/// assert!(sink.flush(Duration::from_secs(5)));
/// assert_eq!(sink.stats().dropped, 0);
/// ```
///
/// Clones are handles on one sink. When the last of them goes, what is in the buffer is written; that is waited for, a second at most. Lines of one thread keep their order.
#[derive(Clone)]
pub struct LogSink {
    handle: Arc<Handle>,
}

/// What a [`LogSink`] has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStats {
    /// Lines that were written.
    pub written: u64,
    /// Lines for which there was no room in the buffer.
    pub dropped: u64,
    /// Lines that could not be written: the disk was full, say.
    pub failed: u64,
}

/// How a [`LogSink`] is set up: [`LogSink::builder`] begins one, and each method that is no setter ends it.
#[derive(Clone, Debug)]
#[must_use]
pub struct LogSinkBuilder {
    name: String,
    capacity: usize,
    clock: Arc<dyn Clock>,
    target: LogTarget,
}

/// The last of these ends the thread.
struct Handle {
    queue: Arc<Queue>,
}

impl LogSink {
    /// Begins a sink. Its name is what is said of it when lines are lost.
    pub fn builder(name: impl Into<String>) -> LogSinkBuilder {
        LogSinkBuilder {
            name: name.into(),
            capacity: CAPACITY,
            clock: Arc::new(SystemClock::new()),
            target: LogTarget::default(),
        }
    }

    /// Standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::builder("stdout").stdout()
    }

    /// Standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Self::builder("stderr").stderr()
    }

    /// Any writer: a socket, a file, a pipe.
    #[must_use]
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self::builder("log").writer(writer)
    }

    /// `tracing` events of level `INFO` and target `portcullis::access_log`, whose message is the line.
    #[must_use]
    pub fn tracing() -> Self {
        Self::builder("tracing").tracing()
    }

    /// The end of this file, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub fn file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::builder(path.as_ref().display().to_string()).file(path)
    }

    /// What the sink has done so far.
    #[must_use]
    pub fn stats(&self) -> LogStats {
        self.handle.queue.stats()
    }

    /// Waits until the lines that are in the buffer have been written or have failed, at most so long, and says whether they have.
    ///
    /// It blocks: in an asynchronous program call it where that is allowed.
    #[must_use]
    pub fn flush(&self, patience: Duration) -> bool {
        self.handle.queue.flush(patience)
    }

    /// Puts a line into the buffer, if there is room. `render` writes it in place, without its end.
    pub(crate) fn write(&self, render: impl FnOnce(&mut Line<'_>)) {
        self.handle.queue.write(render);
    }
}

impl LogSinkBuilder {
    /// The bytes that wait to be written at most. Default: 4 MiB. A thread may fill a sixteenth of it.
    pub const fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Takes the time from here: losses are said once a minute.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Standard output.
    #[must_use]
    pub fn stdout(self) -> LogSink {
        self.writer(io::stdout())
    }

    /// Standard error.
    #[must_use]
    pub fn stderr(self) -> LogSink {
        self.writer(io::stderr())
    }

    /// What events are called, where the lines go to [`tracing`](Self::tracing). Default: those of access logs.
    pub const fn target(mut self, target: LogTarget) -> Self {
        self.target = target;
        self
    }

    /// `tracing` events of level `INFO`, with the [target](Self::target) of access logs unless it is said otherwise.
    #[must_use]
    pub fn tracing(self) -> LogSink {
        let events = Events {
            subscriber: Subscriber::current(),
            target: self.target,
        };
        self.writer(events)
    }

    /// The end of this file, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub fn file(self, path: impl AsRef<Path>) -> Result<LogSink, ConfigError> {
        let path = path.as_ref();
        let opened = OpenOptions::new().append(true).create(true).open(path);
        match opened {
            Ok(file) => Ok(self.writer(file)),
            Err(error) => {
                let fix = match error.kind() {
                    ErrorKind::NotFound => "; make its folder",
                    _ => "",
                };
                let problem = format!("cannot be opened: {error}{fix}");
                Err(ConfigError::new("file", path.display(), problem))
            }
        }
    }

    /// Files that take turns.
    ///
    /// # Errors
    ///
    /// If the first of them cannot be opened.
    #[cfg(feature = "rolling-file")]
    pub fn rolling_file(self, files: &RollingFile) -> Result<LogSink, ConfigError> {
        let files = files.open(Arc::clone(&self.clock))?;
        Ok(self.writer(files))
    }

    /// Any writer. It is called by one thread, and may block: then lines wait, and are dropped when there are too many.
    #[must_use]
    pub fn writer(self, writer: impl Write + Send + 'static) -> LogSink {
        let queue = Arc::new(Queue::new(self.name, self.capacity, self.clock));
        let own = Arc::clone(&queue);
        let spawned = thread::Builder::new()
            .name("portcullis-log".to_owned())
            .spawn(move || writer::run(&own, writer));
        match spawned {
            Ok(thread) => queue.write_by(thread.thread().clone()),
            // Then lines are dropped, and counted, like those of a writer that never returns.
            Err(error) => tracing::error!(%error, "there is no thread to write a log"),
        }
        LogSink {
            handle: Arc::new(Handle { queue }),
        }
    }
}

/// The bytes that wait at most, unless it is said otherwise.
const CAPACITY: usize = 4 * 1024 * 1024;

/// How long the end of a program waits for the end of its logs.
const FAREWELL: Duration = Duration::from_secs(1);

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.close(FAREWELL);
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSink")
            .field("name", &self.handle.queue.name())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
