//! Approvals under races, across restarts, and at their bounds; the database as a file.

use super::*;
use crate::testing::{
    Counted, START, StepClock, agent, answer, asked, chain, header, question, session, ten, user,
};
use brattice_core::approval::{ApprovalState, Grant};
use brattice_core::ids::Digest;
use brattice_core::ports::Approvals;
use brattice_core::time::Timestamp;
use std::collections::BTreeSet;
use tempfile::TempDir;

pub(super) struct Fixture {
    pub(super) db: Db,
    pub(super) clock: StepClock,
    pub(super) dir: TempDir,
}

impl Fixture {
    pub(super) async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let clock = StepClock::new();
        let db = open(&dir, &clock, "node-1").await.unwrap();
        Self { db, clock, dir }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn minutes(&self, n: u64) {
        self.clock.step(Duration::from_secs(60 * n));
    }

    /// Asks and gets a yes.
    async fn approved(&self, id: u64, action: u64) -> ApprovalId {
        let asked = self.db.ask(question(id, action, self.now())).await;
        let id = asked.unwrap().unwrap().question.id;
        let done = self
            .db
            .answer(&id, answer(user("bo"), true, &["deletes"]))
            .await;
        assert_eq!(done.unwrap().state, ApprovalState::Approved);
        id
    }

    async fn state(&self, id: &ApprovalId) -> ApprovalState {
        self.db.get(id).await.unwrap().unwrap().state
    }
}

pub(super) async fn open(dir: &TempDir, clock: &StepClock, node: &str) -> Result<Db, OpenError> {
    let settings = Settings {
        path: dir.path().join("brattice.db"),
        node: node.to_owned(),
        limits: Limits::default(),
    };
    let random = Arc::new(Counted::default());
    Db::open(settings, random, Arc::new(clock.clone())).await
}

