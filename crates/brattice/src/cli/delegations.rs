//! `brattice delegate` and `brattice delegations`.

use super::args::{DelegateArgs, DelegationsArgs, DelegationsCommand, GatewayArgs};
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::show;
use brattice_admin::body::{
    DelegatedBody, DelegationRequest, DelegationsBody, DoneBody, ReasonRequest,
};

pub fn delegate(
    gateway: &GatewayArgs,
    args: DelegateArgs,
    out: &mut Output,
) -> Result<(), Failure> {
    let request = DelegationRequest {
        to: args.to,
        targets: args.target,
        effects: args.effects,
        classes: args.class,
        seconds: args.lifetime.as_secs(),
        reason: args.reason,
    };
    let given: DelegatedBody = Client::new(gateway)?.post(&["delegations"], &request)?;
    if out.is_json() {
        out.json(&given);
        return Ok(());
    }
    let d = &given.delegation;
    if !given.agent_known {
        out.line(format!(
            "{} was never seen here; is the name right, with its provider's?",
            show::visible(&d.agent)
        ));
    }
    out.line(format!(
        "{}: {} may act for you ({}) until {}",
        show::visible(&d.id),
        show::visible(&d.agent),
        show::visible(&d.scope),
        show::visible(&d.until)
    ));
    out.line(format!(
        "the agent gets a token with: brattice token exchange --delegation {}",
        show::visible(&d.id)
    ));
    Ok(())
}

pub fn run(gateway: &GatewayArgs, args: DelegationsArgs, out: &mut Output) -> Result<(), Failure> {
    let client = Client::new(gateway)?;
    match args.command {
        DelegationsCommand::List => {
            let found: DelegationsBody = client.get(&["delegations"], &[])?;
            list(&found, out);
        }
        DelegationsCommand::End { id, reason } => {
            let request = ReasonRequest { reason };
            let done: DoneBody = client.post(&["delegations", &id, "end"], &request)?;
            if out.is_json() {
                out.json(&done);
            } else {
                out.line(format!("{} has ended", show::visible(&id)));
            }
        }
    }
    Ok(())
}

fn list(found: &DelegationsBody, out: &mut Output) {
    if out.is_json() {
        return out.json(found);
    }
    let rows: Vec<Vec<String>> = found
        .delegations
        .iter()
        .map(|d| {
            vec![
                show::cell(&d.id, 24),
                show::cell(&d.agent, 40),
                show::cell(&d.person, 40),
                show::cell(&d.scope, 60),
                show::cell(&d.until, 32),
                show::cell(&d.reason, 60),
            ]
        })
        .collect();
    out.table(&["id", "agent", "for", "scope", "until", "reason"], &rows);
}
