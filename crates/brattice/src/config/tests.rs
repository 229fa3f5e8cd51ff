//! Bundles as people write them, right and wrong.

mod hosts;
mod leases;
mod spiffe;

use super::checked::{SecretSource, TargetCredential, TlsMode};
use super::*;
use brattice_core::principal::PrincipalKind;
use std::time::Duration;

const MINIMAL: &str = r#"
[listen.postgres]
address = "127.0.0.1:6432"
allow_plaintext_loopback = true

[listen.admin]
address = "127.0.0.1:8443"
allow_plaintext_loopback = true

[store]
directory = "data"

[recording]
master_key = "env:BRATTICE_RECORDING_KEY"

[issuers.okta]
url = "https://example.okta.com/oauth2/default"
audiences = ["brattice"]
principals = "user"

[targets.orders-db]
protocol = "postgres"
host = "db.example.com"
labels = { env = "production" }
database = "app"
user = "brattice"
password = "env:ORDERS_DB_PASSWORD"
tls.ca = "ca.pem"
"#;

fn checked(text: &str) -> Result<Checked, Report> {
    let policies = vec![SourceFile {
        name: "a.cedar".to_owned(),
        text: "@id(\"none\")\nforbid (principal, action, resource);".to_owned(),
    }];
    let source = Source {
        name: "brattice.toml",
        text,
        root: PathBuf::from("/bundle"),
        policies,
        instead: None,
    };
    check_text(source, Options { files: false }, Report::default())
}

fn paths(text: &str) -> Vec<String> {
    checked(text)
        .unwrap_err()
        .problems
        .iter()
        .map(|p| p.path.clone())
        .collect()
}

fn problem(text: &str, path: &str) -> Problem {
    let report = checked(text).unwrap_err();
    let found = report.problems.iter().find(|p| p.path == path);
    found
        .unwrap_or_else(|| panic!("nothing about {path} in:\n{report}"))
        .clone()
}

#[test]
fn a_minimal_bundle_needs_little_and_is_safe_by_default() {
    let bundle = checked(MINIMAL).unwrap();
    let target = &bundle.targets["orders-db"];
    assert_eq!(target.tls.mode, TlsMode::VerifyFull);
    assert_eq!(target.port, 5432);
    assert_eq!(target.search_path, ["public"]);
    assert!(target.reaches("app") && !target.reaches("postgres"));
    assert_eq!(
        target.credential,
        TargetCredential::Password(SecretSource::Env("ORDERS_DB_PASSWORD".to_owned()))
    );
    assert_eq!(
        bundle.issuers[0].claims.otherwise,
        Some(PrincipalKind::User)
    );
    assert_eq!(bundle.issuers[0].algorithms, ["RS256", "ES256"]);
    assert_eq!(bundle.holds.hold_wait_max, Duration::from_secs(120));
    assert_eq!(bundle.data_dir, Path::new("/bundle/data"));
    assert_eq!(bundle.listen.admin.public_url, "http://127.0.0.1:8443");
}

#[test]
fn tells_everything_that_is_wrong_at_once() {
    let text = r#"
[listen.postgres]
adress = "0.0.0.0:5432"
[listen.admin]
address = "nowhere"
[store]
directory = 7
[recording]
master_key = "hunter2"
[issuers.okta]
url = "http://id.example.com"
audiences = []
[targets.Orders]
protocol = "oracle"
host = "db.example.com"
port = 70000
labels = { team = "orders" }
user = "u"
[limits]
login_max = "soon"
"#;
    let found = paths(text);
    for path in [
        "listen.postgres.adress",
        "listen.postgres.address",
        "listen.admin.address",
        "store.directory",
        "recording.master_key",
        "issuers.okta.url",
        "issuers.okta.audiences",
        "targets.Orders",
        "targets.Orders.protocol",
        "targets.Orders.port",
        "targets.Orders.labels.env",
        "targets.Orders.password",
        "limits.login_max",
    ] {
        assert!(
            found.iter().any(|p| p == path),
            "{path} is not in {found:?}"
        );
    }
}

