//! People who sign in at the gateway by a provider that others wrote, in a browser, with the command line that they use.

mod hostile;

use crate::records::{export_lines, log_dir};
use crate::world::{SHOP, World};
use brattice_testkit::client::{Running, Said, run};
use brattice_testkit::gateway::{GatewayOptions, Reply};
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::signing_in::{Person, Provider};
use brattice_testkit::wire::Wire;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

const WAIT_MAX: Duration = Duration::from_secs(60);
pub const CLIENT: &str = "brattice-cli";

/// A gateway whose people sign in by a provider called `op`, and whose homes are below a directory.
struct Desk {
    world: World,
    provider: Provider,
    homes: tempfile::TempDir,
}

/// A revocation voids what was proved up to the largest leeway after it: here a second, as all clocks are one.
pub fn short_leeway(bundle: &mut GatewayOptions) {
    for (name, url) in std::mem::take(&mut bundle.issuers) {
        bundle.more.push_str(&format!(
            "\n[issuers.{name}]\nurl = \"{url}\"\ndevelopment = true\naudiences = [\"brattice\"]\nleeway = \"1s\"\n\
             claims = {{ agent_when = [\"kind=agent\"], user_when = [\"kind=user\"] }}\n"
        ));
    }
}

impl Desk {
    fn open(lean: bool, scopes: &str, more: &str) -> Desk {
        let provider = Provider::start(lean).unwrap();
        let world = World::start(PostgresOptions::of(18), |bundle| {
            short_leeway(bundle);
            bundle.more.push_str(&format!(
                "\n[issuers.op]\nurl = \"{}\"\ndevelopment = true\naudiences = [\"urn:brattice\"]\nleeway = \"1s\"\n\
                 claims = {{ agent_when = [\"kind=agent\"], user_when = [\"kind=user\"] }}\n\
                 sign_in = {{ client_id = \"gateway\", client_secret = \"env:OP_SECRET\", scopes = [{scopes}], recheck_max = \"1h\" }}\n{more}\n",
                provider.issuer
            ));
            // Its people may approve what others' may, and connect and read.
            let (_, rules) = &mut bundle.policies[0];
            *rules = rules.replace("@approval(\"dev/dba\")", "@approval(\"dev/dba, op/dba\")");
            rules.push_str(OP_RULES);
            bundle
                .environment
                .push(("OP_SECRET".to_owned(), provider.client_secret.clone()));
        });
        Desk {
            world,
            provider,
            homes: tempfile::tempdir().unwrap(),
        }
    }

    /// The program as somebody with a home of their own.
    fn command(&self, home: &str, arguments: &[&str]) -> Command {
        let mut command = self.world.gateway.command(arguments, "");
        command
            .env_remove("BRATTICE_TOKEN")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("SSH_CONNECTION")
            .env("BRATTICE_HOME", self.homes.path().join(home));
        command
    }

    fn say(&self, home: &str, arguments: &[&str]) -> Said {
        run(self.command(home, arguments), "", WAIT_MAX).unwrap()
    }

    /// Signs somebody in, by a browser.
    fn sign_in(&self, home: &str, name: &str) -> Said {
        self.sign_in_by(&Person::new().unwrap(), home, name)
    }

    /// Signs somebody in, by a browser that the provider may know.
    fn sign_in_by(&self, person: &Person, home: &str, name: &str) -> Said {
        let mut command = self.command(home, &["login", "--format", "json"]);
        command.env("BROWSER", person.browser(name, "yes").unwrap());
        run(command, "", WAIT_MAX).unwrap()
    }

    /// The saved sign-in of somebody.
    fn saved(&self, home: &str) -> (std::path::PathBuf, Value) {
        let files = std::fs::read_dir(self.homes.path().join(home)).unwrap();
        let file = files
            .map(|f| f.unwrap().path())
            .find(|p| p.extension().is_some_and(|e| e == "json"))
            .expect("nothing is saved");
        let text = std::fs::read(&file).unwrap();
        (file, serde_json::from_slice(&text).unwrap())
    }

    /// Makes the saved access token one that has to be renewed.
    fn age(&self, home: &str) {
        let (file, mut saved) = self.saved(home);
        saved["expires_at"] = json!(0);
        std::fs::write(file, saved.to_string()).unwrap();
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.world.gateway.form(path, fields).unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.world.gateway.admin_port())
    }

    /// An authorization request for a program that listens on a port where nobody does.
    fn request(&self, challenge: &str, state: &str) -> String {
        let query = url_encoded(&[
            ("client_id", CLIENT),
            ("response_type", "code"),
            ("redirect_uri", BACK),
            ("state", state),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]);
        self.url(&format!("/oauth/authorize?{query}"))
    }
}

