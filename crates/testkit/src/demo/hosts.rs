//! The same agent on a host, with stock ssh and sftp: what it sees is masked, what nobody permits never arrives, a service
//! begins anew when a person agrees, and a file that it uploads is on record.
//!
//! Here live these steps. What really happened is asked of the host: its shell's own notes, its service, its files.

use super::approving::{approve, word_with};
use super::failure::During;
use super::shell::Shell;
use super::stage::LOG;
use super::{ANSWER_MAX, Demo, Failure};
use crate::client::{Running, Said};
use std::fs;

/// How ssh names the host.
const HOST: &str = "-F ssh/config orders-host.brattice";

/// The whole part.
pub fn are_reached_by_ssh(demo: &mut Demo<'_>) -> Result<(), Failure> {
    demo.shown
        .chapter("The same agent works on a host, with plain ssh");
    demo.shown.tell(
        "The host lets in nobody but the gateway, whose key it knows. The agent gets a certificate for fifteen minutes, for \
         the same token; ssh needs nothing else.",
    );
    let agent = demo.stage.agent.clone();
    for line in [
        "brattice ssh config --write ssh",
        "brattice ssh cert orders-host --out ssh/orders-host",
    ] {
        let said = demo.types(&agent, line)?;
        if !said.is_good() {
            return demo.broken("the agent is given a certificate", &said.err);
        }
    }
    looks(demo, &agent)?;
    removes_nothing(demo, &agent)?;
    types_lines(demo, &agent)?;
    begins_anew_when_approved(demo, &agent)?;
    uploads(demo, &agent)
}

fn looks(demo: &mut Demo<'_>, agent: &Shell) -> Result<(), Failure> {
    let said = demo.types(agent, &format!("ssh {HOST} 'cat ~/orders.log'"))?;
    let hidden = ["ada.okafor@", "5555555555554444", "wei.chen@"];
    demo.fact(
        "it reads a log; email addresses and cards in it are masked on the way",
        "ssh's output, beside the file on the host",
        said.is_good()
            && said.out.contains("order 1 shipped")
            && hidden.iter().all(|value| !said.out.contains(value))
            && demo.stage.host.file("orders.log") == LOG,
        &format!("{}{}", said.out, said.err),
    )
}

fn removes_nothing(demo: &mut Demo<'_>, agent: &Shell) -> Result<(), Failure> {
    let mark = demo.stage.host.sshd.mark();
    let plain = demo.types(agent, &format!("ssh {HOST} 'rm -rf ~/orders.log'"))?;
    demo.shown.tell("Spelling it in another way does not help:");
    let hidden = demo.types(
        agent,
        &format!("ssh {HOST} 'find ~ -name orders.log -exec sh -c \"r\\m {{}}\" \\;'"),
    )?;
    let ran = demo.stage.host.ran_since(mark);
    demo.fact(
        "both are refused, and the host's shell was given neither",
        "ssh's exit status, what the shell noted, and the file",
        plain.err.contains("no-destruction")
            && !hidden.is_good()
            && ran.is_empty()
            && demo.stage.host.file("orders.log") == LOG,
        &format!("{}{}the shell was given {ran:?}", plain.err, hidden.err),
    )
}

fn types_lines(demo: &mut Demo<'_>, agent: &Shell) -> Result<(), Failure> {
    demo.shown.tell(
        "It may open no shell, in which nothing could be judged. A typed shell judges each line, where the lines before led:",
    );
    let mark = demo.stage.host.sshd.mark();
    let said = demo.types(
        agent,
        "printf 'cd ~\\nwc -l orders.log\\nrm orders.log\\n' | brattice ssh --typed orders-host",
    )?;
    let ran = demo.stage.host.ran_since(mark);
    demo.fact(
        "each line is judged by itself, and the refused one never reached the host",
        "what the host's shell was given, and the file",
        said.out.contains("orders.log")
            && said.err.contains("no-destruction")
            && ran.len() == 2
            && demo.stage.host.file("orders.log") == LOG,
        &format!("{}{}the shell was given {ran:?}", said.out, said.err),
    )
}

fn begins_anew_when_approved(demo: &mut Demo<'_>, agent: &Shell) -> Result<(), Failure> {
    let line = format!("kill -HUP {}", demo.stage.host.worker);
    let before = demo.stage.host.file("worker.log");
    let said = held_and_approved(
        demo,
        agent,
        &format!("ssh {HOST} '{line}'"),
        "the worker may begin anew",
    )?;
    let log = demo.stage.host.comes("worker.log", |t| t.contains("anew"));
    demo.fact(
        "the service on the host began anew, and not before somebody agreed",
        "the service's own log",
        said.is_good() && !before.contains("anew") && log.matches("anew").count() == 1,
        &format!("{before}{log}{}", said.err),
    )
}

fn uploads(demo: &mut Demo<'_>, agent: &Shell) -> Result<(), Failure> {
    demo.shown.chapter("It uploads a file with sftp");
    fs::write(
        demo.stage.dir.join("report.csv"),
        "order,total\n1,49.00\n2,310.50\n",
    )
    .during("writing a report")?;
    let digest = demo.types(agent, "sha256sum report.csv")?;
    let digest = digest.out.split(' ').next().unwrap_or_default().to_owned();
    let line = format!("echo put report.csv | sftp -q -b - {HOST}");
    let said = held_and_approved(demo, agent, &line, "the report was asked for")?;
    let arrived = demo.stage.host.file("report.csv");
    demo.fact(
        "the file arrived when a person had agreed",
        "the file on the host",
        said.is_good() && arrived.starts_with("order,total"),
        &format!("{arrived}{}", said.err),
    )?;
    let avery = demo.stage.person("avery");
    let listed = avery.answer("brattice sessions list --target orders-host --limit 1")?;
    let Some(session) = word_with(&listed, "ses_") else {
        return demo.broken("the session is listed", &listed);
    };
    demo.shown.tell("avery, an auditor, sees what was moved:");
    let replayed = demo.types(
        &avery,
        &format!("brattice sessions replay {session} --output"),
    )?;
    demo.fact(
        "the recording names the operation and the file, with its digest",
        "the digest that the agent's own sha256sum gave",
        replayed.out.contains("report.csv") && replayed.out.contains(&digest),
        &replayed.out,
    )
}

/// Types a line that is held, has dana approve it, and gives what came of it.
fn held_and_approved(
    demo: &mut Demo<'_>,
    agent: &Shell,
    line: &str,
    reason: &str,
) -> Result<Said, Failure> {
    demo.shown.typed(&agent.prompt(), line);
    let running = Running::start(agent.command(line)).during("starting a client")?;
    let dana = demo.stage.person("dana");
    let id = open_question(demo, &dana)?;
    demo.shown.tell("It waits. In another terminal, dana:");
    approve(demo, &dana, &id, reason)?;
    let said = running.wait(ANSWER_MAX);
    demo.shown.tell("And the client goes on:");
    demo.shown.said(&said.out);
    demo.shown.said(&said.err);
    Ok(said)
}

/// Waits until there is a question.
fn open_question(demo: &mut Demo<'_>, dana: &Shell) -> Result<String, Failure> {
    let by = std::time::Instant::now() + ANSWER_MAX;
    loop {
        let listed = dana.answer("brattice approvals list --state pending")?;
        match word_with(&listed, "apr_") {
            Some(id) => return Ok(id),
            None if std::time::Instant::now() >= by => {
                return demo.broken("somebody is asked", &listed);
            }
            None => std::thread::sleep(std::time::Duration::from_millis(50)),
        }
    }
}
