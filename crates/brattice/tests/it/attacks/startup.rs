//! Attacks before the first command: start-up parameters, encodings, replication, keys of others.

use super::{Arena, SOON, all_good, goes_on, is_ours, refused_login};
use crate::world::{READER, SHOP, majors};
use brattice_testkit::wire::{Login, Wire, frames};

/// A parameter, and a query whose answer shows that it worked.
const PARAMETERS: &[(&str, &str, &str, &str, &str)] = &[
    ("PG14", "role", "other", "SELECT current_user", "other"),
    (
        "PG14",
        "options",
        "-c role=other",
        "SELECT current_user",
        "other",
    ),
    (
        "PG14",
        "options",
        "--role=other",
        "SELECT current_user",
        "other",
    ),
    (
        "PG14",
        "options",
        "-crole=other",
        "SELECT current_user",
        "other",
    ),
    (
        "PG14",
        "options",
        "-c statement_timeout=1s --ro\\le=other",
        "SELECT current_user",
        "other",
    ),
    (
        "PG14",
        "session_replication_role",
        "replica",
        "SHOW session_replication_role",
        "replica",
    ),
    ("PG15", "search_path", "evil", "SHOW search_path", "evil"),
    (
        "PG15",
        "options",
        "-c search_path=evil,public",
        "SHOW search_path",
        "evil",
    ),
    (
        "PG19",
        "standard_conforming_strings",
        "off",
        "SHOW standard_conforming_strings",
        "off",
    ),
    (
        "PG19",
        "Standard_Conforming_Strings",
        "off",
        "SHOW standard_conforming_strings",
        "off",
    ),
    (
        "PG19",
        "options",
        "-c standard_conforming_strings=off",
        "SHOW standard_conforming_strings",
        "off",
    ),
    (
        "PG19",
        "options",
        "-c standard-conforming-strings=off",
        "SHOW standard_conforming_strings",
        "off",
    ),
    (
        "PG19",
        "backslash_quote",
        "on",
        "SHOW backslash_quote",
        "on",
    ),
    (
        "PG19",
        "transform_null_equals",
        "on",
        "SHOW transform_null_equals",
        "on",
    ),
    (
        "PG20",
        "client_encoding",
        "SJIS",
        "SHOW client_encoding",
        "SJIS",
    ),
    (
        "PG20",
        "client_encoding",
        "GBK",
        "SHOW client_encoding",
        "GBK",
    ),
    (
        "PG20",
        "options",
        "-c client_encoding=BIG5",
        "SHOW client_encoding",
        "BIG5",
    ),
    ("PG23", "replication", "database", "IDENTIFY_SYSTEM", "app"),
    ("PG23", "replication", "true", "IDENTIFY_SYSTEM", "|"),
    (
        "settings",
        "local_preload_libraries",
        "",
        "SHOW local_preload_libraries",
        "",
    ),
    (
        "settings",
        "options",
        "-c log_statement=none",
        "SHOW log_statement",
        "none",
    ),
    (
        "settings",
        "options",
        "-c allow_system_table_mods=on",
        "SHOW allow_system_table_mods",
        "on",
    ),
];

#[test]
fn parameters_that_change_who_or_how_are_refused() {
    let mut wrong = Vec::new();
    for major in majors() {
        let arena = Arena::of(major);
        for (id, name, value, query, shown) in PARAMETERS {
            let mut note =
                |what: String| wrong.push(format!("- {major} {id} {name}={value}: {what}"));
            match Wire::connect(&arena.world.direct().with(name, value)) {
                Ok(mut wire) => {
                    let answer = wire.query(query).unwrap();
                    if !answer.texts().iter().any(|t| t.contains(shown)) {
                        note(format!("does not work directly: {answer:?}"));
                    }
                }
                Err(error) => note(format!("does not work directly: {error}")),
            }
            let login = arena.world.through(READER, SHOP).with(name, value);
            match refused_login(&login) {
                Ok(fields) if is_ours(&fields) => {}
                Ok(fields) => note(format!("refused without saying why: {fields}")),
                Err(what) => note(what),
            }
        }
    }
    all_good(&wrong);
}

