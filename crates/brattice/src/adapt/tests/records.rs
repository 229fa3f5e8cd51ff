//! Sessions, recordings, the audit log, figures, and bundles that come into force.

use super::world::*;
use crate::adapt::audit::{AuditFiles, OnRecord};
use crate::adapt::bundle::Bundle;
use crate::adapt::figures::{ALL, Figures};
use crate::adapt::sessions::Sessions;
use brattice_admin::health::Health;
use brattice_admin::metrics::Page;
use brattice_admin::ports::{
    AuditApi, BundleApi, Recorder as _, SessionFilter, SessionState, SessionsApi,
};
use brattice_core::action::Effect;
use brattice_core::audit::{Entry, Event};
use brattice_core::gate::CutReason;
use brattice_core::ids::{ApprovalId, Digest};
use brattice_core::ports::{AuditLog, Recordings};
use brattice_core::principal::Chain;
use brattice_core::record::{Frame, FrameKind};
use brattice_proxy::postgres::Witness;
use std::time::Duration;

fn entry(world: &World, n: u8, event: Event) -> Entry {
    Entry {
        at: world.now(),
        session: Some(session(n)),
        sequence: None,
        revision: world.gateway.revision(),
        event,
    }
}

fn opened() -> Event {
    Event::SessionOpened {
        chain: String::new(),
        target: "orders-db".to_owned(),
        place: "app".to_owned(),
        by: "oidc".to_owned(),
        token_id: None,
        client: String::new(),
        role: "brattice".to_owned(),
        grants: Vec::new(),
    }
}

fn intent() -> Event {
    Event::Intent {
        action: Digest::of(b"a"),
        text: "select 1".to_owned(),
        parameters: 0,
        effects: vec![Effect::Read],
        approvals: Vec::new(),
        observed: Vec::new(),
    }
}

fn asked() -> Event {
    Event::ApprovalAsked {
        approval: ApprovalId::from_bytes([4; 10]),
        action: Digest::of(b"a"),
        rules: Vec::new(),
    }
}

fn closed(bytes_to_client: u64) -> Event {
    Event::SessionClosed {
        reason: "client left".to_owned(),
        commands: 2,
        bytes_to_client,
        recording: None,
    }
}

fn frame(kind: FrameKind, bytes: &[u8]) -> Frame<'_> {
    Frame {
        at: START,
        kind,
        command: 0,
        bytes,
    }
}

#[tokio::test]
async fn a_live_session_is_shown_with_what_it_did_so_far_and_a_closed_one_with_its_end() {
    let world = World::new().await;
    let gateway = &world.gateway;
    let sessions = Sessions(gateway.clone());
    let header = header(1, Chain::of(agent("etl-7")), world.now());
    let mut recorder = gateway.recordings.open(&header).unwrap();
    let write = |event| gateway.tally.append(&entry(&world, 1, event)).unwrap();
    write(opened());
    gateway.list.opened(&header);
    gateway.list.written().await;
    write(intent());
    recorder.frame(frame(FrameKind::Output, &[7; 100])).unwrap();
    write(asked());

    let shown = sessions.get(&session(1)).await.unwrap().unwrap();
    assert_eq!(shown.state, SessionState::Live);
    assert_eq!((shown.commands, shown.bytes_to_client), (1, 100));
    assert_eq!(shown.holding, Some(ApprovalId::from_bytes([4; 10])));
    assert_eq!(shown.labels["env"], "production");
    write(intent());
    assert_eq!(
        sessions.get(&session(1)).await.unwrap().unwrap().holding,
        None
    );

    let digest = recorder.seal().unwrap();
    write(closed(120));
    gateway
        .list
        .closed(&session(1), "client left", 2, Some(digest));
    gateway.list.written().await;
    let shown = sessions.get(&session(1)).await.unwrap().unwrap();
    assert_eq!(shown.state, SessionState::Closed);
    assert_eq!(
        (shown.commands, shown.bytes_to_client, shown.recording),
        (2, 120, Some(digest))
    );
    assert!(
        gateway.tally.session(&session(1)).is_none(),
        "nothing is kept of it in memory"
    );
    let of = async |state| {
        let filter = SessionFilter {
            state: Some(state),
            target: None,
            limit: 10,
        };
        sessions.list(&filter).await.unwrap().len()
    };
    assert_eq!(
        (of(SessionState::Live).await, of(SessionState::Closed).await),
        (0, 1)
    );
}

