//! Credentials of a session's own, vaults, and AWS.

use super::*;
use crate::config::checked::{AwsLogin, VaultLogin};

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

const AWS: &str = "[aws.main]\nregion = \"eu-central-1\"\ninstance = {}\n";
const AT: &str = "targets.orders-db.password";

#[test]
fn a_secret_of_aws_gives_a_password_or_a_user_as_well() {
    let credential = |keys: &str| {
        let bundle = checked(&with(keys, AWS)).unwrap();
        let target = &bundle.targets["orders-db"];
        (target.user.clone(), target.credential.clone())
    };
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/orders-a1B2c3";
    for named in ["prod/orders#pw", "prod/orders", &format!("{arn}#pw")] {
        let (user, found) = credential(&format!(
            "user = \"app\"\npassword = \"aws:main/{named}\"\n"
        ));
        assert_eq!(user, "app");
        let TargetCredential::Password(SecretSource::Aws(secret)) = found else {
            panic!("{found:?}");
        };
        assert_eq!(secret.to_string(), format!("aws:main/{named}"));
    }
    // Without a user the secret names it, by the keys that RDS gives such secrets unless others are named.
    for (named, keys) in [
        ("prod/orders", "username,password"),
        ("prod/orders#u,p", "u,p"),
    ] {
        let (user, found) = credential(&format!("password = \"aws:main/{named}\"\n"));
        let TargetCredential::AwsSecret(secret) = found else {
            panic!("{found:?}");
        };
        assert_eq!(user, "");
        assert_eq!(secret.to_string(), format!("aws:main/prod/orders#{keys}"));
    }
    let (user, found) = credential(
        "password = \"aws:main/prod/orders\"\nephemeral = { template = \"app_agent\" }\n",
    );
    assert!(matches!(found, TargetCredential::AwsSecret(_)) && user.is_empty());
}

#[test]
fn a_credential_of_aws_that_cannot_be_meant_is_told_with_what_to_write() {
    for (credential, at, what) in [
        (
            "password = \"aws:main/orders#pw\"\n",
            "targets.orders-db.user",
            "required",
        ),
        (
            "user = \"app\"\npassword = \"aws:main/orders#u,p\"\n",
            "targets.orders-db.user",
            "the secret names the user",
        ),
        (
            "user = \"app\"\npassword = \"aws:orders\"\n",
            AT,
            "which secret of AWS",
        ),
        (
            "user = \"app\"\npassword = \"aws:mian/orders\"\n",
            AT,
            "is not a name in [aws]",
        ),
        (
            "user = \"app\"\npassword = \"rds-iam:mian\"\n",
            AT,
            "is not a name in [aws]",
        ),
        ("user = \"app\"\npassword = \"rds-iam:\"\n", AT, "who signs"),
        (
            "user = \"app\"\npassword = \"aws:main/arn:aws:secretsmanager:us-east-1:123456789012:secret:x-abcdef\"\n",
            AT,
            "[aws.main] is in eu-central-1",
        ),
        (
            "password = \"aws:main/orders\"\nclient_certificate = { cert = \"c.pem\", key = \"k.pem\" }\n",
            "targets.orders-db.user",
            "required",
        ),
        (
            "password = \"aws:main/orders#u,p\"\nclient_certificate = { cert = \"c.pem\", key = \"k.pem\" }\n",
            AT,
            "the certificate is one user's",
        ),
        (
            "user = \"app\"\npassword = \"rds-iam:main\"\nclient_certificate = { cert = \"c.pem\", key = \"k.pem\" }\n",
            "targets.orders-db.client_certificate",
            "is not asked for by RDS",
        ),
    ] {
        let found = problem(&with(credential, AWS), at);
        assert!(
            found.what.contains(what) && !found.mend.is_empty(),
            "{found:?}"
        );
    }
    // A secret in place of what it is called is not repeated.
    for canary in [
        "aws:c4n4ry pass",
        "rds-iam:C4n4ry!",
        "aws:main/c4n4ry#c4n4ry#c4n4ry",
    ] {
        let wrong = with(&format!("user = \"app\"\npassword = \"{canary}\"\n"), AWS);
        let report = checked(&wrong).unwrap_err().to_string();
        assert!(!report.to_lowercase().contains("c4n4ry"), "{report}");
    }
}

