//! The context of a request: the figures and circumstances that rules look at.
//!
//! Lives here: typed values as Cedar's, for exactly the attributes that are read. Never: a default for what could
//! not be told other than the largest figure; a decision.

use super::entities::text;
use super::moment::{Seen, figure};
use super::reads::Reads;
use super::vocabulary::{Types, uid};
use crate::action::{Facts, Verb};
use crate::principal::LoginBy;
use cedar_policy::{Context, EntityUid, RestrictedExpression};

/// A value of the context could not be put together.
#[derive(Debug)]
pub(super) struct NoContext;

/// Which of the schema's contexts an action has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Connect,
    Sql,
    Shell,
    File,
    Reveal,
    Admin,
}

impl Form {
    pub fn of(verb: Verb) -> Self {
        match verb {
            // A connection through a target is one more connection.
            Verb::Connect | Verb::SshForward | Verb::SshSocket | Verb::SshListen => Form::Connect,
            Verb::SshInspect
            | Verb::SshChange
            | Verb::SshRemove
            | Verb::SshAdminister
            | Verb::SshRun
            | Verb::SshShell
            | Verb::SshUnknown => Form::Shell,
            Verb::SshDownload
            | Verb::SshList
            | Verb::SshUpload
            | Verb::SshRename
            | Verb::SshDelete
            | Verb::SshChmod
            | Verb::SshReveal => Form::File,
            Verb::RevealFull
            | Verb::RevealLast4
            | Verb::RevealToken
            | Verb::RevealCount
            | Verb::Filter
            | Verb::Derive => Form::Reveal,
            _ => Form::Sql,
        }
    }
}

/// What the context says of the chain, the same for all its commands.
pub(super) struct ChainFacts {
    pub agents: Vec<EntityUid>,
    pub on_behalf_of: Option<EntityUid>,
}

/// Everything a context is made of.
pub(super) struct Ingredients<'a> {
    pub types: &'a Types,
    pub form: Form,
    pub reads: Reads,
    pub seen: &'a Seen,
    pub chain: &'a ChainFacts,
    /// Whether this actor sent the command.
    pub acting: bool,
    /// The figures of the act.
    pub facts: &'a Facts,
}

type Expression = RestrictedExpression;
type Pairs = Vec<(String, Expression)>;

