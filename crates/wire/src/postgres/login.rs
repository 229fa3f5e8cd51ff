//! The gateway's side of a client's login, from the start-up message to AuthenticationOk (PostgreSQL
//! documentation, "Message Flow": "Start-up", and "SASL Authentication"). Sans-io: it reads answers,
//! hands out claims, and writes what the caller decides. Never here: whether a claim is true, or which
//! method suits which client.
//!
//! Only authentication responses are read in this state. A second start-up packet, or any other
//! message, ends the connection.

use brattice_core::secret::Secret;
use bytes::{Bytes, BytesMut};

use super::frontend;
use super::oauthbearer::{self, Discovery, First, OAUTHBEARER, OauthMalformed};
use super::reply;
use super::scram::{
    AwaitsProof, Exchange, Mechanism, NONCE_BYTES, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramRefused,
    Verifier,
};
use crate::{Limits, PeerMisbehaved, Side, Unencodable};

/// How the client is asked to prove itself.
#[derive(Clone, Debug)]
pub enum Method {
    /// By a password or token in clear. The caller offers it over TLS only.
    Clear,
    /// By SASL.
    Sasl {
        /// Whether SCRAM is offered.
        scram: bool,
        /// The connection's `tls-server-end-point` data: with it, SCRAM is offered with channel
        /// binding too.
        end_point: Option<Vec<u8>>,
        /// Whether OAUTHBEARER is offered, and where a token is got.
        oauth: Option<Discovery>,
    },
}

/// What the client claims; the caller finds out whether it is true.
#[derive(Debug)]
pub enum Claim {
    /// To know this password, or hold this token, sent in clear. Answer with [`ClientLogin::accept`].
    Password(Secret),
    /// To hold this token. Answer with [`ClientLogin::accept`] or [`ClientLogin::refuse_token`].
    Token(Secret),
    /// To be about to prove a password. Give [`ClientLogin::verifier`] the user's, or a mock.
    Scram,
    /// To have proven it: the verifier fits. Answer with [`ClientLogin::accept`].
    Proven,
}

