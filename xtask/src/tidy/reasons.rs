//! A dependency has a written reason: each one of the workspace is in the tables of `docs/dependencies.md`, and nothing is
//! in them that is no longer used.

use super::Finding;
use super::arrows::dependencies;
use super::tree::SourceFile;

const MANIFEST: &str = "Cargo.toml";
const TABLES: &str = "docs/dependencies.md";

/// Compares the two lists.
pub fn check(files: &[SourceFile]) -> Vec<Finding> {
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let Some(manifest) = find(MANIFEST) else {
        return Vec::new();
    };
    let reasons = find(TABLES)
        .map(|file| reasons(&file.text))
        .unwrap_or_default();
    let used: Vec<(&str, usize)> = dependencies(&manifest.text)
        .into_iter()
        .map(|dependency| (dependency.name, dependency.line))
        .filter(|(name, _)| !name.starts_with("brattice"))
        .collect();
    let mut findings = Vec::new();
    for (name, line) in &used {
        if !reasons.iter().any(|(reason, _)| reason == name) {
            findings.push(Finding::error(
                MANIFEST,
                *line,
                format!("{name} has no reason in {TABLES}"),
            ));
        }
    }
    for (name, line) in reasons {
        if !used.iter().any(|(used, _)| *used == name) {
            findings.push(Finding::error(
                TABLES,
                line,
                format!("{name} is not a dependency of the workspace"),
            ));
        }
    }
    findings
}

/// Rows that begin "| `name` |".
fn reasons(text: &str) -> Vec<(&str, usize)> {
    text.lines()
        .enumerate()
        .filter_map(|(number, line)| {
            let name = line.strip_prefix("| `")?.split('`').next()?;
            Some((name, number + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(manifest: &str, tables: &str) -> Vec<String> {
        let file = |path: &str, text: &str| SourceFile {
            path: path.into(),
            text: text.into(),
        };
        let files = [file(MANIFEST, manifest), file(TABLES, tables)];
        check(&files)
            .into_iter()
            .map(|finding| finding.text)
            .collect()
    }

    #[test]
    fn each_dependency_has_a_row_and_each_row_a_dependency() {
        let manifest =
            "[workspace.dependencies]\nbrattice-core = { path = \"crates/core\" }\nbytes = \"1\"\n";
        assert!(errors(manifest, "| `bytes` | MIT | buffers |\n").is_empty());
        assert_eq!(
            errors(manifest, ""),
            ["bytes has no reason in docs/dependencies.md"]
        );
        assert_eq!(
            errors(manifest, "| `bytes` | MIT | x |\n| `hex` | MIT | y |\n"),
            ["hex is not a dependency of the workspace"]
        );
    }
}
