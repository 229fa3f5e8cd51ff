//! A client's way in: TLS, start-up, proof of identity, admission.
//!
//! Lives here: the steps before there is a session. Never: what is permitted (the gate's).

use super::Service;
use crate::stream::Stream;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{self, Admission};
use brattice_core::ids::CredentialId;
use brattice_core::ports::{AuthError, MintedCredential};
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use brattice_core::sender::{Missing, Sender};
use brattice_core::target::Protocol;
use brattice_wire::postgres::login::{Claim, ClientLogin, LoginRefused, Method};
use brattice_wire::postgres::parameters::{self, Startup, StartupRefused};
use brattice_wire::postgres::scram::{NONCE_BYTES, Verifier};
use brattice_wire::postgres::startup::{Opening, Step};
use brattice_wire::postgres::{CancelKey, ErrorFields, Severity, oauthbearer, reply, session};
use brattice_wire::{PeerMisbehaved, Unencodable};
use bytes::BytesMut;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// How long a client may take to hear that its connection ends.
const END_MAX: Duration = Duration::from_secs(2);
/// The user name by which a client asks for OAUTHBEARER.
const OAUTH_USER: &str = "oauth";
/// The user name by which a client says that its certificate tells who it is. Under any other a token does, so that whoever
/// holds a narrower token does not get in as all that its certificate names.
const CERTIFICATE_USER: &str = "spiffe";
/// What such names begin with where they are the workload's own.
const CERTIFICATE_USER_PREFIX: &str = "spiffe://";
/// Iterations an unknown user's exchange pretends to.
const MOCK_ITERATIONS: u32 = 4096;

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

    /// Finds out who it is. Every failure looks the same to the client; the reason goes to the record.
    async fn prove(&mut self, startup: &Startup, target: &str) -> Result<Identity, NotIn> {
        let minted: Option<CredentialId> = startup.user.parse().ok();
        if self.is_by_certificate(&startup.user) {
            return self.certified(&startup.user, target).await;
        }
        let method = self
            .method(startup, minted.is_some())
            .map_err(NotIn::Refused)?;
        let mut login =
            ClientLogin::begin(method, &mut self.out).map_err(|e| self.login_refused(&e))?;
        let mut proven: Option<MintedCredential> = None;
        let mut why: Option<Denial> = None;
        loop {
            self.flush().await?;
            let claim = match login.input(&mut self.input, &self.service.limits, &mut self.out) {
                Ok(Some(claim)) => claim,
                Ok(None) => {
                    self.flush().await?;
                    if self.stream.read_buf(&mut self.input).await? == 0 {
                        return Err(NotIn::Gone(std::io::ErrorKind::UnexpectedEof.into()));
                    }
                    continue;
                }
                // A token that was refused by SASL is refused with what there is to say of it, which is on record by now.
                Err(LoginRefused::Token) if why.is_some() => {
                    return Err(NotIn::Refused(why.unwrap_or_else(not_authenticated)));
                }
                Err(e) => {
                    let refused = self.login_refused(&e);
                    self.record(&refused, target, e.to_string());
                    return Err(refused);
                }
            };
            match claim {
                Claim::Password(token) => {
                    let identity = self.token(&token, target).await?;
                    login
                        .accept(&mut self.out)
                        .map_err(|e| self.login_refused(&e))?;
                    return Ok(identity);
                }
                Claim::Token(token) => match self.token(&token, target).await {
                    Ok(identity) => {
                        login
                            .accept(&mut self.out)
                            .map_err(|e| self.login_refused(&e))?;
                        return Ok(identity);
                    }
                    Err(NotIn::Refused(denial)) => {
                        why = Some(denial);
                        login
                            .refuse_token(&mut self.out)
                            .map_err(|e| self.login_refused(&e))?;
                    }
                    Err(other) => return Err(other),
                },
                Claim::Scram => {
                    let (verifier, credential) = self
                        .verifier(minted.as_ref(), &startup.user, target)
                        .await?;
                    proven = credential;
                    let mut nonce = [0; NONCE_BYTES];
                    self.service
                        .randomness
                        .fill(&mut nonce)
                        .map_err(|_| NotIn::Refused(gate::CutReason::Failing.denial()))?;
                    login
                        .verifier(verifier, &nonce, &mut self.out)
                        .map_err(|e| self.login_refused(&e))?;
                }
                Claim::Proven => {
                    let Some(credential) = proven.take() else {
                        return Err(NotIn::Refused(not_authenticated()));
                    };
                    if credential.bounds.single_use {
                        self.spend(&credential.id, target).await?;
                    }
                    let identity = credential.identity;
                    login
                        .accept(&mut self.out)
                        .map_err(|e| self.login_refused(&e))?;
                    return Ok(identity);
                }
            }
        }
    }

    /// Whether a client says that its certificate tells who it is. Where no certificate is asked for, the name means nothing.
    fn is_by_certificate(&self, user: &str) -> bool {
        self.service.certificates_asked.load(Ordering::Acquire)
            && (user == CERTIFICATE_USER || user.starts_with(CERTIFICATE_USER_PREFIX))
    }

    /// Lets in whom the certificate names, without asking for more.
    async fn certified(&mut self, user: &str, target: &str) -> Result<Identity, NotIn> {
        let refused = |why: &str| AuthError::Rejected(why.to_owned());
        let proven = match &self.sender.certificate {
            None => Err(refused("there is no client certificate")),
            Some(certificate) => {
                let source = self.from.ip().to_string();
                let authenticator = &self.service.authenticator;
                authenticator.verify_certificate(certificate, &source).await
            }
        };
        let proven = match proven {
            // A client that names itself means nobody else.
            Ok(who) if user != CERTIFICATE_USER && who.chain.acting.name != user => {
                Err(refused("the client certificate is another workload's"))
            }
            other => other,
        };
        match proven {
            Ok(identity) => {
                reply::authentication_ok(&mut self.out);
                Ok(identity)
            }
            Err(error @ AuthError::Rejected(_)) => {
                let refused = NotIn::Refused(not_certified());
                self.record(&refused, target, error.to_string());
                Err(refused)
            }
            Err(error) => Err(self.auth_error(&error, target)),
        }
    }

    fn method(&self, startup: &Startup, minted: bool) -> Result<Method, Denial> {
        let end_point = self
            .tls
            .as_ref()
            .filter(|_| startup.encrypted)
            .and_then(|t| t.end_point.clone());
        if minted {
            return Ok(Method::Sasl {
                scram: true,
                end_point,
                oauth: None,
            });
        }
        let safe =
            startup.encrypted || (self.service.plaintext_loopback && self.from.ip().is_loopback());
        if !safe {
            return Err(Denial::new(
                Code::Unauthenticated,
                "brattice.tls",
                "a token is taken over TLS only",
            )
            .hint("connect with sslmode=verify-full, or use a minted credential"));
        }
        match (&self.service.oauth, startup.user == OAUTH_USER) {
            (Some(where_from), true) => Ok(Method::Sasl {
                scram: false,
                end_point: None,
                oauth: Some(oauthbearer::Discovery {
                    openid_configuration: where_from.configuration_url.clone(),
                    scope: where_from.scope.clone(),
                }),
            }),
            _ => Ok(Method::Clear),
        }
    }

    async fn token(&self, token: &Secret, target: &str) -> Result<Identity, NotIn> {
        let source = self.from.ip().to_string();
        self.service
            .authenticator
            .verify_token(token, &self.sender, &source)
            .await
            .map_err(|e| self.auth_error(&e, target))
    }

    /// Uses up a credential that is for one login.
    async fn spend(&self, id: &CredentialId, target: &str) -> Result<(), NotIn> {
        let spent = self.service.authenticator.spend(id).await;
        match spent.map_err(|e| self.auth_error(&e, target))? {
            true => Ok(()),
            false => {
                let used =
                    AuthError::Rejected("a credential for one login was used before".to_owned());
                Err(self.auth_error(&used, target))
            }
        }
    }

    /// The verifier of a minted credential for this target, or one that nothing fits.
    async fn verifier(
        &self,
        id: Option<&CredentialId>,
        user: &str,
        target: &str,
    ) -> Result<(Verifier, Option<MintedCredential>), NotIn> {
        let iterations = NonZeroU32::new(MOCK_ITERATIONS).unwrap_or(NonZeroU32::MIN);
        let mock = || {
            (
                Verifier::mock(&self.service.mock_key, user, iterations),
                None,
            )
        };
        let Some(id) = id else { return Ok(mock()) };
        let found = self
            .service
            .authenticator
            .minted(id)
            .await
            .map_err(|e| self.auth_error(&e, target))?;
        let from = self.from.ip();
        let good = |c: &MintedCredential| {
            let held = c.identity.binding.missing_of(&self.sender).is_none();
            c.target == target && !c.spent && c.bounds.permit(from) && held
        };
        Ok(match found.filter(good) {
            Some(c) => match Verifier::parse(&c.scram_verifier) {
                Some(verifier) => (verifier, Some(c)),
                None => mock(),
            },
            None => mock(),
        })
    }

    fn auth_error(&self, error: &AuthError, target: &str) -> NotIn {
        let denial = match error {
            AuthError::Rejected(_) => not_authenticated(),
            AuthError::Unheld(missing) => unheld(*missing),
            AuthError::Throttled => Denial::new(
                Code::Throttled,
                "brattice.login",
                "too many failed logins from this address",
            )
            .hint("wait a minute"),
            AuthError::Unavailable(_) => Denial::new(
                Code::Unavailable,
                "brattice.login",
                "the identity provider cannot be asked now",
            )
            .hint("try again later"),
        };
        let refused = NotIn::Refused(denial);
        self.record(&refused, target, error.to_string());
        refused
    }

    fn login_refused(&self, error: &LoginRefused) -> NotIn {
        match error {
            LoginRefused::Misbehaved(sin) => NotIn::Misbehaved(sin.clone()),
            _ => NotIn::Refused(not_authenticated()),
        }
    }

    /// The client is told little; the record says why.
    fn record(&self, refused: &NotIn, target: &str, why: String) {
        if let NotIn::Refused(denial) = refused {
            let mut recorded = denial.clone();
            recorded.reason = why;
            self.service
                .gate
                .refuse_login(&recorded, target, self.from.ip(), None);
        }
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

/// A token in hands that it is not for. Its holder may know: whoever has it can read as much in it.
fn unheld(missing: Missing) -> Denial {
    let (what, hint) = match missing {
        Missing::Certificate => (
            "the token is bound to a client certificate, and this connection does not show it",
            "connect with that certificate and its key: sslcert and sslkey, over TLS",
        ),
        Missing::Key => (
            "the token is bound to a key (DPoP), which cannot be shown by this protocol",
            "mint a credential for this target with the token and its key: POST /v1/credentials with a DPoP proof, or `brattice credential create`",
        ),
    };
    Denial::new(Code::Unauthenticated, "brattice.binding", what).hint(hint)
}

fn not_certified() -> Denial {
    Denial::new(
        Code::Unauthenticated,
        "brattice.login",
        "the client certificate was not accepted",
    )
    .hint("connect with an X.509-SVID that is current, of a trust domain of this gateway (sslcert, sslkey), or with a token under another user name")
}

fn not_authenticated() -> Denial {
    Denial::new(Code::Unauthenticated, "brattice.login", "the credential was not accepted")
        .hint("the password is an access token for this gateway, or that of a minted credential; both are short-lived")
}

fn startup_denial(refused: &StartupRefused) -> Denial {
    Denial::new(Code::NotSupported, "brattice.startup", refused.to_string())
        .hint("leave this start-up parameter out")
}
