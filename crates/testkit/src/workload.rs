//! Certificates of workloads: trust domains that sign X.509-SVIDs, and certificates that nobody vouches for.
//!
//! Here live their making, into files that psql, curl and Python take. Nothing here checks anything, and nothing here knows
//! the gateway's code.

use crate::postgres::PostgresError;
use crate::postgres::files;
use crate::postgres::tls::ClientCertificate;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An authority that names workloads.
pub struct TrustDomain {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: PathBuf,
}

impl TrustDomain {
    /// Makes one; its files go to this directory.
    pub fn create(dir: &Path) -> Result<Self, PostgresError> {
        let made = authority().map_err(|source| failed("trust domain's", source))?;
        Ok(Self {
            issuer: made,
            dir: dir.to_owned(),
        })
    }

    /// Its certificate, in PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes its bundle.
    pub fn write_bundle(&self, path: &Path) -> Result<(), PostgresError> {
        files::write(path, &self.pem(), None)
    }

    /// A certificate for this SPIFFE ID that is good for so many seconds from now.
    pub fn svid(&self, id: &str, seconds: u64) -> Result<ClientCertificate, PostgresError> {
        let made = leaf(Some(id), seconds).and_then(|(params, key)| {
            let pem = params.signed_by(&key, &self.issuer)?.pem();
            Ok((pem, key.serialize_pem()))
        });
        let (pem, key) = made.map_err(|source| failed(id, source))?;
        written(&self.dir, &pem, &key)
    }
}

/// A certificate that nobody vouches for, as tokens are bound to.
pub fn self_signed(dir: &Path) -> Result<ClientCertificate, PostgresError> {
    let made = leaf(None, 3600)
        .and_then(|(params, key)| Ok((params.self_signed(&key)?.pem(), key.serialize_pem())));
    let (pem, key) = made.map_err(|source| failed("client's", source))?;
    written(dir, &pem, &key)
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "A trust domain of a test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn leaf(id: Option<&str>, seconds: u64) -> Result<(CertificateParams, KeyPair), rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "a workload");
    params.subject_alt_names = match id {
        Some(id) => vec![SanType::URI(id.try_into()?)],
        None => Vec::new(),
    };
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = date_time_ymd(1970, 1, 1) + since.unwrap_or_default();
    // As SPIRE does, for clocks that are behind.
    params.not_before = now - Duration::from_secs(10);
    params.not_after = now + Duration::from_secs(seconds);
    Ok((params, KeyPair::generate()?))
}

fn written(dir: &Path, pem: &str, key: &str) -> Result<ClientCertificate, PostgresError> {
    let name = crate::postgres::random_hex()?;
    let client = ClientCertificate {
        certificate: dir.join(format!("{name}.pem")),
        key: dir.join(format!("{name}.key")),
    };
    files::write(&client.certificate, pem, None)?;
    files::write(&client.key, key, None)?;
    Ok(client)
}

fn failed(what: &str, source: rcgen::Error) -> PostgresError {
    PostgresError::Certificate {
        what: what.to_owned(),
        source,
    }
}
