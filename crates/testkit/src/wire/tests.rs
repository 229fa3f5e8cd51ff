//! The client against a real server: it must speak before it can accuse.

use super::*;
use crate::postgres::{Auth, Postgres, PostgresOptions};

#[test]
fn logs_in_and_reads_whole_answers() {
    for auth in [Auth::Scram, Auth::Md5, Auth::Password] {
        let postgres = Postgres::start(PostgresOptions {
            auth,
            ..PostgresOptions::default()
        })
        .unwrap();
        let login = Login::new(
            postgres.port(),
            postgres.superuser(),
            postgres.password(),
            "postgres",
        );
        let mut wire = Wire::connect(&login).unwrap();
        assert!(wire.cancel_key().is_some());
        assert_eq!(wire.parameter("server_encoding").as_deref(), Some("UTF8"));
        let answer = wire
            .query("SELECT 1, NULL, 'x' UNION ALL SELECT 2, NULL, 'y'")
            .unwrap();
        assert_eq!(answer.texts(), ["1||x", "2||y"]);
        assert_eq!(answer.completed(), ["SELECT 2"]);
        assert_eq!(answer.ready(), "I");
        let answer = wire.extended(b"SELECT 258::int4 AS n", 1).unwrap();
        assert_eq!(answer.rows(), [[Some(vec![0, 0, 1, 2])]]);
        assert_eq!(answer.columns(), [["n"]]);
        assert_eq!(wire.query("SELECT 1/0").unwrap().sqlstate(), "22012");
        let refused = Wire::connect(&Login::new(
            postgres.port(),
            "postgres",
            "wrong",
            "postgres",
        ));
        assert!(matches!(refused, Err(WireError::Refused(f)) if f.sqlstate() == "28P01"));
    }
}
