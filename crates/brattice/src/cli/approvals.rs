//! `brattice approvals`: what waits for people.
//!
//! Lives here: showing questions so that nothing in them is hidden, and answering with the hash of what was shown.

use super::args::{AnswerArgs, ApprovalsArgs, ApprovalsCommand, GatewayArgs};
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::show;
use super::whoami::chain;
use brattice_admin::body::{AnswerRequest, ApprovalBody, ApprovalsBody};
use std::io::{BufRead, IsTerminal};

/// The fewest digits of a hash that name an action.
const HASH_DIGITS_MIN: usize = 16;

pub fn run(gateway: &GatewayArgs, args: ApprovalsArgs, out: &mut Output) -> Result<(), Failure> {
    let client = Client::new(gateway)?;
    match args.command {
        ApprovalsCommand::List {
            state,
            target,
            limit,
        } => {
            let mut query = vec![("limit", limit.to_string())];
            if state != "all" {
                query.push(("state", state));
            }
            query.extend(target.map(|t| ("target", t)));
            list(&client.get(&["approvals"], &query)?, out);
            Ok(())
        }
        ApprovalsCommand::Show { id } => {
            show_one(&get(&client, &id)?, out);
            Ok(())
        }
        ApprovalsCommand::Approve(answer) => decide(&client, &answer, true, out),
        ApprovalsCommand::Deny(answer) => decide(&client, &answer, false, out),
    }
}

fn get(client: &Client, id: &str) -> Result<ApprovalBody, Failure> {
    client.get(&["approvals", id], &[])
}

/// What a row shows of it.
fn shown_text(a: &ApprovalBody) -> String {
    match &a.ahead {
        Some(ahead) => format!("ahead, {} minutes: {}", ahead.minutes, ahead.reason),
        None => a.text.clone(),
    }
}

fn list(found: &ApprovalsBody, out: &mut Output) {
    if out.is_json() {
        return out.json(found);
    }
    let rows: Vec<Vec<String>> = found
        .approvals
        .iter()
        .map(|a| {
            vec![
                show::cell(&a.id, 24),
                show::cell(&a.state, 12),
                show::cell(&chain(&a.chain), 48),
                show::cell(&place(a), 32),
                show::cell(&a.effects.join(","), 24),
                show::cell(&shown_text(a), 60),
            ]
        })
        .collect();
    out.table(
        &["id", "state", "who", "target", "effects", "command"],
        &rows,
    );
}

/// What each rule asks of whom.
pub fn waits_for(a: &ApprovalBody) -> Vec<String> {
    a.asked
        .iter()
        .map(|asked| {
            let grant = asked
                .grant_minutes
                .map(|m| format!(", good for {m} minutes"))
                .unwrap_or_default();
            let message = asked
                .message
                .as_deref()
                .map(|m| format!(": {m}"))
                .unwrap_or_default();
            format!(
                "{}: {} of {}{grant}{message}",
                asked.rule,
                asked.approvers,
                asked.groups.join(" or ")
            )
        })
        .collect()
}

