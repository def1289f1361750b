//! Each layer beside its floor and the crate that a user would pick instead. See `benches/README.md`.

mod baseline;
mod cache_memory;
mod deploys;
mod loopback;
mod measure;
mod memory;
mod observed;
mod report;
mod row;
mod rows;
mod shared;
mod templates;

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::report::Figures;
use crate::row::{Case, Row};

const HELP: &str = "\
Measures each layer beside a bare service, a hand-written floor and a peer.

Usage: portcullis-benches <command>

  list                      Name every row
  run [FILTER]              Instructions, allocations and time of the rows whose names contain
                            FILTER, and the goals
  table [FILTER]            The same without time: what does not depend on a quiet machine
  check [FILTER]            Compare instructions, as ratios to the bare row of the same run, with
                            baseline.json (10 % slack), and allocations (no slack)
  baseline [FILTER]         Record the ratios in baseline.json
  row NAME --iterations N   Only do the work of one row: what callgrind runs, and what to give to
                            a profiler
  loopback                  CPU seconds per 100,000 requests over loopback: hyper, a minimal hyper
                            reverse proxy, the gateway, nginx. Needs wrk; takes about a minute
  loopback cache            CPU seconds per 100,000 hits of a cache: quick_cache by hand, ours, nginx,
                            Varnish. Needs wrk; takes about two minutes
  cache-memory              What a million stored responses take beyond their keys and bodies
  deploys                   What deploying an API of 1,000 routes takes, and what requests feel of it
                            (p99). Needs wrk; takes about half a minute
  limits                    What is let in of ten times a limit over loopback. Needs wrk; takes about a
                            minute
  memory                    What a million keys of a rate limit take, and a flood of ten million
  observe-memory            Resident memory while ten million requests are counted, logged and traced;
                            takes about a minute
  redis                     What a decision costs that several machines share. Needs redis-server
  templates                 CPU time of mapping templates beside Velocity on a warm JVM, velocityjs
                            and airspeed, which it installs (Debian's packages, npm, PyPI); takes
                            some minutes

`run`, `table`, `check` and `baseline` need valgrind.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let cases = rows::all();
    match args[..] {
        [] | ["--help" | "-h" | "help"] => println!("{HELP}"),
        ["list"] => {
            for row in all_rows(&filtered(&cases, None)?) {
                println!("{}", row.name);
            }
        }
        ["row", name, "--iterations", iterations] => {
            let cases = filtered(&cases, None)?;
            let row = all_rows(&cases)
                .into_iter()
                .find(|row| row.name == name)
                .with_context(|| format!("there is no row {name}"))?;
            row.prepare()(iterations.parse().context("iterations")?);
        }
        ["run" | "table", ref filter @ ..] => {
            let cases = filtered(&cases, one(filter)?)?;
            let rows = all_rows(&cases);
            let counts = measure::count(&rows)?;
            let times = match args[0] {
                "run" => measure::time(&rows),
                _ => BTreeMap::new(),
            };
            let figures = Figures { counts, times };
            println!("{}", figures.table(&cases));
            println!("{}", figures.goals(&cases));
        }
        ["check", ref filter @ ..] => {
            let cases = filtered(&cases, one(filter)?)?;
            let counts = measure::count(&baseline::compared(&cases))?;
            baseline::check(&cases, &counts)?;
        }
        ["baseline", ref filter @ ..] => {
            let cases = filtered(&cases, one(filter)?)?;
            let counts = measure::count(&baseline::compared(&cases))?;
            baseline::write(&cases, &counts)?;
        }
        ["templates"] => templates::run()?,
        ["cache-memory"] => cache_memory::run()?,
        // What `cache-memory` starts.
        ["cache-memory", kind] => cache_memory::of(kind)?,
        ["loopback"] => loopback::run()?,
        ["loopback", "cache"] => loopback::cache::run()?,
        ["deploys"] => deploys::run()?,
        ["limits"] => loopback::limits::run()?,
        ["memory"] => memory::run()?,
        // What `memory` starts.
        ["memory", kind] => memory::of(kind)?,
        ["observe-memory"] => observed::run()?,
        ["redis"] => shared::run()?,
        // What they start.
        ["serve", kind, ref args @ ..] => loopback::serve(kind, args)?,
        _ => bail!("unknown command: {}\n\n{HELP}", args.join(" ")),
    }
    Ok(())
}

/// The one optional argument of a command.
fn one<'a>(args: &[&'a str]) -> Result<Option<&'a str>> {
    match args {
        [] => Ok(None),
        [filter] => Ok(Some(filter)),
        _ => bail!("one filter at most"),
    }
}

/// The cases of which a row's name contains `filter`. A case is measured whole: its rows are compared.
fn filtered<'a>(cases: &'a [Case], filter: Option<&str>) -> Result<Vec<&'a Case>> {
    let matches = |row: &Row| filter.is_none_or(|filter| row.name.contains(filter));
    let cases: Vec<_> = cases
        .iter()
        .filter(|case| case.rows.iter().any(matches))
        .collect();
    if cases.is_empty() {
        bail!("no row has {} in its name", filter.unwrap_or_default());
    }
    Ok(cases)
}

fn all_rows<'a>(cases: &[&'a Case]) -> Vec<&'a Row> {
    cases.iter().flat_map(|case| &case.rows).collect()
}
