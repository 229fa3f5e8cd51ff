//! What a process has used, as the kernel counts it.

use super::error::{BenchError, During};
use std::fs;
use std::process::Command;
use std::time::Duration;

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
    let text =
        fs::read_to_string(format!("/proc/{pid}/status")).during("reading a process's memory")?;
    text.lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok())
        .ok_or_else(|| BenchError::Wrong(format!("/proc/{pid}/status tells no VmRSS")))
}

/// How many files this process and those it starts may have open.
pub(super) fn files_max() -> u64 {
    fs::read_to_string("/proc/self/limits")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|l| l.starts_with("Max open files"))?;
            line.split_whitespace().nth(3)?.parse().ok()
        })
        .unwrap_or(1024)
}

/// The fourteenth and fifteenth field; the second, the program's name, may hold anything but ends with the last bracket.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
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
    fn this_process_uses_memory_and_may_open_files() {
        assert!(resident_kib(std::process::id()).unwrap() > 100);
        assert!(files_max() >= 64);
    }
}