/// Why a client's login ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefused {
    /// The client broke the protocol.
    #[error(transparent)]
    Misbehaved(#[from] PeerMisbehaved),
    /// SCRAM did not succeed.
    #[error(transparent)]
    Scram(#[from] ScramRefused),
    /// An OAUTHBEARER message was malformed.
    #[error(transparent)]
    Oauth(#[from] OauthMalformed),
    /// The token was refused, or there was none; the client was told where to get one.
    #[error("bearer authentication failed")]
    Token,
    /// The caller took a step that this state does not have.
    #[error("the login is not in a state for this step")]
    OutOfStep,
    /// What was to be sent cannot be written.
    #[error("an authentication message cannot be written")]
    Unencodable(#[from] Unencodable),
}

impl LoginRefused {
    /// The SQLSTATE to refuse with.
    #[must_use]
    pub const fn sqlstate(&self) -> &'static str {
        match self {
            Self::Misbehaved(_) | Self::Oauth(_) => "08P01",
            Self::Scram(refused) => refused.sqlstate(),
            Self::Token => "28000",
            Self::OutOfStep | Self::Unencodable(_) => "XX000",
        }
    }
}

enum State {
    /// Asked for a password in clear.
    Password,
    /// Offered SASL mechanisms.
    Sasl,
    /// The client chose SCRAM; the verifier is being looked up.
    Verifier(Mechanism, Bytes),
    /// Challenged; the proof is awaited.
    Proof(Box<AwaitsProof>),
    /// A claim is with the caller.
    Judged,
    /// The client was told where to get a token; its acknowledgement is awaited.
    TokenRefused,
    /// Accepted, or failed.
    Over,
}

/// A client's login under way.
pub struct ClientLogin {
    method: Method,
    state: State,
    by_token: bool,
}

impl ClientLogin {
    /// Begins: appends the authentication request.
    ///
    /// # Errors
    /// When the method offers nothing, or cannot be written.
    pub fn begin(method: Method, out: &mut BytesMut) -> Result<Self, LoginRefused> {
        let state = match &method {
            Method::Clear => {
                reply::authentication_cleartext(out);
                State::Password
            }
            Method::Sasl {
                scram,
                end_point,
                oauth,
            } => {
                let offers = [
                    (*scram && end_point.is_some(), SCRAM_SHA_256_PLUS),
                    (*scram, SCRAM_SHA_256),
                    (oauth.is_some(), OAUTHBEARER),
                ];
                let offers: Vec<_> = offers
                    .into_iter()
                    .filter_map(|(offered, name)| offered.then_some(name))
                    .collect();
                if offers.is_empty() {
                    return Err(LoginRefused::OutOfStep);
                }
                reply::authentication_sasl(out, &offers)?;
                State::Sasl
            }
        };
        Ok(Self {
            method,
            state,
            by_token: false,
        })
    }

    /// Reads the client's next answer, appends what follows from it alone, and hands out a claim if
    /// there is one to be judged. While the caller judges, nothing is read.
    ///
    /// # Errors
    /// With the reason why this login can no longer succeed.
    pub fn input(
        &mut self,
        buf: &mut BytesMut,
        limits: &Limits,
        out: &mut BytesMut,
    ) -> Result<Option<Claim>, LoginRefused> {
        if matches!(self.state, State::Judged | State::Verifier(..)) {
            return Ok(None);
        }
        loop {
            let Some(answer) = frontend::next_auth(buf, limits)? else {
                return Ok(None);
            };
            if let Some(claim) = self.answer(answer, out)? {
                return Ok(Some(claim));
            }
        }
    }

    /// Goes on with SCRAM, given what is kept of the user's password and a fresh nonce.
    ///
    /// # Errors
    /// When the client's first message is malformed, or no verifier was asked for.
    pub fn verifier(
        &mut self,
        verifier: Verifier,
        nonce: &[u8; NONCE_BYTES],
        out: &mut BytesMut,
    ) -> Result<(), LoginRefused> {
        let State::Verifier(mechanism, first) = self.take() else {
            return Err(LoginRefused::OutOfStep);
        };
        let exchange = Exchange::new(verifier, mechanism, self.end_point(), nonce);
        let (challenge, awaits) = exchange.client_first(&first)?;
        reply::authentication_sasl_continue(out, challenge.as_bytes())?;
        self.state = State::Proof(Box::new(awaits));
        Ok(())
    }

    /// The claim is true: appends AuthenticationOk.
    ///
    /// # Errors
    /// When there is no claim with the caller.
    pub fn accept(&mut self, out: &mut BytesMut) -> Result<(), LoginRefused> {
        let State::Judged = self.take() else {
            return Err(LoginRefused::OutOfStep);
        };
        reply::authentication_ok(out);
        Ok(())
    }

    /// The token is not accepted: tells the client where to get another. [`ClientLogin::input`] then
    /// ends with [`LoginRefused::Token`] once the client has taken note.
    ///
    /// # Errors
    /// When there is no token with the caller.
    pub fn refuse_token(&mut self, out: &mut BytesMut) -> Result<(), LoginRefused> {
        match self.take() {
            State::Judged if self.by_token => self.tell_where(out),
            _ => Err(LoginRefused::OutOfStep),
        }
    }

    fn answer(&mut self, answer: Bytes, out: &mut BytesMut) -> Result<Option<Claim>, LoginRefused> {
        match self.take() {
            State::Password => {
                let password = frontend::plain_password(answer)?;
                self.state = State::Judged;
                Ok(Some(Claim::Password(Secret::new(password.as_ref()))))
            }
            State::Sasl => self.chosen(answer, out),
            State::Proof(awaits) => {
                let last = awaits.client_final(&answer)?;
                reply::authentication_sasl_final(out, last.as_bytes())?;
                self.state = State::Judged;
                Ok(Some(Claim::Proven))
            }
            State::TokenRefused => {
                oauthbearer::client_after_failure(&answer)?;
                Err(LoginRefused::Token)
            }
            State::Verifier(..) | State::Judged | State::Over => Err(unexpected().into()),
        }
    }

    /// The client chose a mechanism. It may leave out the first message, which both of ours need: the
    /// flow would take another round, and no client does so.
    fn chosen(&mut self, answer: Bytes, out: &mut BytesMut) -> Result<Option<Claim>, LoginRefused> {
        let (name, first) = frontend::sasl_initial(answer)?;
        let Some(first) = first else {
            return Err(ScramRefused::Malformed.into());
        };
        let Method::Sasl { scram, oauth, .. } = &self.method else {
            return Err(LoginRefused::OutOfStep);
        };
        if oauth.is_some() && name == OAUTHBEARER.as_bytes() {
            return match oauthbearer::client_first(&first)? {
                First::Token(token) => {
                    self.by_token = true;
                    self.state = State::Judged;
                    Ok(Some(Claim::Token(token)))
                }
                First::Discovery => self.tell_where(out).map(|()| None),
            };
        }
        if !scram {
            return Err(ScramRefused::Mechanism.into());
        }
        let mechanism = Mechanism::choose(&name, self.end_point())?;
        self.state = State::Verifier(mechanism, first);
        Ok(Some(Claim::Scram))
    }

    fn tell_where(&mut self, out: &mut BytesMut) -> Result<(), LoginRefused> {
        let Method::Sasl {
            oauth: Some(discovery),
            ..
        } = &self.method
        else {
            return Err(LoginRefused::OutOfStep);
        };
        let failure = oauthbearer::failure(discovery);
        reply::authentication_sasl_continue(out, failure.as_bytes())?;
        self.state = State::TokenRefused;
        Ok(())
    }

    fn end_point(&self) -> Option<&[u8]> {
        match &self.method {
            Method::Sasl { end_point, .. } => end_point.as_deref(),
            Method::Clear => None,
        }
    }

    const fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Over)
    }
}

/// Shows the state's name only.
impl std::fmt::Debug for ClientLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.state {
            State::Password => "ClientLogin(Password)",
            State::Sasl => "ClientLogin(Sasl)",
            State::Verifier(..) => "ClientLogin(Verifier)",
            State::Proof(_) => "ClientLogin(Proof)",
            State::Judged => "ClientLogin(Judged)",
            State::TokenRefused => "ClientLogin(TokenRefused)",
            State::Over => "ClientLogin(Over)",
        })
    }
}

const fn unexpected() -> PeerMisbehaved {
    PeerMisbehaved::Unexpected {
        side: Side::Client,
        message: "an authentication response",
        state: "a state that asked for none",
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
