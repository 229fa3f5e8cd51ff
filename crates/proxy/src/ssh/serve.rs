//! One connection's life: prove, admit, lend, dial, open, serve channels, close.
//!
//! Lives here: the order. Never: what passes on a channel.

use super::channel::Opened;
use super::door::{Door, Proven};
use super::link::{Link, not_entered, unreachable};
use super::transport::{Switch, Switched, keep_asking};
use super::upstream::Supply;
use super::{Host, Service, algorithms};
use crate::live::LiveSession;
use crate::room::Seat;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Admission, Cut, CutReason, Opening, Role};
use brattice_core::ports::{Borrower, Purpose};
use brattice_core::record::Header;
use brattice_core::target::Protocol;
use russh::keys::ssh_key::Certificate;
use russh::server::{Config, RunningSession, run_stream};
use russh::{Disconnect, MethodKind, MethodSet, SshId};
use std::borrow::Cow;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// What clients see as the server's version: no version of ours, which tells an attacker nothing. Some clients look for the
/// second name to know in which order SYMLINK has its arguments; none takes it for a version of OpenSSH behind a blank.
const SERVER_ID: &str = "SSH-2.0-Brattice SFTP-as-OpenSSH";
/// How long a client gets to read the last words, of its channels too: more than a host gets to end what runs there.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// How long channels get to notice that the connection is gone.
const NOTICED_MAX: Duration = Duration::from_secs(2);
/// How long channels get to end their work once the connection is gone.
const CHANNELS_MAX: Duration = Duration::from_secs(5);
/// How long a client may stay that proved who it is and was not let in: to read why.
const REFUSED_MAX: Duration = Duration::from_secs(10);
/// Attempts to log in on one connection. An agent may hold a few keys that are tried before the one with a certificate.
const ATTEMPTS_MAX: usize = 6;

/// Waits for a caller to say who it is: for `login_max`, or for longer where a person has begun to sign in.
async fn in_time(
    mut proven: oneshot::Receiver<Proven>,
    mut until: watch::Receiver<Instant>,
) -> Option<Proven> {
    loop {
        let end = *until.borrow_and_update();
        tokio::select! {
            biased;
            proven = &mut proven => return proven.ok(),
            () = tokio::time::sleep_until(end) => return None,
            changed = until.changed() => changed.ok()?,
        }
    }
}

/// By what means a client may prove who it is.
pub(super) fn methods() -> MethodSet {
    let all = [
        MethodKind::PublicKey,
        MethodKind::Password,
        MethodKind::KeyboardInteractive,
    ];
    MethodSet::from(all.as_slice())
}

/// A session that is open.
struct Open {
    link: Arc<Link>,
    live: LiveSession,
    header: Header,
    cut: Arc<Cut>,
}

impl Service {
    /// What every connection is served with that is accepted from now on. The certificate is one for [`Service::host_key`];
    /// clients that know no authority see the key alone.
    pub fn config(&self, certificate: Certificate) -> Arc<Config> {
        Arc::new(Config {
            server_id: SshId::Standard(Cow::Borrowed(SERVER_ID)),
            methods: methods(),
            auth_rejection_time: Duration::from_millis(500),
            auth_rejection_time_initial: Some(Duration::ZERO),
            max_auth_attempts: ATTEMPTS_MAX,
            keys: vec![self.host_key.clone()],
            certificates: vec![certificate],
            preferred: algorithms::preferred(),
            window_size: self.limits.window_bytes,
            manual_windows: true,
            channel_buffer_size: self.limits.messages_max,
            inactivity_timeout: None,
            // The transport asks: OpenSSH's client ends at a question of SSH's own while its person still types.
            keepalive_interval: None,
            nodelay: true,
            ..Config::default()
        })
    }

