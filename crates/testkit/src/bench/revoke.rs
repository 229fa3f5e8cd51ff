//! Revoking an orchestrator with a thousand sessions of its workers open: idle ones, ones in the middle of a statement,
//! and ones in the middle of a result that is read slowly.
//!
//! Here live opening them, and watching them end: at the gateway's sockets, as the kernel has them, and at PostgreSQL, as
//! it says itself. Nothing here believes the gateway's own count, and a slow reader never becomes a quick one meanwhile.

use super::agents::no_gateway;
use super::client::Client;
use super::error::BenchError;
use super::ledger::{Ledger, Unit};
use super::way::Way;
use super::world::{NAME, World};
use super::{Plan, process, say};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Who is revoked.
const ORCHESTRATOR: &str = "bench-orchestrator";
/// Its workers, who share the sessions.
const WORKERS: usize = 10;
/// The large results; by SELECT and by COPY.
const LARGE: [&str; 2] = [
    "SELECT id, origin, message FROM events",
    "COPY events TO STDOUT",
];
/// A session's end is waited for no longer.
const END_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Each slow reader takes a little so often.
const SIP_EVERY: Duration = Duration::from_secs(1);
/// The gateway has nothing to do but serve slow readers when it spends less CPU time than this in a second.
const QUIET: Duration = Duration::from_millis(250);
const QUIET_MAX: Duration = Duration::from_secs(120);

/// What the sessions are doing.
struct Open {
    idle: Vec<Client>,
    asleep: Vec<Client>,
    reading: Vec<Client>,
}

/// What had ended when, from the start of the request.
struct Seen {
    answered: Duration,
    /// Connections: of the idle, the sleeping, the reading.
    sessions: Gone<3>,
    /// Statements: of the sleeping, the reading.
    statements: Gone<2>,
}

/// When each of so many kinds of things was first seen to be gone.
struct Gone<const KINDS: usize> {
    after: [Vec<Duration>; KINDS],
    /// The longest time between the ends of two looks: by so much an end may have been earlier than it was seen.
    unseen: Duration,
}

pub(super) fn measure(world: &World, plan: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    let count = process::connections_max(plan.sessions);
    say(&format!("revoking who has {count} sessions"));
    let mut open = open(world, count)?;
    let stop = AtomicBool::new(false);
    let reading = std::mem::take(&mut open.reading);
    let ports = [ports(&open.idle)?, ports(&open.asleep)?, ports(&reading)?];
    let (seen, reading) = thread::scope(|scope| {
        let sipping = scope.spawn(|| sip(reading, &stop));
        let seen = settle(world, &ports).and_then(|()| revoke(world, count, &ports));
        stop.store(true, Ordering::Relaxed);
        (seen, sipping.join().map_err(|_| panicked()))
    });
    let seen = seen?;
    for client in open.idle.into_iter().chain(open.asleep) {
        let said = client.last_words()?;
        if !said.contains("revoked") {
            return Err(BenchError::Wrong(format!(
                "a session ended, and not by its revocation: {said:?}"
            )));
        }
    }
    // What was on its way to them stands before any words.
    for client in reading? {
        client.last_words()?;
    }
    note(&seen, count, ledger);
    Ok(())
}

/// A third of them each. Whoever gives the gateway most to do comes last.
fn open(world: &World, count: u64) -> Result<Open, BenchError> {
    let orchestrator = world.proof(ORCHESTRATOR, "agent", &[NAME, "sleepers"])?;
    let workers: Result<Vec<String>, BenchError> = (0..WORKERS)
        .map(|n| world.traded(&orchestrator, &[("worker", &format!("w{n}"))]))
        .collect();
    let workers = workers?;
    let mut tokens = workers.iter().cycle();
    let mut some = |count: u64, statements: &[&str]| {
        let mut statements = statements.iter().cycle();
        let mut clients = Vec::new();
        for token in tokens.by_ref().take(usize::try_from(count).unwrap_or(0)) {
            let mut client = Client::connect(&world.with_token(token.clone()))?.rest();
            if let Some(sql) = statements.next() {
                client.ask(sql)?;
            }
            clients.push(client);
        }
        Ok::<_, BenchError>(clients)
    };
    let third = count / 3;
    Ok(Open {
        idle: some(count - 2 * third, &[])?,
        asleep: some(third, &["SELECT pg_sleep(600)"])?,
        reading: some(third, &LARGE)?,
    })
}

fn ports(clients: &[Client]) -> Result<Vec<u16>, BenchError> {
    clients.iter().map(Client::port).collect()
}

