//! `brattice docs`: the reference documents, made from the code that they describe.
//!
//! Lives here: which documents there are, writing and comparing them. Never: facts that are not in the code.

mod cli;
mod config;
mod errors;
mod metrics;

use super::args::DocsArgs;
use super::exit::Failure;
use super::output::Output;
use crate::config::raw;
use brattice_admin::openapi;
use brattice_core::policy::SCHEMA;
use serde_json::{Value, json};

/// The first line of each Markdown document.
const MADE: &str =
    "<!-- Made by `brattice docs` from the code. Change the code, then run it again. -->\n\n";

pub fn run(args: &DocsArgs, out: &mut Output) -> Result<(), Failure> {
    let documents = documents();
    if args.check {
        let stale: Vec<&str> = documents
            .iter()
            .filter(|(name, text)| {
                std::fs::read_to_string(args.out.join(name)).ok().as_ref() != Some(text)
            })
            .map(|(name, _)| *name)
            .collect();
        if out.is_json() {
            out.json(&json!({ "stale": stale }));
        }
        return if stale.is_empty() {
            Ok(())
        } else {
            Err(
                Failure::failed(format!("not as the code has it: {}", stale.join(", ")))
                    .hint(format!("run `brattice docs --out {}`", args.out.display())),
            )
        };
    }
    std::fs::create_dir_all(&args.out)
        .map_err(|why| Failure::failed(format!("{} cannot be made: {why}", args.out.display())))?;
    for (name, text) in &documents {
        let path = args.out.join(name);
        std::fs::write(&path, text).map_err(|why| {
            Failure::failed(format!("{} cannot be written: {why}", path.display()))
        })?;
    }
    if out.is_json() {
        out.json(
            &json!({ "written": documents.iter().map(|(name, _)| *name).collect::<Vec<_>>() }),
        );
    }
    Ok(())
}

/// Every document with its text.
fn documents() -> Vec<(&'static str, String)> {
    vec![
        ("cli.md", format!("{MADE}{}", cli::document())),
        ("configuration.md", format!("{MADE}{}", config::document())),
        ("configuration.schema.json", pretty(&raw::schema())),
        ("errors.md", format!("{MADE}{}", errors::document())),
        ("metrics.md", format!("{MADE}{}", metrics::document())),
        (
            "openapi.json",
            pretty(&openapi::document("https://brattice.example.com")),
        ),
        ("policy.cedarschema", SCHEMA.to_owned()),
    ]
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// A cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_the_same_each_time_and_none_is_empty() {
        let (one, other) = (documents(), documents());
        assert_eq!(one, other);
        for (name, text) in one {
            assert!(text.len() > 200, "{name}");
        }
    }

    #[test]
    fn every_key_of_the_configuration_is_documented() {
        fn keys(schema: &Value, into: &mut Vec<String>) {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                for (key, below) in properties {
                    assert!(
                        below.get("description").is_some(),
                        "{key} has no description"
                    );
                    into.push(key.clone());
                    keys(below, into);
                }
            }
            for part in ["additionalProperties", "items"] {
                if let Some(below) = schema.get(part) {
                    keys(below, into);
                }
            }
        }
        let mut all = Vec::new();
        keys(&raw::schema(), &mut all);
        let text = config::document();
        for key in all {
            assert!(text.contains(&format!("`{key}`")), "{key}");
        }
    }
}
