//! The bundle: what is in force, what is wrong with the next one, and putting that in force.
//!
//! Lives here: views and problems. Never: reading, judging, applying.

use crate::config::checked::TlsMode;
use crate::config::{Checked, Problem, Report};
use crate::run::{Gateway, StartError};
use brattice_admin::ports::{BundleApi, BundleProblem, BundleView, Failed};
use brattice_core::policy;
use brattice_core::ports::BoxFuture;
use std::sync::Arc;

/// The bundle of a gateway.
pub struct Bundle(pub Arc<Gateway>);

impl Bundle {
    fn view(&self) -> BundleView {
        let force = self.0.gate.in_force();
        let checked = self.0.checked.load();
        let mut targets: Vec<String> = force.targets.keys().cloned().collect();
        targets.sort();
        BundleView {
            revision: force.revision,
            digest: checked.digest,
            applied_at: self.0.applied_at(),
            targets,
            rules: force.rules.rules().iter().map(|r| r.id.clone()).collect(),
            warnings: warnings(&checked),
        }
    }
}

impl BundleApi for Bundle {
    fn current<'a>(&'a self) -> BoxFuture<'a, Result<BundleView, Failed>> {
        Box::pin(async move { Ok(self.view()) })
    }

    fn check<'a>(&'a self) -> BoxFuture<'a, Result<Vec<BundleProblem>, Failed>> {
        Box::pin(async move {
            Ok(match self.0.read().await? {
                Err(report) => problems(report),
                Ok(checked) => match self.0.try_out(&checked) {
                    Ok(()) => Vec::new(),
                    Err(error) => vec![of_start(&error)],
                },
            })
        })
    }

    fn reload<'a>(
        &'a self,
    ) -> BoxFuture<'a, Result<Result<BundleView, Vec<BundleProblem>>, Failed>> {
        Box::pin(async move {
            let checked = match self.0.read().await? {
                Err(report) => {
                    self.0.note_refused();
                    return Ok(Err(problems(report)));
                }
                Ok(checked) => checked,
            };
            match self.0.apply(checked).await {
                Ok(_) => Ok(Ok(self.view())),
                Err(StartError::Audit(why)) => Err(Failed::new("put a bundle on record", why)),
                Err(error) => Ok(Err(vec![of_start(&error)])),
            }
        })
    }
}

/// What should be looked at in a bundle that is good.
pub(crate) fn warnings(checked: &Checked) -> Vec<BundleProblem> {
    let mut all: Vec<BundleProblem> = checked.rules.warnings().iter().map(of_policy).collect();
    let mut odd = |path: String, what: &str, mend: &str| {
        all.push(BundleProblem {
            file: crate::config::FILE_NAME.to_owned(),
            line: None,
            path,
            what: what.to_owned(),
            mend: mend.to_owned(),
        });
    };
    for issuer in checked.issuers.iter().filter(|i| i.development) {
        odd(
            format!("issuers.{}.development", issuer.name),
            "this provider is for trying out",
            "give a provider over https before others rely on this gateway",
        );
    }
    for (name, target) in &checked.targets {
        if target.target.observe {
            odd(
                format!("targets.{name}.observe"),
                "no rule is enforced here: commands are judged and recorded only",
                "take it out once the rules are right",
            );
        }
        // A host proves its own key.
        let by_tls = target.ssh.is_none();
        if by_tls && matches!(target.tls.mode, TlsMode::Disable | TlsMode::Require) {
            odd(
                format!("targets.{name}.tls.mode"),
                "the target's certificate is not checked",
                "use verify-full with the target's authority",
            );
        }
    }
    all
}

fn problems(report: Report) -> Vec<BundleProblem> {
    report.problems.into_iter().map(of_config).collect()
}

fn of_config(problem: Problem) -> BundleProblem {
    let Problem {
        file,
        line,
        path,
        value,
        what,
        mend,
    } = problem;
    let what = match value {
        Some(value) => format!("{value} {what}"),
        None => what,
    };
    BundleProblem {
        file,
        line,
        path,
        what,
        mend,
    }
}

fn of_policy(problem: &policy::Problem) -> BundleProblem {
    of_config(crate::config::rules::problem(problem))
}

fn of_start(error: &StartError) -> BundleProblem {
    let mut what = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(why) = cause {
        what = format!("{what}: {why}");
        cause = why.source();
    }
    BundleProblem {
        file: crate::config::FILE_NAME.to_owned(),
        line: None,
        path: String::new(),
        what,
        mend: "mend what it names and read the bundle again".to_owned(),
    }
}
