//! `brattice ssh`: certificates for keys, a configuration for the clients that people use, and the way to a host.
//!
//! Lives here: what each command asks of the gateway and prints. Never: a private key in an argument or in the output; SSH
//! itself, which the stock client speaks.

mod agent;
mod connect;
mod files;

use super::args::{GatewayArgs, SshArgs, SshCertArgs, SshCommand};
use super::client::Client;
use super::exit::{Exit, Failure};
use super::output::Output;
use super::show;
use crate::run::{SystemRandomness, with_causes};
use brattice_admin::body::{CertificateBody, CertificateRequest, SshBody};
use brattice_identity::ssh::{SshError, line, new_key};
pub use files::private_dir;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The longest public key that is read from a file.
const KEY_BYTES_MAX: u64 = 16 * 1024;

pub fn run(gateway: &GatewayArgs, args: SshArgs, out: &mut Output) -> Result<(), Failure> {
    let client = Client::new(gateway)?;
    match (args.command, args.target) {
        (Some(SshCommand::List), _) => list(&client, out),
        (Some(SshCommand::Cert(args)), _) => cert(&client, args, out),
        (Some(SshCommand::Config { write }), _) => config(&client, write, out),
        (Some(SshCommand::Ca), _) => ca(&client, out),
        (None, Some(target)) => {
            let wish = connect::Wish {
                target: &target,
                tty: args.tty,
                typed: args.typed,
                fresh: args.fresh,
                ttl: args.ttl,
                words: &args.words,
            };
            connect::run(&client, &wish)
        }
        (None, None) => Err(Failure::usage("which host is not said")),
    }
}

/// The listener, and what is open behind it.
fn front(client: &Client) -> Result<SshBody, Failure> {
    let front: SshBody = client.get(&["ssh"], &[])?;
    // What goes into files that ssh reads must be no more than the names and keys that it is said to be.
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@$:".contains(c);
    let is_name =
        |text: &str| !text.is_empty() && !text.starts_with(['-', '.']) && text.chars().all(plain);
    let is_word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    let is_key = |text: &str| {
        let words: Vec<&str> = text.split(' ').collect();
        matches!(words.as_slice(), [kind, key] if is_word(kind) && is_word(key))
    };
    let keys = [&front.host_ca, &front.host_key, &front.target_ca];
    let targets = front
        .targets
        .iter()
        .all(|t| is_name(&t.target) && t.accounts.iter().all(|a| is_name(a)));
    match is_name(&front.host) && keys.iter().all(|k| is_key(k)) && targets {
        true => Ok(front),
        false => Err(Failure::new(
            Exit::Unreachable,
            "the gateway's answer is not understood: a name or a key in it is none",
        )),
    }
}

