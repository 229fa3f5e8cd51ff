//! Operations on files: as what the gate is asked, and what is told of them.
//!
//! Lives here: which acts an operation is. Never: whether it may.

use super::super::channel::one_line;
use brattice_core::action::Verb;
use brattice_core::gate::Request;
use brattice_wire::ssh::sftp::{Ask, Code, Content, FileDone, Operation};

/// The request to the gate that a question of the machine is.
pub(super) fn request(ask: Ask) -> Request {
    Request::Files {
        acts: acts(&ask),
        text: format!("sftp {}", ask.line),
        frame: ask.frame,
    }
}

/// The file that it opens.
pub(super) fn opens(ask: &Ask) -> Option<String> {
    let opens = matches!(
        ask.operation,
        Operation::Read | Operation::Write { .. } | Operation::ReadWrite { .. }
    );
    opens.then(|| ask.path.clone())
}

/// What is done to which path. A link or a further name is a way to what it names: making one needs what using it would.
fn acts(ask: &Ask) -> Vec<(Verb, String)> {
    let first = |verb| (verb, ask.path.clone());
    let second = |verb| ask.second.clone().map(|path| (verb, path));
    let mut acts = match ask.operation {
        Operation::Read => vec![first(Verb::SshDownload)],
        Operation::Write { .. } => vec![first(Verb::SshUpload)],
        Operation::ReadWrite { .. } => vec![first(Verb::SshDownload), first(Verb::SshUpload)],
        Operation::List | Operation::Stat => vec![first(Verb::SshList)],
        Operation::Delete | Operation::RemoveDirectory => vec![first(Verb::SshDelete)],
        Operation::MakeDirectory => vec![first(Verb::SshUpload)],
        Operation::Rename { .. } => vec![first(Verb::SshRename)],
        Operation::SetAttributes(which) => {
            let writes = which.size || which.times;
            let mut acts = Vec::new();
            if writes {
                acts.push(first(Verb::SshUpload));
            }
            if which.permissions || which.owner || !writes {
                acts.push(first(Verb::SshChmod));
            }
            acts
        }
        Operation::SymbolicLink => vec![first(Verb::SshUpload)],
        Operation::HardLink => vec![first(Verb::SshDownload), first(Verb::SshUpload)],
    };
    match ask.operation {
        Operation::Rename { replace } => {
            acts.extend(second(Verb::SshRename));
            // What has that name already is overwritten.
            acts.extend(second(Verb::SshUpload).filter(|_| replace));
        }
        Operation::SymbolicLink => {
            acts.extend(second(Verb::SshDownload));
            acts.extend(second(Verb::SshUpload));
        }
        Operation::HardLink => acts.extend(second(Verb::SshUpload)),
        _ => {}
    }
    // On what is made, the mode is part of making it, unless it gives rights that no upload should: set-user-ID and the like.
    let made = !matches!(ask.operation, Operation::SetAttributes(_));
    if made && ask.attributes.permissions.is_some_and(|p| p & 0o7000 != 0) {
        acts.push(first(Verb::SshChmod));
    }
    acts
}

/// How an operation ended, for the record.
pub(super) fn outcome(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Eof => "end",
        Code::NoSuchFile => "no such file",
        Code::PermissionDenied => "not permitted by the host",
        Code::OpUnsupported => "not supported by the host",
        _ => "failed",
    }
}

/// What was moved of a file, for the record: JSON.
pub(super) fn told(file: &FileDone) -> String {
    let content = |content: &Option<Content>| {
        content.as_ref().map(|content| {
            let digest = content.sha256.map(|digest| {
                let hex: Vec<String> = digest.iter().map(|b| format!("{b:02x}")).collect();
                hex.concat()
            });
            serde_json::json!({ "bytes": content.bytes, "sha256": digest })
        })
    };
    let mut told = serde_json::json!({
        "path": file.path,
        "read": content(&file.read),
        "written": content(&file.written),
    });
    // Only where its content is masked.
    for (key, found) in [
        ("masked", &file.masked.masked),
        ("reported", &file.masked.reported),
    ] {
        let found: serde_json::Map<_, _> = found
            .iter()
            .map(|(class, count)| (class.to_string(), (*count).into()))
            .collect();
        if let Some(fields) = told.as_object_mut().filter(|_| !found.is_empty()) {
            fields.insert(key.to_owned(), found.into());
        }
    }
    told.to_string()
}

/// For the user, who gets something else than what is on the host.
pub(super) fn told_masked(file: &FileDone) -> String {
    let counts = file.masked.masked.iter();
    let counts: Vec<String> = counts.map(|(class, n)| format!("{class} {n}")).collect();
    let path = one_line(&file.path);
    format!(
        "brattice: values in {path} are masked: {}\n",
        counts.join(", ")
    )
}
