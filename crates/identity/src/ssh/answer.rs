//! A certificate that somebody else signed for a key of ours (OpenSSH's PROTOCOL.certkeys).
//!
//! Lives here: whether it is what was asked for, and no more. Never: who signs, how they are asked; whether a host trusts
//! them, which the host says.

use super::{Certificate, PERMIT_PORTS, PERMIT_PTY, PublicKey, SOURCE_ADDRESS, seconds};
use brattice_core::time::Timestamp;
use ssh_key::Algorithm;
use std::time::Duration;

/// The extensions that a login of the gateway's own is asked for: what it may let pass, and no more.
pub(crate) const EXTENSIONS: [&str; 2] = [PERMIT_PTY, PERMIT_PORTS];

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The key, which is ours.
    pub key: &'a PublicKey,
    /// The one account.
    pub account: &'a str,
    /// When the answer came.
    pub now: Timestamp,
    /// How long it was asked to be good.
    pub lives: Duration,
    /// How far the signer's clock may be from ours.
    pub clocks_apart_max: Duration,
}

/// Takes an answer as it was given, when it is what was asked for. The error is for the operator, and repeats nothing.
pub(crate) fn accept(text: &str, wanted: &Wanted<'_>) -> Result<Certificate, &'static str> {
    let text = text.trim();
    if text.contains(['\n', '\r', '\0']) {
        return Err("it is not one certificate");
    }
    let certificate =
        Certificate::from_openssh(text).map_err(|_| "it is not an OpenSSH certificate")?;
    if !certificate.cert_type().is_user() {
        return Err("the certificate is a host's");
    }
    if certificate.public_key() != wanted.key.key_data() {
        return Err("the certificate is of another key");
    }
    match certificate.signature_key().algorithm() {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => {}
        _ => {
            return Err(
                "the certificate is signed by a key that is neither Ed25519 nor ECDSA: make the authority's with `key_type=ed25519`",
            );
        }
    }
    // To the letter, and nobody beside: none at all means anybody to OpenSSH.
    if certificate.valid_principals() != [wanted.account] {
        return Err("the certificate is not for the account that was asked for, and no other");
    }
    in_time(&certificate, wanted)?;
    // What a host does not know of these it refuses; what it knows may change what is run.
    let mut options = certificate.critical_options().iter();
    if options.any(|(name, _)| name != SOURCE_ADDRESS) {
        return Err("the certificate has a critical option that was not asked for");
    }
    // Each gives a right, `permit-user-rc` that of running a file of the account's.
    let mut extensions = certificate.extensions().iter();
    if extensions.any(|(name, value)| !EXTENSIONS.contains(&name.as_str()) || !value.is_empty()) {
        return Err("the certificate has an extension that was not asked for");
    }
    if certificate.verify_signature().is_err() {
        return Err("the certificate's signature is wrong");
    }
    Ok(certificate)
}

fn in_time(certificate: &Certificate, wanted: &Wanted<'_>) -> Result<(), &'static str> {
    let (now, apart) = (wanted.now, wanted.clocks_apart_max);
    if certificate.valid_after() > seconds(now.plus(apart)) {
        return Err("the certificate is not good yet: the clocks are too far apart");
    }
    if certificate.valid_before() <= seconds(now) {
        return Err("the certificate has ended already: the clocks are too far apart");
    }
    if certificate.valid_before() > seconds(now.plus(wanted.lives).plus(apart)) {
        return Err("the certificate is good for longer than was asked for");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssh_key::PrivateKey;
    use ssh_key::certificate::{Builder, CertType};
    use ssh_key::private::Ed25519Keypair;
    use std::process::Command;
    use std::sync::OnceLock;

    const NOW: i64 = 1_700_000_000;

    fn key(n: u8) -> PrivateKey {
        PrivateKey::from(Ed25519Keypair::from_seed(&[n; 32]))
    }

    fn builder(of: &PrivateKey, after: i64, before: i64) -> Builder {
        let at = |offset: i64| u64::try_from(NOW + offset).unwrap();
        let subject = of.public_key().key_data().clone();
        let mut builder = Builder::new([0; 16], subject, at(after), at(before)).unwrap();
        builder
            .key_id("brattice session=ses_1 agent=etl-7")
            .unwrap();
        builder
    }

    /// A certificate as it is asked for, changed in one way.
    fn certified(change: impl FnOnce(&mut Builder)) -> String {
        let mut builder = builder(&key(9), -30, 300);
        change(&mut builder);
        builder.valid_principal("deploy").unwrap();
        builder.sign(&key(1)).unwrap().to_openssh().unwrap()
    }

    fn says(text: &str) -> Result<Certificate, &'static str> {
        static OURS: OnceLock<PrivateKey> = OnceLock::new();
        let ours = OURS.get_or_init(|| key(9));
        accept(
            text,
            &Wanted {
                key: ours.public_key(),
                account: "deploy",
                now: Timestamp::from_seconds(NOW),
                lives: Duration::from_secs(300),
                clocks_apart_max: Duration::from_secs(120),
            },
        )
    }

    fn refused(text: &str, what: &str) {
        let why = says(text).unwrap_err();
        assert!(why.contains(what), "{why}");
    }

    #[test]
    fn what_was_asked_for_is_taken() {
        let good = certified(|b| {
            b.extension("permit-pty", "").unwrap();
            b.extension("permit-port-forwarding", "").unwrap();
        });
        assert!(says(&good).is_ok());
        // As a vault has it, with the end of a line.
        assert!(says(&format!("{good}\n")).is_ok());
        // Fewer rights are no danger, nor is a bound that the host keeps.
        assert!(says(&certified(|_| ())).is_ok());
        let bound = certified(|b| {
            b.critical_option("source-address", "10.0.0.0/24").unwrap();
        });
        assert!(says(&bound).is_ok());
    }

    #[test]
    fn a_certificate_of_another_key_or_of_a_host_is_refused() {
        let mut other = builder(&key(8), -30, 300);
        other.valid_principal("deploy").unwrap();
        let other = other.sign(&key(1)).unwrap().to_openssh().unwrap();
        refused(&other, "another key");
        let host = certified(|b| {
            b.cert_type(CertType::Host).unwrap();
        });
        refused(&host, "a host's");
    }

    #[test]
    fn the_account_alone_is_named() {
        let beside = certified(|b| {
            b.valid_principal("root").unwrap();
        });
        refused(&beside, "account");
        let named = |name: Option<&str>| {
            let mut certificate = builder(&key(9), -30, 300);
            match name {
                Some(name) => certificate.valid_principal(name).unwrap(),
                None => certificate.all_principals_valid().unwrap(),
            };
            certificate.sign(&key(1)).unwrap().to_openssh().unwrap()
        };
        for other in [
            Some("root"),
            Some("Deploy"),
            Some("deploy "),
            Some("*"),
            None,
        ] {
            refused(&named(other), "account");
        }
    }

    #[test]
    fn it_is_good_now_and_for_no_longer_than_was_asked_for() {
        for (after, before, what) in [
            (-30, 421, "longer"),
            (-30, 3600, "longer"),
            (-600, 0, "ended already"),
            (-600, -60, "ended already"),
            (121, 300, "not good yet"),
        ] {
            let mut certificate = builder(&key(9), after, before);
            certificate.valid_principal("deploy").unwrap();
            let text = certificate.sign(&key(1)).unwrap().to_openssh().unwrap();
            refused(&text, what);
        }
        // A signer whose clock is ahead of ours, and one that is behind.
        for (after, before) in [(90, 420), (-150, 180)] {
            let mut certificate = builder(&key(9), after, before);
            certificate.valid_principal("deploy").unwrap();
            let text = certificate.sign(&key(1)).unwrap().to_openssh().unwrap();
            assert!(says(&text).is_ok(), "{after} {before}");
        }
        let forever = Builder::new(
            [0; 16],
            key(9).public_key().key_data().clone(),
            0,
            i64::MAX.unsigned_abs(),
        );
        let mut forever = forever.unwrap();
        forever.valid_principal("deploy").unwrap();
        let forever = forever.sign(&key(1)).unwrap().to_openssh().unwrap();
        refused(&forever, "longer");
    }

    #[test]
    fn nothing_that_was_not_asked_for_comes_with_it() {
        for (option, value) in [
            ("force-command", "/bin/true"),
            ("verify-required", ""),
            ("x@example.com", "1"),
        ] {
            let with = certified(|b| {
                b.critical_option(option, value).unwrap();
            });
            refused(&with, "critical option");
        }
        for extension in [
            "permit-agent-forwarding",
            "permit-X11-forwarding",
            "permit-user-rc",
            "no-touch-required",
            "login@example.com",
        ] {
            let with = certified(|b| {
                b.extension(extension, "").unwrap();
            });
            refused(&with, "extension");
        }
        let with = certified(|b| {
            b.extension("permit-pty", "1").unwrap();
        });
        refused(&with, "extension");
    }

    #[test]
    fn what_is_no_certificate_or_was_changed_is_refused() {
        let good = certified(|_| ());
        for other in [
            "",
            "ssh-ed25519",
            &key(9).public_key().to_openssh().unwrap(),
            &format!("{good}\n{good}"),
        ] {
            assert!(says(other).is_err(), "{other}");
        }
        let bytes = Certificate::from_openssh(&good)
            .unwrap()
            .to_bytes()
            .unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let Ok(changed) = Certificate::from_bytes(&changed) else {
                continue;
            };
            let Ok(text) = changed.to_openssh() else {
                continue;
            };
            assert!(says(&text).is_err(), "byte {at}");
        }
    }

    #[test]
    fn fuzz_signed_key() {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let bytes = |text: &str| Certificate::from_openssh(text).unwrap().to_bytes().unwrap();
        let good = certified(|b| {
            b.extension("permit-pty", "").unwrap();
        });
        let other = certified(|b| {
            b.critical_option("force-command", "x").unwrap();
        });
        let (ours, authority) = (key(9), key(1));
        brattice_fuzz::Fuzz::new("signed_key", env!("CARGO_MANIFEST_DIR"))
            .seed(bytes(&good))
            .seed(bytes(&other))
            .run(|input, _| {
                let kind = "ssh-ed25519-cert-v01@openssh.com";
                match says(&format!("{kind} {}", STANDARD.encode(input))) {
                    Err(why) => Ok(why.len() as u64),
                    Ok(taken) if taken.public_key() != ours.public_key().key_data() => {
                        Err("a certificate of another key".to_owned())
                    }
                    Ok(taken) if taken.signature_key() != authority.public_key().key_data() => {
                        Err("signed by a key that signed nothing".to_owned())
                    }
                    Ok(_) => Ok(1_000),
                }
            });
    }

    /// What `ssh-keygen` signs with an authority of this kind.
    fn signed_by(kind: &[&str]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| {
            let done = Command::new("ssh-keygen")
                .arg("-q")
                .args(arguments)
                .env("TZ", "UTC")
                .current_dir(dir.path())
                .output()
                .unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        let make = [&["-N", "", "-f", "ca"], kind].concat();
        run(&make);
        let line = key(9).public_key().to_openssh().unwrap();
        std::fs::write(dir.path().join("key.pub"), line).unwrap();
        // Half a minute before `NOW`, and five minutes after it.
        let times = "20231114221250:20231114221820";
        let sign = ["-s", "ca", "-I", "x", "-n", "deploy", "-V", times];
        let none = ["-O", "clear", "-O", "permit-pty", "key.pub"];
        run(&[sign.as_slice(), none.as_slice()].concat());
        std::fs::read_to_string(dir.path().join("key-cert.pub")).unwrap()
    }

    #[test]
    fn the_authority_is_of_a_kind_that_can_be_checked() {
        assert!(says(&signed_by(&["-t", "ed25519"])).is_ok());
        for bits in ["256", "384", "521"] {
            assert!(says(&signed_by(&["-t", "ecdsa", "-b", bits])).is_ok());
        }
        refused(&signed_by(&["-t", "rsa", "-b", "2048"]), "key_type=ed25519");
    }
}
