//! Refusals as PostgreSQL errors: SQLSTATE, DETAIL and HINT that a machine can act on.
//!
//! Here lives the spelling (PostgreSQL documentation, "Error and Notice Message Fields", appendix "Error Codes").

use crate::postgres::fields::{ErrorFields, Severity};
use brattice_core::denial::{Code, Denial};

/// The SQLSTATE of a refusal. `brattice.protocol` refusals carry the code PostgreSQL itself would give.
fn sqlstate(denial: &Denial) -> &'static str {
    if denial.rules.iter().any(|r| r == "brattice.protocol") {
        return match denial.reason.as_str() {
            r if r.starts_with("prepared statement") && r.ends_with("already exists") => "42P05",
            r if r.starts_with("cursor") && r.ends_with("already exists") => "42P03",
            r if r.starts_with("portal") => "34000",
            r if r.contains("prepared statement") => "26000",
            _ => "08P01",
        };
    }
    if let Some(state) = denial.rules.first().and_then(|rule| of_rule(rule)) {
        return state;
    }
    match denial.code {
        Code::Unauthenticated => "28000",
        Code::Forbidden | Code::Masked => "42501",
        Code::Unknown | Code::NotSupported => "0A000",
        Code::ApprovalRequired | Code::ApprovalDenied | Code::ApprovalExpired => "42501",
        Code::TooLarge => "54000",
        Code::Throttled => "53400",
        Code::Cancelled => "57014",
        Code::SessionEnded | Code::Frozen => "57P01",
        Code::Unavailable | Code::Misconfigured => "58000",
    }
}

/// Where the gateway finds out before the target would, the target's own code: drivers and migrations ask for it.
fn of_rule(rule: &str) -> Option<&'static str> {
    Some(match rule {
        "brattice.sql.parse" => "42601",
        "brattice.sql.relation" => "42P01",
        "brattice.sql.function" => "42883",
        "brattice.sql.prepared" => "26000",
        "brattice.sql.cursor" => "34000",
        "brattice.sql.no_schema" => "3F000",
        "brattice.sql.encoding" => "22021",
        "brattice.sql.too_deep" => "54001",
        "brattice.connections" => "53300",
        _ => return None,
    })
}

/// An ERROR for the client: the session goes on.
pub fn error_of(denial: &Denial) -> ErrorFields {
    fields(denial, Severity::Error)
}

/// A FATAL for the client: the session ends.
pub fn fatal_of(denial: &Denial) -> ErrorFields {
    fields(denial, Severity::Fatal)
}

fn fields(denial: &Denial, severity: Severity) -> ErrorFields {
    let mut detail = format!(
        "code={} rule={}",
        denial.code.as_str(),
        denial.rules.join(",")
    );
    if let Some(id) = &denial.approval {
        detail.push_str(&format!(" approval={id}"));
    }
    if let Some(url) = &denial.approval_url {
        detail.push_str(&format!(" url={url}"));
    }
    detail.push_str(if denial.code.retry() {
        " retry=yes"
    } else {
        " retry=no"
    });
    let mut out =
        ErrorFields::new(severity, sqlstate(denial), denial.reason.clone()).detail(detail);
    if let Some(hint) = &denial.hint {
        out = out.hint(hint.clone());
    }
    out
}
