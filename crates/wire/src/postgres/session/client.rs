//! From the client: decoding, and what each message turns into.
//!
//! Here lives which messages are asked about and which are plumbing. Never here: verdicts.

use super::expect::Expect;
use super::outbox::{OWN_NAME, Plumbing};
use super::{Asked, Machine, Mode, Step};
use crate::postgres::frontend::{self, Frontend};
use crate::postgres::{NameKind, encode};
use crate::{PeerMisbehaved, Side};
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Held, Prepared, Tx, What};
use brattice_core::ports::Recorder;
use brattice_core::record::FrameKind;
use brattice_core::time::Timestamp;
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::Arc;

/// Statements and portals a session may keep at once.
const NAMES_MAX: usize = 10_000;

impl Machine {
    /// Reads from the client until there is something to ask, or nothing more may be read now.
    ///
    /// # Errors
    /// When the client breaks the protocol: the connection must end.
    pub fn client(
        &mut self,
        buf: &mut BytesMut,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<Step, PeerMisbehaved> {
        while self.may_read() {
            let Some(message) = frontend::next(buf, &self.limits)? else {
                return Ok(Step::Nothing);
            };
            if let Some(step) = self.message(message, now, recorder)? {
                return Ok(step);
            }
        }
        Ok(Step::Nothing)
    }

    pub(super) fn may_read(&self) -> bool {
        let busy =
            self.asked.is_some() || self.looking.is_some() || self.copy_expected || self.ended;
        let busy = busy || self.settling;
        !busy && (self.copy_in.is_some() || self.mode != Mode::Boundary || self.expect.is_empty())
    }

    fn message(
        &mut self,
        message: Frontend,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<Option<Step>, PeerMisbehaved> {
        if let Frontend::Unknown(_) = message {
            return Err(unexpected("a message of an unknown type"));
        }
        if self.copy_in.is_some() {
            return self.copy_message(message, now, recorder);
        }
        if self.mode == Mode::Skipping {
            return Ok(match message {
                Frontend::Sync => Some(self.ask_sync()),
                Frontend::Terminate => Some(Step::Goodbye),
                _ => None,
            });
        }
        Ok(match message {
            Frontend::Query { sql } => Some(self.ask_query(sql)?),
            Frontend::Parse {
                name,
                sql,
                param_types,
            } => Some(self.ask_parse(name, sql, param_types)),
            Frontend::Bind {
                portal,
                statement,
                param_formats,
                params,
                result_formats,
                raw,
            } => Some(self.ask_bind(
                portal,
                &statement,
                &param_formats,
                params,
                result_formats,
                raw,
            )),
            Frontend::Execute { portal, rows_max } => Some(self.ask_execute(&portal, rows_max)),
            Frontend::Describe { kind, name } => self.describe(kind, name),
            Frontend::Close { kind, name } => self.close(kind, name),
            Frontend::Sync => Some(self.ask_sync()),
            Frontend::Flush => {
                self.outbox.plumbing(&Plumbing::Flush);
                None
            }
            Frontend::Terminate => Some(Step::Goodbye),
            // Stray pieces of a COPY stream that failed: PostgreSQL drops them too.
            Frontend::CopyData(_) | Frontend::CopyDone | Frontend::CopyFail { .. } => None,
            Frontend::FunctionCall => Some(self.refuse_function_call()),
            Frontend::Password(_) | Frontend::Unknown(_) => {
                return Err(unexpected("an authentication message after login"));
            }
        })
    }

    fn hold(&mut self, asked: Asked, what: What, frame: BytesMut) -> Step {
        self.asked = Some(asked);
        Step::Ask(Held::new(what, frame.freeze(), self.tx, self.mid_pipeline))
    }

    fn ask_query(&mut self, sql: Bytes) -> Result<Step, PeerMisbehaved> {
        if self.mode != Mode::Boundary {
            return Err(unexpected("a simple query inside a pipeline"));
        }
        let mut frame = BytesMut::with_capacity(sql.len() + 6);
        encode::query(&mut frame, &sql)
            .map_err(|_| unexpected("a query that cannot be written again"))?;
        let asked = Asked::Query { text: sql.clone() };
        Ok(self.hold(asked, What::Query { text: sql }, frame))
    }

    fn ask_parse(&mut self, name: Bytes, sql: Bytes, types: Vec<u32>) -> Step {
        self.mode = Mode::Pipeline;
        if name == OWN_NAME {
            return self.refuse_here("Parse", reserved_name());
        }
        if !name.is_empty() && self.names.statements.contains_key(&name) {
            return self.refuse_here(
                "Parse",
                protocol_denial(format!(
                    "prepared statement \"{}\" already exists",
                    lossy(&name)
                )),
            );
        }
        if self.names.statements.len() >= NAMES_MAX {
            return self.refuse_here(
                "Parse",
                Denial::new(
                    Code::TooLarge,
                    "brattice.protocol",
                    "too many prepared statements in this session",
                ),
            );
        }
        let mut frame = BytesMut::with_capacity(sql.len() + name.len() + 16);
        if encode::parse(&mut frame, &name, &sql, &types).is_err() {
            return self.refuse_here(
                "Parse",
                protocol_denial("this statement cannot be written again".to_owned()),
            );
        }
        // A copy: a slice would keep the whole receive buffer alive as long as the statement.
        let text = Bytes::copy_from_slice(&sql);
        let prepared = Arc::new(Prepared::new(text, types));
        let asked = Asked::Parse {
            name: name.clone(),
            prepared: prepared.clone(),
        };
        self.hold(asked, What::Parse { name, prepared }, frame)
    }

    fn ask_bind(
        &mut self,
        portal: Bytes,
        statement: &Bytes,
        param_formats: &[i16],
        params: Vec<Option<Bytes>>,
        result_formats: Vec<i16>,
        raw: Bytes,
    ) -> Step {
        self.mode = Mode::Pipeline;
        let Some(prepared) = self.names.statements.get(statement).cloned() else {
            let what = if statement.is_empty() {
                "unnamed prepared statement does not exist".to_owned()
            } else {
                format!("prepared statement \"{}\" does not exist", lossy(statement))
            };
            return self.refuse_here("Bind", protocol_denial(what));
        };
        if portal == OWN_NAME {
            return self.refuse_here("Bind", reserved_name());
        }
        if !portal.is_empty() && self.portals.contains_key(&portal) {
            return self.refuse_here(
                "Bind",
                protocol_denial(format!("cursor \"{}\" already exists", lossy(&portal))),
            );
        }
        if self.portals.len() >= NAMES_MAX {
            return self.refuse_here(
                "Bind",
                Denial::new(
                    Code::TooLarge,
                    "brattice.protocol",
                    "too many portals in this session",
                ),
            );
        }
        let mut frame = BytesMut::with_capacity(raw.len() + 8);
        if encode::bind(
            &mut frame,
            &portal,
            statement,
            param_formats,
            &params,
            &result_formats,
        )
        .is_err()
        {
            return self.refuse_here(
                "Bind",
                protocol_denial("these parameters cannot be written again".to_owned()),
            );
        }
        let mut shape =
            BytesMut::with_capacity(4 * prepared.types.len() + 2 * param_formats.len() + 4);
        shape.put_u32(u32::try_from(prepared.types.len()).unwrap_or(u32::MAX));
        prepared.types.iter().for_each(|t| shape.put_u32(*t));
        param_formats.iter().for_each(|f| shape.put_i16(*f));
        let asked = Asked::Bind {
            portal: portal.clone(),
            prepared: prepared.clone(),
            parameters: raw,
        };
        self.hold(
            asked,
            What::Bind {
                portal,
                prepared,
                parameters: params,
                shape: shape.freeze(),
            },
            frame,
        )
    }

    fn ask_execute(&mut self, portal: &Bytes, rows_max: u32) -> Step {
        self.mode = Mode::Pipeline;
        let Some(state) = self.portals.get(portal).cloned() else {
            return self.refuse_here(
                "Execute",
                protocol_denial(format!("portal \"{}\" does not exist", lossy(portal))),
            );
        };
        let mut frame = BytesMut::with_capacity(16 + portal.len());
        if encode::execute(&mut frame, portal, rows_max).is_err() {
            return self.refuse_here(
                "Execute",
                protocol_denial("this portal's name cannot be written again".to_owned()),
            );
        }
        let what = What::Execute {
            portal: state.portal.clone(),
        };
        self.hold(Asked::Execute { state }, what, frame)
    }

    fn ask_sync(&mut self) -> Step {
        let mut frame = BytesMut::with_capacity(5);
        encode::sync(&mut frame);
        self.hold(Asked::Sync, What::Sync, frame)
    }

    fn describe(&mut self, kind: NameKind, name: Bytes) -> Option<Step> {
        self.mode = Mode::Pipeline;
        if name == OWN_NAME {
            return Some(self.refuse_here("Describe", reserved_name()));
        }
        // A description changes nothing, and a name may be that of a cursor that SQL declared: the target knows best.
        self.mid_pipeline = true;
        self.outbox.plumbing(&Plumbing::Describe(kind, name));
        self.expect.push_back(Expect::Describe { kind });
        None
    }

    fn close(&mut self, kind: NameKind, name: Bytes) -> Option<Step> {
        self.mode = Mode::Pipeline;
        if name == OWN_NAME {
            return Some(self.refuse_here("Close", reserved_name()));
        }
        self.mid_pipeline = true;
        self.outbox.plumbing(&Plumbing::Close(kind, name.clone()));
        let (statement, portal) = match kind {
            NameKind::Statement => (self.set_name(name.clone(), None), None),
            NameKind::Portal => (None, self.set_portal(name.clone(), None)),
        };
        self.expect.push_back(Expect::Close {
            kind,
            name,
            statement,
            portal,
        });
        None
    }

    fn copy_message(
        &mut self,
        message: Frontend,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<Option<Step>, PeerMisbehaved> {
        match message {
            Frontend::CopyData(chunk) => {
                let Some(copy) = self.copy_in.as_mut() else {
                    return Ok(None);
                };
                if super::note(recorder, now, FrameKind::Input, copy.number, &chunk).is_err() {
                    self.end(&brattice_core::gate::CutReason::Failing.denial());
                    return Ok(Some(Step::Nothing));
                }
                match copy.lane.pass(chunk) {
                    Ok(cleared) => self.outbox.copy_data(cleared),
                    Err(denial) => {
                        self.outbox.plumbing(&Plumbing::CopyFail);
                        self.end(&denial);
                        return Ok(Some(Step::Refused {
                            what: "COPY data",
                            denial,
                        }));
                    }
                }
                Ok(None)
            }
            Frontend::CopyDone => {
                self.copy_in = None;
                self.outbox.plumbing(&Plumbing::CopyDone);
                Ok(None)
            }
            Frontend::CopyFail { .. } => {
                self.copy_in = None;
                self.outbox.plumbing(&Plumbing::CopyFail);
                Ok(None)
            }
            // Ignored while a COPY runs, as PostgreSQL does; but a Sync behind the data is still owed its answer.
            Frontend::Flush => Ok(None),
            Frontend::Sync => Ok(None),
            Frontend::Terminate => Ok(Some(Step::Goodbye)),
            _ => Err(unexpected(
                "another message than COPY data while a COPY runs",
            )),
        }
    }

    fn refuse_function_call(&mut self) -> Step {
        let denial = Denial::new(
            Code::NotSupported,
            "brattice.function-call",
            "the function call interface is not passed on",
        )
        .hint("call functions by SQL");
        if self.mode == Mode::Boundary {
            self.refuse_query(&denial);
            Step::Refused {
                what: "FunctionCall",
                denial,
            }
        } else {
            self.refuse_here("FunctionCall", denial)
        }
    }

    /// Refuses a message of a pipeline without asking the gate: what it names does not exist here.
    fn refuse_here(&mut self, what: &'static str, denial: Denial) -> Step {
        self.refuse_in_pipeline(Some(denial.clone()), false);
        Step::Refused { what, denial }
    }

    /// Fails the pipeline in place of the refused message: the target aborts and skips to Sync as it would itself.
    /// `unnamed`: it was a Parse of the unnamed statement.
    pub(super) fn refuse_in_pipeline(&mut self, denial: Option<Denial>, unnamed: bool) {
        let instead = match (&denial, unnamed) {
            (None, _) => Plumbing::Nothing,
            (Some(_), false) => Plumbing::Fail,
            (Some(_), true) => Plumbing::FailUnnamed,
        };
        if matches!(instead, Plumbing::FailUnnamed) {
            self.set_name(Bytes::new(), None);
        }
        self.outbox.plumbing(&instead);
        self.outbox.plumbing(&Plumbing::Flush);
        self.expect.push_back(Expect::Instead {
            denial,
            as_query: false,
        });
        self.mid_pipeline = true;
        self.mode = Mode::Skipping;
    }

    /// Refuses a simple query. In an open transaction the target is made to abort it.
    pub(super) fn refuse_query(&mut self, denial: &Denial) {
        if self.tx == Tx::Open {
            self.outbox.plumbing(&Plumbing::FailQuery);
            self.expect.push_back(Expect::Instead {
                denial: Some(denial.clone()),
                as_query: true,
            });
        } else {
            crate::postgres::reply::error(&mut self.to_client, &super::error_of(denial));
            crate::postgres::reply::ready_for_query(
                &mut self.to_client,
                super::target::status_of(self.tx),
            );
        }
    }
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// A refusal that PostgreSQL itself would make: the client and the gateway disagree about a name.
fn protocol_denial(reason: String) -> Denial {
    Denial::new(Code::Unknown, "brattice.protocol", reason)
}

fn reserved_name() -> Denial {
    protocol_denial("this name is the gateway's own".to_owned())
}

fn unexpected(message: &'static str) -> PeerMisbehaved {
    PeerMisbehaved::Unexpected {
        side: Side::Client,
        message,
        state: "session",
    }
}
