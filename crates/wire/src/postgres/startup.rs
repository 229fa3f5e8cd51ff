//! The packets before a session: requests for encryption, cancel requests, the start-up message; and
//! a target's answer to our own request for encryption (PostgreSQL documentation, "Message Flow":
//! "Start-up", "SSL Session Encryption", "GSSAPI Session Encryption", "Canceling Requests in
//! Progress"). Sans-io; the caller writes the answers and runs TLS. Never here: which parameters are
//! welcome ([`super::parameters`]) or who the caller is.

use bytes::{Bytes, BytesMut};

use super::CancelKey;
use super::encode::{CANCEL_REQUEST, GSSENC_REQUEST, MAJOR_VERSION, SSL_REQUEST};
use super::frame::checked_size;
use super::read::Reader;
use super::reply;
use crate::{Limits, PeerMisbehaved, Side, Unencodable};

/// What ALPN calls this protocol.
pub const ALPN: &[u8] = b"postgresql";

/// The newest minor version of protocol 3 that we speak.
pub const MINOR_VERSION_MAX: u16 = 2;

/// The first byte of a TLS handshake record, where a client starts TLS without asking.
const TLS_HANDSHAKE: u8 = 0x16;
const CLIENT: Side = Side::Client;
const PACKET: &str = "start-up packet";
const STARTUP: &str = "StartupMessage";
const CANCEL: &str = "CancelRequest";

/// What to do next while a connection opens.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this and go on reading in clear.
    Answer(&'static [u8]),
    /// Write this (nothing, if the client started TLS unasked), run the TLS handshake over what is
    /// and will be received, then call [`Opening::tls_established`].
    StartTls {
        /// What to write first.
        answer: &'static [u8],
    },
    /// Cancel what this key names, and close without a word.
    Cancel(CancelKey),
    /// Go on to authentication.
    Startup(StartupMessage),
}

/// A start-up message, its parameters not yet judged.
#[derive(Debug, PartialEq, Eq)]
pub struct StartupMessage {
    /// The minor version that will be spoken: 0 or 2.
    pub minor: u16,
    /// Whether the client must be told of that version or of options we do not know, by
    /// [`StartupMessage::answer_version`].
    pub negotiate: bool,
    /// The protocol options (`_pq_.` names) of the client; we know none.
    pub unknown_options: Vec<String>,
    /// The parameters, in order, no name twice.
    pub parameters: Vec<(String, String)>,
    /// Whether it came through TLS.
    pub encrypted: bool,
}

