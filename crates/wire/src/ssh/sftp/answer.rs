//! Acting on the gate's answers.
//!
//! Here lives what a verdict does to the stream. Never here: the verdict.

use super::code::Code;
use super::files::Opening;
use super::refusal::{self, Refusal};
use super::{Asked, Sftp, Then, Wanted, Work};
use brattice_core::denial::Denial;
use brattice_core::gate::{Cleared, Lane};
use brattice_core::mask::Detector;
use std::sync::Arc;

/// The gate's answer to an [`Ask`](super::Ask).
#[derive(Debug)]
pub enum Verdict {
    /// It may pass.
    Pass {
        /// The frame that was asked about.
        cleared: Cleared,
        /// The right to stream through what it opens. Where a file or a directory is opened there must be one.
        lane: Option<Lane>,
        /// What masks the content of the file that is opened, if anything does.
        masks: Option<Arc<Detector>>,
    },
    /// Refused.
    Deny(Denial),
}

impl Sftp {
    /// Acts on a verdict. What does not fit the question is refused and told, so that it can be put on record; without a
    /// question nothing happens.
    pub fn answer(&mut self, verdict: Verdict) -> Option<super::Event> {
        let asked = match self.work.take() {
            Some(Work::Asked(asked)) => asked,
            other => {
                self.work = other;
                return None;
            }
        };
        match verdict {
            Verdict::Pass {
                cleared,
                lane,
                masks,
            } => self.pass(asked, cleared, lane, masks),
            Verdict::Deny(denial) => {
                self.tell(asked.id, Code::PermissionDenied, &denial);
                None
            }
        }
    }

    fn pass(
        &mut self,
        asked: Asked,
        cleared: Cleared,
        lane: Option<Lane>,
        masks: Option<Arc<Detector>>,
    ) -> Option<super::Event> {
        let wanted = match (asked.then, lane) {
            (Then::Wants(wanted), _) => Some(wanted),
            (Then::Opens(path, flags), Some(lane)) => Some(Wanted::Handle(Box::new(Opening {
                path,
                flags,
                lane,
                masks,
            }))),
            (Then::Opens(..), None) => None,
        };
        match wanted.filter(|_| self.outbox.asked(cleared, &asked.frame)) {
            Some(wanted) => {
                if let Wanted::Handle(_) = &wanted {
                    self.files.opening();
                }
                self.owe(asked.own, asked.id, Some(asked.number), wanted);
                None
            }
            None => {
                let Refusal { code, denial } = refusal::of_mismatch();
                self.tell(asked.id, code, &denial);
                Some(super::Event::Refused {
                    what: asked.what,
                    denial,
                })
            }
        }
    }
}
