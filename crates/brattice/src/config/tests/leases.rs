//! Credentials of a session's own, and vaults.

use super::*;
use crate::config::checked::VaultLogin;

const PASSWORD: &str = "user = \"brattice\"\npassword = \"env:ORDERS_DB_PASSWORD\"\n";

/// The minimal bundle with another credential, and with these tables.
fn with(credential: &str, tables: &str) -> String {
    format!("{}\n{tables}", MINIMAL.replace(PASSWORD, credential))
}

const VAULT: &str =
    "[vaults.corp]\naddress = \"https://vault.example.com\"\ntoken = \"file:/run/token\"\n";

#[test]
fn a_vault_keeps_a_value_or_makes_a_user() {
    let kept = "user = \"app\"\npassword = \"vault:corp/secret/apps/orders#password\"\n";
    let bundle = checked(&with(kept, VAULT)).unwrap();
    let target = &bundle.targets["orders-db"];
    assert!(matches!(
        &target.credential,
        TargetCredential::Password(SecretSource::Vault(path)) if path.field.as_deref() == Some("password")
    ));
    let made = "password = \"vault:corp/database/creds/orders\"\n";
    let bundle = checked(&with(made, VAULT)).unwrap();
    let target = &bundle.targets["orders-db"];
    assert!(matches!(&target.credential, TargetCredential::Issued(_)));
    assert_eq!(target.user, "");
    assert!(matches!(bundle.vaults["corp"].login, VaultLogin::Token(_)));
}

#[test]
fn a_user_is_named_unless_a_vault_makes_it() {
    let missing = "password = \"env:ORDERS_DB_PASSWORD\"\n";
    assert!(paths(&with(missing, "")).contains(&"targets.orders-db.user".to_owned()));
    let both = "user = \"app\"\npassword = \"vault:corp/database/creds/orders\"\n";
    let found = problem(&with(both, VAULT), "targets.orders-db.user");
    assert!(found.what.contains("a vault makes a user"), "{found:?}");
}

#[test]
fn a_vault_is_one_of_the_bundles_and_its_places_lead_nowhere_else() {
    let other = "user = \"app\"\npassword = \"vault:crop/secret/apps/orders#password\"\n";
    let found = problem(&with(other, VAULT), "targets.orders-db.password");
    assert!(found.mend.contains("corp"), "{found:?}");
    for odd in ["corp/secret/../sys/raw#x", "corp/secret/a%2fb#x", "corp"] {
        let odd = format!("user = \"app\"\npassword = \"vault:{odd}\"\n");
        let found = problem(&with(&odd, VAULT), "targets.orders-db.password");
        assert!(found.what.contains("where in a vault"), "{found:?}");
    }
}

#[test]
fn a_vault_is_reached_safely_and_in_one_way() {
    let plain = VAULT.replace("https://", "http://");
    let clear = problem(&with(PASSWORD, &plain), "vaults.corp.address");
    assert!(clear.what.contains("not protected"), "{clear:?}");
    let two = format!("{VAULT}jwt = {{ role = \"brattice\" }}\n");
    problem(&with(PASSWORD, &two), "vaults.corp");
    let none = "[vaults.corp]\naddress = \"https://vault.example.com\"\n";
    problem(&with(PASSWORD, none), "vaults.corp");
    // A secret in place of its source is not repeated.
    let given = VAULT.replace("file:/run/token", "hvs.canary");
    let report = checked(&with(PASSWORD, &given)).unwrap_err().to_string();
    assert!(!report.contains("canary"), "{report}");
}

#[test]
fn a_role_of_each_sessions_own_has_a_template_that_is_not_its_maker() {
    let own = |template: &str| format!("{PASSWORD}ephemeral = {{ template = \"{template}\" }}\n");
    let bundle = checked(&with(&own("app agent"), "")).unwrap();
    let target = &bundle.targets["orders-db"];
    assert_eq!(target.template.as_deref(), Some("app agent"));
    let at = "targets.orders-db.ephemeral.template";
    problem(&with(&own("brattice"), ""), at);
    problem(&with(&own(&"x".repeat(64)), ""), at);
    let twice =
        "password = \"vault:corp/database/creds/orders\"\nephemeral = { template = \"a\" }\n";
    problem(&with(twice, VAULT), at);
}
