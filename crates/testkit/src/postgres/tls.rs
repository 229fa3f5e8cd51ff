//! A certificate authority for one server: its own certificate, and those of clients. Made anew each time.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use super::error::{During, PostgresError};
use super::files;
use super::user::User;

pub(crate) const CA_CERTIFICATE: &str = "ca.pem";
pub(crate) const SERVER_CERTIFICATE: &str = "server.pem";
pub(crate) const SERVER_KEY: &str = "server.key";

/// A client's certificate and key, as PEM files that only this user may read.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Signs for one server, which trusts it.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    certificate: PathBuf,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes the authority and the server's certificate, in `dir`.
    pub fn create(dir: &Path, user: Option<&User>) -> Result<Authority, PostgresError> {
        let issuer = issuer().map_err(|source| failed("authority's", source))?;
        let certificate = dir.join(CA_CERTIFICATE);
        std::fs::write(&certificate, issuer.pem()).during("writing the authority's certificate")?;
        let (pem, key) = leaf(
            &issuer,
            "localhost",
            &["localhost", "127.0.0.1"],
            ExtendedKeyUsagePurpose::ServerAuth,
        )
        .map_err(|source| failed("server's", source))?;
        files::write(&dir.join(SERVER_CERTIFICATE), &pem, user)?;
        files::write(&dir.join(SERVER_KEY), &key, user)?;
        Ok(Authority {
            issuer,
            certificate,
        })
    }

    /// Where the authority's certificate is.
    pub fn certificate(&self) -> PathBuf {
        self.certificate.clone()
    }

    /// A certificate for a client, in files named after it.
    pub fn client(
        &self,
        dir: &Path,
        common_name: &str,
    ) -> Result<ClientCertificate, PostgresError> {
        let (pem, key) = leaf(
            &self.issuer,
            common_name,
            &[],
            ExtendedKeyUsagePurpose::ClientAuth,
        )
        .map_err(|source| failed(common_name, source))?;
        let stem: String = common_name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let client = ClientCertificate {
            certificate: dir.join(format!("client-{stem}.pem")),
            key: dir.join(format!("client-{stem}.key")),
        };
        files::write(&client.certificate, &pem, None)?;
        files::write(&client.key, &key, None)?;
        Ok(client)
    }
}

fn issuer() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Brattice test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn leaf(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    common_name: &str,
    names: &[&str],
    usage: ExtendedKeyUsagePurpose,
) -> Result<(String, String), rcgen::Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, issuer)?.pem(), key.serialize_pem()))
}

fn failed(what: &str, source: rcgen::Error) -> PostgresError {
    PostgresError::Certificate {
        what: what.to_owned(),
        source,
    }
}
