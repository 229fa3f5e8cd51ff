//! What has to be done again and again: cutting who was revoked or whose target is frozen, signing heads, sweeping old questions, renewing keys,
//! noticing that the record fails; and the list of sessions.
//!
//! Lives here: timers. Never: what they do.

use super::Gateway;
use super::source::Look;
use crate::adapt::Tally;
use brattice_core::gate::CutReason;
use brattice_core::ids::{Digest, Revision, SessionId};
use brattice_core::mask::MaskedColumns;
use brattice_core::record::Header;
use brattice_core::time::Clock;
use brattice_proxy::postgres::Witness;
use brattice_store::db::{Change, Db, SessionEnd};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// How often revocations and the record's health are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long revocations may be unknown before every session is cut.
const UNKNOWN_MAX: Duration = Duration::from_secs(10);
/// How often a head is signed while there is activity.
const SIGN_EVERY: Duration = Duration::from_secs(30);
/// How often old questions are swept.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How often it is looked on the targets for what was left behind.
const TARGETS_EVERY: Duration = Duration::from_secs(60);

/// Cuts whoever was revoked or uses what is frozen, and notices that the record fails, until told to stop.
pub(super) async fn keep_current(
    gateway: Arc<Gateway>,
    mut changes: broadcast::Receiver<Change>,
    mut stop: watch::Receiver<bool>,
) {
    // A bundle may give a target a label that is frozen.
    let mut applied = gateway.applied.subscribe();
    let mut look = every(LOOK_EVERY);
    let mut known_at = Instant::now();
    loop {
        tokio::select! {
            () = super::told(&mut stop) => return,
            _ = look.tick() => check(&gateway, &mut known_at).await,
            Ok(()) = applied.changed() => check(&gateway, &mut known_at).await,
            change = changes.recv() => {
                if matters(&change) {
                    gateway.revocations.forget();
                    gateway.freezes.forget();
                    check(&gateway, &mut known_at).await;
                }
                cut_credential(&gateway, &change);
                if matches!(change, Err(RecvError::Closed)) {
                    return;
                }
            }
        }
    }
}

/// Cuts what grants opened that do not stand any more, until told to stop. Apart from the rest: it asks the rules about
/// each such session, and no revocation waits for that.
pub(super) async fn keep_granted(
    gateway: Arc<Gateway>,
    mut changes: broadcast::Receiver<Change>,
    mut stop: watch::Receiver<bool>,
) {
    let mut applied = gateway.applied.subscribe();
    let mut look = every(LOOK_EVERY);
    loop {
        tokio::select! {
            () = super::told(&mut stop) => return,
            _ = look.tick() => gateway.cut_ungranted().await,
            Ok(()) = applied.changed() => gateway.cut_ungranted().await,
            change = changes.recv() => match change {
                Err(RecvError::Closed) => return,
                change if grants_may_differ(&change) => gateway.cut_ungranted().await,
                _ => {}
            }
        }
    }
}

/// Signs heads, sweeps old questions and follows a bundle's files, until told to stop.
pub(super) async fn keep_house(gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
    let (mut follow, mut sign, mut sweep) =
        (every(LOOK_EVERY), every(SIGN_EVERY), every(SWEEP_EVERY));
    let mut files = Files::of(&gateway);
    let mut masks = Masks::default();
    loop {
        tokio::select! {
            () = super::told(&mut stop) => return,
            _ = follow.tick() => {
                gateway.keep_usage().await;
                files.follow(&gateway).await;
                masks.look(&gateway);
            }
            _ = sign.tick() => {
                if let Err(error) = gateway.log.sign_head().await {
                    tracing::error!(%error, "a head of the audit log could not be signed");
                }
            }
            _ = sweep.tick() => {
                gateway.gate.meters().forget_idle(gateway.clock.now());
                if let Err(error) = gateway.turn_token_keys().await {
                    tracing::error!(error = &error as &dyn std::error::Error, "the keys of tokens could not be renewed");
                }
                if let Err(error) = gateway.db.expire(gateway.clock.now()).await {
                    tracing::error!(error = &error as &dyn std::error::Error, "old approvals could not be swept");
                }
            }
        }
    }
}

/// Takes away what a killed process left on the targets: at once, and then every now and then, until told to stop. A task
/// of its own, as a target may be slow to answer.
pub(super) async fn keep_targets(gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
    let mut look = every(TARGETS_EVERY);
    let sweeping = async {
        loop {
            look.tick().await;
            gateway.lender.sweep().await;
            gateway.own_connections.tidy();
        }
    };
    tokio::select! {
        () = super::told(&mut stop) => {}
        () = sweeping => {}
    }
}

/// Columns that the bundle masks and the targets do not have: said once for each picture of a catalogue.
#[derive(Default)]
struct Masks(HashMap<String, (u64, Revision)>);

