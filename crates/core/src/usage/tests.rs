//! What is counted, and for how long.

use super::*;
use crate::principal::{Principal, PrincipalKind};
use crate::time::Timestamp;
use jiff::tz::TimeZone;

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + second)
}

fn rows(rows: u64) -> Portion {
    Portion {
        rows,
        bytes: rows * 10,
        changes: 0,
    }
}

#[test]
fn a_command_is_not_counted_in_what_was_used_up_before_it() {
    let meter = Meter::default();
    let utc = TimeZone::UTC;
    for n in 0..5 {
        assert_eq!(meter.begin(at(0), &utc, 1).commands_last_minute, n);
    }
    assert_eq!(meter.read(at(59), &utc).commands_last_minute, 5);
    // At most a slot longer than a minute, and never shorter.
    assert_eq!(meter.read(at(71), &utc).commands_last_minute, 0);
}

#[test]
fn a_window_never_tells_less_than_the_truth() {
    let utc = TimeZone::UTC;
    for offset in 0..700 {
        let meter = Meter::default();
        meter.used(at(offset), &utc, rows(1));
        meter.refused(at(offset));
        for later in [0, 1, 299, 300, 301, 1800, 3599] {
            let told = meter.read(at(offset + later), &utc);
            assert_eq!((told.rows_last_hour, told.denials_last_hour), (1, 1));
        }
        assert_eq!(meter.read(at(offset + 3901), &utc).rows_last_hour, 0);
    }
}

#[test]
fn a_day_ends_at_midnight_where_the_bundle_is() {
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    // 1,800,000,000 is 08:00 UTC, ten o'clock two hours to the east: fourteen hours are left there.
    let meter = Meter::default();
    meter.used(at(0), &zone, rows(7));
    let told = meter.read(at(14 * 3600 - 1), &zone);
    assert_eq!((told.rows_today, told.bytes_today), (7, 70));
    assert_eq!(meter.read(at(14 * 3600), &zone).rows_today, 0);
}

#[test]
fn a_clock_that_goes_back_takes_nothing_away() {
    let utc = TimeZone::UTC;
    let meter = Meter::default();
    meter.begin(at(100), &utc, 1);
    meter.begin(at(20), &utc, 1);
    assert_eq!(meter.read(at(100), &utc).commands_last_minute, 2);
}

#[test]
fn what_is_kept_is_taken_up_again() {
    let utc = TimeZone::UTC;
    let (meters, chain) = (Meters::default(), Chain::of(agent("okta", "etl")));
    meters.of(&chain).used(at(0), &utc, rows(3));
    meters.of(&chain).begin(at(0), &utc, 1);
    let changed = meters.changed();
    assert_eq!(changed.len(), 1);
    assert!(meters.changed().is_empty(), "nothing changed since");
    let text = serde_json::to_string(&changed[0].1).unwrap();
    let again = Meters::default();
    again.restore(changed[0].0.clone(), serde_json::from_str(&text).unwrap());
    let told = again.of(&chain).read(at(1), &utc);
    assert_eq!(
        (
            told.rows_today,
            told.rows_last_hour,
            told.commands_last_minute
        ),
        (3, 3, 1)
    );
    again.forget_idle(at(1));
    assert_eq!(again.of(&chain).read(at(1), &utc).rows_today, 3);
    again.forget_idle(at(200_000));
    assert_eq!(again.of(&chain).read(at(1), &utc).rows_today, 0);
}

#[test]
fn workers_count_as_whoever_spawned_them() {
    let meters = Meters::default();
    let parent = agent("okta", "orchestrator");
    let of = |name: &str| Chain {
        acting: agent("brattice", name),
        on_behalf_of: vec![parent.clone()],
    };
    let one = meters.of(&of("okta/orchestrator/w1"));
    let two = meters.of(&of("okta/orchestrator/w2"));
    assert!(Arc::ptr_eq(&one, &two));
    assert!(Arc::ptr_eq(&one, &meters.of(&Chain::of(parent.clone()))));
    let other = meters.of(&Chain::of(agent("okta", "other")));
    assert!(!Arc::ptr_eq(&one, &other));
}

fn agent(issuer: &str, name: &str) -> Principal {
    Principal {
        kind: PrincipalKind::Agent,
        issuer: issuer.to_owned(),
        name: name.to_owned(),
        groups: Default::default(),
    }
}
