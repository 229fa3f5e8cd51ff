//! `brattice freeze`, `thaw` and `freezes`.

use super::args::{FreezeArgs, GatewayArgs, ReachArgs, ThawArgs};
use super::client::Client;
use super::exit::{Exit, Failure};
use super::output::Output;
use super::show;
use brattice_admin::body::{
    DoneBody, FreezeBody, FreezeRequest, FreezesBody, FrozenBody, ReasonRequest,
};
use serde::Serialize;

pub fn freeze(gateway: &GatewayArgs, args: FreezeArgs, out: &mut Output) -> Result<(), Failure> {
    let request = FreezeRequest {
        target: args.reach.target,
        label: args.reach.label,
        all: args.reach.all,
        reason: args.reason,
    };
    let frozen: FrozenBody = Client::new(gateway)?.post(&["freezes"], &request)?;
    if out.is_json() {
        out.json(&frozen);
        return Ok(());
    }
    let FrozenBody { freeze, sessions } = frozen;
    if freeze.targets.is_empty() {
        out.say("warning: nothing is stopped: no target of the bundle is meant by this; is it spelled right?");
    }
    let targets = match freeze.targets.len() {
        0 => "no target that the bundle has now".to_owned(),
        _ => freeze.targets.join(", "),
    };
    out.line(format!(
        "{} stops {}: {} ended",
        show::visible(&freeze.id),
        show::visible(&targets),
        show::count(sessions, "session")
    ));
    out.line(format!(
        "let them go on with: brattice thaw {}",
        show::visible(&freeze.id)
    ));
    Ok(())
}

pub fn thaw(gateway: &GatewayArgs, args: ThawArgs, out: &mut Output) -> Result<(), Failure> {
    let client = Client::new(gateway)?;
    let ids = match args.id {
        Some(id) => vec![id],
        None => {
            let standing: FreezesBody = client.get(&["freezes"], &[])?;
            let wanted = wanted(&args.reach);
            let same = standing.freezes.into_iter().filter(|f| f.of == wanted);
            same.map(|f| f.id).collect()
        }
    };
    if ids.is_empty() {
        return Err(Failure::failed(
            "no freeze of exactly this stands, or none that is for you to see",
        )
        .hint("`brattice freezes` lists what stands; end one with `brattice thaw ID`"));
    }
    for id in &ids {
        let request = ReasonRequest {
            reason: args.reason.clone(),
        };
        let _done: DoneBody = client.post(&["freezes", id, "thaw"], &request)?;
    }
    if out.is_json() {
        out.json(&Thawed { thawed: ids });
    } else {
        out.line(format!("ended: {}", show::visible(&ids.join(", "))));
    }
    // What still stands may stop the same targets.
    let left: Result<FreezesBody, Failure> = client.get(&["freezes"], &[]);
    match left {
        Ok(left) if !left.freezes.is_empty() && !out.is_json() => {
            out.line("still frozen:");
            table(&left.freezes, out);
            Ok(())
        }
        Err(why) if why.exit == Exit::Unreachable => Err(why),
        _ => Ok(()),
    }
}

pub fn list(gateway: &GatewayArgs, out: &mut Output) -> Result<(), Failure> {
    let standing: FreezesBody = Client::new(gateway)?.get(&["freezes"], &[])?;
    if out.is_json() {
        out.json(&standing);
    } else {
        table(&standing.freezes, out);
    }
    Ok(())
}

/// What `thaw` ended.
#[derive(Serialize)]
struct Thawed {
    thawed: Vec<String>,
}

fn wanted(reach: &ReachArgs) -> String {
    match (&reach.target, &reach.label) {
        (Some(name), _) => format!("target {name}"),
        (None, Some(label)) => format!("label {label}"),
        (None, None) => "all".to_owned(),
    }
}

fn table(freezes: &[FreezeBody], out: &mut Output) {
    let rows: Vec<Vec<String>> = freezes
        .iter()
        .map(|f| {
            vec![
                show::cell(&f.id, 24),
                show::cell(&f.of, 40),
                show::cell(&f.targets.join(","), 48),
                show::cell(&f.by, 32),
                show::cell(&f.at, 32),
                show::cell(&f.reason, 80),
            ]
        })
        .collect();
    out.table(&["id", "of", "targets", "by", "since", "reason"], &rows);
}
