//! What is known of programs beforehand.
//!
//! Lives here: reading the files in `catalogue/shell`, and looking things up. Never: their form (`files`), reading a command
//! line.

mod files;

use crate::action::Effect;
use files::{Entry, Harmless, PlacesFile, ProgramsFile, SubEntry, VariablesFile};
pub(super) use files::{Manner, Place, Special};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// The version of the catalogue: it grows whenever an entry means something else than before.
pub const VERSION: u32 = 4;

const FILES: &[&str] = &[
    include_str!("../../../../../catalogue/shell/builtins.toml"),
    include_str!("../../../../../catalogue/shell/files.toml"),
    include_str!("../../../../../catalogue/shell/text.toml"),
    include_str!("../../../../../catalogue/shell/system.toml"),
    include_str!("../../../../../catalogue/shell/services.toml"),
    include_str!("../../../../../catalogue/shell/tools.toml"),
    include_str!("../../../../../catalogue/shell/network.toml"),
    include_str!("../../../../../catalogue/shell/storage.toml"),
    include_str!("../../../../../catalogue/shell/databases.toml"),
    include_str!("../../../../../catalogue/shell/versions.toml"),
    include_str!("../../../../../catalogue/shell/wrappers.toml"),
];
const PLACES: &str = include_str!("../../../../../catalogue/shell/places.toml");
const VARIABLES: &str = include_str!("../../../../../catalogue/shell/variables.toml");

/// What the arguments of a program are that are no options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Operands {
    /// There are none: one more is not understood.
    #[default]
    None,
    /// Text without effect.
    Text,
    /// Text, options among it: nothing of it is looked at.
    Anything,
    /// A file that is read, and a second that is written.
    ReadWrite,
    /// A file that is read, and how the names of those begin that are written.
    Pieces,
    /// A file that is read, and where it is cut; pieces are named as an option says.
    Sections,
    /// Statements of `nft`, which it puts together.
    Statements,
    /// Commits of which patches are written, below the directory that an option names or where it runs.
    Patches,
    /// A working tree that is made, and what of.
    Tree,
    /// A filter of `jq`, then files that are read.
    FilterRead,
    /// Addresses that `curl` asks.
    Addresses,
    /// A name that is given to the system.
    Administered,
    /// Settings of the kernel, some of which run programs.
    Kernel,
    /// Files that a pager shows, and what it is to begin with.
    Pages,
    /// What is set of an interface of the network: no program for the kernel among it.
    Interface,
    /// A route, and how packets go there: not through a program for the kernel.
    Routes,
    /// One thing that is looked up: with more of them one would be set.
    LookedUp,
    /// A service, and what to do to it: `status` only shows it.
    Service,
    /// A repository that is copied, and where to.
    Clone,
    /// Files that are read.
    Read,
    /// Files that are written.
    Write,
    /// Files that are destroyed.
    Destroy,
    /// Files whose rights are changed.
    Administer,
    /// A pattern, then files that are read.
    PatternRead,
    /// A pattern, then files that are read; without them, all below the directory where it runs.
    PatternWalk,
    /// Something that is no file, then files whose rights are changed.
    TextAdminister,
    /// Files that are read, and last the one that is written.
    LastWrite,
    /// Files that are written, the last one as well: they move.
    Move,
    /// Names of variables that the shell sets.
    Variables,
    /// Names of things that are no files: no paths, and nothing that is set.
    Names,
    /// A text, which is a file that is read where there is one of that name: no paths.
    Message,
    /// Numbers, literally: zsh computes what it is given.
    Number,
    /// How the time is to be shown, from a `+` on: anything else sets the clock.
    Format,
    /// Names of what a repository holds; paths outside of it are files that are read.
    Revisions,
    /// What `git diff` compares: outside of a repository, two of them are files.
    Compared,
    /// References that are pushed: `+` and `:` in front destroy.
    References,
}

/// Whether an option takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// No.
    None,
    /// In the same argument, or it has none.
    Attached,
    /// In the same argument or the next.
    Needed,
    /// The next two arguments.
    Pair,
}

/// An option that is known.
#[derive(Debug)]
pub(super) struct OptionSpec {
    /// With its dashes; `-#` is any number, `-name` a word that is no cluster of letters.
    pub(super) name: &'static str,
    pub(super) value: Value,
    /// Its value names a file, and that is what is done to it.
    pub(super) file: Option<Effect>,
    /// Its value is text, or names a file that is read behind a sign.
    pub(super) may_name: bool,
    /// Its value is a part of a program's name, and no path.
    pub(super) is_name: bool,
    /// With it, files are read that are not part of the line: what its input or another file names.
    pub(super) anywhere: bool,
    /// What it makes the program do.
    pub(super) effect: Effect,
}

