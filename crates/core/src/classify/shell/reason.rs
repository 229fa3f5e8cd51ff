//! Why a command line was not understood.
//!
//! Lives here: the closed list, with a sentence for people. Never: how it was found.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)?) => {
        /// Why a command line was not understood.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $variant),* }
        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant),*];
            /// One sentence for the caller.
            pub fn text(self) -> &'static str {
                match self { $(Reason::$variant => $text),* }
            }
        }
    };
}

reasons! {
    /// What is known of programs could not be read.
    NoCatalogue = "The gateway's own lists of programs cannot be read.",
    /// A forced command.
    ForcedCommand = "The account runs a command of its own whatever is asked for.",
    /// Begins with `-` or `+`.
    Options = "The command line begins like an option, and the shell would take it for one: put a blank in front.",
    /// Larger than `command_bytes_max`.
    TooLong = "The command line is too long to be judged.",
    /// Deeper than `nesting_max`.
    TooDeep = "The command line nests too deeply to be judged.",
    /// More than `programs_max` programs or words.
    TooMany = "The command line runs too many programs, or has too many words, to be judged together.",
    /// Not UTF-8.
    NotUtf8 = "The command line is not valid UTF-8.",
    /// A control character.
    Control = "The command line holds a control character: spell it as $'\\r', or leave it out.",
    /// A character outside ASCII that is not quoted.
    UnquotedUnicode = "A character outside ASCII is not quoted: put the word into single quotes.",
    /// Not the shell's grammar, or none that is understood.
    Syntax = "The command line is not written as this shell's grammar has it, or in a way that is not understood.",
    /// A quote that does not end.
    OpenQuote = "A quote does not end.",
    /// `\` at the end of a line, within a word or a quote.
    LineContinuation = "A word goes on after a backslash at the end of a line.",
    /// `$'…'`, `$"…"` where the shell has none or an escape that is not known.
    DollarQuote = "A quote that begins with a dollar is read in different ways by different shells.",
    /// A form of `${…}` that is not modelled.
    Parameter = "An expansion of a parameter has a form that is not understood: use $name or ${name}.",
    /// Arithmetic over anything but numbers.
    Arithmetic = "Arithmetic is understood over numbers only: what a name holds may be run.",
    /// Backquotes with escapes or quotes in them.
    Backquote = "Backquotes hold escapes or quotes: use $( ) instead.",
    /// `{a,b}` beyond plain lists.
    Brace = "Braces in a word are understood only as a plain list, where the shell has it.",
    /// `~` where its meaning differs.
    Tilde = "A tilde stands where shells read it differently.",
    /// A character that this shell reads in a way of its own.
    Peculiar = "A character is not quoted that this shell, or some version of it, reads in a way of its own.",
    /// A here-document beyond what is modelled.
    HereDocument = "A here-document is written in a way that is not understood.",
    /// A redirection beyond what is modelled.
    Redirection = "A redirection has a form that is not understood in this shell.",
    /// `[[`, `((`, `function`, `select`, `coproc` and their like.
    Construct = "A construct of the shell is used that is not understood.",
    /// A function is defined.
    Function = "A function is defined, which can stand in a program's place.",
    /// A comment where shells differ.
    Comment = "A comment stands where shells read it differently.",
    /// The program's name is not literal.
    HiddenProgram = "Which program is run cannot be told: its name must be spelled out.",
    /// `alias`, `shopt`, `enable` and their like.
    ChangesTheShell = "The shell is told to read what follows in another way.",
    /// Text given to a shell within that is not literal.
    HiddenText = "Text is run as commands that cannot be told beforehand.",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Reason {}
