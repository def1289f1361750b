//! The recorded ratios, and the comparison with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::measure::Counts;
use crate::row::{Case, Row, Who};

/// How much worse than recorded a ratio may be: another compiler or libc moves it a little.
const SLACK: f64 = 1.10;

/// The rows that are compared: ours, and the bare rows that they are divided by.
pub(crate) fn compared<'a>(cases: &[&'a Case]) -> Vec<&'a Row> {
    cases
        .iter()
        .flat_map(|case| [case.find(Who::Bare), case.find(Who::Portcullis)])
        .flatten()
        .collect()
}

/// Writes the ratios of this run.
pub(crate) fn write(cases: &[&Case], counts: &BTreeMap<String, Counts>) -> Result<()> {
    let mut rows = read().unwrap_or_default();
    for (name, ratio, allocations) in ratios(cases, counts) {
        let ratio = (ratio * 1000.0).round() / 1000.0;
        rows.insert(name, json!({ "ratio": ratio, "allocations": allocations }));
    }
    let text = serde_json::to_string_pretty(&Value::Object(rows))?;
    fs::write(path(), text + "\n")?;
    Ok(())
}

/// Compares this run with the recorded ratios.
///
/// # Errors
///
/// If a row is worse than recorded, or was never recorded.
pub(crate) fn check(cases: &[&Case], counts: &BTreeMap<String, Counts>) -> Result<()> {
    let recorded = read()?;
    let mut faults = Vec::new();
    for (name, ratio, allocations) in ratios(cases, counts) {
        let Some(row) = recorded.get(&name) else {
            faults.push(format!(
                "{name}: not in the baseline; record it with `baseline`"
            ));
            continue;
        };
        let was = row["ratio"].as_f64().unwrap_or_default();
        let allocated = row["allocations"].as_i64().unwrap_or_default();
        let verdict = if ratio > was * SLACK || allocations > allocated {
            faults.push(format!(
                "{name}: {ratio:.3} × bare and {allocations:+} allocations; \
                 recorded are {was:.3} × (and 10 %) and {allocated:+}"
            ));
            "WORSE"
        } else if ratio * SLACK < was || allocations < allocated {
            "better: record it"
        } else {
            "ok"
        };
        println!(
            "{name:<32} {ratio:>7.3} × bare (recorded {was:.3}), allocations {allocations:+} ({allocated:+})  {verdict}"
        );
    }
    if !faults.is_empty() {
        bail!(
            "worse than benches/baseline.json:\n  {}",
            faults.join("\n  ")
        );
    }
    Ok(())
}

/// For each of our rows its instructions as a multiple of its bare row's, and its allocations over that.
fn ratios(cases: &[&Case], counts: &BTreeMap<String, Counts>) -> Vec<(String, f64, i64)> {
    let mut ratios = Vec::new();
    for case in cases {
        let (Some(bare), Some(ours)) = (case.find(Who::Bare), case.find(Who::Portcullis)) else {
            continue;
        };
        let (Some(base), Some(count)) = (counts.get(&bare.name), counts.get(&ours.name)) else {
            continue;
        };
        let allocations = (count.allocations - base.allocations).round();
        ratios.push((
            ours.name.clone(),
            count.instructions / base.instructions,
            allocations as i64,
        ));
    }
    ratios
}

fn read() -> Result<Map<String, Value>> {
    let text = fs::read_to_string(path()).context("there is no benches/baseline.json")?;
    serde_json::from_str(&text).context("benches/baseline.json")
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("baseline.json")
}
