//! Requests: commands that mean the same whatever came before them.
//!
//! Lives here: what can be asked, and what comes back. Never: how a protocol spells it.
//!
//! A statement of SQL gets its meaning from its session; a command line, an operation on a file, a connection through a
//! host do not. So several of one session can be judged at once, each on its own ([`judge`]); what it does is read from
//! it alone ([`read`]), and people are asked about it as about any command ([`hold`]).

mod hold;
mod judge;
mod read;

use super::held::{Lifting, Parked};
use super::proof::{Cleared, Lane};
use crate::action::{Act, Verb};
use crate::classify::shell::Shell;
use crate::denial::Denial;
use bytes::Bytes;
use std::collections::BTreeMap;

/// What a client wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A command line for the account's login shell (RFC 4254, section 6.5, "exec").
    Exec {
        /// Its bytes, which go to the target as they are.
        command: Bytes,
        /// It runs on a terminal.
        terminal: bool,
        /// The environment variables that are sent along.
        environment: BTreeMap<String, String>,
    },
    /// An interactive shell ("shell"). What is typed is not judged.
    Shell {
        /// It runs on a terminal.
        terminal: bool,
        /// The environment variables that are sent along.
        environment: BTreeMap<String, String>,
    },
    /// An operation on files, by their settled paths.
    Files {
        /// What is done to which path.
        acts: Vec<(Verb, String)>,
        /// The operation in words, as people and records see it.
        text: String,
        /// The frame that carries it on.
        frame: Bytes,
    },
    /// A connection through the host ("direct-tcpip", "direct-streamlocal@openssh.com").
    Forward {
        /// Where to, as the client named it; or the path of a socket.
        host: String,
        /// The port there; 0 for a socket.
        port: u16,
    },
    /// Listening on the host, or one connection of somebody there ("tcpip-forward", "forwarded-tcpip").
    Listen {
        /// The address that is listened on, as the client named it.
        host: String,
        /// The port; 0 where the host is to choose one.
        port: u16,
    },
}

/// The gate's answer to a request.
#[derive(Debug)]
pub enum Answer {
    /// It may pass.
    Pass(Cleared, Allowed),
    /// Refused.
    Deny(Denial),
    /// It waits for people.
    Park(Box<Parked<Asked>>),
}

/// What passing entails.
#[derive(Debug)]
pub struct Allowed {
    /// The command counter of its intent.
    pub number: u64,
    /// The right to stream what it reads.
    pub lane: Lane,
    /// It leaves everything as it is.
    pub reads_only: bool,
    /// It is one program of file transfer and nothing else: what passes through its streams are files as they are, and
    /// masking them would break them.
    pub transfers: bool,
    /// Values in the content of the file that it opens are to be masked.
    pub masks: bool,
}

/// A request on its way through the gate.
#[derive(Debug)]
pub struct Asked {
    request: Request,
    lifted: Lifting,
}

impl Asked {
    /// What is asked.
    pub fn request(&self) -> &Request {
        &self.request
    }
}

impl Request {
    /// What it does on a host with this shell, as rules judge it, and why that could not be told, where it could not.
    pub fn acts(&self, shell: Option<Shell>) -> (Vec<Act>, Option<Denial>) {
        let reading = read::read(self, shell);
        (reading.acts, reading.unclear)
    }

    /// The bytes that go to the target.
    fn bytes(&self) -> Bytes {
        match self {
            Request::Exec { command, .. } => command.clone(),
            Request::Files { frame, .. } => frame.clone(),
            Request::Shell { .. } | Request::Forward { .. } | Request::Listen { .. } => {
                Bytes::new()
            }
        }
    }

    /// What else gives the bytes their meaning, and what an approval is bound to with them.
    fn circumstances(&self) -> Vec<String> {
        let run = |kind: &str, terminal: bool, environment: &BTreeMap<String, String>| {
            let mut all = vec![kind.to_owned(), format!("terminal={terminal}")];
            all.extend(
                environment
                    .iter()
                    .map(|(name, value)| format!("env {name}={value}")),
            );
            all
        };
        match self {
            Request::Exec {
                terminal,
                environment,
                ..
            } => run("exec", *terminal, environment),
            Request::Shell {
                terminal,
                environment,
            } => run("shell", *terminal, environment),
            // The frame holds an id or a handle of the connection; the text says what is done to what.
            Request::Files { text, .. } => vec!["files".to_owned(), text.clone()],
            Request::Forward { host, port } => vec!["forward".to_owned(), format!("{host}:{port}")],
            Request::Listen { host, port } => vec!["listen".to_owned(), format!("{host}:{port}")],
        }
    }

    /// How it is shown to those who are asked: with all that their yes is bound to.
    fn question(&self) -> String {
        let mut text = self.text();
        if let Request::Exec {
            terminal,
            environment,
            ..
        }
        | Request::Shell {
            terminal,
            environment,
        } = self
        {
            for (name, value) in environment {
                text.push_str(&format!("\n(with {name}={value})"));
            }
            if *terminal && matches!(self, Request::Exec { .. }) {
                text.push_str("\n(on a terminal)");
            }
        }
        text
    }

    /// How it is shown to people and in records.
    pub fn text(&self) -> String {
        match self {
            Request::Exec { command, .. } => String::from_utf8_lossy(command).into_owned(),
            Request::Shell { terminal: true, .. } => "(an interactive shell)".to_owned(),
            Request::Shell {
                terminal: false, ..
            } => "(a shell that reads commands)".to_owned(),
            Request::Files { text, .. } => text.clone(),
            Request::Forward { host, port: 0 } => format!("(a connection to the socket {host})"),
            Request::Forward { host, port } => format!("(a connection to {host}:{port})"),
            Request::Listen { host, port } => format!("(listening on {host}:{port})"),
        }
    }
}
