//! An npm package cannot hold symbolic links: the PostgreSQL packages list theirs in a file. Here they are made again.

use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use crate::failure::{Failure, Outcome};

const LIST: &str = "pg-symlinks.json";
/// The list's paths start at the package; `native` is what was unpacked.
const UNPACKED: &str = "native/";

/// Makes the links that the list in `root` names. All of them stay inside `root`.
pub fn recreate(root: &Path) -> Outcome {
    let list = root.join(LIST);
    let text = std::fs::read_to_string(&list)
        .map_err(|e| Failure::io(format!("reading {}", list.display()), &e))?;
    for (source, target) in
        parse(&text).ok_or_else(|| Failure::new(format!("{} is not understood", list.display())))?
    {
        let link = root.join(&target);
        let to = relative(&source, &target).ok_or_else(|| {
            Failure::new(format!(
                "{} links {target} out of its own directory",
                list.display()
            ))
        })?;
        if link.symlink_metadata().is_ok() {
            continue;
        }
        symlink(&to, &link).map_err(|e| Failure::io(format!("linking {}", link.display()), &e))?;
    }
    Ok(())
}

/// `[{"source":"native/lib/a.so.1","target":"native/lib/a.so"}, …]`: only strings without escapes are expected.
fn parse(text: &str) -> Option<Vec<(String, String)>> {
    if text.contains('\\') {
        return None;
    }
    let words: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
    let mut links = Vec::new();
    for entry in words.chunks(4) {
        let ["source", source, "target", target] = entry else {
            return None;
        };
        links.push((inside(source)?, inside(target)?));
    }
    Some(links)
}

fn inside(path: &str) -> Option<String> {
    let path = path.strip_prefix(UNPACKED)?;
    Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
        .then(|| path.to_owned())
}

/// Links stay valid when the installation is moved or copied: the link's text is the file name beside it.
fn relative(source: &str, target: &str) -> Option<PathBuf> {
    let (source, target) = (Path::new(source), Path::new(target));
    (source.parent() == target.parent()).then(|| source.file_name().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_point_to_the_file_beside_them() {
        let links =
            parse(r#"[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so"}]"#)
                .unwrap();
        assert_eq!(
            links,
            [("lib/libpq.so.5.18".to_owned(), "lib/libpq.so".to_owned())]
        );
        assert_eq!(
            relative(&links[0].0, &links[0].1),
            Some(PathBuf::from("libpq.so.5.18"))
        );
        assert!(parse("[]").unwrap().is_empty());
    }

    #[test]
    fn links_that_leave_the_package_are_refused() {
        assert!(
            parse(r#"[{"source":"native/../../etc/passwd","target":"native/lib/x"}]"#).is_none()
        );
        assert!(parse(r#"[{"source":"/etc/passwd","target":"native/lib/x"}]"#).is_none());
        assert!(parse(r#"[{"target":"native/lib/x","source":"native/lib/y"}]"#).is_none());
        assert_eq!(relative("bin/postgres", "lib/postgres"), None);
    }
}
