//! What is on record: the session replays, the log proves itself, and a changed copy is found out.
//!
//! Here live these steps. The position of the change is worked out from the log's listing, not from the verifier.

use super::approving::word_with;
use super::failure::During;
use super::{Demo, Failure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// (e) The session replays, with what the agent saw. Gives the session's id.
pub fn replays(demo: &mut Demo<'_>) -> Result<String, Failure> {
    demo.shown.chapter("The session replays");
    demo.shown
        .tell("avery, an auditor, looks at what the agent did:");
    let avery = demo.stage.person("avery");
    let listed = demo.types(&avery, "brattice sessions list --target orders-db")?;
    let Some(session) = word_with(&listed.out, "ses_") else {
        return demo.broken(
            "the session is listed",
            &format!("{}{}", listed.out, listed.err),
        );
    };
    let replayed = demo.types(&avery, &format!("brattice sessions replay {session}"))?;
    let wanted = [
        "SELECT id, name, email, card FROM customers",
        "DROP TABLE orders",
        "UPDATE orders SET status",
    ];
    let missing: Vec<&&str> = wanted
        .iter()
        .filter(|w| !replayed.out.contains(**w))
        .collect();
    demo.fact(
        "every command is there, the refused one too, in order",
        "the replay",
        replayed.is_good() && missing.is_empty(),
        &format!("missing: {missing:?}\n{}", replayed.err),
    )?;
    let whole = avery.answer(&format!("brattice sessions replay {session} --output"))?;
    fs::write(demo.stage.dir.join("replay.txt"), format!("{whole}\n"))
        .during("writing the replay")?;
    let leaked: Vec<String> = demo
        .stage
        .sensitive()?
        .into_iter()
        .filter(|v| whole.contains(v))
        .collect();
    demo.fact(
        "with its output (in replay.txt) it shows what the agent saw: masks, and no address and no card",
        "every value read from the server and searched for",
        leaked.is_empty() && whole.contains("Ada Okafor"),
        &format!("{leaked:?}"),
    )?;
    Ok(session)
}

/// (f) The log verifies with the public key alone; a copy with one byte changed does not, at the exact position.
pub fn verifies(demo: &mut Demo<'_>) -> Result<(), Failure> {
    demo.shown.chapter("The audit log proves itself");
    demo.shown.tell(
        "avery takes the log's files away. To verify them she needs no gateway and no secret, only the public key that was \
         copied to a safe place when the gateway was set up (kept/signing.pub).",
    );
    let avery = demo.stage.person("avery");
    demo.types(&avery, "brattice audit export --out audit")?;
    let verify = "brattice audit verify audit --key kept/signing.pub";
    // Verified as anyone could: without the gateway's address and without a token.
    let anyone = demo.stage.anyone("avery");
    let good = demo.types(&anyone, verify)?;
    demo.fact(
        "the log is complete and unchanged, and a signed head vouches for every entry of it",
        "exit code, and nothing is left after the newest head",
        good.is_good() && !good.out.contains("after the newest head"),
        &format!("{}{}", good.out, good.err),
    )?;
    let (position, place) = change_one_byte(demo)?;
    demo.shown.tell(&format!(
        "Now somebody with access to the files changes a single byte in a copy: {place}, which belongs to entry {position}, \
         dana's answer."
    ));
    let bad = demo.types(
        &anyone,
        "brattice audit verify audit-changed --key kept/signing.pub",
    )?;
    demo.fact(
        &format!("the copy fails, and at position {position}"),
        "the position worked out from `audit tail`, and the exit code",
        !bad.is_good()
            && bad
                .out
                .contains(&format!("NOT VERIFIED at position {position}:")),
        &format!("{}{}", bad.out, bad.err),
    )
}

/// Copies the exported log and changes one byte of the entry with the approval's answer. Gives the entry's position and
/// where the byte is.
fn change_one_byte(demo: &mut Demo<'_>) -> Result<(u64, String), Failure> {
    let from = demo.stage.dir.join("audit");
    let to = demo.stage.dir.join("audit-changed");
    copy_flat(&from, &to)?;
    let listed = demo
        .stage
        .person("avery")
        .answer("brattice audit tail --lines 1000 --format json")?;
    let answered = listed
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| {
            line.pointer("/entry/kind")
                .is_some_and(|kind| kind == "approval_answered")
        });
    let position = answered.as_ref().and_then(|line| line["position"].as_u64());
    let Some(position) = position else {
        return demo.broken("the answer is on record", &listed);
    };
    // The word stands in no other entry.
    let needle = b"\"kind\":\"approval_answered\"";
    for file in files_of(&to)? {
        let mut bytes = fs::read(&file).during("reading a segment")?;
        if let Some(at) = bytes.windows(needle.len()).position(|w| w == needle) {
            let Some(byte) = bytes.get_mut(at + 9) else {
                continue;
            };
            *byte ^= 1;
            fs::write(&file, bytes).during("changing a segment")?;
            let name = file
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            return Ok((position, format!("byte {} of {name}", at + 9)));
        }
    }
    demo.broken("the exported log has the answer", "no segment has it")
}

fn copy_flat(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).during("making a directory for the copy")?;
    for file in files_of(from)? {
        if let Some(name) = file.file_name() {
            fs::copy(&file, to.join(name)).during("copying the log")?;
        }
    }
    Ok(())
}

fn files_of(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .during("listing the log's files")?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    Ok(files)
}
