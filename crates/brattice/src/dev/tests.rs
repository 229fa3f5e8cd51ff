//! Trying out the example, as somebody does who has just cloned it; and what must not come of it.

use super::*;
use crate::config;
use brattice_core::principal::PrincipalKind;
use std::os::unix::fs::PermissionsExt;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders")
}

async fn issuer() -> DevIssuer {
    let setup = parties::setup(&example()).unwrap();
    DevIssuer::start(setup, Arc::new(SystemClock), Arc::new(SystemRandomness))
        .await
        .unwrap()
}

fn ready(dir: &Path) -> State {
    let state = State::open(&dir.join("state")).unwrap();
    certificate::write(&state, SystemClock.now()).unwrap();
    state.recording_key(&SystemRandomness).unwrap();
    state
}

#[tokio::test]
async fn the_example_loads_with_what_stands_in() {
    let dir = tempfile::tempdir().unwrap();
    let state = ready(dir.path());
    let issuer = issuer().await;
    let instead = Stage::of(&example())
        .unwrap()
        .instead(&state, &issuer.issuer_url);
    let checked = config::load_replaced(&example(), &instead).unwrap();
    assert_eq!(checked.issuers[0].url, issuer.issuer_url);
    assert_eq!(checked.issuers[0].name, "dev");
    assert!(checked.listen.addresses().all(|a| a.ip().is_loopback()));
    assert!(checked.data_dir.starts_with(dir.path()));
    assert!(checked.targets.contains_key("orders-db"));
}

#[tokio::test]
async fn a_database_that_is_named_has_rules_that_load() {
    let dir = tempfile::tempdir().unwrap();
    let state = ready(dir.path());
    let url = "postgres://app@127.0.0.1:5432/app";
    let root = target::bundle_where(url, &state, &|name| name == "PGPASSWORD").unwrap();
    let issuer = issuer().await;
    let instead = Stage::of(&root)
        .unwrap()
        .instead(&state, &issuer.issuer_url);
    let checked = config::load_replaced(&root, &instead).unwrap_or_else(|why| panic!("{why}"));
    assert!(checked.targets.contains_key("dev-db"));
}

#[tokio::test]
async fn everybody_that_the_examples_rules_speak_of_exists() {
    let groups = |issuer: &DevIssuer, kind| {
        let mut names: Vec<String> = issuer
            .clients
            .iter()
            .filter(|c| c.kind == kind)
            .map(|c| c.name.clone())
            .collect();
        names.sort();
        names
    };
    let issuer = issuer().await;
    assert!(groups(&issuer, PrincipalKind::Agent).contains(&"analyst-1".to_owned()));
    let setup = parties::setup(&example()).unwrap();
    let all: Vec<String> = setup
        .agents
        .iter()
        .chain(&setup.people)
        .flat_map(|p| p.groups.clone())
        .collect();
    for file in std::fs::read_dir(example().join("policies")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for group in text
            .split("Group::\"dev/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            assert!(all.iter().any(|g| g == group), "nobody is in {group}");
        }
    }
}

#[tokio::test]
async fn a_bundle_with_the_stand_in_is_not_for_serving() {
    let dir = tempfile::tempdir().unwrap();
    let state = ready(dir.path());
    let issuer = issuer().await;
    let instead = Stage::of(&example())
        .unwrap()
        .instead(&state, &issuer.issuer_url);
    // Somebody writes it all down and tries to serve it.
    let mut text: toml::Table =
        toml::from_str(&std::fs::read_to_string(example().join("brattice.toml")).unwrap()).unwrap();
    text.extend(instead);
    std::fs::write(dir.path().join("brattice.toml"), text.to_string()).unwrap();
    std::fs::create_dir(dir.path().join("policies")).unwrap();
    for name in ["agents", "data", "people"] {
        let file = format!("policies/{name}.cedar");
        std::fs::copy(example().join(&file), dir.path().join(&file)).unwrap();
    }
    let report = config::load(dir.path()).unwrap_err();
    let paths: Vec<&str> = report.problems.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths, ["issuers.dev.url"], "{report}");
}

#[tokio::test]
async fn secrets_are_for_this_user_alone_and_go_when_it_stops() {
    let dir = tempfile::tempdir().unwrap();
    let state = ready(dir.path());
    let before = std::fs::read(state.recording_key_file()).unwrap();
    state.running(&issuer().await).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for private in [
        state.recording_key_file(),
        state.certificate_key(),
        state.issuer(),
        state.client("analyst-1"),
    ] {
        assert_eq!(mode(&private), 0o600, "{}", private.display());
    }
    assert_eq!(mode(&dir.path().join("state")), 0o700);
    assert_eq!(mode(&state.authority()), 0o644);
    state.stopped();
    assert!(!state.issuer().exists() && !state.client("analyst-1").exists());
    // What was recorded stays readable.
    ready(dir.path());
    assert_eq!(std::fs::read(state.recording_key_file()).unwrap(), before);
}

#[test]
fn a_token_needs_a_running_provider_and_somebody_who_exists() {
    let dir = tempfile::tempdir().unwrap();
    let given = dir.path().join("state");
    assert!(matches!(
        token(&given, "analyst-1", &[]),
        Err(DevError::NotRunning(_))
    ));
    let state = ready(dir.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let issuer = runtime.block_on(issuer());
    state.running(&issuer).unwrap();
    assert!(
        token(&given, "analyst-1", &[])
            .unwrap()
            .expose_str()
            .unwrap()
            .split('.')
            .count()
            == 3
    );
    for nobody in ["nobody", "../state", ""] {
        let error = token(&given, nobody, &[]).unwrap_err();
        assert!(
            matches!(&error, DevError::Nobody { known, .. } if known.contains("analyst-1")),
            "{error}"
        );
    }
    assert!(matches!(
        token(&given, "analyst-1", &["nobody".to_owned()]),
        Err(DevError::NoToken(_))
    ));
    drop(issuer);
    drop(runtime);
    assert!(matches!(
        token(&given, "analyst-1", &[]),
        Err(DevError::NotRunning(_))
    ));
}

#[test]
fn several_providers_are_not_stood_in_for() {
    let dir = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(dir.path().join("brattice.toml"), text).unwrap();
    write("[issuers.a]\n[issuers.b]\n");
    assert!(matches!(
        Stage::of(dir.path()),
        Err(DevError::Bundle { .. })
    ));
    write("[issuers.okta]\n[listen.postgres]\naddress = \"0.0.0.0:5432\"\n");
    let state = State::at(dir.path()).unwrap();
    let instead = Stage::of(dir.path())
        .unwrap()
        .instead(&state, "http://127.0.0.1:1/dev-issuer");
    assert!(instead["issuers"].get("okta").is_some());
    assert_eq!(
        instead["listen"]["postgres"]["address"].as_str(),
        Some("127.0.0.1:5432")
    );
}
