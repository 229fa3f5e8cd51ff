//! The identity provider that `brattice dev` runs, so that trying out needs no other one.
//!
//! Lives here: who exists, their secrets, starting and stopping. Never: anything that a real deployment uses, any
//! address but loopback, verifying tokens (the gateway does that as with every provider).

mod form;
mod page;
mod serve;
mod sign;
mod sign_in;

#[cfg(test)]
mod tests;

pub use sign_in::CLIENT;

use brattice_core::ports::{Randomness, RecordFailed};
use brattice_core::principal::PrincipalKind;
use brattice_core::secret::Secret;
use brattice_core::time::Clock;
use brattice_identity::sts::{NoKey, Signer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The path of its issuer. What it signs says so in `iss`, so that no other configuration takes its tokens for real.
pub const PATH: &str = "/dev-issuer";
/// Longest life of a token from here.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(15 * 60);
/// Longest chain of parties that one token may name.
const CHAIN_MAX: usize = 4;
/// Longest name of a party.
const NAME_BYTES_MAX: usize = 64;
/// Random bytes in a client's secret.
const SECRET_BYTES: usize = 20;

/// An agent or a person as this provider knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevParty {
    /// The subject: letters, digits and `. _ - @`.
    pub name: String,
    /// Groups, by the same rule, without the issuer.
    pub groups: Vec<String>,
}

impl DevParty {
    /// A party in these groups.
    pub fn new(name: &str, groups: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        }
    }
}

/// What the provider is started with.
#[derive(Debug, Clone)]
pub struct DevSetup {
    /// Where it listens: a loopback address; port 0 takes a free one.
    pub address: SocketAddr,
    /// The audience of its tokens.
    pub audience: String,
    /// The people.
    pub people: Vec<DevParty>,
    /// The agents.
    pub agents: Vec<DevParty>,
    /// Which agent may act for whom: agent first, then the person or agent it acts for.
    pub delegations: BTreeSet<(String, String)>,
    /// How long its tokens live.
    pub token_lifetime: Duration,
}

/// The secret with which one party gets its tokens.
#[derive(Debug, Clone)]
pub struct DevClient {
    /// The party; also its `client_id`.
    pub name: String,
    /// Agent or person.
    pub kind: PrincipalKind,
    /// Its `client_secret`, made anew at each start.
    pub secret: Secret,
}

impl DevClient {
    /// A `netrc` file for `curl --netrc-file`, which keeps the secret off the command line.
    pub fn netrc(&self, host: &str) -> Secret {
        let mut text = format!("machine {host} login {} password ", self.name).into_bytes();
        text.extend_from_slice(self.secret.expose());
        text.push(b'\n');
        Secret::new(text)
    }
}

