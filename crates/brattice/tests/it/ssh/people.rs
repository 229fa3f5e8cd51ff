//! People with a stock client and no token: they sign in in a browser, by a provider that others wrote, while it waits.

use super::{WEB, World};
use crate::records::export_lines;
use crate::world::{READER, SECURITY};
use brattice_testkit::client::{Running, Said, python_program};
use brattice_testkit::signing_in::{Person, Provider};
use brattice_testkit::ssh_client::{SshClient, SshLogin, SshProof};
use brattice_testkit::sshd::SshdOptions;
use serde_json::Value;
use std::time::{Duration, Instant};

const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long callers of these tests have to log in.
const LOGIN_MAX: Duration = Duration::from_secs(4);
const COMMAND: &str = "'echo in as $USER'";

/// People of the provider look at hosts.
const RULES: &str = r#"
@id("op-connects")
permit (principal in Group::"op/dba", action in [Action::"connect", Action::"read"], resource in Label::"role=web");

@id("op-runs")
permit (principal in Group::"op/dba", action in Action::"execute", resource in Label::"env=test");
"#;

/// What a person is asked.
const TOKEN: &str = "ID:SECRET: ";
const SIGNED_IN: &str = "when you have signed in: ";

struct Desk {
    world: World,
    provider: Provider,
}

impl Desk {
    fn open(more: &str) -> Desk {
        let provider = Provider::start(false).unwrap();
        let world = World::of(&SshdOptions::default(), |_, bundle| {
            bundle.more = bundle
                .more
                .replace("[limits]\n", "[limits]\nlogin_max = \"4s\"\n");
            bundle.more.push_str(&format!(
                "\n[issuers.op]\nurl = \"{}\"\ndevelopment = true\naudiences = [\"urn:brattice\"]\nleeway = \"1s\"\n\
                 claims = {{ agent_when = [\"kind=agent\"], user_when = [\"kind=user\"] }}\n{more}\n\
                 sign_in = {{ client_id = \"gateway\", client_secret = \"env:OP_SECRET\", scopes = [\"profile\"], recheck_max = \"1h\" }}\n",
                provider.issuer
            ));
            bundle
                .environment
                .push(("OP_SECRET".to_owned(), provider.client_secret.clone()));
            bundle.policies[0].1.push_str(RULES);
        });
        Desk { world, provider }
    }

    fn client(&self, user: &str) -> SshClient {
        SshClient::new(SshLogin {
            port: self.world.gateway.ssh_port(),
            user: user.to_owned(),
            proof: SshProof::Terminal,
            known_hosts: self.world.gateway.known_hosts().unwrap(),
        })
        .unwrap()
    }

    fn call(&self, user: &str) -> Call {
        let client = self.client(user);
        let running = Running::start(client.on_terminal(COMMAND)).unwrap();
        let call = Call {
            running,
            _client: client,
        };
        call.sees("To sign in in a browser, press Enter");
        call.asks(TOKEN);
        call
    }

    /// A call that is given a code: its page.
    fn invited(&self, user: &str) -> (Call, String) {
        let mut call = self.call(user);
        call.enter();
        let line = call.sees("or go to ");
        let url = line.split_whitespace().last().unwrap().to_owned();
        call.asks(SIGNED_IN);
        (call, url)
    }

    /// As if all codes had been shown a while ago.
    fn end_codes(&self) {
        let database = self.world.gateway.data_dir().join("brattice.db");
        let ends = "import sqlite3, sys\n\
                    db = sqlite3.connect(sys.argv[1], timeout=10)\n\
                    db.execute('UPDATE login_steps SET until = 0')\n\
                    db.commit()\n";
        let done = std::process::Command::new(python_program())
            .args(["-c", ends])
            .arg(database)
            .status()
            .unwrap();
        assert!(done.success());
    }

    fn entries(&self) -> Vec<Value> {
        export_lines(&self.world.gateway.data_dir().join("audit"))
    }

