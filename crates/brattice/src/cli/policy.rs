//! `brattice policy`: rules checked, tested, explained and compared, with the judge that the gate uses.

use super::args::{ExplainArgs, GatewayArgs, PolicyArgs, PolicyCommand};
use super::client::Client;
use super::decision::{self, Asked, Examples, Who};
use super::exit::Failure;
use super::output::Output;
use super::show;
use crate::config::{self, Checked, Options};
use crate::dev::WRITTEN;
use brattice_admin::body::BundleBody;
use brattice_core::policy::{Kind, diff};
use brattice_core::time::Timestamp;
use serde_json::json;
use std::path::{Path, PathBuf};

/// When example decisions are made unless they say: a Monday morning.
const EXAMPLE_TIME: Timestamp = Timestamp(1_767_607_200_000_000);
/// Where a bundle keeps its example decisions.
const EXAMPLES: &str = "decisions";

pub fn run(gateway: &GatewayArgs, args: PolicyArgs, out: &mut Output) -> Result<(), Failure> {
    match args.command {
        PolicyCommand::Check { config } => check(&load(&config, out)?, out),
        PolicyCommand::Test { config } => test(&load(&config, out)?, out),
        PolicyCommand::Explain(args) => explain(&args, out),
        PolicyCommand::Diff {
            before,
            after,
            no_wider,
        } => compare(&load(&before, out)?, &load(&after, out)?, no_wider, out),
        PolicyCommand::Reload => {
            let bundle: BundleBody = Client::new(gateway)?.act(&["bundle", "reload"])?;
            in_force(&bundle, out);
            Ok(())
        }
        PolicyCommand::Show => {
            let bundle: BundleBody = Client::new(gateway)?.get(&["bundle"], &[])?;
            in_force(&bundle, out);
            Ok(())
        }
    }
}

/// Loads a bundle, or tells everything that is wrong with it.
pub(super) fn load(path: &Path, out: &mut Output) -> Result<Checked, Failure> {
    config::load_with(path, Options { files: false }).map_err(|report| {
        if out.is_json() {
            out.json(&json!({ "valid": false, "problems": report.problems }));
            return Failure::told();
        }
        for line in report.to_string().lines() {
            out.line(show::visible(line));
        }
        let failure = Failure::failed(format!("{} is not a valid bundle", path.display()));
        match is_of_dev(path) {
            true => failure.hint(OF_DEV),
            false => failure,
        }
    })
}

/// What to do with a bundle that `brattice dev` keeps.
pub(super) const OF_DEV: &str = "`brattice dev` wrote this one, and adds what is missing in it when it runs: `brattice policy reload` checks it there";

/// Whether it is a part of a bundle, kept by `brattice dev`.
pub(super) fn is_of_dev(path: &Path) -> bool {
    let file = match path.is_dir() {
        true => path.join(config::FILE_NAME),
        false => path.to_owned(),
    };
    std::fs::read_to_string(file).is_ok_and(|text| text.starts_with(WRITTEN))
}

