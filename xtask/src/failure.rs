//! Why a command stopped, and with which exit code. No printing here: `main` prints.

use std::fmt;

/// What every step returns.
pub type Outcome<T = ()> = Result<T, Failure>;

/// One sentence for the person who ran the command, and the exit code for the script that did.
#[derive(Debug)]
pub struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// Something was checked and does not hold, or a step failed: exit code 1.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            code: 1,
        }
    }

    /// The command line is wrong: exit code 2.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            code: 2,
        }
    }

    /// The machine lacks something that the person must install: exit code 3.
    pub fn missing(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            code: 3,
        }
    }

    /// An I/O error, with what was being done.
    pub fn io(doing: impl fmt::Display, source: &std::io::Error) -> Failure {
        Failure::new(format!("{doing}: {source}"))
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
