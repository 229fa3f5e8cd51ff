//! A SQL text against a picture of the catalogue: what it does and what it shows. Cached by bytes.
//!
//! Lives here: joining parser, classifier and lineage; the cache. Never: policy.

use super::bundle::Guarded;
use super::names::{Names, Prepared};
use crate::action::{Act, Object, Verb};
use crate::classify::sql::catalogue::{Catalogue, Major, SearchPath};
use crate::classify::sql::{self, Command, Context, PreparedLookup, SqlLimits, Template, Unclear};
use crate::mask::lineage::Defines;
use crate::mask::{Field, MaskedColumns, Outputs, lineage};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};

/// What a text does.
#[derive(Debug)]
pub(super) struct Understood {
    pub command: Arc<Command>,
    /// The command's acts and the uses of masked fields, to be judged together.
    pub acts: Vec<Act>,
    /// Output columns of each statement.
    pub outputs: Vec<Outputs>,
    /// Fields that leave as they are, to be shown in some form.
    pub shown: Vec<Arc<Field>>,
    pub touches_masked: bool,
    /// Why lineage could not tell, while masked columns are in reach.
    pub masked_unclear: Vec<String>,
    /// It names a prepared statement or a cursor.
    pub named: bool,
    /// Prepared statements that it runs, with what each means now.
    pub executed: Vec<(Arc<Prepared>, Arc<Command>)>,
    /// In words, how masked fields are used other than being shown: for the refusal.
    pub uses: Vec<String>,
}

/// Everything that a text's meaning depends on.
pub(super) struct Scope<'a> {
    pub guarded: &'a Guarded,
    pub catalogue: &'a Catalogue,
    pub path: &'a Arc<SearchPath>,
    pub major: Major,
    pub masked: &'a Arc<MaskedColumns>,
    pub in_transaction: bool,
    /// Parameter types the client declared.
    pub types: &'a [u32],
}

impl Scope<'_> {
    fn limits(&self) -> SqlLimits {
        SqlLimits {
            message_bytes_max: self.guarded.statement_bytes_max,
            ..SqlLimits::default()
        }
    }
}

/// Parses, classifies and traces a text.
fn understand(
    text: &[u8],
    scope: &Scope<'_>,
    names: &Names,
    template: Option<&Template>,
) -> Result<(Understood, Reach), Unclear> {
    let parsed = sql::parse(text, scope.major, &scope.limits())?;
    let lookup = Lookup {
        names,
        scope,
        used: RefCell::default(),
        asked: Cell::new(false),
        executed: RefCell::default(),
        depth: 0,
    };
    let command = sql::classify(&parsed, &context(scope, &lookup));
    let mut acts = command.acts.clone();
    let mut understood_of_used = Vec::new();
    let used = lookup.used.into_inner();
    // A name that was not found is as much this session's own as one that was.
    let pure = !lookup.asked.get();
    let touches_masked = command.relations.iter().any(|r| scope.masked.touches(*r));
    let mut out = Understood {
        acts: Vec::new(),
        outputs: vec![
            if touches_masked {
                Outputs::Unknown
            } else {
                Outputs::Unmasked
            };
            command.steps.len()
        ],
        shown: Vec::new(),
        touches_masked,
        masked_unclear: Vec::new(),
        named: !pure,
        executed: lookup.executed.into_inner(),
        uses: Vec::new(),
        command: Arc::new(command),
    };
    if touches_masked {
        trace(&parsed, scope, &mut acts, &mut out);
        for text in &used {
            let inner = sql::parse(text, scope.major, &scope.limits())?;
            let mut sub = empty(&out);
            trace(&inner, scope, &mut acts, &mut sub);
            understood_of_used.push(sub);
        }
        merge_executed(&mut out, understood_of_used);
    }
    acts.sort();
    acts.dedup();
    out.acts = acts;
    let reach = match template {
        _ if !pure => Reach::Session,
        Some(t) if says_nothing_of_values(&out) && t.fits(parsed.tree()) => Reach::Template,
        _ => Reach::Text,
    };
    Ok((out, reach))
}

/// For what else a reading holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// It depends on names that this session gave.
    Session,
    /// The same text in the same scope.
    Text,
    /// Every text of its template, too.
    Template,
}