impl Masks {
    fn look(&mut self, gateway: &Gateway) {
        let (force, checked) = (gateway.gate.in_force(), gateway.checked.load());
        for (name, guarded) in &force.targets {
            let target = checked.targets.get(name);
            let database = target.and_then(|t| t.database.as_deref());
            let Some(picture) = database.and_then(|d| guarded.catalogues.current(d)) else {
                continue;
            };
            let seen = (picture.catalogue.version, force.revision);
            if self.0.insert(name.clone(), seen) == Some(seen) {
                continue;
            }
            for what in MaskedColumns::build(&guarded.masked, &picture.catalogue).unresolved() {
                tracing::warn!(target_name = name, %what, "the bundle masks what is not there");
            }
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut timer = interval(period);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer
}

/// Whether somebody may have been revoked, or something frozen.
fn matters(change: &Result<Change, RecvError>) -> bool {
    matches!(
        change,
        Ok(Change::Revoked(_) | Change::Frozen(_) | Change::Thawed(_)) | Err(RecvError::Lagged(_))
    )
}

/// Whether grants may have been given or ended.
fn grants_may_differ(change: &Result<Change, RecvError>) -> bool {
    matches!(
        change,
        Ok(Change::GrantEnded(_) | Change::Settled(_) | Change::Revoked(_))
            | Err(RecvError::Lagged(_))
    )
}

fn cut_credential(gateway: &Gateway, change: &Result<Change, RecvError>) {
    if let Ok(Change::CredentialRevoked(id)) = change {
        gateway.live.cut_where(CutReason::Revoked, |s| {
            s.identity.credential.as_ref() == Some(id)
        });
    }
}

/// Sessions go on only while it is known that nobody in them was revoked and that their target is not frozen, and while
/// the record can be kept.
async fn check(gateway: &Gateway, known_at: &mut Instant) {
    let (voided, frozen) = (gateway.cut_voided().await, gateway.cut_frozen().await);
    match voided.and_then(|v| Ok((v, frozen?))) {
        Ok((0, 0)) => *known_at = Instant::now(),
        Ok((voided, frozen)) => {
            *known_at = Instant::now();
            tracing::warn!(
                voided,
                frozen,
                "sessions of revoked principals, or of frozen targets, were cut"
            );
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "revocations or freezes cannot be read"
            );
            if known_at.elapsed() >= UNKNOWN_MAX {
                gateway.live.cut_all(CutReason::Failing);
            }
        }
    }
    if gateway.log.failure().is_some() {
        gateway.live.cut_all(CutReason::Failing);
    }
}

/// Reads the bundle again; a broken one is refused with its errors and the last good one stays.
pub(super) async fn reload(gateway: &Gateway) {
    let checked = match gateway.read().await {
        Err(why) => {
            tracing::error!(%why, "the bundle was not read");
            return;
        }
        Ok(Err(report)) => {
            gateway.note_refused();
            tracing::error!("the bundle was not applied:\n{report}");
            return;
        }
        Ok(Ok(checked)) => checked,
    };
    if let Err(error) = gateway.apply(checked).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the bundle was not applied"
        );
    }
}

/// The bundle's files, where a change of them is a wish to apply it.
struct Files {
    seen: Option<Look>,
    applied: Option<Look>,
}

impl Files {
    fn of(gateway: &Gateway) -> Self {
        let look = gateway.source.is_followed().then(|| gateway.source.look());
        Self {
            seen: look,
            applied: look,
        }
    }

    /// Applies what has changed and then stayed as it is for one look.
    async fn follow(&mut self, gateway: &Gateway) {
        if self.applied.is_none() {
            return;
        }
        let now = Some(gateway.source.look());
        if now == self.seen && now != self.applied {
            self.applied = now;
            reload(gateway).await;
        }
        self.seen = now;
    }
}

/// Something to note in the list of sessions.
enum Note {
    Opened(Box<Header>),
    Closed(SessionId, SessionEnd),
    /// Tell when everything before this is written.
    Written(oneshot::Sender<()>),
}

/// Keeps the list of sessions that outlives them, in the order in which things happened.
pub(crate) struct SessionList {
    notes: mpsc::UnboundedSender<Note>,
    tally: Arc<Tally>,
    clock: Arc<dyn Clock>,
}

impl SessionList {
    /// Notes into this database. There is at most one note for each open and each closed connection, so the queue is
    /// bounded by the connection permits.
    pub fn new(db: Db, tally: Arc<Tally>, clock: Arc<dyn Clock>) -> Self {
        let (notes, mut queue) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(note) = queue.recv().await {
                let done = match note {
                    Note::Opened(header) => db.session_opened(&header).await,
                    Note::Closed(id, end) => db.session_closed(&id, &end).await,
                    Note::Written(tell) => {
                        let _gone = tell.send(());
                        Ok(())
                    }
                };
                if let Err(error) = done {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the list of sessions could not be kept"
                    );
                }
            }
        });
        Self {
            notes,
            tally,
            clock,
        }
    }

    /// Waits until everything noted so far is written.
    pub async fn written(&self) {
        let (tell, told) = oneshot::channel();
        self.note(Note::Written(tell));
        let _gone = told.await;
    }

    fn note(&self, note: Note) {
        if self.notes.send(note).is_err() {
            tracing::error!("the list of sessions is no longer kept");
        }
    }
}

impl Witness for SessionList {
    fn opened(&self, header: &Header) {
        self.note(Note::Opened(Box::new(header.clone())));
    }

    fn closed(&self, id: &SessionId, reason: &str, commands: u64, recording: Option<Digest>) {
        let tally = self.tally.take(id);
        let end = SessionEnd {
            at: self.clock.now(),
            reason: reason.to_owned(),
            commands,
            bytes_to_client: tally.map_or(0, |t| t.bytes_to_client()),
            recording,
        };
        self.note(Note::Closed(id.clone(), end));
    }
}
