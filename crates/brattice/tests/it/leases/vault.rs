//! Credentials from a vault: a real OpenBao that makes users on a real PostgreSQL.

use super::{GONE_MAX, TEMPLATE, until};
use crate::world::{DATABASE, OWNER, READER, SHOP, World};
use brattice_testkit::bao::Bao;
use brattice_testkit::gateway::{GatewayOptions, TargetOptions};
use brattice_testkit::postgres::{Postgres, PostgresOptions};
use brattice_testkit::wire::{Wire, WireError};
use std::time::{Duration, Instant};

/// A target whose users the vault makes.
const ISSUED: &str = "issued";
/// The same with users that live for eight seconds, and for sixteen at most.
const BRIEF: &str = "brief";
/// A target whose password the vault keeps.
const KEPT: &str = "kept";

/// The shop with such targets, behind a gateway that logs in to the vault by an AppRole.
fn world(major: u8, bao: &Bao) -> World {
    World::start_behind(PostgresOptions::of(major), |postgres, bundle| {
        super::prepare(postgres, &format!("maker-{}", postgres.password()));
        fill(bao, postgres);
        let role_id = bao.cli(&[
            "read",
            "-field=role_id",
            "auth/approle/role/gateway/role-id",
        ]);
        let write = [
            "write",
            "-f",
            "-field=secret_id",
            "auth/approle/role/gateway/secret-id",
        ];
        bundle.environment.push(("BAO_ROLE".to_owned(), role_id));
        bundle
            .environment
            .push(("BAO_SECRET".to_owned(), bao.cli(&write)));
        bundle.more.push_str(&format!(
            "[vaults.corp]\naddress = \"{}\"\n\
             approle = {{ role_id = \"env:BAO_ROLE\", secret_id = \"env:BAO_SECRET\" }}\n\n",
            bao.address()
        ));
        add(bundle, ISSUED, "", "vault:corp/database/creds/agents");
        add(bundle, BRIEF, "", "vault:corp/database/creds/brief");
        let user = bundle.targets[0].user.clone();
        add(bundle, KEPT, &user, "vault:corp/secret/apps/shop#password");
    })
}

fn add(bundle: &mut GatewayOptions, name: &str, user: &str, password: &str) {
    let like = bundle.targets.iter().find(|t| t.name == SHOP).unwrap();
    let target = TargetOptions {
        name: name.to_owned(),
        user: user.to_owned(),
        password: password.to_owned(),
        ..like.clone()
    };
    bundle.targets.push(target);
}

/// What the guide tells the people who run the vault to do.
fn fill(bao: &Bao, postgres: &Postgres) {
    let policy = bao_policy(bao);
    bao.cli(&["policy", "write", "gateway", &policy]);
    bao.cli(&["auth", "enable", "approle"]);
    bao.cli(&[
        "write",
        "auth/approle/role/gateway",
        "token_policies=gateway",
        "token_ttl=20m",
        "token_max_ttl=1h",
    ]);
    bao.cli(&["secrets", "enable", "database"]);
    let url = format!(
        "connection_url=postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/{DATABASE}?sslmode=disable",
        postgres.port()
    );
    let password = format!("password={}", postgres.password());
    let user = format!("username={}", postgres.superuser());
    bao.cli(&[
        "write",
        "database/config/shop",
        "plugin_name=postgresql-database-plugin",
        "allowed_roles=*",
        "password_authentication=scram-sha-256",
        &url,
        &user,
        &password,
    ]);
    let create = format!(
        "creation_statements=CREATE ROLE \"{{{{name}}}}\" LOGIN PASSWORD '{{{{password}}}}' \
         VALID UNTIL '{{{{expiration}}}}' IN ROLE \"{TEMPLATE}\"; ALTER ROLE \"{{{{name}}}}\" SET role TO '{TEMPLATE}';"
    );
    let revoke = "revocation_statements=SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'; \
                  DROP ROLE IF EXISTS \"{{name}}\";";
    for (role, ttl, max) in [("agents", "1h", "24h"), ("brief", "8s", "16s")] {
        let role = format!("database/roles/{role}");
        let (ttl, max) = (format!("default_ttl={ttl}"), format!("max_ttl={max}"));
        bao.cli(&["write", &role, "db_name=shop", &create, revoke, &ttl, &max]);
    }
    let kept = format!("password=role-{}", postgres.password());
    bao.cli(&["kv", "put", "-mount=secret", "apps/shop", &kept]);
}

