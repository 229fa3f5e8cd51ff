//! What an ssh-agent is told to take a key with its certificate (draft-ietf-sshm-ssh-agent, section 3.2).
//!
//! Lives here: the message. Never: the agent.

use super::{Certificate, PrivateKey};
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use zeroize::Zeroizing;

/// SSH_AGENTC_ADD_ID_CONSTRAINED
const ADD_CONSTRAINED: u8 = 25;
/// SSH_AGENT_CONSTRAIN_LIFETIME
const LIFETIME: u8 = 1;

/// The whole message, with its length ahead: the agent forgets the key when the certificate ends. `None` when the
/// certificate is not one of this key, or the key is none of Ed25519.
pub fn to_agent(
    key: &PrivateKey,
    certificate: &Certificate,
    comment: &str,
    now: Timestamp,
) -> Option<Secret> {
    if certificate.public_key() != key.public_key().key_data() {
        return None;
    }
    let pair = key.key_data().ed25519()?;
    let secret = Zeroizing::new(pair.to_bytes());
    let kind = certificate.algorithm().to_certificate_type();
    let left = certificate
        .valid_before()
        .saturating_sub(super::seconds(now));
    // None at all would be for ever.
    let left = u32::try_from(left.max(1)).unwrap_or(u32::MAX);
    let certificate = certificate.to_bytes().ok()?;
    let parts = [
        kind.as_bytes(),
        &certificate,
        pair.public.as_ref(),
        secret.as_slice(),
        comment.as_bytes(),
    ];
    let strings: usize = parts.iter().map(|p| p.len() + 4).sum();
    // Its kind, and the constraint.
    let length = strings + 1 + 5;
    // Never grown: what is left behind by a buffer that moves is not wiped.
    let mut out = Zeroizing::new(Vec::with_capacity(length + 4));
    out.extend_from_slice(&u32::try_from(length).ok()?.to_be_bytes());
    out.push(ADD_CONSTRAINED);
    for part in parts {
        out.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
        out.extend_from_slice(part);
    }
    out.push(LIFETIME);
    out.extend_from_slice(&left.to_be_bytes());
    Some(Secret::new(out.as_slice()))
}
