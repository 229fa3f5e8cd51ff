//! The form of the files in `catalogue/shell`.
//!
//! Lives here: what stands in them. Never: what it means.

use super::{Operands, Special};
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
