//! Large results: rows and COPY data, with and without a masked column.

use super::client::Client;
use super::error::BenchError;
use super::ledger::{Ledger, Unit};
use super::way::rotated;
use super::world::World;
use super::{Plan, process, say};
use std::time::Instant;

/// 200,000 rows by one SELECT.
pub(super) fn rows(world: &World, plan: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    let sql = "SELECT id, customer, item, quantity, price, placed_at FROM orders";
    fetch(world, plan, "200,000 rows", sql, Some(200_000), ledger)?;
    let sql = "SELECT id, name, email, joined_at FROM customers";
    let name = "200,000 rows, one column masked";
    fetch(world, plan, name, sql, Some(200_000), ledger)
}

/// 190 MB by COPY.
pub(super) fn copy(world: &World, plan: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    let sql = "COPY events TO STDOUT";
    fetch(world, plan, "COPY of 190 MB", sql, None, ledger)?;
    let sql = "COPY customers TO STDOUT";
    let name = "COPY of 16 MB, one column masked";
    fetch(world, plan, name, sql, None, ledger)
}

fn fetch(
    world: &World,
    plan: &Plan,
    name: &str,
    sql: &str,
    rows: Option<u64>,
    ledger: &mut Ledger,
) -> Result<(), BenchError> {
    say(name);
    for round in 0..plan.rounds {
        for route in rotated(world.routes()?, round) {
            let mut client = Client::connect(&route)?;
            let before = route.pid.map(process::cpu).transpose()?;
            let start = Instant::now();
            let came = client.drain(sql)?;
            let seconds = start.elapsed().as_secs_f64();
            let after = route.pid.map(process::cpu).transpose()?;
            if came.bytes == 0 || rows.is_some_and(|rows| rows != came.rows) {
                return Err(BenchError::Wrong(format!(
                    "{name}: {} rows and {} bytes came",
                    came.rows, came.bytes
                )));
            }
            let (count, unit) = match rows {
                Some(rows) => (rows as f64, Unit::PerSecond),
                None => (came.bytes as f64 / 1e6, Unit::MegabytesPerSecond),
            };
            ledger.note(name, unit, route.way, count / seconds);
            if let Some((before, after)) = before.zip(after) {
                let cpu = after.saturating_sub(before).as_secs_f64() * 1e6;
                ledger.note(name, Unit::CpuMicroseconds, route.way, cpu);
            }
        }
    }
    Ok(())
}
