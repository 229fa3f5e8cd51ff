//! `cargo xtask tidy`: the rules of the house that no compiler checks. A rule is a function from text to findings, in a module
//! of its own with samples that pass and samples that fail; here they are only gathered.

mod arrows;
mod markers;
mod places;
mod reasons;
mod shape;
mod split;
mod tree;
mod words;

use std::fmt;

use crate::failure::{Failure, Outcome};
use crate::workspace::Workspace;
use tree::SourceFile;

pub const HELP: &str = "\
cargo xtask tidy

Checks what the compiler does not: the arrows between crates, what a crate may never use, module headers, file lengths
(a warning above 400 lines, an error above 800 without a line `// tidy: long because ...`), left-over markers, disabled
tests without a reason, code in documentation comments, dependencies without one, paths of a build machine, and addresses of package registries.";

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub file: String,
    /// 0 for the file as a whole.
    pub line: usize,
    pub fatal: bool,
    pub text: String,
}

impl Finding {
    /// A rule is broken.
    pub fn error(file: &str, line: usize, text: impl Into<String>) -> Finding {
        Finding {
            file: file.to_owned(),
            line,
            fatal: true,
            text: text.into(),
        }
    }

    /// A rule will be broken soon.
    pub fn warning(file: &str, line: usize, text: impl Into<String>) -> Finding {
        Finding {
            fatal: false,
            ..Finding::error(file, line, text)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(
            f,
            ": {}{}",
            if self.fatal { "" } else { "warning: " },
            self.text
        )
    }
}

/// Prints what is found; any error fails.
pub fn run(workspace: &Workspace) -> Outcome {
    let files = tree::read(&workspace.root)?;
    let findings = check(&files, &workspace.root.to_string_lossy());
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings.iter().filter(|finding| finding.fatal).count();
    if errors > 0 {
        return Err(Failure::new(format!("tidy: {errors} errors")));
    }
    println!("tidy: {} files, {} warnings", files.len(), findings.len());
    Ok(())
}

fn check(files: &[SourceFile], root: &str) -> Vec<Finding> {
    let mut findings = reasons::check(files);
    for file in files {
        if file.path.ends_with("Cargo.toml") {
            findings.extend(arrows::check(file));
        }
        if file.path.ends_with(".rs") {
            let split = split::split(&file.text);
            findings.extend(shape::check(file));
            findings.extend(words::check(file, &split));
            findings.extend(markers::check_rust(file, &split));
        } else {
            findings.extend(markers::check_text(file));
        }
        findings.extend(places::check(file, root));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        let workspace = Workspace::find().unwrap();
        let files = tree::read(&workspace.root).unwrap();
        assert!(
            files.iter().any(|file| file.path == "xtask/src/tidy.rs"),
            "the walk misses this file"
        );
        let errors: Vec<String> = check(&files, &workspace.root.to_string_lossy())
            .iter()
            .filter(|finding| finding.fatal)
            .map(Finding::to_string)
            .collect();
        assert!(errors.is_empty(), "\n{}", errors.join("\n"));
    }

    #[test]
    fn findings_are_written_as_editors_read_them() {
        assert_eq!(
            Finding::error("a.rs", 3, "wrong").to_string(),
            "a.rs:3: wrong"
        );
        assert_eq!(
            Finding::warning("a.rs", 0, "long").to_string(),
            "a.rs: warning: long"
        );
    }
}
