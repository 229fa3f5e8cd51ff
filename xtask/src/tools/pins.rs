//! `tools.txt`: reading it. Fetches nothing.

use crate::failure::{Failure, Outcome};
use crate::setup::Purpose;

/// All pins.
#[derive(Debug, Default)]
pub struct Pins {
    pub npm: Vec<Npm>,
    pub pip: Vec<Pip>,
    pub trees: Vec<Tree>,
}

/// Node packages with all that they need, as a lock file of this repository pins them.
#[derive(Debug)]
pub struct Tree {
    /// The directory with `package.json` and `package-lock.json`, relative to the repository.
    pub from: String,
    /// Where it goes, relative to the tools directory.
    pub place: String,
    pub wanted_by: Wanted,
}

/// A package whose `native` directory is unpacked.
#[derive(Debug)]
pub struct Npm {
    pub package: String,
    pub version: String,
    pub integrity: String,
    /// Where it goes, relative to the tools directory.
    pub place: String,
    pub wanted_by: Wanted,
}

impl Npm {
    /// The file name that `npm pack` gives it.
    pub fn tarball(&self) -> String {
        let name = self.package.trim_start_matches('@').replace('/', "-");
        format!("{name}-{}.tgz", self.version)
    }
}

/// A requirement in the Python environment.
#[derive(Debug)]
pub struct Pip {
    pub requirement: String,
    pub wanted_by: Wanted,
}

/// Which commands want a tool.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    purposes: Vec<Purpose>,
    full: bool,
}

impl Wanted {
    /// Does any of these purposes want it?
    pub fn covers(&self, purposes: &[Purpose], full: bool) -> bool {
        (self.full && full)
            || self
                .purposes
                .iter()
                .any(|purpose| purposes.contains(purpose))
    }
}

/// Reads the list; every line must be understood.
pub fn parse(text: &str) -> Outcome<Pins> {
    let mut pins = Pins::default();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let wrong = || {
            Failure::new(format!(
                "tools.txt line {}: not understood: {line:?}",
                number + 1
            ))
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["npm", package, version, integrity, place, wanted] => {
                if !stays_inside(place) || !integrity.starts_with("sha512-") {
                    return Err(wrong());
                }
                pins.npm.push(Npm {
                    package: (*package).to_owned(),
                    version: (*version).to_owned(),
                    integrity: (*integrity).to_owned(),
                    place: (*place).to_owned(),
                    wanted_by: parse_wanted(wanted).ok_or_else(wrong)?,
                });
            }
            ["pip", requirement, wanted] if requirement.contains("==") => pins.pip.push(Pip {
                requirement: (*requirement).to_owned(),
                wanted_by: parse_wanted(wanted).ok_or_else(wrong)?,
            }),
            ["tree", from, place, wanted] if stays_inside(from) && stays_inside(place) => {
                pins.trees.push(Tree {
                    from: (*from).to_owned(),
                    place: (*place).to_owned(),
                    wanted_by: parse_wanted(wanted).ok_or_else(wrong)?,
                });
            }
            _ => return Err(wrong()),
        }
    }
    Ok(pins)
}

fn stays_inside(path: &str) -> bool {
    !path.starts_with('/') && !path.split('/').any(|part| part == "..")
}

fn parse_wanted(word: &str) -> Option<Wanted> {
    let mut wanted = Wanted {
        purposes: Vec::new(),
        full: false,
    };
    for name in word.split(',') {
        match name {
            "full" => wanted.full = true,
            name => wanted.purposes.push(Purpose::parse(name)?),
        }
    }
    Some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_tarball_as_npm_pack_does() {
        let pins = parse("npm @scope/thing 1.2.3-beta.4 sha512-aa== postgres/1 test\n").unwrap();
        assert_eq!(pins.npm[0].tarball(), "scope-thing-1.2.3-beta.4.tgz");
    }

    #[test]
    fn tools_for_the_full_run_are_left_out_of_the_ordinary_one() {
        let wanted = parse_wanted("full").unwrap();
        assert!(!wanted.covers(&[Purpose::Test], false));
        assert!(wanted.covers(&[Purpose::Test], true));
        assert!(
            parse_wanted("test,demo")
                .unwrap()
                .covers(&[Purpose::Demo], false)
        );
    }

    #[test]
    fn refuses_what_is_not_pinned_or_leaves_the_tools_directory() {
        for line in [
            "npm thing 1.0.0 - postgres/1 test",
            "npm thing 1.0.0 sha512-aa== ../elsewhere test",
            "npm thing 1.0.0 sha512-aa== /elsewhere test",
            "pip psycopg>=3 test",
            "tree ../elsewhere node test",
            "tree crates/testkit/node /elsewhere test",
            "gem thing 1.0.0",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_repository_s_own_list_has_six_servers() {
        let pins = parse(include_str!("../../../tools.txt")).unwrap();
        assert_eq!(
            pins.npm
                .iter()
                .filter(|pin| pin.place.starts_with("postgres/"))
                .count(),
            6
        );
    }
}
