//! Revoking the agent cuts it off while it is connected.
//!
//! Here lives this step. When the connection is gone is asked of PostgreSQL itself.

use super::asking::PROMPT;
use super::failure::During;
use super::terminal::{End, Terminal};
use super::{ANSWER_MAX, Demo, Failure};
use std::thread;
use std::time::{Duration, Instant};

/// How long it may take from the revocation to the end of the session.
const CUT_MAX: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// (h) The live session ends, the connection to PostgreSQL with it, and the token opens no new one.
pub fn is_cut_when_revoked(demo: &mut Demo<'_>, mut psql: Terminal) -> Result<(), Failure> {
    demo.shown
        .chapter("Revoking the agent cuts its live session");
    let sasha = demo.stage.person("sasha");
    demo.shown
        .tell("sasha, of security, voids everything the agent has proved so far:");
    let line = "brattice agents revoke dev/etl-7 --reason 'acts strangely'";
    let began = Instant::now();
    let revoked = demo.types(&sasha, line)?;
    let mut backends = demo.stage.backends()?;
    while !backends.is_empty() && began.elapsed() < CUT_MAX * 2 {
        thread::sleep(LOOK_EVERY);
        backends = demo.stage.backends()?;
    }
    let took = began.elapsed();
    demo.fact(
        &format!(
            "its connection to PostgreSQL was gone {:.1} s after the command was given",
            took.as_secs_f64()
        ),
        "pg_stat_activity on the server; at most 2 s",
        revoked.is_good() && backends.is_empty() && took <= CUT_MAX,
        &format!(
            "{:?} still there after {took:?}; {}{}",
            backends, revoked.out, revoked.err
        ),
    )?;
    demo.shown.typed(PROMPT, "SELECT 1;");
    let (said, end) = psql
        .ask("SELECT 1;", ANSWER_MAX)
        .during("typing into psql")?;
    demo.shown.said(&said);
    demo.fact(
        "psql is told why, and is disconnected",
        "psql's output and exit",
        end == End::Over && !said.contains("(1 row)"),
        &format!("{said}\npsql is {end:?}"),
    )?;
    demo.shown
        .tell("The token it still holds opens nothing any more:");
    let agent = demo.stage.agent.clone();
    let line = format!("{} --command 'SELECT 1'", demo.stage.psql_line());
    let again = demo.types(&agent, &line)?;
    demo.fact(
        "the agent cannot come back with what it had",
        "psql's exit code",
        !again.is_good(),
        &again.out,
    )
}
