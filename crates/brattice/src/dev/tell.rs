//! What somebody sees who starts to try: where everything is, who exists, and what to type next.

use super::parties::Told;
use super::state::State;
use crate::run::{Gateway, Running};
use std::fmt::Write as _;
use std::io::Write as _;

/// Writes it to standard output. Nobody reading it is no reason to stop.
pub(super) fn next(running: &Running, state: &State, issuer: &str, parties: &[Told]) {
    let text = text(running, state, issuer, parties);
    let mut out = std::io::stdout().lock();
    let _gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn text(running: &Running, state: &State, issuer: &str, parties: &[Told]) -> String {
    let mut text = String::from(
        "\nBrattice runs on this machine for trying out. Its people and agents are made up. Ctrl-C stops it.\n\n",
    );
    // Writing to a String cannot fail.
    if let Some(address) = running.addresses.postgres {
        let _ = writeln!(text, "  PostgreSQL  {address}");
    }
    if let Some(address) = running.addresses.ssh {
        let _ = writeln!(text, "  SSH         {address}");
    }
    let _ = writeln!(text, "  API         http://{}", running.addresses.admin);
    if let Some(address) = running.addresses.metrics {
        let _ = writeln!(text, "  Metrics     http://{address}/metrics");
    }
    let _ = writeln!(text, "  Provider    {issuer}");
    let _ = writeln!(text, "  State       {}\n", state.given.display());
    for (title, agents) in [("Agents", true), ("People", false)] {
        let _ = writeln!(text, "{title}:");
        for party in parties.iter().filter(|p| p.is_agent == agents) {
            let groups = if party.groups.is_empty() {
                "no group".to_owned()
            } else {
                party.groups.join(", ")
            };
            let _ = writeln!(text, "  {:<14}{groups}", party.name);
        }
    }
    text.push_str("\nIn another terminal, in this directory:\n\n");
    let at = if state.given == std::path::Path::new(super::STATE) {
        String::new()
    } else {
        format!(" --state {}", shell(&state.given.display().to_string()))
    };
    if let Some(address) = running.addresses.postgres {
        for agent in parties.iter().filter(|p| p.is_agent) {
            let line = psql(&running.gateway, state, &agent.name, address.port());
            let _ = writeln!(
                text,
                "  PGPASSWORD=\"$({})\" {line}",
                token(&agent.name, &at)
            );
        }
    }
    let agent = parties.iter().find(|p| p.is_agent);
    if let (Some(_), Some(host), Some(agent)) =
        (running.addresses.ssh, host(&running.gateway), agent)
    {
        let url = format!("BRATTICE_URL=http://{}", running.addresses.admin);
        let token = token(&agent.name, &at);
        let _ = writeln!(
            text,
            "\n  {url} BRATTICE_TOKEN=\"$({token})\" brattice ssh {} -- uptime",
            shell(&host)
        );
    }
    if let Some(person) = answerer(&running.gateway, parties) {
        let _ = writeln!(
            text,
            "\n  export BRATTICE_URL=http://{}",
            running.addresses.admin
        );
        let token = format!("BRATTICE_TOKEN=\"$({})\"", token(&person.name, &at));
        let _ = writeln!(text, "  {token} brattice approvals list");
        let _ = writeln!(
            text,
            "\n  brattice login          # or sign in as one of the people, in a browser\n  brattice approvals list\n"
        );
    }
    text
}

/// How one gets a token of the provider's; `at` names a state that is not the usual one.
fn token(name: &str, at: &str) -> String {
    format!("brattice dev token {name}{at}")
}

/// Somebody whom a rule asks; else anybody.
fn answerer<'p>(gateway: &Gateway, parties: &'p [Told]) -> Option<&'p Told> {
    let force = gateway.gate.in_force();
    let asked: Vec<String> = force
        .rules
        .rules()
        .iter()
        .filter_map(|r| r.asked())
        .flat_map(|a| a.groups)
        .collect();
    // Policies put the provider's name before a group.
    let is_asked = |group: &String| {
        asked
            .iter()
            .any(|a| a.split_once('/').is_some_and(|(_, name)| name == group))
    };
    let mut people = parties.iter().filter(|p| !p.is_agent);
    people
        .clone()
        .find(|p| p.groups.iter().any(is_asked))
        .or_else(|| people.next())
}

/// The first host.
fn host(gateway: &Gateway) -> Option<String> {
    let checked = gateway.checked.load();
    let mut hosts = checked.targets.iter().filter(|(_, t)| t.ssh.is_some());
    hosts.next().map(|(name, _)| name.clone())
}

/// A command that opens the first database.
fn psql(gateway: &Gateway, state: &State, user: &str, port: u16) -> String {
    let checked = gateway.checked.load();
    let mut databases = checked.targets.iter().filter(|(_, t)| t.ssh.is_none());
    let database = databases.next().map_or_else(
        || "TARGET/DATABASE".to_owned(),
        |(name, t)| match &t.database {
            Some(database) => format!("{name}/{database}"),
            None => name.clone(),
        },
    );
    let words = [
        ("host", "127.0.0.1".to_owned()),
        ("port", port.to_string()),
        ("dbname", database),
        ("user", user.to_owned()),
        ("sslmode", "verify-full".to_owned()),
        ("sslrootcert", state.authority().display().to_string()),
    ];
    let words: Vec<String> = words
        .iter()
        .map(|(key, value)| format!("{key}={}", quoted(value)))
        .collect();
    format!("psql {}", shell(&words.join(" ")))
}

/// A value of a connection string (libpq, "Connection Strings").
fn quoted(value: &str) -> String {
    if !value.is_empty()
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-:@".contains(c))
    {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A word of a POSIX shell.
fn shell(word: &str) -> String {
    if !word.is_empty()
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-:@=".contains(c))
    {
        return word.to_owned();
    }
    let inner = word
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('$', "\\$")
        .replace('`', "\\`");
    format!("\"{inner}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    #[test]
    fn the_token_s_command_is_one_that_the_command_line_takes() {
        for at in ["", " --state elsewhere"] {
            let line = token("etl-7", at);
            assert_eq!(cli::takes(line.split(' ')), Ok(()), "{line}");
        }
    }

    #[test]
    fn what_is_to_be_typed_stays_one_word() {
        assert_eq!(quoted("/tmp/ca.crt"), "/tmp/ca.crt");
        assert_eq!(quoted("/my dir/it's"), "'/my dir/it\\'s'");
        assert_eq!(shell("host=a dbname='x y'"), "\"host=a dbname='x y'\"");
        assert_eq!(shell("$(rm -r)`x`\"\\"), "\"\\$(rm -r)\\`x\\`\\\"\\\\\"");
    }
}
