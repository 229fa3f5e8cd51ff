//! SSH: from `accept` to the host and back.
//!
//! Lives here: the service and its parts, in the order of a connection's life: [`serve`] (the whole of it), [`door`] (who
//! is calling, what it opens), [`upstream`] (the host), [`channel`] (one channel: what is asked, judged, run). Never: what
//! a command line does.
//!
//! russh speaks the transport on both sides. Nothing waits inside its callbacks: each channel is a task of its own, with a
//! connection of its own to the host while it runs, so that a channel that is held or slow holds up no other.

mod algorithms;
mod ask;
mod certificate;
mod channel;
mod door;
mod exit;
mod forward;
mod held;
mod intake;
mod link;
mod listen;
mod pinned;
mod pipe;
mod places;
mod prove;
mod run;
mod serve;
mod sftp;
mod show;
mod sign_in;
mod transport;
mod typed;
mod upstream;
mod vet;

use crate::live::Live;
use crate::postgres::Witness;
use arc_swap::ArcSwap;
use brattice_core::gate::Gate;
use brattice_core::ports::{Authenticator, CredentialSource, Randomness, Recordings};
use brattice_core::secret::Secret;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::ssh_key::{HashAlg, LineEnding};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

pub use russh::keys::ssh_key::{Certificate, PrivateKey, PublicKey};
pub use russh::server::Config;
pub use sign_in::{Invitation, Lobby, NotSignedIn, SignIns};
pub use vet::{AllTargets, Whereabouts};

/// Where a host is, and how it proves to be that host.
#[derive(Debug)]
pub struct Host {
    /// The target's name.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Its keys: it must prove to hold one of these before anything is shown to it.
    pub keys: Vec<PublicKey>,
    /// Who may certify keys for it, instead.
    pub authorities: Vec<PublicKey>,
    /// The accounts that may be asked for; the first is the one where none is named.
    pub accounts: Vec<String>,
    /// Room for connections.
    pub connections: Arc<Semaphore>,
}

impl Host {
    /// The account that a caller's choice comes to; `None` when it may not be asked for.
    pub fn account_for(&self, asked: Option<&str>) -> Option<&str> {
        match asked {
            None => self.accounts.first().map(String::as_str),
            Some(asked) => self
                .accounts
                .iter()
                .find(|a| *a == asked)
                .map(String::as_str),
        }
    }
}

/// All hosts.
#[derive(Debug, Default)]
pub struct Hosts(ArcSwap<HashMap<String, Arc<Host>>>);

impl Hosts {
    /// Replaces all of them.
    pub fn apply(&self, hosts: HashMap<String, Arc<Host>>) {
        self.0.store(Arc::new(hosts));
    }
    /// All of them, as they are now.
    pub fn all(&self) -> Arc<HashMap<String, Arc<Host>>> {
        self.0.load_full()
    }
    /// One by name.
    pub fn get(&self, name: &str) -> Option<Arc<Host>> {
        self.0.load().get(name).cloned()
    }
}

/// Bounds of one connection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Channels that are open at once.
    pub channels_max: usize,
    /// Bytes that a client may send on a channel before they are taken.
    pub window_bytes: u32,
    /// Messages of a channel that russh keeps until they are taken, which is at once.
    pub messages_max: usize,
    /// How long a command line may be.
    pub command_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            channels_max: 32,
            window_bytes: 2 << 20,
            messages_max: 16,
            command_bytes_max: 32 << 10,
        }
    }
}

/// Everything an SSH connection needs.
pub struct Service {
    /// The gate.
    pub gate: Arc<Gate>,
    /// Who proves callers.
    pub authenticator: Arc<dyn Authenticator>,
    /// People who sign in in a browser while their connection waits.
    pub sign_ins: Arc<dyn SignIns>,
    /// Room for such connections.
    pub lobby: Arc<Lobby>,
    /// Who lends targets' credentials.
    pub lender: Arc<dyn CredentialSource>,
    /// Where recordings go.
    pub recordings: Arc<dyn Recordings>,
    /// The hosts.
    pub hosts: Arc<Hosts>,
    /// Open sessions.
    pub live: Arc<Live>,
    /// Told about sessions that open and close.
    pub witness: Arc<dyn Witness>,
    /// Random bytes.
    pub randomness: Arc<dyn Randomness>,
    /// Where all targets are, so that nobody is led to one past its gate.
    pub all_targets: AllTargets,
    /// The gateway's own key, by which clients know it.
    pub host_key: PrivateKey,
    /// The key that signs certificates of users: none but those that it signed itself are taken.
    pub user_ca: PublicKey,
    /// Bounds.
    pub limits: Limits,
    /// How long it may take to log in.
    pub login_max: Duration,
}

/// Why a text is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not in a form that is read, or encrypted.
    #[error("it cannot be read")]
    Unreadable(#[from] russh::keys::Error),
    /// It cannot be written.
    #[error("it cannot be written")]
    Unwritable(#[from] russh::keys::ssh_key::Error),
}

/// An Ed25519 key out of 32 random bytes, and how it is kept.
///
/// # Errors
/// When it cannot be written down.
pub fn new_key(seed: &[u8; 32]) -> Result<(PrivateKey, Secret), KeyError> {
    let pair = Ed25519Keypair::from_seed(seed);
    let key = PrivateKey::from(pair);
    let text = key.to_openssh(LineEnding::LF)?;
    Ok((key, Secret::new(text.as_bytes().to_vec())))
}

/// A key as `ssh-keygen` writes it, without a passphrase.
///
/// # Errors
/// When it is none.
pub fn read_key(text: &[u8]) -> Result<PrivateKey, KeyError> {
    let text = String::from_utf8_lossy(text);
    Ok(russh::keys::decode_secret_key(&text, None)?)
}

/// A key's fingerprint, as `ssh-keygen -l` shows it.
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}
