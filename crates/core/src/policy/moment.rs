//! The circumstances of a command: who proved what and how long ago, from where, what was used up.
//!
//! Lives here: the caller's side of the context, and the part of it that slices see. Never: a clock read.

use super::reads::Reads;
use crate::action::{Act, FIGURE_MAX, Facts, ShellFacts, SqlFacts};
use crate::principal::{Identity, LoginBy};
use crate::time::Timestamp;
use jiff::tz::TimeZone;
use std::net::{IpAddr, Ipv4Addr};

/// What a chain has used up, this command not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    /// Commands in the last sixty seconds.
    pub commands_last_minute: i64,
    /// Rows received in the last hour.
    pub rows_last_hour: i64,
    /// Rows received since midnight in the bundle's time zone.
    pub rows_today: i64,
    /// Bytes received since then.
    pub bytes_today: i64,
    /// Changes made since then.
    pub changes_today: i64,
    /// Refusals in the last hour.
    pub denials_last_hour: i64,
    /// Cost since midnight, in ten-thousandths of the bundle's unit.
    pub cost_today: i64,
}

impl Budget {
    /// What "could not tell" reads as: everything is used up.
    pub const UNKNOWN: Budget = Budget {
        commands_last_minute: FIGURE_MAX,
        rows_last_hour: FIGURE_MAX,
        rows_today: FIGURE_MAX,
        bytes_today: FIGURE_MAX,
        changes_today: FIGURE_MAX,
        denials_last_hour: FIGURE_MAX,
        cost_today: FIGURE_MAX,
    };
}

/// The circumstances of one command.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// Who, and how they proved it.
    pub identity: &'a Identity,
    /// When.
    pub now: Timestamp,
    /// The caller's address.
    pub address: IpAddr,
    /// What is used up.
    pub budget: Budget,
    /// The bundle's time zone.
    pub zone: &'a TimeZone,
    /// Rows of this result that were already sent; 0 before any.
    pub rows_so_far: i64,
}

/// What slices see of a moment: the parts that are read, the rest at a fixed value, so that two moments that no rule
/// can tell apart are equal. Instants are cut to whole seconds: an age upwards, the present downwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    pub address: IpAddr,
    pub by: LoginBy,
    pub mfa: bool,
    pub bound: bool,
    pub age_seconds: i64,
    pub now_seconds: i64,
    /// Monday is 0.
    pub weekday: u8,
    pub hour: i64,
    pub minute: i64,
    pub budget: Budget,
    pub rows_so_far: i64,
}

const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

impl Seen {
    /// What can be seen of this moment by who reads these attributes.
    pub fn of(moment: &Moment<'_>, reads: Reads) -> Self {
        let if_read = |bit: Reads, value: i64| if reads.any(bit) { figure(value) } else { 0 };
        let id = moment.identity;
        let b = &moment.budget;
        let (weekday, hour, minute) = local(moment, reads);
        Seen {
            address: if reads.any(Reads::CALLER_ADDRESS.with(Reads::ADDRESS)) {
                moment.address.to_canonical()
            } else {
                NOWHERE
            },
            by: if reads.any(Reads::LOGIN_BY) {
                id.by
            } else {
                LoginBy::Oidc
            },
            mfa: reads.any(Reads::LOGIN_MFA) && id.mfa,
            bound: reads.any(Reads::LOGIN_BOUND) && id.binding.is_any(),
            age_seconds: if_read(Reads::LOGIN_AGE, age_seconds(moment)),
            now_seconds: if reads.any(Reads::CLOCK_NOW) {
                moment.now.seconds()
            } else {
                0
            },
            weekday,
            hour,
            minute,
            budget: Budget {
                commands_last_minute: if_read(Reads::COMMANDS_LAST_MINUTE, b.commands_last_minute),
                rows_last_hour: if_read(Reads::ROWS_LAST_HOUR, b.rows_last_hour),
                rows_today: if_read(Reads::ROWS_TODAY, b.rows_today),
                bytes_today: if_read(Reads::BYTES_TODAY, b.bytes_today),
                changes_today: if_read(Reads::CHANGES_TODAY, b.changes_today),
                denials_last_hour: if_read(Reads::DENIALS_LAST_HOUR, b.denials_last_hour),
                cost_today: if_read(Reads::COST_TODAY, b.cost_today),
            },
            rows_so_far: if_read(Reads::ROWS_SO_FAR, moment.rows_so_far),
        }
    }
}

/// An age is cut upwards: at worst a login counts as a second older than it is.
fn age_seconds(moment: &Moment<'_>) -> i64 {
    let age = moment.now.since(moment.identity.authenticated_at);
    let up = u64::from(age.subsec_nanos() > 0);
    i64::try_from(age.as_secs().saturating_add(up)).unwrap_or(FIGURE_MAX)
}

