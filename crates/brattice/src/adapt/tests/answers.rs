//! Who may do what to the gateway, by the example's rules.

use super::world::*;
use crate::adapt::approvals::Questions;
use crate::adapt::authorizer::Policy;
use brattice_admin::ports::{Act, Answered, ApprovalsApi, Authorizer, SessionState, SessionView};
use brattice_core::approval::{Answer, Approval, ApprovalState};
use brattice_core::denial::Code;
use brattice_core::ids::Revision;
use brattice_core::ports::Approvals;
use brattice_core::principal::{Chain, Identity, Principal};
use std::collections::BTreeMap;

fn policy(world: &World) -> Policy {
    Policy::new(world.gateway.gate.clone())
}

async fn asked(world: &World, n: u8, chain: Chain) -> Approval {
    world
        .gateway
        .db
        .ask(world.question(n, chain))
        .await
        .unwrap()
        .unwrap()
}

fn view(chain: Chain, target: &str) -> SessionView {
    SessionView {
        id: session(9),
        state: SessionState::Closed,
        chain,
        target: target.to_owned(),
        labels: BTreeMap::new(),
        place: "app".to_owned(),
        protocol: "postgres".to_owned(),
        client: String::new(),
        started_at: START,
        ended_at: None,
        commands: 0,
        bytes_to_client: 0,
        revision: Revision(1),
        holding: None,
        recording: None,
    }
}

fn answer(by: Principal, yes: bool) -> Answer {
    Answer {
        by,
        yes,
        rules: vec!["production-writes-wait".to_owned()],
        reason: None,
        at: START,
        via: "api".to_owned(),
        from: None,
    }
}

#[tokio::test]
async fn those_who_are_asked_answer_for_the_rules_that_asked_them() {
    let world = World::new().await;
    let approval = asked(&world, 1, Chain::of(agent("etl-7"))).await;
    let may = |who: Principal| policy(&world).may_answer(&alone(who, START), &approval, HERE);
    assert_eq!(
        may(user("dana", &["dba"])).unwrap(),
        ["production-writes-wait"]
    );
    assert_eq!(
        may(user("avery", &["auditors"])).unwrap_err().rules,
        ["brattice.not-asked"]
    );
}

#[tokio::test]
async fn nobody_answers_for_a_chain_they_are_in() {
    let world = World::new().await;
    let dana = user("dana", &["dba"]);
    let chain = Chain {
        acting: agent("etl-7"),
        on_behalf_of: vec![dana.clone()],
    };
    let approval = asked(&world, 1, chain).await;
    let refused = policy(&world)
        .may_answer(&alone(dana.clone(), START), &approval, HERE)
        .unwrap_err();
    assert_eq!(refused.rules, ["brattice.own-request"]);
    assert!(
        policy(&world)
            .decide(&alone(dana.clone(), START), &Act::Approve(&approval), HERE)
            .is_err()
    );
    // The store is the second wall.
    let questions = Questions(world.gateway.clone());
    assert!(
        questions
            .answer(&approval.question.id, answer(dana, true))
            .await
            .is_err()
    );
    let left = questions.get(&approval.question.id).await.unwrap().unwrap();
    assert_eq!(left.state, ApprovalState::Pending);
}

#[tokio::test]
async fn an_answer_counts_once_and_while_the_question_is_open() {
    let world = World::new().await;
    let id = asked(&world, 1, Chain::of(agent("etl-7")))
        .await
        .question
        .id;
    let questions = Questions(world.gateway.clone());
    let (dana, omar) = (user("dana", &["dba"]), user("omar", &["dba"]));
    let counted = questions
        .answer(&id, answer(dana.clone(), true))
        .await
        .unwrap();
    assert!(matches!(counted, Some(Answered::Counted(a)) if a.state == ApprovalState::Approved));
    let late = questions.answer(&id, answer(omar, false)).await.unwrap();
    assert!(matches!(late, Some(Answered::Closed(a)) if a.state == ApprovalState::Approved));
    let nowhere = brattice_core::ids::ApprovalId::from_bytes([99; 10]);
    assert!(
        questions
            .answer(&nowhere, answer(dana, true))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn the_examples_rules_decide_acts_on_the_gateway() {
    let world = World::new().await;
    let policy = policy(&world);
    let may = |who: &Identity, act: Act<'_>| policy.decide(who, &act, HERE).is_ok();
    let etl = alone(agent("etl-7"), START);
    let dana = alone(user("dana", &["dba"]), START);
    let avery = alone(user("avery", &["auditors"]), START);
    let sasha = alone(user("sasha", &["security"]), START);
    let theirs = view(etl.chain.clone(), "orders-db");

    assert!(may(&etl, Act::Connect("orders-db")) && !may(&etl, Act::Connect("no-such-db")));
    assert!(!may(&avery, Act::Connect("orders-db")));
    assert!(may(&etl, Act::ReadSession(&theirs)), "one's own");
    assert!(may(&avery, Act::Replay(&theirs)) && !may(&dana, Act::Replay(&theirs)));
    assert!(may(&sasha, Act::EndSession(&theirs)) && !may(&avery, Act::EndSession(&theirs)));
    assert!(may(&avery, Act::ReadAudit) && !may(&dana, Act::ReadAudit));
    assert!(may(&sasha, Act::ApplyBundle) && !may(&avery, Act::ApplyBundle));
    assert!(
        may(&sasha, Act::Suspend(&agent("etl-7"))) && !may(&dana, Act::Suspend(&agent("etl-7")))
    );
}

#[tokio::test]
async fn a_refusal_names_the_act_and_a_missing_target_looks_like_a_forbidden_one() {
    let world = World::new().await;
    let policy = policy(&world);
    let avery = alone(user("avery", &["auditors"]), START);
    let forbidden = policy
        .decide(&avery, &Act::Connect("orders-db"), HERE)
        .unwrap_err();
    let missing = policy
        .decide(&avery, &Act::Connect("no-such-db"), HERE)
        .unwrap_err();
    assert_eq!(forbidden.code, Code::Forbidden);
    assert_eq!(forbidden, missing);
}

#[tokio::test]
async fn of_a_target_that_left_the_bundle_one_sees_what_is_ones_own() {
    let world = World::new().await;
    let policy = policy(&world);
    let etl = alone(agent("etl-7"), START);
    let gone = view(etl.chain.clone(), "gone-db");
    assert!(policy.decide(&etl, &Act::ReadSession(&gone), HERE).is_ok());
    let avery = alone(user("avery", &["auditors"]), START);
    let refused = policy
        .decide(&avery, &Act::Replay(&gone), HERE)
        .unwrap_err();
    assert_eq!(refused.rules, ["brattice.target-gone"]);
}
