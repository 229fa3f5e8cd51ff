//! A PostgreSQL client that sends exactly the bytes it is told to, and hands back exactly the bytes it got.
//!
//! Here lives one blocking connection: start-up, proof of the password, whole messages in and out, every wait bounded.
//! It is written anew from the documentation ("Frontend/Backend Protocol") and shares no code with the gateway's own
//! codec: a mistake there must not be repeated here. Nothing here judges what it sees.

mod answer;
pub mod frames;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Fields, Message};

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How long an answer may take. Generous: a machine that runs the tests may be busy.
pub const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Longer messages are taken for a desynchronised stream.
const MESSAGE_BYTES_MAX: usize = 256 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The other side said no while logging in.
    #[error("refused: {0}")]
    Refused(Box<Fields>),
    /// The other side closed the connection; what it had said is kept.
    #[error("closed after {} messages", .0.messages().len())]
    Closed(Box<Answer>),
    /// No whole message came in time.
    #[error("nothing more came in time, after {} messages", .0.messages().len())]
    Late(Box<Answer>),
    /// What came is not the protocol.
    #[error("not the protocol: {0}")]
    Garbled(String),
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl WireError {
    /// What had been said before the end.
    pub fn said(&self) -> Option<&Answer> {
        match self {
            WireError::Closed(answer) | WireError::Late(answer) => Some(answer),
            _ => None,
        }
    }
}

/// How to log in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// The user.
    pub user: String,
    /// The password, or a token.
    pub password: String,
    /// The database.
    pub database: String,
    /// Further start-up parameters.
    pub parameters: Vec<(String, String)>,
    /// The protocol's minor version.
    pub minor: u16,
}

impl Login {
    /// With no further parameters, by protocol 3.0.
    pub fn new(port: u16, user: &str, password: &str, database: &str) -> Login {
        Login {
            port,
            user: user.to_owned(),
            password: password.to_owned(),
            database: database.to_owned(),
            parameters: Vec::new(),
            minor: 0,
        }
    }

    /// The same with one more start-up parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Login {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
    greeting: Answer,
    answer_max: Duration,
}