#[tokio::test]
async fn the_same_open_question_is_not_put_twice() {
    let f = Fixture::new().await;
    let first = f.db.ask(question(1, 7, f.now())).await.unwrap().unwrap();
    let again = f.db.ask(question(2, 7, f.now())).await.unwrap().unwrap();
    assert_eq!(first.question.id, again.question.id);
    let other = f.db.ask(question(3, 8, f.now())).await.unwrap().unwrap();
    assert_ne!(first.question.id, other.question.id);
    let mut of_other_chain = question(4, 7, f.now());
    of_other_chain.chain = chain("etl-8", "ana");
    let other = f.db.ask(of_other_chain).await.unwrap().unwrap();
    assert_ne!(first.question.id, other.question.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_question_raced_is_put_once() {
    let f = Fixture::new().await;
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let (db, now) = (f.db.clone(), f.now());
            tokio::spawn(async move { db.ask(question(n, 7, now)).await.unwrap().unwrap() })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for task in tasks {
        ids.insert(task.await.unwrap().question.id);
    }
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_question_whose_rules_have_changed_is_put_anew() {
    let f = Fixture::new().await;
    let first = f.db.ask(question(1, 7, f.now())).await.unwrap().unwrap();
    let mut stricter = question(2, 7, f.now());
    stricter.asked = vec![asked("deletes", 2, None)];
    let second = f.db.ask(stricter).await.unwrap().unwrap();
    assert_ne!(first.question.id, second.question.id);
    assert_eq!(f.state(&first.question.id).await, ApprovalState::NotRun);
}

#[tokio::test]
async fn a_chain_that_asks_too_much_is_throttled_and_others_are_not() {
    let f = Fixture::new().await;
    for n in 0..30 {
        assert!(f.db.ask(question(n, n, f.now())).await.unwrap().is_some());
    }
    assert!(f.db.ask(question(99, 99, f.now())).await.unwrap().is_none());
    let repeated = f.db.ask(question(99, 3, f.now())).await.unwrap();
    assert!(repeated.is_some(), "an open one is no new question");
    let mut other = question(100, 99, f.now());
    other.chain = chain("etl-8", "ana");
    assert!(f.db.ask(other).await.unwrap().is_some());
}

#[tokio::test]
async fn the_open_questions_of_a_chain_are_bounded() {
    let f = Fixture::new().await;
    let mut put = 0;
    for n in 0..120 {
        if n % 30 == 0 {
            f.minutes(2);
        }
        let asked = f.db.ask(question(n, n, f.now())).await.unwrap();
        put += usize::from(asked.is_some());
    }
    assert_eq!(put, 100);
    f.minutes(61);
    assert!(
        f.db.ask(question(200, 200, f.now()))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_lapsed_question_is_no_open_one() {
    let f = Fixture::new().await;
    let first = f.db.ask(question(1, 7, f.now())).await.unwrap().unwrap();
    f.minutes(61);
    assert_eq!(f.state(&first.question.id).await, ApprovalState::Expired);
    let late =
        f.db.answer(&first.question.id, answer(user("bo"), true, &["deletes"]));
    assert!(matches!(
        late.await,
        Err(AnswerError::NotPending(ApprovalState::Expired))
    ));
    let second = f.db.ask(question(2, 7, f.now())).await.unwrap().unwrap();
    assert_ne!(first.question.id, second.question.id);
}

#[tokio::test]
async fn answers_are_tallied_and_refused_where_they_do_not_count() {
    let f = Fixture::new().await;
    let mut q = question(1, 7, f.now());
    q.asked = vec![asked("deletes", 2, None), asked("production", 1, None)];
    let id = f.db.ask(q).await.unwrap().unwrap().question.id;
    let say = |by, yes, rules: &'static [&'static str]| f.db.answer(&id, answer(by, yes, rules));
    let own = say(user("ana"), true, &["deletes"]).await;
    assert!(matches!(own, Err(AnswerError::OwnQuestion)));
    let agents = say(agent("etl-7"), true, &["deletes"]).await;
    assert!(matches!(agents, Err(AnswerError::OwnQuestion)));
    let none = say(user("bo"), true, &[]).await;
    assert!(matches!(none, Err(AnswerError::NoRule)));
    let foreign = say(user("bo"), true, &["other"]).await;
    assert!(matches!(foreign, Err(AnswerError::NoRule)));
    let first = say(user("bo"), true, &["deletes"]).await.unwrap();
    assert_eq!(first.state, ApprovalState::Pending);
    let twice = say(user("bo"), true, &["production"]).await;
    assert!(matches!(twice, Err(AnswerError::AlreadyAnswered)));
    let second = say(user("cy"), true, &["deletes", "production"])
        .await
        .unwrap();
    assert_eq!(second.state, ApprovalState::Approved);
    let late = say(user("dee"), false, &["deletes"]).await;
    assert!(matches!(
        late,
        Err(AnswerError::NotPending(ApprovalState::Approved))
    ));
    let kept = f.db.get(&id).await.unwrap().unwrap();
    let by: Vec<String> = kept.answers.iter().map(|a| a.by.name.clone()).collect();
    assert_eq!(by, ["bo", "cy"]);
    let missing = ApprovalId::from_bytes(ten(999));
    let nobody =
        f.db.answer(&missing, answer(user("bo"), true, &["deletes"]));
    assert!(matches!(nobody.await, Err(AnswerError::NotFound)));
}

#[tokio::test]
async fn one_no_ends_it() {
    let f = Fixture::new().await;
    let id =
        f.db.ask(question(1, 7, f.now()))
            .await
            .unwrap()
            .unwrap()
            .question
            .id;
    let no =
        f.db.answer(&id, answer(user("bo"), false, &["deletes"]))
            .await;
    assert_eq!(no.unwrap().state, ApprovalState::Denied);
    assert!(!f.db.consume(&id, &session(1), f.now()).await.unwrap());
    let q = question(1, 7, f.now());
    let ticket = f.db.ticket(&q.chain, &q.target, q.action, f.now()).await;
    assert!(ticket.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_approval_is_consumed_by_exactly_one_of_fifty() {
    let f = Fixture::new().await;
    let id = f.approved(1, 7).await;
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let (db, id, now) = (f.db.clone(), id.clone(), f.now());
            tokio::spawn(async move { db.consume(&id, &session(n), now).await.unwrap() })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap());
    }
    assert_eq!(won, 1);
    assert_eq!(f.state(&id).await, ApprovalState::Consumed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_that_race_consume_it_once() {
    let f = Fixture::new().await;
    let other = open(&f.dir, &f.clock, "node-2").await.unwrap();
    for round in 0..10 {
        let id = f.approved(round, round).await;
        let session = session(1);
        let (a, b) = tokio::join!(
            f.db.consume(&id, &session, START),
            other.consume(&id, &session, START)
        );
        assert!(a.unwrap() ^ b.unwrap());
    }
}

#[tokio::test]
async fn a_ticket_is_for_the_same_chain_target_and_action_until_it_expires() {
    let f = Fixture::new().await;
    let id = f.approved(1, 7).await;
    let q = question(1, 7, START);
    let found = async |chain: &brattice_core::principal::Chain, target: &str, action| {
        let ticket = f.db.ticket(chain, target, action, f.now()).await;
        ticket.unwrap().map(|a| a.question.id)
    };
    assert_eq!(found(&q.chain, &q.target, q.action).await, Some(id.clone()));
    assert_eq!(
        found(&chain("etl-8", "ana"), &q.target, q.action).await,
        None
    );
    assert_eq!(found(&q.chain, "other-db", q.action).await, None);
    assert_eq!(found(&q.chain, &q.target, Digest::of(b"other")).await, None);
    f.minutes(61);
    assert_eq!(found(&q.chain, &q.target, q.action).await, None);
    assert!(!f.db.consume(&id, &session(1), f.now()).await.unwrap());
    assert_eq!(f.db.expire(f.now()).await.unwrap(), vec![id.clone()]);
    assert!(f.db.expire(f.now()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_waiter_is_told_as_soon_as_it_is_decided() {
    let f = Fixture::new().await;
    let id =
        f.db.ask(question(1, 7, f.now()))
            .await
            .unwrap()
            .unwrap()
            .question
            .id;
    let waiting = {
        let (db, id) = (f.db.clone(), id.clone());
        tokio::spawn(async move { db.decided(&id).await.unwrap().state })
    };
    tokio::task::yield_now().await;
    f.db.answer(&id, answer(user("bo"), true, &["deletes"]))
        .await
        .unwrap();
    assert_eq!(waiting.await.unwrap(), ApprovalState::Approved);
    assert!(f.db.decided(&ApprovalId::from_bytes(ten(9))).await.is_err());
}

#[tokio::test]
async fn a_waiter_is_told_of_what_another_process_decided() {
    let f = Fixture::new().await;
    let other = open(&f.dir, &f.clock, "node-2").await.unwrap();
    let id =
        f.db.ask(question(1, 7, f.now()))
            .await
            .unwrap()
            .unwrap()
            .question
            .id;
    let waiting = {
        let (db, id) = (f.db.clone(), id.clone());
        tokio::spawn(async move { db.decided(&id).await.unwrap().state })
    };
    other
        .answer(&id, answer(user("bo"), false, &["deletes"]))
        .await
        .unwrap();
    assert_eq!(waiting.await.unwrap(), ApprovalState::Denied);
}

#[tokio::test]
async fn an_abandoned_question_can_no_longer_be_answered() {
    let f = Fixture::new().await;
    let id =
        f.db.ask(question(1, 7, f.now()))
            .await
            .unwrap()
            .unwrap()
            .question
            .id;
    f.db.abandon(&id).await.unwrap();
    assert_eq!(f.state(&id).await, ApprovalState::NotRun);
    let late =
        f.db.answer(&id, answer(user("bo"), true, &["deletes"]))
            .await;
    assert!(matches!(late, Err(AnswerError::NotPending(_))));
    let approved = f.approved(2, 8).await;
    f.db.abandon(&approved).await.unwrap();
    assert_eq!(f.state(&approved).await, ApprovalState::Approved);
}

#[tokio::test]
async fn a_shared_question_ends_with_the_last_who_asked_it() {
    let f = Fixture::new().await;
    let ask = async || {
        let asked = f.db.ask(question(1, 7, f.now())).await.unwrap();
        asked.unwrap().question.id
    };
    let id = ask().await;
    assert_eq!(ask().await, id);
    f.db.abandon(&id).await.unwrap();
    assert_eq!(f.state(&id).await, ApprovalState::Pending);
    assert_eq!(ask().await, id);
    f.db.abandon(&id).await.unwrap();
    f.db.abandon(&id).await.unwrap();
    assert_eq!(f.state(&id).await, ApprovalState::NotRun);
}

#[tokio::test]
async fn a_voided_approval_can_no_longer_be_used() {
    let f = Fixture::new().await;
    let approved = f.approved(2, 8).await;
    f.db.void(&approved).await.unwrap();
    assert_eq!(f.state(&approved).await, ApprovalState::NotRun);
    assert!(!f.db.consume(&approved, &session(1), f.now()).await.unwrap());
    let used = f.approved(3, 9).await;
    assert!(f.db.consume(&used, &session(1), f.now()).await.unwrap());
    f.db.void(&used).await.unwrap();
    assert_eq!(f.state(&used).await, ApprovalState::Consumed);
}

#[tokio::test]
async fn a_restart_keeps_tickets_and_uses_and_ends_what_was_waiting() {
    let f = Fixture::new().await;
    let consumed = f.approved(1, 1).await;
    assert!(f.db.consume(&consumed, &session(1), f.now()).await.unwrap());
    let approved = f.approved(2, 2).await;
    let pending =
        f.db.ask(question(3, 3, f.now()))
            .await
            .unwrap()
            .unwrap()
            .question
            .id;
    f.db.session_opened(&header(session(1))).await.unwrap();
    f.db.close().await;

    let other = open(&f.dir, &f.clock, "node-2").await.unwrap();
    assert_eq!(other.settle_left_open().await.unwrap(), LeftOpen::default());
    let db = open(&f.dir, &f.clock, "node-1").await.unwrap();
    let left = db.settle_left_open().await.unwrap();
    assert_eq!(left.not_run, vec![pending.clone()]);
    assert_eq!(left.interrupted, vec![session(1)]);
    let state = async |id: &ApprovalId| db.get(id).await.unwrap().unwrap().state;
    assert_eq!(state(&consumed).await, ApprovalState::Consumed);
    assert_eq!(state(&pending).await, ApprovalState::NotRun);
    assert!(!db.consume(&consumed, &session(2), START).await.unwrap());
    assert!(db.consume(&approved, &session(2), START).await.unwrap());
    let end = db.session(&session(1)).await.unwrap().unwrap().end.unwrap();
    assert_eq!(end.reason, "interrupted");
    assert_eq!(db.settle_left_open().await.unwrap(), LeftOpen::default());
}

#[tokio::test]
async fn an_approval_opens_the_grants_that_its_rules_offer() {
    let f = Fixture::new().await;
    let mut q = question(1, 7, f.now());
    q.asked = vec![asked("deletes", 1, Some(30)), asked("production", 1, None)];
    let (of, target) = (q.chain.clone(), q.target.clone());
    let id = f.db.ask(q).await.unwrap().unwrap().question.id;
    f.db.answer(&id, answer(user("bo"), true, &["production"]))
        .await
        .unwrap();
    assert!(f.db.grants(&of, &target, f.now()).await.unwrap().is_empty());
    f.minutes(1);
    f.db.answer(&id, answer(user("cy"), true, &["deletes"]))
        .await
        .unwrap();
    let grants = f.db.grants(&of, &target, f.now()).await.unwrap();
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0].rule, "deletes");
    assert_eq!(grants[0].rule_text, Digest::of(b"deletes"));
    assert_eq!(grants[0].until, START.plus(Duration::from_secs(31 * 60)));
    assert!(grants[0].approvers[0].is_same(&user("cy")));
    let others = f.db.grants(&chain("etl-8", "ana"), &target, f.now()).await;
    assert!(others.unwrap().is_empty());
    assert!(
        f.db.grants(&of, "other-db", f.now())
            .await
            .unwrap()
            .is_empty()
    );
    f.minutes(30);
    assert!(f.db.grants(&of, &target, f.now()).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_ended_grant_is_in_force_no_longer() {
    let f = Fixture::new().await;
    let q = question(1, 7, START);
    let grant = Grant {
        id: GrantId::from_bytes(ten(1)),
        rule: "deletes".to_owned(),
        rule_text: Digest::of(b"deletes"),
        chain: q.chain.names_digest(),
        holder: chain("etl-7", "ana"),
        target: q.target.clone(),
        approvers: vec![user("bo")],
        until: START.plus(Duration::from_secs(600)),
    };
    f.db.open_grant(grant.clone()).await.unwrap();
    assert_eq!(f.db.all_grants(START).await.unwrap().len(), 1);
    let mut changes = f.db.changes();
    assert!(f.db.end_grant(&grant.id).await.unwrap());
    assert!(matches!(changes.recv().await, Ok(Change::GrantEnded(id)) if id == grant.id));
    assert!(!f.db.end_grant(&grant.id).await.unwrap());
    assert!(
        f.db.grants(&q.chain, &q.target, START)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn approvals_are_listed_by_what_they_are_now() {
    let f = Fixture::new().await;
    let first = f.approved(1, 1).await;
    f.minutes(59);
    let mut q = question(2, 2, f.now());
    q.session = Some(session(2));
    q.target = "billing-db".to_owned();
    let second = f.db.ask(q).await.unwrap().unwrap().question.id;
    f.minutes(2);
    let list = async |filter: ApprovalFilter| {
        let found = f.db.approvals(&filter).await.unwrap();
        found.into_iter().map(|a| a.question.id).collect::<Vec<_>>()
    };
    let by_state = |state| ApprovalFilter {
        state: Some(state),
        ..ApprovalFilter::default()
    };
    let all = list(ApprovalFilter::default()).await;
    assert_eq!(all, vec![second.clone(), first.clone()]);
    assert_eq!(
        list(by_state(ApprovalState::Expired)).await,
        vec![first.clone()]
    );
    assert_eq!(
        list(by_state(ApprovalState::Pending)).await,
        vec![second.clone()]
    );
    assert!(list(by_state(ApprovalState::Approved)).await.is_empty());
    let of_session = ApprovalFilter {
        session: Some(session(2)),
        target: Some("billing-db".to_owned()),
        ..ApprovalFilter::default()
    };
    assert_eq!(list(of_session).await, vec![second]);
    let page = ApprovalFilter {
        before: Some(START.plus(Duration::from_secs(60))),
        limit: Some(1),
        ..ApprovalFilter::default()
    };
    assert_eq!(list(page).await, vec![first]);
}

#[tokio::test]
async fn what_is_answered_and_consumed_is_committed_with_a_sync() {
    let f = Fixture::new().await;
    let of = async |pool: &SqlitePool| -> i64 {
        let level = sqlx::query_scalar("PRAGMA synchronous").fetch_one(pool);
        level.await.unwrap()
    };
    assert_eq!(of(&f.db.0.durable).await, 2);
    assert_eq!(of(&f.db.0.quick).await, 1);
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&f.db.0.durable)
        .await
        .unwrap();
    assert_eq!(mode, "wal");
    let refused = sqlx::query("DELETE FROM approvals").execute(&f.db.0.readers);
    assert!(refused.await.is_err(), "readers cannot write");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let f = Fixture::new().await;
    sqlx::query("INSERT INTO schema_version (version) VALUES (999)")
        .execute(&f.db.0.durable)
        .await
        .unwrap();
    let again = open(&f.dir, &f.clock, "node-1").await;
    assert!(matches!(
        again,
        Err(OpenError::Schema(SchemaError::TooNew { found: 999, .. }))
    ));
}

#[tokio::test]
async fn the_database_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let f = Fixture::new().await;
    f.approved(1, 1).await;
    for name in ["brattice.db", "brattice.db-wal"] {
        let meta = std::fs::metadata(f.dir.path().join(name)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_store_that_is_gone_refuses() {
    let f = Fixture::new().await;
    let id = f.approved(1, 7).await;
    f.db.close().await;
    let error = f.db.consume(&id, &session(1), START).await.unwrap_err();
    assert_eq!(error.operation, "consume an approval");
    assert!(f.db.ask(question(2, 8, START)).await.is_err());
    let q = question(1, 7, START);
    assert!(
        f.db.ticket(&q.chain, &q.target, q.action, START)
            .await
            .is_err()
    );
    assert!(f.db.grants(&q.chain, &q.target, START).await.is_err());
}
