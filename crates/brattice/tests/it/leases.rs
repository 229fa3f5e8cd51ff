//! Credentials that are taken for one session and given back after it. The server is asked who was logged in, what that
//! role could do, and whether it is still there.

mod aws;
mod vault;

use crate::records::{export_lines, log_dir};
use crate::world::{DATABASE, OWNER, PROD, READER, SECURITY, SHOP, WRITER, Who, World, now};
use brattice_testkit::gateway::{Gateway, TargetOptions};
use brattice_testkit::postgres::{Postgres, PostgresOptions};
use brattice_testkit::wire::{Wire, WireError, frames};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

/// A target whose sessions have a role each.
const LEASED: &str = "leased";
/// Production with the same, where holds become tickets at once.
const LEASED_PROD: &str = "leased-prod";
/// The role whose rights they have.
const TEMPLATE: &str = "shop agent";
/// The role that makes them.
const MAKER: &str = "lease_maker";
/// How long after its end a session's role may be there.
const GONE_MAX: Duration = Duration::from_secs(2);

const DOOMED: Who = Who {
    name: "doomed-1",
    kind: "agent",
    groups: &["agents", "writers", "owners"],
};

/// The shop with leased targets beside the usual ones.
fn world(major: u8) -> World {
    World::start_behind(PostgresOptions::of(major), |postgres, bundle| {
        let password = format!("maker-{}", postgres.password());
        prepare(postgres, &password);
        for (name, like, more) in [
            (LEASED, SHOP, ""),
            (LEASED_PROD, PROD, "holds = { wait_max = \"200ms\" }"),
        ] {
            let like = bundle.targets.iter().find(|t| t.name == like).unwrap();
            let target = TargetOptions {
                name: name.to_owned(),
                user: MAKER.to_owned(),
                password: password.clone(),
                more: format!("{more}\nephemeral = {{ template = \"{TEMPLATE}\" }}"),
                ..like.clone()
            };
            bundle.targets.push(target);
        }
    })
}

/// What the guide tells the people who run the database to do.
fn prepare(postgres: &Postgres, password: &str) {
    let sql = format!(
        "SET log_statement = 'none'; SET log_min_error_statement = 'panic';\n\
         CREATE ROLE \"{TEMPLATE}\" NOLOGIN;\n\
         GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO \"{TEMPLATE}\";\n\
         GRANT CREATE, USAGE ON SCHEMA public TO \"{TEMPLATE}\";\n\
         ALTER ROLE \"{TEMPLATE}\" SET statement_timeout = '61s';\n\
         ALTER ROLE \"{TEMPLATE}\" IN DATABASE {DATABASE} SET work_mem = '3MB';\n\
         CREATE ROLE {MAKER} LOGIN CREATEROLE PASSWORD '{password}';\n\
         GRANT \"{TEMPLATE}\" TO {MAKER} WITH ADMIN OPTION;\n\
         ALTER DATABASE {DATABASE} SET log_statement = 'all';"
    );
    postgres.psql(DATABASE, &sql).unwrap();
}

fn roles(world: &World) -> Vec<String> {
    let all = world.ask("SELECT rolname FROM pg_roles WHERE rolname LIKE 'agent~%' ORDER BY 1");
    all.lines().map(str::to_owned).collect()
}

