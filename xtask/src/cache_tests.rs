//! `cargo xtask cache-tests`: the public HTTP cache tests, against our cache or another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{npm, shell};

const HELP: &str = "\
Runs the public HTTP cache tests (`http-cache-tests` of npm, installed below target/) against the example `http_cache`
before the tests' own origin, prints the score by kind, and compares what did not pass with
xtask/cache-tests/expected.json.

Usage: cargo xtask cache-tests [--only ID] [--against URL --origin-port PORT]

  --only ID           Run one test, and show what was sent and received
  --against URL       Run them against another cache, and compare with nothing
  --origin-port PORT  Where that cache finds its origin; the tests' own listens there";

/// Behind the folder of the same name below `target/`.
const FOLDER: &str = "cache-tests";

/// What is said to the example: the rules under which all tests can pass.
const RULES: &str = r#"{"surrogate": "portcullis", "setCookie": "replay"}"#;

#[derive(Default)]
struct Options {
    only: Option<String>,
    against: Option<String>,
    origin_port: Option<String>,
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let place = match arg.as_str() {
            "--only" => &mut options.only,
            "--against" => &mut options.against,
            "--origin-port" => &mut options.origin_port,
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(());
            }
            other => bail!("unknown argument `{other}`\n\n{HELP}"),
        };
        let value = args.next();
        *place = Some(
            value
                .with_context(|| format!("`{arg}` needs a value\n\n{HELP}"))?
                .clone(),
        );
    }
    if options.against.is_some() != options.origin_port.is_some() {
        bail!("`--against` and `--origin-port` belong together\n\n{HELP}");
    }
    npm::ensure()?;
    check(&options)
}

/// Runs them within `cargo xtask test`. Where they could not be installed, they are left out, as other tests with programs of npm are.
pub(crate) fn check_expected() -> Result<()> {
    if !folder().join("installed.json").exists() {
        return Ok(());
    }
    check(&Options::default())
}

fn check(options: &Options) -> Result<()> {
    for file in ["run.mjs", "later.mjs"] {
        fs::copy(sources().join(file), folder().join(file))?;
    }
    let outcomes = run_once(options)?;
    if options.only.is_some() {
        return Ok(());
    }
    print_score(&outcomes);
    if options.against.is_some() {
        print_failures(&outcomes);
        return Ok(());
    }
    let expected = Expected::read()?;
    let Err(first) = expected.compare(&outcomes) else {
        return Ok(());
    };
    // The tests wait by the clock: on a machine that was busy elsewhere, a second run tells.
    shell::section(&format!("running the cache tests again, since {first:#}"));
    expected.compare(&run_once(options)?)
}

/// What became of a test.
struct Outcome {
    id: String,
    kind: String,
    /// It is one of those that the repository adds.
    later: bool,
    passed: bool,
    why: String,
}

fn run_once(options: &Options) -> Result<Vec<Outcome>> {
    let port = options.origin_port.as_deref().unwrap_or("0");
    let mut origin = Command::new("node");
    origin
        .arg("server/server.mjs")
        .current_dir(folder().join("node_modules/http-cache-tests"))
        .env("npm_config_protocol", "http")
        .env("npm_config_port", port)
        .env("npm_config_pidfile", folder().join("server.pid"));
    let origin = Started::new(&mut origin, "Listening on ")?;
    let cache = match &options.against {
        Some(url) => Server::Elsewhere(url.clone()),
        None => {
            let port = port_of(&origin.line)?;
            Server::Ours(start_cache(&format!("http://127.0.0.1:{port}"))?)
        }
    };
    let url = match &cache {
        Server::Elsewhere(url) => url.as_str(),
        Server::Ours(started) => started.line.trim(),
    };
    let mut node = Command::new("node");
    node.args(["--no-warnings", "run.mjs", url])
        .current_dir(folder());
    node.args(&options.only);
    shell::section(&format!("cache tests against {url}"));
    if options.only.is_some() {
        shell::run(&mut node)?;
        return Ok(Vec::new());
    }
    let printed = shell::output(&mut node)?;
    printed.lines().map(outcome).collect()
}

fn outcome(line: &str) -> Result<Outcome> {
    let line: Value = serde_json::from_str(line).with_context(|| format!("`{line}`"))?;
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let flag = |name: &str| line[name].as_bool().unwrap_or_default();
    Ok(Outcome {
        id: text("id"),
        kind: match line["kind"].as_str() {
            Some("check") => "behaviour".to_owned(),
            _ => text("kind"),
        },
        later: flag("later"),
        passed: flag("passed"),
        why: text("why"),
    })
}

