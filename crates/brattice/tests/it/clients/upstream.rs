//! The gateway's own way to servers: how they are encrypted and how it logs in, and what it does when they are not who
//! they should be.

use crate::attacks::refused_login;
use crate::world::{READER, ROLE, SHOP, World};
use brattice_testkit::postgres::{Auth, Postgres, PostgresOptions};
use brattice_testkit::wire::Wire;

fn world(auth: Auth, tls: bool, target: impl Fn(&Postgres) -> String) -> World {
    World::start_behind(
        PostgresOptions {
            auth,
            tls,
            ..PostgresOptions::default()
        },
        |postgres, bundle| {
            for t in &mut bundle.targets {
                t.tls = target(postgres);
            }
        },
    )
}

fn works(world: &World) -> Result<(), String> {
    let mut wire = Wire::connect(&world.through(READER, SHOP)).map_err(|e| e.to_string())?;
    let answer = wire
        .query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        .map_err(|e| e.to_string())?;
    if answer.rows().len() == 1 {
        Ok(())
    } else {
        Err(format!("{answer:?}"))
    }
}

#[test]
fn every_way_to_log_in_works_in_clear() {
    for auth in [Auth::Scram, Auth::Trust] {
        let world = world(auth, false, |_| "mode = \"disable\"".to_owned());
        if let Err(what) = works(&world) {
            panic!("{auth:?}: {what}");
        }
    }
}

#[test]
fn every_way_to_log_in_works_over_tls() {
    for (auth, modes) in [
        (Auth::Scram, &["require", "verify-ca", "verify-full"][..]),
        (Auth::Md5, &["verify-full"][..]),
        (Auth::Password, &["verify-full"][..]),
    ] {
        for mode in modes {
            let world = world(auth, true, |postgres| checked(mode, postgres));
            if let Err(what) = works(&world) {
                panic!("{auth:?} {mode}: {what}");
            }
        }
    }
}

fn checked(mode: &str, postgres: &Postgres) -> String {
    match postgres.ca_certificate() {
        Some(ca) if mode != "require" => format!("mode = \"{mode}\", ca = \"{}\"", ca.display()),
        _ => format!("mode = \"{mode}\""),
    }
}

/// A password in clear, or a hash of it that whoever asked can try passwords against, goes only to a server that was proven
/// to be the right one.
#[test]
fn a_password_in_clear_or_an_old_hash_of_it_needs_a_verified_server() {
    for (auth, tls, mode) in [
        (Auth::Password, false, "disable"),
        (Auth::Password, true, "require"),
        (Auth::Password, true, "verify-ca"),
        (Auth::Md5, false, "disable"),
        (Auth::Md5, true, "require"),
    ] {
        let world = world(auth, tls, |postgres| checked(mode, postgres));
        let fields = refused_login(&world.through(READER, SHOP)).unwrap();
        assert_eq!(
            fields.told("code").as_deref(),
            Some("unavailable"),
            "{mode}: {fields}"
        );
        let log = world.postgres.log();
        assert!(
            !log.contains(&format!("connection authorized: user={ROLE}")),
            "{mode}: it logged in"
        );
    }
}

#[test]
fn a_server_that_is_not_who_it_should_be_gets_no_password() {
    let other = Postgres::start(PostgresOptions {
        tls: true,
        ..PostgresOptions::default()
    })
    .unwrap();
    let wrong = other.ca_certificate().unwrap();
    for mode in ["verify-ca", "verify-full"] {
        let world = world(Auth::Password, true, |_| {
            format!("mode = \"{mode}\", ca = \"{}\"", wrong.display())
        });
        let fields = refused_login(&world.through(READER, SHOP)).unwrap();
        assert_eq!(
            fields.told("code").as_deref(),
            Some("unavailable"),
            "{fields}"
        );
        assert!(!fields.to_string().contains(&world.role_password));
        assert!(
            !world
                .postgres
                .log()
                .contains(&format!("connection authorized: user={ROLE}")),
            "it logged in"
        );
        assert!(!world.gateway.log().contains(&world.role_password));
    }
    // A server without TLS, where the bundle asks for it.
    let ca = other.ca_certificate().unwrap();
    let world = world(Auth::Password, false, move |_| {
        format!("mode = \"verify-full\", ca = \"{}\"", ca.display())
    });
    let fields = refused_login(&world.through(READER, SHOP)).unwrap();
    assert_eq!(
        fields.told("code").as_deref(),
        Some("unavailable"),
        "{fields}"
    );
}

#[test]
fn a_client_certificate_logs_in() {
    let world = World::start_behind(
        PostgresOptions {
            auth: Auth::Cert,
            tls: true,
            ..PostgresOptions::default()
        },
        |postgres, bundle| {
            let ours = postgres.client_certificate(ROLE).unwrap();
            for target in &mut bundle.targets {
                let ca = postgres.ca_certificate().unwrap();
                target.tls = format!("mode = \"verify-full\", ca = \"{}\"", ca.display());
                target.more = format!(
                    "client_certificate = {{ cert = \"{}\", key = \"{}\" }}",
                    ours.certificate.display(),
                    ours.key.display()
                );
            }
        },
    );
    if let Err(what) = works(&world) {
        panic!("{what}");
    }
}
