//! What each manifest must say.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a package's dependencies.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Only tests, examples and benches of the package see it.
    pub(crate) dev: bool,
}

/// Reads what `cargo metadata --no-deps` prints.
pub(crate) fn packages(metadata: &str) -> Result<Vec<Package>> {
    let metadata: Value =
        serde_json::from_str(metadata).context("cargo metadata printed no JSON")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata has no packages")?;
    packages
        .iter()
        .map(|package| {
            let text = |value: &Value| {
                value
                    .as_str()
                    .map(str::to_owned)
                    .context("cargo metadata has changed its shape")
            };
            let dependencies = package["dependencies"]
                .as_array()
                .context("a package has no dependencies")?;
            Ok(Package {
                name: text(&package["name"])?,
                manifest: text(&package["manifest_path"])?.into(),
                dependencies: dependencies
                    .iter()
                    .map(|dependency| {
                        Ok(Dependency {
                            name: text(&dependency["name"])?,
                            dev: dependency["kind"] == "dev",
                        })
                    })
                    .collect::<Result<_>>()?,
            })
        })
        .collect()
}

/// What is wrong with a package's name and manifest.
pub(crate) fn faults(package: &Package, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut folders = package
        .manifest
        .iter()
        .rev()
        .skip(1)
        .map(|part| part.to_string_lossy());
    if let (Some(folder), Some(parent)) = (folders.next(), folders.next())
        && parent == "crates"
    {
        let expected = if folder == "portcullis" {
            folder.into_owned()
        } else {
            format!("portcullis-{folder}")
        };
        if package.name != expected {
            faults.push(format!(
                "{}: the crate's folder asks for the name `{expected}`",
                package.name
            ));
        }
    }
    if !inherits_lints(text) {
        faults.push(format!(
            "{}: the lints of the workspace are not taken; add `[lints]` with `workspace = true`",
            package.name
        ));
    }
    faults
}

fn inherits_lints(manifest: &str) -> bool {
    let mut table = "";
    manifest.lines().any(|line| {
        let line: &str = line.split('#').next().unwrap_or_default().trim();
        if line.starts_with('[') {
            table = line;
        }
        let line = line.replace(' ', "");
        table == "[lints]" && line == "workspace=true"
            || table.is_empty() && line == "lints.workspace=true"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, manifest: &str) -> Package {
        Package {
            name: name.to_owned(),
            manifest: manifest.into(),
            dependencies: Vec::new(),
        }
    }

    const LINTS: &str = "[package]\nname = \"x\"\n\n[lints]\nworkspace = true # as all do\n";

    #[track_caller]
    fn check(name: &str, manifest: &str, text: &str, expected: usize) {
        assert_eq!(faults(&package(name, manifest), text).len(), expected);
    }

    #[test]
    fn a_crate_is_named_after_its_folder() {
        check("portcullis-cors", "crates/cors/Cargo.toml", LINTS, 0);
        check("portcullis", "crates/portcullis/Cargo.toml", LINTS, 0);
        check("cors", "crates/cors/Cargo.toml", LINTS, 1);
        check(
            "portcullis-portcullis",
            "crates/portcullis/Cargo.toml",
            LINTS,
            1,
        );
    }

    #[test]
    fn a_package_outside_of_crates_has_any_name() {
        check("xtask", "repository/xtask/Cargo.toml", LINTS, 0);
    }

    #[test]
    fn lints_must_be_those_of_the_workspace() {
        check(
            "xtask",
            "xtask/Cargo.toml",
            "lints.workspace = true\n[package]\n",
            0,
        );
        check(
            "xtask",
            "xtask/Cargo.toml",
            "[dependencies]\nworkspace = true\n",
            1,
        );
        check(
            "xtask",
            "xtask/Cargo.toml",
            "[lints]\n# workspace = true\n",
            1,
        );
        check(
            "xtask",
            "xtask/Cargo.toml",
            "[lints.rust]\nworkspace = true\n",
            1,
        );
    }

    #[test]
    fn metadata_tells_dev_dependencies_from_others() {
        let read = packages(
            r#"{"packages": [{"name": "a", "manifest_path": "crates/a/Cargo.toml", "dependencies": [
                {"name": "b", "kind": null}, {"name": "c", "kind": "dev"}, {"name": "d", "kind": "build"}]}]}"#,
        )
        .unwrap();
        let dev: Vec<_> = read[0]
            .dependencies
            .iter()
            .map(|dependency| dependency.dev)
            .collect();
        assert_eq!(dev, [false, true, false]);
    }

    #[test]
    fn metadata_of_another_shape_is_an_error() {
        assert!(packages("{}").is_err());
        assert!(packages("nothing").is_err());
        assert!(packages(r#"{"packages": [{"name": 1}]}"#).is_err());
    }
}
