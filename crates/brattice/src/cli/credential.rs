//! `brattice credential`: minting a short-lived credential for oneself, and ending one.

use super::args::{CredentialArgs, CredentialCommand, GatewayArgs};
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::show;
use brattice_admin::body::{CredentialBody, CredentialRequest, DoneBody};

pub fn run(gateway: &GatewayArgs, args: CredentialArgs, out: &mut Output) -> Result<(), Failure> {
    let client = Client::new(gateway)?;
    match args.command {
        CredentialCommand::Create { target, ttl } => {
            let request = CredentialRequest {
                target,
                ttl_seconds: ttl.as_secs(),
            };
            let minted: CredentialBody = client.post(&["credentials"], &request)?;
            if out.is_json() {
                out.json(&minted);
                return Ok(());
            }
            out.fields(&[
                ("id", minted.id),
                ("host", minted.host),
                ("port", minted.port.to_string()),
                ("database", minted.database),
                ("user", minted.user),
                ("password", minted.password),
                ("until", minted.expires_at),
            ]);
        }
        CredentialCommand::Revoke { id } => {
            let done: DoneBody = client.act(&["credentials", &id, "revoke"])?;
            if out.is_json() {
                out.json(&done);
            } else {
                out.line(format!("{} is revoked", show::visible(&id)));
            }
        }
    }
    Ok(())
}
