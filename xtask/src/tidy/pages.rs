//! What holds of the pages: the map is whole, and links lead somewhere.

use std::path::Path;

use super::manifests::Package;

/// The page with the map of the crates.
const MAP: &str = "docs/architecture.md";

/// The crates that the map does not name.
pub(crate) fn missing_on_the_map(packages: &[Package], map: &str) -> Vec<String> {
    packages
        .iter()
        .filter_map(|package| {
            let folder = package.manifest.parent()?.file_name()?.to_str()?;
            let in_crates = package.manifest.parent()?.parent()?.ends_with("crates");
            let row = map
                .lines()
                .any(|line| line.starts_with("| `") && line.contains(&format!("`{folder}`")));
            (in_crates && !row).then(|| format!("{MAP}: the map has no row for `{folder}`"))
        })
        .collect()
}

/// The links of a page to files that are not there, as `file:line: what`.
pub(crate) fn broken_links(root: &Path, file: &str, text: &str) -> Vec<String> {
    let folder = root.join(file);
    let folder = folder.parent().unwrap_or(root);
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for target in targets(line) {
            if !folder.join(target).exists() {
                faults.push(format!("{file}:{number}: `{target}` is not there"));
            }
        }
    }
    faults
}

/// What the links of a line lead to, of what lies within the repository.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?;
        let elsewhere = target.is_empty() || target.contains(':') || target.contains("::");
        (!elsewhere).then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_within_the_repository_are_looked_at() {
        let line = "see [a](a.md), [b](../b.md#there), [c](https://c.test), [d](#here) and [`E`](crate::E)";
        assert_eq!(targets(line).collect::<Vec<_>>(), ["a.md", "../b.md"]);
    }

    #[test]
    fn a_crate_without_a_row_is_named() {
        let package = |folder: &str| Package {
            name: format!("portcullis-{folder}"),
            manifest: format!("/x/crates/{folder}/Cargo.toml").into(),
            dependencies: Vec::new(),
        };
        let packages = [package("core"), package("cors")];
        assert_eq!(
            missing_on_the_map(&packages, "| `core` | the vocabulary |\n`cors` in prose"),
            ["docs/architecture.md: the map has no row for `cors`"]
        );
    }
}
