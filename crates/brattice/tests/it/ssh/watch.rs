//! People who look on at an agent's terminal while it works: what they see, who may, when it ends, and that the session
//! does not notice.

use super::{WEB, World};
use crate::world::{AUDITOR, OWNER, SECURITY, Who};
use brattice_testkit::client::Running;
use brattice_testkit::ssh_client::SshClient;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// May read records of finished sessions, and look on at none.
const ARCHIVIST: Who = Who {
    name: "arden",
    kind: "user",
    groups: &["archive"],
};
/// Is let in and may do nothing.
const STRANGER: Who = Who {
    name: "sid",
    kind: "user",
    groups: &[],
};
/// How long it may take until what passes is seen. Far more than it takes; a watch that shows nothing until the end fails.
const SEEN_MAX: Duration = Duration::from_secs(10);
/// How long somebody may look on who no longer may.
const CUT_MAX: Duration = Duration::from_secs(2);
/// A program's own time to start and to end, on a machine that is busy.
const SLACK: Duration = Duration::from_secs(2);

const RULES: &str = r#"
@id("auditors-watch")
permit (principal in Group::"dev/auditors", action == Action::"watch", resource);

@id("archivists-read")
permit (principal in Group::"dev/archive", action in [Action::"session.read", Action::"replay"], resource);
"#;

fn world() -> World {
    World::of(&Default::default(), |_, bundle| {
        let rules = ("policies/watch.cedar".to_owned(), RULES.to_owned());
        bundle.policies.push(rules);
        // A gateway that is told to stop ends sessions soon.
        bundle.more = bundle
            .more
            .replace("[limits]\n", "[limits]\ndrain_max = \"1s\"\n");
    })
}

/// An agent's shell on a terminal of 100 by 30, as somebody would type into it.
fn shell(client: &SshClient) -> Running {
    let ssh = client.ssh_command(&["-tt"], "");
    let mut words = vec![ssh.get_program()];
    words.extend(ssh.get_args());
    let words: Vec<String> = words
        .iter()
        .map(|w| format!("'{}'", w.to_str().unwrap()))
        .collect();
    let line = format!("stty cols 100 rows 30; exec {}", words.join(" "));
    let mut script = client.command("script");
    script
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .env("TERM", "xterm");
    let mut shell = Running::start(script).unwrap();
    shell.write("echo ready-$((1+1))\n").unwrap();
    shell
        .reads("ready-2", SEEN_MAX)
        .expect("the shell says nothing");
    shell
}

/// The session that is open.
fn live(world: &World) -> String {
    let open = world.get(AUDITOR, "/api/v1/sessions?state=live").json();
    open["sessions"][0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("none is open: {open}"))
        .to_owned()
}

fn watch(world: &World, token: &str, id: &str, more: &[&str]) -> Running {
    let words = [&["sessions", "watch", id], more].concat();
    Running::start(world.gateway.command(&words, token)).unwrap()
}

/// A watch whose first line has come, so that nothing is missed from here on.
fn watching(world: &World, token: &str, id: &str) -> Running {
    let watch = watch(world, token, id, &[]);
    watch
        .hears("looking on at", SEEN_MAX)
        .expect("it does not begin");
    watch
}

#[test]
fn a_person_sees_a_shell_as_it_is_typed_into_masked_and_harmless() {
    let world = world();
    let client = world.client(OWNER, WEB);
    let mut shell = shell(&client);
    let id = live(&world);
    let token = world.token(AUDITOR);
    let seen = watching(&world, &token, &id);
    let json = watch(&world, &token, &id, &["--from-start", "--format", "json"]);
    json.reads("ready-2", SEEN_MAX)
        .expect("the start is not shown");
    let size = seen.hears("terminal of 100x30", SEEN_MAX);
    assert!(size.is_some(), "the terminal's size is not told");
    for n in 0..3 {
        let begun = Instant::now();
        shell.write(&format!("echo one-$(({n}+40))\n")).unwrap();
        let text = format!("one-{}", n + 40);
        assert!(seen.reads(&text, SEEN_MAX).is_some(), "{text} is not seen");
        println!("seen after {:?}", begun.elapsed());
    }
    shell
        .write("printf '%s%s\\n' 41111111 11111111; printf '\\033]52;c;cm0=\\007\\033[6n\\033[1mbold\\033[0m\\n'\n")
        .unwrap();
    assert!(seen.reads("[masked:payment_card]", SEEN_MAX).is_some());
    assert!(seen.reads("\u{1b}[1mbold\u{1b}[0m", SEEN_MAX).is_some());
    shell.write("exit\n").unwrap();
    let said = seen.wait(SEEN_MAX);
    assert_eq!(
        said.status.and_then(|s| s.code()),
        Some(0),
        "it does not end with the session: {said:?}"
    );
    assert!(
        said.err.contains("the session has ended: client gone"),
        "{said:?}"
    );
    assert!(!said.out.contains("4111111111111111"), "{said:?}");
    for harm in ["\u{1b}]", "\u{1b}[6n"] {
        assert!(!said.out.contains(harm), "{harm:?} in {said:?}");
    }
    // What one sees is what is on record, frame by frame, and nothing but that.
    let events: Vec<Value> = json
        .wait(SEEN_MAX)
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0]["session"]["id"], id);
    assert_eq!(events.last().unwrap()["reason"], "client gone");
    let frames: Vec<Value> = events
        .into_iter()
        .filter(|e| e["event"] == "frame")
        .map(|mut e| {
            e.as_object_mut().unwrap().remove("event");
            e
        })
        .collect();
    let replay = format!("/api/v1/sessions/{id}/replay?limit=1000");
    assert_eq!(frames, world.get(AUDITOR, &replay).lines());
    let tail = ["audit", "tail", "-n", "200"];
    let log = world.gateway.cli(&tail, &world.token(AUDITOR)).unwrap();
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    let entries = log
        .lines()
        .filter(|l| l.contains("act=watch") && l.contains("dev/avery") && l.contains(&id));
    assert_eq!(entries.count(), 2, "{log}");
}

