//! Recorded cases, and lists of those that are expected to fail.
//!
//! The cases are no part of the repository. A test asks for their folder, and has nothing to do where there is none:
//!
//! ```no_run
//! use portcullis_testkit::cases::{self, ExpectedFailures};
//!
//! #[derive(serde::Deserialize)]
//! struct Case {
//!     id: String,
//!     text: String,
//! }
//!
//! # fn parse(_: &str) -> Result<(), String> { Ok(()) }
//! let Some(dir) = cases::dir() else { return };
//! let all: Vec<Case> = cases::load_jsonl(dir.join("parser/cases.jsonl"));
//! let expected = ExpectedFailures::parse("parser/deep  deeper than the parser's limit");
//! cases::run("parser", all, &expected, |case| &case.id, |case| parse(&case.text));
//! ```

use std::{
    any::Any,
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

/// The folder of the cases: `PORTCULLIS_CASES`, or `../shared/cases` beside the repository, if it is there.
///
/// Where there is none, a line on standard error says that what needs it is left out.
///
/// # Panics
///
/// If `PORTCULLIS_CASES` names no folder, or if there is none and `CI` is set.
#[must_use]
pub fn dir() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    find(
        env::var_os("PORTCULLIS_CASES"),
        &beside,
        env::var_os("CI").is_some(),
    )
}

fn find(named: Option<OsString>, beside: &Path, ci: bool) -> Option<PathBuf> {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        assert!(
            named.is_dir(),
            "PORTCULLIS_CASES names {}, which is no folder",
            named.display()
        );
        return Some(named);
    }
    if beside.is_dir() {
        return Some(beside.to_path_buf());
    }
    assert!(
        !ci,
        "the recorded cases are missing: set PORTCULLIS_CASES to their folder, or put it at ../shared/cases beside the repository"
    );
    eprintln!("left out: there is no folder of recorded cases (PORTCULLIS_CASES)");
    None
}

/// Reads a JSON file.
///
/// # Panics
///
/// If it cannot be read as `T`.
#[track_caller]
pub fn load_json<T: DeserializeOwned>(path: impl AsRef<Path>) -> T {
    let path = path.as_ref();
    match serde_json::from_str(&read(path)) {
        Ok(value) => value,
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// Reads a file with one JSON value in each line; empty lines are passed over.
///
/// # Panics
///
/// If a line cannot be read as `T`.
#[track_caller]
pub fn load_jsonl<T: DeserializeOwned>(path: impl AsRef<Path>) -> Vec<T> {
    let path = path.as_ref();
    let mut values = Vec::new();
    for (number, line) in (1..).zip(read(path).lines()) {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(line) {
            Ok(value) => values.push(value),
            Err(error) => panic!("{}:{number}: {error}", path.display()),
        }
    }
    values
}

#[track_caller]
fn read(path: &Path) -> String {
    match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => panic!("cannot read {}: {error}", path.display()),
    }
}

/// Cases that are known to fail, each with the reason.
#[derive(Debug, Clone, Default)]
pub struct ExpectedFailures {
    reasons: BTreeMap<String, String>,
}

impl ExpectedFailures {
    /// No case is expected to fail.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a list with one case in each line: its id, a space, the reason. Empty lines and those that begin with `#`
    /// are passed over.
    ///
    /// # Panics
    ///
    /// If an id has no reason, or stands there twice.
    #[must_use]
    #[track_caller]
    pub fn parse(list: &str) -> Self {
        let mut reasons = BTreeMap::new();
        for line in list.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((id, reason)) = line.split_once(char::is_whitespace) else {
                panic!("`{line}` is expected to fail for no reason");
            };
            let before = reasons.insert(id.to_owned(), reason.trim().to_owned());
            assert!(before.is_none(), "`{id}` is expected to fail twice");
        }
        Self { reasons }
    }

    /// Why a case is expected to fail, if it is.
    #[must_use]
    pub fn reason(&self, id: &str) -> Option<&str> {
        self.reasons.get(id).map(String::as_str)
    }
}