#[test]
fn a_misspelt_key_gets_its_line_and_a_suggestion() {
    let text = MINIMAL.replace("password =", "pasword =");
    let problem = problem(&text, "targets.orders-db.pasword");
    assert_eq!(problem.mend, "did you mean `password`?");
    assert_eq!(problem.line, Some(27));
}

#[test]
fn a_misspelt_word_gets_a_suggestion() {
    let text = format!("{MINIMAL}tls.mode = \"verify-ful\"\n");
    assert!(
        problem(&text, "targets.orders-db.tls.mode")
            .mend
            .starts_with("did you mean \"verify-full\"?")
    );
}

#[test]
fn clear_text_is_taken_on_loopback_alone_and_only_when_asked_for() {
    let everywhere = MINIMAL.replace("127.0.0.1:6432", "0.0.0.0:6432");
    assert!(
        problem(&everywhere, "listen.postgres.allow_plaintext_loopback")
            .what
            .contains("in clear")
    );
    let unasked = everywhere.replacen("allow_plaintext_loopback = true\n", "", 1);
    assert!(
        problem(&unasked, "listen.postgres.tls")
            .what
            .contains("in clear")
    );
    let silent = MINIMAL.replacen("allow_plaintext_loopback = true\n", "", 1);
    assert!(
        problem(&silent, "listen.postgres.tls")
            .mend
            .contains("allow_plaintext_loopback")
    );
    let admin = MINIMAL.replace("127.0.0.1:8443", "[::]:8443");
    assert!(
        problem(&admin, "listen.admin.allow_plaintext_loopback")
            .what
            .contains("in clear")
    );
}

#[test]
fn a_remote_target_without_tls_is_refused() {
    let text = MINIMAL.replace("tls.ca = \"ca.pem\"", "tls.mode = \"disable\"");
    assert!(
        problem(&text, "targets.orders-db.tls.mode")
            .what
            .contains("in clear")
    );
    assert!(checked(&text.replace("db.example.com", "127.0.0.1")).is_ok());
}

#[test]
fn a_secret_written_into_the_file_is_refused_and_not_repeated() {
    let text = MINIMAL.replace("env:ORDERS_DB_PASSWORD", "s3cr3t-canary");
    let report = checked(&text).unwrap_err();
    assert_eq!(report.problems.len(), 1);
    let printed = format!("{report} {}", serde_json::to_string(&report).unwrap());
    assert!(!printed.contains("canary"), "{printed}");
    let number = MINIMAL.replace("\"env:ORDERS_DB_PASSWORD\"", "31337");
    let report = checked(&number).unwrap_err();
    assert!(!report.to_string().contains("31337"), "{report}");
}

#[test]
fn a_column_names_a_target_that_exists() {
    let good = format!(
        "{MINIMAL}\n[classes.email]\ncolumns = [\"orders-db/app/public.customers.email\"]\n"
    );
    let column = checked(&good).unwrap().classes[0].columns[0].clone();
    assert_eq!(
        (column.database.as_deref(), column.table.as_str()),
        (Some("app"), "customers")
    );
    let bad = good.replace("\"orders-db/app", "\"order-db/app");
    assert!(
        problem(&bad, "classes.email.columns[0]")
            .mend
            .contains("orders-db")
    );
    let short = good.replace("public.customers.email", "customers.email");
    assert!(
        problem(&short, "classes.email.columns[0]")
            .mend
            .contains("schema.table.column")
    );
}

#[test]
fn classes_do_not_go_round_in_circles() {
    let text =
        format!("{MINIMAL}\n[classes.a]\nparents = [\"b\"]\n[classes.b]\nparents = [\"a\"]\n");
    assert!(problem(&text, "classes.a").what.contains("within itself"));
}

