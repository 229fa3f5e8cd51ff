//! What no file may name: a path of the machine it was written on, or the address of a package registry. Both would make the
//! repository work in one place only.

use super::Finding;
use super::tree::SourceFile;

/// Spelled in parts, or this file would find itself.
const REGISTRIES: [&str; 9] = [
    concat!("crates", ".io"),
    concat!("registry", ".npmjs"),
    concat!("registry", ".yarnpkg"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("deb.", "debian.org"),
    concat!("security.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
    concat!("proxy.", "golang.org"),
];
const MACHINE_PATHS: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/bui", "lds/"),
    concat!("/root/", ".cargo"),
    concat!("/root/", ".rustup"),
];
/// A root this short (`/`, `/src`) says nothing and would match everywhere.
const ROOT_LENGTH_MIN: usize = 6;

/// `root` is where the repository is on this machine.
pub fn check(file: &SourceFile, root: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for host in REGISTRIES.iter().filter(|host| line.contains(**host)) {
            findings.push(Finding::error(
                &file.path,
                number + 1,
                format!("names a package registry ({host})"),
            ));
        }
        let here = (root.len() >= ROOT_LENGTH_MIN).then_some(root);
        for path in MACHINE_PATHS
            .into_iter()
            .chain(here)
            .filter(|path| holds_absolute(line, path))
        {
            findings.push(Finding::error(
                &file.path,
                number + 1,
                format!("names a path of one machine ({path})"),
            ));
        }
    }
    findings
}

/// A path that only ends like one, in the middle of a longer one, is not meant.
fn holds_absolute(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| {
            c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '}' | '>' | '~' | '*')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(line: &str) -> usize {
        check(
            &SourceFile {
                path: "a.md".into(),
                text: line.into(),
            },
            "/somewhere/checkout",
        )
        .len()
    }

    #[test]
    fn registries_are_not_named() {
        for host in REGISTRIES {
            assert_eq!(errors(&format!("fetch https://{host}/thing")), 1, "{host}");
        }
        assert_eq!(errors("npm pack, apt-get install, pip install"), 0);
    }

    #[test]
    fn paths_of_one_machine_are_not_named() {
        for path in MACHINE_PATHS {
            assert_eq!(errors(&format!("see `{path}x`")), 1, "{path}");
            assert_eq!(errors(&format!("{path}x")), 1, "{path}");
        }
        assert_eq!(errors("cd /somewhere/checkout"), 1);
        assert_eq!(
            errors("src/work/thing and ~/work/thing and /etc/brattice"),
            0
        );
    }
}
