//! The configuration's document, made from its JSON Schema, and the built-in classes of data.

use super::cell;
use crate::config::raw;
use brattice_core::mask::Classes;
use serde_json::Value;
use std::fmt::Write;

/// The document.
pub fn document() -> String {
    let mut text = String::from(
        "# Configuration\n\nA bundle is a directory: `brattice.toml`, and `*.cedar` files beside it or in `policies/`. It is \
         read and checked whole; `brattice check` tells everything that is wrong with it at once. The same as a JSON \
         Schema: [configuration.schema.json](configuration.schema.json).\n\nSpans of time are a number and a unit: \
         `500ms`, `15s`, `2m`, `1h`, `30d`. Secrets are never written into the file, only where they come from: \
         `env:NAME`, `file:PATH`, and for targets `sealed`, a vault or AWS.\n\n",
    );
    table(&raw::schema(), "", &mut text);
    text.push_str("## Built-in classes of data\n\n| class | within |\n|---|---|\n");
    for class in Classes::builtin().iter() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{}` | {} |", class.name, class.within.join(", "));
    }
    text
}

/// One table of the file with its keys, then the tables below it.
fn table(schema: &Value, path: &str, text: &mut String) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let title = if path.is_empty() {
        "The file".to_owned()
    } else {
        format!("`[{path}]`")
    };
    let _ = writeln!(text, "## {title}\n\n{}\n", about(schema));
    text.push_str("| key | kind | required | meaning |\n|---|---|---|---|\n");
    for (key, below) in properties {
        let needed = if required.contains(&key.as_str()) {
            "yes"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "| `{key}` | {} | {needed} | {} |",
            kind(below),
            cell(&meaning(below))
        );
    }
    text.push('\n');
    for (key, below) in properties {
        let at = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match below.get("additionalProperties").filter(|s| s.is_object()) {
            Some(each) => table(each, &format!("{at}.NAME"), text),
            None => table(below, &at, text),
        }
    }
}

fn about(schema: &Value) -> String {
    schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .replace('\n', " ")
}

/// The description, and for a choice of words what each means.
fn meaning(schema: &Value) -> String {
    let mut text = about(schema);
    let choices = schema
        .get("oneOf")
        .or_else(|| schema.get("items").and_then(|items| items.get("oneOf")))
        .and_then(Value::as_array);
    for choice in choices.into_iter().flatten() {
        if let Some(word) = choice.get("const").and_then(Value::as_str) {
            let _ = write!(text, " `{word}`: {}", about(choice));
        }
    }
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let (Some(low), Some(high)) = (bound("minimum"), bound("maximum")) {
        let _ = write!(text, " From {low} to {high}.");
    }
    text
}

fn kind(schema: &Value) -> &'static str {
    match schema.get("type").and_then(Value::as_str) {
        Some("object") if schema.get("properties").is_some() => "table",
        Some("object") => "table by name",
        Some("array") => "list",
        Some("boolean") => "true or false",
        Some("integer") => "number",
        Some("string") => "text",
        _ if schema.get("oneOf").is_some() => "word",
        _ => "",
    }
}