/// Why the provider did not start, or gave no token.
#[derive(Debug, thiserror::Error)]
pub enum DevIssuerError {
    /// Not a loopback address.
    #[error("the dev identity provider listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    /// The address could not be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        cause: std::io::Error,
    },
    /// A party that cannot be.
    #[error("`{name}`: {why}")]
    Party {
        /// Its name.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// Tokens that live too long, or not at all.
    #[error("tokens of the dev identity provider live between 1 second and 15 minutes")]
    Lifetime,
    /// No key, or no signature.
    #[error(transparent)]
    Key(#[from] NoKey),
    /// No randomness.
    #[error("cannot make {0}")]
    Crypto(&'static str),
    /// Nobody of this name.
    #[error("the dev identity provider knows no `{0}`")]
    Unknown(String),
    /// A delegation that was not set up.
    #[error("`{actor}` may not act for `{subject}`")]
    Delegation {
        /// Who would act.
        actor: String,
        /// For whom.
        subject: String,
    },
}

/// The running provider. Dropping it stops it.
pub struct DevIssuer {
    /// The `iss` of its tokens, and where it is found.
    pub issuer_url: String,
    /// Everybody's secrets, agents first.
    pub clients: Vec<DevClient>,
    desk: Arc<Desk>,
    server: JoinHandle<()>,
}

/// What the server and the handle share.
struct Desk {
    issuer_url: String,
    address: SocketAddr,
    audience: String,
    lifetime: Duration,
    parties: BTreeMap<String, Party>,
    delegations: BTreeSet<(String, String)>,
    signer: Signer,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    codes: sign_in::Codes,
}

struct Party {
    kind: PrincipalKind,
    groups: Vec<String>,
    secret: Secret,
}

impl DevIssuer {
    /// Makes a key and secrets, and listens.
    pub async fn start(
        setup: DevSetup,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, DevIssuerError> {
        if !setup.address.ip().is_loopback() {
            return Err(DevIssuerError::NotLoopback(setup.address));
        }
        if setup.token_lifetime < Duration::from_secs(1)
            || setup.token_lifetime > TOKEN_LIFETIME_MAX
        {
            return Err(DevIssuerError::Lifetime);
        }
        let parties = parties(&setup, randomness.as_ref())?;
        check_delegations(&setup.delegations, &parties)?;
        let clients = clients(&parties);
        let cannot_listen = |cause| DevIssuerError::Listen {
            address: setup.address,
            cause,
        };
        let listener = TcpListener::bind(setup.address)
            .await
            .map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let issuer_url = format!("http://{address}{PATH}");
        let desk = Arc::new(Desk {
            issuer_url: issuer_url.clone(),
            address,
            audience: setup.audience,
            lifetime: setup.token_lifetime,
            parties,
            delegations: setup.delegations,
            signer: Signer::generate()?,
            clock,
            randomness,
            codes: sign_in::Codes::default(),
        });
        let server = tokio::spawn(serve::run(listener, Arc::clone(&desk)));
        Ok(Self {
            issuer_url,
            clients,
            desk,
            server,
        })
    }

    /// A token for a party itself, without the way over HTTP.
    pub fn issue(&self, name: &str) -> Result<Secret, DevIssuerError> {
        self.desk.issue(&[name])
    }

    /// A token for an agent that acts for others, nearest first.
    pub fn issue_on_behalf(&self, actor: &str, of: &[&str]) -> Result<Secret, DevIssuerError> {
        let mut chain = vec![actor];
        chain.extend_from_slice(of);
        self.desk.issue(&chain)
    }
}

impl Drop for DevIssuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Desk {
    /// A token for the first, who acts for the next, and so on; every step was set up.
    fn issue(&self, chain: &[&str]) -> Result<Secret, DevIssuerError> {
        for pair in chain.windows(2) {
            let [actor, subject] = pair else { continue };
            let step = ((*actor).to_owned(), (*subject).to_owned());
            if !self.delegations.contains(&step) {
                let (actor, subject) = step;
                return Err(DevIssuerError::Delegation { actor, subject });
            }
        }
        let links = chain
            .iter()
            .take(CHAIN_MAX)
            .map(|name| {
                let party = self.parties.get(*name);
                party
                    .map(|p| (*name, p))
                    .ok_or_else(|| DevIssuerError::Unknown((*name).to_owned()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if links.len() < chain.len() {
            return Err(DevIssuerError::Unknown("a chain that long".to_owned()));
        }
        let claims = sign::claims(self, &links)?;
        Ok(self.signer.sign(&claims)?)
    }
}

fn parties(
    setup: &DevSetup,
    randomness: &dyn Randomness,
) -> Result<BTreeMap<String, Party>, DevIssuerError> {
    let agents = setup.agents.iter().map(|p| (PrincipalKind::Agent, p));
    let people = setup.people.iter().map(|p| (PrincipalKind::User, p));
    let mut out = BTreeMap::new();
    for (kind, party) in agents.chain(people) {
        let wrong = |why| DevIssuerError::Party {
            name: party.name.clone(),
            why,
        };
        if !is_name(&party.name) {
            return Err(wrong("a name is made of letters, digits and . _ - @"));
        }
        if !party.groups.iter().all(|g| is_name(g)) {
            return Err(wrong("a group is made of letters, digits and . _ - @"));
        }
        let entry = Party {
            kind,
            groups: party.groups.clone(),
            secret: secret(randomness).map_err(|_| DevIssuerError::Crypto("a secret"))?,
        };
        if out.insert(party.name.clone(), entry).is_some() {
            return Err(wrong("this name is taken"));
        }
    }
    Ok(out)
}

fn check_delegations(
    delegations: &BTreeSet<(String, String)>,
    parties: &BTreeMap<String, Party>,
) -> Result<(), DevIssuerError> {
    for (actor, subject) in delegations {
        let known = |name: &String| {
            parties
                .get(name)
                .ok_or_else(|| DevIssuerError::Unknown(name.clone()))
        };
        known(subject)?;
        if known(actor)?.kind != PrincipalKind::Agent {
            return Err(DevIssuerError::Party {
                name: actor.clone(),
                why: "only agents act for others",
            });
        }
    }
    Ok(())
}

fn clients(parties: &BTreeMap<String, Party>) -> Vec<DevClient> {
    let mut clients: Vec<DevClient> = parties
        .iter()
        .map(|(name, party)| DevClient {
            name: name.clone(),
            kind: party.kind,
            secret: party.secret.clone(),
        })
        .collect();
    clients.sort_by_key(|c| c.kind == PrincipalKind::User);
    clients
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@'))
}

fn secret(randomness: &dyn Randomness) -> Result<Secret, RecordFailed> {
    let mut bytes = [0; SECRET_BYTES];
    randomness.fill(&mut bytes)?;
    Ok(Secret::new(hex::encode(bytes)))
}
