//! Listening on the host, for connections that are carried back to the client (RFC 4254, section 7.1).
//!
//! Lives here: asking whether the host may listen there, and about each connection that comes of it. Never: what is sent.
//!
//! Each listening has a connection to the host of its own, which the host stops listening with.

use super::channel::{Client, Opened, link};
use super::link::Link;
use super::pipe::carry;
use super::places::Places;
use super::upstream::{Back, Upstream};
use super::vet::vetted_listening;
use brattice_core::denial::Denial;
use brattice_core::gate::{Allowed, Answer, Request};
use brattice_core::record::FrameKind;
use russh::ChannelOpenFailure;
use russh::server::Handle;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Connections that wait to be asked about.
const WAITING_MAX: usize = 16;

/// Of the address of whoever connects, as hosts tell it.
const ADDRESS_CHARS_MAX: usize = 64;

/// What a client wants listened on.
pub(super) struct Where {
    pub host: String,
    /// 0 where the host is to choose.
    pub port: u16,
}

/// Where the host listens.
struct Listens {
    at: Where,
    /// The port, also where the host chose it.
    bound: u32,
}

/// What the connections need that come of it.
pub(super) struct Ends {
    pub handle: Handle,
    pub places: Places,
}

/// A host listens, until this is dropped.
pub(super) struct Listening(JoinHandle<()>);

impl Listening {
    /// Whether the host listens no more.
    pub fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Has the host listen if it may; with the port that it listens on.
pub(super) async fn listen(opened: Opened, at: Where, ends: Ends) -> Option<(u32, Listening)> {
    let link = link(opened).await.ok()?;
    match begin(&link, &at).await {
        Ok((port, upstream, backs)) => {
            let listens = Listens { at, bound: port };
            let serving = serve(link, upstream, backs, listens, ends);
            Some((port, Listening(tokio::spawn(serving))))
        }
        Err(denial) => {
            tracing::info!(%denial, "a host was not asked to listen");
            None
        }
    }
}

async fn begin(
    link: &Arc<Link>,
    at: &Where,
) -> Result<(u32, Upstream, mpsc::Receiver<Back>), Denial> {
    let allowed = ask(link, at, None).await?;
    if at.port != 0 {
        vetted(link, at.port, allowed.number).await?;
    }
    let (tell, backs) = mpsc::channel(WAITING_MAX);
    let upstream = link.while_open(link.listening(tell)).await?;
    let asked = u32::from(at.port);
    let bound = link
        .while_open(async { Ok(upstream.handle.tcpip_forward(at.host.as_str(), asked).await) })
        .await?;
    let (outcome, bound) = match bound {
        // A host says which port it is only where it chose.
        Ok(0) => ("listening".to_owned(), Ok(asked)),
        Ok(port) => (format!("listening on port {port}"), Ok(port)),
        Err(error) => {
            tracing::info!(%error, "the host does not listen");
            (
                "not opened by the host".to_owned(),
                Err(super::run::not_begun()),
            )
        }
    };
    if let (0, Ok(bound)) = (at.port, &bound) {
        // Where it is not to listen, it stops with the connection.
        let bound = u16::try_from(*bound).map_err(|_| super::run::not_begun())?;
        vetted(link, bound, allowed.number).await?;
    }
    link.record(FrameKind::Outcome, allowed.number, outcome.as_bytes())?;
    Ok((bound?, upstream, backs))
}

/// Refuses what rules permit where a target is reached at that port.
async fn vetted(link: &Arc<Link>, port: u16, number: u64) -> Result<(), Denial> {
    let vetted = link.while_open(vetted_listening(link, port)).await;
    if let Err(denial) = &vetted {
        link.refused_after_all(number, &format!("(listening on port {port})"), denial);
    }
    vetted
}

/// Asks the gate: whether to listen, or about a connection of somebody.
async fn ask(link: &Arc<Link>, at: &Where, from: Option<&str>) -> Result<Allowed, Denial> {
    let request = Request::Listen {
        host: at.host.clone(),
        port: at.port,
    };
    let text = match from {
        None => request.text(),
        Some(from) => format!("{} (a connection from {from})", request.text()),
    };
    let denial = match link.gate.request(&link.session, request).await {
        Answer::Pass(cleared, allowed) => {
            // There are no bytes to it: where to listen is all of it.
            drop(cleared);
            link.record(FrameKind::Command, allowed.number, text.as_bytes())?;
            return Ok(allowed);
        }
        Answer::Deny(denial) => denial,
        // Answers to such requests are in order, so that nobody can be waited for: once approved, it passes.
        Answer::Park(parked) => link.gate.ticket_request(&link.session, *parked),
    };
    link.refused(&text, &denial);
    Err(denial)
}

/// Carries connections until the host or the session ends.
async fn serve(
    link: Arc<Link>,
    upstream: Upstream,
    mut backs: mpsc::Receiver<Back>,
    listens: Listens,
    ends: Ends,
) {
    let (listens, ends) = (Arc::new(listens), Arc::new(ends));
    loop {
        let back = tokio::select! {
            back = backs.recv() => back,
            _ = link.over() => None,
        };
        let Some(back) = back else {
            break;
        };
        let (link, listens, ends) = (link.clone(), listens.clone(), ends.clone());
        tokio::spawn(async move {
            if let Err(denial) = one(&link, &listens, &ends, back).await {
                tracing::info!(%denial, "a connection was not carried back, or ended");
            }
        });
    }
    drop(upstream);
}

async fn one(link: &Arc<Link>, listens: &Listens, ends: &Ends, back: Back) -> Result<(), Denial> {
    let Back {
        channel,
        reply,
        from: (address, port),
    } = back;
    let Some(place) = ends.places.take() else {
        reply.reject(ChannelOpenFailure::ResourceShortage).await;
        return Ok(());
    };
    let at_work = link.at_work();
    let address: String = address.chars().take(ADDRESS_CHARS_MAX).collect();
    let from = format!("{}:{port}", super::channel::one_line(&address));
    let allowed = match ask(link, &listens.at, Some(&from)).await {
        Ok(allowed) => allowed,
        Err(denial) => {
            reply
                .reject(ChannelOpenFailure::AdministrativelyProhibited)
                .await;
            return Err(denial);
        }
    };
    let opened = async {
        let host = listens.at.host.as_str();
        let opened = ends
            .handle
            .channel_open_forwarded_tcpip(host, listens.bound, address, port);
        Ok(opened.await)
    };
    let Ok(Ok(to_client)) = link.while_open(opened).await else {
        let _ = link.record(
            FrameKind::Outcome,
            allowed.number,
            b"not taken by the client",
        );
        reply.reject(ChannelOpenFailure::ConnectFailed).await;
        return Ok(());
    };
    reply.accept().await;
    let client = Client::new(to_client, ends.handle.clone(), link.limits.window_bytes);
    let ended = carry(link, allowed.number, allowed.lane, client, channel).await;
    drop((place, at_work));
    ended
}
