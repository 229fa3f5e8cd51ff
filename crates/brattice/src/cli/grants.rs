//! `brattice request` and `brattice grants`.

use super::approvals;
use super::args::{
    GatewayArgs, GrantsArgs, GrantsCommand, RequestArgs, RequestCommand, RequestCreateArgs,
};
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::show;
use super::whoami::chain;
use brattice_admin::body::{
    ApprovalBody, DoneBody, GrantRequest, GrantsBody, ReasonRequest, RequestedBody,
};
use std::time::Duration;

/// How often a question is looked at while somebody waits for its answer.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub fn request(gateway: &GatewayArgs, args: RequestArgs, out: &mut Output) -> Result<(), Failure> {
    let RequestCommand::Create(asked) = args.command;
    create(&Client::new(gateway)?, asked, out)
}

fn create(client: &Client, asked: RequestCreateArgs, out: &mut Output) -> Result<(), Failure> {
    let seconds = asked.lifetime.as_secs();
    if !seconds.is_multiple_of(60) {
        return Err(Failure::usage("--for is in whole minutes, as in 30m"));
    }
    let minutes = seconds / 60;
    let request = GrantRequest {
        target: asked.target,
        effects: asked.effects,
        connect: asked.connect,
        reveal: asked.reveal,
        minutes,
        reason: asked.reason,
    };
    let mut answer: RequestedBody = client.post(&["grants", "requests"], &request)?;
    if asked.wait
        && let Some(approval) = &mut answer.approval
    {
        if !out.is_json() {
            out.say(&format!("{} waits for people", show::visible(&approval.id)));
        }
        while approval.state == "pending" {
            std::thread::sleep(LOOK_EVERY);
            let id = approval.id.clone();
            *approval = client.get(&["approvals", &id], &[])?;
        }
    }
    tell(&answer, out);
    match &answer.approval {
        Some(a) if !matches!(a.state.as_str(), "pending" | "approved" | "consumed") => {
            Err(refused(a))
        }
        _ => Ok(()),
    }
}

fn tell(answer: &RequestedBody, out: &mut Output) {
    if out.is_json() {
        return out.json(answer);
    }
    match &answer.approval {
        None => out.line("nothing to ask: no rule stands in the way of it"),
        Some(a) if a.state == "consumed" => out.line(format!(
            "{} is granted; see `brattice grants list`",
            show::visible(&a.id)
        )),
        Some(a) => {
            out.line(format!(
                "{} asks {}",
                show::visible(&a.id),
                show::visible(&approvals::waits_for(a).join("; "))
            ));
            out.line(format!(
                "they look at it with `brattice approvals show {}`, and then approve or deny it",
                show::visible(&a.id)
            ));
        }
    }
    for (what, rules) in [
        (
            "people will be asked each time even so, by the rules",
            &answer.asks_each_time,
        ),
        (
            "this stays refused, whoever says yes, by the rules",
            &answer.forbidding,
        ),
        (
            "this stays refused, as no rule permits it",
            &answer.unpermitted,
        ),
    ] {
        if !rules.is_empty() {
            out.line(format!("{what}: {}", show::visible(&rules.join(", "))));
        }
    }
}

fn refused(approval: &ApprovalBody) -> Failure {
    let no = approval.answers.iter().find(|a| !a.yes);
    let why = no
        .and_then(|a| a.reason.as_deref())
        .map(|r| format!(": {}", show::visible(r)))
        .unwrap_or_default();
    Failure::failed(format!(
        "{} was not granted, it is {}{why}",
        show::visible(&approval.id),
        show::visible(&approval.state)
    ))
}

pub fn grants(gateway: &GatewayArgs, args: GrantsArgs, out: &mut Output) -> Result<(), Failure> {
    let client = Client::new(gateway)?;
    match args.command {
        GrantsCommand::List => {
            let found: GrantsBody = client.get(&["grants"], &[])?;
            list(&found, out);
        }
        GrantsCommand::End { id, reason } => {
            let done: DoneBody = client.post(&["grants", &id, "end"], &ReasonRequest { reason })?;
            if out.is_json() {
                out.json(&done);
            } else {
                out.line(format!("{} has ended", show::visible(&id)));
            }
        }
    }
    Ok(())
}

fn list(found: &GrantsBody, out: &mut Output) {
    if out.is_json() {
        return out.json(found);
    }
    let rows: Vec<Vec<String>> = found
        .grants
        .iter()
        .map(|g| {
            vec![
                show::cell(&g.id, 24),
                show::cell(&chain(&g.chain), 48),
                show::cell(&g.target, 32),
                show::cell(&g.rule, 40),
                show::cell(&g.until, 32),
                show::cell(&g.approvers.join(", "), 48),
            ]
        })
        .collect();
    out.table(&["id", "for", "target", "lifts", "until", "by"], &rows);
}
