//! `brattice sessions watch`: what passes in an open session, as it passes.
//!
//! Lives here: what is drawn, what is said in lines, and leaving a terminal as it was. Never: an escape that does more than
//! draw (`harmless`), a byte towards the session.

use super::super::client::{Client, Followed};
use super::super::exit::{Exit, Failure};
use super::super::output::Output;
use super::super::show;
use super::super::whoami::chain;
use super::asciicast;
use super::harmless::Harmless;
use super::replay::show_frame;
use brattice_admin::body::{FrameBody, SessionBody, TerminalBody, WatchBody};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::ops::ControlFlow;

pub fn watch(
    client: &Client,
    id: &str,
    from_start: bool,
    command: Option<u64>,
    out: &mut Output,
) -> Result<(), Failure> {
    let mut query = Vec::new();
    if from_start {
        query.push(("from", "start".to_owned()));
    }
    let mut screen = Screen {
        command,
        ..Screen::default()
    };
    let mut over = None;
    let followed = client.follow(&["sessions", id, "watch"], &query, |event: WatchBody| {
        if out.is_json() {
            if screen.is_wanted(&event) {
                out.json_line(&event);
            }
        } else {
            screen.show(&event, out);
        }
        over = match event {
            WatchBody::Ended { .. } => Some(Ok(())),
            WatchBody::Stopped { code, detail } => Some(Err(stopped(&code, detail))),
            _ => None,
        };
        // Nobody reads what is printed: as with any program, that is the end.
        if over.is_some() || out.is_broken() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    screen.leave(out);
    match (followed?, over) {
        (_, Some(over)) => over,
        (Followed::Left | Followed::Enough, None) => Ok(()),
        (Followed::Ended, None) => Err(Failure::new(
            Exit::Unreachable,
            "the connection broke off; the session may go on",
        )
        .hint("look on again, or see its recording: brattice sessions replay ID --output")),
    }
}

/// Why one may no longer look on.
fn stopped(code: &str, detail: String) -> Failure {
    let exit = match code {
        "unauthenticated" | "forbidden" | "approval_required" => Exit::NotPermitted,
        "unavailable" | "stopping" => Exit::Unreachable,
        _ => Exit::Failed,
    };
    Failure::new(exit, format!("you no longer look on: {detail}")).hint("the session may go on")
}

/// What whoever looks on has before them.
#[derive(Default)]
struct Screen {
    /// Of this command alone.
    command: Option<u64>,
    /// Commands that run on terminals.
    drawing: BTreeMap<u64, Harmless>,
    /// Something was drawn since the last line.
    is_drawn_on: bool,
    /// Something was ever drawn.
    has_drawn: bool,
    /// The second screen is shown.
    is_second: bool,
}

impl Screen {
    fn is_wanted(&self, event: &WatchBody) -> bool {
        match event {
            WatchBody::Quiet => false,
            WatchBody::Frame(frame) => self.command.is_none_or(|n| n == frame.command),
            _ => true,
        }
    }

    fn show(&mut self, event: &WatchBody, out: &mut Output) {
        if !self.is_wanted(event) {
            return;
        }
        match event {
            WatchBody::Session { session, terminals } => {
                out.say(&heading(session));
                self.take(terminals, out);
            }
            WatchBody::Frame(frame) => self.frame(frame, out),
            WatchBody::Missed { frames, terminals } => {
                self.end_drawing(out);
                out.say(&format!(
                    "{frames} frames were left out: they came faster than they are shown here; the recording has them"
                ));
                self.drawing.clear();
                self.take(terminals, out);
            }
            WatchBody::Ended { reason } => {
                self.leave(out);
                out.say(&format!("the session has ended: {}", show::visible(reason)));
            }
            WatchBody::Stopped { .. } => self.leave(out),
            WatchBody::Quiet => {}
        }
    }

    /// The terminals that there are, where what told it was not seen.
    fn take(&mut self, terminals: &[TerminalBody], out: &mut Output) {
        for terminal in terminals {
            if self.command.is_none_or(|n| n == terminal.command) {
                self.begins_to_draw(terminal.command, &terminal.size, out);
            }
        }
    }

    fn begins_to_draw(&mut self, command: u64, size: &str, out: &mut Output) {
        let is_new = !self.drawing.contains_key(&command);
        self.drawing.entry(command).or_default();
        if !is_new {
            return;
        }
        self.end_drawing(out);
        if let Some((columns, rows)) = asciicast::size_of(size) {
            out.say(&format!(
                "command #{command} draws on a terminal of {columns}x{rows}"
            ));
        }
        if self.drawing.len() > 1 {
            out.say(&format!(
                "several draw at once; to see one alone: --command {command}"
            ));
        }
    }

    fn frame(&mut self, frame: &FrameBody, out: &mut Output) {
        let kind = frame.kind.as_str();
        if kind == "terminal" {
            let size = frame.text.as_deref().unwrap_or_default();
            return self.begins_to_draw(frame.command, size, out);
        }
        let Some(screen) = self.drawing.get_mut(&frame.command) else {
            self.end_drawing(out);
            return show_frame(frame, out);
        };
        match kind {
            "output" | "errors" => {
                let drawn = screen.pass(&asciicast::bytes(frame));
                self.note(&drawn);
                out.raw(&drawn);
            }
            // What is typed is seen where the host echoes it, and what it does not echo is not for shoulders to see.
            "input" => {}
            _ => {
                if kind == "outcome" {
                    self.drawing.remove(&frame.command);
                    self.leave(out);
                }
                self.end_drawing(out);
                show_frame(frame, out);
            }
        }
    }

    fn note(&mut self, drawn: &str) {
        if drawn.is_empty() {
            return;
        }
        (self.is_drawn_on, self.has_drawn) = (true, true);
        for mode in ["47", "1047", "1049"] {
            let last = |to: char| drawn.rfind(&format!("\u{1b}[?{mode}{to}"));
            match (last('h'), last('l')) {
                (Some(on), off) if off.is_none_or(|off| off < on) => self.is_second = true,
                (_, Some(_)) => self.is_second = false,
                _ => {}
            }
        }
    }

    /// What follows begins on a line of its own, in plain letters.
    fn end_drawing(&mut self, out: &mut Output) {
        if std::mem::take(&mut self.is_drawn_on) {
            out.raw("\u{f}\u{1b}(B\u{1b}[0m\r\n");
        }
    }

    /// Leaves a terminal as it was found: what was watched may have hidden the cursor, or gone to the second screen.
    fn leave(&mut self, out: &mut Output) {
        if !std::mem::take(&mut self.has_drawn) || out.is_json() {
            return;
        }
        if std::io::stdout().is_terminal() {
            if std::mem::take(&mut self.is_second) {
                out.raw("\u{1b}[?1049l");
            }
            // The scrolled part, for which the cursor moves; then insert, cursor keys, reverse, origin, wrap, cursor, paste.
            out.raw("\u{1b}7\u{1b}[r\u{1b}8\u{1b}[4l\u{1b}[?1l\u{1b}[?5l\u{1b}[?6l\u{1b}[?7h\u{1b}[?25h\u{1b}[?2004l");
        }
        self.end_drawing(out);
    }
}

fn heading(s: &SessionBody) -> String {
    format!(
        "looking on at {}: {} on {}, {} ({}), from {}, since {}; Ctrl-C leaves",
        show::visible(&s.id),
        show::visible(&chain(&s.chain)),
        show::visible(&s.target),
        show::visible(&s.place),
        show::visible(&s.protocol),
        show::visible(&s.client),
        show::visible(&s.started_at),
    )
}
