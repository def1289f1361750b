//! Mapping templates beside the engines that users run: Velocity on a warm JVM, velocityjs, airspeed.
//!
//! Each engine renders the templates of `benches/templates`, parsed once, over the same bodies; JSON parsing is part of
//! it. What is counted is the CPU time of the whole process (garbage collection is part of the work), of ours that of
//! its one thread.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use portcullis_templates::{Data, Dialect, Limits, Scope, Template};

const CASES: [&str; 6] = ["small", "loop-100", "loop-10000", "soap", "log", "kib"];
const OURS: &str = "portcullis";
const FLOOR: &str = "serde_json parse";
const PEERS: [(&str, f64); 3] = [("velocity", 3.0), ("velocityjs", 10.0), ("airspeed", 30.0)];
/// What each engine gets for each case.
const SECONDS: &str = "1.0";

/// CPU nanoseconds for one rendering, by engine and case.
type Costs = BTreeMap<(&'static str, &'static str), f64>;

pub(crate) fn run() -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = here.join("target/templates");
    let peers = here.join("target/peers");
    prepare(here, &folder)?;
    let installed = Command::new("sh")
        .arg(here.join("peers/install.sh"))
        .arg(&peers)
        .status();
    if !installed.is_ok_and(|status| status.success()) {
        println!("not all peers could be installed; those that cannot be started are left out");
    }

    let mut costs = Costs::new();
    ours(&folder, &mut costs)?;
    for (peer, _) in PEERS {
        match ask(peer, here, &peers, &folder) {
            Ok(lines) => note(peer, &lines, &mut costs)?,
            Err(error) => println!("{peer} is left out: {error:#}"),
        }
    }
    for case in CASES {
        for (peer, _) in PEERS
            .iter()
            .filter(|(peer, _)| costs.contains_key(&(*peer, case)))
        {
            compare(&folder, case, peer)?;
        }
    }
    println!("{}", table(&costs));
    println!("{}", goals(&costs));
    Ok(())
}

/// The templates with their bodies, those of the loops made here.
fn prepare(here: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(here.join("templates"))? {
        let path = entry?.path();
        fs::copy(&path, folder.join(path.file_name().context("a name")?))?;
    }
    for (name, count) in [("loop-100", 100), ("loop-10000", 10_000)] {
        let items: Vec<String> = (0..count)
            .map(|at| {
                format!(
                    r#"{{"sku": "SKU-{at}", "name": "Item \"{at}\" of the catalogue", "quantity": {}, "price": {}.25}}"#,
                    at * 7 % 9 + 1,
                    at % 100
                )
            })
            .collect();
        let body = format!(r#"{{"items": [{}]}}"#, items.join(", "));
        fs::write(folder.join(format!("{name}.json")), body)?;
    }
    // A log line reads no body.
    fs::write(folder.join("log.json"), "{}")?;
    Ok(())
}

fn ours(folder: &Path, costs: &mut Costs) -> Result<()> {
    let context: Data = serde_json::from_slice(&fs::read(folder.join("context.json"))?)?;
    let limits = Limits::default().loop_iterations(10_000);
    for case in CASES {
        let source = fs::read_to_string(folder.join(format!("{case}.vtl")))?;
        let body = fs::read(folder.join(format!("{case}.json")))?;
        let template = Template::parse_with(&source, Dialect::ApiGateway, limits)?;
        let render = || template.render(&Scope::new(&body).context(&context));
        fs::write(folder.join(format!("{case}.{OURS}")), render()?.text())?;
        costs.insert((OURS, case), cost(&mut || drop(black_box(render())))?);
        let mut parse = || {
            black_box(serde_json::from_slice::<serde_json::Value>(&body).ok());
        };
        costs.insert((FLOOR, case), cost(&mut parse)?);
        let mut parse = || drop(black_box(Template::parse(&source)));
        costs.insert(("template parse", case), cost(&mut parse)?);
    }
    Ok(())
}

/// The least CPU nanoseconds of one call, over several turns.
fn cost(work: &mut dyn FnMut()) -> Result<f64> {
    let begin = cpu()?;
    let mut count = 0u64;
    while cpu()? - begin < 100_000_000 {
        work();
        count += 1;
    }
    let mut least = f64::MAX;
    for _ in 0..10 {
        let begin = cpu()?;
        for _ in 0..count {
            work();
        }
        least = least.min((cpu()? - begin) as f64 / count as f64);
    }
    Ok(least)
}

/// CPU nanoseconds of this thread.
fn cpu() -> Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")
        .context("CPU time is read from /proc, which Linux has")?;
    let first = text
        .split_whitespace()
        .next()
        .context("schedstat is empty")?;
    Ok(first.parse()?)
}

