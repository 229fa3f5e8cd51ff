//! Slices and kept answers against the whole, over generated rules, acts and moments. The seed is fixed.

use super::basics::{TUESDAY, identity, principal, target};
use super::world::file;
use crate::action::{Act, Object, RelationKind, SqlFacts, Verb};
use crate::ids::Digest;
use crate::policy::{Budget, Judge, Known, Lifted, Moment, Outcome, Rules, TimeZone};
use crate::principal::{Chain, Identity, LoginBy, PrincipalKind};
use crate::sender::Binding;
use crate::target::{Protocol, Target};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A small generator: the same numbers every time (Marsaglia's xorshift, 64 bits).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
    fn chance(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }
}

const GROUPS: &[&str] = &["okta/a", "okta/b", "okta/c", "okta/d"];
const TABLES: &[&str] = &["orders", "people", "log"];

fn targets() -> Vec<Target> {
    vec![
        target(
            "one",
            Protocol::Postgres,
            &[("env", "production"), ("team", "orders")],
        ),
        target(
            "two",
            Protocol::Postgres,
            &[("env", "staging"), ("team", "orders")],
        ),
        target(
            "three",
            Protocol::Postgres,
            &[("env", "production"), ("team", "people")],
        ),
    ]
}

fn known() -> Known {
    Known {
        issuers: ["okta".to_owned()].into(),
        targets: targets().into_iter().map(|t| (t.name.clone(), t)).collect(),
        classes: [
            ("email".to_owned(), vec!["personal".to_owned()]),
            ("personal".to_owned(), vec![]),
        ]
        .into(),
        owners: BTreeMap::from([("okta/agent-0".to_owned(), "okta/user-0".to_owned())]),
        ..Known::default()
    }
}

/// Actions whose requests have a table as resource and the figures of SQL in the context.
const ON_TABLES: &[&str] = &[
    "action == Action::\"sql.select\"",
    "action in [Action::\"sql.update\", Action::\"sql.delete\"]",
    "action in [Action::\"sql.select\", Action::\"sql.insert\", Action::\"sql.truncate\"]",
];
const ON_MANY: &[&str] = &[
    "action in Action::\"read\"",
    "action in Action::\"write\"",
    "action in [Action::\"read\", Action::\"destroy\"]",
];
const ON_ALL: &[&str] = &[
    "action in Action::\"change\"",
    "action in Action::\"command\"",
];
const ON_FIELDS: &[&str] = &[
    "action in Action::\"reveal\"",
    "action in [Action::\"reveal.full\", Action::\"filter\"]",
];

const OF_ANY: &[&str] = &[
    "context.login.mfa",
    "context.login.bound && context.login.by == LoginBy::\"oidc\"",
    "context.login.age < duration(\"10m\")",
    "context.clock.hour >= 9 && context.clock.hour < 17",
    "[Weekday::\"Sat\", Weekday::\"Sun\"].contains(context.clock.weekday)",
    "context.clock.minute > 30",
    "context.clock.now < datetime(\"2026-11-25T00:00:00Z\")",
    "context.caller.acting",
    "context.caller.depth > 1",
    "context.caller.agents.contains(Agent::\"okta/agent-1\")",
    "context.caller.address.isInRange(ip(\"10.0.0.0/8\"))",
    "context has on_behalf_of && context.on_behalf_of in Group::\"okta/b\"",
    "context.budget.rows_today > 1000",
    "context.budget.cost_today.greaterThan(decimal(\"1.5\"))",
    "context.budget.commands_last_minute + context.budget.denials_last_hour > 5",
    "context.budget.rows_today * context.budget.bytes_today > 10",
    "principal in Group::\"okta/c\"",
    "principal has owner && principal.owner == User::\"okta/user-0\"",
];
const OF_TABLES: &[&str] = &[
    "context.estimated_rows > 100",
    "context.limit <= 50",
    "context.has_where",
    "context.columns.contains(\"email\")",
    "context.objects > 1 || context.in_transaction",
    "resource.name == \"orders\"",
    "resource.kind == RelationKind::\"view\"",
];

