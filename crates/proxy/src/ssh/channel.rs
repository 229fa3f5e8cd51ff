//! One channel of a client: what it sets up, what it asks, and what becomes of that.
//!
//! Lives here: the order of a channel's life. Never: a decision.

use super::ask::{self, Refused};
use super::intake::Intake;
use super::link::Link;
use super::places::Place;
use super::run::{self, Ended, Feed};
use super::{sftp, typed};
use brattice_core::denial::Denial;
use brattice_core::gate::Request;
use bytes::Bytes;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelWriteHalf, Pty};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;

/// What the status of a command is that was refused (`EX_NOPERM` of sysexits.h).
const EXIT_REFUSED: u32 = 77;
/// The same where the identical command may pass later (`EX_TEMPFAIL`).
const EXIT_LATER: u32 = 75;
/// Variables that are kept: more than there are of the language.
const VARIABLES_MAX: usize = 32;
/// The subsystems that are understood.
pub(super) const SFTP: &str = "sftp";
pub(super) const TYPED: &str = "brattice-typed";
/// How long a client may take to take what it is told.
const SAY_MAX: Duration = Duration::from_secs(3);
/// The stream of errors (RFC 4254, section 5.2).
pub(super) const STDERR: u32 = 1;

/// Whether the session was opened, once that is known.
pub(super) type Opened = watch::Receiver<Option<Result<Arc<Link>, Denial>>>;

/// The terminal that a client asked for.
#[derive(Debug, Clone)]
pub(super) struct Terminal {
    pub name: String,
    pub columns: u32,
    pub rows: u32,
    pub width: u32,
    pub height: u32,
    pub modes: Vec<(Pty, u32)>,
}

/// The client's end of a channel.
pub(super) struct Client {
    pub intake: Intake,
    pub write: ChannelWriteHalf<Msg>,
    /// Says how things end, which russh's half of a server cannot.
    pub handle: Handle,
}

impl Client {
    pub fn new(channel: Channel<Msg>, handle: Handle, window_bytes: u32) -> Self {
        let id = channel.id();
        let (read, write) = channel.split();
        Self {
            intake: Intake::new(read, handle.clone(), id, window_bytes),
            write,
            handle,
        }
    }

    /// The next thing that the client sent.
    pub async fn next(&mut self) -> Option<ChannelMsg> {
        self.intake.next().await
    }

    /// Writes to the stream of errors; on a terminal that is the screen.
    pub async fn say(&self, terminal: bool, lines: &str) {
        let (ext, text) = match terminal {
            true => (None, lines.replace('\n', "\r\n")),
            false => (Some(STDERR), lines.to_owned()),
        };
        let mut to = self.write.make_writer_ext(ext);
        // Who does not listen is not told, and holds nothing up.
        let _ = tokio::time::timeout(SAY_MAX, to.write_all(text.as_bytes())).await;
    }

    /// Ends the channel with a status.
    pub async fn exit(&self, status: u32) {
        let id = self.write.id();
        let _ = self.handle.exit_status_request(id, status).await;
        let _ = self.handle.eof(id).await;
        let _ = self.handle.close(id).await;
    }
}

/// What was set up before something was asked to be run.
#[derive(Debug, Default)]
pub(super) struct Setting {
    pub environment: BTreeMap<String, String>,
    pub terminal: Option<Terminal>,
}

/// What a channel is for.
enum Purpose {
    Exec(Bytes),
    Shell,
    Sftp,
    Typed,
}

/// Serves a channel to its end.
pub(super) async fn serve(opened: Opened, mut client: Client, place: Place) {
    let mut setting = Setting::default();
    if let Some(purpose) = asked(&mut client, &mut setting).await {
        let terminal = setting.terminal.is_some();
        match link(opened).await {
            Ok(link) => work(link, client, setting, purpose).await,
            Err(denial) => refuse(&client, terminal, &denial).await,
        }
    }
    drop(place);
}

/// Reads what is set up until something is asked to be run.
async fn asked(client: &mut Client, setting: &mut Setting) -> Option<Purpose> {
    loop {
        match client.next().await? {
            ChannelMsg::RequestPty {
                term,
                col_width,
                row_height,
                pix_width,
                pix_height,
                terminal_modes,
                ..
            } if is_terminal(&term) => {
                setting.terminal = Some(Terminal {
                    name: term,
                    columns: col_width,
                    rows: row_height,
                    width: pix_width,
                    height: pix_height,
                    modes: terminal_modes,
                });
            }
            ChannelMsg::SetEnv {
                variable_name,
                variable_value,
                ..
            } if is_free_variable(&variable_name, &variable_value)
                && setting.environment.len() < VARIABLES_MAX =>
            {
                setting.environment.insert(variable_name, variable_value);
            }
            ChannelMsg::WindowChange {
                col_width,
                row_height,
                ..
            } => {
                if let Some(terminal) = &mut setting.terminal {
                    terminal.columns = col_width;
                    terminal.rows = row_height;
                }
            }
            ChannelMsg::Exec { command, .. } => return Some(Purpose::Exec(command.into())),
            ChannelMsg::RequestShell { .. } => return Some(Purpose::Shell),
            ChannelMsg::RequestSubsystem { name, .. } => match name.as_str() {
                SFTP => return Some(Purpose::Sftp),
                TYPED => return Some(Purpose::Typed),
                _ => {}
            },
            ChannelMsg::Close => return None,
            // Refused by the door, or of no consequence before anything runs.
            _ => {}
        }
    }
}

/// A terminal's name as terminfo has them, or none: the host's programs look it up in files.
pub(super) fn is_terminal(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-+._".contains(c);
    name.len() <= 64 && !name.starts_with('.') && name.chars().all(plain)
}

