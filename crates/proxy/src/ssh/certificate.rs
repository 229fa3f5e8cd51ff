//! A user certificate that a client shows (OpenSSH's PROTOCOL.certkeys), against those that this gateway signs.
//!
//! Lives here: all that can be told from the certificate itself, our key, the clock, the user name and the address. Never:
//! who it is for, which the credential says that it names; the client's own signature, which russh has checked by then.

use brattice_core::ids::{CredentialId, Digest};
use brattice_core::ports::Bounds;
use brattice_core::time::Timestamp;
use ipnet::IpNet;
use russh::keys::ssh_key::{Algorithm, Certificate, HashAlg, PublicKey};
use std::net::IpAddr;

/// The one critical option that is known.
const SOURCE_ADDRESS: &str = "source-address";

/// What a certificate of ours says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// The credential that it belongs to.
    pub credential: CredentialId,
    /// The SHA-256 of the key that it certifies.
    pub key_sha256: Digest,
}

/// Whether keys of a kind are certified at all.
pub(super) fn is_taken(kind: &Algorithm) -> bool {
    matches!(kind, Algorithm::Ed25519 | Algorithm::Ecdsa { .. })
}

/// Reads a certificate that is shown for this user name, now, from there. The error is for the record, not for the client.
pub(super) fn read(
    certificate: &Certificate,
    ours: &PublicKey,
    user: &str,
    now: Timestamp,
    from: IpAddr,
) -> Result<Shown, &'static str> {
    // Directly by that very key: one that is certified itself, or of a certificate, is another.
    if certificate.signature_key() != ours.key_data() {
        return Err("the certificate is not signed by this gateway's key for users");
    }
    if !certificate.cert_type().is_user() {
        return Err("the certificate is a host's");
    }
    let now = u64::try_from(now.seconds()).unwrap_or(u64::MAX);
    let fingerprint = ours.fingerprint(HashAlg::Sha256);
    if certificate.validate_at(now, [&fingerprint]).is_err() {
        return Err("the certificate is not good now, or its signature is wrong");
    }
    // None at all means anybody to OpenSSH, and nobody here.
    if !certificate.valid_principals().iter().any(|p| p == user) {
        return Err("the certificate does not name this user");
    }
    for (option, value) in certificate.critical_options().iter() {
        match option.as_str() {
            SOURCE_ADDRESS if permits(value, from) => {}
            SOURCE_ADDRESS => return Err("the certificate is not for this address"),
            _ => return Err("the certificate has a critical option that is not known"),
        }
    }
    if !is_taken(&certificate.algorithm()) {
        return Err("the certified key is of a kind that is not taken");
    }
    let id = certificate.key_id().split(' ').next().unwrap_or_default();
    let key = certificate.public_key().fingerprint(HashAlg::Sha256);
    match (id.parse(), key.sha256()) {
        (Ok(credential), Some(digest)) => Ok(Shown {
            credential,
            key_sha256: Digest(digest),
        }),
        _ => Err("the certificate names no credential"),
    }
}

/// Addresses and networks, separated by commas. A list that cannot be read permits nobody.
/// Whether its time is over, whoever signed it.
pub(super) fn has_ended(certificate: &Certificate, now: Timestamp) -> bool {
    u64::try_from(now.seconds()).is_ok_and(|now| now >= certificate.valid_before())
}