/// Whether nothing in a reading was taken over from the text as it was written.
fn says_nothing_of_values(understood: &Understood) -> bool {
    let command = &understood.command;
    command.consequences.is_empty()
        && command.unclear.is_empty()
        && command.refusals.is_empty()
        && command.redacted.is_none()
        && understood.masked_unclear.is_empty()
        && understood.uses.is_empty()
}

fn empty(like: &Understood) -> Understood {
    Understood {
        command: like.command.clone(),
        acts: Vec::new(),
        outputs: Vec::new(),
        shown: Vec::new(),
        touches_masked: true,
        masked_unclear: Vec::new(),
        named: false,
        executed: Vec::new(),
        uses: Vec::new(),
    }
}

/// EXECUTE and FETCH show what the statement they name shows: told only when the message is that one statement.
fn merge_executed(out: &mut Understood, inner: Vec<Understood>) {
    let alone = out.command.steps.len() == 1 && inner.len() == 1;
    for sub in inner {
        if alone {
            out.outputs = sub.outputs;
        } else if !sub.shown.is_empty() {
            out.masked_unclear.push(
                "it runs a prepared statement over masked columns beside other statements"
                    .to_owned(),
            );
        }
        out.shown.extend(sub.shown);
        out.masked_unclear.extend(sub.masked_unclear);
        out.uses.extend(sub.uses);
    }
}

fn trace(parsed: &sql::Parsed, scope: &Scope<'_>, acts: &mut Vec<Act>, out: &mut Understood) {
    out.outputs.clear();
    let traced = lineage(parsed.tree(), scope.catalogue, scope.path, scope.masked);
    for u in traced.uses() {
        acts.push(Act::new(u.verb, u.field.object.clone()));
        out.uses
            .push(format!("{} {}", describe(&u.field.object), u.what));
    }
    out.masked_unclear
        .extend(traced.unclear().map(str::to_owned));
    // Cursors that the message itself declares.
    let mut declared: HashMap<String, Outputs> = HashMap::new();
    for (at, statement) in traced.statements.into_iter().enumerate() {
        let fetches = out.command.steps.get(at).and_then(|s| s.fetches.as_ref());
        let shown = match (&statement.outputs, &statement.defines) {
            // What a cursor or a prepared statement will show is shown later, by its name.
            (_, Some(Defines::Cursor(name, later))) => {
                declared.insert(name.clone(), later.clone());
                later.clone()
            }
            (_, Some(Defines::Prepared(_, later))) => later.clone(),
            (outputs, None) => match fetches.and_then(|name| declared.get(name)) {
                Some(later) => later.clone(),
                None => outputs.clone(),
            },
        };
        if let Outputs::Columns(columns) = &shown {
            out.shown
                .extend(columns.iter().flat_map(|c| c.fields.iter().cloned()));
        }
        out.outputs.push(shown);
    }
}

fn describe(field: &Object) -> String {
    match field {
        Object::Field {
            table,
            column,
            class,
            ..
        } => format!("{table}.{column} ({class})"),
        other => format!("{other:?}"),
    }
}

fn context<'a>(scope: &'a Scope<'a>, prepared: &'a dyn PreparedLookup) -> Context<'a> {
    Context {
        catalogue: scope.catalogue,
        path: scope.path,
        major: scope.major,
        prepared,
        lists: &scope.guarded.lists,
        in_transaction: scope.in_transaction,
        parameter_types: scope.types,
        earlier: None,
    }
}

/// Prepared statements are judged by their text, as of now.
struct Lookup<'a> {
    names: &'a Names,
    scope: &'a Scope<'a>,
    used: RefCell<Vec<Bytes>>,
    /// Whether a name was looked up.
    asked: Cell<bool>,
    executed: RefCell<Vec<(Arc<Prepared>, Arc<Command>)>>,
    depth: u8,
}

impl PreparedLookup for Lookup<'_> {
    fn prepared(&self, name: &str) -> Option<Arc<Command>> {
        self.asked.set(true);
        let prepared = self.names.statements.get(name.as_bytes())?;
        // The protocol prepares anything. What is more than a query is not run by SQL: what it leaves behind is not known.
        let parsed = sql::parse(&prepared.text, self.scope.major, &self.scope.limits()).ok()?;
        if !parsed.can_be_executed() {
            return None;
        }
        let command = self.command(&prepared.text)?;
        let good = prepared.still_means(&command, self.scope.path, self.scope.catalogue);
        let executed = (prepared.clone(), command.clone());
        self.executed.borrow_mut().push(executed);
        self.used(&prepared.text, good.then_some(command))
    }

    fn cursor(&self, name: &str) -> Option<Arc<Command>> {
        self.asked.set(true);
        let cursors = self.names.cursors(name);
        let text = &cursors.first()?.text;
        let command = self.command(text)?;
        let good = cursors.iter().all(|c| c.still_means(&command));
        self.used(text, good.then_some(command))
    }
}