    fn refusals(&self) -> Vec<String> {
        let entries = self.entries().into_iter();
        let refused = entries.filter(|e| e["kind"] == "login_refused");
        refused
            .map(|e| e["reason"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

/// A person at a terminal.
struct Call {
    running: Running,
    _client: SshClient,
}

impl Call {
    fn sees(&self, text: &str) -> String {
        let line = self.running.reads(text, WAIT_MAX);
        line.unwrap_or_else(|| panic!("{text:?} is not shown"))
    }

    /// Waits until it asks: what was typed before is thrown away by it.
    fn asks(&self, text: &str) {
        assert!(self.running.asks(text, WAIT_MAX), "{text:?} is not asked");
    }

    fn enter(&mut self) {
        self.running.write("\n").unwrap();
    }

    fn end(self) -> Said {
        self.running.wait(WAIT_MAX)
    }
}

#[test]
fn a_person_without_a_token_signs_in_in_a_browser_while_the_client_waits() {
    let desk = Desk::open("");
    let (mut call, url) = desk.invited(WEB);
    let person = Person::new().unwrap();
    // What they are asked names the target, the code and where it is shown.
    let asked = person.go(&url, "dana", "look", "").unwrap();
    let page = asked.to_string();
    for part in ["web-1", "127.0.0.1", "brattice-ssh", "op/dana"] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    let saw = person.go(&url, "dana", "yes", "").unwrap();
    assert_eq!(saw["title"], "Done · Brattice", "{saw}");
    call.enter();
    let said = call.end();
    assert!(said.is_good(), "{said:?}\n{}", desk.world.gateway.log());
    assert!(said.out.contains("in as"), "{said:?}");

    let entries = desk.entries();
    let of = |act: &str| {
        let found = entries.iter().find(|e| e["act"] == act);
        found.unwrap_or_else(|| panic!("{act} is not on record: {entries:?}"))
    };
    assert_eq!(of("sign_in")["by"], "user:op/dana");
    let details = of("sign_in")["details"].as_str().unwrap();
    assert_eq!(details, "from 127.0.0.1, over SSH for web-1");
    let answered = of("sign_in.answer")["object"].as_str().unwrap();
    assert!(answered.contains("for web-1"), "{answered}");
    // The session is the person's own.
    let sessions = desk
        .world
        .get(crate::world::AUDITOR, "/api/v1/sessions")
        .json();
    assert_eq!(
        sessions["sessions"][0]["chain"][0]["id"], "op/dana",
        "{sessions}"
    );

    // The code was good once: neither the page nor another connection gets anything more of it.
    let late = Person::new().unwrap().go(&url, "dana", "yes", "").unwrap();
    assert!(
        late.to_string().contains("no device shows this code"),
        "{late}"
    );
}

#[test]
fn whoever_presses_enter_too_early_is_asked_again_and_has_longer_than_others_to_log_in() {
    let desk = Desk::open("");
    let (mut call, url) = desk.invited(&format!("{}@{WEB}", desk.world.sshd.user()));
    // Longer than anybody else may take, who has not begun.
    std::thread::sleep(LOGIN_MAX + Duration::from_secs(1));
    call.enter();
    call.sees("Nobody has said yes to ");
    call.asks(SIGNED_IN);
    Person::new().unwrap().go(&url, "dana", "yes", "").unwrap();
    call.enter();
    let said = call.end();
    assert!(said.is_good(), "{said:?}\n{}", desk.world.gateway.log());
    // Who has not begun is cut off.
    let mut idle = desk.call(WEB);
    std::thread::sleep(LOGIN_MAX + Duration::from_secs(1));
    idle.enter();
    let said = idle.end();
    assert!(said.out.contains("closed by"), "{said:?}");
}

#[test]
fn a_program_that_answers_nothing_is_told_so_and_ends() {
    let desk = Desk::open("");
    let client = desk.client(WEB);
    let mut ssh = client.ssh_command(&["-o", "NumberOfPasswordPrompts=3"], "true");
    ssh.env("SSH_ASKPASS", "/bin/true")
        .env("SSH_ASKPASS_REQUIRE", "force");
    let begun = Instant::now();
    let said = Running::start(ssh).unwrap().wait(WAIT_MAX * 2);
    assert!(!said.is_good() && begun.elapsed() < WAIT_MAX, "{said:?}");
    assert!(said.err.contains("BatchMode=yes"), "{said:?}");
    assert!(said.err.contains("given enough codes"), "{said:?}");
    let refusals = desk.refusals().join("\n");
    assert!(refusals.contains("from no person"), "{refusals}");
}

#[test]
fn nobody_gets_in_who_is_told_no_or_waits_too_long_or_is_no_longer_there() {
    let desk = Desk::open("");
    let mark = desk.world.sshd.mark();
    let person = Person::new().unwrap();
    // No.
    let (mut call, url) = desk.invited(WEB);
    let saw = person.go(&url, "dana", "no", "").unwrap();
    assert_eq!(saw["title"], "Nobody signed in · Brattice", "{saw}");
    call.enter();
    call.sees("Nobody signed in: the answer was no.");
    assert!(!call.end().is_good());

    // Too late, by the clock of the store.
    let (mut call, url) = desk.invited(WEB);
    desk.end_codes();
    let saw = person.go(&url, "dana", "yes", "").unwrap();
    assert!(saw.to_string().contains("no device shows"), "{saw}");
    call.enter();
    call.sees("the code has ended");
    assert!(!call.end().is_good());

    // The connection is gone: a yes goes nowhere, least of all to another connection that asks for the same.
    let (mut call, url) = desk.invited(WEB);
    let (mut other, _) = desk.invited(WEB);
    call.running.kill();
    let until = Instant::now() + WAIT_MAX;
    loop {
        let saw = person.go(&url, "dana", "look", "").unwrap().to_string();
        if saw.contains("no device shows this code") {
            break;
        }
        assert!(Instant::now() < until, "{saw}");
    }
    other.enter();
    other.sees("Nobody has said yes to ");
    other.running.kill();

    let log = desk.world.sshd.log_since(mark);
    assert!(!log.contains("Accepted"), "{log}");

    // Somebody whom no rule lets do anything is who they are.
    desk.provider.control("of=omar&groups=readers").unwrap();
    let (mut call, url) = desk.invited(WEB);
    Person::new().unwrap().go(&url, "omar", "yes", "").unwrap();
    call.enter();
    let said = call.end();
    assert!(!said.is_good(), "{said:?}");
    assert!(said.out.contains("code=forbidden"), "{said:?}");
    assert!(desk.world.sshd.ran_since(mark).is_empty());

    let refusals = desk.refusals().join("\n");
    for why in ["the person said no", "the code has ended"] {
        assert!(refusals.contains(why), "{why} is not on record: {refusals}");
    }
}

#[test]
fn a_person_who_is_revoked_is_out_at_once() {
    let desk = Desk::open("");
    let client = desk.client(WEB);
    let running = Running::start(client.on_terminal("'echo begun; sleep 60'")).unwrap();
    let mut call = Call {
        running,
        _client: client,
    };
    call.sees("To sign in in a browser, press Enter");
    call.asks(TOKEN);
    call.enter();
    let line = call.sees("or go to ");
    let url = line.split_whitespace().last().unwrap();
    Person::new().unwrap().go(url, "dana", "yes", "").unwrap();
    call.enter();
    call.sees("begun");
    let revoke = ["agents", "revoke", "--user", "op/dana", "--reason", "left"];
    let token = desk.world.token(SECURITY);
    let said = desk.world.gateway.cli(&revoke, &token).unwrap();
    assert!(said.status.success(), "{said:?}");
    let said = call.end();
    assert!(said.status.is_some_and(|s| !s.success()), "{said:?}");
}

#[test]
fn few_may_wait_at_once_from_one_place_and_others_log_in_as_ever() {
    let desk = Desk::open("");
    let mut calls: Vec<Call> = (0..8).map(|_| desk.invited(WEB).0).collect();
    let mut one_more = desk.call(WEB);
    one_more.enter();
    one_more.sees("Too many people are signing in now");
    one_more.running.kill();
    // Whoever has something to show needs no room.
    let said = desk
        .world
        .client(READER, WEB)
        .ssh(&[], "id -un", b"")
        .unwrap();
    assert!(said.is_good(), "{said:?}");
    // Who leaves makes room.
    drop(calls.pop());
    let until = Instant::now() + WAIT_MAX;
    loop {
        let mut next = desk.call(WEB);
        next.enter();
        let (found, waits) = ("or go to ", Duration::from_secs(2));
        if next.running.reads(found, waits).is_some() {
            break;
        }
        assert!(Instant::now() < until, "there is no room");
    }
}

#[test]
fn what_a_person_is_shown_is_not_chosen_by_a_stranger_and_what_must_be_bound_is_not_given() {
    let desk = Desk::open("");
    for user in ["say yes to this@web-1", "<b>x</b>@web-1"] {
        let mut call = desk.call(user);
        call.enter();
        call.sees("this user name names no target");
        assert!(!call.end().is_good());
    }
    drop(desk);
    let desk = Desk::open("binding_required = true");
    let mut call = desk.call(WEB);
    call.enter();
    call.sees("people sign in with bound tokens alone here");
    assert!(!call.end().is_good());
}
