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

#[test]
fn options_that_lead_to_other_files_are_listed() {
    for text in FILES {
        let file: &'static ProgramsFile = Box::leak(Box::new(toml::from_str(text).unwrap()));
        for entry in &file.program {
            let known = program(entry);
            let marked = known.options.iter().filter(|spec| spec.anywhere).count();
            assert_eq!(names(&entry.anywhere).len(), marked, "{}", entry.names);
            let subs = entry.sub.iter();
            for sub in subs.filter(|sub| !sub.anywhere.is_empty()) {
                let rules = sub_rules(sub, "");
                let marked = rules.options.iter().filter(|spec| spec.anywhere).count();
                assert_eq!(names(&sub.anywhere).len(), marked, "{}", sub.names);
            }
        }
    }
}
