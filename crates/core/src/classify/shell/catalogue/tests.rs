//! The files of the catalogue are as they should be.

use super::*;

#[test]
fn files_read_and_no_program_is_listed_twice() {
    read().unwrap();
    let mut seen = BTreeSet::new();
    for text in FILES {
        let file: ProgramsFile = toml::from_str(text).unwrap();
        assert_eq!(file.version, VERSION);
        for entry in &file.program {
            assert!(entry.reason.len() >= 5, "{}", entry.names);
            for name in entry.names.split_whitespace() {
                assert!(seen.insert(name.to_owned()), "{name} is listed twice");
            }
        }
    }
    assert!(seen.len() > 150, "{}", seen.len());
}

#[test]
fn options_are_spelled_with_dashes_and_listed_once() {
    for (name, program) in &KNOWN.programs {
        let subs = program.subs.values().map(|sub| &sub.options);
        for options in subs.chain([&program.options]) {
            let mut seen = BTreeSet::new();
            for option in options {
                assert!(option.name.starts_with('-'), "{name} {}", option.name);
                assert!(seen.insert(option.name), "{name} {}", option.name);
            }
        }
    }
}
