//! The public interface, on the company's example rules.

use crate::action::{Act, Object, RelationKind, SqlFacts, Verb};
use crate::ids::Digest;
use crate::policy::{
    Budget, Known, Lifted, Moment, Outcome, Reveal, Rules, SourceFile, TimeZone, Verdict,
};
use crate::principal::{Chain, Identity, LoginBy, Principal, PrincipalKind};
use crate::sender::Binding;
use crate::target::{Protocol, Target};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub const COMPANY: &str = include_str!("../../../../../examples/policies/company.cedar");

pub fn target(name: &str, protocol: Protocol, labels: &[(&str, &str)]) -> Target {
    let labels = labels
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    Target {
        name: name.to_owned(),
        protocol,
        labels,
        observe: false,
    }
}

pub fn principal(kind: PrincipalKind, id: &str, groups: &[&str]) -> Principal {
    let (issuer, name) = id.split_once('/').unwrap();
    Principal {
        kind,
        issuer: issuer.to_owned(),
        name: name.to_owned(),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
    }
}

pub fn identity(chain: Chain, now: Timestamp) -> Identity {
    Identity {
        chain,
        by: LoginBy::Oidc,
        mfa: true,
        binding: Binding::key(Digest::of(b"key")),
        authenticated_at: Timestamp(now.0 - 300_000_000),
        expires_at: Timestamp(now.0 + 3_600_000_000),
        token_id: None,
        credential: None,
        scope: crate::scope::Scope::whole(),
        lineage: Vec::new(),
        sign_in: None,
    }
}

fn known() -> Known {
    let targets = [
        target(
            "orders-db",
            Protocol::Postgres,
            &[("env", "production"), ("team", "orders")],
        ),
        target(
            "web-1",
            Protocol::Ssh,
            &[("env", "staging"), ("role", "web")],
        ),
        target(
            "prod-cluster",
            Protocol::Kubernetes,
            &[("env", "production")],
        ),
        target("payments", Protocol::Http, &[("env", "production")]),
        target("tickets", Protocol::Mcp, &[("env", "production")]),
    ];
    let classes = [
        ("personal", None),
        ("email", Some("personal")),
        ("payment_card", None),
        ("secret", None),
    ];
    Known {
        issuers: BTreeSet::from(["okta".to_owned()]),
        labels: BTreeSet::new(),
        targets: targets.into_iter().map(|t| (t.name.clone(), t)).collect(),
        classes: classes
            .into_iter()
            .map(|(c, up)| (c.to_owned(), up.into_iter().map(str::to_owned).collect()))
            .collect(),
        owners: BTreeMap::from([("okta/orders-1".to_owned(), "okta/dee".to_owned())]),
    }
}

fn company() -> Arc<Rules> {
    let file = SourceFile {
        name: "company.cedar".to_owned(),
        text: COMPANY.to_owned(),
    };
    match Rules::load(&[file], &known()) {
        Ok(rules) => Arc::new(rules),
        Err(problems) => panic!(
            "{}",
            problems
                .iter()
                .map(|p| format!("{p}\n"))
                .collect::<String>()
        ),
    }
}

/// Tuesday 2026-11-24, 09:30 UTC.
pub const TUESDAY: Timestamp = Timestamp(1_795_512_600_000_000);

fn judge(chain: Chain, acts: &[Act], lifted: &Lifted) -> Outcome {
    let rules = company();
    let target = rules.known().targets.get("orders-db").unwrap().clone();
    let id = identity(chain.clone(), TUESDAY);
    let zone = TimeZone::UTC;
    let moment = Moment {
        identity: &id,
        now: TUESDAY,
        address: "10.1.2.3".parse().unwrap(),
        budget: Budget::default(),
        zone: &zone,
        rows_so_far: 0,
    };
    rules
        .judge_for(&chain, &target)
        .judge(acts, &moment, lifted)
}

fn table(name: &str) -> Object {
    Object::Table {
        database: "app".to_owned(),
        schema: "public".to_owned(),
        table: name.to_owned(),
        kind: RelationKind::Table,
    }
}

fn orders_agent() -> Chain {
    Chain::of(principal(
        PrincipalKind::Agent,
        "okta/orders-1",
        &["okta/agents", "okta/orders-agents"],
    ))
}

fn bounded(verb: Verb) -> Act {
    let facts = SqlFacts {
        has_where: true,
        estimated_rows: 10,
        ..SqlFacts::default()
    };
    Act {
        facts: facts.into(),
        ..Act::new(verb, table("customers"))
    }
}

