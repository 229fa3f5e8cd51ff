//! A client's way in: TLS, start-up, proof of identity, admission.
//!
//! Lives here: the steps before there is a session, but for who it is (`prove`). Never: what is permitted (the gate's).

mod prove;

use super::Service;
use crate::stream::Stream;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{self, Admission};
use brattice_core::sender::Sender;
use brattice_core::target::Protocol;
use brattice_wire::postgres::parameters::{self, Startup, StartupRefused};
use brattice_wire::postgres::startup::{Opening, Step};
use brattice_wire::postgres::{CancelKey, ErrorFields, Severity, reply, session};
use brattice_wire::{PeerMisbehaved, Unencodable};
use bytes::BytesMut;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// How long a client may take to hear that its connection ends.
const END_MAX: Duration = Duration::from_secs(2);
/// A client that has proven itself and was admitted; AuthenticationOk is written but not yet sent.
pub(super) struct Admitted {
    pub stream: Stream,
    pub unread: BytesMut,
    pub out: BytesMut,
    pub startup: Startup,
    pub admission: Admission,
    pub database: String,
}

/// How a client's way in ended without a session.
/// The connection of a cancel request: its end tells the client that the request was dealt with.
pub(super) struct Waiting(Stream);

impl Waiting {
    /// Ends it as its protocol wants: an encrypted one that just stops is an error to libpq.
    pub(super) async fn end(mut self) {
        let _ = tokio::time::timeout(END_MAX, self.0.shutdown()).await;
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiting")
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum NotIn {
    /// It asked for a cancel, which is to be passed on.
    #[error("a cancel request")]
    Cancel(CancelKey, Waiting),
    /// It went away.
    #[error("the client went away")]
    Gone(#[from] std::io::Error),
    /// It broke the protocol.
    #[error(transparent)]
    Misbehaved(#[from] PeerMisbehaved),
    /// It was refused and told so.
    #[error("refused: {0}")]
    Refused(Denial),
    /// Something could not be written.
    #[error(transparent)]
    Unencodable(#[from] Unencodable),
}

/// A client before it is known.
struct Stranger<'a> {
    service: &'a Service,
    /// What it was offered for encryption.
    tls: Option<Arc<super::ListenerTls>>,
    from: SocketAddr,
    /// What its connection shows.
    sender: Sender,
    stream: Stream,
    input: BytesMut,
    out: BytesMut,
}

/// Takes a client from its first byte to admission.
pub(super) async fn admit(
    service: &Service,
    tcp: TcpStream,
    from: SocketAddr,
) -> Result<Admitted, NotIn> {
    let tls = service.tls.as_ref().map(|newest| newest.load_full());
    let (stream, startup) = open(service, tls.as_deref(), tcp).await?;
    let mut stranger = Stranger {
        service,
        tls,
        from,
        sender: Sender {
            certificate: stream.0.certificate(),
            key: None,
        },
        stream: stream.0,
        input: stream.1,
        out: BytesMut::new(),
    };
    match stranger.admit(startup).await {
        Ok((startup, admission, database)) => {
            let Stranger {
                stream, input, out, ..
            } = stranger;
            Ok(Admitted {
                stream,
                unread: input,
                out,
                startup,
                admission,
                database,
            })
        }
        Err(NotIn::Refused(denial)) => {
            stranger.say(&denial).await;
            Err(NotIn::Refused(denial))
        }
        Err(NotIn::Misbehaved(sin)) => {
            let fields = ErrorFields::new(Severity::Fatal, "08P01", sin.to_string());
            reply::error(&mut stranger.out, &fields);
            let _ = stranger.flush().await;
            Err(sin.into())
        }
        Err(other) => Err(other),
    }
}

type Opened = (
    (Stream, BytesMut),
    brattice_wire::postgres::startup::StartupMessage,
);

/// Up to the start-up message: encryption, or a cancel request.
async fn open(
    service: &Service,
    tls: Option<&super::ListenerTls>,
    tcp: TcpStream,
) -> Result<Opened, NotIn> {
    let mut opening = Opening::new(tls.is_some());
    let mut stream = Stream::Plain(tcp);
    let mut input = BytesMut::with_capacity(1024);
    loop {
        let step = match opening.next(&mut input, &service.limits)? {
            Some(step) => step,
            // A client that starts TLS unasked must not have its handshake read as ours.
            None => {
                if stream.read_buf(&mut input).await? == 0 {
                    return Err(NotIn::Gone(std::io::ErrorKind::UnexpectedEof.into()));
                }
                continue;
            }
        };
        match step {
            Step::Answer(bytes) => stream.write_all(bytes).await?,
            Step::Cancel(key) => return Err(NotIn::Cancel(key, Waiting(stream))),
            Step::Startup(message) => return Ok(((stream, input), message)),
            Step::StartTls { answer } => {
                let (Stream::Plain(mut tcp), Some(tls)) = (stream, tls) else {
                    return Err(NotIn::Gone(std::io::ErrorKind::InvalidData.into()));
                };
                tcp.write_all(answer).await?;
                let begun = std::mem::take(&mut input);
                let encrypted = accept_tls(tls, tcp, begun).await?;
                opening.tls_established(encrypted.get_ref().1.alpn_protocol())?;
                stream = Stream::Tls(Box::new(TlsStream::Server(encrypted)));
            }
        }
    }
}

/// Runs the handshake. Bytes of it that were read already can only be those of a client that began unasked.
async fn accept_tls(
    tls: &super::ListenerTls,
    mut tcp: TcpStream,
    begun: BytesMut,
) -> Result<tokio_rustls::server::TlsStream<TcpStream>, NotIn> {
    if begun.is_empty() {
        return Ok(tls.acceptor.accept(tcp).await?);
    }
    // Hand the first bytes over, then let the handshake go on by itself.
    let config = tls.acceptor.config().clone();
    let mut first = rustls::server::Acceptor::default();
    let mut bytes: &[u8] = &begun;
    loop {
        while !bytes.is_empty() {
            first.read_tls(&mut bytes)?;
        }
        match first.accept() {
            Ok(Some(accepted)) => {
                let connection = accepted
                    .into_connection(config)
                    .map_err(|_| NotIn::Gone(std::io::ErrorKind::InvalidData.into()))?;
                return Ok(resume(tls, tcp, connection).await?);
            }
            Ok(None) => {}
            Err(_) => return Err(NotIn::Gone(std::io::ErrorKind::InvalidData.into())),
        }
        let mut more = [0; 2048];
        let n = tcp.read(&mut more).await?;
        if n == 0 {
            return Err(NotIn::Gone(std::io::ErrorKind::UnexpectedEof.into()));
        }
        first.read_tls(&mut more.get(..n).unwrap_or_default())?;
        if let Ok(Some(accepted)) = first.accept() {
            let connection = accepted
                .into_connection(config)
                .map_err(|_| NotIn::Gone(std::io::ErrorKind::InvalidData.into()))?;
            return Ok(resume(tls, tcp, connection).await?);
        }
    }
}

async fn resume(
    tls: &super::ListenerTls,
    tcp: TcpStream,
    connection: rustls::ServerConnection,
) -> std::io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    tls.acceptor
        .accept_with(tcp, |fresh| *fresh = connection)
        .await
}

impl Stranger<'_> {
    async fn admit(
        &mut self,
        message: brattice_wire::postgres::startup::StartupMessage,
    ) -> Result<(Startup, Admission, String), NotIn> {
        message.answer_version(&mut self.out)?;
        let startup = parameters::judge(message, parameters::classify)
            .map_err(|r| NotIn::Refused(startup_denial(&r)))?;
        let named = startup.database.clone().unwrap_or_default();
        let (target, database) = match named.split_once('/') {
            Some((t, d)) => (t.to_owned(), Some(d.to_owned())),
            None => (named.clone(), None),
        };
        let identity = self.prove(&startup, &target).await?;
        let place = self
            .service
            .endpoints
            .get(&target)
            .and_then(|e| e.database_for(database.as_deref()))
            .unwrap_or_else(|| database.unwrap_or_default());
        let opening = gate::Opening {
            identity,
            target: target.clone(),
            place: place.clone(),
            protocol: Protocol::Postgres,
            client: self.from.ip(),
        };
        let admission = self
            .service
            .gate
            .admit(opening)
            .await
            .map_err(NotIn::Refused)?;
        let reachable = self
            .service
            .endpoints
            .get(&target)
            .is_some_and(|e| e.database_for(Some(&place)).is_some());
        if !reachable {
            return Err(NotIn::Refused(
                Denial::new(
                    Code::Forbidden,
                    "brattice.database",
                    format!("database \"{place}\" of target \"{target}\" is not open"),
                )
                .hint("name one that is, e.g. dbname=TARGET/DATABASE"),
            ));
        }
        let strange = startup
            .search_path
            .iter()
            .flatten()
            .find(|schema| !admission.path_may_name(schema));
        if let Some(schema) = strange {
            return Err(NotIn::Refused(
                Denial::new(
                    Code::Forbidden,
                    "brattice.sql.search_path",
                    format!("the search path may not name \"{schema}\""),
                )
                .hint("name schemas that this target allows in its search path"),
            ));
        }
        Ok((startup, admission, place))
    }

    async fn say(&mut self, denial: &Denial) {
        reply::error(&mut self.out, &session::fatal_of(denial));
        // The client may be gone already; it was refused all the same.
        let _ = self.flush().await;
        let _ = self.stream.shutdown().await;
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        self.stream.write_all_buf(&mut self.out).await?;
        self.stream.flush().await
    }
}

fn startup_denial(refused: &StartupRefused) -> Denial {
    Denial::new(Code::NotSupported, "brattice.startup", refused.to_string())
        .hint("leave this start-up parameter out")
}
