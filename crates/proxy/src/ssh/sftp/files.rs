//! Operations on files: as what the gate is asked, and what is told of them.
//!
//! Lives here: which acts an operation is, and its words. Never: whether it may.

use brattice_core::action::Verb;
use brattice_core::gate::Request;
use brattice_wire::ssh::sftp::{Ask, Attributes, Code, Content, FileDone, Operation};
use std::fmt::Write as _;

/// The request to the gate that a question of the machine is.
pub(super) fn request(ask: Ask) -> Request {
    Request::Files {
        acts: acts(&ask),
        text: text(&ask),
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

/// In words that say all that matters: an approval is bound to them.
fn text(ask: &Ask) -> String {
    let what = match ask.operation {
        Operation::Read => "read",
        Operation::Write { .. } => "write",
        Operation::ReadWrite { .. } => "read and write",
        Operation::List => "list",
        Operation::Stat => "look at",
        Operation::Delete => "delete",
        Operation::RemoveDirectory => "remove directory",
        Operation::MakeDirectory => "make directory",
        Operation::Rename { .. } => "rename",
        Operation::SetAttributes(_) => "set attributes of",
        Operation::SymbolicLink => "make symbolic link",
        Operation::HardLink => "make hard link to",
    };
    let mut text = format!("sftp {what} {}", ask.path);
    if ask.by_handle {
        text.push_str(" (open)");
    }
    // Writing to a String cannot fail.
    if let Some(second) = &ask.second {
        let _ = write!(text, " -> {second}");
    }
    if let Some(content) = &ask.text {
        let _ = write!(text, " (as {content:?})");
    }
    text.push_str(&how(ask.operation));
    text.push_str(&attributes(&ask.attributes));
    text
}

fn how(operation: Operation) -> String {
    let flags = match operation {
        Operation::Write {
            create,
            truncate,
            append,
        }
        | Operation::ReadWrite {
            create,
            truncate,
            append,
        } => vec![(create, "create"), (truncate, "empty"), (append, "append")],
        Operation::Rename { replace } => vec![(replace, "replace")],
        _ => Vec::new(),
    };
    let set: Vec<&str> = flags.into_iter().filter(|f| f.0).map(|f| f.1).collect();
    match set.is_empty() {
        true => String::new(),
        false => format!(" [{}]", set.join(" ")),
    }
}

fn attributes(set: &Attributes) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    if let Some(size) = set.size {
        let _ = write!(text, " size={size}");
    }
    if let Some((user, group)) = set.owner {
        let _ = write!(text, " owner={user}:{group}");
    }
    if let Some(mode) = set.permissions {
        let _ = write!(text, " mode={mode:o}");
    }
    if let Some((read, changed)) = set.times {
        let _ = write!(text, " read={read} changed={changed}");
    }
    text
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
    serde_json::json!({
        "path": file.path,
        "read": content(&file.read),
        "written": content(&file.written),
    })
    .to_string()
}
