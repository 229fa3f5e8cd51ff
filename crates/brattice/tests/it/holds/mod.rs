//! Held commands: waiting on the open connection, tickets, who may answer, and what an answer is good for.
//!
//! Here live the world of these cases and how they ask and answer. The oracle of each case is what the server has in
//! its rows; what the gateway says of it is only looked at beside that.

mod ahead;
mod binding;
mod grants;
mod people;
mod ticket;
mod waiting;
mod webhooks;

use crate::world::{PROD, SHOP, Who, World};
use brattice_testkit::gateway::{GatewayOptions, Reply, TargetOptions};
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::wire::{Answer, Fields, Wire, frames};
use serde_json::json;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Production whose holds become tickets at once.
pub const QUICK: &str = "quick";
/// The same, and a question or an approved ticket is good for two seconds.
pub const BRIEF: &str = "brief";
/// Production where a yes stands for half an hour, and where masked columns are shown while it does.
pub const GRANTED: &str = "granted";

const WITHIN: Duration = Duration::from_secs(10);

const RULES: &str = r#"
@id("writers-destroy")
permit (principal in Group::"dev/writers", action in Action::"destroy", resource in Label::"team=shop");

@id("two-for-destruction")
@approval("dev/dba, dev/sre")
@approvers("2")
forbid (principal is Agent, action in Action::"destroy", resource in Label::"env=production");

@id("writers-see-all-when-granted")
permit (principal in Group::"dev/writers", action == Action::"reveal.full", resource in Label::"env=granted");

@id("granted-for-a-while")
@approval("dev/dba")
@grant("30m")
forbid
(
    principal is Agent,
    action in [Action::"sql.insert", Action::"reveal.full"],
    resource in Label::"env=granted"
);
"#;

/// The shop with more targets and rules, and with room for many questions.
pub fn world(major: u8) -> World {
    world_with(major, "questions_per_minute_max = 1000")
}

pub fn world_with(major: u8, limits: &str) -> World {
    let table = format!("[limits]\n{limits}\n\n");
    world_of(major, |bundle| bundle.more.push_str(&table))
}

/// The same with the bundle changed further.
pub fn world_of(major: u8, change: impl FnOnce(&mut GatewayOptions)) -> World {
    World::start(PostgresOptions::of(major), |bundle| {
        let prod = bundle.targets.iter().find(|t| t.name == PROD).unwrap();
        let like_prod = |name: &str, env: &str, more: &str| TargetOptions {
            name: name.to_owned(),
            tls: "mode = \"disable\"".to_owned(),
            labels: vec![
                ("env".to_owned(), env.to_owned()),
                ("team".to_owned(), "shop".to_owned()),
            ],
            more: more.to_owned(),
            ..prod.clone()
        };
        let quick = like_prod(
            QUICK,
            "production",
            "holds = { wait_max = \"200ms\" }\nsearch_path = [\"public\", \"evil\"]\n\
             databases = [\"app\", \"postgres\"]",
        );
        let brief = "holds = { wait_max = \"200ms\", ticket_lifetime = \"2s\" }";
        let brief = like_prod(BRIEF, "production", brief);
        let granted = like_prod(GRANTED, "granted", "");
        bundle.targets.extend([quick, brief, granted]);
        for column in ["ssn", "card"] {
            let shop = format!("\"{SHOP}/app/public.customers.{column}\"");
            let more = format!("{shop}, \"{GRANTED}/app/public.customers.{column}\"");
            bundle.more = bundle.more.replace(&shop, &more);
        }
        bundle.more.push_str("[holds]\nnotice_every = \"1s\"\n\n");
        bundle
            .policies
            .push(("policies/holds.cedar".to_owned(), RULES.to_owned()));
        change(bundle);
    })
}

/// A case's name, and the case.
pub type Case = (&'static str, fn(&World));

/// Plays every case, each on a shop made anew, and tells of all that fail.
pub fn play(world: &World, cases: &[Case]) {
    let mut failed = Vec::new();
    for (name, case) in cases {
        world.refill();
        if catch_unwind(AssertUnwindSafe(|| case(world))).is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

/// Sends this and reads up to the notice that it is held; the question's id.
pub fn hold(wire: &mut Wire, bytes: &[u8]) -> String {
    wire.send(bytes).unwrap();
    let answer = wire.until(|m| m.tag == b'N' && id_in(Fields::of(m).message()).is_some());
    let notices = answer.unwrap().notices();
    notices.iter().find_map(|n| id_in(n.message())).unwrap()
}

/// The same for a simple query.
pub fn hold_query(wire: &mut Wire, sql: &str) -> String {
    hold(wire, &frames::query(sql.as_bytes()))
}

fn id_in(notice: &str) -> Option<String> {
    let rest = notice.strip_prefix("held for approval ")?;
    rest.split_once(' ').map(|(id, _)| id.to_owned())
}

/// The id of the question that a refusal names.
pub fn ticket_in(answer: &Answer) -> String {
    let errors = answer.errors();
    let refusal = errors
        .first()
        .unwrap_or_else(|| panic!("no error: {answer:?}"));
    refusal
        .told("approval")
        .unwrap_or_else(|| panic!("names no approval: {answer:?}"))
}

/// A question as this person sees it.
pub fn look(world: &World, who: Who, id: &str) -> Reply {
    let path = format!("/api/v1/approvals/{id}");
    let token = world.token(who);
    world.gateway.api("GET", &path, &token, None).unwrap()
}

/// The same answer by REST.
pub fn answer(world: &World, who: Who, id: &str, yes: bool) -> Reply {
    let action = look(world, crate::world::DBA, id).json()["action"].clone();
    let verb = if yes { "approve" } else { "deny" };
    let path = format!("/api/v1/approvals/{id}/{verb}");
    let body = json!({ "action": action, "reason": "by a test" });
    let token = world.token(who);
    world
        .gateway
        .api("POST", &path, &token, Some(&body))
        .unwrap()
}

/// Says yes, and expects it to count.
pub fn approve(world: &World, who: Who, id: &str) {
    let reply = answer(world, who, id, true);
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// Where a question stands.
pub fn state(world: &World, id: &str) -> String {
    let reply = look(world, crate::world::DBA, id);
    reply.json()["state"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Waits until a question stands so.
pub fn comes_to(world: &World, id: &str, wanted: &str) {
    let by = Instant::now() + WITHIN;
    loop {
        let now = state(world, id);
        if now == wanted {
            return;
        }
        assert!(
            Instant::now() < by,
            "the question is {now}, and not {wanted}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The text of a note, as the server has it.
pub fn note(world: &World, id: u32) -> String {
    world.ask(&format!("SELECT text FROM notes WHERE id = {id}"))
}
