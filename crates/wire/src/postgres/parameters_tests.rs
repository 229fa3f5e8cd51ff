//! What clients send at start-up, and what attackers do.

use super::{Class, Startup, StartupRefused, bool_value, classify, judge};
use crate::postgres::startup::StartupMessage;

fn asked(parameters: &[(&str, &str)]) -> Result<Startup, StartupRefused> {
    let parameters = [("user", "agent")].iter().chain(parameters);
    let message = StartupMessage {
        minor: 0,
        negotiate: false,
        unknown_options: Vec::new(),
        parameters: parameters
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        encrypted: true,
    };
    judge(message, classify)
}

#[test]
fn accepts_what_common_drivers_send() {
    let drivers: [&[(&str, &str)]; 8] = [
        // libpq and psql
        &[
            ("database", "db"),
            ("application_name", "psql"),
            ("client_encoding", "UTF8"),
        ],
        // JDBC
        &[
            ("database", "db"),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO"),
            ("TimeZone", "Europe/Berlin"),
            ("extra_float_digits", "2"),
        ],
        // asyncpg
        &[("database", "db"), ("client_encoding", "'utf-8'")],
        // lib/pq
        &[
            ("datestyle", "ISO, MDY"),
            ("extra_float_digits", "2"),
            ("client_encoding", "UTF8"),
        ],
        // sqlx
        &[
            ("DateStyle", "ISO, MDY"),
            ("client_encoding", "UTF8"),
            ("TimeZone", "UTC"),
        ],
        // node-postgres
        &[
            ("client_encoding", "UTF8"),
            ("statement_timeout", "5000"),
            ("replication", "0"),
        ],
        // options in a connection string
        &[(
            "options",
            "-c search_path=app,public -c statement_timeout=5s",
        )],
        &[("options", "--jit=off"), ("replication", "false")],
    ];
    for parameters in drivers {
        let judged = asked(parameters);
        assert!(judged.is_ok(), "{parameters:?}: {judged:?}");
    }
}

#[test]
fn names_the_parts_of_a_start_up() {
    let startup = asked(&[
        ("database", "orders-db/app"),
        ("application_name", "report"),
        ("TimeZone", "UTC"),
        ("options", "-c search_path=App"),
    ])
    .unwrap();
    assert_eq!(startup.user, "agent");
    assert_eq!(startup.database.as_deref(), Some("orders-db/app"));
    assert_eq!(startup.application_name.as_deref(), Some("report"));
    assert_eq!(
        startup.settings,
        [("timezone".to_owned(), "UTC".to_owned())]
    );
    assert_eq!(startup.search_path, Some(vec!["app".to_owned()]));
}

#[test]
fn a_parameter_overrides_the_same_setting_in_options() {
    for parameters in [
        [
            ("options", "-c TimeZone=PST -c timezone=CET"),
            ("TimeZone", "UTC"),
        ],
        [
            ("TimeZone", "UTC"),
            ("options", "-c TimeZone=PST -c timezone=CET"),
        ],
    ] {
        let startup = asked(&parameters).unwrap();
        assert_eq!(
            startup.settings,
            [("timezone".to_owned(), "UTC".to_owned())]
        );
    }
}

#[test]
fn refuses_replication_in_every_spelling() {
    for value in [
        "database", "on", "true", "1", "yes", "t", "", "o", "maybe", "DATABASE",
    ] {
        let refused = asked(&[("replication", value)]).unwrap_err();
        assert_eq!(refused, StartupRefused::Replication, "{value}");
    }
    for value in ["false", "off", "0", "no", "F", "of", "OFF"] {
        assert!(asked(&[("replication", value)]).is_ok(), "{value}");
    }
}

/// psql asks for it where the locale names no encoding.
#[test]
fn asking_for_no_conversion_is_no_other_encoding() {
    let startup = asked(&[("client_encoding", "SQL_ASCII")]).unwrap();
    assert!(startup.settings.is_empty(), "{startup:?}");
}

