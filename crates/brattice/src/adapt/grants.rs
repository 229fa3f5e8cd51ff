//! Grants: asking for them ahead of time, listing, ending; and cutting what one opened when it ends.
//!
//! Lives here: translation, and the second look at sessions. Never: what a grant is good for (the gate's).

use super::failed;
use crate::run::Gateway;
use brattice_admin::ports::{Asking, Failed, GrantsApi, Requested};
use brattice_core::approval::Grant;
use brattice_core::denial::Code;
use brattice_core::gate::{CutReason, Wish, Wished};
use brattice_core::ids::GrantId;
use brattice_core::ports::BoxFuture;
use std::sync::Arc;

/// The grants of a gateway.
pub struct Grants(pub Arc<Gateway>);

impl GrantsApi for Grants {
    fn request<'a>(&'a self, asking: Asking<'a>) -> BoxFuture<'a, Result<Requested, Failed>> {
        Box::pin(async move {
            let wish = Wish {
                identity: asking.who,
                target: asking.target,
                wanted: asking.wanted,
                minutes: asking.minutes,
                reason: asking.reason,
                client: asking.from,
            };
            Ok(match self.0.gate.ask_ahead(wish).await {
                Ok(Wished::Asked(approval, besides)) => Requested::Asked(approval, besides),
                Ok(Wished::Nothing(besides)) => Requested::Nothing(besides),
                Err(denial) => Requested::Refused(denial),
            })
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Grant>, Failed>> {
        Box::pin(async move {
            let now = self.0.clock.now();
            self.0.db.all_grants(now).await.map_err(failed)
        })
    }

    fn end<'a>(&'a self, id: &'a GrantId) -> BoxFuture<'a, Result<bool, Failed>> {
        Box::pin(async move {
            let ended = self.0.db.end_grant(id).await.map_err(failed)?;
            // What it opened ends now, and not at the next look.
            self.0.cut_ungranted().await;
            Ok(ended)
        })
    }
}

impl Gateway {
    /// Cuts every session that was opened by grants which do not stand any more, and lengthens the others to where
    /// theirs end now. While the store does not answer a session goes on to the end that it knows.
    pub async fn cut_ungranted(&self) {
        for session in self.live.list() {
            let Some(granted) = &session.granted else {
                continue;
            };
            let looked = self
                .gate
                .still_granted(&session.identity, &session.target, granted)
                .await;
            match looked {
                Ok(()) => {}
                Err(why) if why.code == Code::Unavailable => {
                    if granted.is_over(self.clock.now()) {
                        session.cut.throw(CutReason::GrantEnded);
                    }
                }
                Err(_) => session.cut.throw(CutReason::GrantEnded),
            }
        }
    }
}
