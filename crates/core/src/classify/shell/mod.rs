//! Command lines for a login shell: parsed as dash, bash or zsh would, and judged program by program.
//!
//! Lives here: what a command line does. Never: whether it may, how it arrives, running anything.
//!
//! `parse` turns bytes into a [`tree`] or says why not ([`Reason`]). `judge` walks the tree: it makes arguments of words
//! ([`Arg`]), looks each program up in what is known beforehand (`catalogue`), and reads its options as the program
//! would. `docs/shell.md` says what is understood, and why the rest is not.

mod arg;
mod catalogue;
mod judge;
mod parse;
mod quote;
mod reason;
pub mod tree;
mod typed;

pub use arg::{Arg, Opaque};
pub use catalogue::{VERSION, programs};
pub use judge::{File, Judged, written};
pub use quote::{canonical, quoted};
pub use reason::Reason;
pub use typed::{Directory, Line, Typed};

use crate::action::Effect;

/// The shell that a target's account logs in with, as the target declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shell {
    /// A POSIX shell: dash, or another that was started as `sh`. Only what all of these read alike is understood.
    Sh,
    /// bash.
    Bash,
    /// zsh.
    Zsh,
    /// A forced command: the line never reaches a shell that we know, so that nothing in it is understood.
    Forced,
}

/// The sizes within which a command line is understood at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShellLimits {
    /// Bytes of the command line.
    pub command_bytes_max: usize,
    /// Constructs within constructs, command lines within command lines among them.
    pub nesting_max: usize,
    /// Programs that are run, and effects of the shell itself.
    pub programs_max: usize,
}

impl Default for ShellLimits {
    fn default() -> Self {
        Self {
            command_bytes_max: 32 << 10,
            nesting_max: 24,
            programs_max: 256,
        }
    }
}

/// What is known of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Understanding {
    /// All that it can run, in the order of the text. An empty one runs nothing.
    Understood {
        /// Each program, and each effect of the shell itself.
        commands: Vec<Judged>,
    },
    /// Cannot tell, and why.
    Unknown {
        /// Why.
        reason: Reason,
    },
}

impl Understanding {
    /// The worst that it does: `read` when it runs nothing.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Understood { commands } => commands
                .iter()
                .map(|judged| judged.effect)
                .max()
                .unwrap_or(Effect::Read),
            Self::Unknown { .. } => Effect::Unknown,
        }
    }
}

/// Reads a command line as the declared shell would, and says what it does.
pub fn understand(command: &[u8], shell: Shell, limits: &ShellLimits) -> Understanding {
    if !catalogue::is_read() {
        return Understanding::Unknown {
            reason: Reason::NoCatalogue,
        };
    }
    let judged =
        parse(command, shell, limits).and_then(|script| judge::judge(&script, shell, limits));
    match judged {
        Ok(commands) => Understanding::Understood { commands },
        Err(reason) => Understanding::Unknown { reason },
    }
}

/// Reads a command line as the declared shell would.
pub fn parse(command: &[u8], shell: Shell, limits: &ShellLimits) -> Result<tree::Script, Reason> {
    parse::parse(command, shell, limits)
}
