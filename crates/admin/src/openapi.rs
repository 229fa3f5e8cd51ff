//! The OpenAPI 3.1 document, made from the table of routes and the bodies' own schemas.
//!
//! Lives here: the document. Never: anything that is not in the table.

use crate::problem::{MEDIA_TYPE, Problem};
use crate::signature;
use crate::table::{Answers, ROUTES, Right, Route};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The document, for a gateway at that address.
pub fn document(public_url: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| {
        s.definitions_path = "/components/schemas".into();
        s.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>().to_value();
    let mut paths = Map::new();
    for route in ROUTES {
        let operation = operation(route, &problem, &mut generator);
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(route.method.as_str().to_owned(), operation);
        }
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Brattice",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Approvals, sessions, credentials, the audit log and the bundle of a gateway.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": public_url }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A current access token of a configured identity provider.",
                },
                "bound": {
                    "type": "http",
                    "scheme": "dpop",
                    "description": "A token that is bound to a key, with a proof by that key in the header `DPoP` \
                        (RFC 9449).",
                },
                "certificate": {
                    "type": "mutualTLS",
                    "description": "An X.509-SVID of a trust domain of the bundle, where no token is sent.",
                },
                "receiver": {
                    "type": "apiKey",
                    "in": "header",
                    "name": signature::SIGNATURE_HEADER,
                    "description": "`v1=` and the HMAC-SHA256, in hexadecimal, over timestamp, nonce, `decision:` \
                        with the question's id, and the body, joined by dots. The headers brattice-timestamp, \
                        brattice-nonce and brattice-route carry the rest.",
                },
            },
        },
    })
}

fn operation(route: &Route, problem: &Value, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "description": who_may(route.right),
        "security": match route.right {
            Right::Receiver => json!([{ "receiver": [] }]),
            _ => json!([{ "token": [] }, { "bound": [] }, { "certificate": [] }]),
        },
        "parameters": parameters(route),
        "responses": {
            "default": {
                "description": "A refusal, with what to do about it.",
                "content": { MEDIA_TYPE: { "schema": problem } },
            },
        },
    });
    let done = match route.answers {
        Answers::Json(schema) => content("application/json", schema(generator).to_value()),
        Answers::Lines(schema) => content("application/x-ndjson", schema(generator).to_value()),
        Answers::Octets => content("application/octet-stream", json!({})),
        Answers::Document => content("application/json", json!({ "type": "object" })),
    };
    let status = if matches!(
        route.id,
        "credentials.create"
            | "delegations.create"
            | "freezes.create"
            | "grants.request"
            | "ssh.certify"
    ) {
        "201"
    } else {
        "200"
    };
    if let Some(responses) = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut)
    {
        responses.insert(
            status.to_owned(),
            json!({ "description": "Done.", "content": done }),
        );
    }
    if let (Some(body), Some(own)) = (route.body, operation.as_object_mut()) {
        let schema = (body.schema)(generator).to_value();
        own.insert(
            "requestBody".to_owned(),
            json!({ "required": !body.optional, "content": content("application/json", schema) }),
        );
    }
    operation
}

fn content(media: &str, schema: Value) -> Value {
    json!({ media: { "schema": schema } })
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = route.query.iter().map(|param| {
        json!({
            "name": param.name,
            "in": "query",
            "required": false,
            "description": param.about,
            "schema": { "type": "string" },
        })
    });
    in_path.chain(in_query).collect()
}

fn who_may(right: Right) -> String {
    let joined = |names: &[&str], by: &str| {
        let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
        quoted.join(by)
    };
    let actions = |names: &[&str]| joined(names, " or ");
    match right {
        Right::Anyone => "For everyone who proves who they are.".to_owned(),
        Right::Policy(names) => format!("For whom policy permits {}.", actions(names)),
        Right::All(names) => format!("For whom policy permits {}.", joined(names, " and ")),
        Right::OwnOr(names) => format!(
            "For whose it is, and for whom policy permits {}.",
            actions(names)
        ),
        Right::Receiver => {
            "For the receiver of a signed webhook; policy judges the person that it names."
                .to_owned()
        }
    }
}
