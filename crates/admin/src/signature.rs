//! How webhooks are signed, in both directions.
//!
//! HMAC-SHA256 over `timestamp "." nonce "." purpose "." body`, in hexadecimal after `v1=`. The purpose says what the
//! body is for (`approval.asked`, `decision:apr_…`), so that what one side signed is never good for anything else.
//!
//! Lives here: the form and its check. Never: freshness, memory of nonces.

use aws_lc_rs::hmac;
use brattice_core::secret::Secret;

/// Seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "brattice-timestamp";
/// Text that is used once.
pub const NONCE_HEADER: &str = "brattice-nonce";
/// `v1=` and 64 hexadecimal digits.
pub const SIGNATURE_HEADER: &str = "brattice-signature";
/// The route's name in the bundle.
pub const ROUTE_HEADER: &str = "brattice-route";
/// The shortest secret that signs.
pub const SECRET_BYTES_MIN: usize = 32;
/// The longest nonce.
const NONCE_BYTES_MAX: usize = 128;

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// Seconds since 1970.
    pub timestamp: i64,
    /// Used once. Letters, digits, `-` and `_`.
    pub nonce: &'a str,
    /// What the body is for.
    pub purpose: &'a str,
    /// The body, exactly as sent.
    pub body: &'a [u8],
}

impl Signed<'_> {
    /// The signature, as the header has it.
    pub fn sign(&self, secret: &Secret) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        let mut context = hmac::Context::with_key(&key);
        self.feed(&mut context);
        format!("v1={}", hex::encode(context.sign().as_ref()))
    }

    /// Whether that is its signature; in constant time. A short secret or an odd nonce never is.
    pub fn is_signed(&self, secret: &Secret, given: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let nonce_ok = !self.nonce.is_empty()
            && self.nonce.len() <= NONCE_BYTES_MAX
            && self.nonce.chars().all(plain);
        if !nonce_ok || secret.expose().len() < SECRET_BYTES_MIN {
            return false;
        }
        Secret::new(self.sign(secret).into_bytes()).equals(given.as_bytes())
    }

    fn feed(&self, context: &mut hmac::Context) {
        context.update(self.timestamp.to_string().as_bytes());
        for part in [self.nonce.as_bytes(), self.purpose.as_bytes(), self.body] {
            context.update(b".");
            context.update(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed<'a>(purpose: &'a str, body: &'a [u8]) -> Signed<'a> {
        Signed {
            timestamp: 1000,
            nonce: "abc",
            purpose,
            body,
        }
    }

    fn secret() -> Secret {
        Secret::new(vec![7; 32])
    }

    #[test]
    fn is_good_for_exactly_what_was_signed() {
        let signature = signed("decision:a", b"{}").sign(&secret());
        assert!(signed("decision:a", b"{}").is_signed(&secret(), &signature));
        assert!(!signed("decision:b", b"{}").is_signed(&secret(), &signature));
        assert!(!signed("decision:a", b"{ }").is_signed(&secret(), &signature));
        let later = Signed {
            timestamp: 1001,
            ..signed("decision:a", b"{}")
        };
        assert!(!later.is_signed(&secret(), &signature));
        assert!(!signed("decision:a", b"{}").is_signed(&Secret::new(vec![8; 32]), &signature));
    }

    #[test]
    fn a_short_secret_signs_nothing() {
        let short = Secret::new(vec![7; 16]);
        let signature = signed("p", b"").sign(&short);
        assert!(!signed("p", b"").is_signed(&short, &signature));
    }

    #[test]
    fn a_nonce_with_a_dot_is_refused() {
        let odd = Signed {
            nonce: "a.b",
            ..signed("p", b"")
        };
        assert!(!odd.is_signed(&secret(), &odd.sign(&secret())));
    }
}
