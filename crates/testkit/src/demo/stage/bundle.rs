//! The bundle: that of `examples/orders`, word for word but for the ports of this run.

use super::super::failure::{During, Failure};
use super::host::Host;
use crate::postgres::process::free_port;
use std::fs;
use std::path::Path;

/// The ports that the bundle names.
#[derive(Debug)]
pub struct Ports {
    /// Where agents connect.
    pub postgres: u16,
    /// Where they connect with SSH.
    pub ssh: u16,
    /// Where the REST API answers.
    pub admin: u16,
    /// Where health answers.
    pub metrics: u16,
}

/// The key that the example's host has.
const EXAMPLE_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMce8IiB7ccn05x4jOb9Pb9ZxHQ+sJTBS/zZdCIy3fh8";

/// Copies the example, in front of a server on this port and of this host.
pub fn copy(to: &Path, server: u16, host: &Host) -> Result<Ports, Failure> {
    let key = host.sshd.host_key().public().trim();
    fill(to, server, host.sshd.port(), key)
}

fn fill(to: &Path, server: u16, host: u16, key: &str) -> Result<Ports, Failure> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders");
    copy_tree(&from, to)?;
    let ports = Ports {
        postgres: free_port()?,
        ssh: free_port()?,
        admin: free_port()?,
        metrics: free_port()?,
    };
    let file = to.join("brattice.toml");
    let text = fs::read_to_string(&file).during("reading the example's brattice.toml")?;
    let here = |port: u16| format!("127.0.0.1:{port}");
    let text = replaced(
        text,
        &[
            ("127.0.0.1:6432", &here(ports.postgres)),
            ("127.0.0.1:6422", &here(ports.ssh)),
            ("127.0.0.1:8443", &here(ports.admin)),
            ("127.0.0.1:9464", &here(ports.metrics)),
            ("port = 5432", &format!("port = {server}")),
            ("port = 22\n", &format!("port = {host}\n")),
            (EXAMPLE_KEY, key),
        ],
    )?;
    fs::write(&file, text).during("writing the bundle's brattice.toml")?;
    Ok(ports)
}

/// Each is there exactly once, or the example is no longer what this knows.
fn replaced(mut text: String, changes: &[(&str, &str)]) -> Result<String, Failure> {
    for (old, new) in changes {
        if text.matches(old).count() != 1 {
            return Err(Failure::NotSo(format!(
                "examples/orders/brattice.toml has `{old}` once"
            )));
        }
        text = text.replace(old, new);
    }
    Ok(text)
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).during("making a directory of the bundle")?;
    for entry in fs::read_dir(from).during("reading the example")?.flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_tree(&from, &to)?;
        } else {
            fs::copy(&from, &to).during("copying the example")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_has_what_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("orders");
        let ports = fill(&to, 1, 2, "ssh-ed25519 AAAA").unwrap();
        let text = fs::read_to_string(to.join("brattice.toml")).unwrap();
        assert!(
            text.contains(&format!("127.0.0.1:{}", ports.admin)),
            "{text}"
        );
        assert!(to.join("policies/agents.cedar").is_file());
    }
}