fn bao_policy(bao: &Bao) -> String {
    let rules = "path \"database/creds/*\" { capabilities = [\"read\"] }\n\
                 path \"secret/data/apps/*\" { capabilities = [\"read\"] }\n\
                 path \"sys/leases/renew\" { capabilities = [\"update\"] }\n\
                 path \"sys/leases/revoke\" { capabilities = [\"update\"] }\n";
    bao.keep("gateway.hcl", rules)
}

fn users(world: &World) -> String {
    world.ask("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'")
}

/// Nothing that a vault told is in the gateway's log or in what a caller hears.
fn tells_no_secret(world: &World, bao: &Bao, said: &str) {
    let log = world.gateway.log();
    let secret_id = world
        .gateway
        .options()
        .environment
        .iter()
        .find(|(n, _)| n == "BAO_SECRET");
    let mut secrets = vec![
        bao.root_token().to_owned(),
        format!("role-{}", world.postgres.password()),
    ];
    secrets.extend(secret_id.map(|(_, v)| v.clone()));
    for secret in &secrets {
        assert!(
            !log.contains(secret) && !said.contains(secret),
            "{log}\n{said}"
        );
    }
}

fn refused(world: &World, target: &str) -> String {
    let Err(WireError::Refused(said)) = Wire::connect(&world.through(READER, target)) else {
        panic!("it is let in");
    };
    assert_eq!(
        said.message(),
        format!("target \"{target}\" cannot be reached")
    );
    format!("{said:?}")
}

#[test]
fn a_vault_makes_a_user_for_each_session_and_takes_it_back() {
    for major in crate::world::majors() {
        let bao = Bao::start(false);
        let mut world = world(major, &bao);
        let mut wire = world.connect(READER, ISSUED);
        let read = wire
            .query("SELECT id, ssn FROM customers WHERE id = 1")
            .unwrap();
        assert_eq!(read.texts(), ["1|[masked:us_ssn]"]);
        let who = wire.query("SELECT session_user").unwrap().texts();
        assert!(who[0].starts_with("v-approle-"), "{who:?}");
        // The session's own, and that of the gateway's reader of the catalogue.
        assert_eq!(users(&world), "2");
        let mut other = world.connect(OWNER, ISSUED);
        assert_ne!(other.query("SELECT session_user").unwrap().texts(), who);
        assert_eq!(
            other.query("CREATE ROLE friend").unwrap().sqlstate(),
            "42501"
        );
        drop(other);
        drop(wire);
        until("both are taken back", GONE_MAX, || users(&world) == "1");

        // Killed with a session open: the next start finds what it had.
        let _wire = world.connect(READER, ISSUED);
        assert_eq!(users(&world), "2");
        world.gateway.kill();
        world.gateway.start_again().unwrap();
        until("they are swept", Duration::from_secs(5), || {
            users(&world) == "0"
        });

        let mut wire = world.connect(READER, ISSUED);
        wire.query("SELECT count(*) FROM notes").unwrap();
        assert_eq!(users(&world), "2");
        drop(wire);
        world.gateway.stop().unwrap();
        until("a stopped gateway leaves nothing", GONE_MAX, || {
            users(&world) == "0"
        });
        tells_no_secret(&world, &bao, "");
    }
}

