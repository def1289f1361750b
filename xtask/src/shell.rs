//! Running programs, and saying what is being done.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the repository")
        .to_path_buf()
}

/// Where cargo builds, and where what the tests need is installed.
pub(crate) fn target() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// A cargo of another toolchain, through rustup.
pub(crate) fn cargo_of(toolchain: &str) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", toolchain, "cargo"])
        .current_dir(root());
    // Set by the rustup proxy that runs us; it would win over `rustup run`.
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command
}

/// Prints a progress line.
pub(crate) fn section(what: &str) {
    println!("==> {what}");
}

/// Runs a command with its output shown, under a progress line that is the command itself.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    section(&line);
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs a command and gives what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = line_of(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` printed no UTF-8"))
}

/// Whether a command can be started and succeeds.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether a program is on the path and answers to `--version`.
pub(crate) fn has(program: &str) -> bool {
    succeeds(Command::new(program).arg("--version"))
}

/// Whether rustup has a toolchain.
pub(crate) fn has_toolchain(toolchain: &str) -> bool {
    succeeds(cargo_of(toolchain).arg("--version"))
}

/// Installs a cargo subcommand from its release, unless it is there.
pub(crate) fn ensure_cargo_tool(name: &str) -> Result<()> {
    if has(&format!("cargo-{name}")) {
        return Ok(());
    }
    run(cargo().args(["install", "--locked", &format!("cargo-{name}")]))
}

/// Refuses arguments that a command does not know; `true` if help was asked for and given.
pub(crate) fn help_or_unknown(args: &[String], known: &[&str], help: &str) -> Result<bool> {
    for arg in args {
        if arg == "--help" || arg == "-h" {
            println!("{help}");
            return Ok(true);
        }
        if !known.contains(&arg.as_str()) {
            bail!("unknown argument `{arg}`\n\n{help}");
        }
    }
    Ok(false)
}

fn line_of(command: &Command) -> String {
    let mut words = vec![
        Path::new(command.get_program())
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    ];
    words.extend(
        command
            .get_args()
            .map(|arg| arg.to_string_lossy().into_owned()),
    );
    words.join(" ")
}
