//! A role of its own for each session, made on the target and dropped when the session ends.
//!
//! Lives here: making one, dropping one, and finding those that were left behind. Never: the way to the server (the
//! data path's), who may have one.

mod name;
mod statements;

use super::TargetCredential;
use super::returns::{Debt, Returns};
use super::server::{Rows, Server, ServerError};
use super::source::Sources;
use crate::mint::{self, ITERATIONS, SALT_BYTES};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::gate::Cut;
use brattice_core::ids::SessionId;
use brattice_core::ports::{BoxFuture, Lease, LeaseHeld, Randomness};
use brattice_core::secret::Secret;
use name::Marker;
use statements::Making;
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use zeroize::Zeroizing;

/// Random bytes in a role's password.
const PASSWORD_BYTES: usize = 32;
/// How often it is looked whether the last connection of a role has ended, and for how long.
const ENDING_EVERY: Duration = Duration::from_millis(50);
const ENDING_TIMES: u32 = 60;
/// The target's word for what is not there.
const UNDEFINED_OBJECT: &str = "42704";

/// Makes and drops roles.
pub(super) struct Roles {
    pub sources: Arc<Sources>,
    pub randomness: Arc<dyn Randomness>,
    pub returns: Arc<Returns>,
    /// This gateway's own name in markers: no two gateways on one server have the same.
    pub node: String,
    /// Roles that sessions of this process have, or that are being dropped.
    pub live: Arc<Live>,
}

/// The roles that this process knows of.
#[derive(Default)]
pub(super) struct Live(Mutex<HashSet<String>>);

impl Live {
    fn set(&self) -> MutexGuard<'_, HashSet<String>> {
        match self.0.lock() {
            Ok(set) => set,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// Where a role is made, and by whom.
pub(super) struct Site<'a> {
    pub target: &'a str,
    pub place: &'a str,
    pub template: &'a str,
    pub maker: &'a TargetCredential,
}

impl Sources {
    /// Logs in as the maker and runs a first message. When the target refuses a secret that had been kept, once more with
    /// one that is read anew.
    async fn log_in(
        &self,
        server: &dyn Server,
        site: &Site<'_>,
        first: &str,
    ) -> Result<(Lease, Rows), NotIn> {
        let maker = self.login(site.target, site.maker).await;
        let maker = maker.map_err(NotIn::NoCredential)?;
        match server.run(site.place, &maker, first).await {
            Ok(rows) => Ok((maker, rows)),
            Err(why) if why.is_login() && maker.held.as_ref().is_some_and(|h| h.refused()) => {
                let maker = self.login(site.target, site.maker).await;
                let maker = maker.map_err(NotIn::NoCredential)?;
                let done = server.run(site.place, &maker, first).await;
                Ok((maker, done.map_err(NotIn::Server)?))
            }
            Err(why) => Err(NotIn::Server(why)),
        }
    }
}

/// Why the maker did not get in.
enum NotIn {
    NoCredential(String),
    Server(ServerError),
}

impl NotIn {
    fn when(self, doing: &str) -> String {
        match self {
            Self::NoCredential(why) => why,
            Self::Server(why) => format!("{doing}: {why}"),
        }
    }
}

impl Roles {
    /// Makes a role for a session and lends it.
    pub(super) async fn lend(
        &self,
        server: Arc<dyn Server>,
        site: Site<'_>,
        session: &SessionId,
        agent: &str,
    ) -> Result<Lease, String> {
        let look = statements::look_at(site.template);
        let (maker, looked) = self
            .sources
            .log_in(server.as_ref(), &site, &look)
            .await
            .map_err(|e| e.when("the template cannot be looked at"))?;
        let known = Known::of(looked, site.template)?;
        let role = name::role_of(agent, session, &self.node);
        let marker = Marker {
            node: &self.node,
            session: session.as_str(),
            target: site.target,
            template: site.template,
        };
        let (password, verifier) = self.password()?;
        let making = Making {
            role: &role,
            template: site.template,
            verifier: &verifier,
            until: &known.until,
            marker: &marker.written(),
            settings: &known.settings,
        }
        .written();
        // From here on it may be there, whatever comes back.
        self.live.set().insert(role.clone());
        let taken = Taken {
            returns: self.returns.clone(),
            debt: Some(Box::new(RoleDebt {
                sources: self.sources.clone(),
                live: Some(self.live.clone()),
                server: server.clone(),
                target: site.target.to_owned(),
                place: site.place.to_owned(),
                template: site.template.to_owned(),
                maker: site.maker.clone(),
                role: role.clone(),
            })),
        };
        server
            .run(site.place, &maker, &making)
            .await
            .map_err(|e| format!("a role for the session cannot be made: {e}"))?;
        Ok(Lease {
            user: role,
            rights: site.template.to_owned(),
            password,
            private_key: None,
            certifier: None,
            client_certificate: maker.client_certificate,
            held: Some(Box::new(taken)),
        })
    }

    /// Drops the roles that no session has any more: our own, and those of gateways that are long gone. Returns how many.
    pub(super) async fn sweep(
        &self,
        server: Arc<dyn Server>,
        site: Site<'_>,
    ) -> Result<usize, String> {
        let list = statements::list();
        let logged_in = self.sources.log_in(server.as_ref(), &site, &list).await;
        let (_, listed) = logged_in.map_err(|e| e.when("they cannot be listed"))?;
        let mut dropped = 0;
        for role in self.left_behind(listed, &site) {
            let debt = RoleDebt {
                sources: self.sources.clone(),
                live: None,
                server: server.clone(),
                target: site.target.to_owned(),
                place: site.place.to_owned(),
                template: site.template.to_owned(),
                maker: site.maker.clone(),
                role,
            };
            match debt.drop_role().await {
                Ok(()) => {
                    dropped += 1;
                    tracing::info!(
                        target = debt.target,
                        role = debt.role,
                        "a role that was left behind is dropped"
                    );
                }
                Err(why) => tracing::error!(
                    target = debt.target,
                    role = debt.role,
                    why,
                    "a role that was left behind cannot be dropped"
                ),
            }
        }
        Ok(dropped)
    }

