//! `brattice audit`: following the log, taking it away, and verifying it with nothing but the public key.

use super::args::{AuditArgs, AuditCommand, GatewayArgs};
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::show;
use brattice_admin::body::{AuditFilesBody, AuditLineBody};
use brattice_core::time::Timestamp;
use brattice_store::audit::{Head, PublicKey, verify};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Seconds that the gateway waits for a next entry.
const WAIT_SECONDS: &str = "20";

pub fn run(gateway: &GatewayArgs, args: AuditArgs, out: &mut Output) -> Result<(), Failure> {
    match args.command {
        AuditCommand::Verify { dir, key, heads } => verify_files(&dir, &key, &heads, out),
        AuditCommand::Tail { lines, follow } => tail(&Client::new(gateway)?, lines, follow, out),
        AuditCommand::Export { out: dir } => export(&Client::new(gateway)?, &dir, out),
    }
}

fn verify_files(
    dir: &Path,
    key: &Path,
    heads: &[PathBuf],
    out: &mut Output,
) -> Result<(), Failure> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|why| Failure::usage(format!("{} cannot be read: {why}", path.display())))
    };
    let key = PublicKey::from_pem(&read(key)?)
        .map_err(|why| Failure::usage(format!("{}: {why}", key.display())))?;
    let mut kept: Vec<Head> = Vec::new();
    for path in heads {
        for line in read(path)?.lines().filter(|l| !l.trim().is_empty()) {
            let head = serde_json::from_str(line).map_err(|why| {
                Failure::usage(format!(
                    "{} holds a line that is no signed head: {why}",
                    path.display()
                ))
            })?;
            kept.push(head);
        }
    }
    let report = verify(dir, &key, &kept)
        .map_err(|why| Failure::failed(format!("{} cannot be read: {why}", dir.display())))?;
    if report.segments == 0 && kept.is_empty() {
        return Err(
            Failure::usage(format!("{} holds no audit log", dir.display())).hint(
                "it is the directory `audit` below `store.directory`, or what `audit export` wrote",
            ),
        );
    }
    let good = report.problem.is_none();
    if out.is_json() {
        out.json(&json!({ "verified": good, "report": report }));
    } else {
        out.fields(&[
            ("node", report.node.clone().unwrap_or_default()),
            ("entries", report.entries.to_string()),
            ("segments", report.segments.to_string()),
            ("signed heads", report.heads_checked.to_string()),
            ("vouched for", format!("{} entries", report.signed_below)),
        ]);
        let unsigned = report.entries.saturating_sub(report.signed_below);
        if unsigned > 0 {
            out.line(format!(
                "{unsigned} entries after the newest head are chained; no signature vouches for them yet"
            ));
        }
        if report.torn_bytes > 0 {
            out.line(format!(
                "{} bytes of an unfinished last write, which the next start cuts",
                report.torn_bytes
            ));
        }
        match &report.problem {
            None => out.line("verified"),
            Some(problem) => out.line(format!(
                "NOT VERIFIED at position {}: {}",
                problem.position,
                show::visible(&problem.what)
            )),
        }
    }
    if good { Ok(()) } else { Err(Failure::told()) }
}

fn tail(client: &Client, lines: u32, follow: bool, out: &mut Output) -> Result<(), Failure> {
    let mut query = vec![("limit", lines.min(1000).to_string())];
    loop {
        let (found, next): (Vec<AuditLineBody>, _) = client.page(&["audit"], &query)?;
        for line in &found {
            if out.is_json() {
                out.json_line(line);
            } else {
                out.line(one_line(line));
            }
        }
        let Some(next) = next.filter(|_| follow) else {
            return Ok(());
        };
        query = vec![
            ("from", next.to_string()),
            ("limit", "1000".to_owned()),
            ("wait", WAIT_SECONDS.to_owned()),
        ];
    }
}

/// Position, time, kind, and the rest as `name=value`.
fn one_line(line: &AuditLineBody) -> String {
    let entry = line.entry.as_object();
    let text = |name: &str| {
        entry
            .and_then(|e| e.get(name))
            .map(value)
            .unwrap_or_default()
    };
    let at = text("at");
    let at = at.parse().map_or(at, |at| Timestamp(at).to_string());
    let mut shown = format!("{:>8}  {at}  {}", line.position, text("kind"));
    for (name, v) in entry.into_iter().flatten() {
        if !matches!(name.as_str(), "at" | "kind" | "revision") && !v.is_null() {
            shown.push_str(&format!("  {}={}", show::visible(name), value(v)));
        }
    }
    shown
}

fn value(of: &Value) -> String {
    match of {
        Value::String(text) => show::cell(text, 160),
        other => show::cell(&other.to_string(), 160),
    }
}

fn export(client: &Client, dir: &Path, out: &mut Output) -> Result<(), Failure> {
    let failed = |path: &Path, why: std::io::Error| {
        Failure::failed(format!("{} cannot be written: {why}", path.display()))
    };
    std::fs::create_dir_all(dir).map_err(|why| failed(dir, why))?;
    let listed: AuditFilesBody = client.get(&["audit", "files"], &[])?;
    let mut done = Vec::new();
    for file in &listed.files {
        let plain = !file.name.starts_with('.')
            && file
                .name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
        if !plain {
            return Err(Failure::failed(
                "the gateway named a file with a path; nothing was written for it",
            ));
        }
        let path = dir.join(&file.name);
        let mut target = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|why| failed(&path, why))?;
        let mut offset: u64 = 0;
        // As long as they were when they were listed: the lengths fit together, while the log goes on growing (by this
        // very export, among others).
        while offset < file.bytes {
            let mut piece = client.octets(
                &["audit", "files", &file.name],
                &[("offset", offset.to_string())],
            )?;
            if piece.is_empty() {
                return Err(Failure::failed(format!(
                    "the gateway gave {offset} of {} bytes of {}; export again into an empty directory",
                    file.bytes, file.name
                )));
            }
            piece.truncate(usize::try_from(file.bytes - offset).unwrap_or(usize::MAX));
            target.write_all(&piece).map_err(|why| failed(&path, why))?;
            offset = offset.saturating_add(piece.len() as u64);
        }
        target.sync_all().map_err(|why| failed(&path, why))?;
        done.push(json!({ "name": file.name, "bytes": offset }));
        if !out.is_json() {
            out.line(format!("{} ({offset} bytes)", path.display()));
        }
    }
    if out.is_json() {
        out.json(&json!({ "files": done }));
    }
    Ok(())
}