    /// Serves one accepted connection to its end.
    pub async fn serve(
        self: Arc<Self>,
        config: Arc<Config>,
        tcp: TcpStream,
        from: SocketAddr,
        mut seat: Seat,
    ) {
        keep_asking(&tcp);
        let switch = Switch::default();
        let (tell_proven, proven) = oneshot::channel();
        let (tell_opened, opened): (_, Opened) = watch::channel(None);
        let until = Instant::now() + self.login_max;
        let (extend, extended) = watch::channel(until);
        let door = Door::new(self.clone(), from, tell_proven, extend, opened);
        let begun = run_stream(config, Switched::new(tcp, &switch), door);
        let begun = tokio::time::timeout_at(until, begun);
        let Some(begun) = seat.unless_sent_away(begun).await else {
            return;
        };
        let mut running = match begun {
            Ok(Ok(running)) => running,
            Ok(Err(error)) => {
                tracing::info!(%from, %error, "a caller did not get in");
                return;
            }
            Err(_) => {
                tracing::info!(%from, "a caller took too long to say who it is");
                return;
            }
        };
        let proven = tokio::select! {
            proven = seat.unless_sent_away(in_time(proven, extended)) => proven.flatten(),
            _ = &mut running => {
                tracing::info!(%from, "a caller left before it said who it is");
                return;
            }
        };
        let Some(proven) = proven else {
            tracing::info!(%from, "a caller took too long to say who it is, or made room for another");
            switch.throw();
            return;
        };
        match self.open(proven, from, &mut seat).await {
            Ok(open) => {
                tell_opened.send_replace(Some(Ok(open.link.clone())));
                self.attend(open, running, &switch).await;
            }
            Err(denial) => {
                tracing::info!(%from, %denial, "a session did not open");
                tell_opened.send_replace(Some(Err(denial)));
                // Without a session it takes the place of nobody who comes.
                let reads = tokio::time::timeout(REFUSED_MAX, running);
                let _ = seat.unless_sent_away(reads).await;
                switch.throw();
            }
        }
    }

    /// Admission, the way to the host, the record.
    async fn open(
        &self,
        proven: Proven,
        from: SocketAddr,
        seat: &mut Seat,
    ) -> Result<Open, Denial> {
        let Proven { identity, asked } = proven;
        let who = identity.chain.to_string();
        let host = self.hosts.get(&asked.target);
        let account = host
            .as_ref()
            .and_then(|h| h.account_for(asked.account.as_deref()))
            .map(str::to_owned);
        let named = asked.account.clone().unwrap_or_default();
        let admission = self
            .gate
            .admit(Opening {
                identity,
                target: asked.target.clone(),
                place: account.clone().unwrap_or(named),
                protocol: Protocol::Ssh,
                client: from.ip(),
            })
            .await?;
        let seated = seat.belongs_to(&admission.identity().chain.acting.to_string());
        let entered = match (host, account) {
            _ if let Err(too_many) = seated => Err(too_many.denial()),
            (Some(host), Some(account)) => self.enter(admission, host, account, from).await,
            (None, _) => Err(unreachable(&asked.target)),
            (Some(_), None) => Err(Denial::new(
                Code::Forbidden,
                "brattice.account",
                format!(
                    "account \"{}\" of target \"{}\" is not open",
                    asked.account.unwrap_or_default(),
                    asked.target
                ),
            )
            .hint("name one that is, e.g. ssh ACCOUNT@TARGET@GATEWAY")),
        };
        entered.inspect_err(|denial| {
            self.gate
                .refuse_login(denial, &asked.target, from.ip(), Some(who));
        })
    }

