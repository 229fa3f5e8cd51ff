//! Keys that a proof of identity is bound to, and what a sender shows of the keys it holds (RFC 7800).
//!
//! Lives here: both, and whether one meets the other. Never: how a key is shown (TLS, DPoP), what a certificate says.

use crate::ids::Digest;
use crate::secret::Secret;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What a proof is bound to: whoever sends it must show to hold each of these. Bound to nothing, it counts in any hands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The SHA-256 digest of a client certificate (RFC 8705, section 3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Digest>,
    /// The thumbprint of a public key (RFC 7638; RFC 9449, section 6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Digest>,
}

impl Binding {
    /// To this certificate alone.
    pub fn certificate(digest: Digest) -> Self {
        Self {
            certificate: Some(digest),
            key: None,
        }
    }
    /// To this key alone.
    pub fn key(thumbprint: Digest) -> Self {
        Self {
            certificate: None,
            key: Some(thumbprint),
        }
    }
    /// Whether it is bound to anything.
    pub fn is_any(&self) -> bool {
        self.certificate.is_some() || self.key.is_some()
    }
    /// What the sender would have to show and did not; `None` when it holds everything.
    pub fn missing_of(&self, sender: &Sender) -> Option<Missing> {
        let shown = sender.certificate.as_ref().map(|c| c.digest());
        if self.certificate.is_some() && self.certificate != shown {
            return Some(Missing::Certificate);
        }
        if self.key.is_some() && self.key != sender.key {
            return Some(Missing::Key);
        }
        None
    }
}

/// What a sender did not show to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The client certificate.
    Certificate,
    /// The key of DPoP proofs.
    Key,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missing::Certificate => "a client certificate",
            Missing::Key => "a key",
        })
    }
}

/// A client certificate whose key was used in the TLS handshake. Nothing it says is verified by that.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    leaf: Vec<u8>,
    beside: Vec<Vec<u8>>,
    digest: Digest,
}

impl Certificate {
    /// The certificates that a client sent, in DER, its own first; `None` when it sent none.
    pub fn of<'c>(sent: impl IntoIterator<Item = &'c [u8]>) -> Option<Arc<Self>> {
        let mut sent = sent.into_iter().map(<[u8]>::to_vec);
        let leaf = sent.next()?;
        Some(Arc::new(Self {
            digest: Digest::of(&leaf),
            beside: sent.collect(),
            leaf,
        }))
    }
    /// The client's own, in DER.
    pub fn leaf(&self) -> &[u8] {
        &self.leaf
    }
    /// Those that came with it, to lead to an authority.
    pub fn beside(&self) -> impl Iterator<Item = &[u8]> {
        self.beside.iter().map(Vec::as_slice)
    }
    /// The digest of the client's own (`x5t#S256`).
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.digest)
    }
}

/// What a sender shows to hold, beside whatever else it sends. By default nothing.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// The client certificate of its connection.
    pub certificate: Option<Arc<Certificate>>,
    /// The thumbprint of the key that signed this very request.
    pub key: Option<Digest>,
}

impl Sender {
    /// What a new proof for this sender is bound to: the key that signed the request, else the connection's certificate.
    pub fn binding(&self) -> Binding {
        match (&self.key, &self.certificate) {
            (Some(key), _) => Binding::key(*key),
            (None, Some(certificate)) => Binding::certificate(certificate.digest()),
            (None, None) => Binding::default(),
        }
    }
}

/// What a proof that a request's sender holds a key has to be for (RFC 9449).
#[derive(Debug, Clone, Copy)]
pub struct ProofWanted<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The addresses that lead to where it went; one of them is meant.
    pub urls: &'a [String],
    /// The token that is sent with it, where one is.
    pub token: Option<&'a Secret>,
}

/// Such a proof that holds, and was not used up yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyProof {
    /// The thumbprint of the key that made it.
    pub key: Digest,
    /// What tells it from others.
    pub id: Digest,
    /// When it is good no longer.
    pub until: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(certificate: Option<&[u8]>, key: Option<&[u8]>) -> Sender {
        Sender {
            certificate: certificate.and_then(|c| Certificate::of([c])),
            key: key.map(Digest::of),
        }
    }

    #[test]
    fn every_key_of_a_binding_has_to_be_shown() {
        let both = Binding {
            certificate: Some(Digest::of(b"cert")),
            key: Some(Digest::of(b"key")),
        };
        let missing = |c, k| both.missing_of(&sender(c, k));
        assert_eq!(missing(Some(b"cert"), Some(b"key")), None);
        assert_eq!(missing(None, Some(b"key")), Some(Missing::Certificate));
        assert_eq!(
            missing(Some(b"other"), Some(b"key")),
            Some(Missing::Certificate)
        );
        assert_eq!(missing(Some(b"cert"), None), Some(Missing::Key));
        assert_eq!(missing(Some(b"cert"), Some(b"other")), Some(Missing::Key));
        assert_eq!(Binding::default().missing_of(&Sender::default()), None);
    }

    #[test]
    fn a_certificate_is_known_by_the_clients_own_and_not_by_what_comes_beside() {
        let one = Certificate::of([b"leaf".as_slice(), b"a"]).unwrap();
        let other = Certificate::of([b"leaf".as_slice(), b"b"]).unwrap();
        assert_eq!(one.digest(), other.digest());
        assert_ne!(
            one.digest(),
            Certificate::of([b"a".as_slice()]).unwrap().digest()
        );
        assert!(Certificate::of([]).is_none());
    }
}
