//! Letting a principal in, and letting it go.
//!
//! Lives here: admission, opening and closing a session. Never: how the identity was proven.

use super::Gate;
use super::bundle::Guarded;
use super::connect::{Connecting, Granted, moment};
use super::cut::Cut;
use super::session::{Admission, Session};
use crate::action::{Act, Object, Verb};
use crate::audit::{Entry, Event, Position};
use crate::denial::{Code, Denial};
use crate::ids::{Digest, SessionId};
use crate::policy;
use crate::ports::RecordFailed;
use crate::principal::Identity;
use crate::target::Protocol;
use crate::usage::Account;
use std::net::IpAddr;
use std::sync::Arc;

/// Who a session is on its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The role it is logged in as, which the target's own log names.
    pub login: String,
    /// Whose rights it has: what an action was approved under.
    pub rights: String,
}

/// What a caller asks to open.
#[derive(Debug)]
pub struct Opening {
    /// The proven identity.
    pub identity: Identity,
    /// The target's name.
    pub target: String,
    /// Where on it: the database.
    pub place: String,
    /// The protocol spoken.
    pub protocol: Protocol,
    /// The caller's address.
    pub client: IpAddr,
}

/// What admission comes to.
pub type Admitted = Result<Admission, Denial>;

impl Gate {
    /// May this principal open this target? Records refusals.
    pub async fn admit(&self, opening: Opening) -> Admitted {
        if let Some(event) = self.elsewhere.noted(&opening.identity, opening.client) {
            // It is news to whoever watches, and holds up nobody.
            if self.note_aside(event).is_err() {
                self.elsewhere.forget(&opening.identity, opening.client);
            }
        }
        let who = opening.identity.chain.to_string();
        let (target, client) = (opening.target.clone(), opening.client);
        let account = self.meters.account(&opening.identity);
        let admitted = self.decide_admission(opening, account.clone()).await;
        admitted.inspect_err(|d| {
            account.meter().refused(self.clock.now());
            self.refuse_login(d, &target, client, Some(who));
        })
    }

    /// Records a caller that was refused before or at admission.
    pub fn refuse_login(&self, denial: &Denial, target: &str, client: IpAddr, who: Option<String>) {
        // A refusal that cannot be recorded is still a refusal.
        let _ = self.note_aside(Event::LoginRefused {
            code: denial.code.as_str().to_owned(),
            target: super::note::cut(target),
            client: client.to_string(),
            who,
            reason: denial.reason.clone(),
        });
    }

    /// Records a request to stop a running statement.
    pub fn note_cancel(&self, client: IpAddr, accepted: bool) {
        // The request is answered by silence either way.
        let _ = self.note_aside(Event::CancelRequested {
            client: client.to_string(),
            accepted,
        });
    }

    /// Appends an entry that belongs to no session.
    fn note_aside(&self, event: Event) -> Result<Position, RecordFailed> {
        self.audit.append(&Entry {
            at: self.clock.now(),
            session: None,
            sequence: None,
            revision: self.in_force.load().revision,
            event,
        })
    }

    async fn decide_admission(&self, opening: Opening, account: Arc<Account>) -> Admitted {
        let force = self.in_force.load_full();
        let now = self.clock.now();
        if opening.identity.expires_at <= now {
            return Err(Denial::new(
                Code::Unauthenticated,
                "brattice.expired",
                "the token has expired",
            )
            .hint("get a fresh token"));
        }
        let in_scope = opening.identity.scope.has_target(&opening.target);
        let guarded = force
            .targets
            .get(&opening.target)
            .filter(|_| in_scope)
            .filter(|g| g.target.protocol == opening.protocol)
            .cloned()
            // The same words whether it is missing or forbidden: names are not confirmed to strangers.
            .ok_or_else(|| not_permitted(&opening.target))?;
        let judge = Arc::new(
            force
                .rules
                .judge_for(&opening.identity.chain, &guarded.target),
        );
        let right = self
            .may_connect(&Connecting {
                identity: &opening.identity,
                meter: account.meter(),
                force: &force,
                guarded: &guarded,
                judge: &judge,
                client: opening.client,
            })
            .await?;
        // Last: to whom the target is not open, nothing of it is told.
        self.not_frozen(&guarded.target).await?;
        let mut id = [0; 10];
        self.randomness.fill(&mut id).map_err(unavailable)?;
        Ok(Admission {
            id: SessionId::from_bytes(id),
            identity: Arc::new(opening.identity),
            force,
            guarded,
            judge,
            place: opening.place,
            granted: Granted::of(&right, opening.client),
            grants: right.grants,
            client: opening.client,
            account,
        })
    }