/// Where a program would listen.
pub const BACK: &str = "http://127.0.0.1:9/callback";
/// RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub fn url_encoded(fields: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields).finish()
}

pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).unwrap();
    let mut pairs = url.query_pairs();
    pairs.find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
}

const OP_RULES: &str = r#"
@id("op-connects")
permit (principal in Group::"op/dba", action == Action::"connect", resource in Label::"team=shop");

@id("op-reads")
permit (principal in Group::"op/dba", action in Action::"read", resource in Label::"team=shop");
"#;

#[test]
fn a_person_signs_in_by_a_browser_acts_and_signs_out() {
    let desk = Desk::open(false, "\"profile\", \"offline_access\"", "");
    let signed_in = desk.sign_in("dana", "dana");
    assert!(signed_in.is_good(), "{signed_in:?}");
    let who: Value =
        serde_json::from_str(&desk.say("dana", &["whoami", "--format", "json"]).out).unwrap();
    assert_eq!(who["chain"][0]["id"], "op/dana");
    assert_eq!(who["chain"][0]["kind"], "user");
    assert_eq!(who["chain"][0]["groups"], json!(["op/dba"]));
    let (file, saved) = desk.saved("dana");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "others may read a sign-in");

    // A credential minted with it opens a target, and ends with the sign-in.
    let access = saved["access_token"].as_str().unwrap();
    let made = desk.say("dana", &["credential", "create", SHOP, "--format", "json"]);
    assert!(made.is_good(), "{made:?}");
    let made: Value = serde_json::from_str(&made.out).unwrap();
    let mut login = desk
        .world
        .gateway
        .login(made["password"].as_str().unwrap(), "shop/app");
    login.user = made["id"].as_str().unwrap().to_owned();
    let mut wire = Wire::connect(&login).unwrap();
    assert_eq!(wire.query("SELECT 1").unwrap().texts(), ["1"]);

    // What is in the file is bound to the key beside it: alone it is worth nothing, with it everything.
    let stolen = desk.world.gateway.login(access, "shop/app");
    assert!(Wire::connect(&stolen).is_err(), "a token without its key");
    let api = |token: &str| desk.world.gateway.api("GET", "/api/v1/whoami", token, None);
    assert_eq!(api(access).unwrap().status, 401);
    let refresh = saved["refresh_token"].as_str().unwrap();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "brattice-cli"),
        ("refresh_token", refresh),
    ];
    let said = desk.world.gateway.form("/oauth/token", &fields).unwrap();
    assert_eq!(said.json()["error"], "invalid_grant", "{}", said.text());
    let traded = desk.say("dana", &["token", "exchange", "--effects", "read"]);
    assert!(traded.is_good(), "{traded:?}");
    assert_eq!(api(traded.out.trim()).unwrap().status, 401);
    let mut narrow = desk.command("dana", &["whoami"]);
    narrow.env("BRATTICE_TOKEN", traded.out.trim());
    assert!(
        narrow.output().unwrap().status.success(),
        "with the key it counts"
    );
    let mut elsewhere = desk.command("omar", &["whoami"]);
    elsewhere.env("BRATTICE_TOKEN", traded.out.trim());
    assert!(!elsewhere.output().unwrap().status.success());

    // Renewed by itself, with another refresh token; the one before is good no longer.
    desk.age("dana");
    assert!(desk.say("dana", &["whoami"]).is_good());
    let (_, renewed) = desk.saved("dana");
    assert_ne!(renewed["refresh_token"], saved["refresh_token"]);

    let out = desk.say("dana", &["logout"]);
    assert!(out.is_good(), "{out:?}");
    assert!(
        wire.closes(Duration::from_secs(2)),
        "a session outlives the sign-in"
    );
    assert!(
        Wire::connect(&login).is_err(),
        "a credential outlives its sign-in"
    );
    let status = desk.say("dana", &["status"]);
    assert!(status.out.contains("not signed in"), "{status:?}");
    assert!(!desk.say("dana", &["whoami"]).is_good());

    // On record, and no secret with it.
    let entries = export_lines(&log_dir(&desk.world));
    let acts: Vec<&str> = entries.iter().filter_map(|e| e["act"].as_str()).collect();
    for act in ["sign_in.answer", "sign_in", "sign_out"] {
        assert!(acts.contains(&act), "{act} is not on record: {acts:?}");
    }
    let log = desk.world.gateway.log();
    for secret in [&saved, &renewed] {
        for name in ["access_token", "refresh_token"] {
            let secret = secret[name].as_str().unwrap();
            assert!(!log.contains(secret), "{name} is in the log");
            assert!(!entries.iter().any(|e| e.to_string().contains(secret)));
        }
    }
}

