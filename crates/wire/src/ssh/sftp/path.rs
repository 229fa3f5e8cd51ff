//! Paths as text: made absolute, written in one form, taken apart. Never here: where links lead, which only the target
//! knows.

/// The absolute path that `raw` means where relative ones begin at `start`, in one form: no `.`, no `..`, no empty parts,
/// no slash at the end. `..` takes away the part before it as written, whatever that is.
pub(super) fn absolute(start: &str, raw: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let from = if raw.starts_with('/') { "" } else { start };
    for part in from.split('/').chain(raw.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Whether it is absolute and in that form.
pub(super) fn is_plain(path: &str) -> bool {
    path.starts_with('/') && absolute("/", path) == path
}

/// The directory that holds it, and its name there; `None` for the root, which nothing holds.
pub(super) fn split(path: &str) -> Option<(&str, &str)> {
    let (parent, name) = path.rsplit_once('/')?;
    if name.is_empty() {
        return None;
    }
    Some((if parent.is_empty() { "/" } else { parent }, name))
}

/// A name below a directory.
pub(super) fn join(directory: &str, name: &str) -> String {
    let directory = directory.strip_suffix('/').unwrap_or(directory);
    format!("{directory}/{name}")
}

/// Where a link with this text leads, when it stands in this directory. `None` where `..` follows a name: what that comes
/// to depends on whether the name is itself a link, and may change after it was judged.
pub(super) fn leads(directory: &str, text: &str) -> Option<String> {
    let mut named = false;
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if named => return None,
            ".." => {}
            _ => named = true,
        }
    }
    Some(absolute(directory, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_path_becomes_one() {
        for (raw, is) in [
            ("a", "/home/u/a"),
            ("./a//b/", "/home/u/a/b"),
            ("../v", "/home/v"),
            ("../../../../etc", "/etc"),
            ("/", "/"),
            ("//x/./y/../z", "/x/z"),
            ("", "/home/u"),
            (".", "/home/u"),
            ("..", "/home"),
            ("...", "/home/u/..."),
        ] {
            assert_eq!(absolute("/home/u", raw), is, "{raw}");
        }
    }

    #[test]
    fn a_path_comes_apart_and_together() {
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        assert_eq!(split("/a"), Some(("/", "a")));
        assert_eq!(split("/"), None);
        assert_eq!(join("/", "a"), "/a");
        assert_eq!(join("/a", "b"), "/a/b");
    }

    #[test]
    fn only_one_form_is_plain() {
        assert!(is_plain("/") && is_plain("/a/b"));
        for other in ["", "a", "/a/", "//a", "/a/../b", "/./a"] {
            assert!(!is_plain(other), "{other}");
        }
    }

    #[test]
    fn a_links_text_leads_somewhere_only_when_nobody_can_change_it() {
        assert_eq!(leads("/a/b", "../c").as_deref(), Some("/a/c"));
        assert_eq!(leads("/a/b", "/etc/passwd").as_deref(), Some("/etc/passwd"));
        assert_eq!(leads("/a/b", "c/d").as_deref(), Some("/a/b/c/d"));
        assert_eq!(leads("/a/b", "c/../d"), None);
        assert_eq!(leads("/a/b", "/c/../etc"), None);
    }
}
