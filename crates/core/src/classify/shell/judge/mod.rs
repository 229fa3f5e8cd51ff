//! What a command line does, program by program.
//!
//! Lives here: walking the tree, assignments and redirections. Never: what a single program does (`program` and its
//! neighbours), whether it may.

mod awk;
mod builtin;
mod curl;
mod data;
mod find;
mod here;
mod looped;
mod made;
mod operands;
mod options;
mod place;
mod program;
mod psql;
mod sed;
mod serve;
mod wrap;

pub(super) use place::joined;
pub use place::written;

use super::arg::{Arg, Values, args};
use super::catalogue::KNOWN;
use super::tree::{Command, Compound, Direction, Item, Part, Redirection, Script, Simple, Word};
use super::{Reason, Shell, ShellLimits};
use crate::action::Effect;
use std::collections::BTreeSet;

/// Directories that are followed; with more, where a relative path leads is not known.
const DIRECTORIES_MAX: usize = 32;

/// Variables that name the program that output is shown with.
const PAGERS: &[&str] = &["PAGER", "GIT_PAGER", "MANPAGER", "SYSTEMD_PAGER"];

/// A program that is run, or an effect of the shell itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The program as it is called: a name, or a path. Empty for redirections that stand alone, `name=` for an assignment.
    pub program: String,
    /// Everything it is given, the program first.
    pub argv: Vec<Arg>,
    /// What it does. That of what it runs in turn is with that.
    pub effect: Effect,
    /// Why it has that effect.
    pub why: String,
    /// Files it touches, as far as they are named. Paths are as written, and relative ones are relative to wherever it runs:
    /// but where the whole line works in one directory that is known, they are below that.
    pub files: Vec<File>,
    /// Every effect that statements have which it hands to a database: the worst of them is its own, and none of them
    /// hides behind that.
    pub also: Vec<Effect>,
    /// On a terminal it may show its output in a pager, from which anything can be run: without a terminal only has it
    /// the effect that is said.
    pub pages: bool,
    /// The line is this one program and nothing else, and what passes through its streams are files as they are: masking
    /// them would break them.
    pub transfers: bool,
}

impl Judged {
    fn new(argv: &[Arg], effect: Effect, why: impl Into<String>) -> Self {
        Self {
            program: argv
                .first()
                .and_then(Arg::literal)
                .unwrap_or_default()
                .to_owned(),
            argv: argv.to_vec(),
            effect,
            why: why.into(),
            files: Vec::new(),
            also: Vec::new(),
            pages: false,
            transfers: false,
        }
    }
    /// Makes it at least as bad, and says why if it is worse.
    fn raise(&mut self, effect: Effect, why: impl Into<String>) {
        if effect > self.effect {
            self.effect = effect;
            self.why = why.into();
        }
    }
}

/// A file that is touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path.
    pub path: Arg,
    /// What is done to it.
    pub effect: Effect,
}

/// Everything that a command line can run.
pub(super) fn judge(
    script: &Script,
    shell: Shell,
    limits: &ShellLimits,
) -> Result<Vec<Judged>, Reason> {
    let mut judge = Judge {
        shell,
        limits,
        depth: 0,
        commands: Vec::new(),
        directories: BTreeSet::from([String::new()]),
        anywhere: false,
        moves: 0,
        here: None,
        values: Values::new(),
        unrolled: 1,
        fed: false,
        sql: Default::default(),
        unordered: false,
    };
    // A loop comes back to what stood before a change of directory: the second time all of them are known.
    judge.script(script)?;
    if let Some(directory) = judge.certain(script) {
        judge.settles(directory);
    }
    judge.commands.clear();
    if !judge.unordered {
        judge.sql = Default::default();
    }
    judge.script(script)?;
    // Nothing else of a line may reach the client as it is, because one of its programs does.
    if !is_alone(script) || judge.commands.len() != 1 {
        for judged in &mut judge.commands {
            judged.transfers = false;
        }
    }
    Ok(judge.commands)
}

/// Whether a line is one program with its arguments.
fn is_alone(script: &Script) -> bool {
    let [item] = script.items.as_slice() else {
        return false;
    };
    let [Command::Simple(simple)] = item.first.stages.as_slice() else {
        return false;
    };
    let only = item.rest.is_empty() && item.documents.is_empty() && !item.background;
    let bare = simple.assignments.is_empty() && simple.redirections.is_empty();
    only && bare && !item.first.negated
}

