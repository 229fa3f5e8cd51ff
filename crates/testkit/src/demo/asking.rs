//! The agent connects, reads masked data, and is refused what nobody permits, all in one psql that stays open.
//!
//! Here live these steps. What was really there, and what really arrived, is asked of PostgreSQL itself.

use super::failure::During;
use super::terminal::Terminal;
use super::{ANSWER_MAX, Demo, Failure, stage};

/// psql's prompt: the database as the agent names it.
pub const PROMPT: &str = "orders-db/app=>";

/// Opens the agent's psql.
pub fn connects(demo: &mut Demo<'_>) -> Result<Terminal, Failure> {
    demo.shown.chapter("An agent connects with plain psql");
    demo.shown.tell(
        "The agent etl-7 has a token of its identity provider, valid for minutes, and no password of any database. \
         The token is its password at the gateway. The database name says which target: orders-db, database app.",
    );
    let agent = demo.stage.agent.clone();
    let line = demo.stage.psql_line();
    let login = format!("export PGPASSWORD=\"$({})\"", stage::token_line(&agent.who));
    demo.shown.typed(&agent.prompt(), &login);
    demo.shown.typed(&agent.prompt(), &line);
    let mut psql =
        Terminal::open(agent.command(&format!("exec {line}"))).during("starting psql")?;
    let (said, _) = psql.ask("", ANSWER_MAX).during("typing into psql")?;
    demo.shown.said(&said);
    let backends = demo.stage.backends()?;
    demo.fact(
        "the gateway opened one connection to PostgreSQL for it, as a role of its own",
        "pg_stat_activity on the server",
        backends.len() == 1,
        &format!("backends: {backends:?}; psql said: {said}"),
    )?;
    Ok(psql)
}

/// (a) Email addresses and cards come masked, whichever way they are asked for.
pub fn reads_masked(demo: &mut Demo<'_>, psql: &mut Terminal) -> Result<(), Failure> {
    demo.shown
        .chapter("It reads; email addresses and cards are masked");
    let plain = demo.asks(
        psql,
        "SELECT id, name, email, card FROM customers ORDER BY id;",
    )?;
    let joined = demo.asks(
        psql,
        "SELECT o.id, o.item, o.total, c.email AS sent_to\n\
         FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.id;",
    )?;
    let seen = format!("{plain}{joined}");
    let real = demo.stage.sensitive()?;
    let leaked: Vec<&String> = real.iter().filter(|value| seen.contains(*value)).collect();
    demo.fact(
        "no email address and no card of the table reached the agent, renamed or joined",
        "every value read from the server and searched for",
        leaked.is_empty() && !real.is_empty(),
        &format!("{leaked:?} in\n{seen}"),
    )?;
    demo.fact(
        "each row came, with masks that say what they stand for, and a notice that names the columns",
        "psql's output",
        plain.contains("Ada Okafor") && plain.contains("email") && plain.contains("masked: ") && joined.contains("(4 rows)"),
        &seen,
    )?;
    demo.shown
        .tell("Trying to get at the value through an expression does not help:");
    let mark = demo.stage.postgres.mark();
    let turned = demo.asks(psql, "SELECT reverse(card) FROM customers;")?;
    let reached = demo.stage.postgres.statements_since(mark);
    demo.fact(
        "refused, and never sent to PostgreSQL",
        "psql's output and the server's own log",
        turned.contains("ERROR:") && !reached.iter().any(|s| s.contains("reverse(card")),
        &format!("{turned}\nthe server was asked: {reached:?}"),
    )
}

/// (b) What nobody permits is refused inside the session, which goes on.
pub fn may_not_drop(demo: &mut Demo<'_>, psql: &mut Terminal) -> Result<(), Failure> {
    demo.shown
        .chapter("Its DROP TABLE is refused; the session goes on");
    demo.shown.tell(
        "The role that the gateway uses owns these tables: without the gateway, PostgreSQL would drop them.",
    );
    let before = demo.stage.backends()?;
    let mark = demo.stage.postgres.mark();
    let refused = demo.asks(psql, "DROP TABLE orders;")?;
    let counted = demo.asks(psql, "SELECT count(*) FROM orders;")?;
    let reached = demo.stage.postgres.statements_since(mark);
    demo.fact(
        "the refusal says which rule and what to do instead",
        "psql's output",
        refused.contains("ERROR:")
            && refused.contains("no-destruction")
            && refused.contains("Archive it instead"),
        &refused,
    )?;
    demo.fact(
        "PostgreSQL was never asked to drop anything",
        "the server's own log",
        !reached
            .iter()
            .any(|s| s.to_lowercase().contains("drop table"))
            && counted.contains('4'),
        &format!("the server was asked: {reached:?}\n{counted}"),
    )?;
    let after = demo.stage.backends()?;
    demo.fact(
        "the same session went on, on the same connection",
        "the same process in pg_stat_activity",
        before == after && before.len() == 1,
        &format!("{before:?} before, {after:?} after"),
    )
}