#[test]
fn symmetric_algorithms_do_not_exist() {
    let text = MINIMAL.replace("audiences =", "algorithms = [\"HS256\"]\naudiences =");
    assert!(
        problem(&text, "issuers.okta.algorithms[0]")
            .mend
            .contains("RS256")
    );
    let none = MINIMAL.replace("audiences =", "algorithms = [\"none\"]\naudiences =");
    assert!(checked(&none).is_err());
}

#[test]
fn agents_are_told_from_users_or_nobody_gets_in() {
    let silent = MINIMAL.replace("principals = \"user\"\n", "");
    assert!(
        problem(&silent, "issuers.okta.principals")
            .mend
            .contains("agent_when")
    );
    let told = MINIMAL.replace(
        "principals = \"user\"\n",
        "claims = { agent_when = [\"type=agent\"], groups = \"/realm/groups\" }\n",
    );
    let claims = checked(&told).unwrap().issuers[0].claims.clone();
    assert_eq!(claims.agent_when, [("type".to_owned(), "agent".to_owned())]);
    assert_eq!(claims.otherwise, None);
    let wrong = told.replace("type=agent", "agent");
    assert!(
        problem(&wrong, "issuers.okta.claims.agent_when[0]")
            .mend
            .contains("client_type=agent")
    );
}

#[test]
fn owners_are_people_of_known_providers() {
    let good = MINIMAL.replace(
        "[store]",
        "[owners]\n\"okta/etl-7\" = \"okta/alice\"\n[store]",
    );
    assert_eq!(checked(&good).unwrap().owners["okta/etl-7"], "okta/alice");
    let bad = good.replace("okta/alice", "oktaa/alice");
    assert!(problem(&bad, "owners.\"okta/etl-7\"").mend.contains("okta"));
}

#[test]
fn functions_come_with_their_arguments() {
    let text = format!(
        "{MINIMAL}functions = [\"public.slugify(text)\", \"public.any(*)\", \"nope\", \"pg_catalog.lower(text)\"]\n"
    );
    assert_eq!(
        paths(&text),
        [
            "targets.orders-db.functions[2]",
            "targets.orders-db.functions[3]"
        ]
    );
    let good =
        format!("{MINIMAL}functions = [\"public.refund(uuid, numeric)\", \"public.any(*)\"]\n");
    let functions = &checked(&good).unwrap().targets["orders-db"].functions;
    let signatures: Vec<String> = functions.iter().map(|f| f.signature()).collect();
    assert_eq!(signatures, ["refund(uuid,numeric)", "any(*)"]);
}

#[test]
fn a_route_matches_what_exists() {
    let text = format!(
        "{MINIMAL}\n[routes.chat]\nurl = \"https://hooks.example.com/x\"\nsecret = \"env:HOOK\"\n\
         match = {{ targets = [\"orders\"], labels = [\"env=prod\"], effects = [\"writ\"] }}\n"
    );
    assert_eq!(
        paths(&text),
        [
            "routes.chat.match.effects[0]",
            "routes.chat.match.labels[0]",
            "routes.chat.match.targets[0]"
        ]
    );
}

#[test]
fn broken_toml_says_where() {
    let report = checked("[listen\naddress = 1").unwrap_err();
    assert_eq!(report.problems[0].line, Some(1));
    assert!(report.problems[0].what.starts_with("is not valid TOML"));
}

#[test]
fn the_digest_covers_configuration_and_rules() {
    let one = checked(MINIMAL).unwrap().digest;
    let other = checked(&format!("{MINIMAL}\n# a remark\n")).unwrap().digest;
    assert_ne!(one, other);
}

