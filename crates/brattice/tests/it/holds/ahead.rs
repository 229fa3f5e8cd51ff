//! Grants that are asked for ahead of time: what people are asked, what their yes opens, and when that ends.

use super::{answer, approve, look, state, world_of};
use crate::records::{export_lines, log_dir};
use crate::world::{DBA, OTHER_DBA, PROD, SECURITY, SHOP, WRITER, Who, World};
use brattice_testkit::gateway::TargetOptions;
use brattice_testkit::wire::Wire;
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A target that is opened, and written to, by grants alone.
const CLOSED: &str = "closed";
/// How long the end of a grant may take to end what it opened.
const CUT_MAX: Duration = Duration::from_secs(2);
const REASON: &str = "ticket 7\u{1b}[2J\u{202e}\nlifts:  nothing at all";

const RULES: &str = r#"
@id("closed-opens-when-granted")
@approval("dev/dba")
@grant("1h")
forbid (principal is Agent, action == Action::"connect", resource in Label::"env=closed");

@id("closed-writes-when-granted")
@approval("dev/dba, dev/sre")
@grant("30m")
forbid (principal is Agent, action in Action::"write", resource in Label::"env=closed");

@id("closed-destroys-after-asking")
@approval("dev/dba")
forbid (principal is Agent, action in Action::"destroy", resource in Label::"env=closed");

@id("closed-is-not-administered")
forbid (principal is Agent, action in Action::"administer", resource in Label::"env=closed");
"#;

fn world(limit: u32) -> World {
    world_of(18, |bundle| {
        let prod = bundle.targets.iter().find(|t| t.name == PROD).unwrap();
        let closed = TargetOptions {
            name: CLOSED.to_owned(),
            labels: vec![
                ("env".to_owned(), "closed".to_owned()),
                ("team".to_owned(), "shop".to_owned()),
            ],
            ..prod.clone()
        };
        bundle.targets.push(closed);
        bundle
            .more
            .push_str(&format!("[limits]\nquestions_per_minute_max = {limit}\n\n"));
        let rules = ("policies/closed.cedar".to_owned(), RULES.to_owned());
        bundle.policies.push(rules);
    })
}

fn agent(name: &'static str) -> Who {
    Who { name, ..WRITER }
}

fn run(world: &World, token: &str, words: &[&str]) -> Output {
    let words: Vec<&str> = words.iter().copied().chain(["--format", "json"]).collect();
    world.gateway.cli(&words, token).unwrap()
}

const ASK: &[&str] = &[
    "request",
    "create",
    "--target",
    CLOSED,
    "--connect",
    "--effects",
    "write",
    "--for",
    "45m",
    "--reason",
    REASON,
];

/// Asks; the question's id.
fn ask(world: &World, who: Who) -> String {
    let said = run(world, &world.token(who), ASK);
    assert!(said.status.success(), "{said:?}");
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    said["approval"]["id"].as_str().unwrap().to_owned()
}

fn granted(world: &World, who: Who, by: Who) {
    let id = ask(world, who);
    approve(world, by, &id);
    assert_eq!(state(world, &id), "consumed");
}

fn open(world: &World, who: Who) -> Result<Wire, String> {
    Wire::connect(&world.through(who, CLOSED)).map_err(|e| format!("{e:?}"))
}

fn refused(world: &World, who: Who) -> String {
    match open(world, who) {
        Ok(_) => panic!("the target is open"),
        Err(told) => told,
    }
}

fn insert(wire: &mut Wire, n: u32) -> Vec<String> {
    let said = wire.query(&format!("INSERT INTO notes VALUES ({n}, 'granted')"));
    said.unwrap().completed()
}

/// Has the store say that every grant ends so many seconds from now: the shortest that can be asked for is a minute.
fn end_in(world: &World, seconds: f64) {
    let script = "import sqlite3,sys,time\nc=sqlite3.connect(sys.argv[1],timeout=10)\n\
                  c.execute('UPDATE grants SET until = ?', (int((time.time()+float(sys.argv[2]))*1e6),))\nc.commit()";
    let said = Command::new("python3")
        .args(["-c", script])
        .arg(world.gateway.data_dir().join("brattice.db"))
        .arg(seconds.to_string())
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
}

