//! Who callers are, and the credentials that are lent to them.
//!
//! Lives here: proofs of identity (OpenID Connect, SAML, SPIFFE), where targets' credentials come from, minting of short-lived
//! credentials, throttling of failed proofs. Never: sessions, policy, storage, targets' protocols.

pub mod lend;
pub mod login;
pub mod mint;
pub mod oidc;
pub mod saml;
pub mod spiffe;
pub mod ssh;
pub mod sts;
pub mod throttle;

pub mod dpop;

mod der;
mod text;

pub use lend::Lender;
pub use oidc::{IssuerConfig, MintedLookup, Oidc};
pub use saml::{SamlConfig, SamlProvider};
pub use spiffe::{Spiffe, SpiffeConfig};