fn show_one(a: &ApprovalBody, out: &mut Output) {
    if out.is_json() {
        return out.json(a);
    }
    let answers: Vec<String> = a
        .answers
        .iter()
        .map(|answer| {
            let word = if answer.yes { "yes" } else { "no" };
            let reason = answer
                .reason
                .as_deref()
                .map(|r| format!(": {r}"))
                .unwrap_or_default();
            format!(
                "{word} by {} at {} ({}){reason}",
                answer.by, answer.at, answer.via
            )
        })
        .collect();
    out.fields(&[
        ("question", a.id.clone()),
        ("state", a.state.clone()),
        ("who", chain(&a.chain)),
        (
            "session",
            a.session
                .clone()
                .unwrap_or_else(|| "none: asked ahead of time".to_owned()),
        ),
        ("target", format!("{} ({})", place(a), a.labels.join(", "))),
        ("effects", a.effects.join(", ")),
        ("acts", a.acts.join("\n")),
        ("waits for", waits_for(a).join("\n")),
        ("answers", answers.join("\n")),
        ("asked at", a.asked_at.clone()),
        ("lapses at", a.expires_at.clone()),
    ]);
    let what = match a.ahead {
        Some(_) => "wish",
        None => "command",
    };
    out.line(format!("{what:7}  ({} bytes, complete)", a.text.len()));
    for line in show::lines(&a.text) {
        out.line(format!("  | {line}"));
    }
    for (i, parameter) in a.parameters.iter().enumerate() {
        let n = i + 1;
        match parameter {
            None => out.line(format!("  ${n} is NULL")),
            Some(text) => {
                let shown = show::lines(text);
                out.line(format!(
                    "  ${n} = {}",
                    shown.first().map_or("", String::as_str)
                ));
                for line in shown.iter().skip(1) {
                    out.line(format!("     | {line}"));
                }
            }
        }
    }
    out.line(format!("action   {}", show::visible(&a.action)));
}

fn decide(client: &Client, args: &AnswerArgs, yes: bool, out: &mut Output) -> Result<(), Failure> {
    let approval = get(client, &args.id)?;
    match &args.action {
        Some(hash) => names(hash, &approval.action)?,
        None => ask(&approval, yes, out)?,
    }
    let verb = if yes { "approve" } else { "deny" };
    let request = AnswerRequest {
        action: approval.action.clone(),
        reason: args.reason.clone(),
    };
    let now: ApprovalBody = client.post(&["approvals", &args.id, verb], &request)?;
    if out.is_json() {
        out.json(&now);
    } else {
        let state = match (&now.ahead, now.state.as_str()) {
            (Some(_), "consumed") => "granted",
            (_, state) => state,
        };
        let missing = match state {
            "pending" if yes => format!(
                ": your yes is on record; it still waits for {}",
                show::visible(&waits_for(&now).join("; "))
            ),
            _ => String::new(),
        };
        out.line(format!(
            "{} is {}{missing}",
            show::visible(&now.id),
            show::visible(state)
        ));
    }
    Ok(())
}

/// Whether a hash, perhaps cut, is that of the action.
fn names(given: &str, action: &str) -> Result<(), Failure> {
    let given = given.to_ascii_lowercase();
    if given.len() < HASH_DIGITS_MIN || !given.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Failure::usage(format!(
            "--action takes {HASH_DIGITS_MIN} or more digits of the hash that `approvals show` prints"
        )));
    }
    if action.starts_with(&given) {
        Ok(())
    } else {
        Err(Failure::failed("the question is about another action than the one whose hash you gave; nothing was answered")
            .hint("look at it again with `brattice approvals show`"))
    }
}

/// On a terminal: shows the question and asks. Anywhere else the hash has to be given.
fn ask(approval: &ApprovalBody, yes: bool, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(
            Failure::usage("without a terminal, the hash of the action has to be given").hint(
                "look at the question with `brattice approvals show`, and give --action HASH",
            ),
        );
    }
    show_one(approval, out);
    let word = if yes { "approve" } else { "deny" };
    out.say(&format!("Type `{word}` to {word} exactly this:"));
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    if read.is_ok() && line.trim() == word {
        Ok(())
    } else {
        Err(Failure::failed("nothing was answered"))
    }
}

/// The target, and where on it, if that is said.
fn place(a: &ApprovalBody) -> String {
    match a.place.as_str() {
        "" => a.target.clone(),
        place => format!("{}/{place}", a.target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_names_an_action_when_it_is_long_enough_and_the_same() {
        let action = "5d41402abc4b2a76b9719d911017c592aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        assert!(names("5d41402abc4b2a76", action).is_ok());
        assert!(names("5D41402ABC4B2A76", action).is_ok());
        assert!(names("5d41402", action).is_err());
        assert!(names("6d41402abc4b2a76", action).is_err());
        assert!(names(&format!("{action}0"), action).is_err());
    }
}
