//! Every attribute a rule can look at: it has the value that the circumstances give it, and no other.

use super::basics::{TUESDAY, identity, principal, target};
use super::world::file;
use crate::action::{Act, FIGURE_MAX, Object, RelationKind, SqlFacts, Verb};
use crate::policy::{Budget, Known, Lifted, Moment, Rules, TimeZone};
use crate::principal::{Chain, Identity, LoginBy, PrincipalKind};
use crate::sender::Binding;
use crate::target::Protocol;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One command and its circumstances.
#[derive(Clone)]
struct Setting {
    act: Act,
    identity: Identity,
    now: Timestamp,
    address: &'static str,
    budget: Budget,
    rows_so_far: i64,
}

fn table() -> Object {
    Object::Table {
        database: "app".to_owned(),
        schema: "public".to_owned(),
        table: "a/b".to_owned(),
        kind: RelationKind::View,
    }
}

/// A Tuesday, 10:30:00.9 in a zone an hour ahead, by an agent for a person.
fn ordinary() -> Setting {
    let agent = principal(PrincipalKind::Agent, "okta/etl/7", &["okta/agents"]);
    let user = principal(PrincipalKind::User, "okta/sam", &["okta/support"]);
    let now = Timestamp(TUESDAY.0 + 900_000);
    let mut identity = identity(
        Chain {
            acting: agent,
            on_behalf_of: vec![user],
        },
        now,
    );
    identity.authenticated_at = Timestamp(now.0 - 599_000_000);
    let facts = SqlFacts {
        columns: ["email".to_owned(), "id".to_owned()].into(),
        has_where: true,
        limit: 50,
        estimated_rows: 100,
        objects: 2,
        in_transaction: true,
    };
    let budget = Budget {
        commands_last_minute: 1,
        rows_last_hour: 2,
        rows_today: 3,
        bytes_today: 4,
        changes_today: 5,
        denials_last_hour: 6,
        cost_today: 12_345,
    };
    let act = Act {
        facts: facts.into(),
        ..Act::new(Verb::SqlSelect, table())
    };
    Setting {
        act,
        identity,
        now,
        address: "::ffff:10.1.2.3",
        budget,
        rows_so_far: 7,
    }
}

fn holds(scope: &str, condition: &str, setting: &Setting) -> bool {
    let target = target("db", Protocol::Postgres, &[("env", "production")]);
    let known = Known {
        issuers: ["okta".to_owned()].into(),
        targets: BTreeMap::from([("db".to_owned(), target.clone())]),
        classes: [
            ("email".to_owned(), vec!["personal".to_owned()]),
            ("personal".to_owned(), vec![]),
        ]
        .into(),
        owners: BTreeMap::from([("okta/etl/7".to_owned(), "okta/dee".to_owned())]),
        ..Known::default()
    };
    // The person is let through, so that the agent's rule decides.
    let text = format!(
        "@id(\"people\") permit (principal is User, action in [Action::\"read\", Action::\"execute\", Action::\"connect\", \
         Action::\"reveal\"], resource);\n@id(\"it\") permit (principal is Agent, {scope}) when {{ {condition} }};"
    );
    let rules = match Rules::load(&[file("one.cedar", &text)], &known) {
        Ok(rules) => Arc::new(rules),
        Err(problems) => panic!("{condition}: {problems:?}"),
    };
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let moment = Moment {
        identity: &setting.identity,
        now: setting.now,
        address: setting.address.parse().unwrap(),
        budget: setting.budget,
        zone: &zone,
        rows_so_far: setting.rows_so_far,
    };
    let judge = rules.judge_for(&setting.identity.chain, &target);
    judge
        .judge(std::slice::from_ref(&setting.act), &moment, &Lifted::none())
        .allowed()
}

const SELECT: &str = "action == Action::\"sql.select\", resource";

#[test]
fn each_attribute_has_the_value_of_the_circumstances() {
    let ordinary = ordinary();
    for condition in [
        "context.caller.acting",
        "context.caller.agents == [Agent::\"okta/etl/7\"]",
        "context.caller.depth == 1",
        "context.caller.address == ip(\"10.1.2.3\")",
        "context.on_behalf_of == User::\"okta/sam\" && context.on_behalf_of in Group::\"okta/support\"",
        "context.login.by == LoginBy::\"oidc\"",
        "context.login.mfa",
        "context.login.bound",
        "context.login.age == duration(\"599s\")",
        "context.clock.now == datetime(\"2026-11-24T09:30:00Z\")",
        "context.clock.weekday == Weekday::\"Tue\"",
        "context.clock.hour == 10",
        "context.clock.minute == 30",
        "context.budget.commands_last_minute == 1",
        "context.budget.rows_last_hour == 2",
        "context.budget.rows_today == 3",
        "context.budget.bytes_today == 4",
        "context.budget.changes_today == 5",
        "context.budget.denials_last_hour == 6",
        "context.budget.cost_today == decimal(\"1.2345\")",
        "context.columns == [\"email\", \"id\"]",
        "context.has_where",
        "context.limit == 50",
        "context.estimated_rows == 100",
        "context.objects == 2",
        "context.in_transaction",
        "principal.issuer == \"okta\" && principal.name == \"etl/7\"",
        "principal has owner && principal.owner == User::\"okta/dee\" && principal.owner.name == \"dee\"",
        "resource.name == \"a/b\" && resource.kind == RelationKind::\"view\"",
        "resource == Table::\"db/app/public/a%2Fb\" && resource in Schema::\"db/app/public\"",
        "resource in Database::\"db/app\" && resource in Target::\"db\" && resource in Label::\"env=production\"",
    ] {
        let guarded = match condition.starts_with("context.on_behalf_of") {
            true => format!("context has on_behalf_of && {condition}"),
            false => condition.to_owned(),
        };
        assert!(holds(SELECT, &guarded, &ordinary), "{condition}");
    }
}

