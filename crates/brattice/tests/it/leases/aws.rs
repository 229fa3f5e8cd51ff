//! Credentials from AWS: secrets that moto keeps and whose requests it checks, and logins at RDS that AWS's own library
//! recomputes before a real PostgreSQL is reached.

use super::{GONE_MAX, MAKER, TEMPLATE, roles, until};
use crate::world::{READER, ROLE, SHOP, WRITER, World};
use brattice_testkit::aws::Aws;
use brattice_testkit::gateway::{GatewayOptions, TargetOptions};
use brattice_testkit::postgres::{Auth, Postgres, PostgresOptions};
use brattice_testkit::wire::{Wire, WireError};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A target whose user and password one secret names.
const BOTH: &str = "both";
/// One whose password a secret has.
const KEPT: &str = "kept";
/// One whose sessions have roles of their own, made by whom a secret names.
const LEASED: &str = "leased";
/// One at which the gateway logs in as RDS wants it.
const RDS: &str = "rds";

const READ: &str = "SELECT id, ssn FROM customers WHERE id = 1";
const SESSION_TOKEN: &str = "FwoGZXIvYXdzEJr//////////wEaDHNlc3Npb24+dG9rZW4=";

fn add(bundle: &mut GatewayOptions, name: &str, user: &str, password: &str, more: &str) {
    let like = bundle.targets.iter().find(|t| t.name == SHOP).unwrap();
    let target = TargetOptions {
        name: name.to_owned(),
        user: user.to_owned(),
        password: password.to_owned(),
        more: more.to_owned(),
        ..like.clone()
    };
    bundle.targets.push(target);
}

fn credentials(user: &str, password: &str) -> String {
    json!({"engine": "postgres", "username": user, "password": password}).to_string()
}

