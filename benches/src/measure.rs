//! How a row is measured: instructions and allocations under callgrind, time by the clock.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, process, thread};

use anyhow::{Context, Result, bail};
use portcullis_core::{Clock, SystemClock};

use crate::row::Row;

/// What one iteration of a row costs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
}

/// Each row runs twice, and the difference of the runs counts: what happens once cancels out.
const FEW: u64 = 1_000;
const MANY: u64 = 3_000;

/// Counts instructions and allocations of each of `rows`, by its name.
///
/// This very program is run again under callgrind. A counting allocator would be in the way of both other figures, so
/// allocations are callgrind's counts of the calls of `malloc` and its kin; they are exact.
pub(crate) fn count(rows: &[&Row]) -> Result<BTreeMap<String, Counts>> {
    if Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        bail!("valgrind is missing; on Debian: apt-get install valgrind");
    }
    let folder = env::temp_dir().join(format!("portcullis-benches-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let counts = in_parallel(rows, |row| {
        let file = folder.join(row.name.replace('/', "_"));
        let few = callgrind(row, FEW, &file)?;
        let more = (MANY - FEW) * row.repeat;
        let many = callgrind(row, FEW + more, &file)?;
        let each = |few: u64, many: u64| (many as f64 - few as f64) / more as f64;
        Ok((
            row.name.clone(),
            Counts {
                instructions: each(few.0, many.0),
                allocations: each(few.1, many.1),
            },
        ))
    });
    fs::remove_dir_all(&folder)?;
    counts
}

/// The least nanoseconds that one iteration of each row took, over many batches.
///
/// The rows take turns, so that a slow second hits all of them.
pub(crate) fn time(rows: &[&Row]) -> BTreeMap<String, f64> {
    const BATCH: Duration = Duration::from_micros(200);
    const BATCHES: usize = 400;

    let clock = SystemClock::new();
    let mut timed: Vec<_> = rows
        .iter()
        .map(|row| {
            let mut work = row.prepare();
            let mut iterations = 16;
            loop {
                let start = clock.now();
                work(iterations);
                if clock.now() - start >= BATCH {
                    break;
                }
                iterations *= 2;
            }
            (row.name.clone(), work, iterations, Duration::MAX)
        })
        .collect();
    for _ in 0..BATCHES {
        for (_, work, iterations, least) in &mut timed {
            let start = clock.now();
            work(*iterations);
            *least = (*least).min(clock.now() - start);
        }
    }
    timed
        .into_iter()
        .map(|(name, _, iterations, least)| (name, least.as_nanos() as f64 / iterations as f64))
        .collect()
}

/// The instructions and allocations of a run of this program.
fn callgrind(row: &Row, iterations: u64, file: &Path) -> Result<(u64, u64)> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--compress-strings=no"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env::current_exe()?)
        .args(["row", &row.name, "--iterations", &iterations.to_string()])
        .output()?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("{} under callgrind: {message}", row.name);
    }
    let profile = fs::read_to_string(file).context("callgrind wrote no profile")?;
    read_profile(&profile).with_context(|| format!("the profile of {}", row.name))
}

/// Reads instructions and calls of the allocator from a profile with uncompressed names.
fn read_profile(profile: &str) -> Result<(u64, u64)> {
    // A `realloc` that libc does by calling its own `malloc` is one allocation.
    const ALLOCATORS: [&str; 5] = [
        "malloc",
        "calloc",
        "realloc",
        "posix_memalign",
        "aligned_alloc",
    ];
    let allocators = HashSet::from(ALLOCATORS);

    let mut instructions = None;
    let mut allocations = 0;
    let mut caller = "";
    let mut callee = "";
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            caller = name;
        } else if let Some(name) = line.strip_prefix("cfn=") {
            callee = name;
        } else if let Some(calls) = line.strip_prefix("calls=") {
            if allocators.contains(callee) && !allocators.contains(caller) {
                let count = calls.split(' ').next().unwrap_or_default();
                allocations += count.parse::<u64>().context("a number of calls")?;
            }
        } else if let Some(total) = line.strip_prefix("totals:") {
            instructions = total.trim().parse().ok();
        }
    }
    let instructions = instructions.context("it has no total")?;
    Ok((instructions, allocations))
}

/// Does `work` for each row, on as many threads as there are processors: counts do not mind company.
fn in_parallel<R: Send>(
    rows: &[&Row],
    work: impl Fn(&Row) -> Result<(String, R)> + Sync,
) -> Result<BTreeMap<String, R>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(row);
                    if let Ok(mut results) = results.lock() {
                        results.push(result);
                    }
                }
            });
        }
    });
    results
        .into_inner()
        .unwrap_or_default()
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::read_profile;

    #[test]
    fn a_profile_has_a_total_and_calls_of_the_allocator() -> anyhow::Result<()> {
        let profile = "fn=main\n1 10\ncfn=malloc\ncalls=3 0\n1 300\ncfn=free\ncalls=9 0\n1 90\n\
                       \nfn=realloc\ncfn=malloc\ncalls=5 0\n1 5\n\ntotals: 4242\n";
        assert_eq!(read_profile(profile)?, (4242, 3));
        Ok(())
    }
}

/// The bytes of this process that are in memory.
pub(crate) fn resident() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    let kib: f64 = kib.context("VmRSS in /proc/self/status")?.parse()?;
    Ok(kib * 1024.0)
}

/// The figure that this program prints when it is started with these arguments: of a process of its own.
pub(crate) fn of_a_process(args: &[&str]) -> Result<f64> {
    let output = Command::new(env::current_exe()?).args(args).output()?;
    let figure = String::from_utf8_lossy(&output.stdout);
    figure
        .trim()
        .parse()
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}
