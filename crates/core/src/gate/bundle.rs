//! The bundle in force, as the gate reads it.
//!
//! Lives here: what a validated bundle amounts to. Never: how it was read or validated.

use crate::approval::HoldTimes;
use crate::classify::shell::Shell;
use crate::classify::sql::Lists;
use crate::classify::sql::catalogue::Catalogue;
use crate::ids::Revision;
use crate::mask::{Detector, MaskSpec, TokenKey};
use crate::policy::{Rules, TimeZone};
use crate::ports::BoxFuture;
use crate::target::Target;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Everything that judgement needs, immutable, numbered.
#[derive(Debug)]
pub struct InForce {
    /// Its number.
    pub revision: Revision,
    /// The rules.
    pub rules: Arc<Rules>,
    /// The time zone that rules speak in.
    pub zone: TimeZone,
    /// The key of stable tokens.
    pub tokens: Option<TokenKey>,
    /// The targets by name.
    pub targets: HashMap<String, Arc<Guarded>>,
    /// Where a person decides an approval: the id is appended.
    pub approval_url: String,
    /// How long after its identity's expiry a session may go on until it is idle outside a transaction.
    pub expiry_grace: Duration,
}

/// A target with what guards it.
#[derive(Debug)]
pub struct Guarded {
    /// As policy sees it.
    pub target: Target,
    /// Columns whose values are masked.
    pub masked: Vec<MaskSpec>,
    /// Functions the bundle calls harmless, and settings lists.
    pub lists: Lists,
    /// The detector of values.
    pub detector: Arc<Detector>,
    /// How long holds wait.
    pub holds: HoldTimes,
    /// How old a picture of the catalogue may be when a statement is judged by it.
    pub catalogue_age_max: Duration,
    /// The longest statement that is parsed.
    pub statement_bytes_max: usize,
    /// The most bytes one COPY may send.
    pub lane_bytes_max: u64,
    /// The shell that reads its command lines, on a host.
    pub shell: Option<Shell>,
    /// Contents of its files are masked for whoever may not see them as they are, on a host.
    pub masks_files: bool,
    /// Pictures of its catalogues.
    pub catalogues: Arc<dyn Catalogues>,
}

/// A picture of a catalogue and when it was last known to be right.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The picture; its `version` is unique in this process.
    pub catalogue: Arc<Catalogue>,
    /// When it was last compared with the server.
    pub checked_at: Timestamp,
}

/// Shared pictures of a target's catalogues, one for each database.
pub trait Catalogues: Send + Sync + fmt::Debug {
    /// The newest picture; asks the target nothing.
    fn current(&self, database: &str) -> Option<Snapshot>;
    /// Compares it with the server and reads it anew if it changed. Callers together share one read.
    fn refresh<'a>(
        &'a self,
        database: &'a str,
    ) -> BoxFuture<'a, Result<Snapshot, CatalogueUnavailable>>;
}

/// The catalogue could not be read; the text is for the operator.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the catalogue could not be read: {0}")]
pub struct CatalogueUnavailable(pub String);
