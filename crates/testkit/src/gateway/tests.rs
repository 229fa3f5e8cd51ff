//! What can be said of the harness without the program.

use super::*;

fn options(binary: &str) -> GatewayOptions {
    GatewayOptions {
        binary: binary.into(),
        tls: true,
        admin_tls: false,
        issuers: vec![("dev".into(), "http://127.0.0.1:1".into())],
        targets: vec![TargetOptions {
            name: "orders-db".into(),
            port: 5432,
            user: "brattice".into(),
            password: "a secret".into(),
            database: "app".into(),
            tls: "mode = \"disable\"".to_owned(),
            labels: vec![("env".into(), "test".into())],
            more: String::new(),
        }],
        hosts: Vec::new(),
        more: String::new(),
        policies: vec![("policies/none.cedar".into(), String::new())],
        environment: Vec::new(),
    }
}

#[test]
fn a_program_that_ends_is_reported_with_what_it_said() {
    let error = Gateway::start(options("/bin/echo")).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("it ended") && text.contains("serve --config"),
        "{text}"
    );
}

#[test]
fn the_bundle_names_secrets_and_never_holds_them() {
    let options = options("/bin/true");
    let text = options.toml(Ports {
        ssh: 4,
        postgres: 1,
        admin: 2,
        metrics: 3,
    });
    assert!(
        !text.contains("a secret") && text.contains("env:TARGET_ORDERS_DB_PASSWORD"),
        "{text}"
    );
    assert_eq!(
        options.secrets(),
        [(
            "TARGET_ORDERS_DB_PASSWORD".to_owned(),
            "a secret".to_owned()
        )]
    );
}
