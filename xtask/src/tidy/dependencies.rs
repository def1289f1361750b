//! What may depend on what.

use super::manifests::Package;

/// Crates that stand on no other crate of the workspace.
const FOUNDATIONS: [&str; 4] = [
    "portcullis-core",
    "portcullis-definition",
    "portcullis-routing",
    "portcullis-templates",
];

/// What a layer crate may stand on.
const VOCABULARY: [&str; 4] = [
    "portcullis-client",
    "portcullis-core",
    "portcullis-redis",
    "portcullis-templates",
];

/// Packages that are published to nobody and put everything together.
const COMPOSITIONS: [&str; 3] = [
    "portcullis-benches",
    "portcullis-examples",
    "portcullis-tests",
];

const FACADE: &str = "portcullis";
const TESTKIT: &str = "portcullis-testkit";

/// Every dependency that the rule does not allow, with the rule.
pub(crate) fn faults(packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages {
        for dependency in &package.dependencies {
            if let Err(rule) = allowed(&package.name, &dependency.name, dependency.dev) {
                faults.push(format!(
                    "{} depends on {}: {rule}",
                    package.name, dependency.name
                ));
            }
        }
    }
    faults
}

fn allowed(package: &str, dependency: &str, dev: bool) -> Result<(), &'static str> {
    let composition = COMPOSITIONS.contains(&package);
    if dependency == "axum" || dependency.starts_with("axum-") {
        let only_tests = dev || composition;
        return only_tests
            .then_some(())
            .ok_or("only examples, benches and tests know axum");
    }
    if dependency != FACADE && !dependency.starts_with("portcullis-") {
        return Ok(());
    }
    // A crate's tests may name the crate itself, to switch a feature on.
    if composition || dev && (dependency == TESTKIT || dependency == package) {
        return Ok(());
    }

    let (ok, rule) = match package {
        "xtask" => (false, "the chores must build when nothing else does"),
        FACADE => (
            dependency != TESTKIT && !COMPOSITIONS.contains(&dependency),
            "the test helpers are for tests",
        ),
        "portcullis-openapi" => (
            dependency == "portcullis-definition",
            "documents are turned into `definition` and back, with nothing else",
        ),
        "portcullis-client" | "portcullis-redis" | TESTKIT => (
            dependency == "portcullis-core",
            "it may know `core`, and no more",
        ),
        _ if FOUNDATIONS.contains(&package) => {
            (false, "it stands on no other crate of the workspace")
        }
        _ => (
            VOCABULARY.contains(&dependency),
            "a layer crate may know `core`, `templates`, `client` and `redis`, and no more",
        ),
    };
    ok.then_some(()).ok_or(rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::manifests::Dependency;

    #[track_caller]
    fn check(package: &str, dependency: &str, dev: bool, expected: bool) {
        assert_eq!(
            allowed(package, dependency, dev).is_ok(),
            expected,
            "{package} on {dependency}"
        );
    }

    #[test]
    fn the_foundations_stand_alone() {
        for package in FOUNDATIONS {
            check(package, "portcullis-redis", false, false);
            check(package, "portcullis-client", false, false);
            check(package, "serde", false, true);
        }
    }

    #[test]
    fn a_layer_crate_knows_the_vocabulary_and_no_other_layer() {
        for dependency in VOCABULARY {
            check("portcullis-cache", dependency, false, true);
        }
        for dependency in [
            "cors",
            "auth",
            "definition",
            "routing",
            "openapi",
            "testkit",
        ] {
            check(
                "portcullis-cache",
                &format!("portcullis-{dependency}"),
                false,
                false,
            );
        }
    }

    #[test]
    fn the_vocabulary_with_io_knows_core_alone() {
        check("portcullis-client", "portcullis-core", false, true);
        check("portcullis-redis", "portcullis-core", false, true);
        check("portcullis-redis", "portcullis-client", false, false);
    }

    #[test]
    fn openapi_knows_definition_alone() {
        check("portcullis-openapi", "portcullis-definition", false, true);
        check("portcullis-openapi", "portcullis-core", false, false);
    }

    #[test]
    fn the_facade_knows_all_but_the_test_helpers() {
        check("portcullis", "portcullis-cors", false, true);
        check("portcullis", "portcullis-definition", false, true);
        check("portcullis", "portcullis-testkit", false, false);
        check("portcullis", "portcullis-testkit", true, true);
    }

    #[test]
    fn only_compositions_know_the_facade() {
        check("portcullis-examples", "portcullis", false, true);
        check("portcullis-cors", "portcullis", false, false);
        check("portcullis-cors", "portcullis", true, false);
        check("xtask", "portcullis", false, false);
    }

    #[test]
    fn axum_is_for_examples_and_tests() {
        check("portcullis-examples", "axum", false, true);
        check("portcullis-cors", "axum", true, true);
        check("portcullis-cors", "axum", false, false);
        check("portcullis", "axum-core", false, false);
    }

    #[test]
    fn dev_dependencies_follow_the_rule_but_for_the_test_helpers() {
        check("portcullis-routing", "portcullis-testkit", true, true);
        check("portcullis-core", "portcullis-core", true, true);
        check("portcullis-cors", "portcullis-auth", true, false);
    }

    #[test]
    fn a_fault_names_both_crates_and_the_rule() {
        let package = Package {
            name: "portcullis-cors".to_owned(),
            manifest: "crates/cors/Cargo.toml".into(),
            dependencies: vec![Dependency {
                name: "portcullis-definition".to_owned(),
                dev: false,
            }],
        };
        assert_eq!(
            faults(&[package]),
            ["portcullis-cors depends on portcullis-definition: \
                 a layer crate may know `core`, `templates`, `client` and `redis`, and no more"]
        );
    }
}
