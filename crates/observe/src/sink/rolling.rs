//! Files that take turns.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use portcullis_core::Clock;

use crate::error::ConfigError;

/// Log files of which one is written to, and another begun each day or hour, or when it is full.
///
/// ```
/// use portcullis_observe::{LogSink, RollingFile, Rotation};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// // access.2026-11-28.log, when it is full access.2026-11-28.1.log, and five more of before: 700 MB at most.
/// let files = RollingFile::new(folder, "access", "log")
///     .rotation(Rotation::Daily)
///     .max_bytes(100_000_000)
///     .keep(7);
/// let sink = LogSink::builder("access").rolling_file(&files)?;
/// # let _ = sink;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Names
///
/// A file is called by prefix, time and suffix, with points between them: `access.2026-11-28.log` for a day, `access.2026-11-28-13.log` for an hour, `access.2026-11-28-13-05.log` for
/// a minute, all by UTC, and `access.log` where they are told apart by size alone. The second file of one time has `.1` behind the time, the third `.2`, and so on; the highest is the
/// one that is written to. A program that starts again goes on with that.
///
/// Files of other names in the folder are left alone. What removes or renames a file while it is written to does not make the program open another before its turn.
#[derive(Clone, Debug)]
#[must_use]
pub struct RollingFile {
    folder: PathBuf,
    prefix: String,
    suffix: String,
    rotation: Rotation,
    max_bytes: Option<u64>,
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
    /// Only when a file is full.
    Never,
}

impl Rotation {
    /// How the time stands in names.
    const fn format(self) -> &'static str {
        match self {
            Self::Minutely => "%Y-%m-%d-%H-%M",
            Self::Hourly => "%Y-%m-%d-%H",
            Self::Daily => "%Y-%m-%d",
            Self::Never => "",
        }
    }
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
            max_bytes: None,
            keep: None,
        }
    }

    /// When another file is begun. Default: each day.
    pub const fn rotation(mut self, rotation: Rotation) -> Self {
        self.rotation = rotation;
        self
    }

    /// How many bytes a file has at most; a line that is longer has one of its own. Default: as many as come.
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// How many files are kept, the one that is written to among them; older ones are removed. Default: all.
    pub const fn keep(mut self, files: usize) -> Self {
        self.keep = Some(files);
        self
    }

    pub(super) fn open(&self, clock: Arc<dyn Clock>) -> Result<Rolling, ConfigError> {
        if self.keep == Some(0) {
            return Err(ConfigError::new("keep", 0, "is too few; keep at least 1"));
        }
        if self.max_bytes == Some(0) {
            let problem = "is too few; leave it out for files of any size";
            return Err(ConfigError::new("max_bytes", 0, problem));
        }
        let mut rolling = Rolling {
            files: self.clone(),
            clock,
            current: None,
        };
        rolling.turn(0).map_err(|error| {
            let folder = self.folder.display();
            ConfigError::new("folder", folder, format!("cannot be written to: {error}"))
        })?;
        Ok(rolling)
    }

    /// The name of the file of this place in the order.
    fn name(&self, turn: &Turn) -> String {
        let mut name = self.prefix.clone();
        let mut add = |part: &str| {
            if !part.is_empty() {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(part);
            }
        };
        add(&turn.time);
        if turn.index > 0 {
            add(&turn.index.to_string());
        }
        add(&self.suffix);
        name
    }

    /// Which turn the file of this name had, if it is one of these.
    fn turn_of(&self, name: &OsStr) -> Option<Turn> {
        let name = name.to_str()?;
        let rest = match &*self.prefix {
            "" => name,
            prefix => name.strip_prefix(prefix)?,
        };
        let rest = match &*self.suffix {
            "" => rest,
            suffix => rest.strip_suffix(suffix)?,
        };
        let mut parts = rest.split('.').filter(|part| !part.is_empty());
        let time = match self.rotation {
            Rotation::Never => "",
            _ => parts.next()?,
        };
        let index = match parts.next() {
            None => 0,
            Some(index) => index.parse().ok()?,
        };
        let turn = Turn {
            time: time.to_owned(),
            index,
        };
        // What looks otherwise when it is written again is of somebody else.
        let is_time = time
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
        (is_time && self.name(&turn) == name).then_some(turn)
    }

    /// The turns of the files that there are, in their order.
    fn turns(&self) -> io::Result<Vec<Turn>> {
        let mut turns = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            turns.extend(self.turn_of(&entry?.file_name()));
        }
        turns.sort();
        Ok(turns)
    }
}