impl Lookup<'_> {
    fn command(&self, text: &Bytes) -> Option<Arc<Command>> {
        if self.depth > 0 {
            return None;
        }
        let parsed = sql::parse(text, self.scope.major, &self.scope.limits()).ok()?;
        let inner = Lookup {
            names: self.names,
            scope: self.scope,
            used: RefCell::default(),
            asked: Cell::new(false),
            executed: RefCell::default(),
            depth: 1,
        };
        Some(Arc::new(sql::classify(
            &parsed,
            &context(self.scope, &inner),
        )))
    }

    fn used(&self, text: &Bytes, command: Option<Arc<Command>>) -> Option<Arc<Command>> {
        if command.is_some() {
            self.used.borrow_mut().push(text.clone());
        }
        command
    }
}

/// The verb that a refusal over a masked use is about.
pub(super) fn is_masked_use(act: &Act) -> bool {
    matches!(act.verb, Verb::Filter | Verb::Derive | Verb::RevealCount)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    /// The target, and the lists of this revision.
    target: String,
    major: u16,
    catalogue: u64,
    path: Arc<SearchPath>,
    masks: u64,
    in_transaction: bool,
    types: Vec<u32>,
    /// The text is a template's.
    blanked: bool,
    text: Bytes,
}

/// Texts that were understood before. Sharded, so that no statement waits for another's parse.
#[derive(Debug)]
pub(super) struct Cache {
    hasher: RandomState,
    shards: Vec<Mutex<HashMap<Key, Arc<Understood>>>>,
}

/// Entries kept in each of the shards; a full shard starts over.
const SHARD_ENTRIES_MAX: usize = 1024;
const SHARDS: usize = 16;
/// Longer texts are understood anew each time.
const CACHED_TEXT_BYTES_MAX: usize = 64 * 1024;

impl Cache {
    pub fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// What a text does, from memory if possible. `masks` names the set of masked columns.
    pub fn understand(
        &self,
        text: &Bytes,
        masks: u64,
        path: &Arc<SearchPath>,
        scope: &Scope<'_>,
        names: &Names,
    ) -> Result<Arc<Understood>, Unclear> {
        let mut key = Key {
            target: scope.guarded.target.name.clone(),
            major: scope.major.0,
            catalogue: scope.catalogue.version,
            path: path.clone(),
            masks,
            in_transaction: scope.in_transaction,
            types: scope.types.to_vec(),
            blanked: false,
            text: text.clone(),
        };
        if let Some(found) = self.get(&key) {
            return Ok(found);
        }
        let cached = text.len() <= CACHED_TEXT_BYTES_MAX;
        let template = if cached { Template::of(text) } else { None };
        if let Some(template) = &template {
            key.blanked = true;
            key.text = Bytes::copy_from_slice(&template.blanked);
            if let Some(found) = self.get(&key) {
                return Ok(found);
            }
        }
        let (understood, reach) = understand(text, scope, names, template.as_ref())?;
        let understood = Arc::new(understood);
        if cached && reach != Reach::Session {
            if reach == Reach::Text {
                key.blanked = false;
                key.text = Bytes::copy_from_slice(text);
            }
            self.put(key, understood.clone());
        }
        Ok(understood)
    }

    fn get(&self, key: &Key) -> Option<Arc<Understood>> {
        self.shard(key, |m| m.get(key).cloned())
    }

    fn put(&self, key: Key, understood: Arc<Understood>) {
        let at = key.clone();
        self.shard(&at, |m| {
            if m.len() >= SHARD_ENTRIES_MAX {
                m.clear();
            }
            m.insert(key, understood);
            None::<()>
        });
    }

    fn shard<T>(
        &self,
        key: &Key,
        f: impl FnOnce(&mut HashMap<Key, Arc<Understood>>) -> Option<T>,
    ) -> Option<T> {
        let index = (self.hasher.hash_one(key) as usize) % SHARDS;
        let shard = self.shards.get(index)?;
        match shard.lock() {
            Ok(mut m) => f(&mut m),
            Err(poisoned) => f(&mut poisoned.into_inner()),
        }
    }
}
