//! Which algorithms are spoken, on both sides.
//!
//! Lives here: the closed lists. Never: old ones for the sake of old peers.
//!
//! Ciphers are those that cutting the beginning of a connection short (Terrapin, CVE-2023-48795) does nothing to, so that
//! a peer without strict key exchange is none the weaker; with one that has it, it is used.

use russh::keys::ssh_key::{Algorithm, EcdsaCurve};
use russh::{Preferred, cipher, compression, kex, mac};
use std::borrow::Cow;

/// Key exchanges: hybrid with a post-quantum one first.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::AES_256_CTR,
    cipher::AES_128_CTR,
];

/// For the ciphers that do not authenticate by themselves.
const MACS: &[mac::Name] = &[mac::HMAC_SHA256, mac::HMAC_SHA512];

const KEYS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
];

/// The same, of a host that shows a certificate first.
pub(super) fn preferred_of_certified() -> Preferred {
    Preferred {
        host_key_certificates: Cow::Borrowed(KEYS),
        ..preferred()
    }
}

/// What is offered and taken.
pub(super) fn preferred() -> Preferred {
    Preferred {
        kex: Cow::Borrowed(KEX),
        key: Cow::Borrowed(KEYS),
        host_key_certificates: Cow::Borrowed(&[]),
        cipher: Cow::Borrowed(CIPHERS),
        mac: Cow::Borrowed(MACS),
        // What compresses also inflates.
        compression: Cow::Borrowed(&[compression::NONE]),
    }
}
