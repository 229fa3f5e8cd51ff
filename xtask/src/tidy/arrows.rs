//! Which crate may depend on which. `ARCHITECTURE.md` draws these arrows; here they are enforced, from the manifests.

use super::Finding;
use super::tree::SourceFile;

/// The workspace's own crates that each may name in its dependencies.
const ARROWS: [(&str, &[&str]); 10] = [
    ("core", &[]),
    ("wire", &["core"]),
    ("proxy", &["core", "wire"]),
    ("identity", &["core"]),
    ("store", &["core"]),
    ("admin", &["core"]),
    ("brattice", &["core", "proxy", "identity", "store", "admin"]),
    ("testkit", &["core", "wire"]),
    ("fuzz", &[]),
    ("xtask", &[]),
];

/// Foreign crates that belong in some crates only; whoever is not listed may not have them, not even for tests.
const CONFINED: [(&str, &[&str]); 6] = [
    ("sqlx", &["store"]),
    ("cedar-policy", &["core"]),
    ("pg_query", &["core"]),
    (
        "tokio",
        &["proxy", "identity", "store", "admin", "brattice", "testkit"],
    ),
    ("axum", &["admin", "brattice", "testkit"]),
    ("reqwest", &["identity", "brattice", "testkit"]),
];

/// One dependency of a manifest.
pub struct Dependency<'a> {
    pub name: &'a str,
    pub for_tests: bool,
    pub line: usize,
}

/// Every arrow of one manifest.
pub fn check(file: &SourceFile) -> Vec<Finding> {
    let Some(name) = file.crate_name() else {
        return Vec::new();
    };
    let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
        return vec![Finding::error(
            &file.path,
            0,
            format!("the crate {name} has no place among the arrows (tidy/arrows.rs)"),
        )];
    };
    let mut findings = inherited(file);
    for dependency in dependencies(&file.text) {
        let Dependency {
            name: to,
            for_tests,
            line,
        } = dependency;
        if name == "xtask" {
            findings.push(Finding::error(
                &file.path,
                line,
                format!("xtask depends on nothing, not on {to}"),
            ));
        } else if let Some(ours) = ours(to) {
            let fine = allowed.contains(&ours) || (for_tests && matches!(ours, "testkit" | "fuzz"));
            if !fine {
                findings.push(Finding::error(
                    &file.path,
                    line,
                    format!("{name} must not depend on {ours}"),
                ));
            }
        }
        if CONFINED
            .iter()
            .any(|(confined, homes)| *confined == to && !homes.contains(&name))
        {
            findings.push(Finding::error(
                &file.path,
                line,
                format!("{name} must not use {to}"),
            ));
        }
    }
    findings
}

/// Lints and licence are the workspace's, in every crate.
fn inherited(file: &SourceFile) -> Vec<Finding> {
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    let mut findings = Vec::new();
    if !lines
        .windows(2)
        .any(|pair| pair == ["[lints]", "workspace = true"])
    {
        findings.push(Finding::error(
            &file.path,
            0,
            "does not take the workspace's lints",
        ));
    }
    if !lines.contains(&"license.workspace = true") {
        findings.push(Finding::error(
            &file.path,
            0,
            "does not take the workspace's licence",
        ));
    }
    findings
}

/// `brattice-core` is `core`; the binary's package is `brattice`.
fn ours(package: &str) -> Option<&str> {
    let name = package.strip_prefix("brattice-").unwrap_or(package);
    ARROWS
        .iter()
        .map(|(known, _)| *known)
        .find(|known| *known == name && (package != name || name == "brattice" || name == "xtask"))
}

/// Every dependency that a manifest names, in any of its tables.
pub fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut found = Vec::new();
    let mut section = None;
    for (number, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            let (table, single) = table_of(header);
            section = table;
            if let (Some(for_tests), Some(name)) = (table, single) {
                found.push(Dependency {
                    name,
                    for_tests,
                    line: number + 1,
                });
                section = None;
            }
            continue;
        }
        let (Some(for_tests), Some((key, value))) = (section, line.split_once('=')) else {
            continue;
        };
        if line.starts_with('#') {
            continue;
        }
        let key = key
            .trim()
            .split('.')
            .next()
            .unwrap_or_default()
            .trim_matches('"');
        // `name = { package = "real" }`
        let name = value
            .split_once("package = \"")
            .and_then(|(_, rest)| rest.split('"').next())
            .unwrap_or(key);
        found.push(Dependency {
            name,
            for_tests,
            line: number + 1,
        });
    }
    found
}

