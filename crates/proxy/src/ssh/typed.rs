//! A typed shell: lines one at a time, each judged, held, refused and run like a command of its own.
//!
//! Lives here: reading lines, and saying how each ended. Never: what a line means (`brattice_core::classify::shell::Typed`).
//!
//! It is a subsystem (`ssh -s HOST brattice-typed`), so that no terminal is between what was sent and what is judged. After
//! each line the stream of errors says `brattice: exit=STATUS cwd=DIRECTORY`, for people and programs alike.

use super::ask::{self, Refused};
use super::channel::{self, Client, Setting};
use super::exit::Exit;
use super::link::Link;
use super::run::{self, Ended, Feed};
use brattice_core::classify::shell::{Directory, Line, Shell, Typed};
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::Request;
use bytes::{Bytes, BytesMut};
use russh::{ChannelMsg, Sig};
use std::sync::Arc;

/// The status of a line that a shell would not have run either.
const EXIT_WRONG: u32 = 1;

/// Lines as they come in.
#[derive(Default)]
struct Lines {
    bytes: BytesMut,
    /// Of them, without a line end.
    looked_at: usize,
    ended: bool,
}

/// What comes next.
enum Next {
    Line(Vec<u8>),
    TooLong(Vec<u8>),
    End,
    Gone,
}

/// Runs lines until the client ends it.
pub(super) async fn run(link: &Arc<Link>, client: &mut Client, setting: Setting) -> Ended {
    let shell = link.lock().shell().unwrap_or(Shell::Forced);
    if let Some(denial) = impossible(&setting, shell) {
        let mut session = link.lock();
        link.gate
            .note_refusal(&mut session, "(a typed shell)", &denial);
        return Ended::Denied(denial);
    }
    let mut typed = Typed::new(shell);
    let mut lines = Lines::default();
    let mut last = 0;
    let hello = "brattice: each line is judged for itself; \"exit\" ends this shell\n";
    client.say(false, hello).await;
    tell(client, "0", &typed).await;
    loop {
        // Lines that are there already must not keep others from their turn.
        tokio::task::consume_budget().await;
        let next = tokio::select! {
            next = lines.next(client, link.limits.command_bytes_max) => next,
            why = link.over() => return Ended::Denied(why),
        };
        let line = match next {
            Next::Line(line) => line,
            Next::TooLong(line) => return Ended::Denied(ask::too_long(link, &line)),
            Next::End => return Ended::Exited(Exit::with(last)),
            Next::Gone => return Ended::Gone,
        };
        let line = match String::from_utf8(line) {
            Ok(line) => typed.read(&line),
            Err(_) => Line::Refused("this line is not valid UTF-8"),
        };
        let (text, to) = match line {
            Line::Nothing => continue,
            Line::Remembered => {
                last = 0;
                tell(client, "0", &typed).await;
                continue;
            }
            Line::Leave(status) => {
                return Ended::Exited(Exit::with(status.map_or(last, u32::from)));
            }
            Line::Refused(why) => {
                last = EXIT_WRONG;
                client.say(false, &format!("brattice: {why}\n")).await;
                tell(client, &last.to_string(), &typed).await;
                continue;
            }
            Line::Run(text) => (text, None),
            Line::Enter { text, to } => (text, Some(to)),
        };
        match one(link, client, &setting, text).await {
            Ended::Exited(exit) => {
                last = exit.status();
                enter(&mut typed, to, last);
                tell(client, &exit.shown(), &typed).await;
            }
            Ended::Denied(denial) if ends(&denial) => {
                return Ended::Denied(denial);
            }
            Ended::Denied(denial) => {
                last = channel::status_of(&denial);
                client.say(false, &channel::refusal(&denial)).await;
                let heavy = typed.heavy().join(" ");
                if !heavy.is_empty() {
                    let hint = format!(
                        "brattice: hint: this shell carries what may decide which programs run; to drop it: unset {heavy}\n"
                    );
                    client.say(false, &hint).await;
                }
                tell(client, &last.to_string(), &typed).await;
            }
            Ended::Said => {}
            Ended::Gone => return Ended::Gone,
        }
    }
}

/// Whether nothing more is read after it. What did not fit is lost, so that what follows is not what was meant.
fn ends(denial: &Denial) -> bool {
    matches!(denial.code, Code::TooLarge | Code::SessionEnded)
}

/// Why there can be no such shell here.
fn impossible(setting: &Setting, shell: Shell) -> Option<Denial> {
    let denied = |reason: &str, hint: &str| {
        Some(Denial::new(Code::NotSupported, "brattice.typed", reason).hint(hint))
    };
    match (setting.terminal.is_some(), shell) {
        (true, _) => denied(
            "a typed shell has no terminal",
            "leave out what asks for one (-t), or open a shell as it is",
        ),
        (false, Shell::Forced) => denied(
            "behind a forced command there is no shell whose lines could be judged",
            "the operators declare the account's shell with `shell = \"bash\"`",
        ),
        (false, _) => None,
    }
}

/// One command, from the question to its end.
async fn one(link: &Arc<Link>, client: &mut Client, setting: &Setting, text: String) -> Ended {
    if text.len() > link.limits.command_bytes_max {
        let denial = ask::too_long(link, text.as_bytes());
        return Ended::Denied(denial);
    }
    let request = Request::Exec {
        command: Bytes::from(text),
        terminal: false,
        environment: setting.environment.clone(),
    };
    match ask::ask(link, client, false, request.clone()).await {
        Ok((cleared, allowed)) => {
            let what = run::What {
                request,
                cleared,
                allowed,
                setting,
                feed: Feed::Nothing,
            };
            run::run(link, client, what).await
        }
        Err(Refused::Denied(denial)) => Ended::Denied(denial),
        Err(Refused::Gone) => Ended::Gone,
    }
}

fn enter(typed: &mut Typed, to: Option<Directory>, status: u32) {
    if let Some(to) = to.filter(|_| status == 0) {
        typed.entered(to);
    }
}

/// Says how a line ended, and where the next one begins.
async fn tell(client: &Client, exit: &str, typed: &Typed) {
    let cwd = channel::one_line(&typed.directory());
    client
        .say(false, &format!("brattice: exit={exit} cwd={cwd}\n"))
        .await;
}

impl Lines {
    fn rest(&mut self) -> Vec<u8> {
        self.looked_at = 0;
        self.bytes.split().to_vec()
    }

    async fn next(&mut self, client: &mut Client, bytes_max: usize) -> Next {
        loop {
            let unseen = self.bytes.iter().skip(self.looked_at);
            if let Some(at) = unseen.clone().position(|b| *b == b'\n') {
                let line = self.bytes.split_to(self.looked_at + at + 1);
                self.looked_at = 0;
                return Next::Line(line.strip_suffix(b"\n").unwrap_or(&line).to_vec());
            }
            self.looked_at = self.bytes.len();
            if self.bytes.len() > bytes_max {
                return Next::TooLong(self.bytes.to_vec());
            }
            if self.ended {
                return match self.bytes.is_empty() {
                    true => Next::End,
                    false => Next::Line(self.rest()),
                };
            }
            match client.next().await {
                None | Some(ChannelMsg::Close) => return Next::Gone,
                Some(ChannelMsg::Data { data }) => self.bytes.extend_from_slice(&data),
                Some(ChannelMsg::Eof) => self.ended = true,
                Some(ChannelMsg::Signal {
                    signal: Sig::TERM | Sig::HUP | Sig::KILL,
                }) => return Next::End,
                // Nothing runs that it could be about.
                Some(_) => {}
            }
        }
    }
}