/// What a peer printed: a line with the case, how many renderings, and their CPU nanoseconds.
fn ask(peer: &str, here: &Path, peers: &Path, folder: &Path) -> Result<String> {
    let script = |name: &str| here.join("peers").join(name);
    let mut command = match peer {
        "velocity" => {
            let classes = fs::read_to_string(peers.join("classpath"))?;
            let mut command = Command::new("java");
            command.args(["-XX:+UseSerialGC", "-cp", classes.trim(), "Velocity"]);
            command
        }
        "velocityjs" => {
            let mut command = Command::new("node");
            command.env("NODE_PATH", peers.join("node_modules"));
            command.arg(script("velocityjs.js"));
            command
        }
        _ => {
            let mut command = Command::new(peers.join("venv/bin/python"));
            command.arg(script("airspeed_peer.py"));
            command
        }
    };
    let output = command.arg(folder).arg(SECONDS).args(CASES).output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}

fn note(peer: &'static str, lines: &str, costs: &mut Costs) -> Result<()> {
    for line in lines.lines() {
        let [name, renders, nanoseconds] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            bail!("{peer} printed `{line}`");
        };
        let case = CASES.into_iter().find(|case| *case == name);
        let cost = nanoseconds.parse::<f64>()? / renders.parse::<f64>()?;
        costs.insert((peer, case.context("an unknown case")?), cost);
    }
    Ok(())
}

/// The same work must give the same text; white space aside, where the peers differ.
fn compare(folder: &Path, case: &str, peer: &str) -> Result<()> {
    let read = |engine: &str| -> Result<String> {
        let path: PathBuf = folder.join(format!("{case}.{engine}"));
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.split_whitespace().collect())
    };
    if read(OURS)? != read(peer)? {
        println!("note: {peer} gives another text for {case}");
    }
    Ok(())
}

fn table(costs: &Costs) -> String {
    let mut out = String::from(
        "| case | portcullis µs | velocity | velocityjs | airspeed | serde_json parse µs | ours to it | template parse µs |\n|---|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for case in CASES {
        let ours = costs[&(OURS, case)];
        let floor = costs[&(FLOOR, case)];
        let _ = write!(out, "| {case} | {:.2} |", ours / 1e3);
        for (peer, _) in PEERS {
            let _ = match costs.get(&(peer, case)) {
                Some(cost) => write!(out, " {:.1} × |", cost / ours),
                None => write!(out, " – |"),
            };
        }
        let parse = costs[&("template parse", case)];
        let _ = writeln!(
            out,
            " {:.2} | {:.2} × | {:.1} |",
            floor / 1e3,
            ours / floor,
            parse / 1e3
        );
    }
    out
}

fn goals(costs: &Costs) -> String {
    let mut out = String::from("| case | goal | seen | met |\n|---|---|--:|---|\n");
    let mut line = |case: &str, goal: String, seen: f64, met: bool| {
        let met = if met { "yes" } else { "**no**" };
        let _ = writeln!(out, "| {case} | {goal} | {seen:.2} × | {met} |");
    };
    for case in &CASES[..5] {
        for (peer, goal) in PEERS {
            if let Some(cost) = costs.get(&(peer, *case)) {
                let seen = cost / costs[&(OURS, *case)];
                line(
                    case,
                    format!("≥ {goal} × as many as {peer}"),
                    seen,
                    seen >= goal,
                );
            }
        }
    }
    let seen = costs[&(OURS, "kib")] / costs[&(FLOOR, "kib")];
    line(
        "kib",
        "≤ 1.5 × the JSON parse alone".to_owned(),
        seen,
        seen <= 1.5,
    );
    out
}