fn rule(dice: &mut Dice, n: usize) -> String {
    let permit = dice.chance(45);
    let (actions, conditions, resources): (&[&str], Vec<&str>, &[&str]) =
        match dice.roll(if permit { 3 } else { 4 }) {
            0 => (
                ON_TABLES,
                [OF_ANY, OF_TABLES].concat(),
                &[
                    "resource",
                    "resource in Label::\"env=production\"",
                    "resource in Label::\"team=orders\"",
                    "resource is Table in Target::\"one\"",
                    "resource == Table::\"one/app/public/orders\"",
                    "resource in Schema::\"two/app/public\"",
                ],
            ),
            1 => (
                ON_MANY,
                OF_ANY.to_vec(),
                &[
                    "resource",
                    "resource in Label::\"env=staging\"",
                    "resource in Target::\"two\"",
                    "resource is Table",
                ],
            ),
            2 => (
                ON_FIELDS,
                OF_ANY.to_vec(),
                &[
                    "resource",
                    "resource in Class::\"personal\"",
                    "resource in Class::\"email\"",
                    "resource in Target::\"one\"",
                ],
            ),
            _ => (
                ON_ALL,
                OF_ANY.to_vec(),
                &["resource", "resource in Label::\"env=production\""],
            ),
        };
    let principals = [
        "principal".to_owned(),
        "principal is Agent".to_owned(),
        format!("principal in Group::\"{}\"", dice.pick(GROUPS)),
        format!("principal is User in Group::\"{}\"", dice.pick(GROUPS)),
        format!("principal in Group::\"{}\"", dice.pick(GROUPS)),
        "principal == Agent::\"okta/agent-0\"".to_owned(),
    ];
    let scope = format!(
        "({}, {}, {})",
        dice.pick(&principals),
        dice.pick(actions),
        dice.pick(resources)
    );
    let mut text = format!("@id(\"r{n}\")");
    if dice.chance(15) {
        text.push_str(" @mode(\"observe\")");
    }
    if !permit && dice.chance(50) {
        text.push_str(" @approval(\"okta/boss\") @grant(\"30m\")");
    }
    text.push_str(if permit { " permit " } else { " forbid " });
    text.push_str(&scope);
    if dice.chance(70) {
        let clause = if dice.chance(50) { "when" } else { "unless" };
        text.push_str(&format!(" {clause} {{ {} }}", dice.pick(&conditions)));
    }
    if dice.chance(25) {
        text.push_str(&format!(" unless {{ {} }}", dice.pick(&conditions)));
    }
    text.push_str(";\n");
    text
}

fn bundle(dice: &mut Dice, rules: usize) -> Arc<Rules> {
    let text: String = (0..rules).map(|n| rule(dice, n)).collect();
    match Rules::load(&[file("generated.cedar", &text)], &known()) {
        Ok(rules) => Arc::new(rules),
        Err(problems) => panic!("{text}\n{problems:#?}"),
    }
}

fn chain(dice: &mut Dice) -> Chain {
    let mut actor = |kind: PrincipalKind, name: &str| {
        let groups: Vec<&str> = GROUPS.iter().copied().filter(|_| dice.chance(50)).collect();
        principal(kind, name, &groups)
    };
    let agent = actor(PrincipalKind::Agent, "okta/agent-0");
    let other = actor(PrincipalKind::Agent, "okta/agent-1");
    let user = actor(PrincipalKind::User, "okta/user-0");
    match dice.roll(4) {
        0 => Chain::of(agent),
        1 => Chain::of(user),
        2 => Chain {
            acting: agent,
            on_behalf_of: vec![user],
        },
        _ => Chain {
            acting: agent,
            on_behalf_of: vec![other, user],
        },
    }
}

fn act(dice: &mut Dice) -> Act {
    let verbs = [
        Verb::SqlSelect,
        Verb::SqlUpdate,
        Verb::SqlDelete,
        Verb::SqlInsert,
        Verb::SqlTruncate,
        Verb::RevealFull,
        Verb::Filter,
        Verb::Connect,
    ];
    let verb = *dice.pick(&verbs);
    let (database, schema, table) = (
        "app".to_owned(),
        "public".to_owned(),
        (*dice.pick(TABLES)).to_owned(),
    );
    let kind = *dice.pick(&[RelationKind::Table, RelationKind::View]);
    let object = match verb {
        Verb::Connect => Object::Target,
        Verb::RevealFull | Verb::Filter => {
            let class = (*dice.pick(&["email", "personal"])).to_owned();
            Object::Field {
                database,
                schema,
                table,
                kind,
                column: "email".to_owned(),
                class,
            }
        }
        _ => Object::Table {
            database,
            schema,
            table,
            kind,
        },
    };
    let columns = if dice.chance(50) { "email" } else { "id" };
    let facts = SqlFacts {
        columns: [columns.to_owned()].into(),
        has_where: dice.chance(50),
        limit: *dice.pick(&[10, 1000]),
        estimated_rows: *dice.pick(&[5, 500]),
        objects: *dice.pick(&[1, 2]),
        in_transaction: dice.chance(50),
    };
    Act {
        facts: facts.into(),
        ..Act::new(verb, object)
    }
}

