//! `brattice token`: trading one's token for a narrower one.

use super::args::{GatewayArgs, TokenArgs, TokenCommand, TokenExchangeArgs};
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use brattice_admin::oauth::{ACCESS_TOKEN, DELEGATION, GRANT, TOKEN_PATH};
use serde::{Deserialize, Serialize};

pub fn run(gateway: &GatewayArgs, args: TokenArgs, out: &mut Output) -> Result<(), Failure> {
    match args.command {
        TokenCommand::Exchange(asked) => exchange(gateway, &asked, out),
    }
}

fn exchange(
    gateway: &GatewayArgs,
    asked: &TokenExchangeArgs,
    out: &mut Output,
) -> Result<(), Failure> {
    let client = Client::new(gateway)?;
    let scope: Vec<String> = asked
        .target
        .iter()
        .map(|name| format!("target:{name}"))
        .chain(asked.class.iter().map(|name| format!("class:{name}")))
        .chain(asked.effects.iter().cloned())
        .chain(asked.commands.map(|n| format!("commands:{n}")))
        .chain(asked.rows.map(|n| format!("rows:{n}")))
        .chain(asked.bytes.map(|n| format!("bytes:{n}")))
        .collect();
    let (scope, lifetime) = (scope.join(" "), asked.ttl.as_secs().to_string());
    let own = client.token().expose_str().unwrap_or_default();
    let subject_type = match asked.delegation {
        Some(_) => DELEGATION,
        None => ACCESS_TOKEN,
    };
    let mut form = vec![
        ("grant_type", GRANT),
        ("subject_token_type", subject_type),
        ("scope", &scope),
        ("lifetime", &lifetime),
    ];
    let actor;
    match (&asked.on_behalf_of, &asked.delegation) {
        (_, Some(id)) => form.extend([
            ("subject_token", id.as_str()),
            ("actor_token", own),
            ("actor_token_type", ACCESS_TOKEN),
        ]),
        (None, None) => form.push(("subject_token", own)),
        (Some(path), None) => {
            actor = super::gateway::token_of(path)?;
            let subject = actor.expose_str().unwrap_or_default();
            form.extend([
                ("subject_token", subject),
                ("actor_token", own),
                ("actor_token_type", ACCESS_TOKEN),
            ]);
        }
    }
    if let Some(name) = &asked.worker {
        form.push(("worker", name));
    }
    if let Some(to) = &asked.bind_to {
        form.push(("bind_to", to));
    }
    let issued: Issued = client.form(TOKEN_PATH, &form)?;
    if issued.expires_in < asked.ttl.as_secs() {
        out.say(&format!(
            "note: it lives for {} s, which is as long as your token and `limits.own_token_lifetime_max` let it",
            issued.expires_in
        ));
    }
    if out.is_json() {
        out.json(&issued);
    } else {
        out.line(&issued.access_token);
    }
    Ok(())
}

/// RFC 8693, section 2.2.1.
#[derive(Debug, Serialize, Deserialize)]
struct Issued {
    access_token: String,
    issued_token_type: String,
    token_type: String,
    expires_in: u64,
    scope: String,
}
