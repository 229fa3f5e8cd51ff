//! The client's side of a connection: who it is, and what it opens.
//!
//! Lives here: russh's callbacks. Never: anything that waits, but for the proof of who it is, and shortly for a host that is to
//! listen, since answers to that are in order.

use super::Service;
use super::certificate;
use super::channel::{self, Client, Opened};
use super::forward::{self, To};
use super::listen::{self, Ends, Listening, Where};
use super::places::Places;
use super::prove::Login;
use super::sign_in::{Talk, Turn};
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use russh::keys::ssh_key::Certificate;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty, Sig};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// Where a host may listen at once for one connection.
const LISTENING_MAX: usize = 8;
/// How long it may take until a host listens.
const LISTEN_MAX: Duration = Duration::from_secs(5);

/// Told to whoever is asked further, since clients say nothing of a certificate that is not taken.
const ENDED: &str =
    "The certificate has ended: get another one with `brattice ssh cert`, or use `brattice ssh`.\n";

/// A client that has proven who it is.
pub(super) struct Proven {
    pub identity: Identity,
    pub asked: Login,
}

pub(super) struct Door {
    service: Arc<Service>,
    from: SocketAddr,
    proven: Option<oneshot::Sender<Proven>>,
    /// Until when somebody may log in.
    until: watch::Sender<Instant>,
    /// What a person is asked.
    talk: Talk,
    opened: Opened,
    places: Places,
    /// Where the host listens for this client.
    listening: HashMap<(String, u32), Listening>,
    /// Channels on which something was asked to be run: one thing each.
    started: HashSet<ChannelId>,
}

impl Door {
    pub fn new(
        service: Arc<Service>,
        from: SocketAddr,
        proven: oneshot::Sender<Proven>,
        until: watch::Sender<Instant>,
        opened: Opened,
    ) -> Self {
        let places = Places::new(service.limits.channels_max);
        Self {
            service,
            from,
            proven: Some(proven),
            until,
            talk: Talk::default(),
            opened,
            places,
            listening: HashMap::new(),
            started: HashSet::new(),
        }
    }

    async fn password(&mut self, user: &str, password: Secret) -> Auth {
        let asked = Login::read(user);
        match self.service.prove(&password, &asked, self.from).await {
            Ok(identity) => self.enter(identity, asked),
            Err(_) => again(),
        }
    }

    /// Somebody is in, who is nobody else for as long as the connection lasts.
    fn enter(&mut self, identity: Identity, asked: Login) -> Auth {
        // Nobody is waited for any longer, and there is room for others.
        self.talk = Talk::default();
        let told = self
            .proven
            .take()
            .map(|tell| tell.send(Proven { identity, asked }));
        match told {
            Some(Ok(())) => Auth::Accept,
            _ => Auth::reject(),
        }
    }

    fn client(&self, channel: Channel<Msg>, session: &Session) -> Client {
        Client::new(channel, session.handle(), self.service.limits.window_bytes)
    }

    /// A connection through the host.
    async fn forward(
        &mut self,
        channel: Channel<Msg>,
        to: To,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.places.take() {
            Some(place) => {
                let opened = self.opened.clone();
                let client = self.client(channel, session);
                tokio::spawn(forward::serve(opened, client, reply, to, place));
            }
            None => reply.reject(ChannelOpenFailure::ResourceShortage).await,
        }
        Ok(())
    }

    /// Answers the request to run something: one for each channel, and only on one that is open.
    fn start(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        if self.started.insert(channel) {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }
}

/// Another attempt may be made by the same means.
fn again() -> Auth {
    Auth::Reject {
        proceed_with_methods: Some(super::serve::methods()),
        partial_success: false,
    }
}

impl Handler for Door {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let password = Secret::new(password.as_bytes().to_vec());
        Ok(self.password(user, password).await)
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(mut answers) = response else {
            return Ok(self.talk.open(&self.service));
        };
        let given = answers.next().map(|given| Secret::new(given.to_vec()));
        let until = |later| {
            self.until.send_replace(later);
        };
        let turn = self
            .talk
            .answered(&self.service, user, given, self.from, until)
            .await;
        Ok(match turn {
            Turn::Ask(further) => further,
            Turn::Given(password) => self.password(user, password).await,
            Turn::Signed(identity, asked) => self.enter(*identity, asked),
            Turn::Refused => again(),
        })
    }

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        // Clients ask before they sign, and a certificate cannot be told from its key here. So every key of a fitting kind
        // is worth a signature: the answer says nothing about any, and nothing of it is kept.
        Ok(match certificate::is_taken(offer.algorithm) {
            true => Auth::Accept,
            false => again(),
        })
    }

    async fn auth_publickey(
        &mut self,
        _user: &str,
        _key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        // Nobody is known by a key alone, nor by one that was certified and is shown without its certificate. Clients try
        // every key they have before a password: that is no attempt at anything, and not put on record.
        Ok(again())
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Self::Error> {
        let asked = Login::read(user);
        let service = &self.service;
        let proven = service.certified(certificate, user, &asked, self.from);
        Ok(match proven.await {
            Ok(identity) => self.enter(identity, asked),
            Err(_) => {
                let now = self.service.gate.clock().now();
                if certificate::has_ended(certificate, now) {
                    self.talk.say(ENDED);
                }
                again()
            }
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match self.places.take() {
            Some(place) => {
                reply.accept().await;
                let opened = self.opened.clone();
                let client = self.client(channel, session);
                tokio::spawn(channel::serve(opened, client, place));
            }
            None => reply.reject(ChannelOpenFailure::ResourceShortage).await,
        }
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let to = To::Address(host.to_owned(), port);
        self.forward(channel, to, reply, session).await
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        session: &mut Session,
    ) -> Result<bool, Self::Error> {
        let Ok(asked) = u16::try_from(*port) else {
            return Ok(false);
        };
        self.listening.retain(|_, listening| !listening.is_over());
        if self.listening.len() >= LISTENING_MAX {
            return Ok(false);
        }
        let at = Where {
            host: address.to_owned(),
            port: asked,
        };
        let ends = Ends {
            handle: session.handle(),
            places: self.places.for_others(),
        };
        // Answers to such requests are in order, and other channels wait for this one: so not for long.
        let asked = listen::listen(self.opened.clone(), at, ends);
        let Ok(Some((bound, listening))) = tokio::time::timeout(LISTEN_MAX, asked).await else {
            return Ok(false);
        };
        *port = bound;
        self.listening
            .insert((address.to_owned(), bound), listening);
        Ok(true)
    }

    async fn cancel_tcpip_forward(
        &mut self,
        address: &str,
        port: u32,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        let ended = self.listening.remove(&(address.to_owned(), port));
        Ok(ended.is_some())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        socket_path: &str,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let to = To::Socket(socket_path.to_owned());
        self.forward(channel, to, reply, session).await
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.started.remove(&channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match channel::is_terminal(term) && !self.started.contains(&channel) {
            true => session.channel_success(channel),
            false => session.channel_failure(channel),
        }
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if channel::is_free_variable(name, value) && !self.started.contains(&channel) {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.start(channel, session)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.start(channel, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match name {
            channel::SFTP | channel::TYPED => self.start(channel, session),
            _ => session.channel_failure(channel),
        }
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn agent_request(
        &mut self,
        _channel: ChannelId,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        Ok(false)
    }

    async fn signal(
        &mut self,
        _channel: ChannelId,
        _signal: Sig,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        // The channel's own task hears it.
        Ok(())
    }
}