struct Circumstances {
    identity: Identity,
    now: Timestamp,
    address: &'static str,
    budget: Budget,
}

fn circumstances(dice: &mut Dice, chain: &Chain) -> Circumstances {
    let seconds = i64::try_from(dice.roll(20) * 2700).unwrap();
    let now = Timestamp(
        TUESDAY.0 + (seconds + if dice.chance(20) { 4 * 86_400 } else { 0 }) * 1_000_000 + 17,
    );
    let mut id = identity(chain.clone(), now);
    id.mfa = dice.chance(50);
    id.binding = match dice.chance(50) {
        true => Binding::key(Digest::of(b"key")),
        false => Binding::default(),
    };
    id.by = *dice.pick(&[LoginBy::Oidc, LoginBy::Minted]);
    id.authenticated_at = Timestamp(now.0 - *dice.pick(&[60_000_001, 599_000_001, 600_000_001]));
    let budget = Budget {
        commands_last_minute: *dice.pick(&[1, 4]),
        rows_today: *dice.pick(&[1, 2000, crate::action::FIGURE_MAX]),
        bytes_today: *dice.pick(&[0, 7, crate::action::FIGURE_MAX]),
        denials_last_hour: *dice.pick(&[0, 3, -1]),
        cost_today: *dice.pick(&[0, 20_000]),
        ..Budget::default()
    };
    Circumstances {
        identity: id,
        now,
        address: dice.pick::<&str>(&["10.1.2.3", "192.0.2.1", "::ffff:10.1.2.3"]),
        budget,
    }
}

fn lifted(dice: &mut Dice, rules: &Rules) -> Lifted {
    rules
        .rules()
        .iter()
        .filter(|_| dice.chance(25))
        .map(|r| (r.id.clone(), r.digest))
        .collect()
}

fn asked(judge: &Judge, acts: &[Act], c: &Circumstances, lifted: &Lifted, whole: bool) -> Outcome {
    let zone = TimeZone::UTC;
    let moment = Moment {
        identity: &c.identity,
        now: c.now,
        address: c.address.parse().unwrap(),
        budget: c.budget,
        zone: &zone,
        rows_so_far: 0,
    };
    match whole {
        true => judge.judge_whole(acts, &moment, lifted),
        false => judge.judge(acts, &moment, lifted),
    }
}

#[test]
fn slices_and_kept_answers_never_differ_from_the_whole() {
    let mut dice = Dice(0x005E_ED0F_B1A7_71CE);
    let mut verdicts: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..6 {
        let rules = bundle(&mut dice, 40);
        for target in targets() {
            let chain = chain(&mut dice);
            let judge = rules.judge_for(&chain, &target);
            // Few different acts and moments, asked often: most answers come from what is kept.
            let acts: Vec<Act> = (0..8).map(|_| act(&mut dice)).collect();
            let moments: Vec<Circumstances> =
                (0..6).map(|_| circumstances(&mut dice, &chain)).collect();
            for _ in 0..60 {
                let command: Vec<Act> = (0..=dice.roll(2))
                    .map(|_| dice.pick(&acts).clone())
                    .collect();
                let c = dice.pick(&moments);
                let lifted = lifted(&mut dice, &rules);
                let whole = asked(&judge, &command, c, &lifted, true);
                let sliced = asked(&judge, &command, c, &lifted, false);
                assert_eq!(whole, sliced, "{command:?} on {target:?} for {chain:?}");
                let kind = format!("{:?}", whole.verdict)
                    .chars()
                    .take_while(|c| c.is_alphabetic())
                    .collect();
                *verdicts.entry(kind).or_default() += 1;
            }
        }
    }
    // The generator is worth something only if all three come up.
    assert_eq!(verdicts.len(), 3, "{verdicts:?}");
    assert!(verdicts.values().all(|n| *n > 20), "{verdicts:?}");
}