/// Runs `check` on each case, and holds the outcome against the list: see [`Tally::finish`]. A panic is a failure of its case.
///
/// # Panics
///
/// If the outcome is not what the list says.
#[track_caller]
pub fn run<C>(
    name: &str,
    cases: impl IntoIterator<Item = C>,
    expected: &ExpectedFailures,
    id: impl Fn(&C) -> &str,
    check: impl Fn(&C) -> Result<(), String>,
) {
    let mut tally = Tally::new(name, expected);
    for case in cases {
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&case)));
        tally.record(
            id(&case),
            outcome.unwrap_or_else(|panic| Err(message(&*panic))),
        );
    }
    tally.finish();
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("(without a message)"))
}

/// The outcome of a run, case by case; for runs that [`run`] does not fit, as where a check awaits.
#[derive(Debug)]
pub struct Tally {
    name: String,
    expected: ExpectedFailures,
    /// Each case that ran, and how it went.
    seen: BTreeMap<String, Result<(), String>>,
    /// Each case that did not, and why.
    left_out: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Tally {
    /// A run of which nothing is known yet.
    #[must_use]
    pub fn new(name: &str, expected: &ExpectedFailures) -> Self {
        Self {
            name: name.to_owned(),
            expected: expected.clone(),
            seen: BTreeMap::new(),
            left_out: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// Notes how a case went.
    pub fn record(&mut self, id: &str, outcome: Result<(), String>) {
        self.once(id);
        self.seen.insert(id.to_owned(), outcome);
    }

    /// Notes a case that was not run, and why: one whose expectation is in doubt, or that is about something else.
    pub fn leave_out(&mut self, id: &str, reason: &str) {
        self.once(id);
        self.left_out.insert(id.to_owned(), reason.to_owned());
    }

    fn once(&mut self, id: &str) {
        if self.seen.contains_key(id) || self.left_out.contains_key(id) {
            self.faults
                .push(format!("{id}: there are two cases of this id"));
        }
    }

    /// Prints one line that sums the run up, and compares it with the list.
    ///
    /// # Panics
    ///
    /// With every fault at once: a case failed that is not listed, a listed one passed, a listed one was not run, two cases have
    /// one id, or there was no case at all.
    #[track_caller]
    pub fn finish(self) {
        let (summary, faults) = self.result();
        println!("{summary}");
        assert!(faults.is_empty(), "{summary}\n{}", faults.join("\n"));
    }

    fn result(self) -> (String, Vec<String>) {
        let Self {
            name,
            expected,
            seen,
            left_out,
            mut faults,
        } = self;
        let (mut passed, mut failed, mut known) = (0, 0, 0);
        for (id, outcome) in &seen {
            match (outcome, expected.reason(id)) {
                (Ok(()), None) => passed += 1,
                (Ok(()), Some(reason)) => {
                    passed += 1;
                    faults.push(format!(
                        "{id}: passes, but is listed as failing ({reason}); take it off the list"
                    ));
                }
                (Err(_), Some(_)) => known += 1,
                (Err(why), None) => {
                    failed += 1;
                    faults.push(format!("{id}: {why}"));
                }
            }
        }
        for id in expected.reasons.keys().filter(|id| !seen.contains_key(*id)) {
            faults.push(format!("{id}: is listed as failing, but was not run"));
        }
        if seen.is_empty() {
            faults.push("no case was run".to_owned());
        }
        let summary = format!(
            "{name}: {} cases, {passed} passed, {failed} failed, {known} failed as expected, {} left out",
            seen.len() + left_out.len(),
            left_out.len()
        );
        (summary, faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, outcomes: &[(&str, Result<(), &str>)], summary: &str, faults: &[&str]) {
        let mut tally = Tally::new("t", &ExpectedFailures::parse(list));
        for (id, outcome) in outcomes {
            tally.record(id, outcome.map_err(str::to_owned));
        }
        let (got, got_faults) = tally.result();
        assert_eq!(got, summary);
        assert_eq!(got_faults, faults);
    }

    #[test]
    fn a_run_without_faults_says_how_many_passed() {
        check(
            "# known\n\nb  not served\n",
            &[("a", Ok(())), ("b", Err("no"))],
            "t: 2 cases, 1 passed, 0 failed, 1 failed as expected, 0 left out",
            &[],
        );
    }

    #[test]
    fn a_case_that_fails_and_is_not_listed_is_a_fault() {
        check(
            "",
            &[("a", Ok(())), ("b", Err("no"))],
            "t: 2 cases, 1 passed, 1 failed, 0 failed as expected, 0 left out",
            &["b: no"],
        );
    }

    #[test]
    fn a_listed_case_that_passes_is_a_fault() {
        check(
            "a not served",
            &[("a", Ok(()))],
            "t: 1 cases, 1 passed, 0 failed, 0 failed as expected, 0 left out",
            &["a: passes, but is listed as failing (not served); take it off the list"],
        );
    }

    #[test]
    fn a_listed_case_that_is_not_there_is_a_fault() {
        check(
            "z gone",
            &[("a", Ok(()))],
            "t: 1 cases, 1 passed, 0 failed, 0 failed as expected, 0 left out",
            &["z: is listed as failing, but was not run"],
        );
    }

    #[test]
    fn a_run_of_nothing_and_an_id_given_twice_are_faults() {
        check(
            "",
            &[],
            "t: 0 cases, 0 passed, 0 failed, 0 failed as expected, 0 left out",
            &["no case was run"],
        );
        check(
            "",
            &[("a", Ok(())), ("a", Ok(()))],
            "t: 1 cases, 1 passed, 0 failed, 0 failed as expected, 0 left out",
            &["a: there are two cases of this id"],
        );
    }

    #[test]
    fn cases_left_out_are_counted() {
        let mut tally = Tally::new("t", &ExpectedFailures::none());
        tally.record("a", Ok(()));
        tally.leave_out("b", "in doubt");
        let (summary, faults) = tally.result();
        assert_eq!(
            summary,
            "t: 2 cases, 1 passed, 0 failed, 0 failed as expected, 1 left out"
        );
        assert!(faults.is_empty());
    }

    #[test]
    fn a_panic_is_a_failure_of_its_case_alone() {
        let expected = ExpectedFailures::parse("bad panics");
        let check = |case: &&str| {
            assert_ne!(*case, "bad");
            Ok(())
        };
        run(
            "t",
            ["good", "bad", "better"],
            &expected,
            |case| case,
            check,
        );
    }

    #[test]
    fn the_named_folder_wins_over_the_one_beside() {
        let (named, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let found = find(Some(named.path().into()), beside.path(), false);
        assert_eq!(found.as_deref(), Some(named.path()));
        for unset in [None, Some(OsString::new())] {
            assert_eq!(
                find(unset, beside.path(), true).as_deref(),
                Some(beside.path())
            );
        }
    }

    #[test]
    fn a_missing_folder_is_an_error_only_in_ci_or_when_it_is_named() {
        let empty = tempfile::tempdir().unwrap();
        let missing = empty.path().join("cases");
        assert_eq!(find(None, &missing, false), None);
        for (named, ci) in [
            (None, true),
            (Some(missing.clone().into_os_string()), false),
        ] {
            assert!(catch_unwind(|| find(named, &missing, ci)).is_err());
        }
    }

    #[test]
    fn files_of_json_and_of_lines_are_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.json"), "[1, 2]").unwrap();
        fs::write(dir.path().join("a.jsonl"), "1\n\n2\n").unwrap();
        assert_eq!(load_json::<Vec<u8>>(dir.path().join("a.json")), [1, 2]);
        assert_eq!(load_jsonl::<u8>(dir.path().join("a.jsonl")), [1, 2]);
    }
}
