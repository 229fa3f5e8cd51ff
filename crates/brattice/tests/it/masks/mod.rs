//! Data of a class on its way out: in every shape that SQL can give it, and by every message that can carry it.
//!
//! Here live leaks that work straight at the server and must not through the gateway, and what may pass masked.

mod leaks;
mod observed;
mod shapes;

use crate::world::{SHOP, Who, World};
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::wire::{Answer, Wire};

/// One of the values, and ways to write it that a search for it would miss.
const TRACES: &[&[u8]] = &[
    b"219-09-9991",
    b"219099991",
    b"1999-90-912",
    b"MjE5LTA5LTk5OTE",
    b"3231392d30392d39393931",
    b"4111111111111111",
    b"1111111111111114",
    // The card as eight bytes, as binary results have it.
    b"\x00\x0e\x9b\x08\xa5\x68\xf1\xc7",
    // The card's digits as PostgreSQL's binary numeric has them.
    b"\x10\x0f\x04\x57\x04\x57\x04\x57",
    b"NDExMTExMTExMTExMTExMQ",
];

fn world(major: u8) -> World {
    let world = World::of(major);
    world.ask(&format!("{}\n{}", World::shop(), include_str!("setup.sql")));
    world
}

/// The same with one more column of the first class.
fn world_with(major: u8, column: &str) -> World {
    let world = World::start(PostgresOptions::of(major), |bundle| {
        let columns = format!("columns = [\"{column}\", ");
        bundle.more = bundle.more.replacen("columns = [", &columns, 1);
    });
    world.ask(&format!("{}\n{}", World::shop(), include_str!("setup.sql")));
    world
}

/// What of the values is in an answer.
fn traces(answer: &Answer) -> Vec<String> {
    let bytes = answer.bytes();
    TRACES
        .iter()
        .filter(|t| bytes.windows(t.len()).any(|w| w == **t))
        .map(|t| t.escape_ascii().to_string())
        .collect()
}

/// How a text is sent.
#[derive(Clone, Copy, PartialEq, Debug)]
enum By {
    Simple,
    Text,
    Binary,
}

const EACH: [By; 3] = [By::Simple, By::Text, By::Binary];

/// Several statements, or one; only one can be sent by the extended protocol.
fn send(wire: &mut Wire, texts: &[&str], by: By) -> Result<Answer, String> {
    let mut all = Answer::default();
    for text in texts {
        let answer = match by {
            By::Simple => wire.query(text),
            By::Text => wire.extended(text.as_bytes(), 0),
            By::Binary => wire.extended(text.as_bytes(), 1),
        };
        all.extend(answer.map_err(|e| format!("{e}: {:?} after {all:?}", e.said()))?);
    }
    Ok(all)
}

fn through(world: &World, who: Who, texts: &[&str], by: By) -> Result<Answer, String> {
    let mut wire = world.connect(who, SHOP);
    let answer = send(&mut wire, texts, by)?;
    let after = send(&mut wire, &["ROLLBACK", "SELECT 7"], By::Simple)?;
    if after.texts() != ["7"] {
        return Err(format!("the session does not go on: {after:?}"));
    }
    Ok(answer)
}