#[test]
fn a_session_outlives_its_lease_only_while_it_is_renewed() {
    let bao = Bao::start(false);
    let world = world(18, &bao);
    let begun = Instant::now();
    let mut wire = world.connect(READER, BRIEF);
    // Beyond the eight seconds, which is only possible by renewal; at sixteen the vault renews no more.
    while begun.elapsed() < Duration::from_secs(11) {
        assert_eq!(
            wire.query("SELECT 1").unwrap().texts(),
            ["1"],
            "{:?}",
            begun.elapsed()
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    let (said, closed) = wire.drain(Duration::from_secs(8));
    assert!(closed, "it goes on after its lease");
    assert!(
        begun.elapsed() < Duration::from_secs(16),
        "{:?}",
        begun.elapsed()
    );
    let error = said.errors().pop().unwrap();
    assert_eq!(
        error.told("rule").as_deref(),
        Some("brattice.lease"),
        "{error:?}"
    );
    assert!(
        world
            .gateway
            .log()
            .contains("a lease runs out and was not renewed")
    );
}

#[test]
fn a_session_ends_before_the_token_that_its_user_was_taken_with() {
    let bao = Bao::start(false);
    let world = world(15, &bao);
    let role = "auth/approle/role/gateway";
    bao.cli(&[
        "write",
        role,
        "token_policies=gateway",
        "token_ttl=8s",
        "token_max_ttl=8s",
    ]);
    let begun = Instant::now();
    let mut wire = world.connect(READER, ISSUED);
    assert_eq!(wire.query("SELECT 1").unwrap().texts(), ["1"]);
    // The lease itself is good for an hour, and its token is not.
    let (said, closed) = wire.drain(Duration::from_secs(10));
    assert!(
        closed && begun.elapsed() < Duration::from_secs(10),
        "{said:?}"
    );
    let error = said.errors().pop().unwrap();
    assert_eq!(
        error.told("rule").as_deref(),
        Some("brattice.lease"),
        "{error:?}"
    );
    let mut next = world.connect(READER, ISSUED);
    assert_eq!(next.query("SELECT 1").unwrap().texts(), ["1"]);
}

#[test]
fn a_value_that_a_vault_keeps_is_read_anew_for_each_session() {
    let bao = Bao::start(true);
    let world = World::start_behind(PostgresOptions::of(18), |postgres, bundle| {
        let kept = format!("password=role-{}", postgres.password());
        bao.cli(&["kv", "put", "-mount=secret", "apps/shop", &kept]);
        let token = bao.keep("token", bao.root_token());
        bundle.more.push_str(&format!(
            "[vaults.corp]\naddress = \"{}\"\nca = \"{}\"\ntoken = \"file:{}\"\n\n",
            bao.address(),
            bao.ca().display(),
            token,
        ));
        let user = bundle.targets[0].user.clone();
        add(bundle, KEPT, &user, "vault:corp/secret/apps/shop#password");
        add(
            bundle,
            "fieldless",
            &user,
            "vault:corp/secret/apps/shop#pass",
        );
        add(
            bundle,
            "nowhere",
            &user,
            "vault:corp/secret/apps/other#password",
        );
    });
    let mut wire = world.connect(READER, KEPT);
    assert_eq!(wire.query("SELECT 1").unwrap().texts(), ["1"]);
    world.ask("SET log_statement = 'none'; ALTER ROLE shop_role PASSWORD 'rotated-4711'");
    refused(&world, KEPT);
    bao.cli(&[
        "kv",
        "put",
        "-mount=secret",
        "apps/shop",
        "password=rotated-4711",
    ]);
    let mut fresh = world.connect(READER, KEPT);
    assert_eq!(fresh.query("SELECT 1").unwrap().texts(), ["1"]);
    assert_eq!(
        wire.query("SELECT 1").unwrap().texts(),
        ["1"],
        "an open session goes on"
    );
    let said = refused(&world, "fieldless") + &refused(&world, "nowhere");
    let log = world.gateway.log();
    assert!(
        log.contains("the secret has no such field") && log.contains("it has nothing there"),
        "{log}"
    );
    assert!(!log.contains("rotated-4711") && !log.contains(bao.root_token()));
    assert!(!said.contains("vault"), "{said}");
}

#[test]
fn a_vault_that_denies_or_is_slow_sealed_or_gone_lets_nobody_in_and_says_why_to_the_operators() {
    let bao = Bao::start(false);
    let world = world(15, &bao);
    drop(world.connect(READER, KEPT));
    let mut said = String::new();
    let mut check = |what: &str| {
        said.push_str(&refused(&world, KEPT));
        let log = world.gateway.log();
        assert!(log.contains(what), "{what} is not in\n{log}");
    };
    // Allowed nothing: a new token is denied as the first was.
    bao.cli(&["policy", "delete", "gateway"]);
    check("it denied the request");
    bao.freeze(true);
    check("it did not answer: it took too long");
    bao.freeze(false);
    bao.cli(&["operator", "seal"]);
    check("it is sealed or not ready");
    let log = world.gateway.log();
    assert!(
        log.contains("vault:corp/secret/apps/shop#password"),
        "{log}"
    );
    assert!(!said.contains("vault"), "{said}");
    tells_no_secret(&world, &bao, &said);
    // The shop itself needs no vault.
    drop(world.connect(READER, SHOP));
    drop(bao);
    let said = refused(&world, KEPT);
    assert!(
        world.gateway.log().matches("it did not answer").count() >= 2,
        "{said}"
    );
}

#[test]
fn a_platforms_token_logs_in_and_a_namespace_is_kept_to() {
    let bao = Bao::start(false);
    let jwt = bao.keep("jwt", "not one yet");
    let world = World::start_behind(PostgresOptions::of(15), |postgres, bundle| {
        let issuer = bundle.issuers[0].1.clone();
        bao.cli(&["namespace", "create", "team"]);
        let policy = bao.keep(
            "team.hcl",
            "path \"kept/data/shop\" { capabilities = [\"read\"] }",
        );
        let jwks = format!("jwks_url={}/keys", issuer.trim_end_matches('/'));
        let kept = format!("password=role-{}", postgres.password());
        for command in [
            &["secrets", "enable", "-path=kept", "-version=2", "kv"][..],
            &["kv", "put", "-mount=kept", "shop", &kept],
            &["policy", "write", "gateway", &policy],
            &["auth", "enable", "jwt"],
            &["write", "auth/jwt/config", &jwks],
            &[
                "write",
                "auth/jwt/role/gateway",
                "role_type=jwt",
                "user_claim=sub",
                "bound_audiences=brattice",
                "token_policies=gateway",
            ],
        ] {
            let mut arguments = vec![command[0]];
            // The namespace goes behind the words of the command and before its arguments.
            let words = if matches!(command[0], "write") { 1 } else { 2 };
            arguments.extend(&command[1..words]);
            arguments.push("-namespace=team");
            arguments.extend(&command[words..]);
            bao.cli(&arguments);
        }
        bundle.more.push_str(&format!(
            "[vaults.team]\naddress = \"{}\"\nnamespace = \"team\"\n\
             jwt = {{ mount = \"jwt\", role = \"gateway\", token = \"file:{jwt}\" }}\n\n",
            bao.address()
        ));
        let user = bundle.targets[0].user.clone();
        add(bundle, KEPT, &user, "vault:team/kept/shop#password");
    });
    refused(&world, KEPT);
    // The platform gives another one in time; nobody tells the gateway.
    bao.keep("jwt", &world.token(READER));
    let mut wire = world.connect(READER, KEPT);
    assert_eq!(wire.query("SELECT 1").unwrap().texts(), ["1"]);
    assert!(!world.gateway.log().contains("not one yet"));
}
