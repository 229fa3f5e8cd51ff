//! One admitted session, as the gate knows it.
//!
//! Lives here: who, what, and where the parsing context stands. Never: sockets, buffers, protocol state.

use super::bundle::{Guarded, InForce};
use super::connect::Granted;
use super::cut::Cut;
use super::results::Results;
use crate::approval::HoldTimes;
use crate::classify::sql::catalogue::{Catalogue, Major, SearchPath};
use crate::ids::{Revision, SessionId};
use crate::mask::MaskedColumns;
use crate::policy::Judge;
use crate::principal::Identity;
use crate::target::Target;
use crate::time::Timestamp;
use crate::usage::Account;
use std::net::IpAddr;
use std::sync::Arc;

/// The proof that this principal may open this target. Only the gate makes one.
#[derive(Debug)]
pub struct Admission {
    pub(super) id: SessionId,
    pub(super) identity: Arc<Identity>,
    pub(super) force: Arc<InForce>,
    pub(super) guarded: Arc<Guarded>,
    pub(super) judge: Arc<Judge>,
    pub(super) place: String,
    pub(super) client: IpAddr,
    pub(super) granted: Option<Arc<Granted>>,
    pub(super) grants: Vec<String>,
    pub(super) account: Arc<Account>,
}

impl Admission {
    /// The session's id.
    pub fn id(&self) -> &SessionId {
        &self.id
    }
    /// Who was admitted.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }
    /// To what.
    pub fn target(&self) -> &Target {
        &self.guarded.target
    }
    /// Where on it: the database.
    pub fn place(&self) -> &str {
        &self.place
    }
    /// Whether a search path that is asked for at the start may name this schema.
    pub fn path_may_name(&self, schema: &str) -> bool {
        matches!(schema, "" | "pg_catalog" | "pg_temp" | "$user")
            || self.guarded.lists.path_may_name(schema)
    }
    /// What it lives by, when it was admitted by grants.
    pub fn granted(&self) -> Option<&Arc<Granted>> {
        self.granted.as_ref()
    }
    /// The bundle it was admitted under.
    pub fn revision(&self) -> Revision {
        self.force.revision
    }
}

/// An open session, of any protocol.
#[derive(Debug)]
pub struct Session {
    pub(super) admission: Admission,
    pub(super) cut: Arc<Cut>,
    /// Whose rights it has on the target.
    pub(super) rights: String,
    /// Entries written to the audit log for this session so far.
    pub(super) entries: u64,
    /// Commands judged.
    pub(super) commands: u64,
}

impl Session {
    /// The session's id.
    pub fn id(&self) -> &SessionId {
        &self.admission.id
    }
    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.admission.identity
    }
    /// What it is a session of.
    pub fn target(&self) -> &Target {
        &self.admission.guarded.target
    }
    /// Where on the target: the database, or the account.
    pub fn place(&self) -> &str {
        &self.admission.place
    }
    /// The switch that ends it.
    pub fn cut(&self) -> &Arc<Cut> {
        &self.cut
    }
    /// Where it counts what it uses up.
    pub fn account(&self) -> &Arc<Account> {
        &self.admission.account
    }
    /// Commands judged so far.
    pub fn commands(&self) -> u64 {
        self.commands
    }
    /// Whether contents of files are masked, for whoever may not see them as they are.
    pub fn masks_files(&self) -> bool {
        self.admission.guarded.masks_files
    }

    /// The detector for values that no rule names.
    pub fn detector(&self) -> &Arc<crate::mask::Detector> {
        &self.admission.guarded.detector
    }
    /// The shell that reads its command lines, on a host.
    pub fn shell(&self) -> Option<crate::classify::shell::Shell> {
        self.admission.guarded.shell
    }
    /// How long holds wait on this target.
    pub fn holds(&self) -> HoldTimes {
        self.admission.guarded.holds
    }
    /// A lane for the data of one cleared command.
    pub fn lane(&self) -> super::proof::Lane {
        super::proof::Lane::new(self.cut.clone(), self.admission.guarded.lane_bytes_max)
    }
}

/// What the session's own view of the catalogue is.
#[derive(Debug, Clone)]
pub(super) struct Overlay {
    pub catalogue: Arc<Catalogue>,
    pub read_at: Timestamp,
}

/// An open SQL session: what gives its statements their meaning, beside what every session has.
#[derive(Debug)]
pub struct SqlSession {
    session: Session,
    pub(super) major: Major,
    /// Changes with everything that passes and may change what names mean.
    pub(super) turn: u64,
    pub(super) path: Arc<SearchPath>,
    pub(super) path_in_doubt: bool,
    pub(super) path_touched: bool,
    pub(super) overlay: Option<Overlay>,
    pub(super) overlay_in_doubt: bool,
    /// Something other than a read passed since the last time the transaction was known to be over.
    pub(super) wrote: bool,
    /// Locks may be held.
    pub(super) locked: bool,
    /// The position of the newest intent that must be durable before what comes next commits.
    pub(super) owed: Option<crate::audit::Position>,
    /// The masked columns of one version of the catalogue.
    pub(super) masked: Option<(u64, Arc<MaskedColumns>)>,
    /// Outside any transaction, explicit or implicit, when the last judgement began.
    pub(super) settled: bool,
    /// The shared picture must have been compared with the server after this, for this session's own changes.
    pub(super) shared_since: Option<Timestamp>,
    /// What is shown by statements that touch nothing masked: one for each version of the masked columns.
    pub(super) plain: Option<(u64, Arc<Results>)>,
    /// The bundle that what is masked was read from.
    pub(super) masked_under: Revision,
}

impl SqlSession {
    /// A session on a server of this version, at its beginning.
    pub fn new(session: Session, major: Major) -> Self {
        Self {
            masked_under: session.admission.force.revision,
            session,
            major,
            turn: 0,
            path: Arc::new(SearchPath::default()),
            path_in_doubt: true,
            path_touched: false,
            overlay: None,
            overlay_in_doubt: false,
            wrote: false,
            locked: false,
            owed: None,
            masked: None,
            settled: true,
            shared_since: None,
            plain: None,
        }
    }

    /// What was read from a bundle that is no longer in force is read anew.
    pub(super) fn follow_bundle(&mut self) {
        let revision = self.session.admission.force.revision;
        if self.masked_under != revision {
            self.masked_under = revision;
            self.masked = None;
            self.plain = None;
        }
    }
}

/// It is a session like any other, with more to it.
impl std::ops::Deref for SqlSession {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.session
    }
}

impl std::ops::DerefMut for SqlSession {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}
