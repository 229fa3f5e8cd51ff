//! `brattice check`: a bundle, whole.

use super::args::CheckArgs;
use super::exit::Failure;
use super::output::Output;
use super::policy::{OF_DEV, is_of_dev};
use super::show;
use crate::config::{self, Checked, Options, raw};
use serde_json::json;

pub fn run(args: &CheckArgs, out: &mut Output) -> Result<(), Failure> {
    if args.schema {
        out.json(&raw::schema());
        return Ok(());
    }
    let options = Options {
        files: !args.without_files,
    };
    match config::load_with(&args.config, options) {
        Ok(checked) => {
            tell(&checked, out);
            Ok(())
        }
        Err(report) => {
            if out.is_json() {
                out.json(&json!({ "valid": false, "problems": report.problems }));
            } else {
                for line in report.to_string().lines() {
                    out.line(show::visible(line));
                }
                out.line("");
                out.line(show::count(report.problems.len(), "problem"));
                if is_of_dev(&args.config) {
                    out.line(OF_DEV);
                }
            }
            Err(Failure::told())
        }
    }
}

fn tell(checked: &Checked, out: &mut Output) {
    let warnings: Vec<String> = crate::adapt::warnings(checked)
        .iter()
        .map(|w| {
            let line = w.line.map_or_else(String::new, |line| format!(":{line}"));
            format!("{}{line}: {}: {}; {}", w.file, w.path, w.what, w.mend)
        })
        .collect();
    let unset = checked.unset_variables();
    let observed: Vec<&str> = checked
        .targets
        .values()
        .filter(|t| t.target.observe)
        .map(|t| t.target.name.as_str())
        .collect();
    if out.is_json() {
        out.json(&json!({
            "valid": true,
            "digest": checked.digest.to_string(),
            "targets": checked.targets.keys().collect::<Vec<_>>(),
            "issuers": checked.issuers.iter().map(|i| &i.name).collect::<Vec<_>>(),
            "rules": checked.rules.rules().len(),
            "observed_targets": observed,
            "unset_variables": unset,
            "warnings": warnings,
        }));
        return;
    }
    out.line(format!(
        "valid: {}, {}, {}",
        show::count(checked.targets.len(), "target"),
        show::count(checked.issuers.len(), "identity provider"),
        show::count(checked.rules.rules().len(), "rule"),
    ));
    out.line(format!("digest: {}", checked.digest));
    for warning in &warnings {
        out.line(format!("warning: {}", show::visible(warning)));
    }
    for (variable, at) in &unset {
        out.line(format!("to be set before serving: {variable} ({at})"));
    }
    for name in observed {
        out.line(format!(
            "warning: `{name}` is only observed: NO RULE is enforced on it"
        ));
    }
}
