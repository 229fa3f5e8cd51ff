//! Fuzz targets: the machine with the real gate behind it, fed from a hostile client, and from a target gone mad.

use super::bench::Bench;
use crate::postgres::NameKind;
use brattice_fuzz::{Fuzz, digest};
use std::cell::RefCell;
use std::collections::HashMap;

/// What it all looked like from outside.
#[derive(Debug, PartialEq)]
struct Played {
    client_saw: Vec<u8>,
    asked: Vec<String>,
    intents: usize,
    ended: Option<String>,
}

impl Played {
    /// The same, except for what a peer's misbehaviour cut off: it ends a session at once, and what was still on its way
    /// depends on how the bytes came.
    fn is_like(&self, other: &Self) -> bool {
        if self.ended.is_none() {
            return self == other;
        }
        let (a, b) = (&self.client_saw, &other.client_saw);
        let (c, d) = (&self.asked, &other.asked);
        self.ended == other.ended
            && (a.starts_with(b) || b.starts_with(a))
            && (c.starts_with(d) || d.starts_with(c))
    }
}

fn played(mut bench: Bench, ended: Option<String>) -> Played {
    Played {
        client_saw: bench.seen_so_far(),
        intents: bench.intents(),
        asked: bench.target.asked,
        ended,
    }
}

fn from_client(pieces: &[&[u8]]) -> Played {
    let mut bench = Bench::new();
    let mut ended = None;
    for piece in pieces {
        bench.client.bytes = piece.to_vec();
        ended = bench.go_on().err();
        if ended.is_some() {
            break;
        }
    }
    played(bench, ended)
}

fn scripts() -> Vec<Vec<u8>> {
    let script = |write: fn(&mut Bench)| {
        let mut bench = Bench::new();
        write(&mut bench);
        bench.client.bytes
    };
    vec![
        script(|b| {
            b.client.query("SELECT name FROM t; DROP TABLE t");
            b.client
                .parse("a", "SELECT name FROM t")
                .bind("p", "a")
                .execute("p")
                .close(NameKind::Portal, "p")
                .sync();
        }),
        script(|b| {
            b.client.query("BEGIN").query("DELETE FROM t");
            b.client.query("ROLLBACK").query("SELECT id FROM t");
        }),
        script(|b| {
            b.client.parse("", "INSERT INTO t VALUES (1)");
            b.client.bind("", "").execute("");
            b.client.parse("s", "UPDATE t SET id = 1").sync();
            b.client.query("PREPARE s AS SELECT name FROM t");
            b.client.query("EXECUTE s").query("DEALLOCATE s");
        }),
    ]
}

#[test]
fn fuzz_wire_session_client() {
    let permitted = RefCell::new(HashMap::new());
    let mut fuzz = Fuzz::new("wire-session-client", env!("CARGO_MANIFEST_DIR"))
        .words(&[
            "DELETE FROM t;",
            "--",
            "/*",
            "'",
            "$$",
            "COMMIT;",
            "SET search_path=x;",
        ])
        .smoke(500);
    for script in scripts() {
        fuzz = fuzz.seed(script);
    }
    fuzz.run(|input, rng| {
        let whole = from_client(&[input]);
        let split = from_client(&rng.pieces(input));
        if !whole.is_like(&split) {
            return Err(format!("whole: {whole:?}\nin pieces: {split:?}"));
        }
        for text in whole.asked.iter().chain(&split.asked) {
            let mut permitted = permitted.borrow_mut();
            let alone = permitted
                .entry(text.clone())
                .or_insert_with(|| passes_alone(text));
            if !*alone {
                return Err(format!(
                    "{text:?} arrived, and is refused when it comes alone"
                ));
            }
        }
        Ok(digest((
            whole.asked.len(),
            whole.client_saw.len(),
            whole.ended,
        )))
    });
}

/// Whether the text would pass as all there is. What needs a name or transaction made before it is harmless alone: what it
/// names was judged as a text of its own.
fn passes_alone(text: &str) -> bool {
    let needs_more = [
        "execute",
        "deallocate",
        "fetch",
        "move",
        "close",
        "release",
        "savepoint",
        "rollback",
    ];
    let first = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .find(|w| !w.is_empty());
    if first.is_some_and(|word| needs_more.contains(&word.to_ascii_lowercase().as_str())) {
        return true;
    }
    let mut bench = Bench::new();
    bench.client.parse("", text).bind("", "").execute("").sync();
    let _ended = bench.go_on();
    bench.target.asked.iter().any(|asked| asked == text)
}

fn asks(bench: &mut Bench) {
    bench.client.query("SELECT name FROM t");
    bench
        .client
        .parse("a", "SELECT name FROM t")
        .bind("", "a")
        .execute("")
        .sync();
    bench.client.query("INSERT INTO t VALUES (1)");
}

#[test]
fn fuzz_wire_session_target() {
    let mut honest = Bench::new();
    asks(&mut honest);
    honest.run();
    Fuzz::new("wire-session-target", env!("CARGO_MANIFEST_DIR"))
        .seed(&honest.answered)
        .smoke(500)
        .run(|input, rng| {
            let whole = from_target(&[input]);
            let split = from_target(&rng.pieces(input));
            if !whole.is_like(&split) {
                return Err(format!("whole: {whole:?}\nin pieces: {split:?}"));
            }
            Ok(digest((whole.client_saw.len(), whole.intents, whole.ended)))
        });
}

/// The client's honest questions, answered with these bytes: a frame at a time, each when nothing else moves.
fn from_target(pieces: &[&[u8]]) -> Played {
    let mut bench = Bench::new();
    bench.mute = true;
    asks(&mut bench);
    let mut ended = bench.go_on().err();
    let mut cuts: Vec<usize> = frames(&pieces.concat());
    let mut at = 0;
    for piece in pieces {
        cuts.push(at + piece.len());
        at += piece.len();
    }
    cuts.sort_unstable();
    cuts.dedup();
    let (all, mut from) = (pieces.concat(), 0);
    for cut in cuts {
        if ended.is_some() {
            break;
        }
        bench.answer(&all[from..cut]);
        from = cut;
        ended = bench.go_on().err();
    }
    played(bench, ended)
}

/// Where the frames end.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let (mut ends, mut at) = (Vec::new(), 0);
    while let Some((_, size)) = crate::postgres::frame::peek(&bytes[at..]) {
        if size < 5 || bytes.len() - at < size {
            break;
        }
        at += size;
        ends.push(at);
    }
    ends
}
