//! The form of the files in `catalogue/shell`.
//!
//! Lives here: what stands in them. Never: what it means.

use super::Operands;
use crate::action::Effect;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgramsFile {
    pub(super) version: u32,
    pub(super) program: Vec<Entry>,
}

/// One entry of a file, for one or more programs that are alike.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) names: String,
    pub(super) reason: String,
    pub(super) effect: Effect,
    #[serde(default)]
    pub(super) worst: Option<Effect>,
    #[serde(default)]
    pub(super) operands: Operands,
    #[serde(default)]
    pub(super) special: Option<Special>,
    #[serde(default)]
    pub(super) pages: bool,
    #[serde(default)]
    pub(super) stops: bool,
    #[serde(default)]
    pub(super) manner: Manner,
    #[serde(default)]
    pub(super) sure: bool,
    #[serde(default)]
    pub(super) shows: String,
    #[serde(default)]
    pub(super) modes: String,
    #[serde(default)]
    pub(super) responses: bool,
    #[serde(default)]
    pub(super) uris: bool,
    #[serde(default)]
    pub(super) before: usize,
    #[serde(default)]
    pub(super) options: String,
    #[serde(default)]
    pub(super) anywhere: String,
    #[serde(default)]
    pub(super) write: String,
    #[serde(default)]
    pub(super) administer: String,
    #[serde(default)]
    pub(super) destroy: String,
    #[serde(default)]
    pub(super) sub: Vec<SubEntry>,
    #[serde(default)]
    pub(super) looks: String,
    #[serde(default)]
    pub(super) bare: Option<String>,
    #[serde(default)]
    pub(super) milder: String,
    #[serde(default)]
    pub(super) mild: Option<Effect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubEntry {
    pub(super) names: String,
    pub(super) effect: Effect,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) worst: Option<Effect>,
    #[serde(default)]
    pub(super) bare: Option<String>,
    #[serde(default)]
    pub(super) milder: String,
    #[serde(default)]
    pub(super) mild: Option<Effect>,
    #[serde(default)]
    pub(super) operands: Operands,
    #[serde(default)]
    pub(super) options: String,
    #[serde(default)]
    pub(super) anywhere: String,
    #[serde(default)]
    pub(super) write: String,
    #[serde(default)]
    pub(super) administer: String,
    #[serde(default)]
    pub(super) destroy: String,
}

/// Places where what is written there decides what runs later, and names of variables.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct PlacesFile {
    pub(super) place: Vec<Place>,
}

/// Places that are alike.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::classify::shell) struct Place {
    /// What writing there is.
    pub(in crate::classify::shell) effect: Effect,
    pub(in crate::classify::shell) reason: String,
    /// Directories and files by their whole path.
    #[serde(default)]
    pub(in crate::classify::shell) below: Vec<String>,
    /// Names of files and directories, wherever they are.
    #[serde(default)]
    pub(in crate::classify::shell) named: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct VariablesFile {
    pub(super) harmless: Vec<Harmless>,
    pub(super) special: Vec<Harmless>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Harmless {
    pub(super) names: String,
    #[serde(rename = "reason")]
    _reason: String,
}

/// Programs whose arguments are read in code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::classify::shell) enum Special {
    /// Runs the command that its operands are.
    Wrapper,
    /// The same, with assignments in front.
    Env,
    /// The same, with arguments that come from its input.
    Xargs,
    /// Runs its operands as the text of a command line.
    Eval,
    /// `exec`: with redirections alone, nothing.
    Exec,
    /// `find`.
    Find,
    /// `sed`: its script is read.
    Sed,
    /// `tar`: options without a dash.
    Tar,
    /// `awk`: its program is read.
    Awk,
    /// `unzip`: writes where `-d` says.
    Unzip,
    /// `dd`: operands are settings.
    Dd,
    /// What file-transfer clients make a host run.
    Serve,
    /// `psql`: hands SQL on.
    Psql,
    /// `sh -c`, `bash -c`, `zsh -c`.
    Shell,
    /// `test`, `[`.
    Test,
    /// `set`.
    Set,
    /// `trap`.
    Trap,
    /// `printf`.
    Printf,
    /// Changes how the rest of the line is read.
    Changes,
}

/// How a program reads its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::classify::shell) enum Manner {
    /// Letters behind one dash; a value follows in the same argument or the next.
    #[default]
    Clusters,
    /// Letters behind one dash; values are further arguments, and behind a letter in the same one only a number.
    Apart,
    /// Each argument is one option; a number may follow its letter.
    Words,
}