#[test]
fn a_login_for_rds_goes_only_to_a_server_that_proves_who_it_is() {
    let rds = "user = \"app\"\npassword = \"rds-iam:main\"\n";
    let bundle = checked(&with(rds, AWS)).unwrap();
    let found = &bundle.targets["orders-db"].credential;
    assert_eq!(found, &TargetCredential::RdsIam("main".to_owned()));
    for (tls, mode) in [
        (
            "tls = { mode = \"verify-ca\", ca = \"ca.pem\" }",
            "verify-ca",
        ),
        ("tls.mode = \"require\"", "require"),
        (
            "tls = { mode = \"disable\", allow_plaintext = true }",
            "disable",
        ),
    ] {
        let text = with(rds, AWS).replace("tls.ca = \"ca.pem\"", tls);
        let found = problem(&text, "targets.orders-db.tls.mode");
        assert!(found.mend.contains("verify-full"), "{found:?}");
        assert_eq!(found.value.as_deref(), Some(format!("\"{mode}\"").as_str()));
    }
    // On this machine as well.
    let text = with(rds, AWS)
        .replace("tls.ca = \"ca.pem\"", "tls.mode = \"disable\"")
        .replace("db.example.com", "127.0.0.1");
    problem(&text, "targets.orders-db.tls.mode");
}

#[test]
fn who_the_gateway_is_at_aws_is_said_in_one_way() {
    let of = |table: &str| with(PASSWORD, &format!("[aws.main]\n{table}\n"));
    let region = "region = \"eu-central-1\"";
    let bundle = checked(&of(&format!(
        "{region}\nkeys = {{ access_key_id = \"env:ID\", secret_access_key = \"file:/run/key\" }}"
    )))
    .unwrap();
    let aws = &bundle.aws["main"];
    assert_eq!(aws.secret_age_max, Duration::from_secs(60));
    let AwsLogin::Keys { token: None, .. } = &aws.keys else {
        panic!("{aws:?}");
    };
    let unset = bundle.unset_variables();
    assert!(unset.contains(&("ID".to_owned(), "aws.main.keys.access_key_id".to_owned())));
    let role = "web_identity = { role = \"arn:aws:iam::123456789012:role/eks/brattice\" }";
    let bundle = checked(&of(&format!("{region}\n{role}\nsecret_age_max = \"0s\""))).unwrap();
    assert!(bundle.aws["main"].secret_age_max.is_zero());
    let AwsLogin::WebIdentity { token, .. } = &bundle.aws["main"].keys else {
        panic!("{bundle:?}");
    };
    assert!(
        matches!(token, SecretSource::File(p) if p.ends_with("eks.amazonaws.com/serviceaccount/token"))
    );
    let six = "instance = { endpoint = \"http://[fd00:ec2::254]\" }";
    checked(&of(&format!("{region}\n{six}"))).unwrap();
    for (table, at) in [
        (region.to_owned(), "aws.main"),
        (
            format!("{region}\ncontainer = {{}}\ninstance = {{}}"),
            "aws.main",
        ),
        ("container = {}".to_owned(), "aws.main.region"),
        (
            "region = \"eu-central-1a\"\ncontainer = {}".to_owned(),
            "aws.main.region",
        ),
        (
            format!("{region}\nweb_identity = {{ role = \"brattice\" }}"),
            "aws.main.web_identity.role",
        ),
        (
            format!(
                "{region}\nweb_identity = {{ role = \"arn:aws:iam::12:role/b\", token = \"env:T\" }}"
            ),
            "aws.main.web_identity.role",
        ),
        (
            format!("{region}\nkeys = {{ access_key_id = \"env:ID\" }}"),
            "aws.main.keys.secret_access_key",
        ),
        (
            format!(
                "{region}\nkeys = {{ access_key_id = \"env:ID\", secret_access_key = \"sealed\" }}"
            ),
            "aws.main.keys.secret_access_key",
        ),
        (
            format!("{region}\ninstance = {{ endpoint = \"http://example.com\" }}"),
            "aws.main.instance.endpoint",
        ),
        (
            format!(
                "{region}\ncontainer = {{}}\nendpoints = {{ secretsmanager = \"http://example.com\" }}"
            ),
            "aws.main.endpoints.secretsmanager",
        ),
        (
            format!(
                "{region}\ncontainer = {{}}\nendpoints = {{ sts = \"https://example.com/x\" }}"
            ),
            "aws.main.endpoints.sts",
        ),
        (
            format!("{region}\ncontainer = {{}}\nsecret_age_max = \"2h\""),
            "aws.main.secret_age_max",
        ),
    ] {
        let found = problem(&of(&table), at);
        assert!(!found.mend.is_empty(), "{found:?}");
    }
    // A key in place of where it comes from is not repeated.
    let given = format!(
        "{region}\nkeys = {{ access_key_id = \"AKIAcanary\", secret_access_key = \"s3cretcanary\" }}"
    );
    let report = checked(&of(&given)).unwrap_err().to_string();
    assert!(!report.contains("canary"), "{report}");
}