#[test]
fn only_who_may_looks_on() {
    let world = world();
    let client = world.client(OWNER, WEB);
    let mut shell = shell(&client);
    let id = live(&world);
    let path = format!("/api/v1/sessions/{id}/watch");
    let unknown = "/api/v1/sessions/ses_0000000000000000/watch";
    for (who, path, status) in [
        (ARCHIVIST, path.as_str(), 403),
        (OWNER, &path, 403),
        (STRANGER, &path, 404),
        (SECURITY, &path, 404),
        (AUDITOR, unknown, 404),
        (AUDITOR, "/api/v1/sessions/nonsense/watch", 404),
    ] {
        let reply = world.get(who, path);
        assert_eq!(reply.status, status, "{}: {reply:?}", who.name);
    }
    let nobody = world.gateway.api("GET", &path, "", None).unwrap();
    assert_eq!(nobody.status, 401);
    let exit = |who, id: &str| {
        let said = watch(&world, &world.token(who), id, &[]).wait(SEEN_MAX);
        said.status.and_then(|s| s.code())
    };
    assert_eq!(exit(ARCHIVIST, &id), Some(4));
    shell.write("exit\n").unwrap();
    shell.wait(SEEN_MAX);
    let by = Instant::now() + SEEN_MAX;
    while world.get(AUDITOR, &path).status != 409 {
        assert!(Instant::now() < by, "a session that is closed is open");
    }
    assert_eq!(exit(AUDITOR, &id), Some(1));
}

#[test]
fn it_ends_with_the_right_the_proof_and_the_session() {
    let world = world();
    let client = world.client(OWNER, WEB);
    let mut shell = shell(&client);
    let id = live(&world);
    let code = |watch: Running, within| {
        let said = watch.wait(within);
        (said.status.and_then(|s| s.code()), said.err)
    };
    // Ctrl-C leaves.
    let left = watching(&world, &world.token(AUDITOR), &id);
    left.interrupt().unwrap();
    assert_eq!(code(left, SLACK).0, Some(0));
    // The rules change; and clocks may differ by a second from now on.
    let toml = world.gateway.read("brattice.toml").unwrap();
    let exact = toml.replace(
        "development = true\n",
        "development = true\nleeway = \"1s\"\n",
    );
    world.gateway.write("brattice.toml", &exact).unwrap();
    let seen = watching(&world, &world.token(AUDITOR), &id);
    let rules = RULES.replace("dev/auditors", "dev/nobody");
    world.gateway.write("policies/watch.cedar", &rules).unwrap();
    let reloaded = world.gateway.reload(&world.token(SECURITY)).unwrap();
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    let (exit, err) = code(seen, CUT_MAX + SLACK);
    assert_eq!(exit, Some(4), "{err}");
    assert!(err.contains("`watch` is not permitted"), "{err}");
    world.gateway.write("policies/watch.cedar", RULES).unwrap();
    let reloaded = world.gateway.reload(&world.token(SECURITY)).unwrap();
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    // The watcher is revoked.
    let seen = watching(&world, &world.token(AUDITOR), &id);
    let body = serde_json::json!({ "id": "dev/avery", "kind": "user" });
    let revoke = "/api/v1/agents/revoke";
    let security = world.token(SECURITY);
    let done = world.gateway.api("POST", revoke, &security, Some(&body));
    assert_eq!(done.unwrap().status, 200);
    let (exit, err) = code(seen, CUT_MAX + SLACK);
    assert_eq!(exit, Some(4), "{err}");
    // The token ends.
    let left = 4;
    let brief = Who {
        name: "ava",
        ..AUDITOR
    };
    let token = world.token_for(brief, left);
    let ends = Instant::now() + Duration::from_secs(left.unsigned_abs());
    let (exit, err) = code(watching(&world, &token, &id), SEEN_MAX);
    assert_eq!(exit, Some(4), "{err}");
    // It began up to a second before the token says it did, and counts for one more than it says.
    let (soon, late) = (ends - SLACK, ends + CUT_MAX + SLACK);
    assert!((soon..late).contains(&Instant::now()), "{ends:?}");
    // The session noticed nothing of all that.
    shell.write("echo still-$((1+1))\n").unwrap();
    assert!(shell.reads("still-2", SEEN_MAX).is_some());
    // The host is stopped under it.
    let other = Who {
        name: "ada",
        ..AUDITOR
    };
    let seen = watching(&world, &world.token(other), &id);
    let body = serde_json::json!({ "target": WEB, "reason": "a test" });
    let freeze = "/api/v1/freezes";
    let done = world.gateway.api("POST", freeze, &security, Some(&body));
    let done = done.unwrap();
    assert_eq!(done.status, 201, "{done:?}");
    let (exit, err) = code(seen, SEEN_MAX);
    assert_eq!(exit, Some(0), "{err}");
    assert!(err.contains("the session has ended: frozen"), "{err}");
}

