//! Acts on the gateway itself, and what code decides before any rule.

use super::basics::{COMPANY, TUESDAY, identity};
use super::table::spelled;
use super::world::{file, table};
use crate::action::Effect;
use crate::approval::{Asked, Question};
use crate::ids::{ApprovalId, CredentialId, Digest, Revision, SessionId};
use crate::policy::{AdminMoment, AdminObject, AdminVerb, Lifted, Outcome, Rules, TimeZone};
use crate::principal::Chain;
use crate::target::Target;
use std::sync::{Arc, OnceLock};

fn rules() -> Arc<Rules> {
    static LOADED: OnceLock<Arc<Rules>> = OnceLock::new();
    let load = || {
        Arc::new(Rules::load(&[file("company.cedar", COMPANY)], &table().world.known()).unwrap())
    };
    Arc::clone(LOADED.get_or_init(load))
}

fn chain(who: &[&str]) -> Chain {
    table()
        .world
        .chain(&who.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
}

fn may(who: &[&str], verb: AdminVerb, object: &AdminObject<'_>) -> Outcome {
    let zone = TimeZone::UTC;
    let moment = AdminMoment {
        now: TUESDAY,
        address: "10.1.2.3".parse().unwrap(),
        zone: &zone,
    };
    rules().may(
        &identity(chain(who), TUESDAY),
        verb,
        object,
        &moment,
        &Lifted::none(),
    )
}

fn target() -> Target {
    table().world.target("orders-db")
}

fn asked(rule: &str, groups: &[&str]) -> Asked {
    Asked {
        rule: rule.to_owned(),
        rule_text: Digest::of(rule.as_bytes()),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        approvers: 1,
        grant_minutes: None,
        message: None,
    }
}

fn approve(who: &[&str], asker: &Chain, groups: &[&str]) -> String {
    let (id, target, asked) = (
        ApprovalId::from_bytes([1; 10]),
        target(),
        [asked("production-writes", groups)],
    );
    let object = AdminObject::Approval {
        id: &id,
        target: &target,
        chain: asker,
        asked: &asked,
        effects: &[Effect::Write],
    };
    spelled(&may(who, AdminVerb::Approve, &object))
}

#[test]
fn nobody_approves_what_was_asked_by_them_or_for_them() {
    let asker = chain(&["Agent::okta/analyst-1", "User::okta/dee"]);
    assert_eq!(
        approve(&["User::okta/dee"], &asker, &["okta/dba"]),
        "deny(brattice.own-request)"
    );
    assert_eq!(
        approve(&["Agent::okta/analyst-1"], &asker, &["okta/agents"]),
        "deny(brattice.own-request)"
    );
    let other = chain(&["Agent::okta/analyst-1"]);
    assert_eq!(approve(&["User::okta/dee"], &other, &["okta/dba"]), "allow");
}

#[test]
fn only_who_is_asked_approves_even_where_a_rule_would_permit_more() {
    let asker = chain(&["Agent::okta/analyst-1"]);
    assert_eq!(
        approve(&["User::okta/eve"], &asker, &["okta/dba"]),
        "deny(brattice.not-asked)"
    );
}

#[test]
fn an_agent_does_not_approve_for_itself_or_for_a_person() {
    let asker = chain(&["Agent::okta/analyst-1"]);
    let asked = &["okta/agents", "okta/dba"];
    assert_eq!(
        approve(&["Agent::okta/orders-1"], &asker, asked),
        "deny(brattice.not-in-schema)"
    );
    assert_eq!(
        approve(&["Agent::okta/orders-1", "User::okta/dee"], &asker, asked),
        "deny(brattice.not-in-schema)"
    );
}

#[test]
fn each_rule_of_a_question_is_answered_by_its_own_groups() {
    let question = Question {
        id: ApprovalId::from_bytes([1; 10]),
        session: Some(SessionId::from_bytes([2; 10])),
        ahead: None,
        chain: chain(&["Agent::okta/analyst-1"]),
        target: "orders-db".to_owned(),
        labels: Vec::new(),
        place: "app".to_owned(),
        action: Digest::of(b"update"),
        text: "update".to_owned(),
        parameters: Vec::new(),
        effects: vec![Effect::Write],
        acts: Vec::new(),
        asked: vec![
            asked("production-writes", &["okta/dba"]),
            asked("break-glass-waits", &["okta/incident-commanders"]),
        ],
        revision: Revision(1),
        asked_at: TUESDAY,
        expires_at: TUESDAY,
    };
    let zone = TimeZone::UTC;
    let moment = AdminMoment {
        now: TUESDAY,
        address: "10.1.2.3".parse().unwrap(),
        zone: &zone,
    };
    let who = identity(chain(&["User::okta/dee"]), TUESDAY);
    let answerable = rules().may_answer(&who, &question, &target(), &moment);
    assert_eq!(answerable.rules, ["production-writes"]);
    assert_eq!(answerable.refused.len(), 1);
    assert_eq!(answerable.refused[0].0, "break-glass-waits");
}

#[test]
fn what_is_ones_own_is_seen_and_ended_without_a_rule() {
    let (id, credential, target) = (
        SessionId::from_bytes([1; 10]),
        CredentialId::from_bytes([2; 10]),
        target(),
    );
    let served = chain(&["Agent::okta/orders-1", "User::okta/nil"]);
    let session = AdminObject::Session {
        id: &id,
        target: &target,
        chain: &served,
        live: true,
    };
    for who in [
        &["User::okta/nil"][..],
        &["Agent::okta/orders-1"],
        &["Agent::okta/orders-1", "User::okta/nil"],
    ] {
        for verb in [AdminVerb::SessionRead, AdminVerb::SessionEnd] {
            assert_eq!(may(who, verb, &session).permits, ["brattice.own"]);
        }
        assert_eq!(
            may(
                who,
                AdminVerb::CredentialRevoke,
                &AdminObject::Credential {
                    id: &credential,
                    target: &target,
                    chain: &served
                }
            )
            .permits,
            ["brattice.own"]
        );
    }
    // The same agent, serving somebody else, does not see it; nor does anyone replay it for being in it.
    let elsewhere = &["Agent::okta/orders-1", "User::okta/sam"];
    assert_eq!(
        spelled(&may(elsewhere, AdminVerb::SessionRead, &session)),
        "deny(brattice.not-in-schema)"
    );
    assert_eq!(
        spelled(&may(&["User::okta/nil"], AdminVerb::Replay, &session)),
        "deny"
    );
    assert_eq!(
        spelled(&may(&["User::okta/aud"], AdminVerb::Replay, &session)),
        "allow"
    );
}

#[test]
fn each_object_of_administration_reaches_its_rules() {
    let (target, agent) = (target(), table().world.who("Agent::okta/analyst-1"));
    let whose = chain(&["Agent::okta/analyst-1"]);
    let (credential, grant) = (
        CredentialId::from_bytes([2; 10]),
        crate::ids::GrantId::from_bytes([3; 10]),
    );
    let objects = [
        (AdminVerb::IdentitySuspend, AdminObject::Identity(&agent)),
        (
            AdminVerb::CredentialRevoke,
            AdminObject::Credential {
                id: &credential,
                target: &target,
                chain: &whose,
            },
        ),
        (
            AdminVerb::GrantEnd,
            AdminObject::Grant {
                id: &grant,
                target: &target,
                chain: &whose,
                rule: "row-budget",
                approvers: &[],
            },
        ),
        (AdminVerb::PolicyPropose, AdminObject::Bundle),
    ];
    for (verb, object) in &objects {
        assert_eq!(
            spelled(&may(&["User::okta/sec"], *verb, object)),
            "allow",
            "{verb:?}"
        );
        assert_eq!(
            spelled(&may(&["User::okta/aud"], *verb, object)),
            "deny",
            "{verb:?}"
        );
    }
    for object in [AdminObject::Gateway, AdminObject::Target(&target)] {
        assert_eq!(
            spelled(&may(&["User::okta/aud"], AdminVerb::AuditRead, &object)),
            "allow"
        );
        assert_eq!(
            spelled(&may(&["User::okta/sec"], AdminVerb::AuditRead, &object)),
            "deny"
        );
    }
    // A verb on a thing it is not for does not exist.
    assert_eq!(
        spelled(&may(
            &["User::okta/sec"],
            AdminVerb::PolicyApply,
            &AdminObject::Gateway
        )),
        "deny(brattice.not-in-schema)"
    );
}
