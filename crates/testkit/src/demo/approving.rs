//! A write is held on the open connection, and waits for the right person.
//!
//! Here live being held, who may not say yes, and who may. Whether the row changed is asked of PostgreSQL itself.

use super::asking::PROMPT;
use super::failure::During;
use super::shell::Shell;
use super::terminal::{End, Terminal};
use super::{ANSWER_MAX, Demo, Failure, stage};

/// The write; the server's log and row are looked at for it.
const UPDATE: &str = "UPDATE orders SET status = 'refunded' WHERE id = 3;";
/// How many digits of an action's hash name it.
const HASH_DIGITS: usize = 16;

/// (c) and (d): held, refused to the wrong people, approved by the right one, completed in the same psql.
pub fn waits_for_a_person(demo: &mut Demo<'_>, psql: &mut Terminal) -> Result<(), Failure> {
    demo.shown
        .chapter("Its UPDATE waits for a person, on the open connection");
    let mark = demo.stage.postgres.mark();
    demo.shown.typed(PROMPT, UPDATE);
    psql.type_in(UPDATE).during("typing into psql")?;
    let Some(notice) = psql.hears("NOTICE:", ANSWER_MAX) else {
        return demo.broken("psql is told that its command waits", "it heard nothing");
    };
    demo.shown.said(&notice);
    let dana = demo.stage.person("dana");
    demo.shown
        .tell("psql now waits. In another terminal, dana, who is a DBA, sees what is asked:");
    let url = dana.variable("BRATTICE_URL");
    let login = format!(
        "export BRATTICE_URL={url} BRATTICE_TOKEN=\"$({})\"",
        stage::token_line("dana")
    );
    demo.shown.typed(&dana.prompt(), &login);
    let listed = demo.types(&dana, "brattice approvals list")?;
    let Some(id) = word_with(&listed.out, "apr_") else {
        return demo.broken(
            "the question is listed",
            &format!("{}{}", listed.out, listed.err),
        );
    };
    let question = demo.types(&dana, &format!("brattice approvals show {id}"))?;
    let Some(action) = action_of(&question.out) else {
        return demo.broken("the question shows the hash of its action", &question.out);
    };
    demo.fact(
        "dana sees the exact statement, who asks, and for which rule",
        "the question",
        question.out.contains(UPDATE.trim_end_matches(';'))
            && question.out.contains("agent:dev/etl-7")
            && question.out.contains("production-writes-wait"),
        &question.out,
    )?;
    nobody_else_may(demo, &id, &action)?;
    let row = demo.stage.status_of_order_3()?;
    let reached = updates(demo, mark);
    demo.fact(
        "until now PostgreSQL has not been asked, and the row is as it was",
        "the server's own log and its row",
        row == "paid" && reached == 0,
        &format!("status {row}, {reached} UPDATEs"),
    )?;
    demo.shown
        .tell("dana approves exactly this action, by its hash:");
    let line = format!(
        "brattice approvals approve {id} --action {action} --reason 'refund 3 agreed with support'"
    );
    let approved = demo.types(&dana, &line)?;
    let (rest, end) = psql.finish(ANSWER_MAX);
    demo.shown
        .tell("And in the agent's psql, which had been waiting all along:");
    demo.shown.said(&rest);
    let row = demo.stage.status_of_order_3()?;
    let reached = updates(demo, mark);
    demo.fact(
        "the held UPDATE completed in the same psql, and ran exactly once",
        "psql's output, the server's own log and its row",
        approved.is_good()
            && end == End::Ready
            && rest.contains("UPDATE 1")
            && row == "refunded"
            && reached == 1,
        &format!("{rest}\nstatus {row}, {reached} UPDATEs, psql is {end:?}"),
    )
}

/// Somebody looks at a question, and approves exactly what it asks.
pub fn approve(demo: &mut Demo<'_>, who: &Shell, id: &str, reason: &str) -> Result<(), Failure> {
    let question = demo.types(who, &format!("brattice approvals show {id}"))?;
    let Some(action) = action_of(&question.out) else {
        return demo.broken("the question shows the hash of its action", &question.out);
    };
    let line = format!("brattice approvals approve {id} --action {action} --reason '{reason}'");
    let approved = demo.types(who, &line)?;
    match approved.is_good() {
        true => Ok(()),
        false => demo.broken("who is asked may say yes", &approved.err),
    }
}

/// (d) Neither the agent itself, nor its owner, nor anyone else can say yes.
fn nobody_else_may(demo: &mut Demo<'_>, id: &str, action: &str) -> Result<(), Failure> {
    demo.shown.chapter("The wrong people cannot approve it");
    let line = format!("brattice approvals approve {id} --action {action}");
    let agent = demo.stage.agent.clone();
    cannot(demo, "The agent itself, with its own token:", &agent, &line)?;
    let omar = demo.stage.person("omar");
    cannot(
        demo,
        "omar, a DBA too, but the one who answers for this agent (its owner):",
        &omar,
        &line,
    )?;
    let avery = demo.stage.person("avery");
    cannot(
        demo,
        "avery, an auditor, who may see everything and answer nothing:",
        &avery,
        &line,
    )?;
    let dana = demo.stage.person("dana");
    let still = dana.answer(&format!("brattice approvals show {id} --format json"))?;
    let state = serde_json::from_str(&still).unwrap_or(serde_json::Value::Null);
    demo.fact(
        "three attempts were refused, and the question is as open as before",
        "exit codes, and the question's state",
        state.get("state").is_some_and(|s| s == "pending")
            && state.get("answers") == Some(&serde_json::json!([])),
        &still,
    )
}

fn cannot(demo: &mut Demo<'_>, told: &str, shell: &Shell, line: &str) -> Result<(), Failure> {
    demo.shown.tell(told);
    let said = demo.types(shell, line)?;
    if said.is_good() {
        return demo.broken(&format!("{} cannot approve", shell.who), &said.out);
    }
    Ok(())
}

fn updates(demo: &Demo<'_>, mark: crate::postgres::Mark) -> usize {
    let statements = demo.stage.postgres.statements_since(mark);
    statements
        .iter()
        .filter(|s| s.contains("UPDATE orders"))
        .count()
}

/// The first word that begins so, without punctuation behind it.
pub fn word_with(text: &str, beginning: &str) -> Option<String> {
    let word = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .find(|word| word.starts_with(beginning))?;
    Some(word.to_owned())
}

/// The beginning of the hash behind `action` in what `approvals show` prints.
fn action_of(text: &str) -> Option<String> {
    text.lines()
        .find_map(|line| line.strip_prefix("action "))
        .and_then(|hash| hash.trim().get(..HASH_DIGITS))
        .filter(|hash| hash.bytes().all(|b| b.is_ascii_hexdigit()))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_question_and_its_action() {
        let shown =
            "ID  STATE\napr_0a1b  pending  agent:dev/etl-7\naction   00112233445566778899aabb\n";
        assert_eq!(word_with(shown, "apr_").as_deref(), Some("apr_0a1b"));
        assert_eq!(action_of(shown).as_deref(), Some("0011223344556677"));
        assert_eq!(action_of("action  none"), None);
    }
}
