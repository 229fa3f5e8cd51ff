//! `brattice sessions`: seeing, replaying and ending them.

use super::args::{GatewayArgs, SessionsArgs, SessionsCommand};
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::rows;
use super::show;
use super::whoami::chain;
use brattice_admin::body::{DoneBody, FrameBody, ReasonRequest, SessionBody, SessionsBody};
use serde::Deserialize;

/// Frames asked for at once.
const PAGE: &str = "1000";

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
        SessionsCommand::Replay { id, output } => replay(&client, &id, output, out)?,
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

fn replay(client: &Client, id: &str, output: bool, out: &mut Output) -> Result<(), Failure> {
    let mut from = 0;
    loop {
        let query = [("from", from.to_string()), ("limit", PAGE.to_owned())];
        let (frames, next): (Vec<FrameBody>, _) =
            client.page(&["sessions", id, "replay"], &query)?;
        for frame in &frames {
            if out.is_json() {
                out.json_line(frame);
            } else if output || !matches!(frame.kind.as_str(), "output" | "input") {
                show_frame(frame, out);
            }
        }
        match next {
            Some(next) if next > from && !frames.is_empty() => from = next,
            _ => return Ok(()),
        }
    }
}

/// What a verdict in a recording says of a command that was refused.
#[derive(Deserialize)]
struct Refused {
    command: String,
    code: String,
    rules: Vec<String>,
    reason: String,
}

/// What the caller received, line by line, where it reads as the protocol's messages.
fn output_of(frame: &FrameBody) -> Option<Vec<String>> {
    if frame.kind != "output" {
        return None;
    }
    match (&frame.text, &frame.hex) {
        (Some(text), _) => rows::lines(text.as_bytes()),
        (None, Some(hex)) => rows::lines(&hex::decode(hex).ok()?),
        (None, None) => None,
    }
}

fn show_frame(frame: &FrameBody, out: &mut Output) {
    let refused = frame
        .text
        .as_deref()
        .filter(|_| frame.kind == "verdict")
        .and_then(|text| serde_json::from_str::<Refused>(text).ok());
    if let Some(refused) = refused {
        let mut lines = show::lines(&refused.command).into_iter();
        let first = lines.next().unwrap_or_default();
        out.line(format!("{} refused  {first}", show::visible(&frame.at)));
        for line in lines {
            out.line(format!("  | {line}"));
        }
        return out.line(format!(
            "  = {} ({}): {}",
            show::visible(&refused.code),
            show::visible(&refused.rules.join(", ")),
            show::visible(&refused.reason)
        ));
    }
    let head = format!(
        "{} #{} {}",
        show::visible(&frame.at),
        frame.command,
        show::visible(&frame.kind)
    );
    if let Some(rows) = output_of(frame) {
        out.line(head);
        for line in rows {
            out.line(format!("  < {}", show::visible(&line)));
        }
        return;
    }
    match (&frame.text, &frame.hex) {
        (Some(text), _) => {
            let lines = show::lines(text);
            out.line(format!(
                "{head}  {}",
                lines.first().map_or("", String::as_str)
            ));
            for line in lines.iter().skip(1) {
                out.line(format!("  | {line}"));
            }
        }
        (None, Some(hex)) => out.line(format!(
            "{head}  {} bytes: {}",
            hex.len() / 2,
            show::cell(hex, 96)
        )),
        (None, None) => out.line(head),
    }
}
