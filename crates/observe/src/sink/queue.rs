//! Lines that wait to be written.

use std::cell::Cell;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use portcullis_core::Clock;

use super::LogStats;
use super::destination::Subscriber;
use crate::access_log::Line;

/// The buffers of a sink, and what is known of its thread.
pub(super) struct Queue {
    name: String,
    clock: Arc<dyn Clock>,
    shards: Box<[Shard]>,
    /// How many bytes a shard has.
    room: usize,
    /// How much the thread is wanted: [`IDLE`], [`PENDING`] or [`URGENT`].
    wanted: AtomicU8,
    thread: OnceLock<Thread>,
    closed: AtomicBool,
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    turns: Mutex<Turns>,
    turned: Condvar,
    said: Mutex<Said>,
    subscriber: Subscriber,
}

/// One buffer, so that threads do not wait for each other.
#[repr(align(64))]
struct Shard {
    waiting: Mutex<Waiting>,
}

/// Lines, one behind the other.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) bytes: Vec<u8>,
    /// How many they are.
    pub(super) lines: u64,
}

/// The rounds of the thread through all shards.
#[derive(Default)]
struct Turns {
    begun: u64,
    ended: u64,
    /// The thread has made its last one.
    over: bool,
}

/// Which losses have been said.
#[derive(Default)]
struct Said {
    dropped: u64,
    failed: u64,
    at: Option<Instant>,
    /// Why lines failed, since it was last said.
    error: Option<String>,
}

const SHARDS: usize = 16;

/// Nothing waits.
const IDLE: u8 = 0;
/// Lines wait, and may do so for a moment.
const PENDING: u8 = 1;
/// A buffer is getting full, or somebody waits.
const URGENT: u8 = 2;

/// How long losses are not said again.
const MINUTE: Duration = Duration::from_secs(60);

impl Queue {
    pub(super) fn new(name: String, capacity: usize, clock: Arc<dyn Clock>) -> Self {
        let shard = || Shard {
            waiting: Mutex::default(),
        };
        Self {
            name,
            clock,
            shards: (0..SHARDS).map(|_| shard()).collect(),
            room: (capacity / SHARDS).max(1),
            wanted: AtomicU8::new(IDLE),
            thread: OnceLock::new(),
            closed: AtomicBool::new(false),
            written: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            turns: Mutex::default(),
            turned: Condvar::new(),
            said: Mutex::default(),
            subscriber: Subscriber::current(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn room(&self) -> usize {
        self.room
    }

    /// Says which thread writes.
    pub(super) fn write_by(&self, thread: Thread) {
        let _ = self.thread.set(thread);
        // It may have gone to sleep before it could be woken.
        self.wake();
    }

    pub(super) fn stats(&self) -> LogStats {
        LogStats {
            written: self.written.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    /// Puts a line into this thread's buffer, or drops it.
    pub(super) fn write(&self, render: impl FnOnce(&mut Line<'_>)) {
        let mut waiting = lock(&self.shards[shard()].waiting);
        if waiting.bytes.capacity() == 0 {
            waiting.bytes.reserve_exact(self.room);
        }
        let start = waiting.bytes.len();
        let mut line = Line::new(&mut waiting.bytes);
        render(&mut line);
        line.push(b"\n");
        let fits = !line.has_overflowed();
        if fits {
            waiting.lines += 1;
        } else {
            waiting.bytes.truncate(start);
        }
        let urgent = !fits || waiting.bytes.len() > self.room / 2;
        drop(waiting);
        if !fits {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            self.say(self.clock.now());
        }
        self.want(if urgent { URGENT } else { PENDING });
    }

    fn want(&self, how: u8) {
        if self.wanted.load(Ordering::Relaxed) < how
            && self.wanted.fetch_max(how, Ordering::AcqRel) < how
        {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    pub(super) fn flush(&self, patience: Duration) -> bool {
        let turns = lock(&self.turns);
        // One that begins from here on writes all that is here by now.
        let last = turns.begun;
        self.want(URGENT);
        self.wake();
        let pending = |turns: &mut Turns| turns.ended <= last && !turns.over;
        let waited = self.turned.wait_timeout_while(turns, patience, pending);
        let (turns, result) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(turns);
        !result.timed_out()
    }

    /// Ends the thread, when it has written what waits.
    pub(super) fn close(&self, patience: Duration) {
        self.closed.store(true, Ordering::Release);
        self.wake();
        if self.thread.get().is_none() {
            return;
        }
        let turns = lock(&self.turns);
        let waited = self
            .turned
            .wait_timeout_while(turns, patience, |turns| !turns.over);
        drop(waited);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.wanted.load(Ordering::Acquire) == IDLE
    }

    pub(super) fn is_urgent(&self) -> bool {
        self.wanted.load(Ordering::Acquire) == URGENT
    }

    pub(super) fn begin_turn(&self) {
        lock(&self.turns).begun += 1;
        self.wanted.store(IDLE, Ordering::Release);
    }

    /// Takes what waits in each shard. `spare` is left in its place.
    pub(super) fn drain(&self, spare: &mut Waiting, mut take: impl FnMut(&Waiting)) {
        for shard in &self.shards {
            {
                let mut waiting = lock(&shard.waiting);
                if waiting.lines == 0 {
                    continue;
                }
                mem::swap(&mut *waiting, spare);
            }
            take(spare);
            spare.bytes.clear();
            spare.lines = 0;
        }
    }

    pub(super) fn end_turn(&self, over: bool) {
        {
            let mut turns = lock(&self.turns);
            turns.ended = turns.begun;
            turns.over = over;
        }
        self.turned.notify_all();
        self.say(self.clock.now());
    }

    pub(super) fn count_written(&self, lines: u64) {
        self.written.fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn count_failed(&self, lines: u64, error: String) {
        self.failed.fetch_add(lines, Ordering::Relaxed);
        lock(&self.said).error = Some(error);
    }

    /// How long until the losses that have not been said may be said.
    pub(super) fn silence(&self) -> Option<Duration> {
        let stats = self.stats();
        let said = lock(&self.said);
        if (said.dropped, said.failed) == (stats.dropped, stats.failed) {
            return None;
        }
        let passed = self.clock.now().saturating_duration_since(said.at?);
        Some(MINUTE.saturating_sub(passed))
    }

    /// Says what was lost, unless that was said a short time ago.
    fn say(&self, now: Instant) {
        let stats = self.stats();
        // Whoever holds it is about to say so.
        let Ok(mut said) = self.said.try_lock() else {
            return;
        };
        if (said.dropped, said.failed) == (stats.dropped, stats.failed)
            || said
                .at
                .is_some_and(|at| now.saturating_duration_since(at) < MINUTE)
        {
            return;
        }
        let dropped = stats.dropped - said.dropped;
        let failed = stats.failed - said.failed;
        let error = said.error.take();
        *said = Said {
            dropped: stats.dropped,
            failed: stats.failed,
            at: Some(now),
            error: None,
        };
        drop(said);
        let error = error.as_deref().unwrap_or("the buffer is full");
        self.subscriber.tell(|| {
            tracing::warn!(
                log = self.name,
                dropped,
                failed,
                error,
                "log lines were lost"
            );
        });
    }
}

/// The shard of this thread.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    OWN.try_with(|own| {
        if own.get() == usize::MAX {
            own.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        own.get()
    })
    // The thread is at its end.
    .unwrap_or(0)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
