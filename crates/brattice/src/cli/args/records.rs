//! The arguments of what happened and what waits: questions, sessions, the audit log.
//!
//! Lives here: their form. Never: what a command does. No argument takes a secret.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `approvals`.
#[derive(Debug, Args)]
pub struct ApprovalsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ApprovalsCommand,
}

/// What to do with questions.
#[derive(Debug, Subcommand)]
pub enum ApprovalsCommand {
    /// List them, the newest first.
    #[command(visible_alias = "ls")]
    List {
        /// In this state alone: pending, approved, denied, consumed, expired, not_run, or all.
        #[arg(long, default_value = "pending")]
        state: String,
        /// About this target alone.
        #[arg(long)]
        target: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one with its complete text.
    Show {
        /// The question.
        id: String,
    },
    /// Say yes to exactly one action.
    Approve(AnswerArgs),
    /// Say no.
    Deny(AnswerArgs),
}

/// An answer.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The question.
    pub id: String,
    /// The hash of the action that you looked at, as `show` prints it; 16 digits or more. Asked for on a terminal.
    #[arg(long, value_name = "HASH")]
    pub action: Option<String>,
    /// Why, for the record.
    #[arg(long)]
    pub reason: Option<String>,
}

/// `sessions`.
#[derive(Debug, Args)]
pub struct SessionsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SessionsCommand,
}

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// List them, the newest first.
    #[command(visible_alias = "ls")]
    List {
        /// In this state alone: live, closed, interrupted, or all.
        #[arg(long, default_value = "all")]
        state: String,
        /// On this target alone.
        #[arg(long)]
        target: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one.
    Show {
        /// The session.
        id: String,
    },
    /// Print its recording.
    Replay {
        /// The session.
        id: String,
        /// Print what the caller sent and received, too.
        #[arg(long)]
        output: bool,
        /// Of one command alone, by its number.
        #[arg(long, value_name = "NUMBER")]
        command: Option<u64>,
        /// Write the terminal of a command as a film (asciicast v3) into this file, to be played by asciinema. Escapes that
        /// could do more than draw are left out.
        #[arg(long, value_name = "FILE", conflicts_with = "output")]
        asciicast: Option<PathBuf>,
    },
    /// Look on while it is open: what passes, as it passes, until it ends or you leave with Ctrl-C. You only look: nothing
    /// that you type gets there.
    #[command(
        after_help = "Examples:\n  brattice sessions watch ses_0123456789abcdef\n  brattice sessions watch ses_0123456789abcdef --from-start\n  brattice sessions watch ses_0123456789abcdef --command 3\n  brattice sessions watch ses_0123456789abcdef --format json | jq -r 'select(.kind == \"command\") | .text'\n\nWhat is drawn on a terminal is drawn on yours, but for escapes that could do more than draw; make yours as large.\nEnds with 0 when the session ends or you leave, with 4 when you may no longer look on, with 3 when the gateway goes away."
    )]
    Watch {
        /// The session.
        id: String,
        /// Show first what was recorded so far.
        #[arg(long)]
        from_start: bool,
        /// Of one command alone, by its number.
        #[arg(long, value_name = "NUMBER")]
        command: Option<u64>,
    },
    /// End it now.
    Kill {
        /// The session.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Verify a log's files with the public key alone; no gateway is asked.
    Verify {
        /// The directory with the log's files.
        dir: PathBuf,
        /// The public key, in PEM. Keep a copy of it away from the gateway.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Signed heads that were kept elsewhere, one JSON object a line.
        #[arg(long, value_name = "FILE")]
        heads: Vec<PathBuf>,
    },
    /// Print the newest entries.
    Tail {
        /// So many of them.
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: u32,
        /// Go on with those to come.
        #[arg(short, long)]
        follow: bool,
    },
    /// Take the log's files away, for verifying them elsewhere.
    Export {
        /// The directory to put them in; made if it is missing.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}
