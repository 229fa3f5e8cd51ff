//! What a process has used, as the kernel counts it.

use super::error::{BenchError, During};
use std::collections::HashSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

/// Files that one connection may need in one process: its sockets and its recording.
const FILES_EACH: u64 = 4;
/// Files for everything else.
const FILES_RESERVED: u64 = 200;

/// The CPU time of a process so far, all threads, its own and the kernel's on its behalf (proc_pid_stat(5)).
pub(super) fn cpu(pid: u32) -> Result<Duration, BenchError> {
    let text =
        fs::read_to_string(format!("/proc/{pid}/stat")).during("reading a process's times")?;
    let ticks = ticks(&text)
        .ok_or_else(|| BenchError::Wrong(format!("/proc/{pid}/stat cannot be understood")))?;
    Ok(Duration::from_secs_f64(ticks as f64 / ticks_per_second()))
}

/// Its resident memory, in KiB.
pub(super) fn resident_kib(pid: u32) -> Result<u64, BenchError> {
    status_kib(pid, "VmRSS:")
}

/// The most that its resident memory was since `forget_peak`, in KiB.
pub(super) fn peak_kib(pid: u32) -> Result<u64, BenchError> {
    status_kib(pid, "VmHWM:")
}

/// From now on its peak is counted anew (proc_pid_clear_refs(5)).
pub(super) fn forget_peak(pid: u32) -> Result<(), BenchError> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").during("counting a process's memory anew")
}

/// How many connections can be held open, of so many that are wanted, by the limit of open files.
pub(super) fn connections_max(wanted: u64) -> u64 {
    let room = files_max().saturating_sub(FILES_RESERVED) / FILES_EACH;
    wanted.min(room).max(1)
}

/// The ports of those who are connected to this port of 127.0.0.1, as the side that listens has it (proc_net_tcp(5)): a
/// connection that it has closed is none, whatever is still on its way.
pub(super) fn peers(port: u16) -> Result<HashSet<u16>, BenchError> {
    let text = fs::read_to_string("/proc/net/tcp").during("reading the connections")?;
    // There may be tens of thousands that are others'.
    let own = format!(":{port:04X} ");
    let ours = text.lines().filter(|line| line.contains(&own));
    Ok(ours.filter_map(|line| peer(line, port)).collect())
}

/// How many files this process and those it starts may have open.
fn files_max() -> u64 {
    fs::read_to_string("/proc/self/limits")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|l| l.starts_with("Max open files"))?;
            line.split_whitespace().nth(3)?.parse().ok()
        })
        .unwrap_or(1024)
}

/// The second field is this side's address, the third the other's, the fourth the state: one is `ESTABLISHED`.
fn peer(line: &str, port: u16) -> Option<u16> {
    let mut fields = line.split_whitespace().skip(1);
    let of = |address: &str| u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok();
    let (own, other) = (of(fields.next()?)?, of(fields.next()?)?);
    (own == port && fields.next()? == "01").then_some(other)
}

/// The fourteenth and fifteenth field; the second, the program's name, may hold anything but ends with the last bracket.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn status_kib(pid: u32, what: &str) -> Result<u64, BenchError> {
    let text =
        fs::read_to_string(format!("/proc/{pid}/status")).during("reading a process's memory")?;
    text.lines()
        .find_map(|line| line.strip_prefix(what))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok())
        .ok_or_else(|| BenchError::Wrong(format!("/proc/{pid}/status does not tell {what}")))
}

fn ticks_per_second() -> f64 {
    Command::new("getconf")
        .arg("CLK_TCK")
        .output()
        .ok()
        .and_then(|output| String::from_utf8_lossy(&output.stdout).trim().parse().ok())
        .unwrap_or(100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 1 2 3";
        assert_eq!(ticks(stat), Some(300));
    }

    #[test]
    fn only_open_connections_to_the_port_are_counted() {
        let line = |own: &str, state: &str| {
            format!("   1: 0100007F:{own} 0100007F:C35A {state} 00000000:00000000 00:00000000")
        };
        assert_eq!(peer(&line("1938", "01"), 0x1938), Some(0xC35A));
        for other in [line("1938", "04"), line("1939", "01"), String::new()] {
            assert_eq!(peer(&other, 0x1938), None, "{other}");
        }
    }

    #[test]
    fn this_process_uses_memory_and_may_open_files() {
        assert!(resident_kib(std::process::id()).unwrap() > 100);
        assert!(files_max() >= 64);
    }
}
