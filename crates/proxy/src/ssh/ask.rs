//! Asking the gate about a command, and waiting with the client where people are asked.
//!
//! Lives here: the way from a request to a yes or a no, and its record. Never: the decision.

use super::channel::Client;
use super::held::{self, Decided};
use super::link::Link;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Allowed, Answer, Cleared, Request};
use brattice_core::record::FrameKind;
use std::sync::Arc;

/// Of a command line that is too long, as much as is on record.
const SHOWN_MAX: usize = 200;

/// Why something is not run.
pub(super) enum Refused {
    /// It may not.
    Denied(Denial),
    /// The client is gone.
    Gone,
}

/// Asks, and puts the answer on record. With a yes, the command is on record as well.
pub(super) async fn ask(
    link: &Arc<Link>,
    client: &mut Client,
    terminal: bool,
    request: Request,
) -> Result<(Cleared, Allowed), Refused> {
    let text = request.text();
    let mut answer = link.gate.request(&link.session, request).await;
    loop {
        match answer {
            Answer::Pass(cleared, allowed) => {
                link.record(FrameKind::Command, allowed.number, text.as_bytes())
                    .map_err(Refused::Denied)?;
                return Ok((cleared, allowed));
            }
            Answer::Deny(denial) => {
                link.refused(&text, &denial);
                return Err(Refused::Denied(denial));
            }
            Answer::Park(parked) => match held::wait(link, client, terminal, *parked).await {
                Decided::Go(next) => answer = next,
                Decided::Gone => return Err(Refused::Gone),
            },
        }
    }
}

/// The refusal of a command line that is too long to be judged, on record.
pub(super) fn too_long(link: &Link, command: &[u8]) -> Denial {
    let reason = "the command line is too long to be judged";
    let denial = Denial::new(Code::TooLarge, "brattice.shell", reason);
    let shown = command.get(..SHOWN_MAX).unwrap_or(command);
    let shown = String::from_utf8_lossy(shown).into_owned();
    let mut session = link.lock();
    link.gate.note_refusal(&mut session, &shown, &denial);
    denial
}
