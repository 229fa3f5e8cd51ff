//! Tests of the lists.

use super::files::{
    FUNCTIONS, FunctionsFile, PACK_FILES, PackFile, RELATIONS, RelationsFile, SETTINGS,
    SettingsFile,
};
use super::*;

const NAMES: &[&str] = &[
    include_str!("../../../../../../catalogue/postgres/names-13.txt"),
    include_str!("../../../../../../catalogue/postgres/names-14.txt"),
    include_str!("../../../../../../catalogue/postgres/names-15.txt"),
    include_str!("../../../../../../catalogue/postgres/names-16.txt"),
    include_str!("../../../../../../catalogue/postgres/names-17.txt"),
    include_str!("../../../../../../catalogue/postgres/names-18.txt"),
];

#[test]
fn functions_of_every_version_are_listed() {
    for names in NAMES {
        assert_eq!(unlisted(names.lines()), Vec::<String>::new());
    }
}

#[test]
fn every_list_can_be_read_and_names_nothing_twice() {
    let file: FunctionsFile = toml::from_str(FUNCTIONS).unwrap();
    let mut seen = HashSet::new();
    for name in file.family.iter().flat_map(|f| f.names.split_whitespace()) {
        assert!(seen.insert(name), "{name} is listed twice");
    }
    assert!(toml::from_str::<SettingsFile>(SETTINGS).is_ok());
    assert!(toml::from_str::<RelationsFile>(RELATIONS).is_ok());
    for text in PACK_FILES {
        assert!(toml::from_str::<PackFile>(text).is_ok(), "{text}");
    }
}

#[test]
fn trusts_functions_by_short_and_by_long_types() {
    let function = |signature: &str| Function {
        schema: "app".to_owned(),
        name: "f".to_owned(),
        signature: signature.to_owned(),
        ..Function::default()
    };
    let one = vec![("app".to_owned(), "f(int, varchar[])".to_owned())];
    let lists = Lists::with_functions(one, &[]);
    let long = function("f(integer,character varying[])");
    assert_eq!(lists.outside(&long), Class::Harmless);
    assert_eq!(lists.outside(&function("f(integer)")), Class::Execute);
    let all = vec![("app".to_owned(), "f(*)".to_owned())];
    let lists = Lists::with_functions(all, &["public".to_owned()]);
    assert_eq!(lists.outside(&function("f(integer)")), Class::Harmless);
    assert!(lists.path_may_name("public") && !lists.path_may_name("evil"));
}

#[test]
fn dangerous_functions_are_never_harmless() {
    let lists = Lists::new();
    for name in [
        "pg_sleep",
        "pg_read_file",
        "lo_export",
        "lo_import",
        "pg_terminate_backend",
        "query_to_xml",
        "database_to_xml",
        "ts_stat",
        "ts_rewrite",
        "set_config",
        "nextval",
        "pg_notify",
        "pg_reload_conf",
        "pg_advisory_lock",
        "pg_logical_emit_message",
        "pg_ls_dir",
        "pg_stat_file",
        "domain_in",
        "cursor_to_xml",
    ] {
        assert_ne!(lists.built_in(name), Some(Class::Harmless), "{name}");
    }
}

#[test]
fn what_is_everywhere_is_on_every_list() {
    let everywhere = |name: &&str| NAMES.iter().all(|names| names.lines().any(|n| n == *name));
    let known = NAMES.first().unwrap().lines();
    let expected: HashSet<&str> = known
        .filter(|name| !name.contains('.'))
        .filter(everywhere)
        .collect();
    assert_eq!(EVERYWHERE.functions, expected);
    assert!(EVERYWHERE.operators.contains("=") && EVERYWHERE.types.contains("int4"));
    assert!(EVERYWHERE.columns["pg_class"].contains(&"relname"));
    assert!(EVERYWHERE.columns.contains_key("information_schema.tables"));
}