fn local(moment: &Moment<'_>, reads: Reads) -> (u8, i64, i64) {
    let clock = Reads::CLOCK_WEEKDAY
        .with(Reads::CLOCK_HOUR)
        .with(Reads::CLOCK_MINUTE);
    if !reads.any(clock) {
        return (0, 0, 0);
    }
    // The widest instants jiff knows are further than any clock of ours goes; what is beyond reads as its edge.
    let instant = jiff::Timestamp::from_microsecond(moment.now.0).unwrap_or(jiff::Timestamp::MAX);
    let local = moment.zone.to_datetime(instant);
    let weekday = u8::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
    let keep = |bit: Reads, value: i64| if reads.any(bit) { value } else { 0 };
    (
        if reads.any(Reads::CLOCK_WEEKDAY) {
            weekday
        } else {
            0
        },
        keep(Reads::CLOCK_HOUR, i64::from(local.hour())),
        keep(Reads::CLOCK_MINUTE, i64::from(local.minute())),
    )
}

/// A figure as rules see it: what is beyond the largest, or makes no sense, could not be told.
pub(super) fn figure(value: i64) -> i64 {
    if (0..=FIGURE_MAX).contains(&value) {
        value
    } else {
        FIGURE_MAX
    }
}

/// Whether two acts are the same to who reads these attributes.
pub(super) fn same_act(a: &Act, b: &Act, reads: Reads) -> bool {
    let same = a.verb == b.verb && a.object == b.object;
    match (&a.facts, &b.facts) {
        (Facts::Shell(_), _) | (_, Facts::Shell(_)) => {
            same && same_shell(a.facts.shell(), b.facts.shell(), reads)
        }
        (Facts::File(_), _) | (_, Facts::File(_)) => {
            same && (!reads.any(Reads::FILE_BYTES) || a.facts.file() == b.facts.file())
        }
        _ => same && same_sql(a.facts.sql(), b.facts.sql(), reads),
    }
}

fn same_shell(a: &ShellFacts, b: &ShellFacts, reads: Reads) -> bool {
    let differ = |bit: Reads, differs: bool| reads.any(bit) && differs;
    !differ(Reads::LINE, a.line != b.line)
        && !differ(Reads::ARGUMENTS, a.arguments != b.arguments)
        && !differ(Reads::TERMINAL, a.terminal != b.terminal)
        && !differ(Reads::ENVIRONMENT, a.environment != b.environment)
}

fn same_sql(a: &SqlFacts, b: &SqlFacts, reads: Reads) -> bool {
    let differ = |bit: Reads, differs: bool| reads.any(bit) && differs;
    !differ(Reads::COLUMNS, a.columns != b.columns)
        && !differ(Reads::HAS_WHERE, a.has_where != b.has_where)
        && !differ(Reads::LIMIT, a.limit != b.limit)
        && !differ(Reads::ESTIMATED_ROWS, a.estimated_rows != b.estimated_rows)
        && !differ(Reads::OBJECTS, a.objects != b.objects)
        && !differ(Reads::IN_TRANSACTION, a.in_transaction != b.in_transaction)
}

/// Hashes what [`same_act`] compares.
pub(super) fn hash_act(act: &Act, reads: Reads, into: &mut impl std::hash::Hasher) {
    use std::hash::Hash;
    act.verb.hash(into);
    act.object.hash(into);
    match &act.facts {
        Facts::Shell(f) => {
            if reads.any(Reads::LINE) {
                f.line.hash(into);
            }
            if reads.any(Reads::ARGUMENTS) {
                f.arguments.hash(into);
            }
        }
        Facts::File(f) => {
            if reads.any(Reads::FILE_BYTES) {
                f.bytes.hash(into);
            }
        }
        Facts::Sql(_) | Facts::None => hash_sql(act.facts.sql(), reads, into),
    }
}

fn hash_sql(f: &SqlFacts, reads: Reads, into: &mut impl std::hash::Hasher) {
    use std::hash::Hash;
    if reads.any(Reads::COLUMNS) {
        f.columns.hash(into);
    }
    for (bit, value) in [
        (Reads::HAS_WHERE, i64::from(f.has_where)),
        (Reads::LIMIT, f.limit),
        (Reads::ESTIMATED_ROWS, f.estimated_rows),
        (Reads::OBJECTS, f.objects),
        (Reads::IN_TRANSACTION, i64::from(f.in_transaction)),
    ] {
        if reads.any(bit) {
            value.hash(into);
        }
    }
}