#[test]
fn a_missing_certificate_is_told_when_files_are_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("brattice.toml"), MINIMAL).unwrap();
    std::fs::write(dir.path().join("a.cedar"), "").unwrap();
    let report = load(dir.path()).unwrap_err();
    assert!(
        report
            .problems
            .iter()
            .any(|p| p.path == "targets.orders-db.tls.ca"),
        "{report}"
    );
    std::fs::write(dir.path().join("ca.pem"), "nonsense").unwrap();
    let report = load(dir.path()).unwrap_err();
    assert!(
        report
            .problems
            .iter()
            .any(|p| p.what.contains("no certificate")),
        "{report}"
    );
}

#[test]
fn a_bundle_without_rules_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("brattice.toml"), MINIMAL).unwrap();
    let report = load_with(dir.path(), Options { files: false }).unwrap_err();
    assert_eq!(report.problems[0].file, "policies");
}

#[test]
fn the_schema_says_what_is_required_and_has_no_null() {
    let text = serde_json::to_string(&raw::schema()).unwrap();
    assert!(!text.contains("null"), "{text}");
    let schema = raw::schema();
    let required = schema.get("required").unwrap().as_array().unwrap();
    assert_eq!(required.len(), 4);
}

#[test]
fn every_example_is_valid() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for name in ["orders", "recipes", "identity", "leases"] {
        load_with(&examples.join(name), Options { files: false })
            .unwrap_or_else(|report| panic!("{name}: {report}"));
    }
}

#[test]
fn the_examples_load() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders");
    let bundle = load(&examples).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(bundle.policies.len(), 4);
    assert_eq!(bundle.classes.len(), 2);
}

#[test]
fn a_rule_that_names_what_does_not_exist_is_told_with_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("brattice.toml"),
        MINIMAL
            .replace("port", "prot")
            .replace("[store]", "[stroe]"),
    )
    .unwrap();
    std::fs::write(
        dir.path().join("a.cedar"),
        "@id(\"r\")\npermit (principal, action in Action::\"read\", resource in Label::\"env=prodution\");",
    )
    .unwrap();
    let report = load_with(dir.path(), Options { files: false }).unwrap_err();
    let rule = report.problems.iter().find(|p| p.file == "a.cedar");
    assert!(rule.is_some_and(|p| p.line.is_some()), "{report}");
    assert!(
        report.problems.iter().any(|p| p.path == "stroe"),
        "{report}"
    );
}

#[test]
fn a_sealed_credential_needs_a_key() {
    let sealed = MINIMAL.replace("env:ORDERS_DB_PASSWORD", "sealed");
    assert!(
        problem(&sealed, "store.sealing_key")
            .what
            .contains("orders-db")
    );
    let good = sealed.replace(
        "directory = \"data\"",
        "directory = \"data\"\nsealing_key = \"env:SEAL\"",
    );
    assert!(checked(&good).is_ok());
}

#[test]
fn a_verified_certificate_needs_an_authority() {
    let text = MINIMAL.replace("tls.ca = \"ca.pem\"", "");
    assert!(
        problem(&text, "targets.orders-db.tls.ca")
            .what
            .contains("verify")
    );
}

#[test]
fn classes_that_are_built_in_need_no_entry() {
    let text = format!(
        "{MINIMAL}\n[classes.account]\nparents = [\"personal\"]\ncolumns = [\"orders-db/*/public.t.c\"]\n"
    );
    let bundle = checked(&text).unwrap();
    assert!(bundle.data_classes.get("payment_card").is_some());
    assert_eq!(bundle.classes[0].columns[0].database, None);
    let odd = text.replace("classes.account", "classes.Account");
    assert!(checked(&odd).is_err());
}