    async fn enter(
        &self,
        admission: Admission,
        host: Arc<Host>,
        account: String,
        from: SocketAddr,
    ) -> Result<Open, Denial> {
        let target = admission.target().name.clone();
        let to = Borrower {
            target: &target,
            place: &account,
            purpose: Purpose::Session {
                id: admission.id(),
                agent: &admission.identity().chain.acting.name,
            },
        };
        let lease = self.lender.lend(to).await.map_err(|error| {
            tracing::error!(%error, session = %admission.id(), "no credential could be lent");
            unreachable(&target)
        })?;
        let rights = account.clone();
        let supply = Supply::new(host, account.clone(), lease, self.gate.clock().clone());
        // Whether the host lets us in is known before the session is on record.
        let first = supply.get().await.map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                host_target = target,
                "the target cannot be reached"
            );
            not_entered(&error, &target)
        })?;
        supply.put(first);
        let cut = Arc::new(Cut::new());
        let live = LiveSession {
            id: admission.id().clone(),
            chain: admission.identity().chain.clone(),
            identity: admission.identity().clone(),
            target: target.clone(),
            place: account.clone(),
            client: from.to_string(),
            started_at: self.gate.clock().now(),
            granted: admission.granted().cloned(),
            cut: cut.clone(),
        };
        let header = Header {
            session: live.id.clone(),
            chain: live.chain.clone(),
            target,
            place: account.clone(),
            protocol: Protocol::Ssh.as_str().to_owned(),
            client: live.client.clone(),
            started_at: live.started_at,
            revision: admission.revision(),
        };
        let recorder = self.recordings.open(&header).map_err(|error| {
            tracing::error!(%error, "a recording could not be opened");
            CutReason::Failing.denial()
        })?;
        let role = Role {
            login: account,
            rights,
        };
        let session = self.gate.open(admission, role, cut.clone())?;
        self.gate.settle_in(&session).await;
        let link = Arc::new(Link::new(self, session, recorder, supply));
        link.bind_lease();
        Ok(Open {
            link,
            live,
            header,
            cut,
        })
    }

    /// Stays with a session until it ends, and closes it.
    async fn attend(&self, open: Open, running: RunningSession<Door>, switch: &Switch) {
        let Open {
            link,
            live,
            header,
            cut,
        } = open;
        let id = live.id.clone();
        let expires_at = live.identity.expires_at;
        self.witness.opened(&header);
        let entered = self.live.enter(live);
        let handle = running.handle();
        let mut running = running;
        let left = expires_at.since(self.gate.clock().now());
        let reason = tokio::select! {
            _ = &mut running => "client gone".to_owned(),
            reason = poll_fn(|cx| cut.poll(cx)) => {
                link.end(cut.says(reason));
                reason.as_str().to_owned()
            }
            () = self.expire(&link, left) => {
                cut.throw(CutReason::Expired);
                link.end(cut.says(CutReason::Expired));
                CutReason::Expired.as_str().to_owned()
            }
        };
        if reason != "client gone" {
            let farewell = async {
                let _ = link.active().wait_for(|n| *n == 0).await;
                let words = cut.reason().map(|r| cut.says(r).reason).unwrap_or_default();
                let _ = handle
                    .disconnect(Disconnect::ByApplication, words, String::new())
                    .await;
                let _ = (&mut running).await;
            };
            let _ = tokio::time::timeout(FAREWELL_MAX, farewell).await;
        }
        switch.throw();
        // Channels whose client is gone notice that by themselves, and end otherwise than those that are cut.
        let all_ended = async || {
            let _ = link.active().wait_for(|n| *n == 0).await;
        };
        let _ = tokio::time::timeout(NOTICED_MAX, all_ended()).await;
        link.end(CutReason::Killed.denial());
        let _ = tokio::time::timeout(CHANNELS_MAX, all_ended()).await;
        let recording = link.seal().await;
        let closed = {
            let mut session = link.lock();
            let closed = self
                .gate
                .close(&mut session, &reason, link.bytes_to_client(), recording);
            closed.map(|()| session.commands())
        };
        let commands = closed.unwrap_or_else(|error| {
            tracing::error!(%error, session = %id, "the end of a session could not be recorded");
            0
        });
        self.witness.closed(&id, &reason, commands, recording);
        tracing::info!(session = %id, reason, "session closed");
        drop(entered);
    }

    /// Waits until the identity has expired and nothing is at work, or the grace is over too.
    async fn expire(&self, link: &Link, left: Duration) {
        tokio::time::sleep(left).await;
        let grace = tokio::time::sleep(self.gate.expiry_grace());
        let mut active = link.active();
        tokio::select! {
            () = grace => {}
            _ = active.wait_for(|n| *n == 0) => {}
        }
    }
}
