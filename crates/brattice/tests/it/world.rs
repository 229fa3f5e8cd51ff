//! What the cases play on: a PostgreSQL with a shop in it, an identity provider, and the gateway between.
//!
//! Here live starting them, the people and agents, and the logins, straight and through the gateway. The role that the
//! gateway uses is a superuser, so that nothing but the gateway stands in an attack's way. Nothing here checks anything.

use brattice_testkit::gateway::{Gateway, GatewayOptions, TargetOptions};
use brattice_testkit::idp::Idp;
use brattice_testkit::postgres::{Postgres, PostgresOptions};
use brattice_testkit::wire::{Login, Wire};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;

/// The role that the gateway logs in with. Its password is random, so that finding it anywhere proves a leak.
pub const ROLE: &str = "shop_role";
/// The database.
pub const DATABASE: &str = "app";
/// A target whose writes nobody has to approve.
pub const SHOP: &str = "shop";
/// The same server as a target of production: writes wait for a DBA.
pub const PROD: &str = "prod";

/// Somebody with a token.
#[derive(Debug, Clone, Copy)]
pub struct Who {
    /// The subject.
    pub name: &'static str,
    /// `agent` or `user`.
    pub kind: &'static str,
    /// Groups without the issuer's name.
    pub groups: &'static [&'static str],
}

/// Reads, and nothing else.
pub const READER: Who = Who {
    name: "reader-1",
    kind: "agent",
    groups: &["agents"],
};
/// Reads, inserts and updates; deletes nothing.
pub const WRITER: Who = Who {
    name: "writer-1",
    kind: "agent",
    groups: &["agents", "writers"],
};
/// May do everything that has a name and sees everything unmasked: the gateway must not be noticed.
pub const OWNER: Who = Who {
    name: "owner-1",
    kind: "agent",
    groups: &["owners"],
};
/// Approves.
pub const DBA: Who = Who {
    name: "dana",
    kind: "user",
    groups: &["dba"],
};
/// Approves as well.
pub const OTHER_DBA: Who = Who {
    name: "omar",
    kind: "user",
    groups: &["dba"],
};
/// Reads records.
pub const AUDITOR: Who = Who {
    name: "avery",
    kind: "user",
    groups: &["auditors"],
};
/// Governs: reloads bundles, revokes.
pub const SECURITY: Who = Who {
    name: "sasha",
    kind: "user",
    groups: &["security"],
};

/// A server, a provider and the gateway. Dropped in this order: clients of a server before the server.
pub struct World {
    pub gateway: Gateway,
    pub postgres: Postgres,
    pub idp: Idp,
    pub role_password: String,
    // Answers the provider's requests until the world ends.
    _runtime: Runtime,
}

impl World {
    /// On a server of this major version, by the usual bundle.
    pub fn of(major: u8) -> World {
        World::start(PostgresOptions::of(major), |_| {})
    }

    /// The same with the bundle changed before the gateway starts.
    pub fn start(options: PostgresOptions, change: impl FnOnce(&mut GatewayOptions)) -> World {
        World::start_with(options, change, |bundle| Gateway::start(bundle).unwrap())
    }

    /// The same with the gateway started by this.
    pub fn start_with(
        options: PostgresOptions,
        change: impl FnOnce(&mut GatewayOptions),
        start: impl FnOnce(GatewayOptions) -> Gateway,
    ) -> World {
        World::set(options, |_, bundle| change(bundle), start)
    }

    /// The same with the bundle made to fit the server that it stands in front of.
    pub fn start_behind(
        options: PostgresOptions,
        change: impl FnOnce(&Postgres, &mut GatewayOptions),
    ) -> World {
        World::set(options, change, |bundle| Gateway::start(bundle).unwrap())
    }

