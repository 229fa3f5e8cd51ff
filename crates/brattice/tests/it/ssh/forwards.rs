//! Connections through the host and back from it: for who may, to where rules name, and to no other target.

use super::{WEB, World, host};
use crate::world::{OWNER, READER};
use brattice_testkit::client::Running;
use brattice_testkit::ssh_client::SshClient;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(10);
/// What a service says that should not be reached by everybody.
const SECRET: &str = "reached the inside\n";

fn inside() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.and_then(|mut s| s.write_all(SECRET.as_bytes()));
        }
    });
    port
}

fn socket(at: &Path) {
    let listener = UnixListener::bind(at).unwrap();
    // The host's account need not be this process's.
    std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o777)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.and_then(|mut s| s.write_all(SECRET.as_bytes()));
        }
    });
}

/// What a service at that port says; none when nothing is there.
fn read_at(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    let mut text = String::new();
    // A connection that its service has closed is closed for its client too, at once.
    stream.read_to_string(&mut text).unwrap();
    Some(text)
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn becomes(what: &str, so: impl Fn() -> bool) {
    let by = Instant::now() + WITHIN;
    while !so() {
        assert!(Instant::now() < by, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn who_may_not_connect_through_the_host_reads_why() {
    let world = World::new();
    let there = format!("127.0.0.1:{}", inside());
    let said = world.client(READER, WEB).ssh(&["-W", &there], "", b"");
    let said = said.unwrap();
    assert!(!said.is_good(), "{said:?}");
    assert!(
        said.err
            .contains("administratively prohibited: nothing permits ssh.forward"),
        "{said:?}"
    );
}

#[test]
fn a_host_listens_for_who_may_and_stops_with_them() {
    let world = World::new();
    let service = inside();
    let back = format!("127.0.0.1:0:127.0.0.1:{service}");
    let options = ["-N", "-o", "ExitOnForwardFailure=yes", "-R", &back];
    let said = world.client(READER, WEB).ssh(&options, "", b"").unwrap();
    assert!(!said.is_good(), "{said:?}");

    let owner = world.client(OWNER, WEB);
    let mut running = Running::start(owner.ssh_command(&options, "")).unwrap();
    let said = running.hears("remote forward", WITHIN);
    let said = said.unwrap_or_else(|| panic!("the host does not listen"));
    let port = said.split_once("Allocated port ").unwrap().1;
    let port: u16 = port.split_whitespace().next().unwrap().parse().unwrap();
    for _ in 0..3 {
        assert_eq!(read_at(port).as_deref(), Some(SECRET));
    }
    running.kill();
    becomes("the host still listens", || read_at(port).is_none());
    // Each connection is a command of its own.
    let from = "(a connection from 127.0.0.1:";
    becomes("it is not on record", || {
        world.replayed().matches(from).count() >= 3
    });
    assert!(world.replayed().contains("listening on 127.0.0.1:0"));
}

#[test]
fn a_listening_can_be_taken_back_and_there_are_not_many() {
    let world = World::new();
    let owner = world.client(OWNER, WEB);
    let service = inside();
    let control = owner.home().join("control");
    let control = control.to_str().unwrap();
    let mut running = Running::start(owner.ssh_command(&["-M", "-S", control, "-N"], "")).unwrap();
    becomes("no connection is shared", || Path::new(control).exists());
    let forward = |verb: &str, port: u16| {
        let back = format!("{port}:127.0.0.1:{service}");
        owner
            .ssh(&["-S", control, "-O", verb, "-R", &back], "", b"")
            .unwrap()
    };
    let ports: Vec<u16> = (0..9).map(|_| free_port()).collect();
    for port in &ports[..8] {
        let said = forward("forward", *port);
        assert!(said.is_good(), "{said:?}");
        assert_eq!(read_at(*port).as_deref(), Some(SECRET));
    }
    let said = forward("forward", ports[8]);
    assert!(!said.is_good(), "{said:?}");
    let said = forward("cancel", ports[0]);
    assert!(said.is_good(), "{said:?}");
    becomes("the host still listens", || read_at(ports[0]).is_none());
    assert!(forward("forward", ports[8]).is_good());
    running.kill();
}

#[test]
fn nobody_listens_where_a_target_is_reached_while_that_target_is_away() {
    let away = free_port();
    let world = World::of(&Default::default(), |sshd, bundle| {
        let mut other = host(sshd, "away-1", "test");
        other.port = away;
        bundle.hosts.push(other);
    });
    let service = inside();
    let options = |back: &str| {
        let given = ["-N", "-o", "ExitOnForwardFailure=yes", "-R", back];
        given.map(str::to_owned)
    };
    let start = |client: &SshClient, back: &str| {
        let options = options(back);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        Running::start(client.ssh_command(&options, "")).unwrap()
    };
    // The control: nothing but the gateway keeps it from that port.
    let direct = world.direct();
    let mut running = start(&direct, &format!("{away}:127.0.0.1:{service}"));
    becomes("the host does not listen", || listens(away));
    running.kill();
    becomes("the host still listens", || !listens(away));

    let owner = world.client(OWNER, WEB);
    for address in ["", "localhost:", "*:", "127.0.0.1:", "0.0.0.0:", "[::1]:"] {
        let back = format!("{address}{away}:127.0.0.1:{service}");
        let options = options(&back);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let said = owner.ssh(&options, "", b"").unwrap();
        assert!(!said.is_good(), "{address}: {said:?}");
        assert!(!listens(away), "{address}");
    }
    let recorded = world.replayed();
    assert!(recorded.contains("would be taken for it"), "{recorded}");
    let free = free_port();
    let mut running = start(&owner, &format!("{free}:127.0.0.1:{service}"));
    becomes("the host does not listen", || listens(free));
    running.kill();
}

/// What is read from a socket of the host, by a local port.
fn through(client: &SshClient, path: &Path) -> String {
    let port = free_port();
    let local = format!("{port}:{}", path.display());
    let mut running = Running::start(client.ssh_command(&["-N", "-L", &local], "")).unwrap();
    becomes("nothing listens", || read_at(port).is_some());
    let text = read_at(port).unwrap();
    running.kill();
    text
}

#[test]
fn sockets_of_the_host_are_for_who_may_and_never_another_targets() {
    let world = World::new();
    let plain = world.sshd.home().join("app.sock");
    socket(&plain);
    // As a PostgreSQL would be called that listens where another target is.
    let database = format!(".s.PGSQL.{}", world.sshd.port());
    let database = world.sshd.home().join(database);
    socket(&database);

    let (owner, reader) = (world.client(OWNER, WEB), world.client(READER, WEB));
    assert_eq!(through(&world.direct(), &database), SECRET, "the control");
    assert_eq!(through(&owner, &plain), SECRET);
    assert_eq!(through(&reader, &plain), "");
    assert_eq!(through(&owner, &database), "");
    let odd = world.sshd.home().join("../home/app.sock");
    assert_eq!(through(&owner, &odd), "");
    let said = world.replayed();
    assert!(said.contains("past its gate"), "{said}");
}