/// Reads slowly until told to stop, each in turn.
fn sip(mut clients: Vec<Client>, stop: &AtomicBool) -> Vec<Client> {
    let each = SIP_EVERY / u32::try_from(clients.len()).unwrap_or(u32::MAX).max(1);
    while !stop.load(Ordering::Relaxed) {
        // With nobody to read for, this waits.
        thread::sleep(each.min(LOOK_EVERY));
        for client in &mut clients {
            client.sip();
            thread::sleep(each);
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    clients
}

/// Waits until every statement runs and all buffers towards the slow readers are full.
fn settle(world: &World, ports: &[Vec<u16>; 3]) -> Result<(), BenchError> {
    let pid = world.gateway.pid().ok_or_else(no_gateway)?;
    let [_, asleep, reading] = ports.each_ref().map(Vec::len);
    let mut server = server(world)?;
    let began = Instant::now();
    loop {
        let before = process::cpu(pid)?;
        thread::sleep(Duration::from_secs(1));
        let spent = process::cpu(pid)?.saturating_sub(before);
        let running = statements(&mut server)?;
        if spent < QUIET && running == [asleep, reading] {
            return Ok(());
        }
        if began.elapsed() > QUIET_MAX {
            return Err(BenchError::Wrong(format!(
                "{running:?} statements run in place of {asleep} and {reading}, and the gateway spends {spent:?} of CPU time in a second"
            )));
        }
    }
}

/// Revokes as the command line does, and watches from that moment.
fn revoke(world: &World, count: u64, ports: &[Vec<u16>; 3]) -> Result<Seen, BenchError> {
    let security = world.proof("bench-security", "user", &["security"])?;
    let wanted = json!({"id": format!("dev/{ORCHESTRATOR}"), "reason": "measured"});
    let mut server = server(world)?;
    let all = ports.each_ref().map(Vec::len);
    let [_, asleep, reading] = all;
    let connections = || {
        let open = process::peers(world.gateway.port())?;
        let left = |ports: &Vec<u16>| ports.iter().filter(|p| open.contains(p)).count();
        Ok(ports.each_ref().map(left))
    };
    let began = Instant::now();
    thread::scope(|scope| {
        let sessions = scope.spawn(move || watch("sessions", began, all, connections));
        let statements = scope.spawn(move || {
            let left = || statements(&mut server);
            watch("statements", began, [asleep, reading], left)
        });
        let reply = world
            .gateway
            .api("POST", "/api/v1/agents/revoke", &security, Some(&wanted));
        let answered = began.elapsed();
        let sessions = sessions.join().map_err(|_| panicked())?;
        let statements = statements.join().map_err(|_| panicked())?;
        let reply = reply?;
        if reply.status != 200 || reply.json().get("sessions") != Some(&json!(count)) {
            return Err(BenchError::Wrong(format!(
                "of {count} sessions not all were revoked: status {}, {}",
                reply.status,
                reply.text()
            )));
        }
        Ok(Seen {
            answered,
            sessions: sessions?,
            statements: statements?,
        })
    })
}

/// Looks until none of so many is left. What is missed in a look has ended before the look has.
fn watch<const KINDS: usize>(
    what: &str,
    began: Instant,
    all: [usize; KINDS],
    mut left: impl FnMut() -> Result<[usize; KINDS], BenchError>,
) -> Result<Gone<KINDS>, BenchError> {
    let mut after = all.map(Vec::with_capacity);
    let (mut unseen, mut last) = (Duration::ZERO, Duration::ZERO);
    loop {
        let left = left()?;
        let now = began.elapsed();
        unseen = unseen.max(now.saturating_sub(last));
        last = now;
        for ((gone, all), left) in after.iter_mut().zip(all).zip(left) {
            gone.resize(all.saturating_sub(left).max(gone.len()), now);
        }
        if left.iter().all(|left| *left == 0) {
            return Ok(Gone { after, unseen });
        }
        if now > END_MAX {
            return Err(BenchError::Wrong(format!(
                "{now:?} after their principal was revoked {left:?} {what} go on"
            )));
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Straight at the server, by the role whose statements are looked for.
fn server(world: &World) -> Result<Client, BenchError> {
    let direct = world.routes()?.into_iter().find(|r| r.way == Way::Direct);
    let none = || BenchError::Wrong("there is no way straight to the server".to_owned());
    Client::connect(&direct.ok_or_else(none)?)
}

/// The workers' statements that the server runs: the sleeping, and the others.
fn statements(server: &mut Client) -> Result<[usize; 2], BenchError> {
    let mut running = |operator: &str| {
        let came = server.drain(&format!(
            "SELECT pid FROM pg_stat_activity WHERE state = 'active' \
             AND application_name LIKE '%{ORCHESTRATOR}%' AND query {operator} '%pg_sleep%'"
        ))?;
        Ok::<_, BenchError>(usize::try_from(came.rows).unwrap_or(usize::MAX))
    };
    Ok([running("LIKE")?, running("NOT LIKE")?])
}

fn note(seen: &Seen, count: u64, ledger: &mut Ledger) {
    let name = "sessions revoked";
    ledger.note(name, Unit::Count, Way::Gateway, count as f64);
    note_one("revocation answered", seen.answered, ledger);
    let kinds = ["idle", "asleep", "reading"];
    note_gone("session ended", kinds, &seen.sessions, ledger);
    let kinds = ["asleep", "reading"];
    note_gone("statement stopped", kinds, &seen.statements, ledger);
}

fn note_gone<const KINDS: usize>(
    name: &str,
    kinds: [&str; KINDS],
    gone: &Gone<KINDS>,
    ledger: &mut Ledger,
) {
    let all = gone.after.concat();
    ledger.note_waits(name, Way::Gateway, &all);
    let last = all.iter().max().copied().unwrap_or_default();
    note_one(&format!("{name}, the last of all"), last, ledger);
    for (kind, after) in kinds.iter().zip(&gone.after) {
        ledger.note_waits(&format!("{name}, {kind}"), Way::Gateway, after);
    }
    note_one(&format!("{name}, longest unseen"), gone.unseen, ledger);
}

fn note_one(name: &str, took: Duration, ledger: &mut Ledger) {
    let took = took.as_secs_f64() * 1e3;
    ledger.note(name, Unit::Milliseconds, Way::Gateway, took);
}

fn panicked() -> BenchError {
    BenchError::Wrong("a part of the measurement panicked".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_gone_when_it_is_first_missed() {
        let mut looks = [[2, 1], [1, 1], [0, 0]].into_iter();
        let gone = watch("sessions", Instant::now(), [2, 1], || {
            Ok(looks.next().unwrap())
        });
        let [first, second] = gone.unwrap().after;
        assert_eq!((first.len(), second.len()), (2, 1));
        assert!(first[0] < first[1] && first[1] == second[0]);
    }
}
