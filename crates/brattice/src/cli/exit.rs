//! How commands end: stable exit codes, and failures with what to do about them.
//!
//! Lives here: the codes, which the reference documents list. Never: printing.

use brattice_admin::problem::Problem;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done,
    /// It was refused, failed, or found something wrong.
    Failed,
    /// It was called wrongly.
    Usage,
    /// The gateway could not be reached, or did not answer as one.
    Unreachable,
    /// The gateway does not know or does not permit the caller.
    NotPermitted,
}

impl Exit {
    /// Every code with what it means.
    pub const ALL: [(Exit, &'static str); 5] = [
        (Exit::Done, "The command did what was asked."),
        (
            Exit::Failed,
            "It was refused, it failed, or it found something wrong (`check`, `audit verify`, `policy test`).",
        ),
        (Exit::Usage, "It was called wrongly; nothing was done."),
        (
            Exit::Unreachable,
            "The gateway could not be reached, or did not answer as one.",
        ),
        (
            Exit::NotPermitted,
            "The gateway does not know the caller, or does not permit this to them.",
        ),
    ];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::NotPermitted => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// How it ends.
    pub exit: Exit,
    /// What went wrong; empty when the output has said it already.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What the gateway said, where it did.
    pub problem: Option<Box<Problem>>,
    /// OAuth's name for it, where an endpoint of OAuth said no.
    pub oauth: Option<String>,
}

impl Failure {
    /// A failure with one sentence.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            hint: None,
            problem: None,
            oauth: None,
        }
    }

    /// The same with advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// It failed.
    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }

    /// It was called wrongly.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// The output has said what is wrong.
    pub fn told() -> Self {
        Self::new(Exit::Failed, "")
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let exit = match problem.status {
            400 => Exit::Usage,
            401 | 403 => Exit::NotPermitted,
            503 => Exit::Unreachable,
            _ => Exit::Failed,
        };
        Self {
            exit,
            what: problem.detail.clone(),
            hint: problem.hint.clone(),
            problem: Some(Box::new(problem)),
            oauth: None,
        }
    }
}