impl StartupMessage {
    /// Tells the client which version and options are not spoken here, if there are any; to be sent
    /// before the first authentication request.
    ///
    /// # Errors
    /// See [`Unencodable`]; no message that was read gives one.
    pub fn answer_version(&self, out: &mut BytesMut) -> Result<(), Unencodable> {
        if self.negotiate {
            reply::negotiate_protocol_version(out, self.minor, &self.unknown_options)?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    /// Not asked for yet.
    Unasked,
    /// Asked for and declined.
    Declined,
    /// Awaiting the handshake the client asked for.
    Asked,
    /// Awaiting the handshake the client simply began.
    Direct,
    /// Established.
    On,
    /// The client went on in clear.
    Over,
}

/// The opening of one client connection.
#[derive(Debug)]
pub struct Opening {
    tls_offered: bool,
    tls: Tls,
    gss_asked: bool,
}

impl Opening {
    /// A connection of which nothing was read yet.
    #[must_use]
    pub const fn new(tls_offered: bool) -> Self {
        Self {
            tls_offered,
            tls: Tls::Unasked,
            gss_asked: false,
        }
    }

    /// Reads the next packet, or nothing if it has not all arrived.
    ///
    /// # Errors
    /// When the packet is malformed, repeats a request, or is followed by bytes that could only have
    /// been sent before its answer was read (CVE-2021-23214).
    pub fn next(
        &mut self,
        buf: &mut BytesMut,
        limits: &Limits,
    ) -> Result<Option<Step>, PeerMisbehaved> {
        if self.begins_tls_unasked(buf) {
            self.tls = Tls::Direct;
            return Ok(Some(Step::StartTls { answer: b"" }));
        }
        if matches!(self.tls, Tls::Asked | Tls::Direct | Tls::Over) && !buf.is_empty() {
            return Err(PeerMisbehaved::Unexpected {
                side: CLIENT,
                message: "a start-up packet",
                state: "another state than start-up",
            });
        }
        let Some((code, body)) = take_packet(buf, limits)? else {
            return Ok(None);
        };
        match code {
            SSL_REQUEST => self.ssl_request(buf, body).map(Some),
            GSSENC_REQUEST => self.gssenc_request(buf, body).map(Some),
            CANCEL_REQUEST => self.cancel_request(buf, body).map(Some),
            version => self.startup(version, body, limits).map(Some),
        }
    }

    /// Goes on inside TLS, given what ALPN settled on. From here on the caller feeds decrypted bytes.
    ///
    /// # Errors
    /// When the client started TLS without asking and without naming this protocol, or named another.
    pub fn tls_established(&mut self, alpn: Option<&[u8]>) -> Result<(), PeerMisbehaved> {
        let agreed = match (self.tls, alpn) {
            (Tls::Asked | Tls::Direct, Some(alpn)) => alpn == ALPN,
            (Tls::Asked, None) => true,
            _ => false,
        };
        if !agreed {
            return Err(PeerMisbehaved::WrongAlpn {
                side: CLIENT,
                wanted: "postgresql",
            });
        }
        self.tls = Tls::On;
        Ok(())
    }

    fn begins_tls_unasked(&self, buf: &[u8]) -> bool {
        self.tls_offered
            && self.tls == Tls::Unasked
            && !self.gss_asked
            && buf.first() == Some(&TLS_HANDSHAKE)
    }

    fn ssl_request(&mut self, behind: &[u8], body: Bytes) -> Result<Step, PeerMisbehaved> {
        Reader::new(CLIENT, "SSLRequest", body).finish()?;
        if self.tls != Tls::Unasked {
            return Err(asked_twice("TLS"));
        }
        nothing_behind(behind)?;
        if self.tls_offered {
            self.tls = Tls::Asked;
            Ok(Step::StartTls { answer: b"S" })
        } else {
            self.tls = Tls::Declined;
            Ok(Step::Answer(b"N"))
        }
    }

    fn gssenc_request(&mut self, behind: &[u8], body: Bytes) -> Result<Step, PeerMisbehaved> {
        Reader::new(CLIENT, "GSSENCRequest", body).finish()?;
        if self.gss_asked || self.tls == Tls::On {
            return Err(asked_twice("GSSAPI encryption"));
        }
        nothing_behind(behind)?;
        self.gss_asked = true;
        Ok(Step::Answer(b"N"))
    }

    fn cancel_request(&mut self, behind: &[u8], body: Bytes) -> Result<Step, PeerMisbehaved> {
        let mut reader = Reader::new(CLIENT, CANCEL, body);
        let pid = reader.i32()?;
        let secret = reader.rest();
        if !(CancelKey::SECRET_BYTES_MIN..=CancelKey::SECRET_BYTES_MAX).contains(&secret.len()) {
            return Err(reader.bad_value("length of the secret"));
        }
        if !behind.is_empty() {
            return Err(PeerMisbehaved::TrailingBytes {
                side: CLIENT,
                message: CANCEL,
                extra: behind.len(),
            });
        }
        self.tls = Tls::Over;
        Ok(Step::Cancel(CancelKey { pid, secret }))
    }

    fn startup(
        &mut self,
        version: u32,
        body: Bytes,
        limits: &Limits,
    ) -> Result<Step, PeerMisbehaved> {
        let [a, b, c, d] = version.to_be_bytes();
        let (major, asked) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        if major != MAJOR_VERSION {
            return Err(PeerMisbehaved::UnsupportedVersion {
                side: CLIENT,
                major,
                minor: asked,
            });
        }
        // 3.1 was never released: whoever asks for it gets 3.0.
        let minor = if asked >= MINOR_VERSION_MAX {
            MINOR_VERSION_MAX
        } else {
            0
        };
        let (unknown_options, parameters): (Vec<_>, Vec<_>) = pairs(body, limits)?
            .into_iter()
            .partition(|(name, _)| name.starts_with("_pq_."));
        let unknown_options: Vec<_> = unknown_options.into_iter().map(|(name, _)| name).collect();
        let encrypted = self.tls == Tls::On;
        self.tls = Tls::Over;
        Ok(Step::Startup(StartupMessage {
            minor,
            negotiate: minor != asked || !unknown_options.is_empty(),
            unknown_options,
            parameters,
            encrypted,
        }))
    }
}

/// What a target says to a request to go over to TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsAnswer {
    /// It awaits the handshake.
    Yes,
    /// It has no TLS.
    No,
}

/// Reads the one-byte answer to an SSLRequest, or nothing if it has not arrived.
///
/// # Errors
/// When something else came, an error in clear included, or bytes in clear stand behind the answer
/// (CVE-2021-23222).
pub fn tls_answer(buf: &mut BytesMut) -> Result<Option<TlsAnswer>, PeerMisbehaved> {
    let answer = match buf.first() {
        None => return Ok(None),
        Some(b'S') => TlsAnswer::Yes,
        Some(b'N') => TlsAnswer::No,
        Some(_) => {
            return Err(PeerMisbehaved::Unexpected {
                side: Side::Target,
                message: "neither yes nor no",
                state: "the request to encrypt",
            });
        }
    };
    if buf.len() > 1 {
        return Err(PeerMisbehaved::BytesBeforeTls { side: Side::Target });
    }
    buf.clear();
    Ok(Some(answer))
}

/// Takes one untyped packet: its code, and what follows it.
fn take_packet(
    buf: &mut BytesMut,
    limits: &Limits,
) -> Result<Option<(u32, Bytes)>, PeerMisbehaved> {
    let Some(length) = buf.first_chunk::<4>() else {
        return Ok(None);
    };
    let announced = u32::from_be_bytes(*length);
    let size = checked_size(announced, CLIENT, PACKET, limits.startup_bytes_max)?;
    if size < 8 {
        return Err(PeerMisbehaved::FrameTooShort {
            side: CLIENT,
            message: PACKET,
            announced,
        });
    }
    if buf.len() < size {
        return Ok(None);
    }
    let mut reader = Reader::new(CLIENT, PACKET, buf.split_to(size).freeze());
    let _length = reader.u32()?;
    Ok(Some((reader.u32()?, reader.rest())))
}

/// The parameter list: pairs of texts, and an empty name exactly at the end.
fn pairs(body: Bytes, limits: &Limits) -> Result<Vec<(String, String)>, PeerMisbehaved> {
    let mut reader = Reader::new(CLIENT, STARTUP, body);
    let mut pairs: Vec<(String, String)> = Vec::new();
    loop {
        let name = reader.utf8("parameter name")?;
        if name.is_empty() {
            reader.finish()?;
            return Ok(pairs);
        }
        if pairs.len() >= limits.startup_parameters_max {
            return Err(reader.bad_value("number of parameters"));
        }
        if pairs
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(&name))
        {
            return Err(PeerMisbehaved::Repeated {
                side: CLIENT,
                message: STARTUP,
                field: "parameter",
            });
        }
        pairs.push((name, reader.utf8("parameter value")?));
    }
}

fn nothing_behind(behind: &[u8]) -> Result<(), PeerMisbehaved> {
    if behind.is_empty() {
        return Ok(());
    }
    Err(PeerMisbehaved::BytesBeforeTls { side: CLIENT })
}

const fn asked_twice(what: &'static str) -> PeerMisbehaved {
    PeerMisbehaved::NegotiatedTwice { side: CLIENT, what }
}

#[cfg(test)]
#[path = "startup_tests.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