    /// Opens the session once the target has accepted our credential. `role` is who it is there.
    ///
    /// # Errors
    /// When the record cannot be kept: the session must not go on.
    pub fn open(&self, admission: Admission, role: Role, cut: Arc<Cut>) -> Result<Session, Denial> {
        let identity = admission.identity.clone();
        let event = Event::SessionOpened {
            chain: identity.chain.to_string(),
            target: admission.guarded.target.name.clone(),
            place: admission.place.clone(),
            by: super::note::login_name(identity.by).to_owned(),
            token_id: identity.token_id.clone(),
            client: admission.client.to_string(),
            role: role.login,
            grants: admission.grants.clone(),
        };
        let mut session = Session {
            admission,
            cut,
            rights: role.rights,
            entries: 0,
            commands: 0,
        };
        self.write(&mut session, event).map_err(unavailable)?;
        Ok(session)
    }

    /// Ends a session's record. `recording` is the digest of the sealed recording.
    pub fn close(
        &self,
        session: &mut Session,
        reason: &str,
        bytes_to_client: u64,
        recording: Option<Digest>,
    ) -> Result<(), RecordFailed> {
        let commands = session.commands;
        self.write(
            session,
            Event::SessionClosed {
                reason: reason.to_owned(),
                commands,
                bytes_to_client,
                recording,
            },
        )
        .map(drop)
    }

    /// Re-judges the right to be connected after the bundle changed.
    pub(super) fn readmit(&self, session: &mut Session) -> Result<(), Denial> {
        let force = self.in_force.load_full();
        let gone = || {
            Denial::new(
                Code::SessionEnded,
                "brattice.bundle",
                "this target is no longer open to you after a change of policy",
            )
            .hint("connect again to see what is permitted now")
        };
        let guarded: Arc<Guarded> = force
            .targets
            .get(&session.admission.guarded.target.name)
            .cloned()
            .ok_or_else(gone)?;
        let identity = session.admission.identity.clone();
        let judge = Arc::new(force.rules.judge_for(&identity.chain, &guarded.target));
        let now = self.clock.now();
        let meter = session.admission.account.meter();
        let moment = moment(
            (&identity, meter),
            now,
            session.admission.client,
            &force.zone,
        );
        // What grants lifted when it was opened, or last looked at; nobody reads the store here.
        let granted = session.admission.granted.as_ref();
        let lifted = granted.map(|g| g.lifted()).unwrap_or_default();
        let connect = [Act::new(Verb::Connect, Object::Target)];
        let outcome = judge.judge(&connect, &moment, &lifted);
        if !matches!(outcome.verdict, policy::Verdict::Allow) && !guarded.target.observe {
            session.cut.throw(super::CutReason::Revoked);
            return Err(gone());
        }
        session.admission.force = force;
        session.admission.guarded = guarded;
        session.admission.judge = judge;
        Ok(())
    }
}

pub(super) fn not_permitted(target: &str) -> Denial {
    Denial::new(Code::Forbidden, "brattice.connect", format!("opening target \"{}\" is not permitted", super::note::cut(target)))
        .hint("name a target as the database, e.g. dbname=orders-db/app, and ask for the right to connect to it")
}

pub(super) fn unavailable(_: RecordFailed) -> Denial {
    super::CutReason::Failing.denial()
}
