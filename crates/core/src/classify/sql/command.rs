//! What a message does, once it was understood.
//!
//! Lives here: the answer of [`super::classify`]. Never: how it was found, whether it may pass.

use super::pending::Pending;
use crate::action::{Act, Verb};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One reason why something could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unclear {
    /// The built-in rule, `brattice.sql.…`.
    pub rule: &'static str,
    /// One sentence for the caller.
    pub reason: String,
    /// What to do instead.
    pub hint: Option<String>,
}

impl Unclear {
    /// A reason without advice.
    pub fn new(rule: &'static str, reason: impl Into<String>) -> Self {
        Self {
            rule,
            reason: reason.into(),
            hint: None,
        }
    }
    /// The same with advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
impl std::error::Error for Unclear {}

/// What a message of one or more statements does. An empty one does nothing.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// Every verb on every object, once, with the least bounded figures of all its occurrences.
    pub acts: Vec<Act>,
    /// One for each reason behind a `sql.unknown` act, which is there whenever this is not empty.
    pub unclear: Vec<Unclear>,
    /// Reasons to refuse that no policy lifts: the parsing context is the gateway's.
    pub refusals: Vec<Unclear>,
    /// One for each statement, in order.
    pub steps: Vec<Step>,
    /// What it leaves behind in the session, in order.
    pub consequences: Vec<Consequence>,
    /// Every relation touched, by OID: for validating caches, and for masking.
    pub relations: Vec<u32>,
    /// Some of it is planned, and its names looked up, only when it is run: everything but plain queries and changes of
    /// data.
    pub utility: bool,
    /// Something was looked up in the catalogue or along the search path.
    pub needs_names: bool,
    /// The text with secrets cut out, when that differs.
    pub redacted: Option<String>,
    /// Changes to names that the catalogue will show only once this has run; for what follows in a pipeline.
    pub leaves: Pending,
}

impl Command {
    /// Nothing in it changes anything: no intent has to be made durable before it.
    pub fn reads_only(&self) -> bool {
        self.steps.iter().all(|s| s.reads_only)
    }
    /// Whether an act of that verb is in it.
    pub fn has(&self, verb: Verb) -> bool {
        self.acts.iter().any(|a| a.verb == verb)
    }
}

/// One statement of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// Its bytes within the message.
    pub range: Range<usize>,
    /// What it does to the transaction.
    pub transaction: Transaction,
    /// It changes nothing: not data, not structure, not locks.
    pub reads_only: bool,
    /// It answers with rows; `None` when that depends.
    pub returns_rows: Option<bool>,
    /// It starts a COPY over the connection.
    pub copy: Option<Copy>,
    /// It takes rows from this cursor.
    pub fetches: Option<String>,
}

/// What a statement does to the transaction. Ending one ends what SET LOCAL set in it; rolling back undoes whatever
/// consequences it left behind since it (or the savepoint) began: path, settings, catalogue, cursors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Transaction {
    /// Nothing.
    #[default]
    None,
    /// BEGIN, START TRANSACTION.
    Begin,
    /// COMMIT, END; `AND CHAIN` begins anew.
    Commit {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// ROLLBACK, ABORT; `AND CHAIN` begins anew.
    Rollback {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// SAVEPOINT.
    Savepoint(String),
    /// RELEASE.
    Release(String),
    /// ROLLBACK TO.
    RollbackTo(String),
    /// PREPARE TRANSACTION.
    PrepareTransaction,
    /// COMMIT PREPARED, ROLLBACK PREPARED.
    CommitPrepared,
}

/// COPY over the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Which way.
    pub direction: Direction,
    /// The relation, unless it copies a query.
    pub relation: Option<u32>,
    /// The columns named, empty for all.
    pub columns: Vec<String>,
    /// Its options.
    pub format: CopyFormat,
}

/// Which way COPY data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// TO STDOUT.
    Out,
    /// FROM STDIN.
    In,
}

/// The options of a COPY that change its bytes. `None` is the default for the format.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopyFormat {
    /// `text`, `csv` or `binary`.
    pub format: CopyKind,
    /// DELIMITER.
    pub delimiter: Option<String>,
    /// NULL.
    pub null: Option<String>,
    /// HEADER is anything but off.
    pub header: bool,
    /// QUOTE.
    pub quote: Option<String>,
    /// ESCAPE.
    pub escape: Option<String>,
    /// FORCE_QUOTE, `*` for all.
    pub force_quote: Vec<String>,
}

/// The format of COPY data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CopyKind {
    /// Tab-separated text.
    #[default]
    Text,
    /// CSV.
    Csv,
    /// Binary.
    Binary,
}

/// What a command leaves behind in the session once it has succeeded.
#[derive(Clone)]
pub enum Consequence {
    /// A named statement exists. `text` is its PREPARE, to classify anew when names may have changed.
    Prepares {
        /// Its name.
        name: String,
        /// What executing it does.
        command: Arc<Command>,
        /// The whole PREPARE statement.
        text: String,
    },
    /// A named statement is gone.
    Deallocates(String),
    /// All of them are.
    DeallocatesAll,
    /// A cursor is open.
    Declares {
        /// Its name.
        name: String,
        /// What fetching from it does.
        command: Arc<Command>,
        /// WITH HOLD: it outlives the transaction.
        hold: bool,
        /// The whole DECLARE statement.
        text: String,
    },
    /// A cursor is closed.
    Closes(String),
    /// All of them are.
    ClosesAll,
    /// The search path has to be read anew.
    PathInDoubt,
    /// The catalogue has to be read anew.
    CatalogueChanged,
    /// Notifications on that channel arrive from now on.
    Listens(String),
    /// A free setting changed; `None` when it returned to its default or the value is not literal.
    Sets {
        /// Its name, lower case.
        name: String,
        /// Its value as written.
        value: Option<String>,
    },
}

impl fmt::Debug for Consequence {
    // Statement texts hold literals, which are the caller's data: they stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prepares { name, .. } => write!(f, "Prepares({name})"),
            Self::Deallocates(name) => write!(f, "Deallocates({name})"),
            Self::DeallocatesAll => f.write_str("DeallocatesAll"),
            Self::Declares { name, hold, .. } => write!(f, "Declares({name}, hold {hold})"),
            Self::Closes(name) => write!(f, "Closes({name})"),
            Self::ClosesAll => f.write_str("ClosesAll"),
            Self::PathInDoubt => f.write_str("PathInDoubt"),
            Self::CatalogueChanged => f.write_str("CatalogueChanged"),
            Self::Listens(channel) => write!(f, "Listens({channel})"),
            Self::Sets { name, .. } => write!(f, "Sets({name})"),
        }
    }
}

/// The named statements and cursors of a session. SQL's and the protocol's share one map.
pub trait PreparedLookup {
    /// The named statement.
    fn prepared(&self, name: &str) -> Option<Arc<Command>>;
    /// The open cursor or portal.
    fn cursor(&self, _name: &str) -> Option<Arc<Command>> {
        None
    }
}

/// A session without named statements.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingPrepared;

impl PreparedLookup for NothingPrepared {
    fn prepared(&self, _name: &str) -> Option<Arc<Command>> {
        None
    }
}
