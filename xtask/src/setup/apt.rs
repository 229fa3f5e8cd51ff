//! Installing distribution packages with apt-get, never asking a question. Which packages is not decided here.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::{Failure, Outcome};
use crate::run;

const CLUSTER_CONFIGURATION: &str = "/etc/postgresql-common/createcluster.conf";
const NO_CLUSTER: &str = "create_main_cluster = false";
const SSH_SERVER: &str = "openssh-server";
/// What Debian's packages ask before they start a daemon; 101 is no.
const DAEMON_RULE: &str = "/usr/sbin/policy-rc.d";
const NO_DAEMON: &str = "#!/bin/sh\nexit 101\n";

/// How commands become root's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Power {
    Root,
    Sudo,
}

/// Installs the packages, or says which command would.
pub fn install(packages: &[&str]) -> Outcome {
    let mut packages = packages.to_vec();
    packages.sort_unstable();
    packages.dedup();
    let by_hand = format!(
        "apt-get install --no-install-recommends {}",
        packages.join(" ")
    );
    if run::on_path("apt-get").is_none() {
        return Err(Failure::missing(format!(
            "this machine has no apt-get; install the equivalents of: {}",
            packages.join(" ")
        )));
    }
    let Some(power) = power() else {
        return Err(Failure::missing(format!(
            "not root, and sudo asks for a password; run:\n  sudo {by_hand}"
        )));
    };
    if packages
        .iter()
        .any(|package| package.starts_with("postgresql"))
    {
        keep_clusters_away(power)?;
    }
    println!("setup: {by_hand}");
    run::shown(privileged(power, "apt-get").args(["-q", "update"]))?;
    let mut apt = privileged(power, "apt-get");
    apt.args([
        "-q",
        "-y",
        "--no-install-recommends",
        "-o",
        "Dpkg::Options::=--force-confold",
        "install",
    ])
    .args(&packages);
    without_daemons(power, || run::shown(&mut apt))?;
    if packages.contains(&SSH_SERVER) {
        // It came for tests: the machine shall not open a door at its next start that nobody asked for.
        run::shown(privileged(power, "update-rc.d").args(["ssh", "disable"]))?;
    }
    Ok(())
}

fn power() -> Option<Power> {
    if std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0) {
        return Some(Power::Root);
    }
    run::succeeds(Command::new("sudo").args(["-n", "true"])).then_some(Power::Sudo)
}

fn privileged(power: Power, program: &str) -> Command {
    // `env` rather than the process's own environment: sudo drops that.
    let quiet = ["DEBIAN_FRONTEND=noninteractive", "UCF_FORCE_CONFFOLD=1"];
    let mut command = match power {
        Power::Root => Command::new("env"),
        Power::Sudo => {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "env"]);
            sudo
        }
    };
    command.args(quiet).arg(program).stdin(Stdio::null());
    command
}

/// Debian's server package makes a database cluster and starts it when it is installed. Nobody asked for that.
fn keep_clusters_away(power: Power) -> Outcome {
    let before = std::fs::read_to_string(CLUSTER_CONFIGURATION).unwrap_or_default();
    let Some(after) = without_cluster(&before) else {
        return Ok(());
    };
    if let Some(dir) = Path::new(CLUSTER_CONFIGURATION).parent() {
        run::shown(privileged(power, "mkdir").arg("-p").arg(dir))?;
    }
    write(power, CLUSTER_CONFIGURATION, &after)
}

/// Installs while nothing that is installed may start a daemon; a rule that the machine has already stays as it is.
fn without_daemons(power: Power, install: impl FnOnce() -> Outcome) -> Outcome {
    let ours = !Path::new(DAEMON_RULE).exists();
    if ours {
        write(power, DAEMON_RULE, NO_DAEMON)?;
        run::shown(privileged(power, "chmod").args(["755", DAEMON_RULE]))?;
    }
    let outcome = install();
    if ours {
        run::shown(privileged(power, "rm").arg(DAEMON_RULE))?;
    }
    outcome
}

/// Writes a file of root's.
fn write(power: Power, path: &str, text: &str) -> Outcome {
    let mut tee = privileged(power, "tee")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|e| Failure::io("running tee", &e))?;
    if let Some(mut stdin) = tee.stdin.take() {
        stdin
            .write_all(text.as_bytes())
            .map_err(|e| Failure::io(format!("writing {path}"), &e))?;
    }
    let status = tee.wait().map_err(|e| Failure::io("waiting for tee", &e))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("could not write {path}")))
    }
}

/// The configuration with the setting, or nothing if it is set already.
fn without_cluster(before: &str) -> Option<String> {
    let sets = |line: &&str| line.trim_start().starts_with("create_main_cluster");
    if before
        .lines()
        .any(|line| sets(&line) && line.contains("false"))
    {
        return None;
    }
    let mut kept: Vec<&str> = before.lines().filter(|line| !sets(line)).collect();
    kept.push(NO_CLUSTER);
    Some(kept.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_setting_is_added_once_and_keeps_the_rest() {
        let first = without_cluster("#create_main_cluster = true\nssl = on\n").unwrap();
        assert_eq!(
            first,
            "#create_main_cluster = true\nssl = on\ncreate_main_cluster = false\n"
        );
        assert_eq!(without_cluster(&first), None);
    }

    #[test]
    fn a_contrary_setting_is_replaced() {
        assert_eq!(
            without_cluster("create_main_cluster = true\n").unwrap(),
            "create_main_cluster = false\n"
        );
        assert_eq!(
            without_cluster("").unwrap(),
            "create_main_cluster = false\n"
        );
    }
}