fn list(client: &Client, out: &mut Output) -> Result<(), Failure> {
    let front = front(client)?;
    if out.is_json() {
        out.json(&front);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = front
        .targets
        .iter()
        .map(|t| {
            vec![
                show::cell(&t.target, 48),
                show::cell(&t.accounts.join(" "), 80),
            ]
        })
        .collect();
    out.table(&["target", "accounts"], &rows);
    Ok(())
}

fn ca(client: &Client, out: &mut Output) -> Result<(), Failure> {
    let front = front(client)?;
    match out.is_json() {
        true => out.json(&json!({ "target_ca": front.target_ca })),
        false => out.line(format!("{} brattice", front.target_ca)),
    }
    Ok(())
}

fn cert(client: &Client, args: SshCertArgs, out: &mut Output) -> Result<(), Failure> {
    let ask = |public_key: String| -> Result<CertificateBody, Failure> {
        let request = CertificateRequest {
            target: args.target.clone(),
            public_key,
            ttl_seconds: args.ttl.as_secs(),
            single_use: args.single_use,
            from: args.from.clone(),
        };
        client.post(&["ssh", "certificates"], &request)
    };
    if let Some(public) = &args.key {
        let text = public_key(public)?;
        let path = files::certificate_of(public)?;
        let body = ask(text)?;
        files::write(&path, body.certificate.as_bytes(), files::PUBLIC)?;
        return told(&body, Some(&path), out);
    }
    // Known before a credential is minted that would have nowhere to go.
    let place = match &args.out {
        Some(path) => Place::Files(files::may_write(path)?),
        None => Place::Agent(agent::Agent::of_environment()?),
    };
    let key = new_key(&SystemRandomness).map_err(|why| unmade(&why))?;
    let body = ask(line(key.public_key()).map_err(|why| unmade(&why))?)?;
    match place {
        Place::Files(path) => {
            files::write_pair(&path, &key, &body.certificate)?;
            told(&body, Some(&path), out)
        }
        Place::Agent(agent) => {
            agent.add(&key, &body)?;
            told(&body, None, out)
        }
    }
}

/// Where a key goes that is made here.
enum Place {
    Files(PathBuf),
    Agent(agent::Agent),
}

fn told(body: &CertificateBody, file: Option<&Path>, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        out.json(&json!({
            "id": body.id,
            "target": body.target,
            "users": body.users,
            "host": body.host,
            "port": body.port,
            "expires_at": body.expires_at,
            "file": file,
            "agent": file.is_none(),
        }));
        return Ok(());
    }
    let place = match file {
        Some(path) => ("file", path.display().to_string()),
        None => ("key", "in your agent".to_owned()),
    };
    out.fields(&[
        ("id", body.id.clone()),
        place,
        ("host", body.host.clone()),
        ("port", body.port.to_string()),
        ("users", body.users.join("\n")),
        ("until", body.expires_at.clone()),
    ]);
    Ok(())
}

fn public_key(path: &Path) -> Result<String, Failure> {
    let unread = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("no public key from {}: {why}", path.display()))
            .hint("give the file that ends in .pub")
    };
    let length = std::fs::metadata(path).map_err(|why| unread(&why))?.len();
    if length > KEY_BYTES_MAX {
        return Err(unread(&"the file is too large"));
    }
    let text = std::fs::read_to_string(path).map_err(|why| unread(&why))?;
    if text.contains("PRIVATE KEY") {
        return Err(unread(&"it holds a private key, which is sent nowhere"));
    }
    Ok(text.trim().to_owned())
}

fn config(client: &Client, write: Option<PathBuf>, out: &mut Output) -> Result<(), Failure> {
    let front = front(client)?;
    let written = write.is_some();
    let dir = match write {
        Some(dir) => files::private_dir(&dir)?,
        None => PathBuf::from("~/.ssh/brattice"),
    };
    let config = files::config(&front, &dir)?;
    let known_hosts = files::known_hosts(&front);
    if written {
        files::write(&dir.join("config"), config.as_bytes(), files::PUBLIC)?;
        files::write(
            &dir.join("known_hosts"),
            known_hosts.as_bytes(),
            files::PUBLIC,
        )?;
    }
    if out.is_json() {
        out.json(&json!({ "config": config, "known_hosts": known_hosts, "written": written, "dir": dir }));
        return Ok(());
    }
    if written {
        out.line(format!("written: {}/config and known_hosts", dir.display()));
        out.line(format!(
            "add to the top of ~/.ssh/config: Include {}/config",
            dir.display()
        ));
        if let Some(first) = front.targets.first() {
            let target = &first.target;
            out.line(format!(
                "then: brattice ssh cert {target} --out {}/{target} && ssh {target}.brattice",
                dir.display()
            ));
        }
    } else {
        out.line(config.trim_end());
        out.line(format!("\n# {}/known_hosts:", dir.display()));
        out.line(format!("# {}", known_hosts.trim_end()));
    }
    Ok(())
}

fn unmade(why: &SshError) -> Failure {
    Failure::failed(format!("no key could be made: {}", with_causes(why)))
}
