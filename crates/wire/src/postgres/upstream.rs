//! Logs in to a target as its client (PostgreSQL documentation, "Message Flow": "Start-up", and "SASL
//! Authentication"). Sans-io: it is fed what the target sends, appends what is to be sent, and ends
//! when the target is ready for a first command in the context we pinned. Never here: where the
//! credential comes from, or TLS itself.
//!
//! The nonce of our side of SCRAM is drawn by `postgres_protocol`; it is the one random value in this
//! crate that is not passed in.

use brattice_core::secret::Secret;
use bytes::{Bytes, BytesMut};
use postgres_protocol::authentication::{
    md5_hash,
    sasl::{ChannelBinding, ScramSha256},
};

use super::backend::{self, Auth};
use super::parameters::bool_value;
use super::scram::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
pub use super::startup::{TlsAnswer, tls_answer};
use super::{Backend, CancelKey, Fields, TxStatus, encode};
use crate::{Limits, PeerMisbehaved, Side, Unencodable};

/// The parsing context of every session, given in the start-up packet: there it beats the defaults of
/// the role and the database, and RESET and DISCARD return to it.
pub const PINNED: [(&str, &str); 4] = [
    ("client_encoding", "UTF8"),
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("transform_null_equals", "off"),
];

/// The parameters that a login fills itself, or never sends.
const OWN: [&str; 5] = [
    "user",
    "database",
    "application_name",
    "options",
    "replication",
];

/// What the target must report of itself before it is trusted to read statements as we do.
const REPORTED: [(&str, &str); 4] = [
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("standard_conforming_strings", "on"),
    ("integer_datetimes", "on"),
];

/// No real login has a frame longer than this.
const LOGIN_FRAME_BYTES_MAX: usize = 64 << 10;
/// No real target reports more settings than this while logging in.
const STATUSES_MAX: usize = 64;

const OUT_OF_PLACE: PeerMisbehaved = PeerMisbehaved::Unexpected {
    side: Side::Target,
    message: "a message out of place",
    state: "login",
};

/// Whom to log in as, and how.
#[derive(Clone, Debug)]
pub struct Login {
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
    /// The password, if the credential has one.
    pub password: Option<Secret>,
    /// What the target's own log will call the session.
    pub application_name: String,
    /// Further settings, judged already; none of the pinned ones.
    pub settings: Vec<(String, String)>,
    /// What the bytes travel through.
    pub channel: Channel,
}

/// What the connection to the target travels through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// No encryption.
    Clear,
    /// TLS.
    Tls {
        /// Whether the target's certificate was verified, its name included.
        verified: bool,
        /// The `tls-server-end-point` data of that certificate, where it is defined.
        end_point: Option<Vec<u8>>,
    },
}

/// A login that has succeeded.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// The target's version as it reports it.
    pub server_version: String,
    /// Its first number.
    pub server_major: u16,
    /// Everything the target reported of its settings, the last value of each.
    pub parameters: Vec<(String, String)>,
    /// What to cancel by, if the target gave one.
    pub cancel_key: Option<CancelKey>,
}

