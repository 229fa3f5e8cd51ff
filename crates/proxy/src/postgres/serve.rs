//! One connection's life: admit, lend, dial, open, pump, close.
//!
//! Lives here: the order. Never: the bytes in between.

use super::dial::{self, EnterError, Opening};
use super::login::{self, Admitted, NotIn};
use super::pump::{Ended, Pump};
use super::{Service, cancel};
use crate::endpoint::Endpoint;
use crate::live::LiveSession;
use crate::room::Seat;
use brattice_core::classify::sql::catalogue::Major;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Cut, Role, Session, SqlSession};
use brattice_core::ports::{Borrower, LeaseHeld, Purpose};
use brattice_core::record::Header;
use brattice_wire::postgres::session::{Machine, fatal_of};
use brattice_wire::postgres::{CancelKey, TxStatus, reply};
use bytes::BytesMut;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

/// How long it may take to be lent a credential and to log in with it, twice where the first is refused.
const ENTER_MAX: Duration = Duration::from_secs(40);

/// A target that has let us in.
struct Reached {
    permit: OwnedSemaphorePermit,
    endpoint: Arc<Endpoint>,
    dialled: dial::Dialled,
    role: Role,
    held: Option<Box<dyn LeaseHeld>>,
}

impl Service {
    /// Serves one accepted connection to its end.
    pub async fn serve(self: Arc<Self>, tcp: TcpStream, from: SocketAddr, mut seat: Seat) {
        let admitting = tokio::time::timeout(self.login_max, login::admit(&self, tcp, from));
        let Some(admitting) = seat.unless_sent_away(admitting).await else {
            return;
        };
        let admitted = match admitting {
            Ok(Ok(admitted)) => admitted,
            Ok(Err(NotIn::Cancel(key, waiting))) => {
                self.cancel(key, from).await;
                return waiting.end().await;
            }
            Ok(Err(why)) => {
                tracing::info!(%from, %why, "a caller did not get in");
                return;
            }
            Err(_) => {
                tracing::info!(%from, "a caller took too long to say who it is");
                return;
            }
        };
        let id = admitted.admission.id().clone();
        if let Err(why) = self.session(admitted, from, &mut seat).await {
            tracing::info!(%from, session = %id, %why, "a session did not open");
        }
    }

    async fn cancel(&self, key: CancelKey, from: SocketAddr) {
        let aim = self.cancels.aim(&key, from.ip(), Instant::now());
        self.gate.note_cancel(from.ip(), aim.is_some());
        let Some(cancel::Aim {
            endpoint,
            key,
            waiting,
        }) = aim
        else {
            tracing::info!(%from, "a cancel request with a wrong key");
            return;
        };
        if waiting.stop() {
            return;
        }
        if let Err(error) = dial::cancel(&endpoint, &key).await {
            tracing::warn!(%error, "a cancel request could not be passed on");
        }
    }

    async fn session(
        self: &Arc<Self>,
        admitted: Admitted,
        from: SocketAddr,
        seat: &mut Seat,
    ) -> Result<(), Denial> {
        let Admitted {
            mut stream,
            unread,
            mut out,
            startup,
            admission,
            database,
        } = admitted;
        let seated = seat.belongs_to(&admission.identity().chain.acting.to_string());
        let opened = match seated {
            Ok(()) => self.reach(&admission, &database, &startup).await,
            Err(too_many) => Err(too_many.denial()),
        };
        let Reached {
            permit,
            endpoint,
            dialled,
            role,
            held,
        } = match opened {
            Ok(reached) => reached,
            Err(denial) => {
                self.gate.refuse_login(
                    &denial,
                    &admission.target().name,
                    from.ip(),
                    Some(admission.identity().chain.to_string()),
                );
                reply::error(&mut out, &fatal_of(&denial));
                let _ = stream.write_all_buf(&mut out).await;
                let _ = stream.shutdown().await;
                return Err(denial);
            }
        };
        let cut = Arc::new(Cut::new());
        if let Some(held) = &held {
            held.ends_with(cut.clone());
        }
        let waiting = Arc::new(cancel::WaitStop::default());
        let aim = dialled.logged_in.cancel_key.clone().map(|key| cancel::Aim {
            endpoint,
            key,
            waiting: waiting.clone(),
        });
        let issued = match &aim {
            Some(aim) => Some(
                self.cancels
                    .issue(startup.minor, aim.clone(), self.randomness.as_ref())
                    .map_err(|_| failing())?,
            ),
            None => None,
        };
        let live = LiveSession {
            id: admission.id().clone(),
            chain: admission.identity().chain.clone(),
            identity: admission.identity().clone(),
            target: admission.target().name.clone(),
            place: database.clone(),
            client: from.to_string(),
            started_at: self.gate.clock().now(),
            granted: admission.granted().cloned(),
            cut: cut.clone(),
        };
        let header = Header {
            session: live.id.clone(),
            chain: live.chain.clone(),
            target: live.target.clone(),
            place: live.place.clone(),
            protocol: "postgres".to_owned(),
            client: live.client.clone(),
            started_at: live.started_at,
            revision: admission.revision(),
        };
        let recorder = match self.recordings.open(&header) {
            Ok(r) => r,
            Err(error) => {
                tracing::error!(%error, "a recording could not be opened");
                return self.farewell(stream, out, failing()).await;
            }
        };
        let session = match self.gate.open(admission, role, cut) {
            Ok(session) => SqlSession::new(session, Major(dialled.logged_in.server_major)),
            Err(denial) => return self.farewell(stream, out, denial).await,
        };
        for (name, value) in &dialled.logged_in.parameters {
            let _ = reply::parameter_status(&mut out, name.as_bytes(), value.as_bytes());
        }
        if let Some(issued) = &issued {
            let _ = reply::backend_key_data(&mut out, &issued.key);
        }
        reply::ready_for_query(&mut out, TxStatus::Idle);
        let id = live.id.clone();
        self.witness.opened(&header);
        let entered = self.live.enter(live);
        self.gate.settle_in(&session).await;
        let mut machine = Machine::new(self.limits.clone(), session.detector().clone());
        machine.to_client = out;
        let pump = Pump::new(
            self.gate.clone(),
            waiting,
            aim,
            session,
            machine,
            recorder,
            stream,
            unread,
            dialled.stream,
            dialled.unread,
        );
        let (session, ended) = pump.run().await;
        match session {
            Some(mut session) => self.close(&mut session, &ended),
            None => {
                tracing::error!(session = %id, "the end of a session could not be recorded: its last judgement never came back")
            }
        }
        // What was taken goes back before the session is off the list: who waits for the list to empty knows then what
        // there is to wait for.
        drop(held);
        drop((entered, issued, permit));
        Ok(())
    }

