//! A client over TLS that reads results as fast as they come and keeps nothing: what is measured is the way, not the
//! client. Also what holds idle connections open.
//!
//! Here live logging in, counting messages and reading slowly. Nothing here looks at a value.

use super::error::{BenchError, During};
use super::way::Route;
use crate::wire::frames;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const READ_BYTES: usize = 64 * 1024;
/// No answer is waited for longer.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// A slow reader takes so much at once, and waits no longer for it.
const SIP_BYTES: usize = 16 * 1024;
const SIP_MAX: Duration = Duration::from_millis(20);
/// The end of a connection that the other side has closed is waited for no longer.
const LAST_WORDS_MAX: Duration = Duration::from_secs(5);
const LAST_WORDS_BYTES: usize = 1024;

/// Whom our client believes.
pub(super) struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Those whose certificates this authority signed.
    pub fn in_authority(ca: &Path) -> Result<Trust, BenchError> {
        let wrong = |why: &dyn std::fmt::Display| {
            BenchError::Wrong(format!("{} cannot be trusted: {why}", ca.display()))
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).map_err(|e| wrong(&e))? {
            roots
                .add(certificate.map_err(|e| wrong(&e))?)
                .map_err(|e| wrong(&e))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| wrong(&e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Trust(Arc::new(config)))
    }
}

/// What came for one query.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Came {
    /// Rows, or pieces of COPY data.
    pub rows: u64,
    /// Their bytes, without the frames.
    pub bytes: u64,
}

/// A connection that is logged in.
pub(super) struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Vec<u8>,
    /// What of the buffer is filled, and what of that was looked at.
    filled: usize,
    seen: usize,
}

