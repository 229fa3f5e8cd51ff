//! Attacks, each straight at the server, where it must work, and through the gateway, where it must not.
//!
//! Here live the ways to run them. The oracle is the server: its rows, its roles, its objects, and its own log.

mod bursts;
mod frames;
mod names;
mod sql;
mod startup;
mod twins;

use crate::world::{DATABASE, SHOP, Who, World};
use brattice_testkit::wire::{Answer, Fields, Wire, WireError};
use std::time::Duration;

/// Everything that an attack could change, as one line.
const STATE: &str = "SELECT md5(concat_ws('|',
    (SELECT string_agg(c::text, ',' ORDER BY id) FROM customers c),
    (SELECT query_to_xml(coalesce((SELECT 'TABLE public.' || relname || ' ORDER BY id' FROM pg_class WHERE oid = to_regclass('public.orders')), 'SELECT'), true, true, '')::text),
    (SELECT query_to_xml(coalesce((SELECT 'TABLE public.' || relname || ' ORDER BY id' FROM pg_class WHERE oid = to_regclass('public.notes')), 'SELECT'), true, true, '')::text),
    (SELECT string_agg(oid::text || relname || relowner || coalesce(relacl::text, '') || relrowsecurity, ',' ORDER BY oid)
        FROM pg_class WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg\\_%' OR nspname = 'information_schema')),
    (SELECT string_agg(oid::text || proname, ',' ORDER BY oid) FROM pg_proc WHERE oid >= 16384),
    (SELECT string_agg(nspname || coalesce(nspacl::text, ''), ',' ORDER BY oid) FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_temp%' AND nspname NOT LIKE 'pg\\_toast\\_temp%'),
    (SELECT string_agg(rolname || rolsuper || rolcanlogin, ',' ORDER BY oid) FROM pg_roles),
    (SELECT string_agg(setdatabase::text || setrole::text || setconfig::text, ',' ORDER BY 1) FROM pg_db_role_setting),
    (SELECT string_agg(extname, ',' ORDER BY oid) FROM pg_extension),
    (SELECT count(*) FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_publication),
    (SELECT count(*) FROM pg_event_trigger), (SELECT count(*) FROM pg_cast WHERE oid >= 16384),
    (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_rewrite WHERE oid >= 16384),
    (SELECT count(*) FROM pg_attrdef), (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_policy),
    (SELECT count(*) FROM pg_description WHERE objoid >= 16384), (SELECT count(*) FROM pg_prepared_xacts),
    (SELECT last_value::text || is_called FROM counter)))";

/// How one sees that an attack worked.
#[derive(Clone, Copy)]
enum Works {
    /// The server is not what it was.
    Changes,
    /// This is in the answer.
    Shows(&'static str),
}

/// Messages of one session.
struct Attack {
    /// Its family, or its own name.
    id: &'static str,
    /// Simple queries, one message each.
    messages: &'static [&'static str],
    works: Works,
    /// The oldest server on which it works.
    since: u8,
}