impl Wire {
    /// A TCP connection on which nothing was said yet.
    pub fn open(port: u16) -> Result<Wire, WireError> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        Ok(Wire {
            stream,
            input: Vec::new(),
            greeting: Answer::default(),
            answer_max: ANSWER_MAX,
        })
    }

    /// Logs in and waits until the other side is ready for a first command.
    pub fn connect(login: &Login) -> Result<Wire, WireError> {
        let mut wire = Wire::open(login.port)?;
        let mut parameters = vec![
            ("user".to_owned(), login.user.clone()),
            ("database".to_owned(), login.database.clone()),
        ];
        parameters.extend(login.parameters.iter().cloned());
        wire.send(&frames::startup(login.minor, &parameters))?;
        wire.authenticate(login)?;
        wire.greeting = match wire.until_ready() {
            Ok(answer) => answer,
            Err(error) => {
                let refusal = error
                    .said()
                    .and_then(|said| said.errors().into_iter().next());
                return Err(refusal.map_or(error, |fields| WireError::Refused(Box::new(fields))));
            }
        };
        Ok(wire)
    }

    /// Everything between AuthenticationOk and the first ReadyForQuery, these included.
    pub fn greeting(&self) -> &Answer {
        &self.greeting
    }

    /// The process id and the secret by which a query here is cancelled.
    pub fn cancel_key(&self) -> Option<(u32, Vec<u8>)> {
        let message = self.greeting.messages().iter().find(|m| m.tag == b'K')?;
        let (pid, secret) = message.body.split_first_chunk::<4>()?;
        Some((u32::from_be_bytes(*pid), secret.to_vec()))
    }

    /// A parameter as reported at the start.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.greeting
            .parameters()
            .into_iter()
            .find_map(|(n, value)| (n == name).then_some(value))
    }

    /// Waits at most so long for each answer from now on.
    pub fn set_answer_max(&mut self, answer_max: Duration) {
        self.answer_max = answer_max;
    }

    /// Sends these bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.stream.set_write_timeout(Some(self.answer_max))?;
        Ok(self.stream.write_all(bytes)?)
    }

    /// Sends and reads up to the next ReadyForQuery.
    pub fn ask(&mut self, bytes: &[u8]) -> Result<Answer, WireError> {
        self.send(bytes)?;
        self.until_ready()
    }

    /// A simple query.
    pub fn query(&mut self, sql: &str) -> Result<Answer, WireError> {
        self.ask(&frames::query(sql.as_bytes()))
    }

    /// The same text by the extended protocol: unnamed, without parameters, all formats as given.
    pub fn extended(&mut self, sql: &[u8], format: i16) -> Result<Answer, WireError> {
        self.ask(&frames::extended(sql, &[], format))
    }

    /// Reads up to the next ReadyForQuery, answering nothing. A COPY from the client that the other side begins ends
    /// this too: nobody else would speak.
    pub fn until_ready(&mut self) -> Result<Answer, WireError> {
        self.until(|message| matches!(message.tag, b'Z' | b'G'))
    }

    /// Reads up to so many messages of ReadyForQuery.
    pub fn until_ready_times(&mut self, times: usize) -> Result<Answer, WireError> {
        let mut seen = 0;
        self.until(|message| {
            seen += usize::from(message.tag == b'Z');
            seen == times
        })
    }

    /// Reads up to a message for which this holds, that one included.
    pub fn until(&mut self, mut last: impl FnMut(&Message) -> bool) -> Result<Answer, WireError> {
        let mut answer = Answer::default();
        let by = Instant::now() + self.answer_max;
        loop {
            match self.message(by) {
                Ok(message) => {
                    let done = last(&message);
                    answer.push(message);
                    if done {
                        return Ok(answer);
                    }
                }
                Err(WireError::Closed(_)) => return Err(WireError::Closed(Box::new(answer))),
                Err(WireError::Late(_)) => return Err(WireError::Late(Box::new(answer))),
                Err(other) => return Err(other),
            }
        }
    }

    /// The next message.
    pub fn receive(&mut self) -> Result<Message, WireError> {
        self.message(Instant::now() + self.answer_max)
    }

    /// Whatever comes within this time, until the other side closes; whether it did.
    pub fn drain(&mut self, within: Duration) -> (Answer, bool) {
        let mut answer = Answer::default();
        let by = Instant::now() + within;
        loop {
            match self.message(by) {
                Ok(message) => answer.push(message),
                Err(WireError::Late(_)) => return (answer, false),
                Err(_) => return (answer, true),
            }
        }
    }

    /// One byte, for the answers to requests for encryption; `None` when the other side closed.
    pub fn byte(&mut self) -> Result<Option<u8>, WireError> {
        let by = Instant::now() + self.answer_max;
        while self.input.is_empty() {
            if !self.fill(by)? {
                return Ok(None);
            }
        }
        Ok(Some(self.input.remove(0)))
    }

    /// Whether the other side closes within this time; what it says meanwhile is dropped.
    pub fn closes(&mut self, within: Duration) -> bool {
        let by = Instant::now() + within;
        loop {
            match self.fill(by) {
                Ok(true) => self.input.clear(),
                Ok(false) => return true,
                Err(WireError::Late(_)) => return false,
                Err(_) => return true,
            }
        }
    }

    /// Goes away without a word.
    pub fn vanish(self) {
        // It is gone either way.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn message(&mut self, by: Instant) -> Result<Message, WireError> {
        loop {
            if let Some(message) = self.buffered()? {
                return Ok(message);
            }
            if !self.fill(by)? {
                return Err(WireError::Closed(Box::default()));
            }
        }
    }

    fn buffered(&mut self) -> Result<Option<Message>, WireError> {
        let Some((&[tag, a, b, c, d], _)) = self.input.split_first_chunk::<5>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if !(4..=MESSAGE_BYTES_MAX).contains(&length) {
            return Err(WireError::Garbled(format!(
                "a message {:?} of {length} bytes",
                char::from(tag)
            )));
        }
        if self.input.len() <= length {
            return Ok(None);
        }
        let rest = self.input.split_off(length + 1);
        let whole = std::mem::replace(&mut self.input, rest);
        Ok(Some(Message {
            tag,
            body: whole.get(5..).unwrap_or_default().to_vec(),
        }))
    }

    /// Reads once; false when the other side closed.
    fn fill(&mut self, by: Instant) -> Result<bool, WireError> {
        let left = by.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(WireError::Late(Box::default()));
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut chunk = vec![0; 64 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => Ok(false),
            Ok(n) => {
                self.input
                    .extend_from_slice(chunk.get(..n).unwrap_or_default());
                Ok(true)
            }
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Err(WireError::Late(Box::default()))
            }
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    fn authenticate(&mut self, login: &Login) -> Result<(), WireError> {
        let mut scram: Option<ScramSha256> = None;
        loop {
            let message = match self.receive() {
                Ok(message) => message,
                Err(WireError::Closed(_)) => return Err(WireError::Closed(Box::default())),
                Err(other) => return Err(other),
            };
            match message.tag {
                b'E' => return Err(WireError::Refused(Box::new(Fields::of(&message)))),
                b'N' | b'v' => continue,
                b'R' => {}
                other => return Err(unexpected(other)),
            }
            let Some((code, data)) = message.body.split_first_chunk::<4>() else {
                return Err(unexpected(b'R'));
            };
            match u32::from_be_bytes(*code) {
                0 => return Ok(()),
                3 => self.send(&frames::password(login.password.as_bytes()))?,
                5 => {
                    let salt = data.first_chunk::<4>().copied().unwrap_or_default();
                    let hash = md5_hash(login.user.as_bytes(), login.password.as_bytes(), salt);
                    self.send(&frames::password(hash.as_bytes()))?;
                }
                10 => {
                    let begun =
                        ScramSha256::new(login.password.as_bytes(), ChannelBinding::unsupported());
                    self.send(&frames::sasl_initial("SCRAM-SHA-256", begun.message()))?;
                    scram = Some(begun);
                }
                11 => {
                    let begun = scram.as_mut().ok_or_else(|| unexpected(b'R'))?;
                    begun.update(data)?;
                    let proof = begun.message().to_vec();
                    self.send(&frames::sasl_response(&proof))?;
                }
                12 => {
                    let begun = scram.as_mut().ok_or_else(|| unexpected(b'R'))?;
                    begun.finish(data)?;
                }
                _ => return Err(unexpected(b'R')),
            }
        }
    }
}

fn unexpected(tag: u8) -> WireError {
    WireError::Garbled(format!("a message {:?} while logging in", char::from(tag)))
}
