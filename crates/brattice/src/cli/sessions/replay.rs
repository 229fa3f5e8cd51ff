//! `brattice sessions replay`: what a session sent and received, as lines, as JSON, or as a film of its terminal.
//!
//! Lives here: reading the frames, and lines for them. Never: anything of a recording as it is on a terminal.

use super::super::client::Client;
use super::super::exit::Failure;
use super::super::output::Output;
use super::super::{rows, show};
use super::asciicast;
use brattice_admin::body::FrameBody;
use serde::Deserialize;
use std::path::Path;

/// Frames asked for at once.
const PAGE: &str = "1000";

/// What of a recording is wanted.
pub struct Wanted<'a> {
    /// What was sent and received, too.
    pub output: bool,
    /// Of one command alone.
    pub command: Option<u64>,
    /// The terminal as a film, into this file.
    pub asciicast: Option<&'a Path>,
}

pub fn replay(
    client: &Client,
    id: &str,
    wanted: &Wanted<'_>,
    out: &mut Output,
) -> Result<(), Failure> {
    if let Some(file) = wanted.asciicast {
        let mut frames = Vec::new();
        each(client, id, |frame| frames.push(frame))?;
        return asciicast::write(&frames, wanted.command, file, out);
    }
    each(client, id, |frame| {
        let is_data = matches!(
            frame.kind.as_str(),
            "output" | "input" | "errors" | "terminal"
        );
        if wanted.command.is_some_and(|n| n != frame.command) {
        } else if out.is_json() {
            out.json_line(&frame);
        } else if wanted.output || !is_data {
            show_frame(&frame, out);
        }
    })
}

/// Reads all frames, a page at a time.
fn each(client: &Client, id: &str, mut take: impl FnMut(FrameBody)) -> Result<(), Failure> {
    let mut from = 0;
    loop {
        let query = [("from", from.to_string()), ("limit", PAGE.to_owned())];
        let (frames, next): (Vec<FrameBody>, _) =
            client.page(&["sessions", id, "replay"], &query)?;
        let is_empty = frames.is_empty();
        frames.into_iter().for_each(&mut take);
        match next {
            Some(next) if next > from && !is_empty => from = next,
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

pub(super) fn show_frame(frame: &FrameBody, out: &mut Output) {
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
