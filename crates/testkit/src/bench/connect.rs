//! Connecting: TCP, TLS, proof of identity, one statement, gone again.
//!
//! pgbouncer keeps its connections to the server open between clients; the gateway opens one for each session, since
//! nothing of one principal's session may be left for another's.

use super::error::{BenchError, During};
use super::ledger::Ledger;
use super::load::{Length, Load, Ran, note, noun};
use super::way::rotated;
use super::world::World;
use super::{Plan, say};
use std::fs;

const CLIENTS: [u32; 2] = [1, 8];

pub(super) fn measure(world: &World, plan: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    let script = world.dir().join("connect.sql");
    fs::write(&script, include_str!("../../../../benches/connect.sql"))
        .during("writing a script")?;
    let file = format!("--file={}", script.display());
    for clients in CLIENTS {
        let name = format!("connect, {clients} {}", noun(clients));
        say(&name);
        let load = Load {
            what: &["--connect", &file],
            protocol: "simple",
            clients,
            length: Length::Seconds(plan.seconds),
        };
        for round in 0..plan.rounds {
            let mut routes = world.routes()?;
            if let Some(minted) = routes.last().map(|r| world.minted(r)).transpose()? {
                routes.push(minted);
            }
            for route in rotated(routes, round) {
                let ran = load.run(world, &route)?;
                // What pgbench calls a wait begins after the connection stands.
                note(&Ran { waits: None, ..ran }, &name, &route, ledger);
            }
        }
    }
    Ok(())
}