#[test]
fn a_lean_provider_is_asked_for_the_groups() {
    let desk = Desk::open(true, "\"profile\"", "");
    let signed_in = desk.sign_in("omar", "omar");
    assert!(signed_in.is_good(), "{signed_in:?}");
    let who: Value =
        serde_json::from_str(&desk.say("omar", &["whoami", "--format", "json"]).out).unwrap();
    assert_eq!(who["chain"][0]["groups"], json!(["op/dba"]));
    // Without something to ask the provider by again it goes on as long as it may, and is renewed.
    desk.age("omar");
    assert!(desk.say("omar", &["whoami"]).is_good());
}

#[test]
fn what_a_provider_takes_away_is_gone_at_the_next_renewal() {
    let desk = Desk::open(false, "\"profile\", \"offline_access\"", "");
    let groups = |home: &str| -> Value {
        let said = desk.say(home, &["whoami", "--format", "json"]);
        assert!(said.is_good(), "{said:?}\n{}", desk.world.gateway.log());
        let who: Value = serde_json::from_str(&said.out).unwrap();
        who["chain"][0]["groups"].clone()
    };
    assert!(desk.sign_in("dana", "dana").is_good());
    assert_eq!(groups("dana"), json!(["op/dba"]));
    desk.provider.control("of=dana&groups=readers").unwrap();
    desk.age("dana");
    assert_eq!(groups("dana"), json!(["op/readers"]));
    // A provider that is away for a while takes nobody's sign-in away, and vouches for nothing new.
    desk.provider.control("away=yes").unwrap();
    desk.age("dana");
    assert_eq!(groups("dana"), json!(["op/readers"]));
    desk.provider.control("away=no").unwrap();
    // One that has too much to do, or something in front of it that minds, does not say that the person is gone.
    for hiccup in ["429", "403", "404", "400"] {
        let told = format!("hiccup={hiccup}");
        desk.provider.control(&told).unwrap();
        desk.age("dana");
        assert!(desk.say("dana", &["whoami"]).is_good(), "{hiccup}");
    }
    desk.provider.control("hiccup=0").unwrap();
    desk.age("dana");
    assert!(desk.say("dana", &["whoami"]).is_good());
    // Other keys are no reason to sign in again.
    desk.provider.control("rotate=1").unwrap();
    desk.age("dana");
    assert_eq!(groups("dana"), json!(["op/readers"]));
    // Who left is signed in no longer.
    desk.provider.control("gone=dana").unwrap();
    desk.age("dana");
    let said = desk.say("dana", &["whoami"]);
    assert_eq!(said.status.and_then(|s| s.code()), Some(4), "{said:?}");
    assert!(said.err.contains("has ended"), "{said:?}");
}

#[test]
fn a_machine_without_a_browser_signs_in_by_a_code() {
    let desk = Desk::open(false, "\"profile\"", "");
    let begin = |answer: &str| {
        let running = Running::start(desk.command(answer, &["login"])).unwrap();
        let line = running.hears("or go to ", WAIT_MAX).unwrap();
        let url = line.split_whitespace().last().unwrap().to_owned();
        let person = Person::new().unwrap();
        let saw = person.go(&url, "dana", answer, "").unwrap();
        (running.wait(WAIT_MAX), saw)
    };
    let (said, saw) = begin("yes");
    assert!(said.is_good(), "{said:?} {saw}");
    assert_eq!(saw["title"], "Done · Brattice", "{saw}");
    assert!(desk.say("yes", &["whoami"]).out.contains("op/dana"));
    let (said, saw) = begin("no");
    assert_eq!(
        said.status.and_then(|s| s.code()),
        Some(4),
        "{said:?} {saw}"
    );
}

#[test]
fn all_of_a_persons_sign_ins_end_together_when_they_say_so_or_are_revoked() {
    let desk = Desk::open(false, "\"profile\"", "");
    for home in ["laptop", "desktop"] {
        assert!(desk.sign_in(home, "dana").is_good());
    }
    assert!(desk.sign_in("omar", "omar").is_good());
    let out = desk.say("laptop", &["logout", "--everywhere", "--format", "json"]);
    let ended: Value = serde_json::from_str(&out.out).unwrap();
    assert_eq!(ended["ended"], 2, "{out:?}");
    assert!(!desk.say("desktop", &["whoami"]).is_good());
    assert!(desk.say("omar", &["whoami"]).is_good());
    // Revoked, a person signs in anew; what they had before is void, and cannot be renewed.
    let revoke = ["agents", "revoke", "--user", "op/omar", "--reason", "left"];
    let said = desk
        .world
        .gateway
        .cli(&revoke, &desk.world.token(crate::world::SECURITY))
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    assert!(!desk.say("omar", &["whoami"]).is_good());
    desk.age("omar");
    let said = desk.say("omar", &["whoami"]);
    assert_eq!(said.status.and_then(|s| s.code()), Some(4), "{said:?}");
}

