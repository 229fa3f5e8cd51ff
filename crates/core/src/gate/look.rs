//! What the target's catalogue says now: the shared picture, the session's own view, and when to look again.
//!
//! Lives here: which picture a statement is judged by. Never: how a picture is fetched.

use super::Gate;
use super::held::{Look, Rows};
use super::session::{Overlay, Session};
use crate::action::RelationKind;
use crate::classify::sql::catalogue::{Catalogue, SearchPath};
use crate::classify::sql::queries;
use crate::denial::{Code, Denial};
use crate::mask::MaskedColumns;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names every picture that is ever taken in this process, so that no two share cached verdicts.
static VERSIONS: AtomicU64 = AtomicU64::new(1);

/// The next version for a picture of a catalogue.
pub fn next_version() -> u64 {
    VERSIONS.fetch_add(1, Ordering::Relaxed)
}

impl Gate {
    /// The picture to judge by: the session's own if it has one.
    pub(super) fn catalogue(&self, session: &Session) -> Arc<Catalogue> {
        match &session.overlay {
            Some(o) => o.catalogue.clone(),
            None => session
                .admission
                .guarded
                .catalogues
                .current(&session.admission.place)
                .map(|s| s.catalogue)
                .unwrap_or_default(),
        }
    }

    /// Whether the shared picture is missing or too old to judge by.
    pub(super) fn is_stale(&self, session: &Session) -> bool {
        let guarded = &session.admission.guarded;
        match guarded.catalogues.current(&session.admission.place) {
            None => true,
            Some(s) => {
                let old = self.clock.now().since(s.checked_at) > guarded.catalogue_age_max;
                // What this session changed itself must have been seen.
                old || session.shared_since.is_some_and(|at| s.checked_at < at)
            }
        }
    }

    /// The masked columns of a picture, resolved once for each version.
    pub(super) fn masked(
        &self,
        session: &mut Session,
        catalogue: &Catalogue,
    ) -> Arc<MaskedColumns> {
        if let Some((version, masked)) = &session.masked
            && *version == catalogue.version
        {
            return masked.clone();
        }
        let resolved = Arc::new(MaskedColumns::build(
            &session.admission.guarded.masked,
            catalogue,
        ));
        session.masked = Some((catalogue.version, resolved.clone()));
        resolved
    }

    /// Outside any transaction a session without temporary objects sees what everybody sees: it goes back to the shared
    /// picture, once that is newer than what the session changed.
    pub(super) fn settle(&self, session: &mut Session) {
        let temporary = |o: &Overlay| {
            o.catalogue
                .relations
                .values()
                .any(|r| r.kind == RelationKind::Temporary)
        };
        let leave = session.overlay.as_ref().is_some_and(|o| !temporary(o));
        if leave && !session.overlay_in_doubt {
            session.overlay = None;
            session.shared_since = Some(self.clock.now());
        }
    }

    /// What must be read through the session's own connection before names can be trusted.
    pub(super) fn look_needed(&self, session: &Session) -> Option<Look> {
        let old = session.overlay.as_ref().is_some_and(|o| {
            self.clock.now().since(o.read_at) > session.admission.guarded.catalogue_age_max
        });
        let catalogue = session.overlay_in_doubt || old;
        let path = session.path_in_doubt;
        (catalogue || path).then_some(Look { path, catalogue })
    }

    /// The texts that a look runs, in order.
    pub fn look_texts(&self, session: &Session, look: Look) -> Vec<&'static str> {
        let all = queries(session.major);
        let mut texts = Vec::new();
        if look.path {
            texts.push(all.path);
        }
        if look.catalogue {
            texts.extend(all.catalogue());
        }
        texts
    }

    /// Takes in what a look brought.
    ///
    /// # Errors
    /// When the answer is not what those queries return: nothing can be judged then.
    pub fn looked(&self, session: &mut Session, look: Look, mut rows: Rows) -> Result<(), Denial> {
        let strange = || {
            Denial::new(
                Code::Unavailable,
                "brattice.catalogue",
                "the target's catalogue could not be read",
            )
        };
        if look.path {
            if rows.is_empty() {
                return Err(strange());
            }
            let path = rows.remove(0);
            session.path = Arc::new(SearchPath::from_rows(&path).ok_or_else(strange)?);
            session.path_in_doubt = false;
            // Read outside any transaction, it can no longer be rolled back.
            session.path_touched &= !session.settled;
        }
        if look.catalogue {
            let mut catalogue =
                Catalogue::from_rows(&session.admission.place, &rows).map_err(|_| strange())?;
            catalogue.version = next_version();
            session.overlay = Some(Overlay {
                catalogue: Arc::new(catalogue),
                read_at: self.clock.now(),
            });
            session.overlay_in_doubt = false;
        }
        Ok(())
    }
}