#[test]
fn one_yes_opens_what_was_asked_for_and_nothing_else() {
    let world = world(1000);
    let who = agent("early-1");
    let told = refused(&world, who);
    assert!(told.contains("closed-opens-when-granted"), "{told}");
    assert!(
        told.contains("brattice request create --target closed --connect"),
        "{told}"
    );

    let id = ask(&world, who);
    // The same wish is the same question.
    assert_eq!(ask(&world, who), id);
    let question = look(&world, DBA, &id).json();
    let text = question["text"].as_str().unwrap();
    for line in [
        "to:     agent:dev/early-1",
        "on:     closed",
        "what:   connect, write",
        "  closed-opens-when-granted for 45 minutes",
        "  closed-writes-when-granted for 30 minutes",
        "reason, in their words: ticket 7⟪U+001B⟫[2J⟪U+202E⟫⟪U+000A⟫lifts: nothing at all",
    ] {
        let there = text
            .lines()
            .any(|l| l.replace("  nothing", " nothing") == line || l == line);
        assert!(there, "{line} is not in {text}");
    }
    assert_eq!(question["ahead"]["reason"], REASON);
    assert_eq!(question.get("session"), None);
    let shown = world
        .gateway
        .cli(&["approvals", "show", &id], &world.token(DBA))
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
        "{shown}"
    );

    // Nobody but those asked, and nobody in the chain that asks.
    for other in [who, WRITER, SECURITY] {
        let status = answer(&world, other, &id, true).status;
        assert!((400..500).contains(&status), "{} got {status}", other.name);
    }
    assert!(open(&world, who).is_err());
    approve(&world, DBA, &id);
    let mut wire = open(&world, who).unwrap();
    assert_eq!(insert(&mut wire, 70), ["INSERT 0 1"]);
    let said = wire.query("DELETE FROM notes").unwrap_err();
    assert!(format!("{said:?}").contains("Late"), "{said:?}");
    // Nobody else's, and nothing more by asking again with the used question.
    assert!(open(&world, agent("early-2")).is_err());
    assert_eq!(answer(&world, OTHER_DBA, &id, true).status, 409);

    let list = |who| {
        let said = run(&world, &world.token(who), &["grants", "list"]);
        let said: Value = serde_json::from_slice(&said.stdout).unwrap();
        said["grants"].as_array().unwrap().clone()
    };
    let mine = list(who);
    assert_eq!(mine.len(), 2, "{mine:?}");
    assert_eq!(mine[0]["approvers"], json!(["user:dev/dana"]));
    assert!(list(agent("early-2")).is_empty());
    let opening = mine
        .iter()
        .find(|g| g["rule"] == "closed-opens-when-granted")
        .unwrap();
    let grant = opening["id"].as_str().unwrap();
    let end = ["grants", "end", grant, "--reason", "enough"];
    assert!(
        !run(&world, &world.token(agent("early-2")), &end)
            .status
            .success()
    );
    let said = run(&world, &world.token(SECURITY), &end);
    assert!(said.status.success(), "{said:?}");
    assert!(wire.closes(CUT_MAX), "the session outlives its grant");
    assert!(refused(&world, who).contains("closed-opens-when-granted"));

    let entries = export_lines(&log_dir(&world));
    let has = |what: &dyn Fn(&Value) -> bool| assert!(entries.iter().any(what), "{entries:#?}");
    has(&|e| e["act"] == "grant.request" && e["allowed"] == true);
    has(&|e| e["kind"] == "approval_asked" && e["approval"] == id.as_str());
    has(&|e| {
        e["kind"] == "session_opened"
            && e["grants"]
                .as_array()
                .is_some_and(|g| g.iter().any(|g| g == grant))
    });
    has(&|e| e["act"] == "grant.end" && e["allowed"] == true && e["details"] == "enough");
    has(&|e| e["kind"] == "session_closed" && e["reason"] == "grant ended");
}

