//! What a decision costs. Printed, never asserted: `cargo test -p brattice-core --lib cost -- --nocapture`.

use super::basics::{TUESDAY, identity};
use super::world::{file, table};
use crate::action::{Act, Object, RelationKind, SqlFacts, Verb};
use crate::policy::{Budget, Lifted, Moment, Rules, TimeZone};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// The company's rules, and as many again for other teams.
fn rules(more: usize) -> Arc<Rules> {
    let mut text = super::basics::COMPANY.to_owned();
    for n in 0..more {
        let group = n % 50;
        text.push_str(&match n % 3 {
            0 => format!(
                "@id(\"p{n}\") permit (principal in Group::\"okta/team-{group}\", action in Action::\"read\", resource in \
                 Label::\"team=orders\");\n"
            ),
            1 => format!(
                "@id(\"f{n}\") forbid (principal in Group::\"okta/team-{group}\", action in Action::\"write\", resource in \
                 Label::\"env=production\") unless {{ context.login.mfa }};\n"
            ),
            _ => format!(
                "@id(\"h{n}\") @approval(\"okta/dba\") forbid (principal in Group::\"okta/team-{group}\", action == \
                 Action::\"sql.update\", resource) unless {{ context.estimated_rows <= {n} }};\n"
            ),
        });
    }
    Arc::new(Rules::load(&[file("company.cedar", &text)], &table().world.known()).unwrap())
}

/// The median of several runs, in microseconds each.
fn median(runs: usize, mut one: impl FnMut(usize)) -> f64 {
    let mut times: Vec<f64> = (0..9)
        .map(|round| {
            let start = Instant::now();
            (0..runs).for_each(|i| one(round * runs + i));
            start.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(runs).unwrap())
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[test]
fn a_decision_is_timed() {
    let world = table().world;
    let chain = world.chain(&["Agent::okta/orders-1".to_owned()]);
    let target = world.target("orders-db");
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
    let act = |verb: Verb, table: usize| {
        let object = Object::Table {
            database: "app".to_owned(),
            schema: "public".to_owned(),
            table: format!("customers_{table}"),
            kind: RelationKind::Table,
        };
        Act {
            facts: SqlFacts {
                estimated_rows: 10,
                ..SqlFacts::default()
            }
            .into(),
            ..Act::new(verb, object)
        }
    };
    let build = if cfg!(debug_assertions) {
        "unoptimised build"
    } else {
        "optimised build"
    };
    let sizes: &[usize] = if cfg!(debug_assertions) {
        &[0]
    } else {
        &[0, 160]
    };
    for more in sizes.iter().copied() {
        let start = Instant::now();
        let rules = rules(more);
        let load = start.elapsed().as_secs_f64() * 1e3;
        let judge = rules.judge_for(&chain, &target);
        let none = Lifted::none();
        let lifted = &none;
        let whole = median(20, |i| {
            drop(black_box(judge.judge_whole(
                &[act(Verb::SqlUpdate, i)],
                &moment,
                lifted,
            )))
        });
        let sliced = median(100, |i| {
            drop(black_box(judge.judge(
                &[act(Verb::SqlUpdate, i)],
                &moment,
                lifted,
            )))
        });
        let (held, read) = ([act(Verb::SqlUpdate, 0)], [act(Verb::SqlSelect, 0)]);
        let kept_hold = median(2000, |_| {
            drop(black_box(judge.judge(&held, &moment, lifted)))
        });
        let kept_read = median(2000, |_| {
            drop(black_box(judge.judge(&read, &moment, lifted)))
        });
        let admission = median(20, |_| drop(black_box(rules.judge_for(&chain, &target))));
        eprintln!(
            "{} rules ({build}): load {load:.0} ms; a judge {admission:.1} µs; a decision by all rules {whole:.1} µs, \
             by its slice {sliced:.1} µs, kept: read {kept_read:.2} µs, hold {kept_hold:.2} µs",
            rules.rules().len()
        );
    }
}
