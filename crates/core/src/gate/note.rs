//! Writing down what is about to happen, before it does.
//!
//! Lives here: entries about commands, and what of a text they show. Never: files.

use super::Gate;
use super::held::{Held, What};
use super::session::Session;
use crate::action::Effect;
use crate::audit::{Entry, Event, Position};
use crate::denial::Denial;
use crate::ids::Digest;
use crate::ports::RecordFailed;
use crate::principal::LoginBy;
use bytes::Bytes;

static EMPTY: Bytes = Bytes::from_static(b"");

/// Characters of a text that an entry shows; the recording has all of it.
const TEXT_CHARS_MAX: usize = 2000;

/// Cuts a text to what an entry shows.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}

pub(super) fn login_name(by: LoginBy) -> &'static str {
    match by {
        LoginBy::Oidc => "oidc",
        LoginBy::Saml => "saml",
        LoginBy::Workload => "workload",
        LoginBy::Certificate => "certificate",
        LoginBy::Minted => "minted",
    }
}

/// What an intent is about.
pub(super) struct Intent<'a> {
    pub action: Digest,
    pub text: &'a str,
    pub parameters: usize,
    pub effects: Vec<Effect>,
    pub approvals: Vec<String>,
    pub observed: Vec<String>,
}

impl Gate {
    /// Appends an entry of a session. On return it survives the death of this process.
    pub(super) fn write(
        &self,
        session: &mut Session,
        event: Event,
    ) -> Result<Position, RecordFailed> {
        let entry = Entry {
            at: self.clock.now(),
            session: Some(session.admission.id.clone()),
            sequence: Some(session.entries),
            revision: session.admission.force.revision,
            event,
        };
        match self.audit.append(&entry) {
            Ok(position) => {
                session.entries += 1;
                Ok(position)
            }
            Err(e) => {
                // What cannot be recorded does not go on.
                session.cut.throw(super::CutReason::Failing);
                Err(e)
            }
        }
    }

    pub(super) fn write_intent(
        &self,
        session: &mut Session,
        intent: Intent<'_>,
    ) -> Result<Position, RecordFailed> {
        self.write(
            session,
            Event::Intent {
                action: intent.action,
                text: cut(intent.text),
                parameters: u32::try_from(intent.parameters).unwrap_or(u32::MAX),
                effects: intent.effects,
                approvals: intent.approvals,
                observed: intent.observed,
            },
        )
    }

    /// Records a refusal; one that cannot be recorded is still a refusal, and ends the session.
    pub(super) fn write_refusal(
        &self,
        session: &mut Session,
        action: Digest,
        text: &str,
        denial: &Denial,
    ) {
        let event = Event::Refused {
            action,
            text: cut(text),
            code: denial.code.as_str().to_owned(),
            rules: denial.rules.clone(),
            reason: denial.reason.clone(),
            approval: denial.approval.clone(),
        };
        session.admission.account.meter().refused(self.clock.now());
        let _ = self.write(session, event);
    }

    /// Records a refusal that a protocol's machine made without asking, e.g. of a message that nobody may send.
    pub fn note_refusal(&self, session: &mut Session, what: &str, denial: &Denial) {
        self.write_refusal(session, Digest::of(what.as_bytes()), what, denial);
    }
}

/// The text of a held command as records and people see it: without literals of secrets.
pub(super) fn shown(held: &Held) -> String {
    let text = String::from_utf8_lossy(text_of(held));
    match &held.lifted.understood {
        Some(understood) => match &understood.command.redacted {
            Some(redacted) => redacted.clone(),
            None => text.into_owned(),
        },
        None => crate::classify::sql::redacted_unparsed(&text),
    }
}

/// The text of a held command; empty where it has none of its own.
pub(super) fn text_of(held: &Held) -> &Bytes {
    match &held.what {
        What::Query { text } => text,
        What::Parse { prepared, .. } | What::Bind { prepared, .. } => &prepared.text,
        What::Execute { portal } => &portal.prepared.text,
        What::Sync => &EMPTY,
    }
}