/// Variables that change nothing about which program runs or what its output looks like to a parser: the language, as long
/// as its encoding is UTF-8 or none. A program reads `LC_ALL=ja_JP.SJIS` in another encoding than the one it was judged in.
pub(super) fn is_free_variable(name: &str, value: &str) -> bool {
    let is_language = name == "LANG" || name == "LANGUAGE" || name.starts_with("LC_");
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.@:".contains(c);
    let encoding = value.rsplit_once('.').map(|(_, encoding)| {
        let encoding = encoding.split('@').next().unwrap_or_default();
        encoding.to_ascii_lowercase().replace('-', "")
    });
    let is_utf8 = match encoding {
        Some(encoding) => encoding == "utf8",
        None => matches!(value, "" | "C" | "POSIX"),
    };
    is_language
        && name.len() <= 32
        && value.len() <= 64
        && value.chars().all(plain)
        && (is_utf8 || name == "LANGUAGE")
}

pub(super) async fn link(mut opened: Opened) -> Result<Arc<Link>, Denial> {
    let failing = || brattice_core::gate::CutReason::Failing.denial();
    let told = opened.wait_for(Option::is_some).await;
    match told {
        Ok(result) => result.clone().unwrap_or_else(|| Err(failing())),
        Err(_) => Err(failing()),
    }
}

/// From the question to the end of what was asked.
async fn work(link: Arc<Link>, mut client: Client, setting: Setting, purpose: Purpose) {
    let at_work = link.at_work();
    let terminal = setting.terminal.is_some();
    let environment = setting.environment.clone();
    let request = match purpose {
        Purpose::Exec(command) if command.len() > link.limits.command_bytes_max => {
            let denial = ask::too_long(&link, &command);
            return refuse(&client, terminal, &denial).await;
        }
        Purpose::Exec(command) => Request::Exec {
            command,
            terminal,
            environment,
        },
        Purpose::Shell => Request::Shell {
            terminal,
            environment,
        },
        Purpose::Sftp => {
            let ended = sftp::run(&link, &mut client).await;
            return say(ended, &client, false).await;
        }
        Purpose::Typed => {
            let ended = typed::run(&link, &mut client, setting).await;
            return say(ended, &client, terminal).await;
        }
    };
    let ended = match ask::ask(&link, &mut client, terminal, request.clone()).await {
        Ok((cleared, allowed)) => {
            let what = run::What {
                request,
                cleared,
                allowed,
                setting: &setting,
                feed: Feed::Client,
            };
            run::run(&link, &mut client, what).await
        }
        Err(Refused::Denied(denial)) => Ended::Denied(denial),
        Err(Refused::Gone) => return,
    };
    say(ended, &client, terminal).await;
    drop(at_work);
}

/// Tells the client how it ended, unless it knows.
async fn say(ended: Ended, client: &Client, terminal: bool) {
    match ended {
        Ended::Said => {}
        Ended::Exited(exit) => exit.tell(&client.handle, client.write.id()).await,
        Ended::Denied(denial) => refuse(client, terminal, &denial).await,
        Ended::Gone => {
            let _ = client.handle.close(client.write.id()).await;
        }
    }
}

/// Tells a client that it is refused, so that a person and a machine can act on it, and ends the channel.
async fn refuse(client: &Client, terminal: bool, denial: &Denial) {
    client.say(terminal, &refusal(denial)).await;
    client.exit(status_of(denial)).await;
}

/// The status of what was refused.
pub(super) fn status_of(denial: &Denial) -> u32 {
    match denial.code.retry() {
        true => EXIT_LATER,
        false => EXIT_REFUSED,
    }
}

/// A refusal in lines: what and why, what to do, and the same for machines.
pub(super) fn refusal(denial: &Denial) -> String {
    let mut text = format!("brattice: {}\n", one_line(&denial.reason));
    if let Some(hint) = &denial.hint {
        text.push_str(&format!("brattice: hint: {}\n", one_line(hint)));
    }
    let mut facts = format!(
        "code={} rules={}",
        denial.code.as_str(),
        denial.rules.join(",")
    );
    if let Some(approval) = &denial.approval {
        facts.push_str(&format!(" approval={approval}"));
    }
    if let Some(url) = &denial.approval_url {
        facts.push_str(&format!(" url={url}"));
    }
    text.push_str(&format!(
        "brattice: {facts} retry={}\n",
        denial.code.retry()
    ));
    text
}

/// Without what a terminal would act on.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_has_a_name_and_no_path() {
        for name in [
            "",
            "xterm-256color",
            "screen.xterm-256color",
            "dumb",
            "rxvt+pcfkeys",
        ] {
            assert!(is_terminal(name), "{name}");
        }
        for name in ["../x", "a/b", "x y", ".x", "x\n", "\u{e9}"] {
            assert!(!is_terminal(name), "{name:?}");
        }
    }

    #[test]
    fn only_the_language_may_be_set_and_only_in_utf_8() {
        for (name, value) in [
            ("LANG", "C.UTF-8"),
            ("LC_ALL", "de_DE.utf8@euro"),
            ("LC_CTYPE", "C"),
            ("LANGUAGE", "de:en"),
        ] {
            assert!(is_free_variable(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("LC_ALL", "ja_JP.SJIS"),
            ("LANG", "tr_TR"),
            ("LANG", "../../tmp/x.UTF-8"),
            ("LC_ALL", "C\n.UTF-8"),
            ("PATH", "/tmp"),
            ("BASH_ENV", "/tmp/x"),
            ("LD_PRELOAD", "x.so"),
            ("GIT_SSH", "x"),
        ] {
            assert!(!is_free_variable(name, value), "{name}={value}");
        }
    }
}