#[test]
fn a_session_ends_with_its_grant_and_asking_again_lengthens_it() {
    let world = world(1000);
    let who = agent("timed-1");
    granted(&world, who, DBA);
    let mut idle = open(&world, who).unwrap();
    let mut asleep = open(&world, who).unwrap();
    let query = brattice_testkit::wire::frames::query(b"SELECT 1");
    assert_eq!(idle.query("SELECT 1").unwrap().texts(), ["1"]);
    end_in(&world, 2.0);
    // While it stands, another is asked for: what was opened goes on over the end of the first.
    granted(&world, who, DBA);
    std::thread::sleep(Duration::from_millis(3500));
    assert_eq!(
        idle.query("SELECT 1").unwrap().texts(),
        ["1"],
        "it ended though it was lengthened"
    );
    end_in(&world, 1.5);
    let begun = Instant::now();
    let (said, closed) = idle.drain(Duration::from_secs(4));
    assert!(closed, "it outlives its grant");
    assert!(format!("{said:?}").contains("brattice.grant"), "{said:?}");
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "it ended too early"
    );
    let _gone = asleep.send(&query);
    assert!(asleep.closes(CUT_MAX));
    assert!(refused(&world, who).contains("closed-opens-when-granted"));
}

#[test]
fn a_grant_falls_with_its_giver_its_rule_and_its_holder() {
    let world = world(1000);
    // The giver leaves the group.
    let who = agent("falls-1");
    granted(&world, who, OTHER_DBA);
    let mut wire = open(&world, who).unwrap();
    let left = Who {
        groups: &[],
        ..OTHER_DBA
    };
    let seen = world
        .gateway
        .api("GET", "/api/v1/whoami", &world.token(left), None);
    assert_eq!(seen.unwrap().status, 200);
    assert!(wire.closes(CUT_MAX), "it outlives its giver's right");
    assert!(open(&world, who).is_err());
    // The giver is revoked.
    let who = agent("falls-2");
    let third = Who {
        name: "dora",
        ..DBA
    };
    granted(&world, who, third);
    let mut wire = open(&world, who).unwrap();
    let said = run(
        &world,
        &world.token(SECURITY),
        &["agents", "revoke", "--user", "dev/dora"],
    );
    assert!(said.status.success(), "{said:?}");
    assert!(wire.closes(CUT_MAX), "it outlives its giver");
    // The rule changes: the yes was to another text.
    let who = agent("falls-3");
    granted(&world, who, DBA);
    let mut wire = open(&world, who).unwrap();
    let text = RULES.replace("@grant(\"1h\")", "@grant(\"2h\")");
    world.gateway.write("policies/closed.cedar", &text).unwrap();
    assert_eq!(
        world.gateway.reload(&world.token(SECURITY)).unwrap().status,
        200
    );
    assert!(
        wire.closes(CUT_MAX),
        "it outlives the text it was given for"
    );
    assert!(open(&world, who).is_err());
    // The holder is revoked, and comes back with a new proof.
    let who = agent("falls-4");
    granted(&world, who, DBA);
    let mut wire = open(&world, who).unwrap();
    let said = run(
        &world,
        &world.token(SECURITY),
        &["agents", "revoke", "dev/falls-4"],
    );
    assert!(said.status.success(), "{said:?}");
    assert!(wire.closes(CUT_MAX));
    let said = run(&world, &world.token(SECURITY), &["grants", "list"]);
    assert!(!String::from_utf8(said.stdout).unwrap().contains("falls-4"));
}

