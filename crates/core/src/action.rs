//! What is done: effects, actions on objects, and the figures a rule can look at.
//!
//! Lives here: the vocabulary, closed and equal to the policy schema's. Never: how bytes become actions.

mod facts;
mod object;

pub use facts::{Facts, FileFacts, ShellFacts, SqlFacts};
pub use object::{Object, RelationKind, escape_part};

use crate::ids::{Digest, Hasher};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest figure there is, and what "could not tell" reads as.
pub const FIGURE_MAX: i64 = 1_000_000_000_000_000;

/// What an action does to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Looks.
    Read,
    /// Changes data within bounds.
    Write,
    /// Changes structure, settings or rights.
    Administer,
    /// Destroys data or structure.
    Destroy,
    /// Runs code that cannot be judged from outside.
    Execute,
    /// Could not tell.
    Unknown,
}

impl Effect {
    /// The name in policy and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Read => "read",
            Effect::Write => "write",
            Effect::Administer => "administer",
            Effect::Destroy => "destroy",
            Effect::Execute => "execute",
            Effect::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $effect:ident),* $(,)?) => {
        /// A leaf action of the policy schema that a command can be.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Verb { $($(#[$doc])* $variant),* }
        impl Verb {
            /// Every verb.
            pub const ALL: &'static [Verb] = &[$(Verb::$variant),*];
            /// Its name in the policy schema.
            pub fn as_str(self) -> &'static str {
                match self { $(Verb::$variant => $name),* }
            }
            /// Its effect.
            pub fn effect(self) -> Effect {
                match self { $(Verb::$variant => Effect::$effect),* }
            }
        }
    };
}

verbs! {
    /// Opens a session; no effect on data, judged on the target itself.
    Connect = "connect" Read,
    /// Reads rows.
    SqlSelect = "sql.select" Read,
    /// COPY … TO STDOUT.
    SqlCopyOut = "sql.copy_out" Read,
    /// EXPLAIN without ANALYZE.
    SqlExplain = "sql.explain" Read,
    /// SHOW and reading a setting.
    SqlShow = "sql.show" Read,
    /// INSERT.
    SqlInsert = "sql.insert" Write,
    /// UPDATE with a condition.
    SqlUpdate = "sql.update" Write,
    /// DELETE with a condition.
    SqlDelete = "sql.delete" Write,
    /// MERGE.
    SqlMerge = "sql.merge" Write,
    /// COPY … FROM STDIN.
    SqlCopyIn = "sql.copy_in" Write,
    /// LOCK TABLE, SELECT … FOR UPDATE.
    SqlLock = "sql.lock" Write,
    /// DELETE that nothing bounds.
    SqlDeleteAll = "sql.delete_all" Destroy,
    /// UPDATE that nothing bounds.
    SqlUpdateAll = "sql.update_all" Destroy,
    /// TRUNCATE.
    SqlTruncate = "sql.truncate" Destroy,
    /// DROP.
    SqlDrop = "sql.drop" Destroy,
    /// CREATE.
    SqlCreate = "sql.create" Administer,
    /// ALTER, COMMENT, REINDEX, VACUUM and their like.
    SqlAlter = "sql.alter" Administer,
    /// GRANT, REVOKE.
    SqlGrant = "sql.grant" Administer,
    /// SET of a setting that is not free.
    SqlSet = "sql.set" Administer,
    /// SET ROLE, SET SESSION AUTHORIZATION.
    SqlBecome = "sql.become" Administer,
    /// A function that is not on the list of harmless ones; CALL.
    SqlCall = "sql.call" Execute,
    /// DO.
    SqlDo = "sql.do" Execute,
    /// LISTEN.
    SqlListen = "sql.listen" Execute,
    /// NOTIFY.
    SqlNotify = "sql.notify" Execute,
    /// Could not tell.
    SqlUnknown = "sql.unknown" Unknown,
    /// A program that only looks.
    SshInspect = "ssh.inspect" Read,
    /// A program that changes things within bounds.
    SshChange = "ssh.change" Write,
    /// A program that destroys things.
    SshRemove = "ssh.remove" Destroy,
    /// A program that changes settings, services or rights.
    SshAdminister = "ssh.administer" Administer,
    /// A program that cannot be judged from outside.
    SshRun = "ssh.run" Execute,
    /// An interactive shell.
    SshShell = "ssh.shell" Execute,
    /// A connection through the host.
    SshForward = "ssh.forward" Execute,
    /// A connection to a socket of the host.
    SshSocket = "ssh.socket" Execute,
    /// Listening on the host, for connections that are carried back to the client.
    SshListen = "ssh.listen" Execute,
    /// Reading a file's content.
    SshDownload = "ssh.download" Read,
    /// Reading names and attributes.
    SshList = "ssh.list" Read,
    /// Writing a file's content; making a directory or a link.
    SshUpload = "ssh.upload" Write,
    /// Renaming.
    SshRename = "ssh.rename" Write,
    /// Deleting.
    SshDelete = "ssh.delete" Destroy,
    /// Changing a file's rights, owner, times or size.
    SshChmod = "ssh.chmod" Administer,
    /// Seeing a file's content as it is, where contents are masked.
    SshReveal = "ssh.reveal" Read,
    /// Could not tell.
    SshUnknown = "ssh.unknown" Unknown,
    /// Seeing a masked value as it is.
    RevealFull = "reveal.full" Read,
    /// Seeing its last four characters.
    RevealLast4 = "reveal.last4" Read,
    /// Seeing a stable token in its place.
    RevealToken = "reveal.token" Read,
    /// Counting it.
    RevealCount = "reveal.count" Read,
    /// Searching, joining, sorting or grouping by a masked value.
    Filter = "filter" Read,
    /// Computing with a masked value.
    Derive = "derive" Read,
}

