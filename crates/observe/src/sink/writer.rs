//! The thread that writes.

use std::any::Any;
use std::io::{self, ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use super::queue::{Queue, Waiting};

/// How long lines are collected, so that many are written at once.
const LINGER: Duration = Duration::from_millis(10);

/// Writes what is put into `queue`, until it is closed.
pub(super) fn run(queue: &Queue, mut writer: impl Write) {
    let mut spare = Waiting::default();
    let mut torn = false;
    loop {
        let closed = wait(queue);
        queue.begin_turn();
        if spare.bytes.capacity() == 0 {
            spare.bytes.reserve_exact(queue.room());
        }
        queue.drain(&mut spare, |waiting| {
            let lines = &*waiting.bytes;
            // A writer of others may do what it likes, but not end the log.
            let result = catch_unwind(AssertUnwindSafe(|| write(&mut writer, lines, &mut torn)));
            let (done, error) = result.unwrap_or_else(|panic| (0, Some(reason(&*panic))));
            let Some(error) = error else {
                return queue.count_written(waiting.lines);
            };
            let written = count(&lines[..done]);
            queue.count_written(written);
            queue.count_failed(waiting.lines - written, error);
        });
        let _ = catch_unwind(AssertUnwindSafe(|| writer.flush()));
        queue.end_turn(closed);
        if closed {
            return;
        }
    }
}

/// Waits until there is something to write, and says whether it is the last.
fn wait(queue: &Queue) -> bool {
    while queue.is_idle() && !queue.is_closed() {
        match queue.silence() {
            None => thread::park(),
            Some(rest) => {
                thread::park_timeout(rest);
                break;
            }
        }
    }
    let closed = queue.is_closed();
    if !closed && !queue.is_urgent() {
        thread::park_timeout(LINGER);
    }
    // What was put in before it was closed is there by now.
    queue.is_closed()
}

/// Writes as much of `lines` as can be, and says how many bytes, and why not all. `torn` is whether the last line that was written has no end.
fn write(writer: &mut impl Write, lines: &[u8], torn: &mut bool) -> (usize, Option<String>) {
    if *torn {
        match writer.write_all(b"\n") {
            Ok(()) => *torn = false,
            Err(error) => return (0, Some(error.to_string())),
        }
    }
    let mut done = 0;
    while done < lines.len() {
        let error = match writer.write(&lines[done..]) {
            Ok(0) => io::Error::from(ErrorKind::WriteZero),
            Ok(more) => {
                done += more;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        *torn = done > 0 && lines[done - 1] != b'\n';
        return (done, Some(error.to_string()));
    }
    (done, None)
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    format!("the writer panicked: {}", text.unwrap_or_default())
}
