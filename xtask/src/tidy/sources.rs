//! What no tracked file may hold. (The words are put together, so that this file does not hold them.)

/// Folders of somebody's machine.
const MACHINE_PATHS: [&str; 2] = [concat!("/", "work/"), concat!("/", "root/")];

/// Hosts of package registries.
const REGISTRIES: [&str; 3] = [
    concat!("arti", "factory"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
];

/// What is not finished, in Rust sources.
const UNFINISHED: [(&str, &str); 3] = [
    (
        concat!("#[", "ignore"),
        "a test that does not run tests nothing; mend it or take it out",
    ),
    (concat!("todo", "!("), "finish it"),
    (concat!("unimplemented", "!("), "finish it"),
];

/// What is wrong with a file, as `file:line: what`.
pub(crate) fn faults(file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let name = file.rsplit('/').next().unwrap_or(file);
    if matches!(name, "lib.rs" | "main.rs") && !text.starts_with("//!") {
        faults.push(format!(
            "{file}:1: the first line is a `//!` comment that says what this is"
        ));
    }
    for (number, line) in (1..).zip(text.lines()) {
        let mut fault = |what: &str| faults.push(format!("{file}:{number}: {what}"));
        for path in MACHINE_PATHS {
            if names_folder(line, path) {
                fault(&format!("`{path}` is a folder of somebody's machine"));
            }
        }
        for host in REGISTRIES {
            if line.contains(host) {
                fault(&format!(
                    "`{host}` is a registry's host, and no matter of this repository"
                ));
            }
        }
        if name.ends_with(".rs") {
            for (word, why) in UNFINISHED {
                if line.contains(word) {
                    fault(&format!("`{word}`: {why}"));
                }
            }
        }
    }
    faults
}

/// Whether a line names this absolute folder, and not one of that name below another.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        !line[..at].ends_with(|before: char| {
            before.is_alphanumeric() || matches!(before, '.' | '-' | '_' | '}' | ')' | '*')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, text: &str, expected: &[u32]) {
        let lines: Vec<u32> = faults(file, text)
            .iter()
            .map(|fault| fault.split(':').nth(1).unwrap().parse().unwrap())
            .collect();
        assert_eq!(lines, expected, "{:?}", faults(file, text));
    }

    #[test]
    fn a_crate_says_in_its_first_line_what_it_is() {
        check("crates/cors/src/lib.rs", "//! Cross-origin.\n", &[]);
        check("crates/cors/src/lib.rs", "mod config;\n", &[1]);
        check("xtask/src/main.rs", "", &[1]);
        check("crates/cors/src/config.rs", "use std::fmt;\n", &[]);
    }

    #[test]
    fn folders_of_a_machine_are_found() {
        for folder in MACHINE_PATHS {
            check("docs/guide.md", &format!("fine\nsee {folder}x\n"), &[2]);
            check(
                "docs/guide.md",
                &format!("see frame{folder}x, target{folder}x\n"),
                &[],
            );
        }
    }

    #[test]
    fn hosts_of_registries_are_found() {
        for host in REGISTRIES {
            check(
                "Cargo.lock",
                &format!("source = \"https://{host}/\"\n"),
                &[1],
            );
        }
        check(
            "Cargo.lock",
            "registry+https://github.com/rust-lang/crates.io-index\n",
            &[],
        );
    }

    #[test]
    fn unfinished_work_is_found_in_rust_sources_alone() {
        for (word, _) in UNFINISHED {
            check("crates/cors/src/config.rs", &format!("    {word}\n"), &[1]);
            check("CONTRIBUTING.md", &format!("no {word}\n"), &[]);
        }
    }
}
