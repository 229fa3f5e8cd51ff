//! Holding a document to the schema: unknown keys, wrong kinds of value, missing keys, words that do not exist.
//!
//! Lives here: a walk over document and schema together that reports every misfit and takes it out, so that the rest can
//! still be read and checked. Never: rules that need more than one value.

use super::place::{Place, Places};
use super::report::{Problem, Report};
use super::suggest::nearest;
use serde_json::Value as Json;
use toml::Value;

/// Walks a document, reporting into `report`; what does not fit is removed.
pub struct Shape<'a> {
    /// The file's name in problems.
    pub file: &'a str,
    /// Lines of keys.
    pub places: &'a Places,
    /// Where problems go.
    pub report: &'a mut Report,
}

impl Shape<'_> {
    /// Holds `value` to `schema`. Returns false when the value itself does not fit and must be removed by the caller.
    pub fn fits(&mut self, value: &mut Value, schema: &Json, at: &Place) -> bool {
        if let Some(words) = words(schema) {
            return self.is_word(value, &words, schema, at);
        }
        let wanted = schema
            .get("type")
            .and_then(Json::as_str)
            .unwrap_or("object");
        match (wanted, value) {
            ("object", Value::Table(table)) => {
                self.table(table, schema, at);
                true
            }
            ("array", Value::Array(items)) => {
                self.items(items, schema, at);
                true
            }
            ("string", Value::String(_)) | ("boolean", Value::Boolean(_)) => true,
            ("integer", Value::Integer(number)) => self.in_range(*number, schema, at),
            (_, value) => {
                let shown = shown(value, schema);
                self.problem(
                    at,
                    shown,
                    format!("expected {}, found {}", kind_of(wanted), a_kind(value)),
                    describe(schema),
                );
                false
            }
        }
    }

    fn table(&mut self, table: &mut toml::Table, schema: &Json, at: &Place) {
        let none = serde_json::Map::new();
        let properties = schema
            .get("properties")
            .and_then(Json::as_object)
            .unwrap_or(&none);
        let others = schema.get("additionalProperties").filter(|s| s.is_object());
        let mut misfits = Vec::new();
        for (key, value) in table.iter_mut() {
            let below = at.key(key);
            match properties.get(key).or(others) {
                Some(schema) => {
                    if !self.fits(value, schema, &below) {
                        misfits.push(key.clone());
                    }
                }
                None => {
                    self.unknown_key(key, properties, &below);
                    misfits.push(key.clone());
                }
            }
        }
        for key in required(schema) {
            if !table.contains_key(key) {
                let description = properties.get(key).map(describe).unwrap_or_default();
                self.problem(
                    &at.key(key),
                    None,
                    "is required and missing".to_owned(),
                    description,
                );
            }
        }
        for key in misfits {
            table.remove(&key);
        }
    }

    fn unknown_key(&mut self, key: &str, properties: &serde_json::Map<String, Json>, at: &Place) {
        let mend = match nearest(key, properties.keys().map(String::as_str)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => {
                let known: Vec<&str> = properties.keys().map(String::as_str).collect();
                format!("known here: {}", known.join(", "))
            }
        };
        self.problem(at, None, "there is no such key".to_owned(), mend);
    }

    fn items(&mut self, items: &mut Vec<Value>, schema: &Json, at: &Place) {
        let Some(of) = schema.get("items") else {
            return;
        };
        let mut index = 0;
        items.retain_mut(|item| {
            let fits = self.fits(item, of, &at.index(index));
            index += 1;
            fits
        });
    }

    fn in_range(&mut self, number: i64, schema: &Json, at: &Place) -> bool {
        let bound = |name: &str| schema.get(name).and_then(Json::as_f64);
        #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^52")]
        let at_hand = number as f64;
        let (low, high) = (bound("minimum"), bound("maximum"));
        if low.is_none_or(|low| at_hand >= low) && high.is_none_or(|high| at_hand <= high) {
            return true;
        }
        let mend = match (low, high) {
            (Some(low), Some(high)) => format!("give a number from {low} to {high}"),
            (Some(low), None) => format!("give a number of at least {low}"),
            (None, Some(high)) => format!("give a number of at most {high}"),
            (None, None) => String::new(),
        };
        self.problem(
            at,
            Some(number.to_string()),
            "is out of range".to_owned(),
            mend,
        );
        false
    }

    fn is_word(&mut self, value: &Value, words: &[&str], schema: &Json, at: &Place) -> bool {
        let Value::String(text) = value else {
            let shown = shown(value, schema);
            self.problem(
                at,
                shown,
                format!("expected a text, found {}", a_kind(value)),
                one_of(words),
            );
            return false;
        };
        if words.contains(&text.as_str()) {
            return true;
        }
        let mend = match nearest(text, words.iter().copied()) {
            Some(word) => format!("did you mean \"{word}\"? {}", one_of(words)),
            None => one_of(words),
        };
        self.problem(
            at,
            shown(value, schema),
            "is not one of the words that can stand here".to_owned(),
            mend,
        );
        false
    }

    fn problem(&mut self, at: &Place, value: Option<String>, what: String, mend: String) {
        self.report.problems.push(Problem {
            file: self.file.to_owned(),
            line: self.places.line(at),
            path: at.to_string(),
            value,
            what,
            mend,
        });
    }
}

/// A value as it may be shown: short, and not at all when the schema says that it holds a secret.
fn shown(value: &Value, schema: &Json) -> Option<String> {
    if schema.get("writeOnly").and_then(Json::as_bool) == Some(true) {
        return None;
    }
    match value {
        Value::Table(_) | Value::Array(_) => None,
        other => Some(shorten(&other.to_string())),
    }
}

/// At most 60 characters, and no control characters.
pub fn shorten(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if clean.chars().count() <= 60 {
        return clean;
    }
    let mut cut: String = clean.chars().take(57).collect();
    cut.push_str("...");
    cut
}

fn words(schema: &Json) -> Option<Vec<&str>> {
    if let Some(listed) = schema.get("enum").and_then(Json::as_array) {
        return Some(listed.iter().filter_map(Json::as_str).collect());
    }
    if let Some(word) = schema.get("const").and_then(Json::as_str) {
        return Some(vec![word]);
    }
    let described = schema.get("oneOf")?.as_array()?;
    Some(described.iter().filter_map(words).flatten().collect())
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
    format!("give one of {}", quoted.join(", "))
}

fn required(schema: &Json) -> impl Iterator<Item = &str> {
    schema
        .get("required")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
}

fn describe(schema: &Json) -> String {
    schema
        .get("description")
        .and_then(Json::as_str)
        .map(|text| text.replace('\n', " "))
        .unwrap_or_default()
}

fn kind_of(wanted: &str) -> &'static str {
    match wanted {
        "object" => "a table",
        "array" => "a list",
        "string" => "a text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "something else",
    }
}

fn a_kind(value: &Value) -> &'static str {
    match value {
        Value::Table(_) => "a table",
        Value::Array(_) => "a list",
        Value::String(_) => "a text",
        Value::Boolean(_) => "true or false",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a point",
        Value::Datetime(_) => "a date",
    }
}
