//! `brattice sessions`: seeing, watching, replaying and ending them.
//!
//! Lives here: the commands, and lists. Never: how a recording reads (`replay`), plays (`asciicast`), or is seen as it
//! is made (`watch`).

mod asciicast;
mod harmless;
mod replay;
mod watch;

use super::args::{GatewayArgs, SessionsArgs, SessionsCommand};
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::show;
use super::whoami::chain;
use brattice_admin::body::{DoneBody, ReasonRequest, SessionBody, SessionsBody};
use replay::Wanted;

pub fn run(gateway: &GatewayArgs, args: SessionsArgs, out: &mut Output) -> Result<(), Failure> {
    let client = Client::new(gateway)?;
    match args.command {
        SessionsCommand::List {
            state,
            target,
            limit,
        } => {
            let mut query = vec![("limit", limit.to_string())];
            if state != "all" {
                query.push(("state", state));
            }
            query.extend(target.map(|t| ("target", t)));
            list(&client.get(&["sessions"], &query)?, out);
        }
        SessionsCommand::Show { id } => show_one(&client.get(&["sessions", &id], &[])?, out),
        SessionsCommand::Replay {
            id,
            output,
            command,
            asciicast,
        } => {
            let wanted = Wanted {
                output,
                command,
                asciicast: asciicast.as_deref(),
            };
            replay::replay(&client, &id, &wanted, out)?;
        }
        SessionsCommand::Watch {
            id,
            from_start,
            command,
        } => watch::watch(&client, &id, from_start, command, out)?,
        SessionsCommand::Kill { id, reason } => {
            let done: DoneBody =
                client.post(&["sessions", &id, "kill"], &ReasonRequest { reason })?;
            if out.is_json() {
                out.json(&done);
            } else {
                out.line(format!("{} is ended", show::visible(&id)));
            }
        }
    }
    Ok(())
}

fn list(found: &SessionsBody, out: &mut Output) {
    if out.is_json() {
        return out.json(found);
    }
    let rows: Vec<Vec<String>> = found
        .sessions
        .iter()
        .map(|s| {
            let state = if s.holding.is_some() {
                "holding"
            } else {
                s.state.as_str()
            };
            vec![
                show::cell(&s.id, 24),
                show::cell(state, 12),
                show::cell(&chain(&s.chain), 48),
                show::cell(&format!("{}/{}", s.target, s.place), 32),
                show::cell(&s.started_at, 20),
                s.commands.to_string(),
            ]
        })
        .collect();
    out.table(
        &["id", "state", "who", "target", "started at", "commands"],
        &rows,
    );
}

fn show_one(s: &SessionBody, out: &mut Output) {
    if out.is_json() {
        return out.json(s);
    }
    let labels: Vec<String> = s.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    out.fields(&[
        ("session", s.id.clone()),
        ("state", s.state.clone()),
        ("who", chain(&s.chain)),
        ("from", s.client.clone()),
        (
            "target",
            format!("{}, {} ({})", s.target, s.place, labels.join(", ")),
        ),
        ("protocol", s.protocol.clone()),
        ("started at", s.started_at.clone()),
        ("ended at", s.ended_at.clone().unwrap_or_default()),
        ("commands", s.commands.to_string()),
        ("bytes out", s.bytes_to_client.to_string()),
        ("waits for", s.holding.clone().unwrap_or_default()),
        ("revision", s.revision.to_string()),
        ("recording", s.recording.clone().unwrap_or_default()),
    ]);
}
