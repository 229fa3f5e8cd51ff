//! Acting on the gate's answers.
//!
//! Here lives what a verdict does to the stream. Never here: the verdict.

use super::expect::{Expect, Run};
use super::outbox::Plumbing;
use super::{Asked, Machine, Mode, PortalState};
use crate::postgres::{NameKind, reply};
use brattice_core::classify::sql::{Command, Direction};
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Cleared, Held, Look, Parked, Passed, Tx, Verdict};
use brattice_core::ports::{RecordFailed, Recorder};
use brattice_core::record::FrameKind;
use brattice_core::time::Timestamp;
use bytes::Bytes;
use std::sync::{Arc, OnceLock};

impl Machine {
    /// Records what is about to be forwarded. Call it before [`Machine::pass`].
    fn record_command(
        &self,
        text: &[u8],
        number: u64,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<(), RecordFailed> {
        super::note(recorder, now, FrameKind::Command, number, text)
    }

    /// Acts on a verdict. A parked command stays with the caller: `Some` is what to wait with.
    ///
    /// # Errors
    /// When the recording fails: the session must end.
    pub fn answer(
        &mut self,
        verdict: Verdict,
        texts: impl Fn(Look) -> Vec<&'static str>,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<Option<Parked>, RecordFailed> {
        match verdict {
            Verdict::Pass(cleared, passed) => {
                self.pass(cleared, passed, now, recorder)?;
                Ok(None)
            }
            Verdict::Deny(denial) => {
                let command = self.asked.as_ref().map_or(&[][..], Asked::text);
                let kept = denial.recorded(command);
                super::note(recorder, now, FrameKind::Verdict, 0, &kept)?;
                self.deny(&denial);
                Ok(None)
            }
            Verdict::Failed => {
                self.fail();
                Ok(None)
            }
            Verdict::Park(parked) => Ok(Some(*parked)),
            Verdict::Look(held, look) => {
                self.look(Some(held), look, &texts(look));
                Ok(None)
            }
        }
    }

    /// Reads the catalogue through this session's own connection; [`Machine::target`] returns what it found.
    pub fn look(&mut self, held: Option<Held>, look: Look, texts: &[&'static str]) {
        for text in texts {
            self.outbox.plumbing(&Plumbing::Read(text));
        }
        let ready = !self.mid_pipeline;
        self.outbox.plumbing(if ready {
            &Plumbing::Sync
        } else {
            &Plumbing::Flush
        });
        self.expect.push_back(Expect::Look {
            texts: texts.len(),
            rows: Vec::new(),
            ready,
        });
        self.looking = Some((held, look));
    }

    fn pass(
        &mut self,
        cleared: Cleared,
        mut passed: Passed,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<(), RecordFailed> {
        let Some(asked) = self.asked.take() else {
            return Ok(());
        };
        if self.mode == Mode::Skipping && !matches!(asked, Asked::Sync) {
            // The target failed the pipeline meanwhile: it would skip this, so it is not sent.
            return Ok(());
        }
        self.masked_in_reach |= passed.results.as_ref().is_some_and(|r| r.touches_masked);
        self.lane = passed.lane.take();
        match asked {
            Asked::Query { .. } => {
                self.record_command(&passed.text, passed.number, now, recorder)?;
                let command = passed.command.take();
                let run = self.run(&mut passed, command.as_deref());
                self.set_name(Bytes::new(), None);
                self.portals.remove(&Bytes::new());
                self.copy_expected = run_copies_in(command.as_deref());
                self.outbox.cleared(cleared);
                self.expect.push_back(Expect::Query {
                    run,
                    results: passed.results,
                    step: 0,
                });
            }
            Asked::Parse { name, prepared } => {
                self.outbox.cleared(cleared);
                self.mid_pipeline = true;
                let before = self.set_name(name.clone(), Some(prepared));
                self.expect.push_back(Expect::Parse { name, before });
            }
            Asked::Bind {
                portal, parameters, ..
            } => {
                let Some(bound) = passed.portal else {
                    return Ok(());
                };
                self.record_command(&bound.prepared.text, bound.number, now, recorder)?;
                super::note(
                    recorder,
                    now,
                    FrameKind::Parameters,
                    bound.number,
                    &parameters,
                )?;
                self.outbox.cleared(cleared);
                self.outbox
                    .plumbing(&Plumbing::Describe(NameKind::Portal, portal.clone()));
                self.mid_pipeline = true;
                let state = Arc::new(PortalState {
                    portal: bound,
                    show: OnceLock::new(),
                });
                let before = self.set_portal(portal.clone(), Some(state.clone()));
                self.expect.push_back(Expect::Bind { portal, before });
                self.expect.push_back(Expect::OwnDescribe { state });
            }
            Asked::Execute { state } => {
                let command = passed.command.take();
                let run = self.run(&mut passed, command.as_deref());
                self.copy_expected = run_copies_in(command.as_deref());
                self.settling = !run.changes.is_empty();
                self.outbox.cleared(cleared);
                if self.copy_expected || self.settling {
                    // What follows waits for the target's word, which comes only when it is asked to hurry.
                    self.outbox.plumbing(&Plumbing::Flush);
                }
                self.mid_pipeline = true;
                self.expect.push_back(Expect::Execute { run, state });
            }
            Asked::Sync => {
                self.outbox.cleared(cleared);
                self.mid_pipeline = false;
                self.mode = Mode::Boundary;
                self.expect.push_back(Expect::Sync);
            }
        }
        Ok(())
    }

    fn run(&mut self, passed: &mut Passed, command: Option<&Command>) -> Run {
        let changes = command.map(|c| self.changes(c, passed)).unwrap_or_default();
        Run {
            number: passed.number,
            copies: command
                .map(|c| c.steps.iter().map(|s| s.copy.clone()).collect())
                .unwrap_or_default(),
            changes,
            show: None,
            copy: None,
            results: passed.results.clone(),
        }
    }

    fn deny(&mut self, denial: &Denial) {
        if matches!(denial.code, Code::SessionEnded | Code::Frozen)
            || denial.rules.iter().any(|r| r == "brattice.failing")
        {
            self.asked = None;
            self.end(denial);
            return;
        }
        match self.asked.take() {
            Some(Asked::Query { .. }) => self.refuse_query(denial),
            Some(Asked::Sync) => self.end(denial),
            Some(asked) => {
                let unnamed = matches!(asked, Asked::Parse { name, .. } if name.is_empty());
                self.refuse_in_pipeline(Some(denial.clone()), unnamed);
            }
            None => {}
        }
    }

    /// In a failed transaction the target refuses everything itself; only its own words are wanted.
    fn fail(&mut self) {
        match self.asked.take() {
            Some(Asked::Query { .. }) => {
                self.outbox.plumbing(&Plumbing::NothingQuery);
                self.expect.push_back(Expect::Instead {
                    denial: None,
                    as_query: true,
                });
            }
            Some(_) => self.refuse_in_pipeline(None, false),
            None => {}
        }
    }

    /// Tells a waiting client why it waits, at once.
    pub fn tell(&mut self, message: &str, detail: Option<&str>) {
        use crate::postgres::fields::{ErrorFields, Severity};
        let mut fields = ErrorFields::new(Severity::Notice, "01000", message.to_owned());
        if let Some(d) = detail {
            fields = fields.detail(d.to_owned());
        }
        reply::notice(&mut self.to_client, &fields);
    }
}

fn run_copies_in(command: Option<&Command>) -> bool {
    command.is_some_and(|c| {
        c.steps.iter().any(|s| {
            s.copy
                .as_ref()
                .is_some_and(|copy| copy.direction == Direction::In)
        })
    })
}

impl Machine {
    /// What a session starts with: nothing is known of the search path yet.
    pub fn first_look(&mut self, look: Look, texts: &[&'static str]) {
        self.look(None, look, texts);
    }

    /// Where the session's transaction stands.
    pub fn tx(&self) -> Tx {
        self.tx
    }
}
