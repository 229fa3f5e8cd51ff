//! Contexts as JSON, for requests of every protocol.

use serde_json::{Map, Value, json};

/// The context of one link: an ordinary Tuesday morning, then what the case says.
pub fn context(action: &str, chain: &[String], acting: bool, with: &Map<String, Value>) -> Value {
    const FIGURE_MAX: i64 = crate::action::FIGURE_MAX;
    let entity = |kind: &str, id: &str| json!({ "__entity": { "type": kind, "id": id } });
    let extension = |name: &str, arg: &str| json!({ "__extn": { "fn": name, "arg": arg } });
    let of = |kind: &str| {
        let prefix = format!("{kind}::");
        chain
            .iter()
            .filter_map(|w| w.strip_prefix(&prefix))
            .map(|id| entity(kind, id))
            .collect::<Vec<_>>()
    };
    let address = extension("ip", "10.1.2.3");
    let mut context = json!({
        "login": { "by": entity("LoginBy", "oidc"), "mfa": true, "bound": true, "age": extension("duration", "5m") },
        "clock": {
            "now": extension("datetime", "2026-11-24T09:30:00Z"), "weekday": entity("Weekday", "Tue"),
            "hour": 10, "minute": 30,
        },
    });
    if super::world::ADMINISTRATION.contains(&action) {
        context["address"] = address;
    } else {
        context["caller"] = json!({ "acting": acting, "agents": of("Agent"), "depth": of("Agent").len(), "address": address });
        context["budget"] = json!({
            "commands_last_minute": 3, "rows_last_hour": 100, "rows_today": 1000, "bytes_today": 100_000,
            "changes_today": 0, "denials_last_hour": 0, "cost_today": extension("decimal", "0.0"),
        });
        if let Some(person) = of("User").into_iter().next() {
            context["on_behalf_of"] = person;
        }
    }
    let arguments =
        json!({ "count": 0, "first": "", "second": "", "third": "", "fourth": "", "all": [] });
    let request =
        json!({ "numbers": entity("Numbers", "request"), "texts": entity("Texts", "request") });
    overlay(
        &mut context,
        match action
            .split_once('.')
            .map_or(action, |(protocol, _)| protocol)
        {
            "sql" => json!({
                "columns": ["id"], "has_where": true, "limit": FIGURE_MAX, "estimated_rows": 10, "objects": 1,
                "in_transaction": false,
            }),
            "ssh" if ["ssh.download", "ssh.list"].contains(&action) => json!({ "bytes": 10 }),
            "ssh" => {
                json!({ "line": "", "arguments": arguments, "terminal": false, "environment": [] })
            }
            "http" => {
                json!({ "method": entity("Method", "POST"), "host": "payments.internal", "body_bytes": 100 })
            }
            "k8s" => json!({
                "replicas": FIGURE_MAX, "dry_run": false, "selector": false, "images": [], "line": "",
                "arguments": arguments,
            }),
            "reveal" | "filter" | "derive" => json!({ "rows_so_far": 0 }),
            _ => json!({}),
        },
    );
    if action.starts_with("http.") || action.starts_with("mcp.") {
        overlay(&mut context, request);
    }
    overlay(&mut context, Value::Object(with.clone()));
    context
}

fn overlay(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(a), Value::Object(b))
            if !b.contains_key("__entity") && !b.contains_key("__extn") =>
        {
            for (key, value) in b {
                overlay(a.entry(key).or_insert(Value::Null), value);
            }
        }
        (a, b) => *a = b,
    }
}
