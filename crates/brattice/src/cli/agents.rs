//! `brattice agents`.

use super::args::{AgentsArgs, AgentsCommand, GatewayArgs};
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::show;
use brattice_admin::body::{PrincipalRequest, SuspendedBody};

pub fn run(gateway: &GatewayArgs, args: AgentsArgs, out: &mut Output) -> Result<(), Failure> {
    let client = Client::new(gateway)?;
    let AgentsCommand::Revoke {
        id,
        user,
        issuer,
        chain,
        reason,
    } = args.command;
    let (kind, id) = match (id, issuer, chain) {
        (_, Some(name), _) => (Some("issuer"), name),
        (_, _, Some(token)) => (Some("token"), token),
        (id, _, _) => (user.then_some("user"), id.unwrap_or_default()),
    };
    let request = PrincipalRequest {
        id: id.trim().to_owned(),
        kind: kind.map(str::to_owned),
        reason,
    };
    let ended: SuspendedBody = client.post(&["agents", "revoke"], &request)?;
    if out.is_json() {
        out.json(&ended);
    } else {
        if !ended.known {
            let why = match kind {
                Some("issuer") => "no provider of the bundle has this name; is it right?",
                Some("token") => {
                    "nothing that is open or lent here came of it; is the id whole? `brattice whoami` tells one's own"
                }
                Some(_) => {
                    "never seen here as a person; is the name right, with its provider's? For an agent leave out --user"
                }
                None => {
                    "never seen here as an agent; is the name right, with its provider's? For a person give --user"
                }
            };
            out.say(&format!("warning: {}: {why}", show::visible(&ended.id)));
        }
        out.line(format!(
            "{} is revoked: {} ended, {} voided",
            show::visible(&ended.id),
            show::count(ended.sessions, "session"),
            show::count(ended.credentials, "credential")
        ));
        if kind.is_none_or(|k| k == "user") {
            out.say("what it proves from now on counts once its provider's clock is past this moment, for sure after that provider's `leeway` (30 s unless the bundle says otherwise)");
        }
    }
    Ok(())
}