fn check(bundle: &Checked, out: &mut Output) -> Result<(), Failure> {
    let rules = bundle.rules.rules();
    let word = |kind: &Kind| match kind {
        Kind::Permit => "permit",
        Kind::Forbid => "forbid",
        Kind::Hold(_) => "hold",
    };
    if out.is_json() {
        let listed: Vec<_> = rules
            .iter()
            .map(|r| {
                json!({
                    "id": r.id, "file": r.file, "line": r.line, "kind": word(&r.kind),
                    "observe": r.observe, "message": r.message, "digest": r.digest.to_string(),
                })
            })
            .collect();
        out.json(&json!({ "valid": true, "rules": listed }));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = rules
        .iter()
        .map(|r| {
            let kind = if r.observe {
                format!("{} (observes)", word(&r.kind))
            } else {
                word(&r.kind).to_owned()
            };
            vec![
                show::cell(&r.id, 48),
                kind,
                show::cell(&format!("{}:{}", r.file, r.line), 48),
                show::cell(r.message.as_deref().unwrap_or_default(), 80),
            ]
        })
        .collect();
    out.table(&["rule", "kind", "where", "message"], &rows);
    for warning in bundle.rules.warnings() {
        out.line(format!("warning: {}", show::visible(&warning.to_string())));
    }
    Ok(())
}

fn test(bundle: &Checked, out: &mut Output) -> Result<(), Failure> {
    let files = example_files(&bundle.root)?;
    let mut results = Vec::new();
    let mut failed = 0;
    for path in &files {
        let text = std::fs::read_to_string(path)
            .map_err(|why| Failure::failed(format!("{} cannot be read: {why}", path.display())))?;
        let examples: Examples = toml::from_str(&text).map_err(|why| {
            let at = why.span().map_or(0, |span| span.start);
            let line = 1 + text.bytes().take(at).filter(|b| *b == b'\n').count();
            Failure::failed(format!("{}:{line}: {}", path.display(), why.message()))
        })?;
        for example in examples.decisions {
            let expected = example.expect.as_str();
            let judged = decision::judge(bundle, &example.ask, EXAMPLE_TIME);
            let (verdict, rules) = match &judged {
                Ok((outcome, _)) => (decision::verdict(outcome), decision::deciding(outcome)),
                Err(why) => (why.as_str(), Vec::new()),
            };
            let good = verdict == expected && example.rules.iter().all(|r| rules.contains(r));
            failed += usize::from(!good);
            if !out.is_json() {
                let mark = if good { "ok    " } else { "FAILED" };
                out.line(format!("{mark}  {}", show::visible(&example.name)));
                if !good {
                    let wanted = example.rules.join(", ");
                    out.line(format!(
                        "        expected {expected} {}",
                        show::visible(&wanted)
                    ));
                    out.line(format!(
                        "        but it is {} {}",
                        show::visible(verdict),
                        rules.join(", ")
                    ));
                }
            }
            results.push(json!({
                "name": example.name, "file": path.display().to_string(), "ok": good,
                "expected": expected, "verdict": verdict, "rules": rules,
            }));
        }
    }
    if out.is_json() {
        out.json(&json!({ "decisions": results, "failed": failed }));
    } else {
        out.line(format!("{} decisions, {failed} failed", results.len()));
    }
    if results.is_empty() {
        return Err(Failure::failed(format!(
            "the bundle keeps no decisions in {EXAMPLES}/*.toml"
        )));
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(Failure::told())
    }
}

fn example_files(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let dir = root.join(EXAMPLES);
    let Ok(entries) = std::fs::read_dir(&dir) else {
        return Ok(Vec::new());
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    Ok(files)
}

fn explain(args: &ExplainArgs, out: &mut Output) -> Result<(), Failure> {
    let bundle = load(&args.config, out)?;
    let asked = Asked {
        who: Who {
            agent: args.agent.clone(),
            user: args.user.clone(),
            groups: args.groups.clone(),
        },
        behalf: args
            .behalf
            .iter()
            .map(|user| Who {
                agent: None,
                user: Some(user.clone()),
                groups: args.behalf_groups.clone(),
            })
            .collect(),
        target: args.target.clone(),
        act: args.act.clone(),
        command: args.command.clone(),
        terminal: args.terminal,
        on: args.on.clone(),
        at: None,
        mfa: args.mfa,
        has_where: false,
        limit: None,
        estimated_rows: None,
        columns: None,
    };
    let now = Timestamp(jiff::Timestamp::now().as_microsecond());
    let (outcome, explanation) = decision::judge(&bundle, &asked, now).map_err(Failure::usage)?;
    let found = decision::found(&bundle, &asked);
    let unclear = decision::unclear(&bundle, &asked);
    if out.is_json() {
        let because = |b: &brattice_core::policy::Because| json!({ "rule": b.rule, "place": b.place, "what": b.what, "message": b.message });
        out.json(&json!({
            "verdict": explanation.verdict,
            "acts": explanation.acts,
            "unclear": unclear,
            "programs": found.iter().map(|p| json!({
                "program": p.program, "effect": p.effect, "why": p.why,
            })).collect::<Vec<_>>(),
            "rules": decision::deciding(&outcome),
            "because": explanation.because.iter().map(because).collect::<Vec<_>>(),
            "observed": explanation.observed.iter().map(because).collect::<Vec<_>>(),
            "lacking": explanation.lacking,
            "unpermitted": explanation.unpermitted.iter().map(|u| json!({
                "act": u.act,
                "near": u.near.iter().map(|n| json!({
                    "rule": n.rule, "place": n.place, "actor": n.actor, "lacks": n.lacks,
                })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        }));
    } else {
        for line in explanation.to_string().lines() {
            out.line(show::visible(line));
        }
        if explanation.unpermitted.is_empty() {
            for act in &explanation.acts {
                out.line(show::visible(&format!("does: {act}")));
            }
        }
        if let Some(why) = &unclear {
            out.line(show::visible(&format!("not understood: {why}")));
        }
        for p in &found {
            let line = format!("found: {} does {}: {}", p.program, p.effect, p.why);
            out.line(show::visible(&line));
        }
    }
    Ok(())
}

fn compare(
    before: &Checked,
    after: &Checked,
    no_wider: bool,
    out: &mut Output,
) -> Result<(), Failure> {
    let changes = diff(&before.rules, &after.rules);
    let wider = changes.iter().any(|c| c.wider);
    if out.is_json() {
        let listed: Vec<_> = changes
            .iter()
            .map(|c| json!({ "rule": c.rule, "place": c.place, "what": c.what, "wider": c.wider }))
            .collect();
        out.json(&json!({ "changes": listed, "wider": wider }));
    } else if changes.is_empty() {
        out.line("no rule differs");
    } else {
        for change in &changes {
            let mark = if change.wider { "WIDER  " } else { "       " };
            out.line(format!(
                "{mark}{} ({})",
                show::visible(&change.rule),
                show::visible(&change.place)
            ));
            for what in &change.what {
                out.line(format!("         {}", show::visible(what)));
            }
        }
    }
    if no_wider && wider {
        return Err(Failure::failed(
            "something may let more through than before",
        ));
    }
    Ok(())
}

fn in_force(bundle: &BundleBody, out: &mut Output) {
    if out.is_json() {
        return out.json(bundle);
    }
    out.fields(&[
        ("revision", bundle.revision.to_string()),
        ("digest", bundle.digest.clone()),
        ("since", bundle.applied_at.clone()),
        ("targets", bundle.targets.join(", ")),
        ("rules", bundle.rules.join(", ")),
    ]);
    for w in &bundle.warnings {
        out.line(format!(
            "warning: {}: {}",
            show::visible(&w.file),
            show::visible(&w.what)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_decide_as_they_say() {
        for name in ["orders", "recipes", "identity"] {
            decides_as_it_says(name);
        }
    }

    fn decides_as_it_says(name: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        let root = root.join(name);
        let bundle = config::load_with(&root, Options { files: false })
            .unwrap_or_else(|report| panic!("{report}"));
        let files = example_files(&root).unwrap();
        assert!(!files.is_empty());
        for file in files {
            let examples: Examples =
                toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
            for example in examples.decisions {
                let (outcome, _) = decision::judge(&bundle, &example.ask, EXAMPLE_TIME).unwrap();
                assert_eq!(
                    decision::verdict(&outcome),
                    example.expect.as_str(),
                    "{}",
                    example.name
                );
            }
        }
    }
}
