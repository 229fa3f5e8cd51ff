//! People signing in, as the API needs it.
//!
//! Lives here: the trait, what it takes and what it returns; the meaning of each is that of OAuth's documents. Never: HTTP,
//! pages, an implementation.

use brattice_core::ports::BoxFuture;
use brattice_core::principal::{Identity, Principal};
use brattice_core::secret::Secret;
use brattice_core::sender::Sender;
use brattice_core::time::Timestamp;
use std::time::Duration;

/// A client's request (RFC 6749, section 4.1.1; RFC 7636, section 4.3).
#[derive(Debug, Clone, Default)]
pub struct AuthorizeRequest {
    /// `client_id`.
    pub client: String,
    /// `redirect_uri`.
    pub redirect_uri: String,
    /// `response_type`.
    pub response_type: String,
    /// `state`.
    pub state: String,
    /// `code_challenge`.
    pub challenge: String,
    /// `code_challenge_method`.
    pub method: String,
}

/// What a person chooses a provider from.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The handle of the request.
    pub request: String,
    /// The cookie of this browser.
    pub cookie: String,
    /// The providers, by name.
    pub providers: Vec<String>,
}

/// What a browser brings back from a provider.
#[derive(Debug, Clone, Default)]
pub struct Returned {
    /// `state`.
    pub state: String,
    /// `code`.
    pub code: Option<String>,
    /// `iss` (RFC 9207).
    pub iss: Option<String>,
    /// `error`.
    pub error: Option<String>,
}

/// Who asks to act as a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedBy {
    /// The client.
    pub client: String,
    /// Where else it is; `None` for a program on the person's own machine.
    pub device: Option<Elsewhere>,
}

/// Where somebody asks from who shows a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The address.
    pub from: String,
    /// The code.
    pub code: String,
    /// What a connection over SSH asks for, `ACCOUNT@TARGET` or `TARGET`; `None` for a program.
    pub login: Option<String>,
}

/// What a person is asked before a client gets anything.
#[derive(Debug, Clone)]
pub struct Confirm {
    /// The handle of the question.
    pub question: String,
    /// Who they are.
    pub identity: Identity,
    /// Who asks.
    pub by: AskedBy,
    /// The origin that the answer leads to, where it leads to one.
    pub leads_to: Option<String>,
}

/// Where a person goes on to from a provider.
#[derive(Debug, Clone)]
pub enum Next {
    /// To a question.
    Confirm(Box<Confirm>),
    /// To the provider once more, at this address, to show anew who they are.
    Again(String),
    /// Back to the client, which is told that nobody signed in.
    Back {
        /// The address.
        to: String,
        /// Why, for the record.
        why: String,
    },
}

/// What became of a person's answer.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Where the browser goes on to, where it does.
    pub leads_to: Option<String>,
    /// Whose answer it was.
    pub identity: Identity,
    /// Who had asked.
    pub by: AskedBy,
}

/// What a device is given (RFC 8628, section 3.2).
#[derive(Debug, Clone)]
pub struct DeviceCodes {
    /// For the device alone.
    pub device_code: String,
    /// For the person.
    pub user_code: String,
    /// How long both are good.
    pub expires_in: Duration,
    /// How long the device waits between two questions.
    pub interval: Duration,
}

/// What a client is given (RFC 6749, section 5.1).
#[derive(Debug)]
pub struct SignedIn {
    /// The access token.
    pub token: Secret,
    /// The refresh token.
    pub refresh: Secret,
    /// What the access token proves.
    pub identity: Identity,
    /// The sign-in.
    pub sign_in: String,
}

/// A sign-in, as its person sees it.
#[derive(Debug, Clone)]
pub struct SignInView {
    /// Its id.
    pub id: String,
    /// The client.
    pub client: String,
    /// From which address it was begun.
    pub from: String,
    /// Whose it is.
    pub who: Principal,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

/// Why nobody is signed in: one of OAuth's errors, and a sentence. What is for the operator alone was logged before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {why}")]
pub struct LoginRefused {
    /// As RFC 6749, section 5.2, and RFC 8628, section 3.5, name it.
    pub error: &'static str,
    /// For people.
    pub why: String,
    /// The sign-in that was ended over it.
    pub ended: Option<Ending>,
}

/// A sign-in that was ended without its person's doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Which.
    pub sign_in: String,
    /// Whose.
    pub chain: String,
    /// Why, for the record.
    pub why: String,
}

/// The authorization server.
pub trait LoginApi: Send + Sync {
    /// The providers that people sign in by, by name.
    fn providers(&self) -> Vec<String>;
    /// Begins for a client. `cookie` is what the browser brought.
    fn authorize(
        &self,
        asked: AuthorizeRequest,
        cookie: Option<String>,
    ) -> Result<Choice, LoginRefused>;
    /// Begins for a device that shows this code.
    fn authorize_device<'a>(
        &'a self,
        user_code: &'a str,
        cookie: Option<String>,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Choice, LoginRefused>>;
    /// The provider's address that the person is sent to.
    fn choose<'a>(
        &'a self,
        request: &'a str,
        issuer: &'a str,
        cookie: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<String, LoginRefused>>;
    /// Takes what the browser brings back.
    fn returned<'a>(
        &'a self,
        issuer: &'a str,
        answer: Returned,
        cookie: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Next, LoginRefused>>;
    /// Takes a SAML response that a browser posted from the provider's page: the handle that it brings next.
    fn posted<'a>(
        &'a self,
        issuer: &'a str,
        response: &'a str,
        relay_state: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<String, LoginRefused>>;
    /// Takes the browser that comes with that handle.
    fn collect<'a>(
        &'a self,
        issuer: &'a str,
        handle: &'a str,
        cookie: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Next, LoginRefused>>;
    /// What the operator of a SAML provider needs to know of us; `None` where there is no such provider.
    fn metadata(&self, issuer: &str) -> Option<String>;
    /// Takes the person's own answer.
    fn answer<'a>(
        &'a self,
        question: &'a str,
        yes: bool,
        cookie: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Answered, LoginRefused>>;
    /// Gives a device its codes.
    fn begin_device<'a>(
        &'a self,
        client: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<DeviceCodes, LoginRefused>>;
    /// What a device gets now, bound to what its sender shows, as all that follows is.
    fn poll_device<'a>(
        &'a self,
        client: &'a str,
        device_code: &'a str,
        sender: &'a Sender,
    ) -> BoxFuture<'a, Result<SignedIn, LoginRefused>>;
    /// Tokens for a code, bound to what their sender shows, as all that follows is.
    fn trade_code<'a>(
        &'a self,
        client: &'a str,
        redirect_uri: &'a str,
        code: &'a str,
        verifier: &'a str,
        sender: &'a Sender,
    ) -> BoxFuture<'a, Result<SignedIn, LoginRefused>>;
    /// Tokens for a refresh token, in the hands that it is bound to.
    fn refresh<'a>(
        &'a self,
        client: &'a str,
        token: &'a str,
        sender: &'a Sender,
    ) -> BoxFuture<'a, Result<SignedIn, LoginRefused>>;
    /// Ends the sign-in of a refresh token, and tells which it was.
    fn end_by_refresh<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<SignInView>, LoginRefused>>;
    /// Ends a sign-in; false when there was none.
    fn end<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<bool, LoginRefused>>;
    /// A person's sign-ins, the newest first.
    fn of<'a>(&'a self, who: &'a Principal)
    -> BoxFuture<'a, Result<Vec<SignInView>, LoginRefused>>;
}
