//! `psql`: the SQL that it is handed, and whom it hands it to.
//!
//! Lives here: its texts, its own commands among them, variables and connection strings. Never: what SQL does (see
//! `classify::sql`).

use super::options::{Reading, read};
use super::{Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::arg::Arg;
use crate::classify::shell::catalogue::Program;
use crate::classify::sql::{Pending, unseen_effects};

/// Commands of psql's own that only show something: what databases, their objects and functions are. Not among them are
/// those that show how other servers are reached (`\des`, `\deu`, `\dew`, `\dRs`).
const SHOWS: &[&str] = &[
    "l", "list", "z", "sf", "sv", "conninfo", "d", "da", "dA", "db", "dc", "dC", "dd", "dD", "ddp",
    "df", "dfa", "dfn", "dfp", "dft", "dfw", "dF", "dFd", "dFp", "dFt", "dg", "dl", "dL", "dn",
    "do", "dO", "dp", "dP", "dPi", "dPt", "dRp", "drg", "dT", "du", "dx", "dX", "dy",
];
/// Kinds of relations, any of which may stand behind `\d`.
const RELATIONS: &str = "tisvmE";
/// Variables that psql looks at and that change only what is shown, or whether it goes on after an error. Others decide
/// how a text is sent (`FETCH_COUNT`), in which encoding, or what is written.
const VARIABLES: &[&str] = &["ON_ERROR_STOP", "QUIET", "SHOW_CONTEXT", "VERBOSITY"];
/// What a connection string may say: where to, who, and how long to wait. Others change what a text means (`options`,
/// `client_encoding`, `replication`), read files, or load code (`service`, `sslkey`, `passfile`).
const CONNECTION: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslnegotiation",
    "gssencmode",
    "channel_binding",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "target_session_attrs",
    "load_balance_hosts",
    "application_name",
    "fallback_application_name",
];

impl Judge<'_> {
    pub(super) fn psql(&mut self, argv: &[Arg], args: &[Arg], program: &'static Program) -> Judged {
        let reading = read(args, program, &[], None);
        let mut judged = Judged::new(argv, Effect::Read, "What it sends only reads.");
        judged.pages = program.pages;
        self.options(&mut judged, &reading);
        if reading.maybe {
            judged.raise(
                program.worst,
                "An argument that is not known may be any of its options.",
            );
        }
        if let Some(why) = changes_the_meaning(&reading) {
            judged.raise(Effect::Execute, why);
        }
        let mut texts = reading.values(&["-c", "--command"]).peekable();
        if texts.peek().is_none() && !reading.has(&["-l", "--list"]) {
            judged.raise(program.effect, program.reason);
        }
        // Behind a pipe it runs at the same time as what is in front of it.
        self.unordered |= self.fed;
        sends(&mut judged, texts, &mut self.sql);
        if self.fed {
            // A server may answer whatever it is sent by asking for the data of a COPY.
            judged.raise(
                Effect::Write,
                "What it is handed on its input may be sent to the server: let it read /dev/null.",
            );
        }
        judged
    }
}

/// What its texts do, over one connection and in their order, behind those of others in the line: which database these are
/// sent to is not told apart.
fn sends<'a>(judged: &mut Judged, texts: impl Iterator<Item = &'a Arg>, earlier: &mut Pending) {
    let mut statements = Vec::new();
    for text in texts {
        match text.literal() {
            Some(text) => match text.strip_prefix('\\') {
                Some(own) if shows(own) => {}
                Some(_) => judged.raise(
                    Effect::Execute,
                    "A command of psql's own may run programs, or is not known not to.",
                ),
                None => statements.push(text),
            },
            None => judged.raise(
                Effect::Execute,
                "The SQL that it sends is not part of the command line.",
            ),
        }
    }
    if statements.is_empty() {
        return;
    }
    for (effect, why) in unseen_effects(&statements, earlier) {
        judged.raise(effect, why);
        judged.also.push(effect);
    }
}

/// Whether a command of psql's own only shows something: `\dt+ public.*`. What may stand behind it is one pattern without
/// anything that psql puts something in the place of: backquotes run programs, and colons, quotes and backslashes begin
/// variables, texts and further commands.
fn shows(text: &str) -> bool {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    // A blank in front would make it another command.
    let Some(name) = words.next().filter(|name| text.starts_with(name)) else {
        return false;
    };
    let more = name.trim_end_matches(['+', 'S']);
    let kinds = more.strip_prefix('d').unwrap_or_default();
    let known = SHOWS.contains(&more)
        || (!kinds.is_empty() && kinds.chars().all(|kind| RELATIONS.contains(kind)));
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.*?".contains(c);
    let pattern = words.next().is_none_or(|word| word.chars().all(plain));
    known && pattern && words.next().is_none()
}

/// Why its texts may not be what they seem, or go elsewhere than where they seem to.
fn changes_the_meaning(reading: &Reading) -> Option<&'static str> {
    let is_known = |arg: &Arg| {
        let name = arg
            .literal()
            .map(|text| text.split_once('=').map_or(text, |(name, _)| name));
        name.is_some_and(|name| VARIABLES.contains(&name))
    };
    if !reading.values(&["-v", "--set", "--variable"]).all(is_known) {
        return Some("A variable of psql may change how its texts are sent.");
    }
    let pipes = |arg: &Arg| match arg {
        Arg::Exact(text) => text.starts_with('|'),
        Arg::Home(_) => false,
        Arg::Opaque(opaque) => !opaque.prefix.starts_with('/'),
    };
    let mut written = reading.values(&["-o", "--output", "-L", "--log-file"]);
    if written.any(pipes) {
        return Some("What it shows may be handed to a program.");
    }
    // The second operand is an account, which is no connection string; but the first one is an account as well, where the
    // database is named by an option.
    let named = reading.values(&["-d", "--dbname"]);
    let is_plain = |arg: &Arg| arg.literal().is_some_and(is_plain_database);
    if !named.chain(&reading.operands).all(is_plain) {
        return Some(
            "A connection string may change what its texts mean: name only host, port, database and user.",
        );
    }
    None
}

/// A database's name, or a connection string that says nothing but where to, who, and how long to wait.
fn is_plain_database(text: &str) -> bool {
    let uri = ["postgresql://", "postgres://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match uri {
        Some(rest) => is_plain_uri(rest),
        None if text.contains('=') => text.split_ascii_whitespace().all(is_plain_pair),
        None => true,
    }
}

/// `user:password@host:port/database?key=value&…`. Only the values may hold escapes, and only one sign can begin them.
fn is_plain_uri(rest: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%!$*+,;:@/[]&=?".contains(c);
    let (before, pairs) = rest.split_once('?').unwrap_or((rest, ""));
    rest.chars().all(plain)
        && !before.contains('=')
        && !pairs.contains('?')
        && pairs
            .split('&')
            .filter(|pair| !pair.is_empty())
            .all(is_plain_pair)
}

fn is_plain_pair(pair: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%!$*+,;:@/[]".contains(c);
    pair.split_once('=')
        .is_some_and(|(key, value)| CONNECTION.contains(&key) && value.chars().all(plain))
}