/// What is known of a program, or of one of its subcommands.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) effect: Effect,
    pub(super) reason: &'static str,
    /// What it could do with any options at all.
    pub(super) worst: Effect,
    pub(super) operands: Operands,
    pub(super) options: Vec<OptionSpec>,
    /// With one of these options its effect is `mild`, and what it would write it reads.
    pub(super) milder: Vec<&'static str>,
    pub(super) mild: Effect,
    /// The same, but only without any of `modes`, which would undo it.
    pub(super) shows: Vec<&'static str>,
    pub(super) modes: Vec<&'static str>,
    /// Without operands, and with no options but these, it only shows something.
    pub(super) bare: Option<Vec<&'static str>>,
}

/// A program that is known.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) rules: Rules,
    pub(super) special: Option<Special>,
    /// On a terminal it may show its output in a pager, from which anything can be run.
    pub(super) pages: bool,
    /// Options end at the first operand.
    pub(super) stops: bool,
    /// How it reads its options.
    pub(super) manner: Manner,
    /// Which of its options take a value was held against what it says itself, and it knows abbreviations of long ones.
    pub(super) sure: bool,
    /// An argument that begins with `@` stands for the arguments that are in that file.
    pub(super) responses: bool,
    /// What names a file may be an address as well, which it asks.
    pub(super) uris: bool,
    /// Operands of its own in front of the command that it runs.
    pub(super) before: usize,
    /// Arguments of which any, and nothing else, make it only show something of itself.
    pub(super) looks: Vec<&'static str>,
    /// Empty for a program without subcommands.
    pub(super) subs: HashMap<&'static str, Rules>,
}

impl std::ops::Deref for Program {
    type Target = Rules;
    fn deref(&self) -> &Rules {
        &self.rules
    }
}

impl Program {
    /// Whether its first operand is a subcommand.
    pub(super) fn has_subs(&self) -> bool {
        !self.subs.is_empty()
    }
}

/// `-n= -o=> --color? -v`: options by white space, each with what its value is.
fn specs(text: &'static str, effect: Effect) -> Vec<OptionSpec> {
    text.split_whitespace()
        .map(|token| {
            let (name, value, file) = if let Some(name) = token.strip_suffix("=>") {
                (name, Value::Needed, Some(Effect::Write))
            } else if let Some(name) = token.strip_suffix("=<") {
                (name, Value::Needed, Some(Effect::Read))
            } else if let Some(name) = token.strip_suffix("=~") {
                (name, Value::Needed, None)
            } else if let Some(name) = token.strip_suffix("?>") {
                (name, Value::Attached, Some(Effect::Write))
            } else if let Some(name) = token.strip_suffix("==") {
                (name, Value::Pair, None)
            } else if let Some(name) = token.strip_suffix(['=', '@']) {
                (name, Value::Needed, None)
            } else if let Some(name) = token.strip_suffix('?') {
                (name, Value::Attached, None)
            } else {
                (token, Value::None, None)
            };
            OptionSpec {
                name,
                value,
                file,
                may_name: token.ends_with('@'),
                is_name: token.ends_with('~'),
                anywhere: false,
                effect: effect.max(file.unwrap_or(Effect::Read)),
            }
        })
        .collect()
}

