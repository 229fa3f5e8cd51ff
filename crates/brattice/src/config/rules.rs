//! The rules of a bundle, loaded against what the rest of it defines.
//!
//! Lives here: what rules may name, and their problems in the bundle's report. Never: judging.

use super::raw::{RawConfig, RawProtocol};
use super::report::Problem;
use brattice_core::policy::{self, Known};
use brattice_core::target::{Protocol, Target};

/// What rules may name. Made of the text as it is written, so that a mistake in a target does not make every rule that
/// names it look wrong, too.
pub(super) fn known(raw: &RawConfig) -> Known {
    let targets = raw
        .targets
        .iter()
        .map(|(name, target)| {
            let protocol = match target.protocol {
                Some(RawProtocol::Postgres) | None => Protocol::Postgres,
            };
            let target = Target {
                name: name.clone(),
                protocol,
                labels: target.labels.clone().unwrap_or_default(),
                observe: target.observe,
            };
            (name.clone(), target)
        })
        .collect();
    Known {
        issuers: raw
            .issuers
            .iter()
            .flat_map(|all| all.keys().cloned())
            .collect(),
        labels: Default::default(),
        targets,
        classes: raw
            .classes
            .iter()
            .map(|(name, class)| (name.clone(), class.parents.clone()))
            .collect(),
        owners: raw.owners.clone(),
    }
}

/// A problem of the rules, as one of the bundle.
pub fn problem(of: &policy::Problem) -> Problem {
    Problem {
        file: if of.file.is_empty() {
            "policies".to_owned()
        } else {
            of.file.clone()
        },
        line: (of.line > 0).then_some(of.line),
        path: String::new(),
        value: None,
        what: of.message.clone(),
        mend: of.mend.clone().unwrap_or_default(),
    }
}
