//! Reaching a target: TCP, TLS, login with our credential.
//!
//! Lives here: the way to a ready connection. Never: a credential kept after the login.

use crate::endpoint::Endpoint;
use crate::stream::Stream;
use crate::tls;
use brattice_core::ports::{Borrower, CredentialSource, Lease, LendError};
use brattice_wire::postgres::end_point::tls_server_end_point;
use brattice_wire::postgres::upstream::{Channel, LoggedIn, Login, LoginFailed, UpstreamLogin};
use brattice_wire::postgres::{CancelKey, encode};
use brattice_wire::{Limits, Unencodable};
use bytes::BytesMut;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

/// How long reaching a target and logging in may take.
pub const DIAL_MAX: Duration = Duration::from_secs(15);

/// Why a target could not be reached; for the operator's log.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No TCP connection, or it broke.
    #[error("the target at {address} cannot be reached")]
    Network {
        /// Where.
        address: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// It offers no TLS, and the bundle asks for it.
    #[error("the target offers no TLS, and the bundle asks for it")]
    NoTls,
    /// TLS cannot be set up for it.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// It did not take our login.
    #[error(transparent)]
    Login(#[from] LoginFailed),
    /// Something cannot be written.
    #[error(transparent)]
    Unencodable(#[from] Unencodable),
    /// It took too long.
    #[error("the target did not answer in time")]
    Timeout,
}

/// A connection that is logged in and idle.
pub struct Dialled {
    /// The bytes.
    pub stream: Stream,
    /// What was read beyond the login.
    pub unread: BytesMut,
    /// What the target said of itself.
    pub logged_in: LoggedIn,
}

/// Why nobody is logged in; for the operator's log.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// There is no credential.
    #[error(transparent)]
    Lend(#[from] LendError),
    /// The target is not reached with it.
    #[error(transparent)]
    Dial(#[from] DialError),
}

/// How a connection begins: its name in the target's own log, and its settings.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Its `application_name`.
    pub name: String,
    /// Its settings, in the start-up packet.
    pub settings: Vec<(String, String)>,
}

/// Takes a credential and logs in with it. When the target refuses a secret that had been kept for a while, once more with
/// one that is read anew; never a third time, as some targets count.
///
/// # Errors
/// With the reason, for the operator; clients are told only that the target is not reachable.
pub async fn enter(
    endpoint: &Endpoint,
    lender: &dyn CredentialSource,
    to: Borrower<'_>,
    opening: Opening,
    limits: &Limits,
) -> Result<(Lease, Dialled), EnterError> {
    let Opening { name, settings } = opening;
    let lease = lender.lend(to).await?;
    let dialled = connect(endpoint, to.place, &lease, &name, settings.clone(), limits).await;
    match dialled {
        Ok(dialled) => Ok((lease, dialled)),
        Err(why) if is_refusal(&why) && lease.held.as_ref().is_some_and(|h| h.refused()) => {
            drop(lease);
            let lease = lender.lend(to).await?;
            let dialled = connect(endpoint, to.place, &lease, &name, settings, limits).await?;
            Ok((lease, dialled))
        }
        Err(why) => Err(why.into()),
    }
}

/// Whether the login was refused for what it was (class 28, invalid authorization specification).
fn is_refusal(why: &DialError) -> bool {
    matches!(why, DialError::Login(LoginFailed::Refused(said)) if said.sqlstate().starts_with("28"))
}

/// Logs in to a target.
///
/// # Errors
/// With the reason, for the operator; clients are told only that the target is not reachable.
pub async fn connect(
    endpoint: &Endpoint,
    database: &str,
    lease: &Lease,
    application_name: &str,
    settings: Vec<(String, String)>,
    limits: &Limits,
) -> Result<Dialled, DialError> {
    let work = async {
        let (mut stream, channel) = open(endpoint, lease).await?;
        let network = |cause| DialError::Network {
            address: address(endpoint),
            cause,
        };
        let login = Login {
            user: lease.user.clone(),
            database: database.to_owned(),
            password: (!lease.password.expose().is_empty()).then(|| lease.password.clone()),
            application_name: application_name.to_owned(),
            settings,
            channel,
        };
        let mut out = BytesMut::new();
        let mut input = BytesMut::with_capacity(4096);
        let mut machine = UpstreamLogin::start(login, limits, &mut out)?;
        loop {
            stream.write_all_buf(&mut out).await.map_err(network)?;
            stream.flush().await.map_err(network)?;
            if let Some(logged_in) = machine.input(&mut input, &mut out)? {
                return Ok(Dialled {
                    stream,
                    unread: input,
                    logged_in,
                });
            }
            if !out.is_empty() {
                continue;
            }
            if stream.read_buf(&mut input).await.map_err(network)? == 0 {
                return Err(network(std::io::ErrorKind::UnexpectedEof.into()));
            }
        }
    };
    tokio::time::timeout(DIAL_MAX, work)
        .await
        .map_err(|_| DialError::Timeout)?
}

/// Asks a target to stop what a session is running. The target answers nothing.
///
/// # Errors
/// When the target cannot be reached.
pub async fn cancel(endpoint: &Endpoint, key: &CancelKey) -> Result<(), DialError> {
    let nothing = Lease {
        user: String::new(),
        rights: String::new(),
        password: brattice_core::secret::Secret::new([]),
        private_key: None,
        certifier: None,
        client_certificate: None,
        held: None,
    };
    let work = async {
        let (mut stream, _) = open(endpoint, &nothing).await?;
        let network = |cause| DialError::Network {
            address: address(endpoint),
            cause,
        };
        let mut out = BytesMut::new();
        encode::cancel_request(&mut out, key)?;
        stream.write_all_buf(&mut out).await.map_err(network)?;
        stream.flush().await.map_err(network)?;
        // The target closes when it has taken it; waiting for that keeps the order.
        let mut end = [0; 1];
        let _ = stream.read(&mut end).await;
        Ok(())
    };
    tokio::time::timeout(DIAL_MAX, work)
        .await
        .map_err(|_| DialError::Timeout)?
}

async fn open(endpoint: &Endpoint, lease: &Lease) -> Result<(Stream, Channel), DialError> {
    let network = |cause| DialError::Network {
        address: address(endpoint),
        cause,
    };
    let mut tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port))
        .await
        .map_err(network)?;
    let _ = tcp.set_nodelay(true);
    let certificate = lease
        .client_certificate
        .as_ref()
        .map(|(c, k)| (c.as_slice(), k.expose()));
    let Some((config, verified)) = tls::client(&endpoint.tls, certificate, &[b"postgresql"])?
    else {
        return Ok((Stream::Plain(tcp), Channel::Clear));
    };
    let mut out = BytesMut::new();
    encode::ssl_request(&mut out);
    tcp.write_all_buf(&mut out).await.map_err(network)?;
    let mut answer = [0; 1];
    tcp.read_exact(&mut answer).await.map_err(network)?;
    if answer != *b"S" {
        return Err(DialError::NoTls);
    }
    let name =
        ServerName::try_from(endpoint.host.clone()).map_err(|e| tls::TlsError::Unusable {
            what: endpoint.host.clone(),
            why: e.to_string(),
        })?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .map_err(network)?;
    let end_point = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first)
        .and_then(|c| tls_server_end_point(c.as_ref()));
    let channel = Channel::Tls {
        verified,
        end_point,
    };
    Ok((Stream::Tls(Box::new(TlsStream::Client(stream))), channel))
}

fn address(endpoint: &Endpoint) -> String {
    format!("{}:{}", endpoint.host, endpoint.port)
}