/// The place of a file among all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    time: String,
    index: u64,
}

/// Writes to the file whose turn it is.
pub(super) struct Rolling {
    files: RollingFile,
    clock: Arc<dyn Clock>,
    /// Absent where it could not be opened.
    current: Option<Current>,
}

struct Current {
    file: File,
    turn: Turn,
    length: u64,
}

impl Rolling {
    /// Sees to it that the file whose turn it is is open, and has room for a line of so many bytes.
    fn turn(&mut self, line: u64) -> io::Result<&mut Current> {
        let wall = self.clock.wall();
        let time = match self.files.rotation {
            Rotation::Never => String::new(),
            rotation => Timestamp::try_from(wall)
                .map_err(io::Error::other)?
                .strftime(rotation.format())
                .to_string(),
        };
        let is_full = |length: u64| {
            let most = self.files.max_bytes;
            length > 0 && most.is_some_and(|most| length.saturating_add(line) > most)
        };
        let goes_on = self
            .current
            .as_ref()
            .is_some_and(|current| current.turn.time == time && !is_full(current.length));
        if !goes_on {
            fs::create_dir_all(&self.files.folder)?;
            let turns = self.files.turns()?;
            // After the last of this time, in which there may be room.
            let last = turns.into_iter().rfind(|turn| turn.time == time);
            let mut turn = last.unwrap_or(Turn { time, index: 0 });
            let mut current = self.open(&turn)?;
            if is_full(current.length) {
                turn.index += 1;
                current = self.open(&turn)?;
            }
            self.current = Some(current);
            self.remove_old()?;
        }
        self.current
            .as_mut()
            .ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn open(&self, turn: &Turn) -> io::Result<Current> {
        let path = self.files.folder.join(self.files.name(turn));
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let length = file.metadata()?.len();
        Ok(Current {
            file,
            turn: turn.clone(),
            length,
        })
    }

    fn remove_old(&self) -> io::Result<()> {
        let Some(keep) = self.files.keep else {
            return Ok(());
        };
        let turns = self.files.turns()?;
        let old = turns.len().saturating_sub(keep);
        for turn in &turns[..old] {
            match fs::remove_file(self.files.folder.join(self.files.name(turn))) {
                // Somebody else was quicker.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }
}

impl Write for Rolling {
    /// Writes the lines that there is room for in one file.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let end = |from: usize| {
            let line = lines[from..].iter().position(|byte| *byte == b'\n');
            line.map_or(lines.len(), |end| from + end + 1)
        };
        let mut length = end(0);
        let most = self.files.max_bytes;
        let current = self.turn(length as u64)?;
        match most {
            None => length = lines.len(),
            Some(most) => {
                let room = most.saturating_sub(current.length);
                while length < lines.len() && end(length) as u64 <= room {
                    length = end(length);
                }
            }
        }
        let written = current.file.write(&lines[..length])?;
        current.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.current {
            Some(current) => current.file.flush(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use portcullis_core::ManualClock;

    use super::{RollingFile, Rotation};

    /// Noon on 28 November 2026.
    const NOON: u64 = 1_795_867_200;

    #[track_caller]
    fn check(folder: &Path, expected: &[(&str, &str)]) {
        let files = fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = files
            .map(|file| {
                let file = file.unwrap();
                let text = fs::read_to_string(file.path()).unwrap();
                (file.file_name().into_string().unwrap(), text)
            })
            .collect();
        files.sort();
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        assert_eq!(files, expected);
    }

    #[test]
    fn a_file_is_begun_when_its_time_comes() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at_unix(NOON);
        let files = RollingFile::new(folder.path(), "access", "log").rotation(Rotation::Hourly);
        let mut rolling = files.open(Arc::new(clock.clone())).unwrap();
        rolling.write_all(b"one\ntwo\n").unwrap();
        clock.advance(Duration::from_secs(3_599));
        rolling.write_all(b"three\n").unwrap();
        clock.advance(Duration::from_secs(1));
        rolling.write_all(b"four\n").unwrap();
        check(
            folder.path(),
            &[
                ("access.2026-11-28-12.log", "one\ntwo\nthree\n"),
                ("access.2026-11-28-13.log", "four\n"),
            ],
        );
    }

    #[test]
    fn a_file_is_begun_when_there_is_no_room_for_a_line_and_the_oldest_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("access.2026-11-28.x.log"), "another").unwrap();
        let clock = ManualClock::at_unix(NOON);
        let files = RollingFile::new(folder.path(), "access", "log")
            .max_bytes(10)
            .keep(3);
        let mut rolling = files.open(Arc::new(clock.clone())).unwrap();
        rolling
            .write_all(b"123\n567\n0\n3\na line that is longer\nlast\n")
            .unwrap();
        check(
            folder.path(),
            &[
                ("access.2026-11-28.1.log", "3\n"),
                ("access.2026-11-28.2.log", "a line that is longer\n"),
                ("access.2026-11-28.3.log", "last\n"),
                ("access.2026-11-28.x.log", "another"),
            ],
        );
        // Another program goes on where this one ended, and the next day begins anew.
        drop(rolling);
        let mut rolling = files.open(Arc::new(clock.clone())).unwrap();
        rolling.write_all(b"more\n").unwrap();
        clock.advance(Duration::from_secs(86_400));
        rolling.write_all(b"next\n").unwrap();
        check(
            folder.path(),
            &[
                ("access.2026-11-28.2.log", "a line that is longer\n"),
                ("access.2026-11-28.3.log", "last\nmore\n"),
                ("access.2026-11-28.x.log", "another"),
                ("access.2026-11-29.log", "next\n"),
            ],
        );
    }

    #[test]
    fn files_may_be_told_apart_by_size_alone() {
        let folder = tempfile::tempdir().unwrap();
        let files = RollingFile::new(folder.path(), "access", "")
            .rotation(Rotation::Never)
            .max_bytes(2)
            .keep(2);
        let mut rolling = files.open(Arc::new(ManualClock::at_unix(NOON))).unwrap();
        for line in 0..12 {
            rolling
                .write_all(format!("{}\n", line % 10).as_bytes())
                .unwrap();
        }
        check(folder.path(), &[("access.10", "0\n"), ("access.11", "1\n")]);
    }

    #[test]
    fn a_folder_that_went_away_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        let clock = ManualClock::at_unix(NOON);
        let files = RollingFile::new(&logs, "access", "log").rotation(Rotation::Minutely);
        let mut rolling = files.open(Arc::new(clock.clone())).unwrap();
        fs::remove_dir_all(&logs).unwrap();
        // A file in its place: lines cannot be written, and that is said.
        fs::write(&logs, "").unwrap();
        clock.advance(Duration::from_secs(60));
        rolling.write_all(b"lost\n").unwrap_err();
        fs::remove_file(&logs).unwrap();
        rolling.write_all(b"kept\n").unwrap();
        check(&logs, &[("access.2026-11-28-12-01.log", "kept\n")]);
    }

    #[test]
    fn nothing_is_too_few() {
        let folder = tempfile::tempdir().unwrap();
        let files = RollingFile::new(folder.path(), "access", "log");
        let clock = Arc::new(ManualClock::at_unix(NOON));
        assert!(files.clone().keep(0).open(clock.clone()).is_err());
        assert!(files.max_bytes(0).open(clock).is_err());
    }
}
