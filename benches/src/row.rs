//! What is measured: cases, their rows and their goals.

use std::fmt;
use std::hint::black_box;

/// The same work done in several ways, and what is asked of ours.
pub(crate) struct Case {
    /// The layer, which is also the name of the file: `cors`.
    pub(crate) layer: &'static str,
    /// The case, as part of a row's name: `simple`.
    pub(crate) name: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) goals: Vec<Goal>,
    /// How often its rows are repeated while instructions are counted, beyond the usual.
    pub(crate) repeat: u64,
}

impl Case {
    pub(crate) fn new(layer: &'static str, name: impl Into<String>) -> Self {
        Self {
            layer,
            name: name.into(),
            rows: Vec::new(),
            goals: Vec::new(),
            repeat: 1,
        }
    }

    /// Repeats the rows that follow so many times as often while instructions are counted: what they do once is not the same in each run.
    pub(crate) const fn repeat(mut self, times: u64) -> Self {
        self.repeat = times;
        self
    }

    /// Adds a row. `prepare` does what is done once; what it returns is what is measured.
    pub(crate) fn row<F, R>(
        mut self,
        who: Who,
        prepare: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: FnMut() -> R + 'static,
    {
        self.rows.push(Row {
            name: format!("{}/{}/{who}", self.layer, self.name),
            who,
            repeat: self.repeat,
            prepare: Box::new(move || {
                let mut once = prepare();
                // The loop is in here, so that the work is inlined into it and only the loop is behind a pointer.
                Box::new(move |iterations| {
                    for _ in 0..iterations {
                        black_box(once());
                    }
                })
            }),
        });
        self
    }

    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goals.push(goal);
        self
    }

    pub(crate) fn find(&self, who: Who) -> Option<&Row> {
        self.rows.iter().find(|row| row.who == who)
    }
}

/// One way to do the work of a case.
pub(crate) struct Row {
    /// `layer/case/who`.
    pub(crate) name: String,
    pub(crate) who: Who,
    pub(crate) repeat: u64,
    prepare: Box<dyn Fn() -> Work + Send + Sync>,
}

impl Row {
    /// Makes the work ready to be repeated.
    pub(crate) fn prepare(&self) -> Work {
        (self.prepare)()
    }
}

/// Does the work of a row this many times.
pub(crate) type Work = Box<dyn FnMut(u64)>;

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Nobody: the request and the service that the others surround. Each case has one.
    Bare,
    /// The least that correct code does, written by hand.
    Floor,
    /// Ours.
    Portcullis,
    /// What a user would pick instead.
    Peer(&'static str),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bare => "bare",
            Self::Floor => "floor",
            Self::Portcullis => "portcullis",
            Self::Peer(name) => name,
        })
    }
}

/// What is asked of our row. Instructions, unless it says allocations or time; "over bare" is less those of the bare row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// At most so many more than the bare row.
    OverBare(f64),
    /// At most so many more than the floor.
    OverFloor(f64),
    /// At most so many times the floor, both over bare.
    TimesFloorOverBare(f64),
    /// At most so many times the floor, both as they are.
    TimesFloor(f64),
    /// At most so many times this peer, both over bare.
    TimesPeerOverBare(&'static str, f64),
    /// At most so many times this peer, both as they are.
    TimesPeer(&'static str, f64),
    /// At most so many times the time of the floor, both over bare. For cryptography, whose instructions callgrind's processor does not have.
    TimesFloorInTime(f64),
    /// At most so many times the time of this peer, both over bare.
    TimesPeerInTime(&'static str, f64),
    /// At most so many allocations more than the bare row.
    AllocationsOverBare(f64),
}
