//! Secrets are where they must be and nowhere else: every one that is used here is looked for in everything that the
//! gateway writes, on disk and to whoever asks.

use crate::holds::{QUICK, world};
use crate::world::{AUDITOR, DBA, OWNER, READER, SECURITY, SHOP, WRITER, World};
use brattice_testkit::wire::{Wire, frames};
use std::fs;
use std::path::Path;

const ADMIN: crate::world::Who = crate::world::Who {
    name: "admin-agent",
    kind: "agent",
    groups: &["owners", "writers"],
};

#[test]
fn no_secret_is_found_where_it_must_not_be() {
    let mut world = world(18);
    let mut secrets: Vec<(String, String)> = vec![
        (
            "the role's password".to_owned(),
            world.role_password.clone(),
        ),
        (
            "the recordings' key".to_owned(),
            world.gateway.recording_key().to_owned(),
        ),
    ];
    let mut heard: Vec<(String, Vec<u8>)> = Vec::new();
    tokens(&world, &mut secrets, &mut heard);
    minted(&world, &mut secrets, &mut heard);
    literals(&world, &mut secrets, &mut heard);
    assert!(secrets.len() >= 50, "only {} canaries", secrets.len());

    let auditor = world.token(AUDITOR);
    for arguments in [
        ["audit", "tail", "-n", "1000"].as_slice(),
        &["sessions", "list"],
        &["approvals", "list", "--state", "all"],
    ] {
        let said = world.gateway.cli(arguments, &auditor).unwrap();
        heard.push((format!("{arguments:?}"), said.stdout));
        heard.push((format!("{arguments:?}"), said.stderr));
    }
    for page in ["/metrics", "/readyz", "/healthz"] {
        heard.push((page.to_owned(), world.gateway.page(page).unwrap().body));
    }
    world.gateway.stop().unwrap();
    files(world.gateway.dir(), &mut heard);
    assert!(
        heard.iter().any(|(place, _)| place.contains("recordings")),
        "no recording was looked into"
    );
    // That something can be found at all: what is no secret is on record.
    let canary = b"not_a_secret_at_all";
    assert!(heard.iter().any(|(_, text)| holds(text, canary)));

    let mut found = Vec::new();
    for (what, secret) in &secrets {
        for (place, text) in &heard {
            if holds(text, secret.as_bytes()) {
                found.push(format!("{what} in {place}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

fn holds(text: &[u8], secret: &[u8]) -> bool {
    text.windows(secret.len()).any(|w| w == secret)
}

fn tokens(world: &World, secrets: &mut Vec<(String, String)>, heard: &mut Vec<(String, Vec<u8>)>) {
    for who in [READER, WRITER, OWNER, DBA, AUDITOR, SECURITY] {
        for n in 0..3 {
            let token = world.token(who);
            // The signature is the secret part, and what proves the rest.
            let signature = token.rsplit('.').next().unwrap().to_owned();
            let login = world.gateway.login(&token, &format!("{SHOP}/app"));
            if let Ok(mut wire) = Wire::connect(&login) {
                let said = wire.query("SELECT 'not_a_secret_at_all'").unwrap();
                heard.push(("a reply".to_owned(), said.bytes()));
            }
            let reply = world
                .gateway
                .api("GET", "/api/v1/whoami", &token, None)
                .unwrap();
            heard.push(("a reply of the API".to_owned(), reply.body));
            // A broken one of the same kind, which is refused.
            let broken = format!("{token}broken{n}");
            let refused = Wire::connect(&world.gateway.login(&broken, &format!("{SHOP}/app")));
            heard.push(("a refusal".to_owned(), format!("{refused:?}").into_bytes()));
            secrets.push((format!("a token of {}", who.name), signature));
        }
    }
}

fn minted(world: &World, secrets: &mut Vec<(String, String)>, heard: &mut Vec<(String, Vec<u8>)>) {
    for _ in 0..3 {
        let token = world.token(READER);
        let mint = ["credential", "create", SHOP, "--format", "json"];
        let said = world.gateway.cli(&mint, &token).unwrap();
        let minted: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        let text = |name: &str| minted[name].as_str().unwrap().to_owned();
        let login = brattice_testkit::wire::Login::new(
            world.gateway.port(),
            &text("user"),
            &text("password"),
            &text("database"),
        );
        let mut wire = Wire::connect(&login).unwrap();
        let said = wire.query("SELECT 'not_a_secret_at_all'").unwrap();
        heard.push(("a reply".to_owned(), said.bytes()));
        secrets.push(("a minted password".to_owned(), text("password")));
    }
}

/// Statements with a secret in them: run, refused, held, not understood; by each protocol.
fn literals(
    world: &World,
    secrets: &mut Vec<(String, String)>,
    heard: &mut Vec<(String, Vec<u8>)>,
) {
    let shapes = [
        "ALTER ROLE other PASSWORD '{}'",
        "ALTER ROLE other WITH ENCRYPTED PASSWORD '{}' VALID UNTIL 'infinity'",
        "ALTER USER other PASSWORD $s${}$s$",
        "ALTER ROLE other PASSWORD E'{}'",
        "SELECT 1; ALTER ROLE other PASSWORD '{}'",
        "ALTER ROLE other PASSWORD '{}' this is not SQL",
        "ALTER ROLE other PASSWORD '{}",
    ];
    let agents = [(ADMIN, SHOP), (READER, SHOP), (ADMIN, QUICK)];
    for (who, target) in agents {
        for shape in shapes {
            for extended in [false, true] {
                let secret = format!("canary{:04}secret", secrets.len());
                let sql = shape.replace("{}", &secret);
                let mut wire = world.connect(who, target);
                let said = if extended {
                    wire.ask(&frames::extended(sql.as_bytes(), &[], 0))
                } else {
                    wire.query(&sql)
                };
                heard.push((format!("a reply to {shape}"), said.unwrap().bytes()));
                let name = format!("{shape} by {} on {target}, extended: {extended}", who.name);
                secrets.push((name, secret));
            }
        }
    }
}

fn files(dir: &Path, heard: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, heard);
        } else if let Ok(bytes) = fs::read(&path) {
            heard.push((path.display().to_string(), bytes));
        }
    }
}