const fn changes(id: &'static str, messages: &'static [&'static str]) -> Attack {
    Attack {
        id,
        messages,
        works: Works::Changes,
        since: 13,
    }
}

const fn shows(id: &'static str, messages: &'static [&'static str], what: &'static str) -> Attack {
    Attack {
        id,
        messages,
        works: Works::Shows(what),
        since: 13,
    }
}

impl Attack {
    const fn since(mut self, major: u8) -> Attack {
        self.since = major;
        self
    }
}

/// A world with what attacks need.
struct Arena {
    world: World,
    state: String,
}

/// How messages are sent.
#[derive(Clone, Copy, PartialEq, Debug)]
enum By {
    Simple,
    Extended,
}

impl Arena {
    fn of(major: u8) -> Arena {
        Arena::in_world(World::of(major))
    }

    fn in_world(world: World) -> Arena {
        let mut arena = Arena {
            world,
            state: String::new(),
        };
        arena.renew();
        arena
    }

    fn renew(&mut self) {
        let setup = include_str!("setup.sql");
        let shop = World::shop();
        self.state = self.world.ask(&format!("{shop}\n{setup}\n{STATE}"));
    }

    /// A server on which the question cannot even be asked is not what it was.
    fn is_unchanged(&self) -> bool {
        let state = self.world.postgres.psql(DATABASE, STATE);
        state.is_ok_and(|state| state == self.state)
    }

    /// Whether an attack works where nothing stops it.
    fn works_directly(&mut self, attack: &Attack) -> Result<(), String> {
        let (answer, _) = send(
            &mut self.world.connect_directly(),
            attack.messages,
            By::Simple,
        );
        match attack.works {
            Works::Changes if self.is_unchanged() => {
                Err(format!("changes nothing on the bare server: {answer:?}"))
            }
            Works::Changes => {
                self.renew();
                Ok(())
            }
            Works::Shows(what) if holds(&answer, what) => {
                if !self.is_unchanged() {
                    self.renew();
                }
                Ok(())
            }
            Works::Shows(what) => Err(format!("does not show {what:?} directly: {answer:?}")),
        }
    }

    /// Whether it is stopped on its way through the gateway, and the session goes on.
    fn is_stopped(&mut self, attack: &Attack, who: Who, by: By) -> Result<(), String> {
        let mark = self.world.postgres.mark();
        let mut wire = self.world.connect(who, SHOP);
        let mut answer = Answer::default();
        let mut refused = Vec::new();
        let mut open = true;
        for message in attack.messages {
            let said;
            (said, open) = send(&mut wire, &[message], by);
            if said.errors().iter().any(is_ours) {
                refused.push(*message);
            }
            answer.extend(said);
        }
        let fail = |what: &str| Err(format!("{what}: {answer:?}"));
        if !self.is_unchanged() {
            self.renew();
            return fail("CHANGED THE SERVER");
        }
        if let Works::Shows(what) = attack.works
            && holds(&answer, what)
        {
            return fail("SHOWED IT");
        }
        if refused.is_empty() {
            return fail("no refusal that says why");
        }
        let logged = self.world.postgres.statements_since(mark);
        if logged
            .iter()
            .any(|l| refused.iter().any(|r| l.ends_with(r)))
        {
            return fail("the server was sent what was refused");
        }
        if !open {
            return fail("the connection was closed");
        }
        goes_on(&mut wire)
    }
}

/// A refusal of the gateway's: with a code, a rule, and advice on what to do.
pub(crate) fn is_ours(error: &Fields) -> bool {
    error.told("code").is_some() && error.told("rule").is_some()
}

/// Whether the session answers as it should after whatever was refused.
fn goes_on(wire: &mut Wire) -> Result<(), String> {
    let after = wire
        .query("ROLLBACK")
        .and_then(|_| wire.query("SELECT 7 AS seven"));
    match after {
        Ok(answer) if answer.texts() == ["7"] && answer.ready() == "I" => Ok(()),
        other => Err(format!("the session does not go on: {other:?}")),
    }
}

/// Sends messages one by one; what came back, and whether the connection is still open.
fn send(wire: &mut Wire, messages: &[&str], by: By) -> (Answer, bool) {
    let mut all = Answer::default();
    for message in messages {
        let answer = match by {
            By::Simple => wire.query(message),
            By::Extended => wire.extended(message.as_bytes(), 0),
        };
        match answer {
            Ok(answer) => all.extend(answer),
            Err(error) => {
                all.extend(error.said().cloned().unwrap_or_default());
                return (all, matches!(error, WireError::Late(_)));
            }
        }
    }
    (all, true)
}

fn holds(answer: &Answer, what: &str) -> bool {
    let bytes = answer.bytes();
    bytes.windows(what.len()).any(|w| w == what.as_bytes())
}

/// Fails with all that went wrong, if anything did.
#[track_caller]
pub(crate) fn all_good(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A login that is refused; what was said.
pub(crate) fn refused_login(login: &brattice_testkit::wire::Login) -> Result<Fields, String> {
    match Wire::connect(login) {
        Ok(_) => Err("it was let in".to_owned()),
        Err(WireError::Refused(fields)) => Ok(*fields),
        Err(other) => Err(format!("{other}")),
    }
}

const SOON: Duration = Duration::from_secs(5);

#[test]
fn the_arena_tells_changes() {
    let mut arena = Arena::of(18);
    assert!(arena.is_unchanged());
    arena.world.ask("DELETE FROM notes WHERE id = 1");
    assert!(!arena.is_unchanged());
    arena.renew();
    assert!(arena.is_unchanged());
}
