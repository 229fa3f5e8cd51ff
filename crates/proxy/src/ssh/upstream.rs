//! Connections to the host: each serves one channel at a time.
//!
//! Lives here: dialling, the host's proof, our login, and keeping connections that are free again. Never: commands.

use super::pinned::Pinned;
use super::transport::{Switch, Switched};
use super::{Host, algorithms};
use brattice_core::ports::Lease;
use brattice_core::time::Clock;
use russh::Channel;
use russh::client::{self, ChannelOpenHandle, Handle, Msg};
use russh::keys::ssh_key::Certificate;
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// How long reaching a host and logging in may take.
const DIAL_MAX: Duration = Duration::from_secs(15);
/// Connections that are kept for the next channel.
const IDLE_MAX: usize = 2;
/// How often a host that says nothing is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Why a host was not entered. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("the host cannot be reached")]
    Connect(#[source] std::io::Error),
    #[error("the host took too long")]
    Slow,
    #[error("no connection is free")]
    Full,
    #[error(
        "the host shows a key that is not one of its `host_keys`, no certificate of its `host_authorities` for it, or speaks no algorithm that is taken"
    )]
    NotTheHost(#[source] russh::Error),
    #[error("the login was not accepted by the host")]
    NotAccepted,
    #[error(
        "the private key cannot be read: it is not an OpenSSH or PKCS#8 key of a kind that is taken, or is encrypted"
    )]
    BadKey,
    #[error("the login cannot be certified: {0}")]
    NotCertified(String),
    #[error("no credential for the host: neither a private key nor a password was lent")]
    NoCredential,
    #[error("the host broke off")]
    Broken(#[source] russh::Error),
}

/// A connection to where the host was asked to listen.
pub(super) struct Back {
    pub channel: Channel<Msg>,
    pub reply: ChannelOpenHandle,
    /// Who connected there, as the host says: address and port.
    pub from: (String, u32),
}

/// Where connections of one session come from.
pub(super) struct Supply {
    host: Arc<Host>,
    account: String,
    lease: Lease,
    clock: Arc<dyn Clock>,
    idle: Mutex<Vec<Upstream>>,
}

/// One connection to the host.
pub(super) struct Upstream {
    pub handle: Handle<Pinned>,
    switch: Switch,
    // Counts among the host's connections until it is dropped.
    _permit: OwnedSemaphorePermit,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // Whatever still runs there for it loses its connection now, not when russh has said goodbye.
        self.switch.throw();
    }
}

impl Supply {
    pub fn new(host: Arc<Host>, account: String, lease: Lease, clock: Arc<dyn Clock>) -> Self {
        Self {
            host,
            account,
            lease,
            clock,
            idle: Mutex::default(),
        }
    }

    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// A connection that nothing else uses.
    pub async fn get(&self) -> Result<Upstream, DialError> {
        while let Some(kept) = self.take_idle() {
            if !kept.handle.is_closed() {
                return Ok(kept);
            }
        }
        self.dial_within(None).await
    }

    /// A connection on which the host may open channels by itself: those that come of its listening.
    pub async fn listening(&self, backs: mpsc::Sender<Back>) -> Result<Upstream, DialError> {
        self.dial_within(Some(backs)).await
    }

    async fn dial_within(&self, backs: Option<mpsc::Sender<Back>>) -> Result<Upstream, DialError> {
        match tokio::time::timeout(DIAL_MAX, self.dial(backs)).await {
            Ok(dialled) => dialled,
            Err(_) => Err(DialError::Slow),
        }
    }

    /// Takes back a connection whose channel has ended well.
    pub fn put(&self, upstream: Upstream) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX && !upstream.handle.is_closed() {
            idle.push(upstream);
        }
    }

    /// Drops what is kept.
    pub fn clear(&self) {
        let kept = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(kept);
    }

    fn take_idle(&self) -> Option<Upstream> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    async fn dial(&self, backs: Option<mpsc::Sender<Back>>) -> Result<Upstream, DialError> {
        let permit = self.host.connections.clone().acquire_owned().await;
        let permit = permit.map_err(|_| DialError::Full)?;
        let tcp = TcpStream::connect((self.host.host.as_str(), self.host.port))
            .await
            .map_err(DialError::Connect)?;
        let _ = tcp.set_nodelay(true);
        let switch = Switch::default();
        let stream = Switched::new(tcp, &switch);
        let pinned = Pinned {
            host: self.host.clone(),
            now: self.clock.now(),
            backs,
        };
        let mut handle = client::connect_stream(Arc::new(config(&self.host)), stream, pinned)
            .await
            .map_err(DialError::NotTheHost)?;
        self.log_in(&mut handle).await?;
        Ok(Upstream {
            handle,
            switch,
            _permit: permit,
        })
    }

    async fn log_in(&self, handle: &mut Handle<Pinned>) -> Result<(), DialError> {
        let account = self.account.clone();
        let accepted = if let Some(pem) = &self.lease.private_key {
            let key = private_key(pem.expose()).ok_or(DialError::BadKey)?;
            let key = Arc::new(key);
            match &self.lease.certifier {
                Some(certifier) => {
                    let text = certifier.certify().await;
                    let text = text.map_err(DialError::NotCertified)?;
                    let certificate = Certificate::from_openssh(&text)
                        .map_err(|why| DialError::NotCertified(why.to_string()))?;
                    handle
                        .authenticate_openssh_cert(account, key, certificate)
                        .await
                }
                None => {
                    let key = PrivateKeyWithHashAlg::new(key, None);
                    handle.authenticate_publickey(account, key).await
                }
            }
        } else if !self.lease.password.expose().is_empty() {
            let password = std::str::from_utf8(self.lease.password.expose()).unwrap_or_default();
            handle.authenticate_password(account, password).await
        } else {
            return Err(DialError::NoCredential);
        };
        match accepted.map_err(DialError::Broken)?.success() {
            true => Ok(()),
            false => Err(DialError::NotAccepted),
        }
    }
}

/// A key as `ssh-keygen` writes it, or in PKCS#8; not encrypted.
fn private_key(pem: &[u8]) -> Option<PrivateKey> {
    let text = std::str::from_utf8(pem).ok()?;
    russh::keys::decode_secret_key(text, None).ok()
}

fn config(host: &Host) -> client::Config {
    client::Config {
        preferred: match host.authorities.is_empty() {
            true => algorithms::preferred(),
            false => algorithms::preferred_of_certified(),
        },
        inactivity_timeout: None,
        keepalive_interval: Some(KEEPALIVE),
        nodelay: true,
        ..client::Config::default()
    }
}
