//! Minting of short-lived credentials.
//!
//! Lives here: what every credential is bound to, the secret and its SCRAM-SHA-256 verifier (RFC 5802, RFC 7677) in PostgreSQL's form. Never: where
//! they are kept, how they are handed out, the SCRAM exchange.

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brattice_core::ids::{CredentialId, Digest};
use brattice_core::ports::{Bounds, MintedCredential, MintedProof, Randomness, RecordFailed};
use brattice_core::principal::{Identity, LoginBy};
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use std::num::NonZeroU32;
use std::time::Duration;
use zeroize::Zeroizing;

/// Random bytes in a password: 160 bits, beyond any guessing.
const PASSWORD_BYTES: usize = 20;
/// Random bytes of salt.
pub(crate) const SALT_BYTES: usize = 16;
/// Iterations of PBKDF2: the least that drivers accept, since the password needs no stretching.
pub(crate) const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);
/// Base 32 in lower case without l and o, and without 0 and 1: safe to read out and to paste anywhere.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A credential at the moment of its making: the only time that the password exists outside its holder's hands.
#[derive(Debug)]
pub struct Minted {
    /// The password, to be shown once.
    pub password: Secret,
    /// What is kept.
    pub credential: MintedCredential,
}

/// Why nothing was minted.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The proof it would rest on has ended.
    #[error("the identity's proof has expired")]
    Expired,
    /// No time to live.
    #[error("the time to live is zero")]
    NoTime,
    /// No randomness.
    #[error("cannot make a secret")]
    Randomness(#[source] RecordFailed),
}

/// Makes a credential for one target. It ends after `ttl`, or with the identity's own proof if that is earlier.
pub fn mint(
    target: &str,
    identity: &Identity,
    ttl: Duration,
    bounds: Bounds,
    now: Timestamp,
    randomness: &dyn Randomness,
) -> Result<Minted, MintError> {
    let mut salt = [0; SALT_BYTES];
    let mut raw = Zeroizing::new([0; PASSWORD_BYTES]);
    for buf in [salt.as_mut_slice(), raw.as_mut_slice()] {
        randomness.fill(buf).map_err(MintError::Randomness)?;
    }
    let password = base32(raw.as_slice());
    let verifier = scram_verifier(password.expose(), &salt, ITERATIONS);
    let proof = MintedProof::Secret(verifier);
    let credential = credential(proof, target, identity, ttl, bounds, now, randomness)?;
    Ok(Minted {
        password,
        credential,
    })
}

/// The same for who holds a key: `key` is the SHA-256 of the public half as SSH writes it.
///
/// # Errors
/// As [`mint`].
pub fn mint_for_key(
    key: Digest,
    target: &str,
    identity: &Identity,
    ttl: Duration,
    bounds: Bounds,
    now: Timestamp,
    randomness: &dyn Randomness,
) -> Result<MintedCredential, MintError> {
    let proof = MintedProof::Key(key);
    credential(proof, target, identity, ttl, bounds, now, randomness)
}

fn credential(
    proof: MintedProof,
    target: &str,
    identity: &Identity,
    ttl: Duration,
    bounds: Bounds,
    now: Timestamp,
    randomness: &dyn Randomness,
) -> Result<MintedCredential, MintError> {
    if ttl.is_zero() {
        return Err(MintError::NoTime);
    }
    if now >= identity.expires_at {
        return Err(MintError::Expired);
    }
    let mut id = [0; 10];
    randomness.fill(&mut id).map_err(MintError::Randomness)?;
    let id = CredentialId::from_bytes(id);
    let mut identity = identity.clone();
    identity.by = LoginBy::Minted;
    // What is minted is proven without the key of DPoP proofs; a certificate's is shown at every login.
    identity.binding.key = None;
    identity.expires_at = identity.expires_at.min(now.plus(ttl));
    identity.credential = Some(id.clone());
    Ok(MintedCredential {
        id,
        proof,
        target: target.to_owned(),
        identity,
        bounds,
        spent: false,
    })
}

/// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`, as `pg_authid.rolpassword` has it.
pub fn scram_verifier(password: &[u8], salt: &[u8], iterations: NonZeroU32) -> String {
    let mut salted = Zeroizing::new([0; 32]);
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        iterations,
        salt,
        password,
        salted.as_mut_slice(),
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, salted.as_slice());
    let client_key = hmac::sign(&key, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
    let server_key = hmac::sign(&key, b"Server Key");
    format!(
        "SCRAM-SHA-256${iterations}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored_key),
        STANDARD.encode(server_key)
    )
}