    fn left_behind(&self, listed: Rows, site: &Site<'_>) -> Vec<String> {
        let live = self.live.set();
        let mut left = Vec::new();
        for row in listed {
            let [Some(role), Some(marked), long_past] = row.as_slice() else {
                continue;
            };
            let Some(marker) = Marker::read(marked).filter(|m| m.template == site.template) else {
                continue;
            };
            let ours = marker.node == self.node && marker.target == site.target;
            if !live.contains(role) && (ours || long_past.as_deref() == Some("t")) {
                left.push(role.clone());
            }
        }
        left
    }

    /// A password, and what the target is told of it.
    fn password(&self) -> Result<(Secret, String), String> {
        let mut raw = Zeroizing::new([0; PASSWORD_BYTES]);
        let mut salt = [0; SALT_BYTES];
        for buf in [raw.as_mut_slice(), salt.as_mut_slice()] {
            self.randomness.fill(buf).map_err(|e| e.to_string())?;
        }
        let password = Secret::new(URL_SAFE_NO_PAD.encode(raw.as_slice()));
        let verifier = mint::scram_verifier(password.expose(), &salt, ITERATIONS);
        Ok((password, verifier))
    }
}

/// What is known of a template.
struct Known {
    until: String,
    settings: Vec<(String, String)>,
}

impl Known {
    fn of(rows: Rows, template: &str) -> Result<Self, String> {
        let (mut until, mut exists, mut settings) = (None, false, Vec::new());
        for row in rows {
            let mut cells = row.into_iter().flatten();
            match (cells.next().as_deref(), cells.next(), cells.next()) {
                (Some("until"), _, value) => until = value,
                (Some("template"), ..) => exists = true,
                // The template's own becoming of another would lead away from it.
                (Some("setting"), Some(name), Some(value))
                    if !name.eq_ignore_ascii_case("role") =>
                {
                    settings.push((name, value));
                }
                _ => {}
            }
        }
        match until {
            Some(until) if exists => Ok(Self { until, settings }),
            _ => Err(format!(
                "the target has no role {template:?} to be a template"
            )),
        }
    }
}

/// A role that a session has. Dropping this drops the role, elsewhere.
struct Taken {
    returns: Arc<Returns>,
    debt: Option<Box<RoleDebt>>,
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a role for one session")
    }
}

impl LeaseHeld for Taken {
    /// A role stays good as long as its session.
    fn ends_with(&self, _: Arc<Cut>) {}
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(debt) = self.debt.take() {
            self.returns.owe(debt);
        }
    }
}

/// A role to drop.
struct RoleDebt {
    sources: Arc<Sources>,
    /// Whose list it is taken from at the end.
    live: Option<Arc<Live>>,
    server: Arc<dyn Server>,
    target: String,
    place: String,
    template: String,
    maker: TargetCredential,
    role: String,
}

impl RoleDebt {
    async fn drop_role(&self) -> Result<(), String> {
        // Logged in anew: the secret may have been rotated while the session was open.
        let site = Site {
            target: &self.target,
            place: &self.place,
            template: &self.template,
            maker: &self.maker,
        };
        let find = statements::find(&self.role);
        let logged_in = self
            .sources
            .log_in(self.server.as_ref(), &site, &find)
            .await;
        let (maker, found) = logged_in.map_err(|e| e.when("it cannot be looked for"))?;
        match self.drop_as(&maker, found).await {
            Ok(()) | Err(Failed::Gone) => Ok(()),
            Err(Failed::Other(why)) => Err(why),
        }
    }

    async fn drop_as(&self, maker: &Lease, found: Rows) -> Result<(), Failed> {
        let run = async |place: &str, sql: String| -> Result<Rows, Failed> {
            let done = self.server.run(place, maker, &sql).await;
            done.map_err(|e| match e.sqlstate.as_deref() {
                Some(UNDEFINED_OBJECT) => Failed::Gone,
                _ => Failed::Other(e.to_string()),
            })
        };
        let (here, role) = (self.place.as_str(), self.role.as_str());
        let Some([Some(major), Some(superuser)]) = found.first().map(Vec::as_slice) else {
            return Ok(());
        };
        let major = major.parse().unwrap_or(0);
        run(here, statements::close(role, major, superuser == "t")).await?;
        let mut looks = 0;
        while !run(here, statements::terminate(role)).await?.is_empty() {
            looks += 1;
            if looks >= ENDING_TIMES {
                return Err(Failed::Other("its connection does not end".to_owned()));
            }
            tokio::time::sleep(ENDING_EVERY).await;
        }
        for row in run(here, statements::hangs(role)).await? {
            let place = match row.first() {
                Some(Some(place)) if !place.is_empty() => place.as_str(),
                _ => here,
            };
            run(place, statements::loosen(role, &self.template)).await?;
        }
        run(here, statements::drop(role)).await.map(drop)
    }
}

/// Why a role could not be dropped.
enum Failed {
    /// It is not there any more.
    Gone,
    /// For the operator.
    Other(String),
}

impl Debt for RoleDebt {
    fn what(&self) -> String {
        format!("the role {} on {}", self.role, self.target)
    }

    fn pay(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.drop_role())
    }

    fn settled(&self, _: bool) {
        // If it is still there, the next sweep finds it without a session.
        if let Some(live) = &self.live {
            live.set().remove(&self.role);
        }
    }
}

#[cfg(test)]
mod tests;