fn until(what: &str, within: Duration, mut done: impl FnMut() -> bool) {
    let by = Instant::now() + within;
    while !done() {
        assert!(Instant::now() < by, "it does not come to pass: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn all_gone(world: &World, after: &str) {
    let by = Instant::now() + GONE_MAX;
    while !roles(world).is_empty() {
        let log = || world.gateway.log();
        assert!(
            Instant::now() < by,
            "after {after}: a role is left\n{}",
            log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_session_has_a_role_of_its_own_with_the_templates_rights_and_no_more() {
    for major in crate::world::majors() {
        let world = world(major);
        let mark = world.postgres.mark();
        let mut wire = world.connect(OWNER, LEASED);
        let role = roles(&world).pop().unwrap();
        assert!(role.starts_with("agent~owner-1~ses_"), "{role}");
        let seen = world.ask("SELECT usename FROM pg_stat_activity WHERE usename LIKE 'agent~%'");
        assert_eq!(seen, role);
        let who = wire.query("SELECT session_user, current_user").unwrap();
        assert_eq!(who.texts(), [format!("{role}|{TEMPLATE}")]);
        // Nothing of the maker's rights, and nothing beyond the template's.
        for (sql, state) in [
            ("CREATE ROLE friend", "42501"),
            ("DELETE FROM notes", "42501"),
            ("CREATE DATABASE mine", "42501"),
        ] {
            assert_eq!(wire.query(sql).unwrap().sqlstate(), state, "{sql}");
        }
        let had = "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication, rolconnlimit \
                   FROM pg_roles WHERE rolname LIKE 'agent~%'";
        assert_eq!(world.ask(had), "f|1");
        // What the template's sessions are given, this one is given.
        let told = wire.query("SHOW statement_timeout").unwrap();
        assert_eq!(told.texts(), ["61s"]);
        assert_eq!(wire.query("SHOW work_mem").unwrap().texts(), ["3MB"]);
        // What it makes outlives it, as the template's.
        let made = wire.query("CREATE TABLE made_here (id int)").unwrap();
        assert_eq!(made.sqlstate(), "", "{made:?}");
        drop(wire);
        all_gone(&world, "the session has ended");
        let owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'made_here'";
        assert_eq!(world.ask(owner), TEMPLATE);
        // The server's own log has the verifier, and no password in clear.
        let log = world.postgres.log_since(mark);
        assert!(log.contains("PASSWORD 'SCRAM-SHA-256$4096:"), "{log}");
        assert!(!log.contains(&format!("maker-{}", world.postgres.password())));
        // The record joins the two.
        let entries = export_lines(&log_dir(&world));
        assert!(entries.iter().any(|e| e["role"] == role.as_str()));
    }
}

#[test]
fn the_role_is_dropped_however_the_session_ends() {
    for major in crate::world::majors() {
        let mut world = world(major);
        let connect = |world: &World| {
            let wire = world.connect(DOOMED, LEASED);
            assert_eq!(roles(world).len(), 1);
            wire
        };
        let mut wire = connect(&world);
        wire.send(&frames::terminate()).unwrap();
        all_gone(&world, "it said goodbye");

        connect(&world).vanish();
        all_gone(&world, "the client vanished");

        let mut wire = connect(&world);
        wire.send(&frames::query(b"SELECT pg_sleep(600)")).unwrap();
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(600)'";
        until("it sleeps", GONE_MAX, || world.ask(asleep) == "1");
        wire.vanish();
        all_gone(&world, "the client vanished in a statement");

        let mut wire = connect(&world);
        wire.query("BEGIN").unwrap();
        wire.query("UPDATE notes SET text = 'open' WHERE id = 2")
            .unwrap();
        world.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'agent~%'",
        );
        assert!(wire.closes(GONE_MAX));
        all_gone(&world, "the target ended it");

        let mut wire = connect(&world);
        let begun = Instant::now();
        let revoke = ["agents", "revoke", "dev/doomed-1"];
        let said = world.gateway.cli(&revoke, &world.token(SECURITY)).unwrap();
        assert!(said.status.success(), "{said:?}");
        assert!(wire.closes(GONE_MAX));
        all_gone(&world, "the agent was revoked");
        assert!(begun.elapsed() < GONE_MAX * 2);

        let mut wire = world.connect(OWNER, LEASED);
        wire.send(&frames::query(b"SELECT pg_sleep(600)")).unwrap();
        until("it sleeps", GONE_MAX, || world.ask(asleep) == "1");
        world
            .gateway
            .write(
                "brattice.toml",
                &world
                    .gateway
                    .read("brattice.toml")
                    .unwrap()
                    .replace("[store]", "[limits]\ndrain_max = \"1s\"\n\n[store]"),
            )
            .unwrap();
        world.gateway.reload(&world.token(SECURITY)).unwrap();
        let status = world.gateway.stop().unwrap();
        assert!(status.is_some_and(|s| s.success()));
        assert_eq!(roles(&world), [""; 0], "a stopped gateway leaves nothing");
    }
}

#[test]
fn what_a_killed_gateway_left_is_gone_after_its_next_start() {
    for major in crate::world::majors() {
        let mut world = world(major);
        let mut wire = world.connect(OWNER, LEASED);
        // At work, so that the target does not notice by itself that nobody is there any more.
        wire.send(&frames::query(b"SELECT pg_sleep(600)")).unwrap();
        let _idle = world.connect(READER, LEASED);
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(600)'";
        until("it sleeps", GONE_MAX, || world.ask(asleep) == "1");
        // Neither of these is ours: another gateway's that may be at work, and somebody's own.
        world.ask(
            "CREATE ROLE \"agent~x~ses_1~ffffffff\" LOGIN VALID UNTIL 'yesterday'; \
             CREATE ROLE \"agent~mine\" LOGIN; COMMENT ON ROLE \"agent~mine\" IS 'my own'",
        );
        let mark = |node: &str, session: &str| {
            format!(
                "brattice lease node={node} session={session} target={LEASED} template={TEMPLATE}"
            )
        };
        let other = mark("ffffffff", "ses_2");
        let long_gone = mark("ffffffff", "ses_3");
        world.ask(&format!(
            "SET ROLE {MAKER}; CREATE ROLE \"agent~y~ses_2~ffffffff\" LOGIN VALID UNTIL 'tomorrow'; \
             COMMENT ON ROLE \"agent~y~ses_2~ffffffff\" IS '{other}'; \
             CREATE ROLE \"agent~z~ses_3~ffffffff\" LOGIN VALID UNTIL 'yesterday'; \
             COMMENT ON ROLE \"agent~z~ses_3~ffffffff\" IS '{long_gone}'"
        ));
        assert_eq!(roles(&world).len(), 6);
        world.gateway.kill();
        world.gateway.start_again().unwrap();
        let kept = [
            "agent~mine",
            "agent~x~ses_1~ffffffff",
            "agent~y~ses_2~ffffffff",
        ];
        until("the roles are swept", Duration::from_secs(5), || {
            roles(&world) == kept
        });
        assert_eq!(world.ask(asleep), "0");
    }
}

#[test]
fn two_gateways_on_one_server_leave_each_others_roles_alone() {
    let world = world(18);
    let mut wire = world.connect(OWNER, LEASED);
    let there = roles(&world);
    let mut options = world.gateway.options().clone();
    options.tls = false;
    let mut second = Gateway::start(options).unwrap();
    // Its first sweep is over once it has made and dropped a role of its own.
    let login = second.login(&world.token(OWNER), &format!("{LEASED}/{DATABASE}"));
    let mut other = Wire::connect(&login).unwrap();
    assert_eq!(roles(&world).len(), 2);
    assert_eq!(other.query("SELECT 1").unwrap().texts(), ["1"]);
    drop(other);
    until("only the first is left", GONE_MAX, || {
        roles(&world) == there
    });
    assert_eq!(wire.query("SELECT 1").unwrap().texts(), ["1"]);
    second.kill();
}

#[test]
fn whatever_an_agent_is_called_its_role_is_made_and_dropped() {
    let world = world(15);
    let long = "x".repeat(200);
    for name in [
        "o'brien\"; DROP ROLE x; --",
        "агент-7",
        "😀 山田",
        long.as_str(),
        "a~b%c$$d",
    ] {
        let at = now();
        let token = world
            .idp
            .token(at)
            .claim("sub", name)
            .claim("kind", "agent")
            .claim("groups", json!(["agents"]))
            .claim("exp", at + 600)
            .claim("jti", format!("odd-{name}"))
            .sign()
            .unwrap();
        let login = world.gateway.login(&token, &format!("{LEASED}/{DATABASE}"));
        let mut wire = Wire::connect(&login).unwrap();
        let role = roles(&world).pop().unwrap();
        assert!(role.len() <= 63 && role.contains("~ses_"), "{role}");
        assert!(!role.contains(['"', '\'', ' ', ';', '$']), "{role}");
        let who = wire.query("SELECT session_user").unwrap();
        assert_eq!(who.texts(), [role]);
        drop(wire);
        all_gone(&world, name);
    }
}

#[test]
fn what_hangs_on_a_role_does_not_keep_it() {
    for major in crate::world::majors() {
        let world = world(major);
        let mut wire = world.connect(OWNER, LEASED);
        let role = roles(&world).pop().unwrap();
        for sql in [
            "CREATE TABLE made (id int)".to_owned(),
            format!("GRANT SELECT ON made TO \"{role}\""),
            "BEGIN".to_owned(),
            "CREATE TEMPORARY TABLE passing (id int)".to_owned(),
        ] {
            let said = wire.query(&sql).unwrap();
            assert_eq!(said.sqlstate(), "", "{sql}: {said:?}");
        }
        world.ask(&format!(
            "CREATE TABLE given (id int); ALTER TABLE given OWNER TO \"{role}\""
        ));
        drop(wire);
        all_gone(&world, "it was given things");
        let owner = world.ask("SELECT tableowner FROM pg_tables WHERE tablename = 'given'");
        assert_eq!(owner, TEMPLATE);
    }
}

#[test]
fn a_role_that_cannot_be_dropped_cannot_be_used_and_is_spoken_of() {
    let world = world(18);
    let wire = world.connect(OWNER, LEASED);
    let role = roles(&world).pop().unwrap();
    // The maker can take back only what the template could give.
    world.ask(&format!("GRANT SELECT ON customers TO \"{role}\""));
    drop(wire);
    let closed = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'agent~%' AND NOT rolcanlogin";
    until("it is closed", GONE_MAX, || world.ask(closed) == "1");
    until("it is spoken of", GONE_MAX, || {
        world.gateway.log().contains("not given back yet")
    });
    world.ask(&format!("REVOKE SELECT ON customers FROM \"{role}\""));
    until("a later try drops it", Duration::from_secs(10), || {
        roles(&world).is_empty()
    });
}

#[test]
fn a_file_is_read_anew_for_each_session() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    let put = |password: &str| {
        // As an agent that rotates it does: written beside and moved.
        let beside = dir.path().join("password.new");
        std::fs::write(&beside, password).unwrap();
        std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(&beside, &path).unwrap();
    };
    let world = World::start_behind(PostgresOptions::of(18), |postgres, bundle| {
        put(&format!("role-{}\n", postgres.password()));
        let shop = bundle.targets.iter_mut().find(|t| t.name == SHOP).unwrap();
        shop.password = format!("file:{}", path.display());
    });
    let mut before = world.connect(READER, SHOP);
    for round in 0..3 {
        let password = format!("rotated-{round}-{}", world.postgres.password());
        world.ask(&format!(
            "SET log_statement = 'none'; ALTER ROLE shop_role PASSWORD '{password}'"
        ));
        assert!(Wire::connect(&world.through(READER, SHOP)).is_err());
        put(&password);
        let mut after = world.connect(READER, SHOP);
        for wire in [&mut before, &mut after] {
            let read = wire.query("SELECT count(*) FROM notes").unwrap();
            assert_eq!(read.texts(), ["3"]);
        }
        assert!(!world.gateway.log().contains("rotated-"));
    }
}

#[test]
fn what_was_approved_in_one_session_passes_in_the_next() {
    let world = world(18);
    let sql = "INSERT INTO notes VALUES (77, 'approved')";
    let said = world.connect(WRITER, LEASED_PROD).query(sql).unwrap();
    let id = crate::holds::ticket_in(&said);
    crate::holds::approve(&world, crate::world::DBA, &id);
    let done = world.connect(WRITER, LEASED_PROD).query(sql).unwrap();
    assert_eq!(done.completed(), ["INSERT 0 1"], "{done:?}");
}

#[test]
fn a_maker_that_may_not_make_roles_is_a_matter_of_the_operators_alone() {
    let world = world(18);
    world.ask(&format!("ALTER ROLE {MAKER} NOCREATEROLE"));
    let Err(WireError::Refused(said)) = Wire::connect(&world.through(OWNER, LEASED)) else {
        panic!("it is let in");
    };
    assert_eq!(said.message(), "target \"leased\" cannot be reached");
    assert!(!format!("{said:?}").contains("role"), "{said:?}");
    let log = world.gateway.log();
    assert!(
        log.contains("a role for the session cannot be made") && log.contains("42501"),
        "{log}"
    );
    assert!(
        !log.contains("SCRAM-SHA-256$") && !log.contains("maker-"),
        "{log}"
    );
    world.ask(&format!(
        "ALTER ROLE {MAKER} CREATEROLE; ALTER ROLE \"{TEMPLATE}\" RENAME TO elsewhere"
    ));
    assert!(Wire::connect(&world.through(OWNER, LEASED)).is_err());
    assert!(
        world
            .gateway
            .log()
            .contains("no role \\\"shop agent\\\" to be a template")
            || world.gateway.log().contains("to be a template")
    );
    assert_eq!(roles(&world), [""; 0]);
}

#[test]
fn many_sessions_at_once_take_few_connections_more_and_leave_nothing() {
    let world = world(18);
    let logins: Vec<_> = (0..16).map(|_| world.through(READER, LEASED)).collect();
    std::thread::scope(|scope| {
        for login in &logins {
            scope.spawn(move || {
                for _ in 0..3 {
                    let mut wire = Wire::connect(login).unwrap();
                    assert_eq!(wire.query("SELECT 1").unwrap().texts(), ["1"]);
                }
            });
        }
        let own =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'brattice leases'";
        for _ in 0..20 {
            let most: u32 = world.ask(own).parse().unwrap();
            // One that is being closed may still be listed.
            assert!(most <= 6, "{most} connections of the gateway's own");
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    until("all of them are dropped", Duration::from_secs(10), || {
        roles(&world).is_empty()
    });
}

#[test]
fn a_session_of_a_target_that_left_the_bundle_is_given_back() {
    let world = world(18);
    let wire = world.connect(OWNER, LEASED);
    let bundle = world.gateway.read("brattice.toml").unwrap();
    let begins = format!("[targets.{LEASED}]");
    let (before, rest) = bundle.split_once(&begins).unwrap();
    let after = &rest[rest.find("\n[").unwrap()..];
    world
        .gateway
        .write("brattice.toml", &format!("{before}{after}"))
        .unwrap();
    let reloaded = world.gateway.reload(&world.token(SECURITY)).unwrap();
    assert_eq!(reloaded.status, 200, "{}", reloaded.text());
    drop(wire);
    all_gone(&world, "its target left the bundle");
}

/// Said, not asserted: a machine that others use as well tells no absolute times.
#[test]
fn opening_costs_a_few_statements_more() {
    let world = world(18);
    for (what, target) in [("fixed role", SHOP), ("role of its own", LEASED)] {
        drop(world.connect(READER, target));
        let token = world.token(READER);
        let login = world.gateway.login(&token, &format!("{target}/{DATABASE}"));
        let begun = Instant::now();
        for _ in 0..50 {
            let mut wire = Wire::connect(&login).unwrap();
            let read = wire.query("SELECT count(*) FROM notes").unwrap();
            assert_eq!(read.texts(), ["3"]);
        }
        println!("{what}: {:?} a session", begun.elapsed() / 50);
    }
    all_gone(&world, "all of them have ended");
    // The catalogue is read through one connection, whoever comes and goes.
    let reads = world
        .ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'brattice catalogue'");
    assert_eq!(reads, "2");
}