/// Why a login ended without success.
#[derive(Debug, thiserror::Error)]
pub enum LoginFailed {
    /// The target broke the protocol.
    #[error("the target broke the protocol while logging in")]
    Misbehaved(#[from] PeerMisbehaved),
    /// The target refused, for a reason of its own.
    #[error("the target refused the login with SQLSTATE {}", .0.sqlstate())]
    Refused(Fields),
    /// The target asks for an authentication method we do not speak.
    #[error("the target asks for an authentication method that is not supported ({0})")]
    Method(String),
    /// The target asks for the password in clear, and the channel does not protect it.
    #[error(
        "the target asks for the password in clear, which needs TLS with a verified certificate"
    )]
    Cleartext,
    /// The target asks for an MD5 hash of the password, and has not proven to be the right one.
    #[error(
        "the target asks for an MD5 hash of the password, which needs TLS with a verified certificate: give the role a password of SCRAM-SHA-256"
    )]
    Md5,
    /// The target asks for a password, and the credential has none.
    #[error("the target asks for a password, and the credential has none")]
    NoPassword,
    /// SCRAM failed: the target could not prove that it knows the password, or garbled the exchange.
    #[error("the SCRAM exchange with the target failed")]
    Scram(#[source] std::io::Error),
    /// The target did not take over the context that statements are judged in.
    #[error("the target reports {name} as {value:?}; {wanted:?} is required")]
    Context {
        /// The setting.
        name: &'static str,
        /// Its value as reported, if it was.
        value: Option<String>,
        /// The value it must have.
        wanted: &'static str,
    },
    /// The target does not say which version it is.
    #[error("the target reports no version that can be read")]
    Version,
    /// A setting that is pinned was asked for.
    #[error("the setting {0} is pinned and cannot be given for a login")]
    Pinned(String),
    /// The login holds something no frame can carry.
    #[error("the login cannot be written")]
    Unencodable(#[from] Unencodable),
}

enum State {
    /// Awaiting the first authentication request.
    Begun,
    /// Sent a first SASL message; awaiting the challenge.
    ScramFirst(Box<ScramSha256>),
    /// Sent the proof; awaiting the target's.
    ScramFinal(Box<ScramSha256>),
    /// Sent all there is to send; awaiting the verdict.
    Sent,
    /// Authenticated; awaiting readiness.
    Settling,
    /// Done, one way or the other.
    Over,
}

/// A login under way.
pub struct UpstreamLogin {
    login: Login,
    limits: Limits,
    state: State,
    messages: usize,
    parameters: Vec<(String, String)>,
    cancel_key: Option<CancelKey>,
}

impl UpstreamLogin {
    /// Begins: appends the start-up packet.
    ///
    /// # Errors
    /// When a pinned setting is given, or something cannot be written.
    pub fn start(login: Login, limits: &Limits, out: &mut BytesMut) -> Result<Self, LoginFailed> {
        let ours = |name: &str| {
            let pinned = PINNED.iter().map(|(own, _)| own).chain(&OWN);
            pinned.into_iter().any(|own| name.eq_ignore_ascii_case(own))
        };
        if let Some((name, _)) = login.settings.iter().find(|(name, _)| ours(name)) {
            return Err(LoginFailed::Pinned(name.clone()));
        }
        let own = [
            ("user", login.user.as_str()),
            ("database", login.database.as_str()),
            ("application_name", login.application_name.as_str()),
        ];
        let settings = login
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let parameters: Vec<_> = own.into_iter().chain(PINNED).chain(settings).collect();
        encode::startup(out, 0, &parameters)?;
        let limits = Limits {
            reply_frame_bytes_max: limits.reply_frame_bytes_max.min(LOGIN_FRAME_BYTES_MAX),
            ..limits.clone()
        };
        Ok(Self {
            login,
            limits,
            state: State::Begun,
            messages: 0,
            parameters: Vec::new(),
            cancel_key: None,
        })
    }

    /// Reads what the target sent and appends the answers, until the login is through, or more bytes
    /// are needed. Bytes behind the readiness are left in `buf`.
    ///
    /// # Errors
    /// With the reason why this login can no longer succeed; the connection must be closed.
    pub fn input(
        &mut self,
        buf: &mut BytesMut,
        out: &mut BytesMut,
    ) -> Result<Option<LoggedIn>, LoginFailed> {
        while let Some(message) = backend::next(buf, &self.limits)? {
            self.messages = self.messages.saturating_add(1);
            if self.messages > self.limits.login_messages_max {
                return Err(LoginFailed::Misbehaved(PeerMisbehaved::TooManyMessages {
                    side: Side::Target,
                    state: "login",
                    max: self.limits.login_messages_max,
                }));
            }
            if self.message(message, out)? {
                return self.settled().map(Some);
            }
        }
        Ok(None)
    }

    /// Acts on one message; says whether the target is ready.
    fn message(&mut self, message: Backend, out: &mut BytesMut) -> Result<bool, LoginFailed> {
        let state = std::mem::replace(&mut self.state, State::Over);
        self.state = match (state, message) {
            (state, Backend::NoticeResponse(_)) => state,
            (_, Backend::ErrorResponse(fields)) => return Err(LoginFailed::Refused(fields)),
            (State::Begun | State::Sent, Backend::Authentication(Auth::Ok)) => State::Settling,
            (State::Begun, Backend::Authentication(request)) => self.answer(request, out)?,
            (State::ScramFirst(mut scram), Backend::Authentication(Auth::SaslContinue(data))) => {
                scram.update(&data).map_err(LoginFailed::Scram)?;
                encode::sasl_response(out, scram.message())?;
                State::ScramFinal(scram)
            }
            (State::ScramFinal(mut scram), Backend::Authentication(Auth::SaslFinal(data))) => {
                scram.finish(&data).map_err(LoginFailed::Scram)?;
                State::Sent
            }
            (State::Settling, Backend::ParameterStatus { name, value }) => {
                self.report(&name, &value)?;
                State::Settling
            }
            (State::Settling, Backend::BackendKeyData(key)) if self.cancel_key.is_none() => {
                self.cancel_key = Some(key);
                State::Settling
            }
            (State::Settling, Backend::ReadyForQuery(TxStatus::Idle)) => return Ok(true),
            _ => return Err(OUT_OF_PLACE.into()),
        };
        Ok(false)
    }

    /// Whether the target has proven to be the right one.
    fn is_verified(&self) -> bool {
        matches!(self.login.channel, Channel::Tls { verified: true, .. })
    }

    /// Answers the first authentication request.
    fn answer(&self, request: Auth, out: &mut BytesMut) -> Result<State, LoginFailed> {
        match request {
            Auth::CleartextPassword => {
                if !self.is_verified() {
                    return Err(LoginFailed::Cleartext);
                }
                encode::password(out, self.password()?)?;
                Ok(State::Sent)
            }
            // Whoever chose the salt can try passwords against the hash, or pass it on to a server that chose it.
            Auth::Md5Password { salt } => {
                if !self.is_verified() {
                    return Err(LoginFailed::Md5);
                }
                let hash = md5_hash(self.login.user.as_bytes(), self.password()?, salt);
                encode::password(out, hash.as_bytes())?;
                Ok(State::Sent)
            }
            Auth::Sasl { mechanisms } => {
                let (mechanism, binding) = self.mechanism(&mechanisms)?;
                let scram = Box::new(ScramSha256::new(self.password()?, binding));
                encode::sasl_initial(out, mechanism, scram.message())?;
                Ok(State::ScramFirst(scram))
            }
            Auth::Other(number) => Err(LoginFailed::Method(format!("number {number}"))),
            Auth::Ok | Auth::SaslContinue(_) | Auth::SaslFinal(_) => Err(OUT_OF_PLACE.into()),
        }
    }

    /// Chooses the strongest mechanism both sides have. Where we could bind the channel and the target
    /// offers no mechanism for it, we say so: if somebody removed the offer, the target will notice.
    fn mechanism(&self, offered: &[String]) -> Result<(&'static str, ChannelBinding), LoginFailed> {
        let offers = |name: &str| offered.iter().any(|offered| offered == name);
        let end_point = match &self.login.channel {
            Channel::Tls { end_point, .. } => end_point.clone(),
            Channel::Clear => None,
        };
        match end_point {
            Some(data) if offers(SCRAM_SHA_256_PLUS) => Ok((
                SCRAM_SHA_256_PLUS,
                ChannelBinding::tls_server_end_point(data),
            )),
            Some(_) if offers(SCRAM_SHA_256) => Ok((SCRAM_SHA_256, ChannelBinding::unrequested())),
            None if offers(SCRAM_SHA_256) => Ok((SCRAM_SHA_256, ChannelBinding::unsupported())),
            _ => Err(LoginFailed::Method("SASL without SCRAM-SHA-256".to_owned())),
        }
    }

    fn password(&self) -> Result<&[u8], LoginFailed> {
        match &self.login.password {
            Some(password) if !password.expose().is_empty() => Ok(password.expose()),
            _ => Err(LoginFailed::NoPassword),
        }
    }

    fn report(&mut self, name: &Bytes, value: &Bytes) -> Result<(), PeerMisbehaved> {
        let text = |bytes: &Bytes, field| match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(PeerMisbehaved::NotUtf8 {
                side: Side::Target,
                message: "ParameterStatus",
                field,
            }),
        };
        let (name, value) = (text(name, "name")?, text(value, "value")?);
        let full = self.parameters.len() >= STATUSES_MAX;
        match self.parameters.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None if full => {
                return Err(PeerMisbehaved::TooMany {
                    side: Side::Target,
                    message: "ParameterStatus",
                    field: "settings",
                    count: STATUSES_MAX.saturating_add(1),
                    max: STATUSES_MAX,
                });
            }
            None => self.parameters.push((name, value)),
        }
        Ok(())
    }

    /// Checks the context the target says it is in.
    fn settled(&mut self) -> Result<LoggedIn, LoginFailed> {
        for (name, wanted) in REPORTED {
            let value = self.reported(name);
            let fits = match wanted {
                "on" => value.and_then(bool_value) == Some(true),
                _ => value == Some(wanted),
            };
            if !fits {
                return Err(LoginFailed::Context {
                    name,
                    value: value.map(|value| value.chars().take(64).collect()),
                    wanted,
                });
            }
        }
        let version = self
            .reported("server_version")
            .ok_or(LoginFailed::Version)?;
        let digits = version.split(|character: char| !character.is_ascii_digit());
        let server_major = digits
            .take(1)
            .find_map(|digits| digits.parse().ok())
            .ok_or(LoginFailed::Version)?;
        Ok(LoggedIn {
            server_version: version.to_owned(),
            server_major,
            parameters: std::mem::take(&mut self.parameters),
            cancel_key: self.cancel_key.take(),
        })
    }

    fn reported(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }
}

/// Shows whom, never by what.
impl std::fmt::Debug for UpstreamLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamLogin")
            .field("user", &self.login.user)
            .field("database", &self.login.database)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "upstream_tests.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
