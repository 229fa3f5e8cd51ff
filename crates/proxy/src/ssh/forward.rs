//! A connection through the host: from a client's "direct-tcpip" to where policy names (RFC 4254, section 7.2).
//!
//! Lives here: asking, opening on the host, and both directions. Never: what is sent, which stays as it is.

use super::channel::{Client, Opened, link};
use super::door::Place;
use super::held;
use super::intake::Intake;
use super::link::Link;
use super::show::{Cut, Shown};
use super::upstream::Upstream;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Answer, Lane, Request};
use brattice_core::record::FrameKind;
use russh::client::Msg as UpMsg;
use russh::server::ChannelOpenHandle;
use russh::{Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf};
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
    client: Client,
    reply: ChannelOpenHandle,
    to: To,
    place: Place,
) {
    let denied = match link(opened).await {
        Ok(link) => {
            let at_work = link.at_work();
            let done = open(&link, client, reply, to).await;
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
    client: Client,
    reply: ChannelOpenHandle,
    to: To,
) -> Result<(), Denial> {
    let refuse = ChannelOpenFailure::AdministrativelyProhibited;
    let Ok(port) = u16::try_from(to.port) else {
        reply.reject(refuse).await;
        return Ok(());
    };
    let request = Request::Forward {
        host: to.host.clone(),
        port,
    };
    let text = request.text();
    let mut answer = link.gate.request(&link.session, request).await;
    let (cleared, allowed) = loop {
        match answer {
            Answer::Pass(cleared, allowed) => break (cleared, allowed),
            Answer::Deny(denial) => {
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
    link.record(FrameKind::Command, number, text.as_bytes())?;
    // Looked up for those alone who may go there, and as late as can be.
    let there = match vetted(link, &to.host, port).await {
        Ok(there) => there,
        Err(denial) => {
            {
                let mut session = link.lock();
                link.gate.note_refusal(&mut session, &text, &denial);
            }
            let _ = link.record(FrameKind::Verdict, 0, &denial.recorded(text.as_bytes()));
            let _ = link.record(FrameKind::Outcome, number, b"refused");
            reply.reject(refuse).await;
            return Err(denial);
        }
    };
    let upstream = match link.upstream().await {
        Ok(upstream) => upstream,
        Err(denial) => {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Err(denial);
        }
    };
    let Some(on_host) = connect(&upstream, &there, port).await else {
        let _ = link.record(FrameKind::Outcome, number, b"not opened by the host");
        reply.reject(ChannelOpenFailure::ConnectFailed).await;
        link.free(upstream);
        return Ok(());
    };
    let (mut from_host, to_host) = on_host.split();
    reply.accept().await;
    let Client {
        mut intake,
        write: to_client,
        ..
    } = client;
    let shown = Shown::as_it_is(
        link.clone(),
        FrameKind::Output,
        number,
        to_client.make_writer(),
    );
    let ended = tokio::select! {
        ended = down(&mut from_host, shown) => ended,
        ended = up(link, number, allowed.lane, &mut intake, &to_host) => ended,
        why = link.over() => Err(why),
    };
    let _ = link.record(FrameKind::Outcome, number, b"closed");
    let _ = to_client.eof().await;
    let _ = to_client.close().await;
    drop(upstream);
    ended
}

/// Has the host connect to the first of these that it reaches. It is told addresses: a name might lead it elsewhere than
/// where the gateway looked.
async fn connect(upstream: &Upstream, there: &[IpAddr], port: u16) -> Option<Channel<UpMsg>> {
    for address in there {
        let begun = upstream
            .handle
            .channel_open_direct_tcpip(address.to_string(), u32::from(port), "127.0.0.1", 0)
            .await;
        match begun {
            Ok(channel) => return Some(channel),
            Err(error) => tracing::info!(%error, "the host did not open a forward"),
        }
    }
    None
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
    intake: &mut Intake,
    to_host: &ChannelWriteHalf<UpMsg>,
) -> Result<(), Denial> {
    let mut writer = to_host.make_writer();
    loop {
        match intake.next().await {
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

/// The addresses that a name stands for, if none of them leads to a target past its gate.
async fn vetted(link: &Link, host: &str, port: u16) -> Result<Vec<IpAddr>, Denial> {
    let denied = |reason: String| Denial::new(Code::Forbidden, "brattice.forward", reason);
    let there = addresses(host).await;
    // What only the host can resolve may lead to any target.
    if there.is_empty() {
        let reason = "the name leads to no address that the gateway knows";
        return Err(denied(reason.to_owned()));
    }
    match leads_to(link, &there, port).await {
        None => Ok(there),
        Some(other) => Err(
            denied(format!("this leads to target \"{other}\", past its gate"))
                .hint("open that target itself through the gateway"),
        ),
    }
}

/// The target that these lead to past its own gate: by a common address, or, from the host itself, by one of its own where
/// the target is on the same host.
async fn leads_to(link: &Link, there: &[IpAddr], port: u16) -> Option<String> {
    let all = link.targets();
    let host = match all.iter().find(|t| t.name == link.target()) {
        Some(own) => addresses(&own.host).await,
        None => Vec::new(),
    };
    let own = there.iter().any(|a| is_own(*a) || host.contains(a));
    for target in all.iter().filter(|t| t.port == port) {
        let known = addresses(&target.host).await;
        let beside = || known.iter().any(|a| is_own(*a) || host.contains(a));
        if known.iter().any(|a| there.contains(a)) || (own && beside()) {
            return Some(target.name.clone());
        }
    }
    None
}

/// Whether it leads back to where it is used: a loopback address, the unspecified one, to which connecting is connecting to
/// oneself, or one of this machine, which leads to what listens on its loopback as well.
fn is_own(address: IpAddr) -> bool {
    let is_here = || std::net::UdpSocket::bind((address, 0)).is_ok();
    address.is_loopback() || address.is_unspecified() || is_here()
}

async fn addresses(host: &str) -> Vec<IpAddr> {
    let mut all = Vec::new();
    // The port is of no consequence to where a name leads.
    if let Ok(found) = tokio::net::lookup_host((host, 1)).await {
        for address in found.map(|a| a.ip().to_canonical()) {
            if !all.contains(&address) {
                all.push(address);
            }
        }
    }
    all
}
