//! Programs in Python that the tests start: signers, a maker of tokens, and AWS services.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// What is installed.
const PACKAGES: &[&str] = &[
    "boto3==1.44.8",
    "awscli==1.46.3",
    "moto==5.2.5",
    // Another maker of tokens.
    "pyjwt==2.15.1",
    "cryptography==50.0.2",
    // What moto needs to be a server, and for DynamoDB.
    "flask==3.1.3",
    "flask-cors==6.0.5",
    "py-partiql-parser==0.6.3",
];

/// Makes the environment under `target/`, unless it is there with these very versions.
pub(crate) fn ensure() -> Result<()> {
    let folder = shell::target().join("venv");
    let stamp = folder.join("installed.txt");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    match install(&folder) {
        Ok(()) => Ok(std::fs::write(stamp, wanted)?),
        // The tests that need it say that they are left out.
        Err(error) if env::var_os("CI").is_none() => {
            shell::section(&format!("tests with Python are left out: {error:#}"));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn install(folder: &Path) -> Result<()> {
    if !shell::has("python3") {
        bail!("python3 is missing; on Debian: apt-get install python3-venv");
    }
    shell::run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let pip = folder.join("bin/pip");
    shell::run(
        Command::new(pip)
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(PACKAGES),
    )
}
