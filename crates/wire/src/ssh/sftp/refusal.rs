//! Refusals, as SFTP spells them: a STATUS with one line of text. Never here: why something is refused by policy.

use super::code::Code;
use super::reply::one_line;
use super::request::Unfit;
use super::settle::Unsettled;
use brattice_core::denial::{Code as Why, Denial};

/// The built-in rule behind refusals that no policy made.
const RULE: &str = "brattice.sftp";

/// A denial on one line: the reason, what to do instead, and who may lift it.
#[must_use]
pub fn line_of(denial: &Denial, bytes_max: usize) -> String {
    let mut line = denial.reason.clone();
    let mut add = |text: &str| {
        line.push_str("; ");
        line.push_str(text);
    };
    if let Some(hint) = &denial.hint {
        add(hint);
    }
    if let Some(approval) = &denial.approval {
        add(&format!("approval {approval}"));
    }
    if let Some(url) = &denial.approval_url {
        add(url);
    }
    one_line(&line, bytes_max)
}

/// A refusal that was decided here, with the code the client gets.
pub(super) struct Refusal {
    pub code: Code,
    pub denial: Denial,
}

fn refusal(code: Code, why: Why, reason: &str) -> Refusal {
    Refusal {
        code,
        denial: Denial::new(why, RULE, reason),
    }
}

/// For a request that is not modelled.
pub(super) fn of_unfit(unfit: Unfit) -> Refusal {
    let (code, why, reason) = match unfit {
        Unfit::Extension => (
            Code::OpUnsupported,
            Why::NotSupported,
            "this extension of SFTP is not passed on",
        ),
        Unfit::ExtendedAttributes => (
            Code::OpUnsupported,
            Why::NotSupported,
            "extended attributes are not passed on",
        ),
        Unfit::AttributeFlags => (
            Code::OpUnsupported,
            Why::NotSupported,
            "these attributes are not of version 3",
        ),
        Unfit::OpenFlags => (
            Code::BadMessage,
            Why::Unknown,
            "this way of opening a file makes no sense: one is opened to read or write, and made or emptied only to write",
        ),
        Unfit::PathNotText => (
            Code::BadMessage,
            Why::Unknown,
            "a path must be UTF-8 without NUL",
        ),
        Unfit::PathTooLong => (Code::BadMessage, Why::TooLarge, "this path is too long"),
    };
    refusal(code, why, reason)
}

/// For a name that could not be settled.
pub(super) fn of_unsettled(unsettled: Unsettled) -> Refusal {
    let (why, reason) = match unsettled {
        Unsettled::DeadLink => (
            Why::Unknown,
            "this leads through a symbolic link whose end cannot be found, so nobody can tell what it would do",
        ),
        Unsettled::NotText => (
            Why::Unknown,
            "on the target this has a name that is not UTF-8",
        ),
        Unsettled::TooLong => (Why::TooLarge, "on the target this has too long a name"),
        Unsettled::Untold => (
            Why::Unknown,
            "the target could not say where this name leads",
        ),
    };
    refusal(Code::Failure, why, reason)
}

/// For a symbolic link with `..` behind a name.
pub(super) fn of_text() -> Refusal {
    let mut refusal = refusal(
        Code::Failure,
        Why::Unknown,
        "nobody can tell where a symbolic link with `..` behind a name leads",
    );
    refusal.denial = refusal
        .denial
        .hint("write where it leads without `..`, or with `..` only at its beginning");
    refusal
}

/// For an extension that the target does not offer.
pub(super) fn of_not_offered() -> Refusal {
    refusal(
        Code::OpUnsupported,
        Why::NotSupported,
        "the target does not offer this extension of SFTP",
    )
}

/// For a handle that is not open, or not open for this.
pub(super) fn of_handle() -> Refusal {
    refusal(
        Code::Failure,
        Why::Unknown,
        "this handle is not open, or not for this",
    )
}

/// For one handle too many.
pub(super) fn of_handles() -> Refusal {
    refusal(
        Code::Failure,
        Why::TooLarge,
        "too many files are open in this session",
    )
}

/// For a write that no frame should carry.
pub(super) fn of_long_write() -> Refusal {
    refusal(
        Code::Failure,
        Why::TooLarge,
        "more is written at once than the target or the gateway takes",
    )
}

/// For content that is to be masked and in which no values could be seen.
pub(super) fn of_no_text() -> Denial {
    let reason =
        "the content of this file is masked, and it is no text in which values could be found";
    Denial::new(Why::Masked, "brattice.mask_files", reason)
        .hint("a rule that permits ssh.reveal on it shows it as it is")
}

/// For a pass that does not fit what was asked.
pub(super) fn of_mismatch() -> Refusal {
    refusal(
        Code::Failure,
        Why::Unavailable,
        "the gateway's answer was to another question",
    )
}