impl Ingredients<'_> {
    /// The context, with every attribute that is read and that this form has.
    pub fn context(&self) -> Result<Context, NoContext> {
        let mut pairs = Pairs::new();
        record(&mut pairs, "login", self.login())?;
        record(&mut pairs, "clock", self.clock())?;
        if self.form == Form::Admin {
            self.put(&mut pairs, Reads::ADDRESS, "address", || {
                Expression::new_ip(self.seen.address.to_string())
            });
        } else {
            record(&mut pairs, "caller", self.caller())?;
            record(&mut pairs, "budget", self.budget())?;
            if let Some(person) = self
                .chain
                .on_behalf_of
                .as_ref()
                .filter(|_| self.reads.any(Reads::ON_BEHALF_OF))
            {
                pairs.push((
                    "on_behalf_of".to_owned(),
                    Expression::new_entity_uid(person.clone()),
                ));
            }
        }
        match self.form {
            Form::Sql => self.sql(&mut pairs),
            Form::Shell => self.shell(&mut pairs)?,
            Form::File => self.long(
                &mut pairs,
                Reads::FILE_BYTES,
                "bytes",
                self.facts.file().bytes,
            ),
            Form::Reveal => self.long(
                &mut pairs,
                Reads::ROWS_SO_FAR,
                "rows_so_far",
                self.seen.rows_so_far,
            ),
            Form::Connect | Form::Admin => {}
        }
        Context::from_pairs(pairs).map_err(|_| NoContext)
    }

    fn put(&self, pairs: &mut Pairs, bit: Reads, name: &str, value: impl FnOnce() -> Expression) {
        if self.reads.any(bit) {
            pairs.push((name.to_owned(), value()));
        }
    }
    fn long(&self, pairs: &mut Pairs, bit: Reads, name: &str, value: i64) {
        self.put(pairs, bit, name, || Expression::new_long(figure(value)));
    }
    fn flag(&self, pairs: &mut Pairs, bit: Reads, name: &str, value: bool) {
        self.put(pairs, bit, name, || Expression::new_bool(value));
    }

    fn caller(&self) -> Pairs {
        let mut p = Pairs::new();
        self.flag(&mut p, Reads::CALLER_ACTING, "acting", self.acting);
        self.put(&mut p, Reads::CALLER_AGENTS, "agents", || {
            Expression::new_set(
                self.chain
                    .agents
                    .iter()
                    .cloned()
                    .map(Expression::new_entity_uid),
            )
        });
        let depth = i64::try_from(self.chain.agents.len()).unwrap_or(i64::MAX);
        self.long(&mut p, Reads::CALLER_DEPTH, "depth", depth);
        self.put(&mut p, Reads::CALLER_ADDRESS, "address", || {
            Expression::new_ip(self.seen.address.to_string())
        });
        p
    }

    fn login(&self) -> Pairs {
        let mut p = Pairs::new();
        self.put(&mut p, Reads::LOGIN_BY, "by", || {
            self.member(&self.types.login_by, login_by(self.seen.by))
        });
        self.flag(&mut p, Reads::LOGIN_MFA, "mfa", self.seen.mfa);
        self.flag(&mut p, Reads::LOGIN_BOUND, "bound", self.seen.bound);
        self.put(&mut p, Reads::LOGIN_AGE, "age", || {
            Expression::new_duration(format!("{}s", self.seen.age_seconds))
        });
        p
    }

    fn clock(&self) -> Pairs {
        const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let mut p = Pairs::new();
        self.put(&mut p, Reads::CLOCK_NOW, "now", || {
            Expression::new_datetime(utc(self.seen.now_seconds))
        });
        let day = DAYS
            .get(usize::from(self.seen.weekday))
            .copied()
            .unwrap_or("Sun");
        self.put(&mut p, Reads::CLOCK_WEEKDAY, "weekday", || {
            self.member(&self.types.weekday, day)
        });
        self.long(&mut p, Reads::CLOCK_HOUR, "hour", self.seen.hour);
        self.long(&mut p, Reads::CLOCK_MINUTE, "minute", self.seen.minute);
        p
    }

    fn budget(&self) -> Pairs {
        let b = &self.seen.budget;
        let mut p = Pairs::new();
        for (bit, name, value) in [
            (
                Reads::COMMANDS_LAST_MINUTE,
                "commands_last_minute",
                b.commands_last_minute,
            ),
            (Reads::ROWS_LAST_HOUR, "rows_last_hour", b.rows_last_hour),
            (Reads::ROWS_TODAY, "rows_today", b.rows_today),
            (Reads::BYTES_TODAY, "bytes_today", b.bytes_today),
            (Reads::CHANGES_TODAY, "changes_today", b.changes_today),
            (
                Reads::DENIALS_LAST_HOUR,
                "denials_last_hour",
                b.denials_last_hour,
            ),
        ] {
            self.long(&mut p, bit, name, value);
        }
        self.put(&mut p, Reads::COST_TODAY, "cost_today", || {
            let cost = figure(b.cost_today);
            Expression::new_decimal(format!("{}.{:04}", cost / 10_000, cost % 10_000))
        });
        p
    }

    fn sql(&self, p: &mut Pairs) {
        let f = self.facts.sql();
        self.put(p, Reads::COLUMNS, "columns", || {
            Expression::new_set(f.columns.iter().map(|c| text(c)))
        });
        self.flag(p, Reads::HAS_WHERE, "has_where", f.has_where);
        self.long(p, Reads::LIMIT, "limit", f.limit);
        self.long(p, Reads::ESTIMATED_ROWS, "estimated_rows", f.estimated_rows);
        self.long(p, Reads::OBJECTS, "objects", f.objects);
        self.flag(p, Reads::IN_TRANSACTION, "in_transaction", f.in_transaction);
    }

    fn shell(&self, p: &mut Pairs) -> Result<(), NoContext> {
        let f = self.facts.shell();
        self.put(p, Reads::LINE, "line", || text(&f.line));
        self.flag(p, Reads::TERMINAL, "terminal", f.terminal);
        self.put(p, Reads::ENVIRONMENT, "environment", || {
            Expression::new_set(f.environment.iter().map(|name| text(name)))
        });
        if self.reads.any(Reads::ARGUMENTS) {
            record(p, "arguments", arguments(&f.arguments))?;
        }
        Ok(())
    }

    fn member(&self, of: &cedar_policy::EntityTypeName, name: &str) -> Expression {
        Expression::new_entity_uid(uid(of, name))
    }
}

/// The arguments of a program; those that are not there are empty.
fn arguments(all: &[String]) -> Pairs {
    let at = |index: usize| text(all.get(index).map_or("", String::as_str));
    let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
    vec![
        ("count".to_owned(), Expression::new_long(figure(count))),
        ("first".to_owned(), at(0)),
        ("second".to_owned(), at(1)),
        ("third".to_owned(), at(2)),
        ("fourth".to_owned(), at(3)),
        (
            "all".to_owned(),
            Expression::new_set(all.iter().map(|a| text(a))),
        ),
    ]
}

/// Adds a record, unless nothing in it is read.
fn record(pairs: &mut Pairs, name: &str, fields: Pairs) -> Result<(), NoContext> {
    if !fields.is_empty() {
        pairs.push((
            name.to_owned(),
            Expression::new_record(fields).map_err(|_| NoContext)?,
        ));
    }
    Ok(())
}

fn login_by(by: LoginBy) -> &'static str {
    match by {
        LoginBy::Oidc => "oidc",
        LoginBy::Saml => "saml",
        LoginBy::Workload => "workload",
        LoginBy::Certificate => "certificate",
        LoginBy::Minted => "minted",
    }
}

/// Cedar's datetime has four-digit years; an instant beyond them reads as the last one, and no context fails for it.
fn utc(seconds: i64) -> String {
    const LAST: i64 = 253_402_300_799;
    let within = seconds.clamp(0, LAST);
    jiff::Timestamp::from_second(within)
        .map(|t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_else(|_| "9999-12-31T23:59:59Z".to_owned())
}
