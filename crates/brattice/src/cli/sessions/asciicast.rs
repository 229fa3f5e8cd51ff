//! A terminal session as a film: asciicast, version 3 (docs.asciinema.org/manual/asciicast/v3).
//!
//! Lives here: the format. Never: escapes that do more than draw (`harmless`).

use super::super::exit::Failure;
use super::super::output::Output;
use super::harmless::Harmless;
use brattice_admin::body::FrameBody;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// Writes the film of one command's terminal: of this one, or of the first that has a terminal.
pub fn write(
    frames: &[FrameBody],
    command: Option<u64>,
    file: &Path,
    out: &mut Output,
) -> Result<(), Failure> {
    let has_terminal =
        |f: &&FrameBody| f.kind == "terminal" && command.is_none_or(|n| n == f.command);
    let Some(first) = frames.iter().find(has_terminal) else {
        return Err(
            Failure::failed("nothing in this recording ran on a terminal".to_owned())
                .hint("print it as lines: brattice sessions replay ID --output"),
        );
    };
    let text = film(frames, first)?;
    std::fs::write(file, text)
        .map_err(|why| Failure::failed(format!("{} cannot be written: {why}", file.display())))?;
    if out.is_json() {
        out.json(&json!({ "file": file, "command": first.command }));
    } else {
        out.line(format!(
            "command #{} is in {}: play it with `asciinema play`",
            first.command,
            file.display()
        ));
    }
    Ok(())
}

fn film(frames: &[FrameBody], first: &FrameBody) -> Result<String, Failure> {
    let strange = || Failure::failed("the recording has a time that cannot be read".to_owned());
    let start = time(first).ok_or_else(strange)?;
    let (columns, rows) = size(first).unwrap_or((80, 24));
    let header = json!({
        "version": 3,
        "term": { "cols": columns, "rows": rows },
        "timestamp": start.as_second(),
    });
    // Writing to a String cannot fail.
    let mut text = format!("{header}\n");
    let mut last = start;
    let mut screen = Harmless::default();
    for frame in frames.iter().filter(|f| f.command == first.command) {
        let at = time(frame).ok_or_else(strange)?;
        let event = match frame.kind.as_str() {
            "output" | "errors" => {
                let shown = screen.pass(&bytes(frame));
                if shown.is_empty() {
                    continue;
                }
                ("o", shown)
            }
            "terminal" if frame.index != first.index => match size(frame) {
                Some((columns, rows)) => ("r", format!("{columns}x{rows}")),
                None => continue,
            },
            "outcome" => {
                let status = frame.text.as_deref().and_then(|t| t.strip_prefix("exit "));
                ("x", status.unwrap_or("255").to_owned())
            }
            _ => continue,
        };
        let interval = at.duration_since(last).as_secs_f64().max(0.0);
        last = at.max(last);
        let interval = (interval * 1e6).round() / 1e6;
        let _ = writeln!(text, "{}", json!([interval, event.0, event.1]));
    }
    Ok(text)
}

fn time(frame: &FrameBody) -> Option<jiff::Timestamp> {
    frame.at.parse().ok()
}

fn size(frame: &FrameBody) -> Option<(u16, u16)> {
    size_of(frame.text.as_deref()?)
}

/// `COLUMNSxROWS`, where that is one of a terminal.
pub(super) fn size_of(text: &str) -> Option<(u16, u16)> {
    let (columns, rows) = text.split_once('x')?;
    // A terminal of a million columns is no terminal.
    let fine = |n: u16| (1..=1000).contains(&n).then_some(n);
    Some((fine(columns.parse().ok()?)?, fine(rows.parse().ok()?)?))
}

pub(super) fn bytes(frame: &FrameBody) -> Vec<u8> {
    match (&frame.text, &frame.hex) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(hex)) => hex::decode(hex).unwrap_or_default(),
        (None, None) => Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn frame(index: u64, at: &str, kind: &str, text: &str) -> FrameBody {
        FrameBody {
            index,
            at: format!("2026-11-28T10:00:{at}Z"),
            kind: kind.to_owned(),
            command: 3,
            text: Some(text.to_owned()),
            hex: None,
        }
    }

    #[test]
    fn a_terminal_plays_as_it_was_but_for_what_does_more_than_draw() {
        let frames = [
            frame(0, "00", "terminal", "100x30"),
            frame(
                1,
                "00.25",
                "output",
                "\u{1b}[1mhi\u{1b}[0m\r\n\u{1b}]52;c;cm0=\u{7}",
            ),
            frame(2, "01", "terminal", "999999999x2"),
            frame(3, "01", "terminal", "120x40"),
            frame(4, "02.5", "outcome", "exit 7"),
        ];
        let film = film(&frames, &frames[0]).unwrap();
        let lines: Vec<&str> = film.lines().collect();
        assert!(lines[0].contains(r#""cols":100"#) && lines[0].contains(r#""version":3"#));
        assert_eq!(lines[1], r#"[0.25,"o","\u001b[1mhi\u001b[0m\r\n"]"#);
        assert_eq!(lines[2], r#"[0.75,"r","120x40"]"#);
        assert_eq!(lines[3], r#"[1.5,"x","7"]"#);
    }
}