/// One verb on one object: the unit that policy judges. A command is a set of them; all must pass.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Act {
    /// What is done.
    pub verb: Verb,
    /// To what.
    pub object: Object,
    /// The figures.
    pub facts: Facts,
}

impl Act {
    /// An act with figures that say "could not tell".
    pub fn new(verb: Verb, object: Object) -> Self {
        Self {
            verb,
            object,
            facts: Facts::None,
        }
    }
    /// Its effect.
    pub fn effect(&self) -> Effect {
        self.verb.effect()
    }
}

/// What an approval is bound to: the exact command, and everything that gives it its meaning.
#[derive(Debug, Clone)]
pub struct ActionKey<'a> {
    /// The target's name.
    pub target: &'a str,
    /// The database, or what stands for it in the protocol.
    pub place: &'a str,
    /// The upstream role.
    pub role: &'a str,
    /// The text, exactly as it would be forwarded.
    pub text: &'a [u8],
    /// Parameter values as sent: `None` is NULL.
    pub parameters: &'a [Option<bytes::Bytes>],
    /// Parameter types and formats as sent.
    pub parameter_shape: &'a [u8],
    /// Settings that change the meaning, `name=value`.
    pub settings: &'a [String],
}

impl ActionKey<'_> {
    /// The hash that an approval names. The chain is bound beside it, by [`crate::principal::Chain::names_digest`].
    pub fn hash(&self) -> Digest {
        let mut h = Hasher::new();
        h.field(b"brattice action 1");
        h.field(self.target.as_bytes())
            .field(self.place.as_bytes())
            .field(self.role.as_bytes());
        h.field(self.text);
        h.field(&(self.parameters.len() as u64).to_be_bytes());
        for p in self.parameters {
            match p {
                Some(v) => h.field(b"v").field(v),
                None => h.field(b"n"),
            };
        }
        h.field(self.parameter_shape);
        for s in self.settings {
            h.field(s.as_bytes());
        }
        h.finish()
    }
}
