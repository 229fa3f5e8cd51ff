//! A command line as the shell reads it.
//!
//! Lives here: the shapes of what is understood; nothing else can be said with them. Never: how they are read or judged.

/// A list of commands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    /// In order; each ended by `;`, `&` or a new line.
    pub items: Vec<Item>,
}

/// Pipelines joined by `&&` and `||`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The first.
    pub first: Pipeline,
    /// What follows, each with what joins it.
    pub rest: Vec<(Joint, Pipeline)>,
    /// Ended by `&`.
    pub background: bool,
    /// The here-documents that it reads.
    pub documents: Vec<Word>,
}

/// What joins two pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// `&&`.
    And,
    /// `||`.
    Or,
}

/// Commands joined by `|`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Begins with `!`.
    pub negated: bool,
    /// At least one.
    pub stages: Vec<Command>,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A program with its arguments, or none at all.
    Simple(Simple),
    /// A construct of the shell, and redirections of all of it.
    Compound(Box<Compound>, Vec<Redirection>),
}

/// Assignments, words and redirections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Simple {
    /// In front of the words.
    pub assignments: Vec<(String, Word)>,
    /// The program, and its arguments.
    pub words: Vec<Word>,
    /// In order.
    pub redirections: Vec<Redirection>,
}

/// A construct of the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compound {
    /// `( … )`.
    Subshell(Script),
    /// `{ …; }`.
    Group(Script),
    /// `if … then … elif … then … else … fi`.
    If {
        /// Conditions, each with what it leads to.
        arms: Vec<(Script, Script)>,
        /// After `else`.
        otherwise: Option<Script>,
    },
    /// `while … do … done`, `until … do … done`.
    Loop {
        /// What is asked each time.
        condition: Script,
        /// What is repeated.
        body: Script,
    },
    /// `for … in … do … done`.
    For {
        /// The variable.
        name: String,
        /// Its values.
        words: Vec<Word>,
        /// What is repeated.
        body: Script,
    },
    /// `case … in … esac`.
    Case {
        /// What is compared.
        word: Word,
        /// Patterns, each with what it leads to.
        arms: Vec<(Vec<Word>, Script)>,
    },
}

/// A word before expansion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    /// In order.
    pub parts: Vec<Part>,
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Itself; whether it was quoted in any way.
    Literal(String, bool),
    /// `*`, `?` or `[`, not quoted.
    Glob(char),
    /// `~`, the account's home directory.
    Home,
    /// `~name`, or a tilde after `=` or `:`.
    Tilde,
    /// `{a,b}`: the words that come of it, each a whole word.
    Brace(Vec<String>),
    /// A value that is known only when it is run.
    Expansion {
        /// Within double quotes.
        quoted: bool,
        /// Even so it may be any number of words: `"$@"`.
        many: bool,
        /// The parameter, where it is a plain `$x` or `${x}`.
        name: Option<String>,
        /// Commands that are run for it: none for a parameter.
        script: Option<Script>,
    },
    /// `<( … )`, `>( … )`: the name of a file that is a pipe.
    Process(Script),
}

/// What a redirection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `<`.
    Read,
    /// `>`, `>>`, `>|`, `<>`, `&>`, `&>>`.
    Write,
}

/// A redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirection {
    /// From or to a file.
    File(Direction, Word),
    /// `2>&1`, `>&-`.
    Descriptor,
    /// A here-document: what it says is in [`Item::documents`].
    Document,
    /// A here-string.
    Here(Word),
}

impl Word {
    /// The text, when it is one part that is not quoted: only such a word can be a reserved one.
    pub fn bare(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Literal(text, false)] => Some(text),
            _ => None,
        }
    }
}
