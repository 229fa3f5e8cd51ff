//! The two sides' credentials never meet: PostgreSQL never saw the agent's, the agent never had PostgreSQL's.
//!
//! Here lives this step. It searches everything each side could have seen.

use super::failure::During;
use super::{Demo, Failure};
use std::fs;

/// (g) Searches the server's log and roles for the agent's token, and all that the agent could see for the password.
pub fn stay_apart(demo: &mut Demo<'_>, session: &str) -> Result<(), Failure> {
    demo.shown
        .chapter("PostgreSQL and the agent never saw each other's credentials");
    let roles = demo.stage.postgres.psql(
        "app",
        "SELECT rolname, left(rolpassword, 14) FROM pg_authid WHERE rolcanlogin ORDER BY 1",
    )?;
    demo.shown
        .tell("The roles that can log in to PostgreSQL, asked of PostgreSQL itself:");
    demo.shown.said(&roles);
    let log = demo.stage.postgres.log();
    fs::write(demo.stage.dir.join("postgres.log"), &log).during("keeping PostgreSQL's log")?;
    let known: Vec<String> = demo.stage.tokens();
    let in_log = known
        .iter()
        .any(|token| pieces(token).any(|piece| log.contains(piece)));
    demo.fact(
        "there is no role for the agent or any person, and no part of any token in PostgreSQL's whole log",
        "pg_authid, and a search of the log for each part of each token",
        !in_log && roles.lines().count() == 2 && roles.contains("brattice|SCRAM-SHA-256"),
        &roles,
    )?;
    demo.shown.tell("The agent tries its token at PostgreSQL directly, past the gateway, as each role there is:");
    let agent = demo.stage.agent.clone();
    let port = demo.stage.postgres.port();
    for role in ["brattice", "postgres", "etl-7"] {
        let line = format!(
            "psql 'host=127.0.0.1 port={port} user={role} dbname=app' --command 'SELECT 1'"
        );
        let tried = demo.types(&agent, &line)?;
        demo.fact(
            &format!("refused as {role}"),
            "psql's exit code",
            !tried.is_good() && tried.err.contains("password authentication failed"),
            &format!("{}{}", tried.out, tried.err),
        )?;
    }
    let avery = demo.stage.person("avery");
    let replay = avery.answer(&format!(
        "brattice sessions replay {session} --output --format json"
    ))?;
    let everything = format!("{}{replay}", demo.shown.plain());
    let password = demo.stage.password.clone();
    demo.fact(
        "the password that PostgreSQL does accept is nowhere in what the agent was sent",
        "the recording and this transcript, searched for it",
        !everything.contains(&password),
        "it is there",
    )?;
    let kept = demo.stage.files_with(password.as_bytes())?;
    demo.fact(
        "nor in any file that the gateway keeps",
        "its configuration, log, database, audit log and recordings, searched for it",
        kept.is_empty(),
        &format!("{kept:?}"),
    )
}

/// A token's parts, each of which would give it away.
fn pieces(token: &str) -> impl Iterator<Item = &str> {
    token.split('.').filter(|piece| piece.len() >= 16)
}
