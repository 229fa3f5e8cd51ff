//! How a host proves that it is the target, and what it may open by itself.
//!
//! Lives here: its key, or its certificate, against what is listed; refusing its channels. Never: trust at first sight.

use super::Host;
use super::upstream::Back;
use brattice_core::time::Timestamp;
use russh::client::{self, ChannelOpenHandle, Msg, Session};
use russh::keys::ssh_key::{Certificate, HashAlg};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelOpenFailure};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Takes a host for what it is only when it holds one of its keys, or one that was certified for it. Whatever the host opens
/// by itself is refused, but for connections to where it was asked to listen.
pub(super) struct Pinned {
    pub host: Arc<Host>,
    pub now: Timestamp,
    pub backs: Option<mpsc::Sender<Back>>,
}

fn known(host: &Host, key: &PublicKey) -> Result<(), &'static str> {
    let mut keys = host.keys.iter();
    match keys.any(|pinned| pinned.key_data() == key.key_data()) {
        true => Ok(()),
        false => Err("its key is not one of those that are listed"),
    }
}

/// Checks a host's certificate (OpenSSH's PROTOCOL.certkeys). That the host holds the certified key, russh has checked.
fn certified(host: &Host, certificate: &Certificate, now: Timestamp) -> Result<(), &'static str> {
    // Directly by that very key: one that is certified itself is another.
    let mut authorities = host.authorities.iter();
    let Some(authority) = authorities.find(|a| a.key_data() == certificate.signature_key()) else {
        return Err("its certificate is not signed by an authority that is listed");
    };
    if !certificate.cert_type().is_host() {
        return Err("its certificate is a user's");
    }
    let now = u64::try_from(now.seconds()).unwrap_or(u64::MAX);
    let fingerprint = authority.fingerprint(HashAlg::Sha256);
    if certificate.validate_at(now, [&fingerprint]).is_err() {
        return Err("its certificate is not good now, or the signature is wrong");
    }
    // None at all means any host to OpenSSH, and none here.
    let mut names = certificate.valid_principals().iter();
    if !names.any(|name| name.eq_ignore_ascii_case(&host.host)) {
        return Err("its certificate does not name this host");
    }
    if certificate.critical_options().iter().next().is_some() {
        return Err("its certificate has a critical option that is not known");
    }
    match super::certificate::is_taken(&certificate.algorithm()) {
        true => Ok(()),
        false => Err("the certified key is of a kind that is not taken"),
    }
}

impl client::Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let checked = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => known(&self.host, key),
            PublicKeyOrCertificate::Certificate(certificate) => {
                certified(&self.host, certificate, self.now)
            }
        };
        if let Err(why) = checked {
            tracing::warn!(
                host_target = self.host.name,
                why,
                "a host is not taken for the target"
            );
        }
        Ok(checked.is_ok())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _: &str,
        _: u32,
        address: &str,
        port: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(backs) = &self.backs else {
            return refuse(reply).await;
        };
        let back = Back {
            channel,
            reply,
            from: (address.to_owned(), port),
        };
        // One that nobody takes is dropped, and with it refused.
        let _ = backs.try_send(back);
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await
    }

    async fn server_channel_open_unknown(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await
    }
}

async fn refuse(reply: ChannelOpenHandle) -> Result<(), russh::Error> {
    reply
        .reject(ChannelOpenFailure::AdministrativelyProhibited)
        .await;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use russh::keys::PrivateKey;
    use russh::keys::ssh_key::certificate::{Builder, CertType};
    use russh::keys::ssh_key::private::Ed25519Keypair;
    use tokio::sync::Semaphore;

    const NOW: i64 = 1_700_000_000;

    fn key(n: u8) -> PrivateKey {
        PrivateKey::from(Ed25519Keypair::from_seed(&[n; 32]))
    }

    fn host() -> Host {
        Host {
            name: "web-1".to_owned(),
            host: "web-1.example.com".to_owned(),
            port: 22,
            keys: Vec::new(),
            authorities: vec![key(1).public_key().clone()],
            accounts: vec!["deploy".to_owned()],
            connections: Arc::new(Semaphore::new(1)),
        }
    }

    fn check(signer: u8, change: impl FnOnce(&mut Builder)) -> Result<(), &'static str> {
        let now = u64::try_from(NOW).unwrap();
        let subject = key(9).public_key().key_data().clone();
        let mut builder = Builder::new([0; 16], subject, now - 30, now + 60).unwrap();
        change(&mut builder);
        // What was chosen already stays.
        let _ = builder.cert_type(CertType::Host);
        let _ = builder.key_id("web-1");
        let certificate = builder.sign(&key(signer)).unwrap();
        certified(&host(), &certificate, Timestamp::from_seconds(NOW))
    }

    #[test]
    fn a_certificate_is_of_the_authority_for_this_host_and_now() {
        let names = |b: &mut Builder| {
            let _ = b.valid_principal("Web-1.example.com");
        };
        assert_eq!(check(1, names), Ok(()));
        for (signer, change, why) in [
            (2, names as fn(&mut Builder), "not signed by an authority"),
            (
                1,
                |b| drop(b.valid_principal("web-2.example.com")),
                "does not name",
            ),
            (1, |b| drop(b.all_principals_valid()), "does not name"),
            (
                1,
                |b| {
                    let _ = b.valid_principal("web-1.example.com");
                    let _ = b.cert_type(CertType::User);
                },
                "a user's",
            ),
            (
                1,
                |b| {
                    let _ = b.valid_principal("web-1.example.com");
                    let _ = b.critical_option("x", "y");
                },
                "critical option",
            ),
        ] {
            let said = check(signer, change).unwrap_err();
            assert!(said.contains(why), "{said} and not {why}");
        }
    }

    #[test]
    fn a_certificate_ends() {
        let now = u64::try_from(NOW).unwrap();
        for (after, before) in [(now - 60, now), (now + 1, now + 60)] {
            let subject = key(9).public_key().key_data().clone();
            let mut builder = Builder::new([0; 16], subject, after, before).unwrap();
            let _ = builder.cert_type(CertType::Host);
            let _ = builder.key_id("web-1");
            let _ = builder.valid_principal("web-1.example.com");
            let certificate = builder.sign(&key(1)).unwrap();
            let said = certified(&host(), &certificate, Timestamp::from_seconds(NOW));
            assert!(said.unwrap_err().contains("not good now"));
        }
    }
}