/// The names in a list of options, without what their values are.
fn names(text: &'static str) -> Vec<&'static str> {
    specs(text, Effect::Read)
        .into_iter()
        .map(|spec| spec.name)
        .collect()
}

/// A list of options with the effect that they have.
type Listed = (&'static str, Effect);

fn all_specs(lists: &[Listed]) -> Vec<OptionSpec> {
    let lists = lists.iter().filter(|(text, _)| !text.is_empty());
    lists
        .flat_map(|(text, effect)| specs(text, *effect))
        .collect()
}

/// Marks the options with which files are read that the line does not name.
fn mark_anywhere(options: &mut [OptionSpec], text: &'static str) {
    let marked = names(text);
    for spec in options {
        spec.anywhere = marked.contains(&spec.name);
    }
}

/// All that is known.
#[derive(Default)]
pub(super) struct Known {
    programs: HashMap<&'static str, &'static Program>,
    pub(super) places: Vec<Place>,
    harmless: BTreeSet<&'static str>,
    /// Names in lower case that mean something to some program.
    special: BTreeSet<&'static str>,
}

/// Whether the files read. They are built in, and a test reads them all; without them nothing is understood, since what is not
/// known of places makes writing to them look milder than it is.
pub(super) fn is_read() -> bool {
    !KNOWN.programs.is_empty()
}

pub(super) static KNOWN: LazyLock<Known> = LazyLock::new(|| read().unwrap_or_default());

fn read() -> Result<Known, toml::de::Error> {
    let mut known = Known {
        places: toml::from_str::<PlacesFile>(PLACES)?.place,
        ..Known::default()
    };
    for text in FILES {
        let file: &'static ProgramsFile = Box::leak(Box::new(toml::from_str(text)?));
        for entry in file.program.iter().filter(|_| file.version == VERSION) {
            let program: &'static Program = Box::leak(Box::new(program(entry)));
            for name in entry.names.split_whitespace() {
                known.programs.insert(name, program);
            }
        }
    }
    let variables: &'static VariablesFile = Box::leak(Box::new(toml::from_str(VARIABLES)?));
    let names = |list: &'static [Harmless]| list.iter().flat_map(|h| h.names.split_whitespace());
    known.harmless = names(&variables.harmless).collect();
    known.special = names(&variables.special).collect();
    Ok(known)
}

fn program(entry: &'static Entry) -> Program {
    let mut subs = HashMap::new();
    for sub in &entry.sub {
        for name in sub.names.split_whitespace() {
            subs.insert(name, sub_rules(sub, &entry.reason));
        }
    }
    let bare = entry.bare.as_deref().map(names);
    let mut rules = Rules {
        effect: entry.effect,
        reason: &entry.reason,
        worst: entry.worst.unwrap_or(Effect::Execute).max(entry.effect),
        operands: entry.operands,
        options: all_specs(&[
            (&entry.options, Effect::Read),
            (&entry.milder, Effect::Read),
            (&entry.shows, Effect::Read),
            (&entry.modes, Effect::Read),
            (&entry.write, Effect::Write),
            (&entry.administer, Effect::Administer),
            (&entry.destroy, Effect::Destroy),
        ]),
        milder: names(&entry.milder),
        mild: entry.mild.unwrap_or(Effect::Read),
        shows: names(&entry.shows),
        modes: names(&entry.modes),
        bare,
    };
    mark_anywhere(&mut rules.options, &entry.anywhere);
    Program {
        rules,
        special: entry.special,
        pages: entry.pages,
        stops: entry.stops,
        manner: entry.manner,
        sure: entry.sure,
        responses: entry.responses,
        uris: entry.uris,
        before: entry.before,
        looks: entry.looks.split_whitespace().collect(),
        subs,
    }
}

fn sub_rules(sub: &'static SubEntry, reason: &'static str) -> Rules {
    let mut rules = Rules {
        effect: sub.effect,
        reason: sub.reason.as_deref().unwrap_or(reason),
        worst: sub.worst.unwrap_or(Effect::Execute).max(sub.effect),
        operands: sub.operands,
        options: all_specs(&[
            (&sub.options, Effect::Read),
            (&sub.milder, Effect::Read),
            (&sub.write, Effect::Write),
            (&sub.administer, Effect::Administer),
            (&sub.destroy, Effect::Destroy),
        ]),
        milder: names(&sub.milder),
        mild: sub.mild.unwrap_or(Effect::Read),
        shows: Vec::new(),
        modes: Vec::new(),
        bare: sub.bare.as_deref().map(names),
    };
    mark_anywhere(&mut rules.options, &sub.anywhere);
    rules
}

impl Known {
    /// The program of that name. A path counts only where systems keep their own programs.
    pub(super) fn program(&self, name: &str) -> Option<&'static Program> {
        let base = ["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/"]
            .iter()
            .find_map(|place| name.strip_prefix(place))
            .unwrap_or(name);
        self.programs.get(base).copied()
    }
    /// Whether no shell and no known program runs otherwise for that variable.
    pub(super) fn is_harmless(&self, name: &str, lower_case: bool) -> bool {
        if self.harmless.contains(name) {
            return true;
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        lower_case
            && !name.starts_with('_')
            && name.chars().all(plain)
            && !name.ends_with("_proxy")
            && !self.special.contains(name)
    }
}

/// Every program that is known, by name, with its effect when nothing makes it worse, and why.
pub fn programs() -> Vec<(&'static str, Effect, &'static str)> {
    let mut all: Vec<_> = KNOWN
        .programs
        .iter()
        .map(|(name, program)| (*name, program.effect, program.reason))
        .collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod help;
#[cfg(test)]
mod tests;
