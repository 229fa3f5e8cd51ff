//! Putting a key with its certificate into the ssh-agent that is running (draft-ietf-sshm-ssh-agent, section 3.2).
//!
//! Lives here: the one message that is sent, and its answer. Never: keys that the agent has.

use crate::cli::exit::Failure;
use crate::run::SystemClock;
use brattice_admin::body::CertificateBody;
use brattice_core::time::Clock;
use brattice_identity::ssh::{Certificate, PrivateKey, to_agent};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Where the agent listens.
const SOCKET: &str = "SSH_AUTH_SOCK";
/// How long it may take; some ask a person first.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);
/// The longest answer that is read: success and failure are one byte.
const ANSWER_BYTES_MAX: u32 = 1024;
/// SSH_AGENT_SUCCESS
const SUCCESS: u8 = 6;

/// An agent that answers the door.
pub struct Agent(UnixStream);

impl Agent {
    /// The one that the environment names.
    pub fn of_environment() -> Result<Self, Failure> {
        let nowhere = |what: String| {
            Failure::usage(what).hint(
                "start one with `eval $(ssh-agent)`, or write the key to a file with --out FILE",
            )
        };
        let path = std::env::var_os(SOCKET).filter(|p| !p.is_empty());
        let path =
            path.ok_or_else(|| nowhere(format!("there is no agent: {SOCKET} is not set")))?;
        let path = PathBuf::from(path);
        let stream = UnixStream::connect(&path).map_err(|why| {
            nowhere(format!(
                "the agent at {} does not answer: {why}",
                path.display()
            ))
        })?;
        let wait = Some(ANSWER_WAIT_MAX);
        let set = stream.set_read_timeout(wait);
        set.and_then(|()| stream.set_write_timeout(wait))
            .map_err(|why| unanswered(&why))?;
        Ok(Self(stream))
    }

    /// Gives it the key, which it forgets when the certificate ends.
    pub fn add(mut self, key: &PrivateKey, body: &CertificateBody) -> Result<(), Failure> {
        let certificate = Certificate::from_openssh(&body.certificate).ok();
        let comment = format!("brattice {}", body.target);
        let now = SystemClock.now();
        let message = certificate.and_then(|c| to_agent(key, &c, &comment, now));
        let message = message.ok_or_else(|| {
            Failure::failed(
                "the gateway's answer is not understood: it is no certificate of this key",
            )
        })?;
        let answer = self.ask(message.expose()).map_err(|why| unanswered(&why))?;
        match answer.first() {
            Some(&SUCCESS) => Ok(()),
            _ => Err(
                Failure::failed("the agent does not take the key with its certificate")
                    .hint("write the key to a file with --out FILE"),
            ),
        }
    }

    fn ask(&mut self, message: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(message)?;
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > ANSWER_BYTES_MAX {
            return Err(io::Error::other("its answer is too long"));
        }
        let mut answer = Vec::new();
        Read::by_ref(&mut self.0)
            .take(u64::from(length))
            .read_to_end(&mut answer)?;
        Ok(answer)
    }
}

fn unanswered(why: &io::Error) -> Failure {
    Failure::failed(format!("the agent does not answer: {why}"))
}