#[test]
fn refuses_another_parsing_context() {
    let changes = [
        ("client_encoding", "SJIS"),
        ("CLIENT_ENCODING", "gbk"),
        ("client_encoding", "utf8é"),
        ("client_encoding", "auto"),
        ("client_encoding", "LATIN1"),
        ("standard_conforming_strings", "off"),
        ("Standard_Conforming_Strings", "0"),
        ("backslash_quote", "on"),
        ("transform_null_equals", "on"),
        ("session_replication_role", "replica"),
    ];
    for (name, value) in changes {
        let refused = asked(&[(name, value)]).unwrap_err();
        assert_eq!(refused.rule(), "setting.fixed", "{name}={value}");
        let options = format!("--{}={value}", name.replace('_', "-"));
        let refused = asked(&[("options", &options)]).unwrap_err();
        assert_eq!(refused.rule(), "setting.fixed", "{options}");
    }
}

#[test]
fn the_fixed_values_themselves_pass_and_are_not_passed_on() {
    let startup = asked(&[
        ("client_encoding", "unicode"),
        ("standard_conforming_strings", "TRUE"),
        ("backslash_quote", "SAFE_ENCODING"),
        ("transform_null_equals", "no"),
    ])
    .unwrap();
    assert!(startup.settings.is_empty());
}

#[test]
fn refuses_roles_and_whatever_is_not_listed() {
    let parameters = [
        ("role", "dba"),
        ("ROLE", "none"),
        ("session_authorization", "dba"),
        ("User", "dba"),
        ("DATABASE", "other"),
        ("OPTIONS", "-c role=dba"),
        ("Replication", "database"),
        ("session_preload_libraries", "x"),
        ("local_preload_libraries", "x"),
        ("my.custom", "x"),
        ("dynamic_library_path", "x"),
    ];
    for (name, value) in parameters {
        let refused = asked(&[(name, value)]).unwrap_err();
        assert_eq!(refused.rule(), "setting.unlisted", "{name}");
    }
    for options in ["--role=dba", "-c role=dba", "-crole=dba", "-c user=dba"] {
        let refused = asked(&[("options", options)]).unwrap_err();
        assert_eq!(refused.rule(), "setting.unlisted", "{options}");
    }
    let refused = asked(&[("options", "-O")]).unwrap_err();
    assert_eq!(refused.rule(), "startup.options");
}

#[test]
fn refuses_a_search_path_that_is_no_plain_list() {
    let refused = asked(&[("search_path", "a; SET role dba")]).unwrap_err();
    assert_eq!(refused, StartupRefused::SearchPath);
}

#[test]
fn refuses_a_start_up_without_a_user() {
    let message = StartupMessage {
        minor: 0,
        negotiate: false,
        unknown_options: Vec::new(),
        parameters: vec![("database".to_owned(), "db".to_owned())],
        encrypted: false,
    };
    assert_eq!(judge(message, classify), Err(StartupRefused::NoUser));
}

#[test]
fn the_classes_can_be_given_from_outside() {
    let message = StartupMessage {
        minor: 2,
        negotiate: false,
        unknown_options: Vec::new(),
        parameters: vec![
            ("user".to_owned(), "agent".to_owned()),
            ("TimeZone".to_owned(), "UTC".to_owned()),
        ],
        encrypted: false,
    };
    let refused = judge(message, |_| Class::Refused).unwrap_err();
    let name = "timezone".to_owned();
    assert_eq!(refused, StartupRefused::Unlisted { name });
}

#[test]
fn reads_booleans_as_the_server_does() {
    for (value, read) in [
        ("T", Some(true)),
        ("tru", Some(true)),
        ("y", Some(true)),
        ("n", Some(false)),
        ("fal", Some(false)),
        ("o", None),
        ("offf", None),
        ("2", None),
        ("trueish", None),
    ] {
        assert_eq!(bool_value(value), read, "{value}");
    }
}
