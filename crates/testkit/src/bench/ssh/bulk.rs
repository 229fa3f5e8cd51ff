//! Much at once: text and zeros from a command on the host, text to one, and a file both ways by scp.
//!
//! Here live the transfers, and that all of it arrived. What they are timed from is the first byte, but for scp, which has its
//! login in it.

use super::super::error::{BenchError, During};
use super::super::ledger::{Ledger, Unit};
use super::super::way::{Way, rotated};
use super::super::{Plan, machine, process, say};
use super::route::Route;
use super::run::{self, READY, Talk};
use super::text;
use super::world::World;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// In the account's home on the host.
const TEXT: &str = "text";
const RECEIVED: &str = "received";
const READ_BYTES: usize = 256 * 1024;
/// So much of the text is compared byte by byte.
const COMPARED_BYTES: u64 = 4 << 20;

/// What is moved.
struct Moved {
    bytes: u64,
    /// The text, which the host and the clients have in common.
    text: PathBuf,
    digest: String,
    /// The account's home on the host.
    home: PathBuf,
}

type Transfer = fn(&Moved, &Route) -> Result<Duration, BenchError>;

/// By name, and by what is said of what the gateway takes meanwhile.
const TRANSFERS: [(&str, &str, Transfer); 5] = [
    ("zeros down", "while zeros came down", zeros_down),
    ("text down", "while text came down", text_down),
    ("text up", "while text went up", text_up),
    ("scp down", "while scp fetched a file", scp_down),
    ("scp up", "while scp put a file", scp_up),
];

pub(super) fn measure(world: &World, plan: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    let bytes = plan.bulk_bytes;
    say(&format!("writing {} MiB of text", bytes >> 20));
    let home = world.host.home();
    let path = home.join(TEXT);
    text::write(&path, bytes)?;
    let moved = Moved {
        bytes,
        digest: digest(&path)?,
        text: path,
        home,
    };
    for route in world.routes()? {
        compare(&moved, &route)?;
    }
    for (name, meanwhile, transfer) in TRANSFERS {
        say(&format!("{name}, {} MiB", bytes >> 20));
        for round in 0..plan.rounds {
            for route in rotated(world.routes()?, round) {
                let taken = Taken::begin(world, &route)?;
                let (took, cpu) = route.spent(|| transfer(&moved, &route))?;
                let rate = bytes as f64 / 1e6 / took.as_secs_f64();
                ledger.note(name, Unit::MegabytesPerSecond, route.way, rate);
                if let Some(cpu) = cpu {
                    let gib = bytes as f64 / f64::from(1 << 30);
                    let each = cpu.as_secs_f64() * 1e3 / gib;
                    ledger.note(name, Unit::CpuMillisecondsPerGib, route.way, each);
                }
                if let Some(taken) = taken {
                    taken.note(meanwhile, ledger)?;
                }
            }
        }
    }
    Ok(())
}

/// What must be the same for everybody before it is worth timing: nothing in the text is masked.
fn compare(moved: &Moved, route: &Route) -> Result<(), BenchError> {
    let bytes = COMPARED_BYTES.min(moved.bytes);
    let mut expected = Vec::new();
    let file = File::open(&moved.text).during("opening the text")?;
    file.take(bytes)
        .read_to_end(&mut expected)
        .during("reading the text")?;
    let command = format!("head -c {bytes} {TEXT}");
    let came = run::finish(route.client.ssh_command(&[], &command))?.stdout;
    match came == expected {
        true => Ok(()),
        false => Err(BenchError::Wrong(format!(
            "{}: the text does not arrive as it is",
            route.way.name()
        ))),
    }
}

fn zeros_down(moved: &Moved, route: &Route) -> Result<Duration, BenchError> {
    down(route, "/dev/zero", moved.bytes)
}

fn text_down(moved: &Moved, route: &Route) -> Result<Duration, BenchError> {
    down(route, TEXT, moved.bytes)
}

/// From the first byte to the last.
fn down(route: &Route, from: &str, bytes: u64) -> Result<Duration, BenchError> {
    let command = format!("echo {READY}; head -c {bytes} {from}");
    let mut talk = Talk::start(route.client.ssh_command(&[], &command))?;
    let began = Instant::now();
    let (_, output) = talk.both()?;
    let mut buffer = vec![0; READ_BYTES];
    let mut came = 0;
    loop {
        let n = output.read(&mut buffer).during("reading from a client")?;
        came += n as u64;
        if n == 0 {
            break;
        }
    }
    let took = began.elapsed();
    talk.end()?;
    all_came(came, bytes)?;
    Ok(took)
}

