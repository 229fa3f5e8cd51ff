//! What statements do to a database of which nothing can be read, such as one that a host's `psql` is pointed at.
//!
//! Lives here: effects of statements, and why. Never: where their text comes from, objects that policy could name.
//!
//! Relations are taken as they are called. Functions, operators and types count only if PostgreSQL 13 to 18 all bring them
//! along, and whatever may be the database's own is `execute`. What nothing in a text can tell is assumed and said in
//! `docs/shell.md`: that the path and the settings are what a server begins with, and that nobody has put something else
//! under a built-in name.

use super::catalogue::{Catalogue, Major, SearchPath};
use super::command::{Command, NothingPrepared, Unclear};
use super::context::{Context, classify};
use super::lists::Lists;
use super::parse::{SqlLimits, parse};
use super::pending::{Doubt, Pending};
use crate::action::{Effect, Object};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// What refuses most, of the words and numbers that versions read in different ways: the oldest.
const STRICTEST: Major = Major(13);

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue {
    unseen: true,
    // What it takes to read them is not known either.
    subscriptions: 1,
    ..Catalogue::default()
});

/// Every effect that these texts have, sent one after the other over one connection, each with why. Texts that do nothing
/// have the effect `read`; what cannot be told is `execute`. What others did before to what names mean is `earlier`, to which
/// that of these is added.
pub fn unseen_effects(texts: &[&str], earlier: &mut Pending) -> BTreeMap<Effect, String> {
    match judged(texts, earlier) {
        Ok(command) => {
            earlier.clone_from(&command.leaves);
            // What could not be told may have changed anything.
            if !(command.unclear.is_empty() && command.refusals.is_empty()) {
                earlier.doubts(Doubt::All);
            }
            told(&command)
        }
        Err(why) => {
            earlier.doubts(Doubt::All);
            BTreeMap::from([(Effect::Execute, why)])
        }
    }
}

fn judged(texts: &[&str], earlier: &Pending) -> Result<Command, String> {
    for text in texts {
        if let Some(why) = may_read_otherwise(text) {
            return Err(why.to_owned());
        }
        // Each by itself as well, so that none ends in the middle of a quote or a comment.
        parse(text.as_bytes(), STRICTEST, &SqlLimits::default()).map_err(|no| said(&no))?;
    }
    let all = texts.join("\n;\n");
    let parsed = parse(all.as_bytes(), STRICTEST, &SqlLimits::default()).map_err(|no| said(&no))?;
    let path = SearchPath(vec!["pg_catalog".to_owned(), "public".to_owned()]);
    Ok(classify(
        &parsed,
        &Context {
            catalogue: &CATALOGUE,
            path: &path,
            major: STRICTEST,
            prepared: &NothingPrepared,
            lists: &Lists::new(),
            in_transaction: false,
            parameter_types: &[],
            earlier: Some(earlier),
        },
    ))
}

/// Every effect of a command, with why.
fn told(command: &Command) -> BTreeMap<Effect, String> {
    let mut done: BTreeMap<Effect, BTreeSet<String>> = BTreeMap::new();
    for act in &command.acts {
        let effect = match act.effect() {
            Effect::Unknown => Effect::Execute,
            effect => effect,
        };
        let what = match &act.object {
            Object::Function { signature, .. } => format!("{} of {signature}", act.verb.as_str()),
            _ => act.verb.as_str().to_owned(),
        };
        done.entry(effect).or_default().insert(what);
    }
    let unclear = command.unclear.iter().chain(&command.refusals).next();
    if unclear.is_some() {
        done.entry(Effect::Execute).or_default();
    }
    if done.is_empty() {
        return BTreeMap::from([(Effect::Read, "Its SQL touches nothing.".to_owned())]);
    }
    let why = |effect: Effect, done: BTreeSet<String>| match unclear {
        Some(unclear) if effect == Effect::Execute => said(unclear),
        _ => {
            let names: Vec<String> = done.into_iter().collect();
            format!("Its SQL is {}.", names.join(", "))
        }
    };
    done.into_iter()
        .map(|(effect, done)| (effect, why(effect, done)))
        .collect()
}

/// What could not be told, and what to do instead.
fn said(unclear: &Unclear) -> String {
    match &unclear.hint {
        Some(hint) => format!("{} {hint}", unclear.reason),
        None => unclear.reason.clone(),
    }
}