    fn close(&self, session: &mut Session, ended: &Ended) {
        if let Err(error) = self.gate.close(
            session,
            &ended.reason,
            ended.bytes_to_client,
            ended.recording,
        ) {
            tracing::error!(%error, session = %session.id(), "the end of a session could not be recorded");
        }
        self.witness.closed(
            session.id(),
            &ended.reason,
            session.commands(),
            ended.recording,
        );
        tracing::info!(session = %session.id(), reason = %ended.reason, "session closed");
    }

    async fn farewell(
        &self,
        mut stream: crate::stream::Stream,
        mut out: BytesMut,
        denial: Denial,
    ) -> Result<(), Denial> {
        reply::error(&mut out, &fatal_of(&denial));
        let _ = stream.write_all_buf(&mut out).await;
        let _ = stream.shutdown().await;
        Err(denial)
    }

    async fn reach(
        &self,
        admission: &brattice_core::gate::Admission,
        database: &str,
        startup: &brattice_wire::postgres::parameters::Startup,
    ) -> Result<Reached, Denial> {
        let target = &admission.target().name;
        let unreachable = || {
            Denial::new(
                Code::Unavailable,
                "brattice.target",
                format!("target \"{target}\" cannot be reached"),
            )
            .hint("try again later; the operators can see why in the gateway's log")
        };
        let endpoint = self.endpoints.get(target).ok_or_else(unreachable)?;
        let wait = tokio::time::timeout(
            std::time::Duration::from_secs(5),
            endpoint.connections.clone().acquire_owned(),
        );
        let permit = match wait.await {
            Ok(Ok(permit)) => permit,
            _ => {
                return Err(Denial::new(
                    Code::Throttled,
                    "brattice.connections",
                    format!("target \"{target}\" has no connection free"),
                )
                .hint("try again when others have finished"));
            }
        };
        let to = Borrower {
            target,
            place: database,
            purpose: Purpose::Session {
                id: admission.id(),
                agent: &admission.identity().chain.acting.name,
            },
        };
        let mut settings = startup.settings.clone();
        if let Some(path) = &startup.search_path {
            settings.push((
                "search_path".to_owned(),
                brattice_wire::postgres::search_path::render(path),
            ));
        }
        let opening = Opening {
            name: application_name(admission),
            settings,
        };
        let entered = dial::enter(&endpoint, self.lender.as_ref(), to, opening, &self.limits);
        let entered = tokio::time::timeout(ENTER_MAX, entered).await;
        let entered = entered.map_err(|_| {
            tracing::error!(session = %admission.id(), target, "reaching the target took too long");
            unreachable()
        })?;
        let (lease, dialled) = entered.map_err(|error| {
            match &error {
                EnterError::Lend(error) => {
                    tracing::error!(%error, session = %admission.id(), "no credential could be lent");
                }
                EnterError::Dial(error) => tracing::error!(
                    error = error as &dyn std::error::Error,
                    target,
                    "the target cannot be reached"
                ),
            }
            unreachable()
        })?;
        Ok(Reached {
            permit,
            endpoint,
            dialled,
            role: Role {
                login: lease.user,
                rights: lease.rights,
            },
            held: lease.held,
        })
    }
}

/// The target's own log names the agent and the session: at most 63 bytes of it are kept there.
fn application_name(admission: &brattice_core::gate::Admission) -> String {
    let who = admission.identity().chain.acting.id();
    let name: String = who
        .chars()
        .filter(|c| c.is_ascii_graphic())
        .take(40)
        .collect();
    format!("{} {name}", admission.id())
}

fn failing() -> Denial {
    brattice_core::gate::CutReason::Failing.denial()
}