#[test]
fn parameters_of_ordinary_clients_pass() {
    let mut wrong = Vec::new();
    let benign = [
        ("application_name", "twin", "SHOW application_name"),
        ("client_encoding", "UTF8", "SHOW client_encoding"),
        ("client_encoding", "'utf-8'", "SHOW client_encoding"),
        ("DateStyle", "ISO", "SHOW datestyle"),
        ("TimeZone", "Europe/Paris", "SHOW timezone"),
        ("extra_float_digits", "2", "SHOW extra_float_digits"),
        (
            "options",
            "-c statement_timeout=5s",
            "SHOW statement_timeout",
        ),
        ("search_path", "public", "SHOW search_path"),
        (
            "standard_conforming_strings",
            "on",
            "SHOW standard_conforming_strings",
        ),
    ];
    for major in majors() {
        let arena = Arena::of(major);
        for (name, value, query) in benign {
            let login = arena.world.through(READER, SHOP).with(name, value);
            match Wire::connect(&login) {
                Ok(mut wire) => {
                    let answer = wire.query(query).unwrap();
                    if answer.rows().len() != 1 {
                        wrong.push(format!("- {major} {name}={value}: {answer:?}"));
                    }
                }
                Err(error) => wrong.push(format!("- {major} {name}={value}: {error}")),
            }
        }
    }
    all_good(&wrong);
}

/// PG20: bytes that are one character there and a quote here.
#[test]
fn text_in_another_encoding_is_refused() {
    let mut arena = Arena::of(18);
    let sjis: &[u8] = b"SELECT E'\x95\x5c'; DELETE FROM notes; --'";
    let gbk: &[u8] = b"SELECT E'\xbf\x5c'; DELETE FROM notes; --'";
    for (encoding, text) in [("SJIS", sjis), ("GBK", gbk)] {
        let login = arena.world.direct().with("client_encoding", encoding);
        let answer = Wire::connect(&login)
            .unwrap()
            .ask(&frames::query(text))
            .unwrap();
        assert!(
            !arena.is_unchanged(),
            "{encoding} does not work directly: {answer:?}"
        );
        arena.renew();
        let mut wire = arena.world.connect(READER, SHOP);
        let set = wire
            .query(&format!("SET client_encoding = '{encoding}'"))
            .unwrap();
        assert!(set.errors().iter().any(is_ours), "{set:?}");
        let answer = wire.ask(&frames::query(text)).unwrap();
        assert!(answer.errors().iter().any(is_ours), "{answer:?}");
        goes_on(&mut wire).unwrap();
        assert!(arena.is_unchanged());
    }
}

/// PG27: nobody cancels another's query; one's own is cancelled on the server.
#[test]
fn only_the_own_key_cancels() {
    let arena = Arena::of(18);
    let running = || {
        let count = arena.world.ask(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT count(*) FROM generate_series%'",
        );
        count != "0"
    };
    let long = "SELECT count(*) FROM generate_series(1, 2000000000) AS n";
    let mut victim = arena.world.connect(READER, SHOP);
    let (pid, secret) = victim.cancel_key().unwrap();
    let server_key = arena.world.connect_directly().cancel_key().unwrap();
    assert_ne!(secret, server_key.1);
    victim.send(&frames::query(long.as_bytes())).unwrap();
    wait_for(running);
    let cancel = |pid: u32, secret: &[u8]| {
        let mut wire = Wire::open(arena.world.gateway.port()).unwrap();
        wire.send(&frames::cancel(pid, secret)).unwrap();
        assert!(wire.closes(SOON));
    };
    let mut guess = secret.clone();
    for bit in 0..8 {
        guess[0] = secret[0] ^ (1 << bit);
        cancel(pid, &guess);
    }
    cancel(pid.wrapping_add(1), &secret);
    cancel(pid, &[]);
    let other = arena.world.connect(READER, SHOP).cancel_key().unwrap();
    cancel(other.0, &other.1);
    assert!(running(), "another's key cancelled it");
    // Guesses from one address are slowed; the owner is heard again a little later.
    for _ in 0..60 {
        cancel(pid, &secret);
        if !running() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    let answer = victim.until_ready().unwrap();
    assert_eq!(answer.sqlstate(), "57014", "{answer:?}");
    goes_on(&mut victim).unwrap();
}

fn wait_for(mut condition: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + SOON;
    while !condition() {
        assert!(std::time::Instant::now() < until, "it did not come about");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// A password that is none, users that are not there, targets that are not there: all alike.
#[test]
fn wrong_proofs_are_refused_alike() {
    let arena = Arena::of(18);
    let port = arena.world.gateway.port();
    let token = arena.world.token(READER);
    let mut unsigned = token.clone();
    unsigned.pop();
    for (password, database) in [
        ("", "shop/app"),
        ("wrong", "shop/app"),
        (unsigned.as_str(), "shop/app"),
        (arena.world.role_password.as_str(), "shop/app"),
        (token.as_str(), "nowhere/app"),
        (token.as_str(), "shop/postgres"),
        (token.as_str(), "shop/app/more"),
        (token.as_str(), "app"),
        (token.as_str(), ""),
    ] {
        let login = Login::new(port, "agent", password, database);
        let fields = refused_login(&login).unwrap();
        assert!(is_ours(&fields), "{database}: {fields}");
        assert!(!fields.to_string().contains(&arena.world.role_password));
    }
}
