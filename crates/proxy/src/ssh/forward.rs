//! A connection through the host: from a client's "direct-tcpip" to where policy names (RFC 4254, section 7.2).
//!
//! Lives here: asking, opening on the host, and both directions. Never: what is sent, which stays as it is.

use super::channel::{Opened, link};
use super::door::Place;
use super::held;
use super::link::Link;
use super::show::{Cut, Shown};
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Answer, Lane, Request};
use brattice_core::record::FrameKind;
use russh::client::Msg as UpMsg;
use russh::server::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf};
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Where a target is, for those that must not be reached past it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// The target's name.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Tells where all targets are now.
pub type AllTargets = Arc<dyn Fn() -> Vec<Whereabouts> + Send + Sync>;

/// What a client wants to be connected to.
pub(super) struct To {
    pub host: String,
    pub port: u32,
}

/// Opens it if it may be, and carries both directions to their end.
pub(super) async fn serve(
    opened: Opened,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    to: To,
    place: Place,
) {
    let denied = match link(opened).await {
        Ok(link) => {
            let at_work = link.at_work();
            let done = open(&link, channel, reply, to).await;
            drop(at_work);
            done
        }
        Err(denial) => {
            reply
                .reject(ChannelOpenFailure::AdministrativelyProhibited)
                .await;
            Err(denial)
        }
    };
    if let Err(denial) = denied {
        tracing::info!(%denial, "a forward was not opened, or ended");
    }
    drop(place);
}

async fn open(
    link: &Arc<Link>,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    to: To,
) -> Result<(), Denial> {
    let refuse = ChannelOpenFailure::AdministrativelyProhibited;
    // What only the host can resolve may lead to any target.
    if to.port != 0 && addresses(&to.host, 1).await.is_empty() {
        reply.reject(refuse).await;
        return Err(Denial::new(
            Code::Forbidden,
            "brattice.forward",
            "the name leads to no address that the gateway knows",
        ));
    }
    let Ok(port) = u16::try_from(to.port) else {
        reply.reject(refuse).await;
        return Ok(());
    };
    let request = Request::Forward {
        host: to.host.clone(),
        port,
    };
    if let Some(other) = leads_to(link, &to.host, port).await {
        let reason = format!("this leads to target \"{other}\", past its gate");
        let denial = Denial::new(Code::Forbidden, "brattice.forward", reason)
            .hint("open that target itself through the gateway");
        {
            let mut session = link.lock();
            link.gate
                .note_refusal(&mut session, &request.text(), &denial);
        }
        reply.reject(refuse).await;
        return Err(denial);
    }
    let mut answer = link.gate.request(&link.session, request.clone()).await;
    let (cleared, allowed) = loop {
        match answer {
            Answer::Pass(cleared, allowed) => break (cleared, allowed),
            Answer::Deny(denial) => {
                let text = request.text();
                let _ = link.record(FrameKind::Verdict, 0, &denial.recorded(text.as_bytes()));
                reply.reject(refuse).await;
                return Err(denial);
            }
            Answer::Park(parked) => answer = held::wait_unseen(link, *parked).await,
        }
    };
    // There are no bytes to it: the host and the port are all of it.
    drop(cleared);
    let number = allowed.number;
    link.record(FrameKind::Command, number, request.text().as_bytes())?;
    let upstream = match link.upstream().await {
        Ok(upstream) => upstream,
        Err(denial) => {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Err(denial);
        }
    };
    let begun = upstream
        .handle
        .channel_open_direct_tcpip(to.host, u32::from(port), "127.0.0.1", 0)
        .await;
    let (mut from_host, to_host) = match begun {
        Ok(channel) => channel.split(),
        Err(error) => {
            tracing::info!(%error, "the host did not open a forward");
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            link.free(upstream);
            return Ok(());
        }
    };
    reply.accept().await;
    let (mut from_client, to_client) = channel.split();
    let shown = Shown::as_it_is(
        link.clone(),
        FrameKind::Output,
        number,
        to_client.make_writer(),
    );
    let ended = tokio::select! {
        ended = down(&mut from_host, shown) => ended,
        ended = up(link, number, allowed.lane, &mut from_client, &to_host) => ended,
        why = link.over() => Err(why),
    };
    let _ = link.record(FrameKind::Outcome, number, b"closed");
    let _ = to_client.eof().await;
    let _ = to_client.close().await;
    drop(upstream);
    ended
}

async fn down<W: AsyncWrite + Unpin>(
    from_host: &mut ChannelReadHalf,
    mut shown: Shown<W>,
) -> Result<(), Denial> {
    loop {
        match from_host.wait().await {
            Some(ChannelMsg::Data { data }) => match shown.push(&data).await {
                Ok(()) => {}
                Err(Cut::Denied(denial)) => return Err(denial),
                Err(Cut::Gone) => return Ok(()),
            },
            Some(ChannelMsg::Close) | None => return Ok(()),
            Some(_) => {}
        }
    }
}

async fn up(
    link: &Link,
    number: u64,
    mut lane: Lane,
    from_client: &mut ChannelReadHalf,
    to_host: &ChannelWriteHalf<UpMsg>,
) -> Result<(), Denial> {
    let mut writer = to_host.make_writer();
    loop {
        match from_client.wait().await {
            Some(ChannelMsg::Data { data }) if !data.is_empty() => {
                link.record(FrameKind::Input, number, &data)?;
                let bytes = lane.pass(data)?.into_bytes();
                if writer.write_all(&bytes).await.is_err() {
                    // What the host still has to say is told by the other direction.
                    std::future::pending::<()>().await;
                }
            }
            Some(ChannelMsg::Eof) => {
                let _ = to_host.eof().await;
            }
            Some(ChannelMsg::Close) | None => return Ok(()),
            Some(_) => {}
        }
    }
}

/// The target that this leads to past its own gate: by its name, by a common address, or, from the host itself, by
/// loopback where the target is on the same host.
async fn leads_to(link: &Link, host: &str, port: u16) -> Option<String> {
    let all = link.targets();
    let own = all.iter().find(|t| t.name == link.target()).cloned();
    let there = addresses(host, port).await;
    // To connect to the unspecified address is to connect to oneself.
    let own_address = |a: &IpAddr| {
        // An address of this machine leads to what listens on its loopback as well.
        let is_here = || std::net::UdpSocket::bind((*a, 0)).is_ok();
        a.is_loopback() || a.is_unspecified() || is_here()
    };
    let is_loopback = there.iter().any(own_address) || host.eq_ignore_ascii_case("localhost");
    for target in all.iter().filter(|t| t.port == port) {
        let same_name = target.host.eq_ignore_ascii_case(host);
        let known = addresses(&target.host, port).await;
        let beside = own.as_ref().is_some_and(|own| own.host == target.host)
            || known.iter().any(IpAddr::is_loopback);
        if same_name || !there.is_disjoint(&known) || (is_loopback && beside) {
            return Some(target.name.clone());
        }
    }
    None
}

async fn addresses(host: &str, port: u16) -> HashSet<IpAddr> {
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => found.map(|a| a.ip().to_canonical()).collect(),
        Err(_) => HashSet::new(),
    }
}