#[tokio::test]
async fn a_session_that_never_opened_leaves_no_figures() {
    let world = World::new().await;
    let header = header(1, Chain::of(agent("etl-7")), world.now());
    let recorder = world.gateway.recordings.open(&header).unwrap();
    assert!(world.gateway.tally.session(&session(1)).is_some());
    drop(recorder);
    assert!(world.gateway.tally.session(&session(1)).is_none());
}

#[tokio::test]
async fn only_an_open_session_can_be_ended() {
    let world = World::new().await;
    let sessions = Sessions(world.gateway.clone());
    let (entered, cut) = world.live(1, alone(agent("etl-7"), world.now()));
    assert!(sessions.end(&session(1), "by dana").await.unwrap());
    assert_eq!(cut.reason(), Some(CutReason::Killed));
    drop(entered);
    assert!(!sessions.end(&session(1), "by dana").await.unwrap());
}

#[tokio::test]
async fn a_replay_goes_on_where_it_stopped_and_ends_with_the_recording() {
    let world = World::new().await;
    let sessions = Sessions(world.gateway.clone());
    assert!(
        sessions
            .replay(&session(1), 0, 10, 1000)
            .await
            .unwrap()
            .is_none()
    );
    let mut recorder = world
        .gateway
        .recordings
        .open(&header(1, Chain::of(agent("etl-7")), START))
        .unwrap();
    recorder
        .frame(frame(FrameKind::Command, b"select 1"))
        .unwrap();
    for _ in 0..4 {
        recorder.frame(frame(FrameKind::Output, &[7; 100])).unwrap();
    }
    recorder.flush().unwrap();

    let page = |from, frames, bytes| sessions_page(&sessions, from, frames, bytes);
    let first = page(0, 2, 1000).await;
    assert_eq!(
        (first.frames[0].kind, first.frames[0].bytes.as_slice()),
        ("command", b"select 1".as_slice())
    );
    assert_eq!((first.frames.len(), first.next), (2, Some(2)));
    let bounded = page(1, 10, 150).await;
    assert_eq!((bounded.frames.len(), bounded.next), (2, Some(3)));
    let least = page(1, 10, 1).await;
    assert_eq!(
        least.frames.len(),
        1,
        "a frame that is larger than the bound comes alone"
    );
    let all = page(0, 100, 100_000).await;
    assert_eq!((all.frames.len(), all.next), (5, Some(5)), "more may come");

    recorder
        .frame(frame(FrameKind::Outcome, b"SELECT 1"))
        .unwrap();
    recorder.seal().unwrap();
    let rest = page(5, 100, 100_000).await;
    assert_eq!(
        (rest.frames.len(), rest.frames[0].kind, rest.next),
        (1, "outcome", None)
    );
    assert_eq!(page(9, 10, 1000).await.next, None);
}