/// Five bits a character; the input is a multiple of five bytes.
fn base32(bytes: &[u8]) -> Secret {
    let mut out = Vec::with_capacity(bytes.len() * 8 / 5);
    for chunk in bytes.chunks(5) {
        let word = chunk
            .iter()
            .fold(0_u64, |acc, b| (acc << 8) | u64::from(*b));
        for place in (0..8).rev() {
            let index = usize::try_from((word >> (place * 5)) & 31).unwrap_or(0);
            out.extend(ALPHABET.get(index));
        }
    }
    Secret::new(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use brattice_core::principal::{Chain, Principal, PrincipalKind};
    use brattice_core::sender::Binding;

    struct Counting;
    impl Randomness for Counting {
        fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
            buf.iter_mut()
                .enumerate()
                .for_each(|(i, b)| *b = i as u8 ^ 0x5a);
            Ok(())
        }
    }
    struct Broken;
    impl Randomness for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), RecordFailed> {
            Err(RecordFailed("no entropy".into()))
        }
    }

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

    fn identity(left: Duration) -> Identity {
        Identity {
            chain: Chain::of(Principal {
                kind: PrincipalKind::Agent,
                issuer: "okta".into(),
                name: "etl-7".into(),
                groups: Default::default(),
            }),
            by: LoginBy::Oidc,
            mfa: false,
            binding: Binding::default(),
            authenticated_at: NOW,
            expires_at: NOW.plus(left),
            token_id: Some("jti-1".into()),
            credential: None,
            scope: brattice_core::scope::Scope::whole(),
            lineage: Vec::new(),
            sign_in: None,
        }
    }
    fn minutes(n: u64) -> Duration {
        Duration::from_secs(n * 60)
    }

    #[test]
    fn a_credential_never_outlives_the_proof_it_rests_on() {
        let expiry = |left, ttl| {
            let minted = mint(
                "orders-db",
                &identity(left),
                ttl,
                Bounds::default(),
                NOW,
                &Counting,
            )
            .unwrap();
            minted.credential.identity.expires_at.since(NOW)
        };
        assert_eq!(expiry(minutes(60), minutes(15)), minutes(15));
        assert_eq!(expiry(minutes(5), minutes(15)), minutes(5));
        assert_eq!(expiry(minutes(5), Duration::MAX), minutes(5));
    }

    #[test]
    fn nothing_is_minted_on_an_expired_proof_or_without_randomness() {
        let gone = identity(Duration::ZERO);
        assert!(matches!(
            mint("t", &gone, minutes(1), Bounds::default(), NOW, &Counting),
            Err(MintError::Expired)
        ));
        let good = identity(minutes(1));
        assert!(matches!(
            mint(
                "t",
                &good,
                Duration::ZERO,
                Bounds::default(),
                NOW,
                &Counting
            ),
            Err(MintError::NoTime)
        ));
        assert!(matches!(
            mint("t", &good, minutes(1), Bounds::default(), NOW, &Broken),
            Err(MintError::Randomness(_))
        ));
    }

    #[test]
    fn it_names_itself_its_target_and_the_token_it_came_from() {
        let minted = mint(
            "orders-db",
            &identity(minutes(60)),
            minutes(15),
            Bounds::default(),
            NOW,
            &Counting,
        )
        .unwrap();
        let c = &minted.credential;
        assert_eq!(c.target, "orders-db");
        assert_eq!(c.identity.by, LoginBy::Minted);
        assert_eq!(c.identity.credential.as_ref(), Some(&c.id));
        assert_eq!(c.identity.token_id.as_deref(), Some("jti-1"));
    }

    #[test]
    fn the_password_has_160_bits_and_is_not_printed() {
        let minted = mint(
            "t",
            &identity(minutes(60)),
            minutes(15),
            Bounds::default(),
            NOW,
            &Counting,
        )
        .unwrap();
        let password = minted.password.expose_str().unwrap().to_owned();
        assert_eq!(password.len(), 32);
        assert!(password.bytes().all(|b| ALPHABET.contains(&b)));
        assert!(!format!("{minted:?}").contains(&password));
        let distinct: std::collections::HashSet<_> = ALPHABET.iter().collect();
        assert_eq!(distinct.len(), 32);
    }

    /// The example exchange of RFC 7677, section 3.
    #[test]
    fn the_verifier_signs_as_the_standard_says() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = scram_verifier(b"pencil", &salt, ITERATIONS);
        let (head, keys) = verifier.rsplit_once('$').unwrap();
        assert_eq!(head, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==");
        let (stored, server) = keys.split_once(':').unwrap();
        let (stored, server) = (
            STANDARD.decode(stored).unwrap(),
            STANDARD.decode(server).unwrap(),
        );
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let message = format!(
            "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
        );
        let sign =
            |key: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes());
        assert_eq!(
            STANDARD.encode(sign(&server)),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        let proof = STANDARD
            .decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
            .unwrap();
        let signature = sign(&stored);
        let client_key: Vec<u8> = proof
            .iter()
            .zip(signature.as_ref())
            .map(|(p, s)| p ^ s)
            .collect();
        assert_eq!(
            digest::digest(&digest::SHA256, &client_key).as_ref(),
            stored
        );
    }
}
