//! Who acts: principals, the chain they act in, and how they proved themselves.
//!
//! Lives here: the domain types. Never: tokens, providers, how a proof is checked.

use crate::ids::{CredentialId, Digest, Hasher};
use crate::scope::Scope;
use crate::sender::Binding;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// A workload or a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalKind {
    /// A workload.
    Agent,
    /// A person.
    User,
}

/// The issuer of principals that exist by delegation alone, as policies name it: workers that an agent spawned. No provider
/// of a bundle may be called so.
pub const OWN_ISSUER: &str = "brattice";

/// Somebody, always by issuer and subject. `issuer` is the short name that the bundle gives the provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Principal {
    /// Agent or user.
    pub kind: PrincipalKind,
    /// The provider's name in the bundle, e.g. `okta`.
    pub issuer: String,
    /// The subject at that provider, e.g. `etl-7`.
    pub name: String,
    /// Groups, each as `issuer/name`.
    pub groups: BTreeSet<String>,
}

impl Principal {
    /// `issuer/name`, the entity id used in policies and records.
    pub fn id(&self) -> String {
        format!("{}/{}", self.issuer, self.name)
    }
    /// The same kind, issuer and subject; groups aside.
    pub fn is_same(&self, other: &Principal) -> bool {
        self.kind == other.kind && self.issuer == other.issuer && self.name == other.name
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            PrincipalKind::Agent => "agent",
            PrincipalKind::User => "user",
        };
        write!(f, "{kind}:{}/{}", self.issuer, self.name)
    }
}

/// "Agent for agent for user": the one who acts first, then those it acts for (RFC 8693, section 4.1). Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Chain {
    /// Who sends the commands.
    pub acting: Principal,
    /// Those it acts for, nearest first.
    pub on_behalf_of: Vec<Principal>,
}

impl Chain {
    /// A chain of one.
    pub fn of(acting: Principal) -> Self {
        Self {
            acting,
            on_behalf_of: Vec::new(),
        }
    }
    /// Those whom a provider vouches for: workers count as whoever spawned them.
    pub fn without_workers(&self) -> Chain {
        let mut vouched = self.actors().filter(|a| a.issuer != OWN_ISSUER).cloned();
        match vouched.next() {
            Some(acting) => Chain {
                acting,
                on_behalf_of: vouched.collect(),
            },
            None => self.clone(),
        }
    }
    /// Everyone, the acting one first.
    pub fn actors(&self) -> impl Iterator<Item = &Principal> {
        std::iter::once(&self.acting).chain(&self.on_behalf_of)
    }
    /// Whether this person or workload is anywhere in the chain.
    pub fn includes(&self, who: &Principal) -> bool {
        self.actors().any(|a| a.is_same(who))
    }
    /// A digest of everyone's kind, issuer, name and groups: the key of cached verdicts and of tickets.
    pub fn digest(&self) -> Digest {
        let mut h = Hasher::new();
        for a in self.actors() {
            h.field(a.to_string().as_bytes());
            h.field(&(a.groups.len() as u64).to_be_bytes());
            for g in &a.groups {
                h.field(g.as_bytes());
            }
        }
        h.finish()
    }
    /// A digest of everyone's kind, issuer and name, without groups: what approvals and grants bind.
    pub fn names_digest(&self) -> Digest {
        let mut h = Hasher::new();
        for a in self.actors() {
            h.field(a.to_string().as_bytes());
        }
        h.finish()
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.acting)?;
        for a in &self.on_behalf_of {
            write!(f, " for {a}")?;
        }
        Ok(())
    }
}

/// By what means the acting principal proved itself. The names are those of the policy schema's `LoginBy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginBy {
    /// An OpenID Connect access token.
    Oidc,
    /// A SAML assertion.
    Saml,
    /// A platform's workload token.
    Workload,
    /// A client certificate.
    Certificate,
    /// A short-lived credential that Brattice minted.
    Minted,
}

/// A proven identity: whose it is, how it was proven, and until when it holds.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Who acts, for whom.
    pub chain: Chain,
    /// How it was proven.
    pub by: LoginBy,
    /// Whether a second factor was used, as the provider says (`amr`).
    pub mfa: bool,
    /// The keys that whoever sends the proof must show to hold.
    pub binding: Binding,
    /// When the principal last authenticated (`auth_time`, else `iat`).
    pub authenticated_at: Timestamp,
    /// When the proof ends.
    pub expires_at: Timestamp,
    /// The token's `jti`, for the record.
    pub token_id: Option<String>,
    /// The minted credential, when `by` is [`LoginBy::Minted`].
    pub credential: Option<CredentialId>,
    /// What the token was narrowed to.
    pub scope: Scope,
    /// The ids of the tokens that this proof descends from, nearest first.
    pub lineage: Vec<String>,
    /// The sign-in at the gateway that the token comes from, where a person signed in here.
    pub sign_in: Option<String>,
}

impl Identity {
    /// The ids of all that this proof hangs on: its token, those that it descends from, and the sign-in.
    pub fn roots(&self) -> impl Iterator<Item = &String> {
        self.token_id
            .iter()
            .chain(&self.lineage)
            .chain(&self.sign_in)
    }
}
