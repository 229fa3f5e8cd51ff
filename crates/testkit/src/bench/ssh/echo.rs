//! A key's way to the host and back: somebody types into a program on a terminal that says back what it reads.

use super::super::error::{BenchError, During};
use super::super::ledger::Ledger;
use super::super::way::rotated;
use super::super::{Plan, say};
use super::route::Route;
use super::run::{READY, Talk};
use super::world::World;
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

const NAME: &str = "key echoed";
/// Keys are not typed faster than they come back; between two there is this, which is not measured.
const KEY_EVERY: Duration = Duration::from_millis(3);
/// The first ones find nothing warm.
const UNCOUNTED: usize = 50;
const TYPED: &[u8] = b"echo the quick brown fox jumps over the lazy dog\n";

pub(super) fn measure(world: &World, plan: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    say(NAME);
    for round in 0..plan.rounds {
        for route in rotated(world.routes()?, round) {
            let waits = type_keys(&route, plan.keys)?;
            ledger.note_short_waits(NAME, route.way, &waits);
        }
    }
    Ok(())
}

/// From the write of each to its being read.
fn type_keys(route: &Route, keys: u32) -> Result<Vec<Duration>, BenchError> {
    // The terminal itself says nothing back and changes nothing: all that comes is the program's.
    let command = format!("stty raw -echo; echo {READY}; cat");
    let mut talk = Talk::start(route.client.ssh_command(&["-tt"], &command))?;
    let (input, output) = talk.both()?;
    let keys = usize::try_from(keys).unwrap_or(usize::MAX);
    let mut waits = Vec::with_capacity(keys);
    for (number, key) in TYPED.iter().cycle().take(keys + UNCOUNTED).enumerate() {
        thread::sleep(KEY_EVERY);
        let mut back = [0];
        let began = Instant::now();
        input.write_all(&[*key]).during("typing")?;
        output.read_exact(&mut back).during("waiting for a key")?;
        let took = began.elapsed();
        if back != [*key] {
            let why = format!("{key} was typed, and {back:?} came back");
            return Err(BenchError::Wrong(why));
        }
        if number >= UNCOUNTED {
            waits.push(took);
        }
    }
    Ok(waits)
}