/// A connection that has asked to look on and reads nothing.
fn deaf(world: &World, id: &str) -> TcpStream {
    let port = world.gateway.admin_port();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let token = world.token(AUDITOR);
    let ask = format!(
        "GET /api/v1/sessions/{id}/watch HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    socket.write_all(ask.as_bytes()).unwrap();
    let mut start = [0; 15];
    socket.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    socket
}

#[test]
fn who_does_not_read_costs_the_session_nothing_and_is_told_what_was_missed() {
    const BYTES: usize = 24 << 20;
    let world = world();
    let client = world.client(OWNER, WEB).within(Duration::from_secs(120));
    // The connection stays for both, so that there is a session to look on at before it moves anything.
    let moves = format!("sleep 2; head -c {BYTES} /dev/urandom | base64 -w 100");
    let moved = |lookers: usize| {
        std::thread::scope(|scope| {
            let ssh = scope.spawn(|| {
                let begun = Instant::now();
                let said = client.ssh(&[], &moves, b"").unwrap();
                assert!(said.is_good() && said.out.len() > BYTES, "{}", said.err);
                begun.elapsed()
            });
            let sockets: Vec<TcpStream> = match lookers {
                0 => Vec::new(),
                n => {
                    let by = Instant::now() + SEEN_MAX;
                    let open = || world.get(AUDITOR, "/api/v1/sessions?state=live").json();
                    while open()["sessions"][0]["id"].is_null() {
                        assert!(Instant::now() < by, "no session opens");
                    }
                    let id = live(&world);
                    (0..n).map(|_| deaf(&world, &id)).collect()
                }
            };
            (ssh.join().unwrap(), sockets)
        })
    };
    let (alone, _) = moved(0);
    let (watched, sockets) = moved(4);
    println!("alone {alone:?}, with four who do not read {watched:?}");
    // A session that waits for any of them never ends; one that serves them all takes several times as long.
    assert!(
        watched < alone.mul_f64(1.5) + SLACK,
        "{watched:?} instead of {alone:?}"
    );
    for mut socket in sockets {
        socket.set_read_timeout(Some(SEEN_MAX)).unwrap();
        let mut text = Vec::new();
        socket.read_to_end(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(text.len() < BYTES, "all of it was kept");
        assert!(text.contains(r#""event":"missed""#), "nothing is missed");
        assert!(
            text.contains(r#"{"event":"ended","reason":"client gone"}"#),
            "the end is not told"
        );
    }
}

#[test]
fn nobody_who_looks_on_holds_up_the_gateways_end() {
    let mut world = world();
    let client = world.client(OWNER, WEB);
    let mut shell = shell(&client);
    let id = live(&world);
    let seen = watching(&world, &world.token(AUDITOR), &id);
    let _deaf = deaf(&world, &id);
    shell
        .write("head -c 20000000 /dev/urandom | base64\n")
        .unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let begun = Instant::now();
    let status = world.gateway.stop().unwrap();
    let took = begun.elapsed();
    assert!(status.is_some_and(|s| s.success()), "{status:?}");
    assert!(took < Duration::from_secs(8), "it took {took:?}");
    let said = seen.wait(SEEN_MAX);
    assert!(
        said.err.contains("the session has ended: draining"),
        "{}",
        said.err
    );
}