#[test]
fn a_permitted_read_is_allowed_and_says_by_which_rule() {
    let outcome = judge(orders_agent(), &[bounded(Verb::SqlSelect)], &Lifted::none());
    assert_eq!(outcome.verdict, Verdict::Allow);
    assert_eq!(outcome.permits, ["orders-agents-write"]);
}

#[test]
fn a_production_write_waits_and_an_approval_of_this_very_text_lifts_it() {
    let outcome = judge(orders_agent(), &[bounded(Verb::SqlUpdate)], &Lifted::none());
    let Verdict::Hold(asked) = outcome.verdict else {
        panic!("{outcome:?}")
    };
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].rule.as_str(), asked[0].approvers),
        ("production-writes", 2)
    );
    assert_eq!(asked[0].groups, ["okta/dba"]);
    assert_eq!(asked[0].grant_minutes, Some(30));

    let mut lifted = Lifted::none();
    lifted.add("production-writes", asked[0].rule_text);
    assert!(judge(orders_agent(), &[bounded(Verb::SqlUpdate)], &lifted).allowed());

    let mut other_text = Lifted::none();
    other_text.add("production-writes", crate::ids::Digest::of(b"another"));
    assert!(!judge(orders_agent(), &[bounded(Verb::SqlUpdate)], &other_text).allowed());
}

#[test]
fn a_refusal_says_what_and_for_whom() {
    let stranger = principal(PrincipalKind::User, "okta/nil", &[]);
    let chain = Chain {
        on_behalf_of: vec![stranger],
        ..orders_agent()
    };
    let acts = [
        bounded(Verb::SqlSelect),
        Act::new(Verb::SqlTruncate, table("log")),
    ];
    let outcome = judge(chain, &acts, &Lifted::none());
    let Verdict::Deny { rules, messages } = &outcome.verdict else {
        panic!("{outcome:?}")
    };
    assert_eq!(rules, &["no-destruction"]);
    assert!(messages[0].starts_with("Nothing is destroyed in production."));
    assert_eq!(outcome.unpermitted, [0]);
    assert_eq!(outcome.lacking, ["user:okta/nil"]);
}

#[test]
fn another_identity_than_the_judges_is_refused() {
    let rules = company();
    let target = rules.known().targets.get("orders-db").unwrap().clone();
    let judge = rules.judge_for(&orders_agent(), &target);
    let mut widened = orders_agent();
    widened.acting.groups.insert("okta/break-glass".to_owned());
    let id = identity(widened, TUESDAY);
    let zone = TimeZone::UTC;
    let moment = Moment {
        identity: &id,
        now: TUESDAY,
        address: "10.1.2.3".parse().unwrap(),
        budget: Budget::default(),
        zone: &zone,
        rows_so_far: 0,
    };
    let outcome = judge.judge(&[bounded(Verb::SqlSelect)], &moment, &Lifted::none());
    let Verdict::Deny { rules, .. } = outcome.verdict else {
        panic!()
    };
    assert_eq!(rules, ["brattice.other-chain"]);
}

#[test]
fn the_most_revealing_permitted_form_is_shown() {
    let rules = company();
    let target = rules.known().targets.get("orders-db").unwrap().clone();
    let field = |class: &str| Object::Field {
        database: "app".to_owned(),
        schema: "public".to_owned(),
        table: "customers".to_owned(),
        kind: RelationKind::Table,
        column: "card".to_owned(),
        class: class.to_owned(),
    };
    let zone = TimeZone::UTC;
    let shown = |groups: &[&str], class: &str| {
        let chain = Chain::of(principal(PrincipalKind::User, "okta/sam", groups));
        let id = identity(chain.clone(), TUESDAY);
        let moment = Moment {
            identity: &id,
            now: TUESDAY,
            address: "10.1.2.3".parse().unwrap(),
            budget: Budget::default(),
            zone: &zone,
            rows_so_far: 0,
        };
        rules
            .judge_for(&chain, &target)
            .reveal(&field(class), &moment, &Lifted::none())
    };
    assert_eq!(shown(&["okta/support"], "payment_card"), Reveal::Last4);
    assert_eq!(shown(&["okta/support"], "secret"), Reveal::Masked);
    assert_eq!(shown(&["okta/analytics-agents"], "email"), Reveal::Token);
    assert_eq!(shown(&[], "email"), Reveal::Masked);
}