#[test]
fn plain_http_is_for_providers_that_are_for_trying_out_on_this_machine() {
    let http = MINIMAL.replace(
        "https://example.okta.com/oauth2/default",
        "http://127.0.0.1:8081",
    );
    assert!(
        problem(&http, "issuers.okta.url")
            .mend
            .contains("development")
    );
    let tried = http.replace("audiences = ", "development = true\naudiences = ");
    assert!(checked(&tried).unwrap().issuers[0].development);
    let wide = tried.replace(
        "address = \"127.0.0.1:6432\"\nallow_plaintext_loopback = true",
        "address = \"0.0.0.0:6432\"\ntls = { cert = \"a\", key = \"b\" }",
    );
    assert!(
        problem(&wide, "issuers.okta.development")
            .what
            .contains("0.0.0.0:6432")
    );
    let watched = format!("{tried}\n[listen.metrics]\naddress = \"0.0.0.0:9464\"\n");
    assert!(
        problem(&watched, "issuers.okta.development")
            .what
            .contains("0.0.0.0:9464")
    );
}

#[test]
fn the_provider_of_brattice_dev_is_nobodys_real_one() {
    let text = MINIMAL
        .replace(
            "https://example.okta.com/oauth2/default",
            "http://127.0.0.1:8081/dev-issuer",
        )
        .replace("audiences = ", "development = true\naudiences = ");
    assert!(
        problem(&text, "issuers.okta.url")
            .what
            .contains("brattice dev")
    );
}

#[test]
fn tables_that_stand_in_replace_those_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("brattice.toml"),
        MINIMAL
            .replace("tls.ca = \"ca.pem\"", "tls.mode = \"disable\"")
            .replace("db.example.com", "127.0.0.1"),
    )
    .unwrap();
    std::fs::write(
        dir.path().join("a.cedar"),
        "@id(\"none\")\nforbid (principal, action, resource);",
    )
    .unwrap();
    let instead = |url: &str| -> toml::Table {
        toml::from_str(&format!(
            "[store]\ndirectory = \"elsewhere\"\nallow_volatile = true\n\
             [issuers.dev]\nurl = \"{url}\"\ndevelopment = true\naudiences = [\"brattice\"]\nprincipals = \"user\"\n"
        ))
        .unwrap()
    };
    let one = load_replaced(dir.path(), &instead("http://127.0.0.1:1/dev-issuer")).unwrap();
    assert_eq!(one.issuers.len(), 1);
    assert_eq!(one.issuers[0].name, "dev");
    assert_eq!(one.data_dir, dir.path().join("elsewhere"));
    let two = load_replaced(dir.path(), &instead("http://127.0.0.1:2/dev-issuer")).unwrap();
    assert_ne!(
        one.digest, two.digest,
        "what stands in is part of what came into force"
    );
}

/// Whatever a bundle says, it is either whole or told what is wrong, each with a mend.
#[test]
fn fuzz_config() {
    let whole = std::fs::read_to_string("../../examples/recipes/brattice.toml").unwrap();
    brattice_fuzz::Fuzz::new("config", env!("CARGO_MANIFEST_DIR"))
        .seed(MINIMAL)
        .seed(whole)
        .words(&[
            "[targets.x]\n",
            "[classes.email]\n",
            "[routes.r]\n",
            "[[",
            "]]",
            " = ",
            "\"",
            "{",
            "}",
            "env:",
            "file:",
            "0",
            "-1",
            "1e400",
            "99999999999999999999",
            "2m",
            "🦀",
            "true",
            "[]",
            "verify-full",
            "tls.mode",
        ])
        .smoke(300)
        .run(|input, _| {
            let Ok(text) = std::str::from_utf8(input) else {
                return Ok(0);
            };
            match checked(text) {
                Ok(bundle) => Ok(brattice_fuzz::digest(bundle.targets.len())),
                Err(report) if report.is_empty() => Err("refused without a reason".to_owned()),
                Err(report) => {
                    let bare = report
                        .problems
                        .iter()
                        .find(|p| p.mend.is_empty() || p.what.is_empty());
                    match bare {
                        Some(problem) => Err(format!("says not what to do: {problem:?}")),
                        None => Ok(brattice_fuzz::digest(report.problems.len())),
                    }
                }
            }
        });
}
