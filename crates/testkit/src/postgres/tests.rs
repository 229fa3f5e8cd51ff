//! The servers themselves: started, asked, stopped. These need what `cargo xtask setup` fetches.

use std::process::Command;

use super::*;

#[test]
fn starts_answers_logs_and_stops() {
    for major in majors().unwrap() {
        let postgres = Postgres::start(PostgresOptions::of(major)).unwrap();
        let mark = postgres.mark();
        assert_eq!(postgres.psql("postgres", "SELECT 1").unwrap(), "1");
        assert!(
            postgres.log_since(mark).contains("statement: SELECT 1"),
            "{}",
            postgres.log()
        );
        assert!(
            postgres.statements_since(mark).is_empty(),
            "our own questions are not the test's"
        );
        let version = postgres
            .psql("postgres", "SHOW server_version_num")
            .unwrap();
        assert_eq!(version.parse::<u32>().unwrap() / 10_000, u32::from(major));
        let (dir, port) = (postgres.socket_dir().to_path_buf(), postgres.port());
        drop(postgres);
        assert!(!dir.exists());
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}

#[test]
fn a_failing_statement_says_what_the_server_said() {
    let postgres = Postgres::start(PostgresOptions::default()).unwrap();
    let error = postgres
        .psql("postgres", "SELECT 1; SELECT nothing_like_it; SELECT 2")
        .unwrap_err();
    assert!(
        format!("{error:?}").contains("nothing_like_it"),
        "{error:?}"
    );
}

#[test]
fn over_tcp_the_password_is_asked_and_never_logged() {
    for (major, auth) in [
        (15, Auth::Scram),
        (18, Auth::Scram),
        (18, Auth::Md5),
        (18, Auth::Password),
    ] {
        let postgres = Postgres::start(PostgresOptions {
            auth,
            ..PostgresOptions::of(major)
        })
        .unwrap();
        let mark = postgres.mark();
        let good = over_tcp(&postgres, "sslmode=disable", Some(postgres.password()));
        assert_eq!(good.as_deref(), Ok("7"), "{auth:?} on {major}");
        assert_eq!(postgres.statements_since(mark), ["SELECT 7"]);
        assert!(
            over_tcp(&postgres, "sslmode=disable", Some("wrong")).is_err(),
            "{auth:?} on {major}"
        );
        assert!(!postgres.log().contains(postgres.password()));
    }
}

#[test]
fn with_tls_the_certificate_verifies_and_clear_text_is_refused() {
    for major in majors().unwrap() {
        let postgres = Postgres::start(PostgresOptions {
            tls: true,
            ..PostgresOptions::of(major)
        })
        .unwrap();
        let ca = postgres.ca_certificate().unwrap();
        let verified = format!(
            "sslmode=verify-full sslrootcert={} channel_binding=require",
            ca.display()
        );
        assert_eq!(
            over_tcp(&postgres, &verified, Some(postgres.password())).as_deref(),
            Ok("7")
        );
        assert!(over_tcp(&postgres, "sslmode=disable", Some(postgres.password())).is_err());
    }
}

#[test]
fn a_client_certificate_is_proof_for_its_own_name_alone() {
    let options = PostgresOptions {
        tls: true,
        auth: Auth::Cert,
        ..PostgresOptions::default()
    };
    let postgres = Postgres::start(options).unwrap();
    let ca = postgres.ca_certificate().unwrap();
    for (name, accepted) in [("postgres", true), ("somebody", false)] {
        let client = postgres.client_certificate(name).unwrap();
        let parameters = format!(
            "sslmode=verify-full sslrootcert={} sslcert={} sslkey={}",
            ca.display(),
            client.certificate.display(),
            client.key.display()
        );
        assert_eq!(
            over_tcp(&postgres, &parameters, None).is_ok(),
            accepted,
            "{name}"
        );
    }
}

#[test]
fn settings_of_the_test_win_and_wrong_ones_are_explained() {
    let mut options = PostgresOptions::default();
    options
        .extra_conf
        .push(("autovacuum_naptime".into(), "7min".into()));
    let postgres = Postgres::start(options.clone()).unwrap();
    assert_eq!(
        postgres
            .psql("postgres", "SHOW autovacuum_naptime")
            .unwrap(),
        "7min"
    );
    options
        .extra_conf
        .push(("no_such_setting".into(), "1".into()));
    let error = Postgres::start(options).unwrap_err();
    assert!(
        format!("{error:?}").contains("no_such_setting"),
        "{error:?}"
    );
}

#[test]
fn the_server_goes_when_whoever_held_it_is_killed() {
    let mut postgres = Postgres::start(PostgresOptions::default()).unwrap();
    let (dir, port) = (postgres.socket_dir().to_path_buf(), postgres.port());
    postgres.server.abandon();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!dir.exists());
}

fn over_tcp(
    postgres: &Postgres,
    parameters: &str,
    password: Option<&str>,
) -> Result<String, String> {
    let connection = format!(
        "host=127.0.0.1 port={} user=postgres dbname=postgres {parameters}",
        postgres.port()
    );
    let mut psql = Command::new(postgres.bin("psql"));
    psql.args([
        "--no-psqlrc",
        "--quiet",
        "--no-align",
        "--tuples-only",
        "--no-password",
        "--command=SELECT 7",
    ]);
    psql.arg(connection);
    if let Some(password) = password {
        psql.env("PGPASSWORD", password);
    }
    let output = psql.output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
