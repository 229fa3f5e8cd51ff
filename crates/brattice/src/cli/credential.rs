//! `brattice credential`: minting a short-lived credential for oneself, ending one, and sealing a target's.

use super::args::{CredentialArgs, CredentialCommand, GatewayArgs};
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::show;
use crate::config::checked::{SecretSource, TargetCredential};
use crate::config::{Checked, secrets};
use crate::run::{SystemClock, SystemRandomness};
use brattice_admin::body::{CredentialBody, CredentialRequest, CredentialsBody, DoneBody};
use brattice_core::secret::Secret;
use brattice_identity::lend::{self, SealingKey, SealingKeys};
use brattice_store::db::{Db, Limits, Settings};
use serde_json::json;
use std::io::{IsTerminal, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

/// The longest password.
const PASSWORD_BYTES_MAX: u64 = 64 * 1024;

pub fn run(gateway: &GatewayArgs, args: CredentialArgs, out: &mut Output) -> Result<(), Failure> {
    match args.command {
        CredentialCommand::Seal { target, config } => seal(&target, &config, out),
        CredentialCommand::List => list(&Client::new(gateway)?, out),
        CredentialCommand::Revoke { id } => revoke(&Client::new(gateway)?, &id, out),
        CredentialCommand::Create {
            target,
            ttl,
            single_use,
            from,
        } => {
            if let Some((name, _)) = target.split_once('/') {
                return Err(Failure::usage(format!("`{target}` is no target's name"))
                    .hint(format!("a credential is for all of a target: {name}")));
            }
            let client = Client::new(gateway)?;
            let request = CredentialRequest {
                target,
                ttl_seconds: ttl.as_secs(),
                single_use,
                from,
            };
            let minted: CredentialBody = client.post(&["credentials"], &request)?;
            if out.is_json() {
                out.json(&minted);
                return Ok(());
            }
            let mut fields = vec![
                ("id", minted.id),
                ("host", minted.host),
                ("port", minted.port.to_string()),
            ];
            fields.extend(minted.database.map(|name| ("database", name)));
            fields.extend([
                ("user", minted.user),
                ("password", minted.password),
                ("until", minted.expires_at),
            ]);
            out.fields(&fields);
            Ok(())
        }
    }
}

fn list(client: &Client, out: &mut Output) -> Result<(), Failure> {
    let found: CredentialsBody = client.get(&["credentials"], &[])?;
    if out.is_json() {
        out.json(&found);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = found
        .credentials
        .iter()
        .map(|c| {
            vec![
                show::cell(&c.id, 24),
                show::cell(&c.target, 32),
                show::cell(&c.who, 60),
                show::cell(&c.issued_at, 32),
                show::cell(&c.expires_at, 32),
            ]
        })
        .collect();
    out.table(&["id", "target", "who", "since", "until"], &rows);
    Ok(())
}

fn revoke(client: &Client, id: &str, out: &mut Output) -> Result<(), Failure> {
    let done: DoneBody = client.act(&["credentials", id, "revoke"])?;
    if out.is_json() {
        out.json(&done);
    } else {
        out.line(format!("{} is revoked", show::visible(id)));
    }
    Ok(())
}

fn seal(target: &str, config: &Path, out: &mut Output) -> Result<(), Failure> {
    let bundle = super::policy::load(config, out)?;
    let credential = bundle.targets.get(target).map(|t| &t.credential);
    let is_sealed = matches!(
        credential,
        Some(
            TargetCredential::Password(SecretSource::Sealed)
                | TargetCredential::Both(SecretSource::Sealed, _)
        )
    );
    let (true, Some(key)) = (is_sealed, &bundle.sealing_key) else {
        return Err(Failure::usage(format!(
            "the bundle has no target `{target}` whose password is sealed"
        ))
        .hint("say password = \"sealed\" for the target, and give store.sealing_key"));
    };
    let key = secrets::read(key).map_err(|why| Failure::failed(why.to_string()))?;
    let key = SealingKey::from_text(&key).map_err(|why| Failure::failed(why.to_string()))?;
    let password = password()?;
    let blob = lend::seal(&SealingKeys::of(key), &password, target, &SystemRandomness)
        .map_err(|why| Failure::failed(why.to_string()))?;
    put(&bundle, target, &blob)
        .map_err(|why| Failure::failed(format!("the store did not take it: {why}")))?;
    if out.is_json() {
        out.json(&json!({ "sealed": target }));
    } else {
        out.line(format!(
            "the password of {target} is sealed; the next session uses it"
        ));
    }
    Ok(())
}

/// From standard input; never typed, since a terminal would show it.
fn password() -> Result<Secret, Failure> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        return Err(Failure::usage("the password is read from standard input, which is a terminal here")
            .hint("pipe it in from where it is kept, as in `pass show orders-db | brattice credential seal orders-db`"));
    }
    let mut bytes = Vec::new();
    let read = input
        .by_ref()
        .take(PASSWORD_BYTES_MAX + 1)
        .read_to_end(&mut bytes);
    let mut password = Secret::new(bytes);
    if let Some(line) = password.expose().strip_suffix(b"\n") {
        password = Secret::new(line.strip_suffix(b"\r").unwrap_or(line));
    }
    let length = password.expose().len() as u64;
    if read.is_err() || length == 0 || length > PASSWORD_BYTES_MAX {
        return Err(Failure::usage(
            "there is no password on standard input, or it is too long",
        ));
    }
    Ok(password)
}

fn put(bundle: &Checked, target: &str, blob: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&bundle.data_dir)?;
        let settings = Settings {
            path: bundle.database.clone(),
            node: "cli".to_owned(),
            limits: Limits::default(),
        };
        let db = Db::open(settings, Arc::new(SystemRandomness), Arc::new(SystemClock)).await?;
        let put = db.put_sealed(target, blob).await;
        db.close().await;
        Ok(put?)
    })
}
