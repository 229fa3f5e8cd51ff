//! The certificate of a gateway that is tried out, from an authority that lives only while it is made.
//!
//! Lives here: making both. Never: the authority's key on a disk.

use super::DevError;
use super::state::State;
use brattice_core::time::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use std::time::Duration;

/// What this machine calls itself.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// How long it lasts: longer than anybody tries something out, shorter than it takes to be forgotten.
const LASTS: Duration = Duration::from_secs(30 * 86400);
const DAY: Duration = Duration::from_secs(86400);

/// Writes an authority's certificate, and a certificate of this machine with its key.
pub(super) fn write(state: &State, now: Timestamp) -> Result<(), DevError> {
    let made = make(now).map_err(|why| DevError::Certificate(why.to_string()))?;
    state.public(&state.authority(), made.authority.as_bytes())?;
    state.public(&state.certificate(), made.certificate.as_bytes())?;
    state.private(&state.certificate_key(), made.key.as_bytes())
}

struct Made {
    authority: String,
    certificate: String,
    key: String,
}

fn make(now: Timestamp) -> Result<Made, rcgen::Error> {
    let mut authority = params(&[], "Brattice dev authority", now)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let signer = Issuer::new(authority, authority_key);

    let mut server = params(&NAMES, "Brattice dev", now)?;
    server.use_authority_key_identifier_extension = true;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &signer)?;
    Ok(Made {
        authority: authority_pem,
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn params(names: &[&str], common: &str, now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common);
    // The day before, for clocks that are behind; the form counts whole days.
    let (year, month, day) = date(now.minus(DAY));
    params.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = date(now.plus(LASTS));
    params.not_after = date_time_ymd(year, month, day);
    Ok(params)
}

fn date(at: Timestamp) -> (i32, u8, u8) {
    let date = jiff::Timestamp::from_microsecond(at.0)
        .unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let part = |n: i8| u8::try_from(n).unwrap_or(1);
    (i32::from(date.year()), part(date.month()), part(date.day()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use brattice_proxy::tls;

    #[test]
    fn a_client_that_verifies_takes_the_certificate_for_this_machine_alone() {
        use rustls::client::danger::ServerCertVerifier;
        use rustls::pki_types::{ServerName, UnixTime};
        let made = make(Timestamp::from_seconds(1_800_000_000)).unwrap();
        let (_, leaf) = tls::server(
            made.certificate.as_bytes(),
            made.key.as_bytes(),
            &[],
            Default::default(),
        )
        .unwrap();
        let roots = std::sync::Arc::new(tls::roots(made.authority.as_bytes(), "ca").unwrap());
        let verifier =
            rustls::client::WebPkiServerVerifier::builder_with_provider(roots, tls::provider())
                .build()
                .unwrap();
        let check = |name: &str, seconds: u64| {
            let name = ServerName::try_from(name.to_owned()).unwrap();
            let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            verifier
                .verify_server_cert(&leaf, &[], &name, &[], at)
                .is_ok()
        };
        for name in NAMES {
            assert!(check(name, 1_800_000_000), "{name}");
        }
        assert!(!check("example.com", 1_800_000_000));
        assert!(!check("localhost", 1_800_000_000 + 40 * 86400));
    }
}
