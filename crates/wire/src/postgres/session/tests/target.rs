//! A stand-in for PostgreSQL: keeps names and a transaction, skips to Sync after an error.

use super::bench::path_rows;
use crate::Limits;
use crate::postgres::backend::FieldDescription;
use crate::postgres::frontend::{self, Frontend};
use crate::postgres::{ErrorFields, NameKind, Severity, TxStatus, reply};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;

/// See the module.
pub(super) struct Target {
    /// Texts that were run.
    pub ran: Vec<String>,
    /// Every text that arrived, prepared or run; the gateway's own reads apart.
    pub asked: Vec<String>,
    /// An implicit transaction with something in it was rolled back.
    pub aborted: bool,
    /// Said before the next answer.
    pub speaks_out_of_turn: Option<Vec<u8>>,
    statements: HashMap<Bytes, String>,
    portals: HashMap<Bytes, String>,
    status: TxStatus,
    skipping: bool,
    in_pipeline: bool,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            ran: Vec::new(),
            asked: Vec::new(),
            aborted: false,
            speaks_out_of_turn: None,
            statements: HashMap::new(),
            portals: HashMap::new(),
            status: TxStatus::Idle,
            skipping: false,
            in_pipeline: false,
        }
    }
}

impl Target {
    /// Takes what was sent to it and answers.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buf = BytesMut::from(bytes);
        let mut out = BytesMut::new();
        while let Some(message) = frontend::next(&mut buf, &Limits::default()).unwrap() {
            self.message(message, &mut out);
        }
        let mut said = self.speaks_out_of_turn.take().unwrap_or_default();
        said.extend_from_slice(&out);
        said
    }

    fn message(&mut self, message: Frontend, out: &mut BytesMut) {
        if let Frontend::Sync = message {
            if self.status == TxStatus::Idle {
                self.portals.clear();
            }
            self.skipping = false;
            self.in_pipeline = false;
            return reply::ready_for_query(out, self.status);
        }
        if self.skipping {
            return;
        }
        match message {
            Frontend::Query { sql } => {
                let text = String::from_utf8(sql.to_vec()).unwrap();
                if self.fails(&text) {
                    self.error(&text, out);
                } else {
                    if text.starts_with("SELECT") {
                        describe(out);
                    }
                    self.run(&text, out);
                }
                self.skipping = false;
                reply::ready_for_query(out, self.status);
            }
            Frontend::Parse { name, sql, .. } => {
                let text = String::from_utf8(sql.to_vec()).unwrap();
                if !is_own(&name) {
                    self.asked.push(text.clone());
                }
                if self.fails(&text) {
                    return self.error(&text, out);
                }
                self.statements.insert(name, text);
                reply::parse_complete(out);
            }
            Frontend::Bind {
                portal, statement, ..
            } => match self.statements.get(&statement).cloned() {
                Some(text) => {
                    self.portals.insert(portal, text);
                    reply::bind_complete(out);
                }
                None => self.error("no such statement", out),
            },
            Frontend::Describe {
                kind: NameKind::Portal,
                name,
            } => match self.portals.get(&name) {
                Some(text) if text.starts_with("SELECT") || text.starts_with("PREPARE") => {
                    describe(out)
                }
                Some(_) => reply::no_data(out),
                None => self.error("no such portal", out),
            },
            Frontend::Describe {
                kind: NameKind::Statement,
                name,
            } => match self.statements.get(&name) {
                Some(text) => {
                    reply::parameter_description(out, &[]).unwrap();
                    if text.starts_with("SELECT") {
                        describe(out);
                    } else {
                        reply::no_data(out);
                    }
                }
                None => self.error("no such statement", out),
            },
            Frontend::Execute { portal, .. } => match self.portals.get(&portal).cloned() {
                Some(_) if is_own(&portal) => {
                    for row in path_rows() {
                        reply::data_row(out, [Some(row.as_ref())].into_iter()).unwrap();
                    }
                    reply::command_complete(out, b"SELECT 2").unwrap();
                }
                Some(text) => {
                    self.in_pipeline = true;
                    self.run(&text, out);
                }
                None => self.error("no such portal", out),
            },
            Frontend::Close { kind, name } => {
                match kind {
                    NameKind::Statement => drop(self.statements.remove(&name)),
                    NameKind::Portal => drop(self.portals.remove(&name)),
                }
                reply::close_complete(out);
            }
            Frontend::Flush | Frontend::Terminate => {}
            other => panic!("the stand-in was sent {:?}", std::mem::discriminant(&other)),
        }
    }

    fn fails(&self, text: &str) -> bool {
        let ends = text.starts_with("ROLLBACK") || text.starts_with("COMMIT");
        text.contains("refused_by_brattice")
            || text.contains("fails_at_parse")
            || (self.status == TxStatus::Failed && !ends)
    }

    fn error(&mut self, text: &str, out: &mut BytesMut) {
        let state = if text.contains("refused_by") || text.contains("fails_at") {
            "42601"
        } else {
            "25P02"
        };
        reply::error(
            out,
            &ErrorFields::new(Severity::Error, state, "refused by the target"),
        );
        self.skipping = true;
        self.aborted |= self.in_pipeline;
        if self.status == TxStatus::Open {
            self.status = TxStatus::Failed;
        }
    }

    fn run(&mut self, text: &str, out: &mut BytesMut) {
        self.ran.push(text.to_owned());
        self.asked.push(text.to_owned());
        let words: Vec<&str> = text.split_whitespace().collect();
        let tag = match words.first().copied().unwrap_or_default() {
            "BEGIN" => {
                self.status = TxStatus::Open;
                "BEGIN"
            }
            "ROLLBACK" | "COMMIT" => {
                self.status = TxStatus::Idle;
                "ROLLBACK"
            }
            "PREPARE" => {
                if let (Some(name), Some((_, inner))) = (words.get(1), text.split_once(" AS ")) {
                    let name = Bytes::copy_from_slice(name.as_bytes());
                    self.statements.insert(name, inner.to_owned());
                }
                "PREPARE"
            }
            "DEALLOCATE" => {
                self.statements
                    .remove(words.get(1).copied().unwrap_or_default().as_bytes());
                "DEALLOCATE"
            }
            "INSERT" => "INSERT 0 1",
            _ => "SELECT 0",
        };
        reply::command_complete(out, tag.as_bytes()).unwrap();
    }
}

fn is_own(name: &Bytes) -> bool {
    name.as_ref() == b"brattice gateway"
}

fn describe(out: &mut BytesMut) {
    let column = FieldDescription {
        name: Bytes::from_static(b"name"),
        table_oid: 16_400,
        column: 2,
        type_oid: 25,
        type_size: -1,
        type_modifier: -1,
        format: 0,
    };
    reply::row_description(out, &[column]).unwrap();
}
