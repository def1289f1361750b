//! What was measured, in words: a table, and each goal with the figure seen.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::measure::Counts;
use crate::row::{Case, Goal, Who};

/// The figures of all rows that were measured.
pub(crate) struct Figures {
    pub(crate) counts: BTreeMap<String, Counts>,
    /// Nanoseconds, where time was taken.
    pub(crate) times: BTreeMap<String, f64>,
}

impl Figures {
    fn counts(&self, case: &Case, who: Who) -> Option<Counts> {
        self.counts.get(&case.find(who)?.name).copied()
    }

    fn over_bare(&self, case: &Case, who: Who) -> Option<Counts> {
        let bare = self.counts(case, Who::Bare)?;
        let row = self.counts(case, who)?;
        Some(Counts {
            instructions: row.instructions - bare.instructions,
            allocations: row.allocations - bare.allocations,
        })
    }

    /// Nanoseconds, where time was taken.
    fn time_over_bare(&self, case: &Case, who: Who) -> Option<f64> {
        let time = |who| self.times.get(&case.find(who)?.name).copied();
        Some(time(who)? - time(Who::Bare)?)
    }

    /// The cases as a Markdown table.
    pub(crate) fn table(&self, cases: &[&Case]) -> String {
        let mut text = String::from(
            "| row | instructions | over bare | allocations | over bare | ns |\n\
             |---|--:|--:|--:|--:|--:|\n",
        );
        for case in cases {
            for row in &case.rows {
                let (Some(counts), Some(over)) =
                    (self.counts(case, row.who), self.over_bare(case, row.who))
                else {
                    continue;
                };
                let time = match self.times.get(&row.name) {
                    Some(ns) => format!("{ns:.0}"),
                    None => "–".to_owned(),
                };
                let _ = writeln!(
                    text,
                    "| {} | {:.0} | {:+.0} | {:.1} | {:+.1} | {time} |",
                    row.name,
                    counts.instructions,
                    over.instructions,
                    counts.allocations,
                    over.allocations,
                );
            }
        }
        text
    }

    /// The goals as a Markdown table.
    pub(crate) fn goals(&self, cases: &[&Case]) -> String {
        let mut text = String::from("| case | goal | seen | met |\n|---|---|--:|---|\n");
        for case in cases {
            for goal in &case.goals {
                let Some((asked, seen, met)) = self.judge(case, *goal) else {
                    continue;
                };
                let met = if met { "yes" } else { "**no**" };
                let _ = writeln!(
                    text,
                    "| {}/{} | {asked} | {seen} | {met} |",
                    case.layer, case.name
                );
            }
        }
        text
    }

    /// A goal in words, the figure seen, and whether that meets it.
    fn judge(&self, case: &Case, goal: Goal) -> Option<(String, String, bool)> {
        let ours = self.counts(case, Who::Portcullis)?.instructions;
        let over = self.over_bare(case, Who::Portcullis)?;
        let instructions = |asked: String, seen: f64, most: f64| {
            // A negative zero is no figure for a reader.
            (asked, format!("{:+.0}", seen + 0.0), seen <= most)
        };
        let ratio =
            |asked: String, seen: f64, most: f64| (asked, format!("{seen:.2} ×"), seen <= most);
        Some(match goal {
            Goal::OverBare(most) => instructions(
                format!("≤ +{most} instructions over bare"),
                over.instructions,
                most,
            ),
            Goal::OverFloor(most) => instructions(
                format!("≤ +{most} instructions over the floor"),
                ours - self.counts(case, Who::Floor)?.instructions,
                most,
            ),
            Goal::TimesFloorOverBare(most) => ratio(
                format!("≤ {most} × the floor, over bare"),
                over.instructions / self.over_bare(case, Who::Floor)?.instructions,
                most,
            ),
            Goal::TimesFloor(most) => ratio(
                format!("≤ {most} × the floor"),
                ours / self.counts(case, Who::Floor)?.instructions,
                most,
            ),
            Goal::TimesPeerOverBare(peer, most) => ratio(
                format!("≤ {most} × {peer}, over bare"),
                over.instructions / self.over_bare(case, Who::Peer(peer))?.instructions,
                most,
            ),
            Goal::TimesPeer(peer, most) => ratio(
                format!("≤ {most} × {peer}"),
                ours / self.counts(case, Who::Peer(peer))?.instructions,
                most,
            ),
            Goal::TimesFloorInTime(most) => ratio(
                format!("≤ {most} × the time of the floor, over bare"),
                self.time_over_bare(case, Who::Portcullis)?
                    / self.time_over_bare(case, Who::Floor)?,
                most,
            ),
            Goal::TimesPeerInTime(peer, most) => ratio(
                format!("≤ {most} × the time of {peer}, over bare"),
                self.time_over_bare(case, Who::Portcullis)?
                    / self.time_over_bare(case, Who::Peer(peer))?,
                most,
            ),
            Goal::AllocationsOverBare(most) => (
                format!("≤ {most} allocations over bare"),
                format!("{:.1}", over.allocations + 0.0),
                // A start-up that differs by one allocation between two runs is no allocation of a request.
                over.allocations < most + 0.01,
            ),
        })
    }
}