/// From the first byte to the host's word that it has so many.
fn text_up(moved: &Moved, route: &Route) -> Result<Duration, BenchError> {
    let command = format!("echo {READY}; wc -c");
    let mut talk = Talk::start(route.client.ssh_command(&[], &command))?;
    let file = File::open(&moved.text).during("opening the text")?;
    let began = Instant::now();
    let (input, _) = talk.both()?;
    run::feed(file, input)?;
    talk.hang_up();
    let counted = talk.end()?;
    let took = began.elapsed();
    let odd = || BenchError::Wrong(format!("the host counted {counted:?}"));
    all_came(counted.trim().parse().map_err(|_| odd())?, moved.bytes)?;
    Ok(took)
}

fn scp_down(moved: &Moved, route: &Route) -> Result<Duration, BenchError> {
    let to = route.client.home().join(RECEIVED);
    let took = scp(route, &format!("target:{TEXT}"), &to.display().to_string())?;
    arrived(moved, &to)?;
    Ok(took)
}

fn scp_up(moved: &Moved, route: &Route) -> Result<Duration, BenchError> {
    let from = moved.text.display().to_string();
    let took = scp(route, &from, &format!("target:{RECEIVED}"))?;
    arrived(moved, &moved.home.join(RECEIVED))?;
    Ok(took)
}

fn scp(route: &Route, from: &str, to: &str) -> Result<Duration, BenchError> {
    let command = route.client.scp_command(&[], from, to);
    let began = Instant::now();
    run::finish(command)?;
    Ok(began.elapsed())
}

/// Byte by byte, by SHA-256; nothing is left of it for the next.
fn arrived(moved: &Moved, file: &Path) -> Result<(), BenchError> {
    if digest(file)? != moved.digest {
        return Err(BenchError::Wrong(
            "the file that arrived is not the one that was sent".to_owned(),
        ));
    }
    fs::remove_file(file).during("removing a received file")
}

fn digest(file: &Path) -> Result<String, BenchError> {
    let mut command = Command::new("sha256sum");
    command.arg(file);
    let said = run::finish(command)?.stdout;
    let said = String::from_utf8_lossy(&said);
    Ok(said.split(' ').next().unwrap_or_default().to_owned())
}

fn all_came(came: u64, bytes: u64) -> Result<(), BenchError> {
    match came == bytes {
        true => Ok(()),
        false => Err(BenchError::Wrong(format!("{came} of {bytes} bytes came"))),
    }
}

/// What the gateway takes while something is moved: the most memory that it has, and what it puts on disk.
struct Taken {
    pid: u32,
    records: PathBuf,
    memory: u64,
    disk: u64,
}

impl Taken {
    /// From now on; of the gateway alone.
    fn begin(world: &World, route: &Route) -> Result<Option<Taken>, BenchError> {
        if route.way != Way::Gateway {
            return Ok(None);
        }
        let (pid, records) = (world.gateway_pid()?, world.gateway.data_dir());
        process::forget_peak(pid)?;
        Ok(Some(Taken {
            memory: process::resident_kib(pid)?,
            disk: machine::on_disk_kib(&records)?,
            pid,
            records,
        }))
    }

    fn note(&self, meanwhile: &str, ledger: &mut Ledger) -> Result<(), BenchError> {
        let peak = process::peak_kib(self.pid)?;
        let disk = machine::on_disk_kib(&self.records)?.saturating_sub(self.disk);
        let mut note = |name: String, kib| ledger.note(&name, Unit::Kib, Way::Gateway, kib as f64);
        note(format!("memory, most {meanwhile}"), peak);
        let added = peak.saturating_sub(self.memory);
        note(format!("memory, most that was added {meanwhile}"), added);
        note(format!("recorded {meanwhile}"), disk);
        match disk {
            0 => Err(BenchError::Wrong(format!(
                "nothing was recorded {meanwhile}"
            ))),
            _ => Ok(()),
        }
    }
}
