//! Credentials that callers are lent: what each is good for, and nothing beyond.

use crate::world::{READER, SHOP, World};
use brattice_testkit::wire::{Login, Wire};
use serde_json::Value;

fn mint(world: &World, more: &[&str]) -> Login {
    let mut words = vec!["credential", "create", SHOP, "--format", "json"];
    words.extend(more);
    let said = world.gateway.cli(&words, &world.token(READER)).unwrap();
    assert!(said.status.success(), "{said:?}");
    let minted: Value = serde_json::from_slice(&said.stdout).unwrap();
    let text = |name: &str| minted[name].as_str().unwrap().to_owned();
    Login::new(
        world.gateway.port(),
        &text("user"),
        &text("password"),
        &text("database"),
    )
}

#[test]
fn a_credential_for_one_login_makes_one_whoever_races() {
    let world = World::of(18);
    let login = mint(&world, &["--single-use"]);
    let mut wire = Wire::connect(&login).unwrap();
    assert_eq!(wire.query("SELECT 1").unwrap().texts(), ["1"]);
    assert!(Wire::connect(&login).is_err(), "it opens a second session");
    // A wrong password uses nothing up.
    let login = mint(&world, &["--single-use"]);
    let guess = Login::new(
        world.gateway.port(),
        &login.user,
        "not-the-password",
        &login.database,
    );
    assert!(Wire::connect(&guess).is_err());
    let in_at_once: Vec<bool> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| Wire::connect(&login).is_ok()))
            .collect();
        racers.into_iter().map(|r| r.join().unwrap()).collect()
    });
    assert_eq!(
        in_at_once.iter().filter(|ok| **ok).count(),
        1,
        "{in_at_once:?}"
    );
    // Its benign twin opens as many as it likes.
    let login = mint(&world, &[]);
    assert!(Wire::connect(&login).is_ok() && Wire::connect(&login).is_ok());
}

#[test]
fn a_credential_is_good_from_where_it_was_bound_to() {
    let world = World::of(18);
    for (from, good) in [
        ("127.0.0.1", true),
        ("127.0.0.0/8", true),
        ("10.0.0.0/8", false),
        ("::1", false),
    ] {
        let login = mint(&world, &["--from", from]);
        assert_eq!(Wire::connect(&login).is_ok(), good, "{from}");
    }
    let both = mint(&world, &["--from", "10.0.0.7", "--from", "127.0.0.1"]);
    assert!(Wire::connect(&both).is_ok());
    for wrong in ["localhost", "10.0.0.0/33", "", "0x7f.1"] {
        let words = ["credential", "create", SHOP, "--from", wrong];
        let said = world.gateway.cli(&words, &world.token(READER)).unwrap();
        assert!(!said.status.success(), "{wrong}");
    }
}
