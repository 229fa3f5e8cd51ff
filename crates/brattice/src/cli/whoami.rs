//! `brattice whoami`.

use super::args::GatewayArgs;
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use brattice_admin::body::{PrincipalBody, WhoamiBody};

pub fn run(gateway: &GatewayArgs, out: &mut Output) -> Result<(), Failure> {
    let who: WhoamiBody = Client::new(gateway)?.get(&["whoami"], &[])?;
    if out.is_json() {
        out.json(&who);
        return Ok(());
    }
    let mut groups: Vec<String> = who.chain.iter().flat_map(|p| p.groups.clone()).collect();
    groups.sort();
    groups.dedup();
    out.fields(&[
        ("you", chain(&who.chain)),
        ("groups", groups.join(", ")),
        ("proven by", who.by),
        (
            "token",
            who.token_id.unwrap_or_else(|| "has no id".to_owned()),
        ),
        (
            "second factor",
            if who.mfa { "yes" } else { "no" }.to_owned(),
        ),
        ("signed in", who.authenticated_at),
        ("until", who.expires_at),
        (
            "narrowed to",
            if who.scope.is_empty() {
                "nothing: all that rules permit".to_owned()
            } else {
                who.scope
            },
        ),
    ]);
    Ok(())
}

/// `agent:okta/etl-7 for user:okta/bob`.
pub fn chain(of: &[PrincipalBody]) -> String {
    let links: Vec<String> = of.iter().map(|p| format!("{}:{}", p.kind, p.id)).collect();
    links.join(" for ")
}