fn over_tls(aws: &Aws, postgres: &Postgres) -> String {
    let own = postgres.server_certificate().unwrap();
    let order = json!({"do": "tls", "certificate": own.certificate, "key": own.key});
    aws.tell(order)["address"].as_str().unwrap().to_owned()
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

/// The shop over TLS, with secrets that somebody with a policy of IAM may read.
fn world_with_secrets(aws: &Aws) -> World {
    let options = PostgresOptions {
        tls: true,
        ..PostgresOptions::default()
    };
    World::start_behind(options, |postgres, bundle| {
        let maker = format!("maker-{}", postgres.password());
        super::prepare(postgres, &maker);
        let role = format!("role-{}", postgres.password());
        aws.put("shop/both", &credentials(ROLE, &role));
        aws.put("shop/maker", &credentials(MAKER, &maker));
        let kept = aws.put("shop/kept", &json!({"pw": role}).to_string());
        let reader = aws.tell(json!({"do": "user", "name": "gateway", "reads": true}));
        aws.tell(json!({"do": "check", "on": true}));
        let ca = postgres.ca_certificate().unwrap();
        for target in &mut bundle.targets {
            target.tls = format!("mode = \"verify-full\", ca = \"{}\"", ca.display());
        }
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        for (name, part) in [
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ] {
            bundle
                .environment
                .push((name.to_owned(), text(&reader[part])));
        }
        let keys = "keys = { access_key_id = \"env:AWS_ACCESS_KEY_ID\", \
                    secret_access_key = \"env:AWS_SECRET_ACCESS_KEY\" }";
        let address = over_tls(aws, postgres);
        bundle.more.push_str(&format!(
            "[aws.main]\nregion = \"eu-central-1\"\n{keys}\nca = \"{}\"\n\
             endpoints = {{ secretsmanager = \"{address}\" }}\n\n\
             [aws.untrusted]\nregion = \"eu-central-1\"\n{keys}\n\
             endpoints = {{ secretsmanager = \"{address}\" }}\n\n",
            ca.display()
        ));
        add(bundle, BOTH, "", "aws:main/shop/both", "");
        add(
            bundle,
            KEPT,
            ROLE,
            &format!("aws:main/{}#pw", text(&kept["arn"])),
            "",
        );
        add(bundle, "keyless", ROLE, "aws:main/shop/kept#password", "");
        add(bundle, "nowhere", ROLE, "aws:main/shop/none#pw", "");
        add(bundle, "untrusted", ROLE, "aws:untrusted/shop/kept#pw", "");
        let template = format!("ephemeral = {{ template = \"{TEMPLATE}\" }}");
        add(bundle, LEASED, "", "aws:main/shop/maker", &template);
    })
}

#[test]
fn a_rotated_secret_is_read_anew_and_nobody_notices() {
    let aws = Aws::start();
    let world = world_with_secrets(&aws);
    for target in [BOTH, KEPT] {
        let mut wire = world.connect(READER, target);
        assert_eq!(wire.query(READ).unwrap().texts(), ["1|[masked:us_ssn]"]);
    }
    let mut open = world.connect(READER, BOTH);
    drop(world.connect(WRITER, LEASED));
    until("its role is dropped", GONE_MAX, || roles(&world).is_empty());
    aws.asked();
    drop(world.connect(READER, BOTH));
    assert_eq!(aws.asked(), [""; 0], "it is kept for a minute");

    // As rotation does it, user for user: the target takes the old passwords no longer.
    world.ask(&format!(
        "SET log_statement = 'none'; ALTER ROLE {ROLE} PASSWORD 'rotated-4711'; \
         ALTER ROLE {MAKER} PASSWORD 'rotated-4712'; CREATE ROLE shop_b LOGIN SUPERUSER PASSWORD 'rotated-4713'; \
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{MAKER}'"
    ));
    refused(&world, BOTH);
    aws.put("shop/both", &credentials("shop_b", "rotated-4713"));
    aws.put("shop/kept", "{\"pw\": \"rotated-4711\"}");
    aws.put("shop/maker", &credentials(MAKER, "rotated-4712"));
    aws.asked();
    for (target, user) in [(BOTH, "shop_b"), (KEPT, ROLE)] {
        let mut wire = world.connect(READER, target);
        let who = wire.query("SELECT session_user").unwrap();
        assert_eq!(who.texts(), [user]);
    }
    let mut leased = world.connect(WRITER, LEASED);
    assert_eq!(leased.query("SELECT 1").unwrap().texts(), ["1"]);
    assert_eq!(aws.asked(), ["GetSecretValue"; 3], "each once");
    assert_eq!(
        open.query("SELECT 1").unwrap().texts(),
        ["1"],
        "an open session goes on"
    );
    drop(leased);
    until("its role is dropped", GONE_MAX, || roles(&world).is_empty());

    let said: String = ["keyless", "nowhere", "untrusted"]
        .map(|target| refused(&world, target))
        .concat();
    aws.tell(json!({"do": "check", "on": false}));
    aws.end();
    // What is kept is good for a while, and nothing is read any more.
    drop(world.connect(READER, BOTH));
    let log = world.gateway.log();
    for what in [
        "the secret has no key `password`",
        "there is no such secret",
        "aws:untrusted/shop/kept#pw: it did not answer: ",
    ] {
        assert!(log.contains(what), "{what} is not in\n{log}");
    }
    let secret_key = world.gateway.options().environment.iter();
    let secret_key = secret_key
        .filter(|(n, _)| n.starts_with("AWS_SECRET"))
        .map(|(_, v)| v.as_str());
    for secret in secret_key.chain(["rotated-47", "role-", "maker-"]) {
        assert!(
            !log.contains(secret) && !said.contains(secret),
            "{log}\n{said}"
        );
    }
    assert!(!said.contains("aws") && !said.contains("secret"), "{said}");
}

/// The shop behind a door as RDS has it. Nobody else is asked for a password there.
fn world_at_rds(major: u8, aws: &Aws) -> (World, Value) {
    let options = PostgresOptions {
        tls: true,
        auth: Auth::Trust,
        ..PostgresOptions::of(major)
    };
    let mut door = Value::Null;
    let world = World::start_behind(options, |postgres, bundle| {
        let own = postgres.server_certificate().unwrap();
        let socket = postgres
            .socket_dir()
            .join(format!(".s.PGSQL.{}", postgres.port()));
        door = aws.tell(json!({
            "do": "door", "certificate": own.certificate, "key": own.key, "behind": socket,
            "keys": keys("s3cret/of+the/access/key"),
        }));
        let ca = postgres.ca_certificate().unwrap();
        for target in &mut bundle.targets {
            target.tls = format!("mode = \"verify-full\", ca = \"{}\"", ca.display());
        }
        for (name, value) in [
            ("RDS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
            ("RDS_KEY", "s3cret/of+the/access/key"),
            ("RDS_TOKEN", SESSION_TOKEN),
            ("BRATTICE_LOG", "trace,rustls=info"),
        ] {
            bundle.environment.push((name.to_owned(), value.to_owned()));
        }
        bundle.more.push_str(
            "[aws.main]\nregion = \"eu-central-1\"\n\
             keys = { access_key_id = \"env:RDS_KEY_ID\", secret_access_key = \"env:RDS_KEY\", session_token = \"env:RDS_TOKEN\" }\n\n",
        );
        add(bundle, RDS, ROLE, "rds-iam:main", "");
        let rds = bundle.targets.last_mut().unwrap();
        rds.port = u16::try_from(door["port"].as_u64().unwrap()).unwrap();
    });
    (world, door["door"].clone())
}

fn keys(secret: &str) -> Value {
    json!({"id": "ASIAIOSFODNN7EXAMPLE", "secret": secret, "token": SESSION_TOKEN, "region": "eu-central-1"})
}

fn seen(aws: &Aws, door: &Value) -> Vec<Value> {
    let said = aws.tell(json!({"do": "door_saw", "door": door}));
    said["seen"].as_array().unwrap().clone()
}

#[test]
fn each_login_at_rds_is_signed_anew_and_taken_by_what_awss_own_library_makes_of_it() {
    for major in crate::world::majors() {
        let aws = Aws::start();
        let (world, door) = world_at_rds(major, &aws);
        let mut wire = world.connect(READER, RDS);
        assert_eq!(wire.query(READ).unwrap().texts(), ["1|[masked:us_ssn]"]);
        let who = wire.query("SELECT session_user").unwrap();
        assert_eq!(who.texts(), [ROLE]);
        std::thread::sleep(Duration::from_millis(1100));
        drop(world.connect(READER, RDS));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let logins = seen(&aws, &door);
        // The two sessions', and that of the gateway's reader of the catalogue.
        assert!(logins.len() >= 3, "{logins:?}");
        let mut signed: Vec<f64> = Vec::new();
        for login in &logins {
            assert_eq!(
                (&login["good"], &login["user"]),
                (&json!(true), &json!(ROLE)),
                "{login}"
            );
            signed.push(login["at"].as_f64().unwrap());
            assert!(
                now.as_secs_f64() - signed[signed.len() - 1] < 60.0,
                "{login}"
            );
        }
        assert!(
            signed.first() < signed.last(),
            "the second is not the first: {signed:?}"
        );

        // Who may come in is another now: refused, and not tried a second time.
        let count = logins.len();
        let other = json!({"do": "door_keys", "door": door, "keys": keys("an0ther/key")});
        aws.tell(other);
        let said = refused(&world, RDS);
        let logins = seen(&aws, &door);
        assert_eq!(logins.len(), count + 1);
        assert_eq!(logins.last().unwrap()["good"], false);
        let log = world.gateway.log();
        assert!(
            log.contains("the target refused the login with SQLSTATE 28000"),
            "{log}"
        );
        // Not even where everything is logged.
        assert!(log.contains("TRACE"), "{log}");
        for secret in [
            "s3cret/of",
            "s3cret%2Fof",
            SESSION_TOKEN,
            "FwoGZXIv",
            "X-Amz-Signature=",
            "Action=connect",
        ] {
            assert!(
                !log.contains(secret) && !said.contains(secret),
                "{secret} is in\n{log}\n{said}"
            );
        }
    }
}
