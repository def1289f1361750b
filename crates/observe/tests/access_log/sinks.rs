//! Writers that are slow, full or broken, and what becomes of the lines.

use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_core::ManualClock;
use portcullis_observe::{
    AccessFormat, AccessLog, Captured, Exchange, LogSink, LogTarget, Outcome,
};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Written, bare, clock, flush};

fn log(sink: LogSink) -> AccessLog {
    AccessLog::new(AccessFormat::parse("$context.requestId").unwrap(), sink)
}

fn write(log: &AccessLog, lines: usize) {
    let (_, context) = bare();
    let exchange = Exchange::new(&context, Outcome::Complete, None, 0, Duration::ZERO);
    for _ in 0..lines {
        log.write(&Captured::default(), &exchange);
    }
}

/// A line of `log`, with its end.
const LINE: usize = 37;

/// A writer that waits in each call until it is let go.
struct Slow {
    entered: SyncSender<()>,
    leave: Receiver<()>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.entered.send(());
        // Whoever holds the other end lets it go for good by dropping it.
        let _ = self.leave.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_slow_writer_keeps_no_request_waiting_and_what_has_no_room_is_counted() {
    let (entered, is_in) = sync_channel(1000);
    let (let_go, leave) = sync_channel(0);
    // A thread has a sixteenth of it: ten lines.
    let sink = LogSink::builder("slow")
        .capacity(16 * 10 * LINE)
        .writer(Slow { entered, leave });
    let log = log(sink.clone());
    write(&log, 1);
    is_in.recv().unwrap();
    // The writer is stuck, and still each of these returns.
    write(&log, 25);
    assert_eq!(sink.stats().dropped, 15);
    drop(let_go);
    flush(&sink);
    let stats = sink.stats();
    assert_eq!((stats.written, stats.dropped, stats.failed), (11, 15, 0));
}

/// A disk that is full until there is room.
#[derive(Clone)]
struct Disk {
    room: Arc<Mutex<usize>>,
    written: Written,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = self.room.lock().unwrap();
        if *room == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        let length = bytes.len().min(*room);
        *room -= length;
        self.written.write(&bytes[..length])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_loses_lines_counts_them_and_is_written_again_when_there_is_room() {
    let disk = Disk {
        room: Arc::new(Mutex::new(2 * LINE + 5)),
        written: Written::default(),
    };
    let log = log(LogSink::writer(disk.clone()));
    write(&log, 4);
    flush(log.sink());
    let stats = log.sink().stats();
    assert_eq!((stats.written, stats.failed), (2, 2));
    *disk.room.lock().unwrap() = 10_000;
    write(&log, 1);
    flush(log.sink());
    assert_eq!(log.sink().stats().written, 3);
    // The line that was torn has an end of its own.
    let lines = disk.written.lines();
    let lengths: Vec<_> = lines.iter().map(String::len).collect();
    assert_eq!(lengths, [LINE - 1, LINE - 1, 5, LINE - 1]);
}

#[test]
fn a_writer_that_panics_loses_its_lines_and_not_the_log() {
    struct Panics(u32, Written);

    impl Write for Panics {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            assert_ne!(self.0, 1, "the first time is too early");
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let written = Written::default();
    let log = log(LogSink::writer(Panics(0, written.clone())));
    write(&log, 1);
    flush(log.sink());
    write(&log, 1);
    flush(log.sink());
    let stats = log.sink().stats();
    assert_eq!((stats.written, stats.failed), (1, 1));
    assert_eq!(written.lines().len(), 1);
}

/// Makes writers of one place, for a subscriber.
#[derive(Clone, Default)]
struct Place(Written);

impl<'a> MakeWriter<'a> for Place {
    type Writer = Written;

    fn make_writer(&'a self) -> Written {
        self.0.clone()
    }
}

fn subscriber(place: &Place) -> tracing::subscriber::DefaultGuard {
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_writer(place.clone())
        .finish();
    tracing::subscriber::set_default(subscriber)
}

#[test]
fn losses_are_said_at_once_and_then_once_a_minute() {
    let place = Place::default();
    let _guard = subscriber(&place);
    let clock: ManualClock = clock();
    // There is no room for any line.
    let sink = LogSink::builder("tiny")
        .capacity(16)
        .clock(clock.clone())
        .writer(io::sink());
    let log = log(sink);
    let said = || place.0.lines();
    flush(log.sink());
    write(&log, 3);
    flush(log.sink());
    assert_eq!(
        said(),
        [
            r#" WARN portcullis_observe::sink::queue: log lines were lost log="tiny" dropped=1 failed=0 error="the buffer is full""#
        ]
    );
    clock.advance(Duration::from_secs(59));
    write(&log, 1);
    assert_eq!(said().len(), 1);
    clock.advance(Duration::from_secs(1));
    write(&log, 1);
    let said = said();
    assert_eq!(said.len(), 2);
    assert!(said[1].contains("dropped=4"), "{}", said[1]);
}

#[test]
fn lines_can_go_to_tracing() {
    let place = Place::default();
    let _guard = subscriber(&place);
    let log = log(LogSink::tracing());
    write(&log, 2);
    flush(log.sink());
    let lines = place.0.lines();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with(" INFO portcullis::access_log: "),
        "{}",
        lines[0]
    );
}

#[test]
fn execution_logs_and_metrics_have_targets_of_their_own() {
    let place = Place::default();
    let _guard = subscriber(&place);
    for (target, name) in [
        (LogTarget::Execution, "portcullis::execution_log"),
        (LogTarget::Metrics, "portcullis::metrics"),
    ] {
        let log = log(LogSink::builder("events").target(target).tracing());
        write(&log, 1);
        flush(log.sink());
        let lines = place.0.lines();
        let last = lines.last().unwrap();
        assert!(last.starts_with(&format!(" INFO {name}: ")), "{last}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_keeps_nobody_waiting_and_the_lines_are_counted() {
    // Of this device every write says that there is no space left.
    let log = log(LogSink::file("/dev/full").unwrap());
    write(&log, 3);
    flush(log.sink());
    let stats = log.sink().stats();
    assert_eq!((stats.written, stats.failed), (0, 3));
}

#[test]
fn lines_can_go_to_a_file_and_are_there_when_the_last_handle_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    for _ in 0..2 {
        let log = log(LogSink::file(&path).unwrap());
        let clone = log.clone();
        write(&log, 1);
        drop(log);
        write(&clone, 1);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 4);
    let error = LogSink::file(folder.path()).unwrap_err();
    assert!(error.to_string().contains("cannot be opened"), "{error}");
}

#[cfg(feature = "rolling-file")]
#[test]
fn lines_can_go_to_files_that_take_turns() {
    use portcullis_observe::{RollingFile, Rotation};

    let folder = tempfile::tempdir().unwrap();
    let files = RollingFile::new(folder.path().join("logs"), "access", "log")
        .rotation(Rotation::Hourly)
        .keep(2);
    let log = log(LogSink::builder("access").rolling_file(&files).unwrap());
    write(&log, 3);
    flush(log.sink());
    let mut files = std::fs::read_dir(folder.path().join("logs")).unwrap();
    let file = files.next().unwrap().unwrap();
    let name = file.file_name().into_string().unwrap();
    assert!(
        name.starts_with("access.2") && name.ends_with(".log"),
        "{name}"
    );
    assert_eq!(
        std::fs::read_to_string(file.path())
            .unwrap()
            .lines()
            .count(),
        3
    );
    let files = RollingFile::new(folder.path(), "access", "log").keep(0);
    assert!(LogSink::builder("access").rolling_file(&files).is_err());
}

#[test]
fn requests_to_a_canary_are_in_both_logs() {
    let (all, canary) = (Written::default(), Written::default());
    let log = log(LogSink::writer(all.clone())).canary_sink(LogSink::writer(canary.clone()));
    for release in [
        portcullis_core::Release::None,
        portcullis_core::Release::Production,
        portcullis_core::Release::Canary("next".into()),
    ] {
        let (_, context) = bare();
        context.set_release(release);
        let exchange = Exchange::new(&context, Outcome::Complete, None, 0, Duration::ZERO);
        log.write(&Captured::default(), &exchange);
    }
    drop(log);
    assert_eq!((all.lines().len(), canary.lines().len()), (3, 1));
}
