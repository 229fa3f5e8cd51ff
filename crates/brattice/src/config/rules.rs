//! The rules of a bundle, loaded against what the rest of it defines.
//!
//! Lives here: what rules may name, and their problems in the bundle's report. Never: judging.

use super::FILE_NAME;
use super::raw::{RawConfig, RawProtocol};
use super::report::Problem;
use brattice_core::mask::classes::ClassError;
use brattice_core::mask::{ClassSpec, Classes};
use brattice_core::policy::{self, Known};
use brattice_core::principal::OWN_ISSUER;
use brattice_core::target::{Protocol, Target};

/// The built-in classes of data with the bundle's changes to them.
pub(super) fn classes(raw: &RawConfig) -> Result<Classes, Vec<Problem>> {
    let specs: Vec<ClassSpec> = raw
        .classes
        .iter()
        .map(|(name, class)| ClassSpec {
            name: name.clone(),
            within: class.parents.clone(),
            detectors: (class.detect == Some(false)).then(Vec::new),
            patterns: (class.detect == Some(false)).then(Vec::new),
            on_hit: None,
        })
        .collect();
    Classes::with(&specs).map_err(|faults| {
        faults
            .iter()
            .map(|fault| Problem {
                file: FILE_NAME.to_owned(),
                line: None,
                path: format!("classes.{}", class_of(fault)),
                value: None,
                what: fault.to_string(),
                mend: mend_of(fault).to_owned(),
            })
            .collect()
    })
}

fn class_of(fault: &ClassError) -> &str {
    match fault {
        ClassError::Name(class) | ClassError::Twice(class) | ClassError::Cycle(class) => class,
        ClassError::Parent { class, .. }
        | ClassError::Detector { class, .. }
        | ClassError::Pattern { class, .. } => class,
    }
}

fn mend_of(fault: &ClassError) -> &'static str {
    match fault {
        ClassError::Parent { .. } => "name a class of this bundle or a built-in one",
        ClassError::Cycle(_) => "take one of its parents out",
        _ => "use lower-case letters, digits and underscores, at most 32",
    }
}

/// What rules may name. Made of the text as it is written, so that a mistake in a target does not make every rule that
/// names it look wrong, too.
pub(super) fn known(raw: &RawConfig, classes: &Classes) -> Known {
    let targets = raw
        .targets
        .iter()
        .map(|(name, target)| {
            let protocol = match target.protocol {
                Some(RawProtocol::Postgres) | None => Protocol::Postgres,
                Some(RawProtocol::Ssh) => Protocol::Ssh,
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
            .chain(raw.saml.keys().cloned())
            .chain(raw.spiffe.keys().cloned())
            .chain([OWN_ISSUER.to_owned()])
            .collect(),
        labels: Default::default(),
        targets,
        classes: classes
            .iter()
            .map(|class| (class.name.clone(), class.within.clone()))
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