impl Client {
    pub fn connect(route: &Route) -> Result<Client, BenchError> {
        let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, route.port)).during("connecting")?;
        tcp.set_nodelay(true).during("connecting")?;
        tcp.set_read_timeout(Some(ANSWER_MAX))
            .during("connecting")?;
        tcp.write_all(&frames::ssl_request())
            .during("asking for TLS")?;
        let mut answer = [0];
        tcp.read_exact(&mut answer).during("asking for TLS")?;
        if answer != *b"S" {
            return Err(BenchError::Wrong(format!(
                "{} has no TLS",
                route.way.name()
            )));
        }
        let name = ServerName::from(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST));
        let tls = ClientConnection::new(route.trust.0.clone(), name)
            .map_err(|e| BenchError::Wrong(format!("TLS: {e}")))?;
        let mut client = Client {
            stream: StreamOwned::new(tls, tcp),
            buffer: vec![0; READ_BYTES],
            filled: 0,
            seen: 0,
        };
        client.log_in(route)?;
        Ok(client)
    }

    /// Gives back the room for results: an idle connection needs none.
    pub fn rest(mut self) -> Client {
        self.buffer = Vec::new();
        self
    }

    /// Our end of the connection.
    pub fn port(&self) -> Result<u16, BenchError> {
        let own = self.stream.sock.local_addr().during("asking for a port")?;
        Ok(own.port())
    }

    /// Sends a query and waits for nothing.
    pub fn ask(&mut self, sql: &str) -> Result<(), BenchError> {
        self.send(&frames::query(sql.as_bytes()))
    }

    /// Reads a little of what there is, if it comes at once, and keeps nothing.
    pub fn sip(&mut self) {
        // When it ends is for others to see.
        let _ = self.stream.sock.set_read_timeout(Some(SIP_MAX));
        let _ = self.stream.read(&mut [0; SIP_BYTES]);
    }

    /// Reads to the end of the connection, whatever kind of end, and gives the last that came.
    pub fn last_words(mut self) -> Result<String, BenchError> {
        let patience = Some(LAST_WORDS_MAX);
        (self.stream.sock.set_read_timeout(patience)).during("waiting for the end")?;
        let mut kept = Vec::new();
        let mut piece = [0; SIP_BYTES];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => {
                    kept.extend_from_slice(piece.get(..n).unwrap_or_default());
                    kept.drain(..kept.len().saturating_sub(LAST_WORDS_BYTES));
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    let why = "the gateway let a connection go, and its client saw no end";
                    return Err(BenchError::Wrong(why.to_owned()));
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        Ok(readable(&kept))
    }

    /// Runs a query to its end and counts what comes.
    pub fn drain(&mut self, sql: &str) -> Result<Came, BenchError> {
        self.ask(sql)?;
        let mut came = Came::default();
        let mut error = None;
        loop {
            let (tag, length) = self.head()?;
            match tag {
                b'D' | b'd' => {
                    came.rows += 1;
                    came.bytes += length as u64;
                    self.skip(length)?;
                }
                b'E' => error = Some(self.body(length)?),
                b'Z' => {
                    self.skip(length)?;
                    break;
                }
                _ => self.skip(length)?,
            }
        }
        match error {
            Some(text) => Err(BenchError::Wrong(format!("{sql}: {}", readable(&text)))),
            None => Ok(came),
        }
    }

    fn log_in(&mut self, route: &Route) -> Result<(), BenchError> {
        let parameters = [
            ("user".to_owned(), route.user.clone()),
            ("database".to_owned(), route.database.clone()),
        ];
        self.send(&frames::startup(0, &parameters))?;
        let mut scram: Option<ScramSha256> = None;
        loop {
            let (tag, length) = self.head()?;
            let body = self.body(length)?;
            match tag {
                b'E' => {
                    return Err(BenchError::Wrong(format!(
                        "{} refused to log in: {}",
                        route.way.name(),
                        readable(&body)
                    )));
                }
                b'Z' => return Ok(()),
                b'R' => self.prove(route, &body, &mut scram)?,
                _ => {}
            }
        }
    }

    fn prove(
        &mut self,
        route: &Route,
        body: &[u8],
        scram: &mut Option<ScramSha256>,
    ) -> Result<(), BenchError> {
        let odd = || BenchError::Wrong("an odd message while logging in".to_owned());
        let (code, data) = body.split_first_chunk::<4>().ok_or_else(odd)?;
        match (u32::from_be_bytes(*code), scram) {
            (0, _) => Ok(()),
            (3, _) => self.send(&frames::password(route.password.as_bytes())),
            (10, scram) => {
                let begun =
                    ScramSha256::new(route.password.as_bytes(), ChannelBinding::unsupported());
                self.send(&frames::sasl_initial("SCRAM-SHA-256", begun.message()))?;
                *scram = Some(begun);
                Ok(())
            }
            (11, Some(begun)) => {
                begun.update(data).during("logging in")?;
                let proof = begun.message().to_vec();
                self.send(&frames::sasl_response(&proof))
            }
            (12, Some(begun)) => begun.finish(data).during("logging in"),
            _ => Err(odd()),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), BenchError> {
        self.stream
            .write_all(bytes)
            .and_then(|()| self.stream.flush())
            .during("sending")
    }

    /// A message's tag, and the length of what follows.
    fn head(&mut self) -> Result<(u8, usize), BenchError> {
        while self.filled - self.seen < 5 {
            self.fill()?;
        }
        let waiting = self.buffer.get(self.seen..self.filled).unwrap_or_default();
        let Some((&[tag, a, b, c, d], _)) = waiting.split_first_chunk::<5>() else {
            return Err(BenchError::Wrong("half a message".to_owned()));
        };
        self.seen += 5;
        let length = u32::from_be_bytes([a, b, c, d]).checked_sub(4);
        let length = length.and_then(|l| usize::try_from(l).ok());
        length
            .map(|length| (tag, length))
            .ok_or_else(|| BenchError::Wrong("a message without a length".to_owned()))
    }

    fn skip(&mut self, mut length: usize) -> Result<(), BenchError> {
        loop {
            let here = length.min(self.filled - self.seen);
            self.seen += here;
            length -= here;
            if length == 0 {
                return Ok(());
            }
            self.fill()?;
        }
    }

    fn body(&mut self, length: usize) -> Result<Vec<u8>, BenchError> {
        let mut body = Vec::new();
        loop {
            let here = (length - body.len()).min(self.filled - self.seen);
            body.extend_from_slice(
                self.buffer
                    .get(self.seen..self.seen + here)
                    .unwrap_or_default(),
            );
            self.seen += here;
            if body.len() == length {
                return Ok(body);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), BenchError> {
        self.buffer.copy_within(self.seen..self.filled, 0);
        self.filled -= self.seen;
        self.seen = 0;
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let n = self.stream.read(room).during("reading")?;
        if n == 0 {
            return Err(BenchError::Wrong("the connection was closed".to_owned()));
        }
        self.filled += n;
        Ok(())
    }
}

fn readable(error: &[u8]) -> String {
    String::from_utf8_lossy(error).replace('\0', " ")
}
