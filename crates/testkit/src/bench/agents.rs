//! A fleet that grows: new agents at a fixed rate, each with a token of its platform that it trades for one of the
//! gateway's, and with one session.
//!
//! Here live the schedule and the life of such an agent. Nothing here waits for one agent before the next begins: where the
//! gateway falls behind, everybody who waits for it is counted from when they should have begun.

use super::client::Client;
use super::error::{BenchError, During};
use super::ledger::{Ledger, Unit};
use super::way::Way;
use super::world::{NAME, World};
use super::{Plan, process, say};
use std::thread;
use std::time::{Duration, Instant};

/// How many begin in a minute.
const A_MINUTE: u32 = 1000;
/// What an agent leaves behind is tidied away in this time.
const LEFT_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long an agent waited, and when it was done.
struct Lived {
    /// From when it should have begun to its token.
    traded: Duration,
    /// From there to the first row.
    opened: Duration,
    /// From when it should have begun to the first row.
    whole: Duration,
    done: Instant,
}

pub(super) fn measure(world: &World, plan: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    let seconds = plan.agents_seconds;
    let count = A_MINUTE * seconds / 60;
    say(&format!("{count} new agents in {seconds} s"));
    // Signing is their platform's work, done beforehand.
    let tokens: Result<Vec<String>, BenchError> = (0..count)
        .map(|n| world.proof(&format!("bench-agent-{n}"), "agent", &[NAME]))
        .collect();
    let tokens = tokens?;
    let pid = world.gateway.pid().ok_or_else(no_gateway)?;
    let before = process::cpu(pid)?;
    let began = Instant::now();
    let lives = run(world, &tokens, began)?;
    let mut lived = Vec::new();
    let mut failed = Vec::new();
    for life in lives {
        match life {
            Ok(life) => lived.push(life),
            Err(why) => failed.push(why),
        }
    }
    if let Some(first) = failed.first() {
        return Err(BenchError::Wrong(format!(
            "{} of {count} new agents failed; the first: {first}",
            failed.len()
        )));
    }
    // The ends of their sessions are a part of what they cost.
    wait_until_all_left(world)?;
    let cpu = process::cpu(pid)?.saturating_sub(before);
    let last = lived.iter().map(|l| l.done.duration_since(began)).max();
    let took = last
        .unwrap_or_default()
        .max(Duration::from_secs(u64::from(seconds)));
    let (way, many) = (Way::Gateway, f64::from(count));
    let rate = many * 60.0 / took.as_secs_f64();
    ledger.note("new agents", Unit::PerMinute, way, rate);
    let all = |what: fn(&Lived) -> Duration| lived.iter().map(what).collect::<Vec<_>>();
    ledger.note_waits("token exchange", way, &all(|l| l.traded));
    ledger.note_waits("connect to first row", way, &all(|l| l.opened));
    ledger.note_waits("new agent to first row", way, &all(|l| l.whole));
    let each = cpu.as_secs_f64() * 1e6 / many;
    ledger.note("new agent", Unit::CpuMicroseconds, way, each);
    ledger.note("new agents", Unit::Count, way, many);
    ledger.note("new agents that failed", Unit::Count, way, 0.0);
    Ok(())
}

/// Each begins when it is due, on a thread of its own.
fn run(
    world: &World,
    tokens: &[String],
    began: Instant,
) -> Result<Vec<Result<Lived, BenchError>>, BenchError> {
    let apart = Duration::from_secs(60) / A_MINUTE;
    thread::scope(|scope| {
        let mut running = Vec::new();
        let mut due = began;
        for token in tokens {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let agent = thread::Builder::new()
                .spawn_scoped(scope, move || live(world, token, due))
                .during("starting an agent")?;
            running.push(agent);
            due += apart;
        }
        let ended = running.into_iter().map(|agent| {
            let gone = || BenchError::Wrong("an agent of the measurement panicked".to_owned());
            agent.join().unwrap_or_else(|_| Err(gone()))
        });
        Ok(ended.collect())
    })
}

fn live(world: &World, token: &str, due: Instant) -> Result<Lived, BenchError> {
    let narrower = [("audience", NAME), ("scope", "read"), ("lifetime", "600")];
    let own = world.traded(token, &narrower)?;
    let traded = Instant::now();
    let mut client = Client::connect(&world.with_token(own))?;
    let came = client.drain("SELECT 1")?;
    let done = Instant::now();
    if came.rows != 1 {
        return Err(BenchError::Wrong(format!(
            "SELECT 1 gave {} rows",
            came.rows
        )));
    }
    Ok(Lived {
        traded: traded.duration_since(due),
        opened: done.duration_since(traded),
        whole: done.duration_since(due),
        done,
    })
}

fn wait_until_all_left(world: &World) -> Result<(), BenchError> {
    let began = Instant::now();
    while !process::peers(world.gateway.port())?.is_empty() {
        if began.elapsed() > LEFT_MAX {
            let why = "the gateway keeps connections whose clients have left";
            return Err(BenchError::Wrong(why.to_owned()));
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// There is nothing to ask.
pub(super) fn no_gateway() -> BenchError {
    BenchError::Wrong("the gateway does not run".to_owned())
}