struct Judge<'a> {
    shell: Shell,
    limits: &'a ShellLimits,
    depth: usize,
    commands: Vec<Judged>,
    /// Where relative paths may begin: the empty one is where the account's commands begin.
    directories: BTreeSet<String>,
    /// It changed to a directory that is not known.
    anywhere: bool,
    /// Changes of directory that it came upon.
    moves: usize,
    /// Where all of the line works, once that is certain.
    here: Option<Arg>,
    /// What variables are known to hold, in the loops that set them.
    values: Values,
    /// How many times over the loops are judged that it is in.
    unrolled: usize,
    /// What programs find on their input is not what the client sends: a file, or what another program says.
    fed: bool,
    /// What SQL that it came upon changes of what names mean in what follows.
    sql: crate::classify::sql::Pending,
    /// It came upon a loop, or upon what runs at the same time as something else: what follows may have come before.
    unordered: bool,
}

impl Judge<'_> {
    fn deeper(
        &mut self,
        judge: impl FnOnce(&mut Self) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > self.limits.nesting_max {
            return Err(Reason::TooDeep);
        }
        judge(self)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    fn push(&mut self, mut judged: Judged) -> Result<(), Reason> {
        if self.commands.len() >= self.limits.programs_max {
            return Err(Reason::TooMany);
        }
        self.settle(&mut judged);
        self.commands.push(judged);
        Ok(())
    }

    fn script(&mut self, script: &Script) -> Result<(), Reason> {
        self.deeper(|judge| script.items.iter().try_for_each(|item| judge.item(item)))
    }

    fn item(&mut self, item: &Item) -> Result<(), Reason> {
        self.unordered |= item.background;
        let rest = item.rest.iter().map(|(_, pipeline)| pipeline);
        for pipeline in std::iter::once(&item.first).chain(rest) {
            for (at, command) in pipeline.stages.iter().enumerate() {
                self.feeding(at > 0, |judge| judge.command(command))?;
            }
        }
        item.documents.iter().try_for_each(|word| self.inside(word))
    }

    fn command(&mut self, command: &Command) -> Result<(), Reason> {
        match command {
            Command::Simple(simple) => self.simple(simple),
            Command::Compound(compound, redirections) => {
                let feeds = self.feeds(redirections);
                self.feeding(feeds, |judge| judge.compound(compound))?;
                self.bare_redirections(redirections)
            }
        }
    }

    /// Judges what may find something else on its input than what the client sends.
    fn feeding(
        &mut self,
        feeds: bool,
        judge: impl FnOnce(&mut Self) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        if !feeds {
            return judge(self);
        }
        let before = std::mem::replace(&mut self.fed, true);
        judge(self)?;
        self.fed = before;
        Ok(())
    }

    /// Whether redirections put anything on an input.
    fn feeds(&self, redirections: &[Redirection]) -> bool {
        redirections.iter().any(|redirection| match redirection {
            Redirection::File(Direction::Read, word) => {
                args(word, &self.values) != [Arg::exact("/dev/null")]
            }
            Redirection::File(Direction::Write, _) | Redirection::Descriptor => false,
            Redirection::Document | Redirection::Here(_) => true,
        })
    }

    fn compound(&mut self, compound: &Compound) -> Result<(), Reason> {
        match compound {
            Compound::Subshell(script) | Compound::Group(script) => self.script(script),
            Compound::If { arms, otherwise } => {
                for (asked, then) in arms {
                    self.script(asked)?;
                    self.script(then)?;
                }
                otherwise.iter().try_for_each(|script| self.script(script))
            }
            Compound::Loop { condition, body } => {
                self.unordered = true;
                self.script(condition)?;
                self.script(body)
            }
            Compound::For { name, words, body } => {
                words.iter().try_for_each(|word| self.inside(word))?;
                self.assigned(name, words)?;
                self.unordered = true;
                self.looped(name, words, body)
            }
            Compound::Case { word, arms } => {
                self.inside(word)?;
                for (patterns, script) in arms {
                    patterns.iter().try_for_each(|word| self.inside(word))?;
                    self.script(script)?;
                }
                Ok(())
            }
        }
    }

    /// Commands within a word.
    fn inside(&mut self, word: &Word) -> Result<(), Reason> {
        word.parts.iter().try_for_each(|part| match part {
            Part::Expansion {
                script: Some(script),
                ..
            } => self.script(script),
            Part::Process(script) => self.feeding(true, |judge| judge.script(script)),
            _ => Ok(()),
        })
    }

    fn simple(&mut self, simple: &Simple) -> Result<(), Reason> {
        let argv = self.args(&simple.words);
        let reads = argv.first().and_then(Arg::literal) == Some("read");
        for (name, value) in &simple.assignments {
            self.inside(value)?;
            // `IFS= read` splits what is read in another way, and nothing else; `cat` shows what a pager would.
            let plain = PAGERS.contains(&name.as_str())
                && self.args(std::slice::from_ref(value)) == [Arg::exact("cat")];
            let splits = reads && name == "IFS";
            if !splits && !plain {
                self.assigned(name, std::slice::from_ref(value))?;
            }
        }
        simple.words.iter().try_for_each(|word| self.inside(word))?;
        if argv.is_empty() {
            return self.bare_redirections(&simple.redirections);
        }
        let at = self.commands.len();
        let feeds = self.feeds(&simple.redirections);
        self.feeding(feeds, |judge| judge.run(&argv))?;
        // `exec < file` is for all that follows.
        self.fed |= feeds && argv.iter().any(|arg| arg.literal() == Some("exec"));
        let files = self.redirected(&simple.redirections)?;
        let Some(mut judged) = self.commands.get(at).cloned() else {
            return Ok(());
        };
        for (file, why) in files {
            judged.raise(file.effect, why);
            judged.files.push(file);
        }
        if let Some(slot) = self.commands.get_mut(at) {
            *slot = judged;
        }
        Ok(())
    }

    fn args(&self, words: &[Word]) -> Vec<Arg> {
        let args = words.iter().map(|word| args(word, &self.values));
        args.flatten().collect()
    }

    /// A variable that the shell sets.
    fn assigned(&mut self, name: &str, values: &[Word]) -> Result<(), Reason> {
        // zsh gives meaning to names in lower case as well.
        if KNOWN.is_harmless(name, self.shell != Shell::Zsh) {
            return Ok(());
        }
        let mut judged = Judged::new(
            &self.args(values),
            Effect::Execute,
            format!("{name} is not known to leave alone which programs run, and how."),
        );
        judged.program = format!("{name}=");
        self.push(judged)
    }

    /// Redirections without a program of their own.
    fn bare_redirections(&mut self, redirections: &[Redirection]) -> Result<(), Reason> {
        let files = self.redirected(redirections)?;
        if files.is_empty() {
            return Ok(());
        }
        let mut judged = Judged::new(&[], Effect::Read, "A redirection reads a file.");
        for (file, why) in files {
            judged.raise(file.effect, why);
            judged.files.push(file);
        }
        self.push(judged)
    }

    /// The files of redirections, each with why it has its effect.
    fn redirected(&mut self, redirections: &[Redirection]) -> Result<Vec<(File, String)>, Reason> {
        let mut files = Vec::new();
        for redirection in redirections {
            match redirection {
                Redirection::Descriptor | Redirection::Document => {}
                Redirection::Here(word) => self.inside(word)?,
                Redirection::File(direction, word) => {
                    self.inside(word)?;
                    if matches!(word.parts.as_slice(), [Part::Process(_)]) {
                        continue;
                    }
                    for path in args(word, &self.values) {
                        files.extend(self.opened(*direction, path));
                    }
                }
            }
        }
        Ok(files)
    }

    fn opened(&self, direction: Direction, path: Arg) -> Option<(File, String)> {
        if self.shell != Shell::Zsh && place::may_connect(&path) {
            let effect = Effect::Execute;
            let why = "bash opens a network connection for such a path.".to_owned();
            return Some((File { path, effect }, why));
        }
        let (effect, why) = match direction {
            Direction::Read => (Effect::Read, "A redirection reads a file.".to_owned()),
            Direction::Write if place::is_sink(&path) => return None,
            Direction::Write => self.written(&path, Effect::Write, "A redirection writes a file."),
        };
        let path = self.below(&path);
        Some((File { path, effect }, why))
    }
}
