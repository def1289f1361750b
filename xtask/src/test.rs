//! `cargo xtask test`: everything that is tested, from a fresh clone.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{bench, cache_tests, npm, python, shell};

const HELP: &str = "\
Installs what the tests need, runs every test and doc test, builds the examples, runs the public HTTP cache
tests against one of them, and compares instruction counts with the recorded ratios.

Usage: cargo xtask test [--no-bench]

  --no-bench  Leave out the comparison of instructions, and valgrind with it

Missing programs are installed with apt-get where that is possible (as root, or with sudo that
asks for no password); elsewhere the command says what to install, and fails.
A browser (chromium) looks at the live page. Signers of PyPI and npm, which call a gateway in the tests, and AWS services of PyPI (moto), which it calls, are installed
below target/; without a network those tests are left out (with CI set, the command fails).
The recorded cases are read from $PORTCULLIS_CASES, or from ../shared/cases beside the
repository; with CI set, a missing folder fails the tests that need it.";

/// A program that the tests start, and the Debian package that has it.
struct Tool {
    program: &'static str,
    package: &'static str,
    used_for: &'static str,
}

const VALGRIND: Tool = Tool {
    program: "valgrind",
    package: "valgrind",
    used_for: "counting instructions; --no-bench does without",
};

const CHROMIUM: Tool = Tool {
    program: "chromium",
    package: "chromium",
    used_for: "looking at the live page",
};

const REDIS: Tool = Tool {
    program: "redis-server",
    package: "redis-server",
    used_for: "stores that several machines share",
};

pub(crate) fn run(args: &[String]) -> Result<()> {
    if shell::help_or_unknown(args, &["--no-bench"], HELP)? {
        return Ok(());
    }
    let compare = bench::exist() && !args.iter().any(|arg| arg == "--no-bench");

    let needed: &[Tool] = if compare {
        &[REDIS, CHROMIUM, VALGRIND]
    } else {
        &[REDIS, CHROMIUM]
    };
    install(needed)?;
    python::ensure()?;
    npm::ensure()?;

    shell::run(shell::cargo().args(["test", "--workspace", "--all-features"]))?;
    shell::run(shell::cargo().args(["build", "-p", "portcullis-examples", "--examples"]))?;
    cache_tests::check_expected()?;
    if compare {
        bench::run(&["check".to_owned()])?;
    } else {
        shell::section("skipped: the comparison of instructions");
    }
    shell::section("all tests passed");
    Ok(())
}

fn install(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> = tools
        .iter()
        .filter(|tool| !shell::has(tool.program))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();

    let Some(apt) = Apt::find() else {
        let mut message =
            "these programs are missing, and cannot be installed from here:".to_owned();
        for tool in &missing {
            message.push_str(&format!("\n  {} ({})", tool.program, tool.used_for));
        }
        bail!(
            "{message}\non Debian: apt-get install {}",
            packages.join(" ")
        );
    };
    // The lists may be absent (in a container) or old: fetch them only if the packages cannot be had without.
    if shell::run(&mut apt.install(&packages)).is_err() {
        shell::run(apt.command().arg("update"))?;
        shell::run(&mut apt.install(&packages))?;
    }
    for tool in missing {
        if !shell::has(tool.program) {
            bail!(
                "{} was installed, but {} does not start",
                tool.package,
                tool.program
            );
        }
    }
    Ok(())
}

/// A way to run apt-get with the rights that it needs.
struct Apt {
    sudo: bool,
}

impl Apt {
    fn find() -> Option<Self> {
        if !shell::has("apt-get") {
            return None;
        }
        let root = shell::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
        if root {
            return Some(Self { sudo: false });
        }
        shell::succeeds(Command::new("sudo").args(["-n", "true"])).then_some(Self { sudo: true })
    }

    fn command(&self) -> Command {
        let mut command = if self.sudo {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
            sudo
        } else {
            Command::new("apt-get")
        };
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    fn install(&self, packages: &[&str]) -> Command {
        let mut command = self.command();
        command
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages);
        command
    }
}