/// Is this a table of dependencies (for tests alone?), and is it about a single one (`[dependencies.name]`)?
fn table_of(header: &str) -> (Option<bool>, Option<&str>) {
    let parts: Vec<&str> = header.split('.').collect();
    let Some(at) = parts.iter().position(|part| part.ends_with("dependencies")) else {
        return (None, None);
    };
    let for_tests = parts.get(at) == Some(&"dev-dependencies");
    (
        Some(for_tests),
        parts.get(at + 1).map(|name| name.trim_matches('"')),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(crate_name: &str, dependencies: &str) -> Vec<String> {
        let dir = if crate_name == "xtask" {
            "xtask".to_owned()
        } else {
            format!("crates/{crate_name}")
        };
        let text = format!(
            "[package]\nlicense.workspace = true\n\n[lints]\nworkspace = true\n\n{dependencies}"
        );
        check(&SourceFile {
            path: format!("{dir}/Cargo.toml"),
            text,
        })
        .into_iter()
        .map(|finding| finding.text)
        .collect()
    }

    #[test]
    fn arrows_of_the_house_pass() {
        assert!(errors("proxy", "[dependencies]\nbrattice-core.workspace = true\nbrattice-wire.workspace = true\ntokio.workspace = true\n").is_empty());
        assert!(
            errors(
                "brattice",
                "[dependencies]\nbrattice-store.workspace = true\n"
            )
            .is_empty()
        );
        assert!(errors("store", "[dependencies]\nsqlx.workspace = true\n[dev-dependencies]\nbrattice-testkit.workspace = true\n").is_empty());
        assert!(errors("xtask", "").is_empty());
    }

    #[test]
    fn arrows_the_other_way_fail() {
        for (from, to) in [
            ("core", "wire"),
            ("wire", "proxy"),
            ("identity", "store"),
            ("admin", "wire"),
            ("brattice", "wire"),
        ] {
            let manifest = format!("[dependencies]\nbrattice-{to} = {{ path = \"../{to}\" }}\n");
            assert_eq!(
                errors(from, &manifest),
                [format!("{from} must not depend on {to}")]
            );
        }
    }

    #[test]
    fn the_test_kit_is_for_tests_alone() {
        assert_eq!(
            errors(
                "proxy",
                "[dependencies]\nbrattice-testkit.workspace = true\n"
            )
            .len(),
            1
        );
        assert!(
            errors(
                "proxy",
                "[dev-dependencies]\nbrattice-testkit.workspace = true\n"
            )
            .is_empty()
        );
        assert_eq!(
            errors(
                "proxy",
                "[dev-dependencies]\nbrattice-store.workspace = true\n"
            )
            .len(),
            1
        );
    }

    #[test]
    fn confined_crates_are_found_in_every_spelling() {
        for manifest in [
            "[dependencies]\ntokio.workspace = true\n",
            "[dependencies]\ntokio = \"1\"\n",
            "[dependencies.tokio]\nversion = \"1\"\n",
            "[dev-dependencies]\ntokio = { workspace = true }\n",
            "[target.'cfg(unix)'.dependencies]\ntokio = \"1\"\n",
            "[build-dependencies]\nrt = { package = \"tokio\", version = \"1\" }\n",
        ] {
            assert_eq!(
                errors("core", manifest),
                ["core must not use tokio"],
                "{manifest}"
            );
        }
        assert!(
            errors(
                "core",
                "[dependencies]\n# tokio = \"1\"\ntokio-postgres.workspace = true\n"
            )
            .is_empty()
        );
    }

    #[test]
    fn xtask_has_no_dependencies_at_all() {
        assert_eq!(errors("xtask", "[dependencies]\nserde = \"1\"\n").len(), 1);
    }

    #[test]
    fn unknown_crates_and_own_lints_fail() {
        assert_eq!(errors("helpers", "").len(), 1);
        let bare = SourceFile {
            path: "crates/core/Cargo.toml".into(),
            text: "[package]\n".into(),
        };
        assert_eq!(check(&bare).len(), 2);
    }
}
