//! What the target's catalogue says now: the shared picture, the session's own view, and when to look again.
//!
//! Lives here: which picture a statement is judged by. Never: how a picture is fetched.

use super::Gate;
use super::bundle::Snapshot;
use super::held::{Held, Look, Rows};
use super::session::{Overlay, SqlSession};
use crate::action::RelationKind;
use crate::classify::sql::catalogue::{Catalogue, Major, SearchPath};
use crate::classify::sql::{CatalogueQueries, Rows as TextRows, queries};
use crate::denial::{Code, Denial};
use crate::mask::MaskedColumns;
use crate::time::Timestamp;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// Names every picture that is ever taken in this process, so that no two share cached verdicts.
static VERSIONS: AtomicU64 = AtomicU64::new(1);

/// Server versions whose catalogue can be read; others are read as the nearest of them.
const MAJORS: std::ops::RangeInclusive<u16> = 13..=18;

static QUERIES: LazyLock<HashMap<Major, CatalogueQueries>> =
    LazyLock::new(|| MAJORS.map(|m| (Major(m), queries(Major(m)))).collect());

/// The reads of a server's catalogue: constant texts, made once.
pub fn catalogue_queries(major: Major) -> Option<&'static CatalogueQueries> {
    QUERIES.get(&Major(major.0.clamp(*MAJORS.start(), *MAJORS.end())))
}

/// Rows as the wire has them, as text.
pub fn text_rows(rows: Vec<Vec<Option<Bytes>>>) -> Option<TextRows> {
    let text = |cell: Option<Bytes>| match cell {
        None => Some(None),
        Some(bytes) => String::from_utf8(bytes.into()).ok().map(Some),
    };
    rows.into_iter()
        .map(|row| row.into_iter().map(text).collect())
        .collect()
}

/// The next version for a picture of a catalogue.
pub fn next_version() -> u64 {
    VERSIONS.fetch_add(1, Ordering::Relaxed)
}

impl Gate {
    /// The picture to judge by: the session's own if it has one. Whoever judges asks for it once: another session may
    /// put a newer one in its place at any time, and what is fresh must be what was judged by.
    pub(super) fn picture(&self, session: &SqlSession) -> Option<Snapshot> {
        match &session.overlay {
            Some(o) => Some(Snapshot {
                catalogue: o.catalogue.clone(),
                checked_at: o.read_at,
            }),
            None => session
                .admission
                .guarded
                .catalogues
                .current(&session.admission.place),
        }
    }

    /// Whether the shared picture is missing or too old to judge by.
    pub(super) fn is_stale(
        &self,
        picture: Option<&Snapshot>,
        session: &SqlSession,
        held: &Held,
    ) -> bool {
        let Some(picture) = picture else {
            return true;
        };
        let at = picture.checked_at;
        // What this session changed itself must have been seen.
        self.is_old(at, session, held) || session.shared_since.is_some_and(|since| at < since)
    }

    /// Whether a picture of this time is too old for this command, and was not taken for it.
    fn is_old(&self, at: Timestamp, session: &SqlSession, held: &Held) -> bool {
        let for_it = held.lifted.fresh_since.is_some_and(|asked| at >= asked);
        let age_max = session.admission.guarded.catalogue_age_max;
        !for_it && self.clock.now().since(at) > age_max
    }

    /// The masked columns of a picture, resolved once for each version.
    pub(super) fn masked(
        &self,
        session: &mut SqlSession,
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
    pub(super) fn settle(&self, session: &mut SqlSession) {
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
    pub(super) fn look_needed(&self, session: &SqlSession, held: &Held) -> Option<Look> {
        let old = session
            .overlay
            .as_ref()
            .is_some_and(|o| self.is_old(o.read_at, session, held));
        let catalogue = session.overlay_in_doubt || old;
        let path = session.path_in_doubt;
        (catalogue || path).then_some(Look { path, catalogue })
    }

    /// The texts that a look runs, in order.
    pub fn look_texts(&self, session: &SqlSession, look: Look) -> Vec<&'static str> {
        let Some(all) = catalogue_queries(session.major) else {
            return Vec::new();
        };
        let mut texts = Vec::new();
        if look.path {
            texts.push(all.path.as_str());
        }
        if look.catalogue {
            texts.extend(all.parts.iter().map(|(_, text)| text.as_str()));
        }
        texts
    }

    /// Takes in what a look brought.
    ///
    /// # Errors
    /// When the answer is not what those queries return: nothing can be judged then.
    pub fn looked(
        &self,
        session: &mut SqlSession,
        look: Look,
        mut rows: Rows,
    ) -> Result<(), Denial> {
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
            let path = text_rows(path).ok_or_else(strange)?;
            session.path = Arc::new(SearchPath::from_rows(&path));
            session.path_in_doubt = false;
            // Read outside any transaction, it can no longer be rolled back.
            session.path_touched &= !session.settled;
        }
        if look.catalogue {
            let queries = catalogue_queries(session.major).ok_or_else(strange)?;
            let rows: Option<Vec<TextRows>> = rows.into_iter().map(text_rows).collect();
            let rows = rows.ok_or_else(strange)?;
            let mut catalogue = Catalogue::from_rows(queries, &rows).map_err(|_| strange())?;
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
