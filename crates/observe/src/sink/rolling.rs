//! Files that take turns.

use std::path::PathBuf;

use tracing_appender::rolling::{Builder, RollingFileAppender};

use crate::error::ConfigError;

/// Log files of which one is written to, and another begun each day or hour.
///
/// ```
/// use portcullis_observe::{LogSink, RollingFile, Rotation};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// // access.2026-11-28.log and those of the six days before
/// let files = RollingFile::new(folder, "access", "log").rotation(Rotation::Daily).keep(7);
/// let sink = LogSink::builder("access").rolling_file(&files)?;
/// # let _ = sink;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RollingFile {
    folder: PathBuf,
    prefix: String,
    suffix: String,
    rotation: Rotation,
    keep: Option<usize>,
}

/// When another file is begun, by UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rotation {
    /// Each minute.
    Minutely,
    /// Each hour.
    Hourly,
    /// Each day.
    #[default]
    Daily,
}

impl RollingFile {
    /// Files in `folder` that are called `prefix`, the time, and `suffix`. The folder is made if it is not there.
    pub fn new(
        folder: impl Into<PathBuf>,
        prefix: impl Into<String>,
        suffix: impl Into<String>,
    ) -> Self {
        Self {
            folder: folder.into(),
            prefix: prefix.into(),
            suffix: suffix.into(),
            rotation: Rotation::default(),
            keep: None,
        }
    }

    /// When another file is begun. Default: each day.
    pub const fn rotation(mut self, rotation: Rotation) -> Self {
        self.rotation = rotation;
        self
    }

    /// How many files are kept; older ones are removed. Default: all.
    pub const fn keep(mut self, files: usize) -> Self {
        self.keep = Some(files);
        self
    }

    pub(super) fn open(&self) -> Result<RollingFileAppender, ConfigError> {
        use tracing_appender::rolling::Rotation as Theirs;
        let rotation = match self.rotation {
            Rotation::Minutely => Theirs::MINUTELY,
            Rotation::Hourly => Theirs::HOURLY,
            Rotation::Daily => Theirs::DAILY,
        };
        let mut builder = Builder::new()
            .rotation(rotation)
            .filename_prefix(&self.prefix)
            .filename_suffix(&self.suffix);
        if let Some(keep) = self.keep {
            if keep == 0 {
                return Err(ConfigError::new(
                    "keep",
                    keep,
                    "is too few; keep at least 1",
                ));
            }
            builder = builder.max_log_files(keep);
        }
        builder.build(&self.folder).map_err(|error| {
            let folder = self.folder.display();
            ConfigError::new("folder", folder, format!("cannot be written to: {error}"))
        })
    }
}
