//! What the code of a crate may never name. Tests at a file's bottom may: they are not what the crate does.

use super::Finding;
use super::split::{Split, is_identifier};
use super::tree::SourceFile;

/// A rule: words, the crates whose code may not hold them, and why.
struct Rule {
    words: &'static [&'static str],
    forbidden_in: Where,
    why: &'static str,
}

enum Where {
    These(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

const RULES: [Rule; 8] = [
    Rule {
        words: &["tokio", "async_std", "mio"],
        forbidden_in: Where::These(&["core", "wire"]),
        why: "has no runtime: whoever drives it does",
    },
    Rule {
        words: &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "ToSocketAddrs",
            "UnixStream",
            "UnixListener",
            "UnixDatagram",
            "std::net::*",
        ],
        forbidden_in: Where::These(&["core", "wire"]),
        why: "opens no sockets (addresses as values are fine)",
    },
    Rule {
        words: &[
            "std::env",
            "env::var",
            "env::var_os",
            "env::vars",
            "env::vars_os",
            "env::args",
            "env::args_os",
        ],
        forbidden_in: Where::These(&["core", "wire"]),
        why: "reads no environment: the binary does, once",
    },
    Rule {
        words: &[
            "SystemTime::now",
            "Instant::now",
            "Timestamp::now",
            "Zoned::now",
            "Utc::now",
        ],
        forbidden_in: Where::These(&["core", "wire"]),
        why: "reads no clock: time is an argument",
    },
    Rule {
        words: &[
            "std::fs",
            "fs::read",
            "fs::write",
            "File::open",
            "File::create",
        ],
        forbidden_in: Where::These(&["wire"]),
        why: "does no I/O",
    },
    Rule {
        words: &["sqlx", "rusqlite"],
        forbidden_in: Where::AllBut(&["store"]),
        why: "keeps no SQL: the store does",
    },
    Rule {
        words: &[
            "cedar_policy",
            "brattice_core::policy",
            "policy::eval",
            "policy::bundle",
        ],
        forbidden_in: Where::These(&["proxy", "wire", "identity", "store"]),
        why: "knows no policy: it asks the gate",
    },
    Rule {
        words: &[
            "danger_accept_invalid_certs",
            "danger_accept_invalid_hostnames",
        ],
        forbidden_in: Where::AllBut(&[]),
        why: "verifies every certificate",
    },
];

/// Looks for forbidden words in the code of a crate.
pub fn check(file: &SourceFile, split: &Split) -> Vec<Finding> {
    let Some(name) = file.crate_name() else {
        return Vec::new();
    };
    if !file.path.contains("/src/")
        || file.path.ends_with("/tests.rs")
        || file.path.contains("/tests/")
    {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in without_tests(&split.code).enumerate() {
        for rule in RULES.iter().filter(|rule| applies(rule, name)) {
            for word in rule.words.iter().filter(|word| holds(line, word)) {
                findings.push(Finding::error(
                    &file.path,
                    number + 1,
                    format!("`{word}`: {name} {}", rule.why),
                ));
            }
        }
    }
    findings
}

fn applies(rule: &Rule, name: &str) -> bool {
    match rule.forbidden_in {
        Where::These(crates) => crates.contains(&name),
        Where::AllBut(crates) => !crates.contains(&name),
    }
}

/// The lines before `#[cfg(test)] mod tests {`, which by the house's rules is the last thing in a file.
fn without_tests(code: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = code.lines().collect();
    let end = lines
        .windows(2)
        .position(|pair| matches!(pair, [first, second] if first.trim() == "#[cfg(test)]" && second.starts_with("mod ") && second.ends_with('{')))
        .unwrap_or(lines.len());
    lines.into_iter().take(end)
}

/// Is the word in the line, not merely as a part of a longer name?
fn holds(line: &str, word: &str) -> bool {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(word) {
        let starts = !before.chars().next_back().is_some_and(is_identifier);
        let ends = !after.chars().next().is_some_and(is_identifier) || word.ends_with('*');
        if starts && ends {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::split::split;

    fn errors(path: &str, text: &str) -> usize {
        check(
            &SourceFile {
                path: path.into(),
                text: text.into(),
            },
            &split(text),
        )
        .len()
    }

    #[test]
    fn core_and_wire_stay_pure() {
        for line in [
            "use tokio::net;",
            "let s: TcpStream;",
            "let now = Instant::now();",
            "std::env::var(x)",
            "SystemTime::now()",
        ] {
            assert!(errors("crates/core/src/a.rs", line) > 0, "{line}");
            assert!(errors("crates/wire/src/a/b.rs", line) > 0, "{line}");
            assert_eq!(errors("crates/proxy/src/a.rs", line), 0, "{line}");
        }
        assert_eq!(
            errors(
                "crates/core/src/a.rs",
                "use std::net::IpAddr; use std::time::Instant; env!(\"X\");"
            ),
            0
        );
    }

    #[test]
    fn sql_and_policy_keep_to_their_crates() {
        assert!(errors("crates/admin/src/a.rs", "sqlx::query(x)") > 0);
        assert_eq!(errors("crates/store/src/a.rs", "sqlx::query(x)"), 0);
        assert!(
            errors(
                "crates/proxy/src/a.rs",
                "use brattice_core::policy::Bundle;"
            ) > 0
        );
        assert_eq!(
            errors(
                "crates/brattice/src/a.rs",
                "use brattice_core::policy::Bundle;"
            ),
            0
        );
        assert!(
            errors(
                "crates/identity/src/a.rs",
                "builder.danger_accept_invalid_certs(true)"
            ) > 0
        );
    }

    #[test]
    fn comments_strings_longer_names_and_tests_are_not_meant() {
        for text in [
            "//! Never tokio.",
            "let s = \"tokio\";",
            "let tokios = my_tokio;",
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn t() { Instant::now(); }\n}\n",
        ] {
            assert_eq!(errors("crates/core/src/a.rs", text), 0, "{text}");
        }
        assert_eq!(errors("crates/core/src/a/tests.rs", "Instant::now()"), 0);
    }
}