#[test]
fn a_revoked_person_signs_in_again_by_showing_the_provider_anew_who_they_are() {
    let desk = Desk::open(false, "\"profile\"", "");
    let browser = Person::new().unwrap();
    assert!(desk.sign_in_by(&browser, "home", "dana").is_good());
    let revoke = [
        "agents", "revoke", "--user", "op/dana", "--reason", "stolen",
    ];
    let token = desk.world.token(crate::world::SECURITY);
    let said = desk.world.gateway.cli(&revoke, &token).unwrap();
    assert!(said.status.success(), "{said:?}");
    // Providers tell in whole seconds when somebody signed in, by a clock that may be ahead of ours by the leeway.
    std::thread::sleep(Duration::from_millis(2100));
    // The provider remembers this browser, from before the revocation: that alone is worth nothing.
    let said = desk.sign_in_by(&browser, "home", "dana");
    assert!(said.is_good(), "{said:?}\n{}", desk.world.gateway.log());
    assert!(desk.say("home", &["whoami"]).is_good());
}

#[test]
fn a_person_approves_with_a_sign_in_and_an_agent_of_the_same_provider_does_not() {
    let desk = Desk::open(false, "\"profile\"", "");
    assert!(desk.sign_in("dana", "dana").is_good());
    let mut wire = desk.world.connect(crate::world::WRITER, crate::world::PROD);
    let id = crate::holds::hold_query(&mut wire, "UPDATE notes SET text = 'x' WHERE id = 1");
    let shown = desk.say("dana", &["approvals", "show", &id, "--format", "json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    let action = shown["action"].as_str().unwrap();
    // An agent's token of the provider is for this gateway only if it says so.
    let agent = desk.provider.agent_token("urn:brattice").unwrap();
    let other = desk.provider.agent_token("urn:another").unwrap();
    let who = |token: &str| {
        desk.world
            .gateway
            .api("GET", "/api/v1/whoami", token, None)
            .unwrap()
    };
    assert_eq!(who(&agent).json()["chain"][0]["kind"], "agent");
    assert_eq!(who(&other).status, 401);
    let approve = ["approvals", "approve", &id, "--action", action];
    assert!(
        !desk
            .world
            .gateway
            .cli(&approve, &agent)
            .unwrap()
            .status
            .success()
    );
    let said = desk.say("dana", &approve);
    assert!(said.is_good(), "{said:?}");
    assert_eq!(wire.until_ready().unwrap().completed(), ["UPDATE 1"]);
}

#[test]
fn what_a_person_said_stands_when_they_sign_out() {
    let desk = Desk::open(false, "\"profile\"", "\n[holds]\nwait_max = \"1s\"\n");
    let (writer, prod) = (crate::world::WRITER, crate::world::PROD);
    let write = "UPDATE notes SET text = 'said' WHERE id = 1";
    let ticket = || {
        let said = desk.world.connect(writer, prod).query(write).unwrap();
        crate::holds::ticket_in(&said)
    };
    let approve = |id: &str| {
        assert!(desk.sign_in("dana", "dana").is_good());
        let shown = desk.say("dana", &["approvals", "show", id, "--format", "json"]);
        let shown: Value = serde_json::from_str(&shown.out).unwrap();
        let action = shown["action"].as_str().unwrap();
        let said = desk.say("dana", &["approvals", "approve", id, "--action", action]);
        assert!(said.is_good(), "{said:?}");
    };
    approve(&ticket());
    let delegate = [
        "delegate",
        "--to",
        "dev/writer-1",
        "--target",
        "shop",
        "--effects",
        "read",
        "--for",
        "1h",
        "--reason",
        "on leave",
        "--format",
        "json",
    ];
    let said = desk.say("dana", &delegate);
    assert!(said.is_good(), "{said:?}");
    let given: Value = serde_json::from_str(&said.out).unwrap();
    let trade = [
        "token",
        "exchange",
        "--delegation",
        given["delegation"]["id"].as_str().unwrap(),
    ];
    let traded = || {
        let said = desk.world.gateway.cli(&trade, &desk.world.token(writer));
        said.unwrap().status.success()
    };
    assert!(desk.say("dana", &["logout"]).is_good());
    assert!(traded());
    let said = desk.world.connect(writer, prod).query(write).unwrap();
    assert_eq!(said.completed(), ["UPDATE 1"], "{said:?}");
    // Somebody who is revoked has said nothing.
    let again = ticket();
    approve(&again);
    let revoke = ["agents", "revoke", "--user", "op/dana"];
    let token = desk.world.token(crate::world::SECURITY);
    let said = desk.world.gateway.cli(&revoke, &token).unwrap();
    assert!(said.status.success(), "{said:?}");
    assert_ne!(ticket(), again);
    assert!(!traded());
}