#[test]
fn where_no_grant_helps_it_says_so() {
    let world = world(1000);
    let ask = |who: Who, more: &[&str]| {
        let words = ["request", "create", "--for", "30m", "--reason", "x"];
        let words: Vec<&str> = words.iter().chain(more).copied().collect();
        let said = run(&world, &world.token(who), &words);
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        (said.status.code(), text(&said.stdout), text(&said.stderr))
    };
    let (code, out, _) = ask(WRITER, &["--target", SHOP, "--effects", "read,write"]);
    assert_eq!((code, out.trim()), (Some(0), "{}"));
    let (code, _, why) = ask(WRITER, &["--target", CLOSED, "--effects", "destroy"]);
    assert_eq!(code, Some(1));
    assert!(
        why.contains("nothing_to_ask") && why.contains("closed-destroys-after-asking"),
        "{why}"
    );
    let (code, _, why) = ask(WRITER, &["--target", CLOSED, "--effects", "administer"]);
    assert_eq!(code, Some(1));
    assert!(
        why.contains("closed-is-not-administered") && why.contains("nothing permits administer"),
        "{why}"
    );
    // What a grant does not lift is told beside what it does.
    let (code, out, _) = ask(WRITER, &["--target", CLOSED, "--effects", "write,destroy"]);
    assert_eq!(code, Some(0));
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        out["asks_each_time"],
        json!(["closed-destroys-after-asking"])
    );
    let stranger = Who {
        name: "stranger",
        kind: "agent",
        groups: &["guests"],
    };
    let missing = ask(WRITER, &["--target", "typo", "--connect"]);
    let hidden = ask(stranger, &["--target", CLOSED, "--connect"]);
    assert_eq!((missing.0, hidden.0), (Some(4), Some(4)));
    let unknown = ["--target", CLOSED, "--effects", "unknown"];
    assert_eq!(ask(WRITER, &unknown).0, Some(2));
    // Called wrongly, which the program tells without asking anybody.
    assert_eq!(ask(WRITER, &["--target", CLOSED]).0, Some(2));
}

#[test]
fn a_delegating_person_does_not_approve_and_waiting_hears_the_answer() {
    let world = world(1000);
    // An agent that acts for a DBA asks: that DBA is in the chain.
    let fields = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token", &*world.token(DBA)),
        (
            "subject_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("actor_token", &*world.token(agent("for-dana"))),
        (
            "actor_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
    ];
    let traded = world.gateway.form("/oauth/token", &fields).unwrap().json();
    let traded = traded["access_token"].as_str().unwrap();
    let said = run(&world, traded, ASK);
    assert!(said.status.success(), "{said:?}");
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let id = said["approval"]["id"].as_str().unwrap();
    let status = answer(&world, DBA, id, true).status;
    assert!(
        (400..500).contains(&status),
        "approved what was asked for them: {status}"
    );
    assert_eq!(state(&world, id), "pending");

    for (yes, code) in [(true, 0), (false, 1)] {
        let who = agent(if yes { "waits-1" } else { "waits-2" });
        let token = world.token(who);
        let code_of = std::thread::scope(|scope| {
            let words: Vec<&str> = ASK.iter().copied().chain(["--wait"]).collect();
            let (world, token) = (&world, &token);
            let waiting = scope.spawn(move || run(world, token, &words));
            let by = Instant::now() + Duration::from_secs(10);
            let id = loop {
                let path = "/api/v1/approvals?state=pending";
                let open = world.gateway.api("GET", path, token, None).unwrap().json();
                if let Some(id) = open["approvals"][0]["id"].as_str() {
                    break id.to_owned();
                }
                assert!(Instant::now() < by, "nothing was asked");
                std::thread::sleep(Duration::from_millis(50));
            };
            assert_eq!(answer(world, DBA, &id, yes).status, 200);
            waiting.join().unwrap().status.code()
        });
        assert_eq!(code_of, Some(code));
        assert_eq!(open(&world, who).is_ok(), yes);
    }
}

#[test]
fn questions_and_grants_outlive_a_kill_and_a_flood_does_not_reach_people() {
    let mut world = world(10);
    let who = agent("killed-1");
    let id = ask(&world, who);
    world.gateway.kill();
    world.gateway.start_again().unwrap();
    assert_eq!(
        state(&world, &id),
        "pending",
        "nobody's connection waited for it"
    );
    approve(&world, DBA, &id);
    // The yes and its grants are one: nothing lies between.
    world.gateway.kill();
    world.gateway.start_again().unwrap();
    let mut wire = open(&world, who).unwrap();
    assert_eq!(insert(&mut wire, 71), ["INSERT 0 1"]);

    let token = world.token(agent("flood-1"));
    let (mut asked, mut throttled) = (0, 0);
    for n in 0..60 {
        let body =
            json!({ "target": CLOSED, "connect": true, "minutes": 30, "reason": format!("{n}") });
        let reply = world
            .gateway
            .api("POST", "/api/v1/grants/requests", &token, Some(&body))
            .unwrap();
        match reply.status {
            201 => asked += 1,
            429 => throttled += 1,
            other => panic!("{other}: {}", reply.text()),
        }
    }
    assert_eq!((asked, throttled), (10, 50));
}
