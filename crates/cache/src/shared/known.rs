//! The purges of all machines, as far as this one knows them.

use std::collections::VecDeque;

use crate::entry::Entry;
use crate::store::Purge;

/// So many purges are remembered, here and in the log. An entry that is older than all of them is not served.
pub(super) const KEPT: usize = 4096;

/// Purges, each with its number in the log.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Up to here all are known.
    epoch: u64,
    late: VecDeque<(u64, Purge)>,
    /// Up to here some are not known any more.
    forgotten: u64,
    /// This machine's own that the log does not have yet, the oldest first.
    unsent: VecDeque<Purge>,
}

/// So many purges wait for the log. More are one of everything.
const WAITING: usize = 1024;

/// What the purges of late make of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Good,
    Stale,
    Gone,
}

impl Known {
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Notes a purge of one's own, and says whether it was new. Others may have come in between that are not known yet.
    pub(super) fn note(&mut self, at: u64, purge: Purge) -> bool {
        let place = self.late.partition_point(|(own, _)| *own < at);
        if self.late.get(place).is_some_and(|(own, _)| *own == at) {
            return false;
        }
        self.late.insert(place, (at, purge));
        if self.late.len() > KEPT
            && let Some((forgotten, _)) = self.late.pop_front()
        {
            self.forgotten = self.forgotten.max(forgotten);
        }
        true
    }

    /// Notes the next purge of the log, and says whether it was new.
    pub(super) fn follow(&mut self, at: u64, purge: Purge) -> bool {
        let new = self.note(at, purge);
        self.epoch = self.epoch.max(at);
        new
    }

    /// Says, when the log is followed again, what the oldest purge is that it still has; and whether some may have been missed.
    pub(super) fn goes_on(&mut self, first: Option<u64>) -> bool {
        match first {
            Some(first) if self.epoch == 0 || first <= self.epoch => false,
            Some(first) => {
                self.forgotten = self.forgotten.max(first);
                true
            }
            // There is no log, or it is gone, and what was in the store with it.
            None => true,
        }
    }

    /// Keeps a purge that could not be written into the log.
    pub(super) fn wait(&mut self, purge: Purge) {
        if self.unsent.len() == WAITING {
            self.unsent.clear();
            self.unsent.push_back(Purge::everything());
        } else if !self.unsent.contains(&purge) {
            self.unsent.push_back(purge);
        }
    }

    /// The oldest purge that the log does not have yet.
    pub(super) fn unsent(&self) -> Option<Purge> {
        self.unsent.front().cloned()
    }

    /// Notes that the log has a purge that waited for it.
    pub(super) fn sent(&mut self, at: u64, purge: Purge) {
        self.unsent.retain(|own| *own != purge);
        self.note(at, purge);
    }

    /// What becomes of an entry that was written by somebody who knew the purges up to `epoch`.
    pub(super) fn fate(&self, epoch: u64, key: &[u8], entry: &Entry) -> Fate {
        if epoch < self.forgotten {
            return Fate::Gone;
        }
        let since = self.late.iter().rev().take_while(|(at, _)| *at > epoch);
        let since = since.map(|(_, purge)| purge).chain(&self.unsent);
        let mut fate = Fate::Good;
        for purge in since.filter(|purge| purge.matches(key, entry)) {
            if !purge.is_soft() {
                return Fate::Gone;
            }
            fate = Fate::Stale;
        }
        fate
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::{Fate, KEPT, Known, WAITING};
    use crate::entry::{Draft, Entry};
    use crate::store::Purge;

    fn entry() -> Entry {
        let mut draft = Draft::new(StatusCode::OK);
        draft.tag(b"pets");
        draft.finish(&[])
    }

    #[test]
    fn an_entry_is_gone_if_a_purge_came_after_what_its_writer_knew() {
        let mut known = Known::default();
        known.follow(10, Purge::tag("pets"));
        assert_eq!(known.fate(9, b"", &entry()), Fate::Gone);
        assert_eq!(known.fate(10, b"", &entry()), Fate::Good);
        known.follow(11, Purge::tag("pets").soft());
        assert_eq!(known.fate(10, b"", &entry()), Fate::Stale);
        known.follow(12, Purge::tag("owners"));
        assert_eq!(known.fate(11, b"", &entry()), Fate::Good);
    }

    #[test]
    fn ones_own_purge_says_nothing_of_those_in_between() {
        let mut known = Known::default();
        known.follow(5, Purge::tag("a"));
        assert!(known.note(9, Purge::tag("b")));
        assert_eq!(known.epoch(), 5);
        assert!(known.follow(7, Purge::tag("pets")));
        assert_eq!(known.fate(5, b"", &entry()), Fate::Gone);
        assert!(!known.follow(9, Purge::tag("b")));
        assert_eq!(known.epoch(), 9);
    }

    #[test]
    fn a_purge_that_waits_for_the_log_holds_here() {
        let mut known = Known::default();
        known.wait(Purge::tag("pets"));
        known.wait(Purge::tag("pets"));
        assert_eq!(known.fate(5, b"", &entry()), Fate::Gone);
        assert_eq!(known.unsent(), Some(Purge::tag("pets")));
        known.sent(7, Purge::tag("pets"));
        assert_eq!(known.unsent(), None);
        assert_eq!(known.fate(6, b"", &entry()), Fate::Gone);
        assert_eq!(known.fate(7, b"", &entry()), Fate::Good);
    }

    #[test]
    fn too_many_that_wait_are_one_of_everything() {
        let mut known = Known::default();
        for number in 0..=WAITING {
            known.wait(Purge::tag(number.to_le_bytes()));
        }
        assert_eq!(known.unsent(), Some(Purge::everything()));
        assert_eq!(known.fate(u64::MAX, b"", &entry()), Fate::Gone);
    }

    #[test]
    fn what_is_older_than_memory_is_gone() {
        let mut known = Known::default();
        for at in 1..=KEPT as u64 + 1 {
            known.follow(at, Purge::tag("else"));
        }
        assert_eq!(known.fate(0, b"", &entry()), Fate::Gone);
        assert_eq!(known.fate(1, b"", &entry()), Fate::Good);
    }

    #[test]
    fn a_log_that_begins_after_what_is_known_has_a_gap() {
        let mut known = Known::default();
        assert!(!known.goes_on(Some(7)));
        known.follow(7, Purge::tag("a"));
        assert!(!known.goes_on(Some(3)) && !known.goes_on(Some(7)));
        assert!(known.goes_on(Some(8)));
        assert_eq!(known.fate(7, b"", &entry()), Fate::Gone);
        assert!(known.goes_on(None));
    }
}