    fn set(
        options: PostgresOptions,
        change: impl FnOnce(&Postgres, &mut GatewayOptions),
        start: impl FnOnce(GatewayOptions) -> Gateway,
    ) -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let idp = runtime.block_on(Idp::start()).unwrap();
        let postgres = Postgres::start(options).unwrap();
        let role_password = format!("role-{}", postgres.password());
        fill(&postgres, &role_password);
        let mut bundle = bundle(&idp, &postgres, &role_password);
        change(&postgres, &mut bundle);
        let gateway = start(bundle);
        World {
            gateway,
            postgres,
            idp,
            role_password,
            _runtime: runtime,
        }
    }

    /// A fresh token, good for an hour.
    pub fn token(&self, who: Who) -> String {
        self.token_for(who, 3600)
    }

    /// A fresh token, good for so many seconds.
    pub fn token_for(&self, who: Who, seconds: i64) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = now();
        self.idp
            .token(now)
            .claim("sub", who.name)
            .claim("kind", who.kind)
            .claim("groups", json!(who.groups))
            .claim("exp", now + seconds)
            .claim(
                "jti",
                format!("{}-{}", who.name, COUNT.fetch_add(1, Ordering::Relaxed)),
            )
            .sign()
            .unwrap()
    }

    /// Straight at the server, as the gateway's own role: what an attack does where nothing stops it.
    pub fn direct(&self) -> Login {
        Login::new(self.postgres.port(), ROLE, &self.role_password, DATABASE)
    }

    /// Through the gateway.
    pub fn through(&self, who: Who, target: &str) -> Login {
        self.gateway
            .login(&self.token(who), &format!("{target}/{DATABASE}"))
    }

    /// A connection through the gateway.
    pub fn connect(&self, who: Who, target: &str) -> Wire {
        Wire::connect(&self.through(who, target)).unwrap()
    }

    /// A connection straight at the server.
    pub fn connect_directly(&self) -> Wire {
        Wire::connect(&self.direct()).unwrap()
    }

    /// What the server itself answers its superuser: rows a line each, cells joined by `|`.
    pub fn ask(&self, sql: &str) -> String {
        self.postgres.psql(DATABASE, sql).unwrap()
    }

    /// The shop as it was at the beginning.
    pub fn refill(&self) {
        self.ask(&World::shop());
    }

    /// What makes it so.
    pub fn shop() -> String {
        format!("SET ROLE {ROLE};\n{}", include_str!("shop.sql"))
    }
}

/// The versions to run on: 15 and 18, or all that the full suite asks for.
pub fn majors() -> Vec<u8> {
    brattice_testkit::postgres::majors().unwrap()
}

/// Seconds since the epoch.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn fill(postgres: &Postgres, role_password: &str) {
    let roles = format!(
        "SET log_statement = 'none'; SET log_min_error_statement = 'panic';\n\
         CREATE ROLE {ROLE} SUPERUSER LOGIN PASSWORD '{role_password}'; CREATE ROLE other;\n\
         CREATE DATABASE {DATABASE} OWNER {ROLE};"
    );
    postgres.psql("postgres", &roles).unwrap();
    postgres.psql(DATABASE, &World::shop()).unwrap();
}

fn bundle(idp: &Idp, postgres: &Postgres, role_password: &str) -> GatewayOptions {
    let target = |name: &str, env: &str| TargetOptions {
        name: name.to_owned(),
        port: postgres.port(),
        user: ROLE.to_owned(),
        password: role_password.to_owned(),
        database: DATABASE.to_owned(),
        tls: "mode = \"disable\"".to_owned(),
        labels: vec![
            ("env".to_owned(), env.to_owned()),
            ("team".to_owned(), "shop".to_owned()),
        ],
        more: String::new(),
    };
    let columns = |column: &str| {
        format!(
            "columns = [\"{SHOP}/{DATABASE}/public.customers.{column}\", \
             \"{PROD}/{DATABASE}/public.customers.{column}\"]\n\n"
        )
    };
    GatewayOptions {
        binary: env!("CARGO_BIN_EXE_brattice").into(),
        tls: true,
        admin_tls: false,
        issuers: vec![("dev".to_owned(), idp.issuer().to_owned())],
        targets: vec![target(SHOP, "test"), target(PROD, "production")],
        hosts: Vec::new(),
        more: format!(
            "[classes.us_ssn]\n{}[classes.payment_card]\n{}",
            columns("ssn"),
            columns("card")
        ),
        policies: vec![(
            "policies/shop.cedar".to_owned(),
            include_str!("shop.cedar").to_owned(),
        )],
        environment: Vec::new(),
    }
}

#[test]
fn a_reader_reads_through_the_gateway_and_sees_masks() {
    for major in majors() {
        let world = World::of(major);
        let straight = world
            .connect_directly()
            .query("SELECT id, ssn FROM customers WHERE id = 1")
            .unwrap();
        assert_eq!(straight.texts(), ["1|219-09-9991"]);
        let through = world
            .connect(READER, SHOP)
            .query("SELECT id, ssn FROM customers WHERE id = 1")
            .unwrap();
        assert_eq!(through.texts(), ["1|[masked:us_ssn]"], "{through:?}");
    }
}