#[test]
fn each_attribute_follows_the_circumstances() {
    type Change = fn(&mut Setting);
    let cases: [(&str, Change); 12] = [
        ("!context.login.mfa", |s| s.identity.mfa = false),
        ("!context.login.bound", |s| {
            s.identity.binding = Binding::default()
        }),
        ("context.login.by == LoginBy::\"minted\"", |s| {
            s.identity.by = LoginBy::Minted
        }),
        // Half a second more counts as a whole one.
        ("context.login.age == duration(\"600s\")", |s| {
            s.identity.authenticated_at.0 -= 500_000
        }),
        (
            "context.caller.address.isInRange(ip(\"2001:db8::/32\"))",
            |s| s.address = "2001:db8::7",
        ),
        (
            "context.clock.weekday == Weekday::\"Wed\" && context.clock.hour == 0",
            |s| s.now.0 += 13 * 3_600_000_000 + 1_800_000_000,
        ),
        ("context.limit == 1000000000000000", |s| {
            s.act.facts.edit_sql(|f| f.limit = FIGURE_MAX)
        }),
        // What makes no sense could not be told.
        ("context.estimated_rows == 1000000000000000", |s| {
            s.act.facts.edit_sql(|f| f.estimated_rows = -1)
        }),
        ("context.budget.rows_today == 1000000000000000", |s| {
            s.budget.rows_today = i64::MAX
        }),
        (
            "context.budget.cost_today.greaterThan(decimal(\"1000000.0\"))",
            |s| s.budget = Budget::UNKNOWN,
        ),
        ("!context.has_where && context.objects == 9", |s| {
            s.act.facts.edit_sql(|f| {
                f.has_where = false;
                f.objects = 9;
            });
        }),
        ("context.columns.contains(\"*\")", |s| {
            s.act.facts = SqlFacts::default().into()
        }),
    ];
    for (condition, change) in cases {
        let mut setting = ordinary();
        assert!(
            !holds(SELECT, condition, &setting),
            "{condition} holds already"
        );
        change(&mut setting);
        assert!(holds(SELECT, condition, &setting), "{condition}");
    }
}

#[test]
fn functions_fields_and_the_target_have_their_attributes() {
    let with = |verb: Verb, object: Object| Setting {
        act: Act::new(verb, object),
        ..ordinary()
    };
    let function = Object::Function {
        database: "app".to_owned(),
        schema: "public".to_owned(),
        signature: "refund(uuid,numeric)".to_owned(),
        volatile: true,
        security_definer: false,
    };
    assert!(holds(
        "action == Action::\"sql.call\", resource",
        "resource.name == \"refund\" && resource.volatile && !resource.security_definer && \
         resource == Function::\"db/app/public/refund(uuid,numeric)\"",
        &with(Verb::SqlCall, function)
    ));
    let field = Object::Field {
        database: "app".to_owned(),
        schema: "public".to_owned(),
        table: "people".to_owned(),
        kind: RelationKind::Table,
        column: "email".to_owned(),
        class: "email".to_owned(),
    };
    assert!(holds(
        "action == Action::\"filter\", resource in Class::\"personal\"",
        "resource.name == \"email\" && !resource.detected && context.rows_so_far == 7 && \
         resource in Table::\"db/app/public/people\" && resource in Class::\"email\"",
        &with(Verb::Filter, field)
    ));
    assert!(holds(
        "action == Action::\"connect\", resource == Target::\"db\"",
        "resource.name == \"db\" && resource.protocol == Protocol::\"postgres\"",
        &with(Verb::Connect, Object::Target)
    ));
}

#[test]
fn a_function_is_not_named_by_a_parenthesis_in_its_name() {
    let function = Object::Function {
        database: "app".to_owned(),
        schema: "public".to_owned(),
        signature: "refund(x(uuid)".to_owned(),
        volatile: true,
        security_definer: false,
    };
    let setting = Setting {
        act: Act::new(Verb::SqlCall, function),
        ..ordinary()
    };
    assert!(!holds(
        "action == Action::\"sql.call\", resource",
        "resource.name == \"refund\"",
        &setting
    ));
}