fn permits(list: &str, from: IpAddr) -> bool {
    let network = |text: &str| {
        let one = text.parse::<IpAddr>().map(IpNet::from);
        one.or_else(|_| text.parse::<IpNet>()).ok()
    };
    match list.split(',').map(network).collect::<Option<Vec<_>>>() {
        Some(networks) => Bounds {
            from: networks,
            ..Bounds::default()
        }
        .permit(from),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use russh::keys::ssh_key::PrivateKey;
    use russh::keys::ssh_key::certificate::{Builder, CertType};
    use russh::keys::ssh_key::private::Ed25519Keypair;

    const NOW: i64 = 1_700_000_000;
    const HERE: &str = "10.0.0.7";

    fn key(n: u8) -> PrivateKey {
        PrivateKey::from(Ed25519Keypair::from_seed(&[n; 32]))
    }

    fn id() -> CredentialId {
        CredentialId::from_bytes([7; 10])
    }

    /// A certificate as ours are, changed in one way.
    fn certificate(signer: u8, change: impl FnOnce(&mut Builder)) -> Certificate {
        let now = u64::try_from(NOW).unwrap();
        let subject = key(9).public_key().key_data().clone();
        let mut builder = Builder::new([0; 16], subject, now - 30, now + 60).unwrap();
        change(&mut builder);
        let _ = builder.key_id(format!("{} dev/etl-7", id()));
        let _ = builder.valid_principal("web-1");
        builder.sign(&key(signer)).unwrap()
    }

    fn at(
        certificate: &Certificate,
        user: &str,
        now: i64,
        from: &str,
    ) -> Result<Shown, &'static str> {
        let now = Timestamp::from_seconds(now);
        read(
            certificate,
            key(1).public_key(),
            user,
            now,
            from.parse().unwrap(),
        )
    }

    fn says(certificate: &Certificate) -> &'static str {
        at(certificate, "web-1", NOW, HERE).unwrap_err()
    }

    #[test]
    fn one_of_ours_names_its_credential_and_its_key() {
        let shown = at(&certificate(1, |_| ()), "web-1", NOW, HERE).unwrap();
        let sha256 = key(9).public_key().fingerprint(HashAlg::Sha256).sha256();
        assert_eq!(shown.credential, id());
        assert_eq!(Some(shown.key_sha256.0), sha256);
    }

    #[test]
    fn only_our_key_signs_users() {
        assert!(says(&certificate(2, |_| ())).contains("not signed"));
        let host = certificate(1, |b| {
            b.cert_type(CertType::Host).unwrap();
        });
        assert!(says(&host).contains("host"));
    }

    #[test]
    fn it_is_good_between_its_times_by_our_clock() {
        let good = certificate(1, |_| ());
        for (now, is_good) in [(-31, false), (-30, true), (59, true), (60, false)] {
            let read = at(&good, "web-1", NOW + now, HERE);
            assert_eq!(read.is_ok(), is_good, "{now}");
            let ended = has_ended(&good, Timestamp::from_seconds(NOW + now));
            assert_eq!(ended, now >= 60, "{now}");
        }
    }

    #[test]
    fn the_user_is_named_to_the_letter_or_is_another() {
        let good = certificate(1, |_| ());
        for user in ["", "web-1 ", "WEB-1", "root@web-1", "web-2", "*"] {
            assert!(at(&good, user, NOW, HERE).is_err(), "{user}");
        }
        let now = u64::try_from(NOW).unwrap();
        let subject = key(9).public_key().key_data().clone();
        let mut anybody = Builder::new([0; 16], subject, now - 30, now + 60).unwrap();
        anybody.key_id(id().to_string()).unwrap();
        anybody.all_principals_valid().unwrap();
        let anybody = anybody.sign(&key(1)).unwrap();
        assert!(says(&anybody).contains("does not name"));
    }

    #[test]
    fn critical_options_are_kept_or_nothing_passes() {
        let with = |name: &str, value: &str| {
            certificate(1, |b| {
                b.critical_option(name, value).unwrap();
            })
        };
        for (list, is_good) in [
            ("10.0.0.0/24", true),
            ("192.0.2.1,10.0.0.7", true),
            ("10.0.1.0/24", false),
            ("", false),
            ("10.0.0.0/24,nonsense", false),
            ("10.0.0.*", false),
        ] {
            let read = at(&with("source-address", list), "web-1", NOW, HERE);
            assert_eq!(read.is_ok(), is_good, "{list}");
        }
        for unknown in ["force-command", "verify-required", "x@example.com"] {
            assert!(says(&with(unknown, "")).contains("not known"), "{unknown}");
        }
    }

    #[test]
    fn a_byte_that_was_changed_is_seen() {
        let good = certificate(1, |_| ()).to_bytes().unwrap();
        let mut passed = 0;
        for at_byte in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at_byte] ^= 1;
            if let Ok(changed) = Certificate::from_bytes(&bytes) {
                passed += usize::from(at(&changed, "web-1", NOW, HERE).is_ok());
            }
        }
        assert_eq!(passed, 0);
    }

    #[test]
    fn a_certificate_in_the_place_of_the_authority_is_none() {
        // A certificate ends with two strings: the key that signed it, and its signature.
        let inner = certificate(1, |_| ());
        let bytes = inner.to_bytes().unwrap();
        let string = |part: &[u8]| {
            let length = u32::try_from(part.len()).unwrap().to_be_bytes();
            [&length, part].concat()
        };
        let plain = string(&key(1).public_key().to_bytes().unwrap());
        let at_key = bytes
            .windows(plain.len())
            .rposition(|w| w == plain)
            .unwrap();
        let (head, tail) = (&bytes[..at_key], &bytes[at_key + plain.len()..]);
        let nested = [head, &string(&bytes), tail].concat();
        if let Ok(nested) = Certificate::from_bytes(&nested) {
            assert!(at(&nested, "web-1", NOW, HERE).is_err());
        }
        let same = [head, &plain, tail].concat();
        assert!(at(&Certificate::from_bytes(&same).unwrap(), "web-1", NOW, HERE).is_ok());
    }

    #[test]
    fn what_names_no_credential_is_nobodys() {
        let named = certificate(1, |b| {
            b.key_id("root").unwrap();
        });
        assert!(says(&named).contains("names no credential"));
    }
}
