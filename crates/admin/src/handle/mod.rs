//! What each route does, a module for each kind of thing.
//!
//! Lives here: handlers, which read a call, ask for a permit, call a port and make a reply. Never: HTTP's details.

pub(crate) mod agents;
pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod bundle;
pub(crate) mod credentials;
pub(crate) mod delegations;
pub(crate) mod freezes;
pub(crate) mod grants;
pub(crate) mod sessions;
pub(crate) mod ssh;
pub(crate) mod watch;
pub(crate) mod whoami;

/// The longest reason that is taken.
const REASON_CHARS_MAX: usize = 1000;
/// Most items of a list or a page.
const LIMIT_MAX: u64 = 1000;

use crate::problem::Problem;

/// A reason within its bound.
fn reason_of(reason: Option<String>) -> Result<Option<String>, Problem> {
    match reason {
        Some(text) if text.chars().count() > REASON_CHARS_MAX => Err(Problem::invalid(format!(
            "The reason is longer than {REASON_CHARS_MAX} characters."
        ))),
        other => Ok(other.filter(|text| !text.trim().is_empty())),
    }
}