async fn sessions_page(
    sessions: &Sessions,
    from: u64,
    frames: usize,
    bytes: usize,
) -> brattice_admin::ports::ReplayPage {
    sessions
        .replay(&session(1), from, frames, bytes)
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn whoever_follows_the_log_is_told_of_the_next_entry() {
    let world = World::new().await;
    let audit = AuditFiles(world.gateway.clone());
    let next = audit.entries().unwrap();
    assert_eq!(next, 2, "the start, and the bundle");
    assert!(
        audit
            .read(next, 10, Duration::ZERO)
            .await
            .unwrap()
            .is_empty()
    );
    let act = Event::Administered {
        by: "user:dev/sasha".to_owned(),
        act: "session.end".to_owned(),
        object: "ses_1".to_owned(),
        allowed: true,
        details: String::new(),
    };
    let record = OnRecord(world.gateway.clone());
    let (read, written) = tokio::join!(
        audit.read(next, 10, Duration::from_secs(30)),
        record.write(act)
    );
    written.unwrap();
    let read = read.unwrap();
    assert_eq!((read.len(), read[0].position), (1, next));
    assert_eq!(read[0].entry["kind"], "administered");
    assert!(
        world.gateway.log.durable_entries() > next,
        "on return it outlives the machine"
    );
}

#[tokio::test]
async fn the_files_that_leave_are_those_that_verification_needs() {
    let world = World::new().await;
    let audit = AuditFiles(world.gateway.clone());
    let names: Vec<String> = audit
        .files()
        .await
        .unwrap()
        .into_iter()
        .map(|f| f.name)
        .collect();
    assert!(names.contains(&"signing.pub".to_owned()) && names.contains(&"heads".to_owned()));
    assert!(!names.iter().any(|n| n == "signing.key"));
    assert!(audit.file("signing.key", 0, 100).await.unwrap().is_none());
    assert!(
        audit
            .file("../brattice.db", 0, 100)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        audit
            .file("heads", 0, 10)
            .await
            .unwrap()
            .is_some_and(|b| b.len() == 10)
    );
}

#[tokio::test]
async fn a_bundle_comes_into_force_whole_and_on_record_or_not_at_all() {
    let world = World::new().await;
    let bundle = Bundle(world.gateway.clone());
    let before = bundle.current().await.unwrap();
    assert!(bundle.check().await.unwrap().is_empty());
    let rules = world.dir.path().join("policies/agents.cedar");
    let good = std::fs::read_to_string(&rules).unwrap();

    std::fs::write(&rules, format!("{good}\n@id(\"broken\") permit (")).unwrap();
    let problems = bundle.reload().await.unwrap().unwrap_err();
    assert!(
        problems.iter().any(|p| p.file == "policies/agents.cedar"),
        "{problems:?}"
    );
    assert_eq!(bundle.check().await.unwrap(), problems);
    assert_eq!(bundle.current().await.unwrap(), before);

    std::fs::write(
        &rules,
        good.replace("no-destruction", "nothing-is-destroyed"),
    )
    .unwrap();
    world.pass(Duration::from_secs(1));
    let after = bundle.reload().await.unwrap().unwrap();
    assert_eq!(after.revision.0, before.revision.0 + 1);
    assert_eq!(after.applied_at, world.now());
    assert!(after.rules.contains(&"nothing-is-destroyed".to_owned()));
    let audit = AuditFiles(world.gateway.clone());
    let last = audit
        .read(audit.entries().unwrap() - 1, 1, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(last[0].entry["kind"], "bundle_applied");
    assert_eq!(last[0].entry["revision"], after.revision.0);
    assert_eq!(last[0].entry["digest"], after.digest.to_string());
}

#[tokio::test]
async fn a_bundle_without_a_routes_secret_stays_out() {
    let world = World::new().await;
    let bundle = Bundle(world.gateway.clone());
    let file = world.dir.path().join("brattice.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    let route = "[routes.chat]\nurl = \"https://chat.example.com/hook\"\nsecret = \"file:short\"\n";
    std::fs::write(world.dir.path().join("short"), "too short").unwrap();
    std::fs::write(&file, format!("{good}{route}")).unwrap();
    let problems = bundle.reload().await.unwrap().unwrap_err();
    assert!(
        problems[0].what.contains("routes.chat.secret") && !problems[0].what.contains("too short")
    );
    std::fs::write(world.dir.path().join("short"), "s".repeat(32)).unwrap();
    assert!(bundle.reload().await.unwrap().is_ok());
}

#[tokio::test]
async fn every_metric_is_written_and_readiness_follows_log_and_store() {
    let world = World::new().await;
    let figures = Figures(world.gateway.clone());
    let write = |n, event| {
        world
            .gateway
            .tally
            .append(&entry(&world, n, event))
            .unwrap()
    };
    write(1, opened());
    write(1, intent());
    write(1, asked());
    assert!(figures.not_ready().await.is_empty());
    let mut page = Page::default();
    figures.figures(&mut page).await;
    let text = page.text();
    for metric in ALL {
        assert!(
            text.contains(&format!("# TYPE {} ", metric.name)),
            "{}",
            metric.name
        );
    }
    for line in [
        "brattice_commands_total{target=\"orders-db\",verdict=\"allow\"} 1",
        "brattice_approvals_asked_total{target=\"orders-db\"} 1",
        "brattice_sessions_opened_total 1",
        "brattice_bundle_revision 1",
        "brattice_ready 1",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    world.gateway.db.close().await;
    assert_eq!(figures.not_ready().await, ["store"]);
}