/// Why a connection that the gateway has not set up may read a text in another way.
///
/// Where a backslash stands in a text, what it means is up to `standard_conforming_strings` and `backslash_quote`, and psql
/// takes one in front for a command of its own. Without one, nothing is left that settings change: the encodings that a
/// server can have keep ASCII as it is, and in those that only clients can have (SJIS, BIG5, GBK, GB18030, JOHAB, UHC) the
/// second byte of a character is a digit, a letter or one of `@[\]^_{|}~` and the backquote. No quote, no comment, no
/// bracket and no semicolon can be lost in one; what could be lost are letters of a name that is not ASCII, which none that
/// is known here is, before or after. An operator is lost only right behind such a name: that is refused.
fn may_read_otherwise(text: &str) -> Option<&'static str> {
    if text.contains('\\') {
        return Some("What a backslash means in SQL is up to the connection's settings.");
    }
    let bytes = text.as_bytes();
    let is_lost = |pair: &[u8]| matches!(pair, [first, second] if *first >= 0x80 && b"@[]^{|}~`".contains(second));
    if bytes.windows(2).any(is_lost) {
        return Some(
            "Some encodings take the sign behind a character that is not ASCII for a part of it.",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(texts: &[&str]) -> String {
        let found = unseen_effects(texts, &mut Pending::default());
        let names: Vec<&str> = found.keys().map(|effect| effect.as_str()).collect();
        names.join(" ")
    }

    #[test]
    fn every_effect_of_every_statement_is_said() {
        for (texts, expected) in [
            (&["SELECT 1"][..], "read"),
            (&[""], "read"),
            (&["SELECT count(*) FROM users"], "read"),
            (&["SELECT 1; DROP TABLE x"], "destroy"),
            (&["SELECT a FROM t; DROP TABLE x"], "read destroy"),
            (&["SELECT a FROM t", "DROP TABLE x"], "read destroy"),
            (
                &["WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x"],
                "read destroy",
            ),
            (&["SELECT wipe()"], "execute"),
            (
                &["SELECT a FROM t", "SELECT wipe()", "CREATE TABLE y (a int)"],
                "read administer execute",
            ),
        ] {
            assert_eq!(effects(texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn a_text_that_ends_within_a_quote_is_not_joined_with_the_next() {
        assert_eq!(effects(&["SELECT 'a", "DROP TABLE x; SELECT '"]), "execute");
        assert_eq!(effects(&["SELECT 1 /*", "*/ DROP TABLE x"]), "execute");
        assert_eq!(effects(&["SELECT 1 --", "DROP TABLE x"]), "destroy");
    }

    #[test]
    fn what_may_be_the_databases_own_is_code() {
        for text in [
            "SELECT f(1)",
            "SELECT app.lower('a')",
            "SELECT '1'::amount",
            "SELECT 1 OPERATOR(app.+) 1",
            "SELECT 1 <%> 1",
            "SELECT t.f FROM t",
            "SELECT (t).f FROM t",
            "SELECT (1).f",
            "SELECT casefold('A')",
            "SELECT x.f FROM (SELECT 1 AS a) x",
            "SELECT c.f FROM pg_class c",
            "SELECT t.oid FROM t",
            "SELECT * FROM f()",
            "SELECT E'a\\nb'",
            "SELECT 'é|x'",
        ] {
            assert!(effects(&[text]).contains("execute"), "{text}");
        }
    }

    #[test]
    fn what_every_server_brings_along_is_told() {
        for text in [
            "SELECT lower('A') || 'b', '1'::int + 2, now() - interval '1 day'",
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'",
            "SELECT pid, state FROM pg_stat_activity WHERE state <> 'idle'",
            "SELECT a.pid FROM pg_stat_activity a",
            "SELECT o.id, u.name FROM (SELECT id, user_id FROM orders) o JOIN (SELECT id AS user_id, name FROM users) u USING (user_id)",
            "SELECT extract(year FROM now())",
            "SELECT name FROM users WHERE name = 'Müller'",
            "SELECT table_name FROM information_schema.tables",
        ] {
            assert_eq!(
                effects(&[text]),
                "read",
                "{text}: {:?}",
                unseen_effects(&[text], &mut Pending::default())
            );
        }
    }
}
