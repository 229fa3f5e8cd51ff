//! The operator's log: on standard error, as lines for people on a terminal and as JSON elsewhere.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// The variable that says how much is logged, e.g. `debug` or `brattice_proxy=debug,info`.
pub const VARIABLE: &str = "BRATTICE_LOG";

/// Begins to log. A second call changes nothing.
pub fn begin() {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let _set_before = if std::io::stderr().is_terminal() {
        lines.with_target(false).try_init()
    } else {
        lines.with_ansi(false).json().flatten_event(true).try_init()
    };
}