fn start_cache(origin: &str) -> Result<Started> {
    let example = [
        "build",
        "-p",
        "portcullis-examples",
        "--example",
        "http_cache",
    ];
    shell::run(shell::cargo().args(example))?;
    let mut cache = Command::new(shell::target().join("debug/examples/http_cache"));
    cache
        .arg(origin)
        .env("LISTEN", "127.0.0.1:0")
        .env("CACHE_RULES", RULES)
        // The origin breaks connections off on purpose.
        .stderr(Stdio::null());
    Started::new(&mut cache, "listening on ")
}

enum Server {
    Ours(Started),
    Elsewhere(String),
}

/// A program that runs until it is dropped.
struct Started {
    child: Child,
    /// What it printed behind the words that were waited for.
    line: String,
}

impl Started {
    fn new(command: &mut Command, words: &str) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("its output is piped")?).lines();
        let mut started = Self {
            child,
            line: String::new(),
        };
        for line in lines.by_ref() {
            if let Some(rest) = line?.strip_prefix(words) {
                started.line = rest.to_owned();
                // Nothing else that it prints is of interest, and no pipe may fill up.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(started);
            }
        }
        bail!(
            "{} ended before it was ready",
            command.get_program().display()
        )
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn port_of(url: &str) -> Result<&str> {
    let (_, port) = url
        .rsplit_once(':')
        .with_context(|| format!("`{url}` has no port"))?;
    Ok(port.trim_end_matches('/'))
}

/// Passed and all, by kind; apart for those that the repository adds.
fn print_score(outcomes: &[Outcome]) {
    let mut score = BTreeMap::<_, (usize, usize)>::new();
    for outcome in outcomes {
        let (passed, all) = score
            .entry((outcome.later, outcome.kind.as_str()))
            .or_default();
        *passed += usize::from(outcome.passed);
        *all += 1;
    }
    for ((later, kind), (passed, all)) in score {
        let of = if later {
            "later standards"
        } else {
            "http-cache-tests"
        };
        println!("{of:16}  {kind:9}  {passed:3} of {all:3}");
    }
}

fn print_failures(outcomes: &[Outcome]) {
    for outcome in outcomes.iter().filter(|outcome| !outcome.passed) {
        println!("{:9}  {}: {}", outcome.kind, outcome.id, outcome.why);
    }
}

/// What is known not to pass, and why.
struct Expected {
    failures: BTreeMap<String, String>,
    /// What is asked and not demanded, and answered with no.
    behaviour: BTreeSet<String>,
}

impl Expected {
    fn read() -> Result<Self> {
        let text = fs::read_to_string(sources().join("expected.json"))?;
        let Value::Object(mut parts) = serde_json::from_str(&text).context("expected.json")? else {
            bail!("expected.json is no object");
        };
        let mut part = |name: &str| {
            parts
                .remove(name)
                .with_context(|| format!("expected.json has no `{name}`"))
        };
        Ok(Self {
            failures: serde_json::from_value(part("failures")?)?,
            behaviour: serde_json::from_value(part("behaviour")?)?,
        })
    }

    fn compare(&self, outcomes: &[Outcome]) -> Result<()> {
        let mut differences = Vec::new();
        for outcome in outcomes {
            let listed = if outcome.kind == "behaviour" {
                self.behaviour.contains(&outcome.id)
            } else {
                self.failures.contains_key(&outcome.id)
            };
            match (outcome.passed, listed) {
                (false, false) => differences.push(format!(
                    "{} ({}) did not pass: {}",
                    outcome.id, outcome.kind, outcome.why
                )),
                (true, true) => differences.push(format!(
                    "{} passed, and is listed as one that does not",
                    outcome.id
                )),
                _ => {}
            }
        }
        let known: BTreeSet<&str> = outcomes.iter().map(|outcome| outcome.id.as_str()).collect();
        let listed = self.failures.keys().chain(&self.behaviour);
        for id in listed.filter(|id| !known.contains(id.as_str())) {
            differences.push(format!("{id} is listed, and is no test"));
        }
        if differences.is_empty() {
            return Ok(());
        }
        bail!(
            "the cache tests differ from xtask/cache-tests/expected.json:\n  {}",
            differences.join("\n  ")
        )
    }
}

fn sources() -> PathBuf {
    shell::root().join("xtask").join(FOLDER)
}

fn folder() -> PathBuf {
    shell::target().join(FOLDER)
}
