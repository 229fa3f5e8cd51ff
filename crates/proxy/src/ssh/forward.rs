//! A connection through the host: from a client's "direct-tcpip" or "direct-streamlocal" to where policy names (RFC 4254,
//! section 7.2; OpenSSH's PROTOCOL, section 2.4).
//!
//! Lives here: asking, and opening on the host. Never: what is sent, which stays as it is.

use super::channel::{Client, Opened, link};
use super::held;
use super::link::Link;
use super::pipe::carry;
use super::places::Place;
use super::upstream::Upstream;
use super::vet::{There, is_plain, vetted};
use brattice_core::denial::Denial;
use brattice_core::gate::{Answer, Request};
use brattice_core::record::FrameKind;
use brattice_wire::ssh::sftp::line_of;
use russh::client::Msg as UpMsg;
use russh::server::ChannelOpenHandle;
use russh::{Channel, ChannelOpenFailure};
use std::sync::Arc;

/// Of the line that says why something is refused.
const LINE_BYTES_MAX: usize = 1024;
/// Who connects, as hosts are told.
const HERE: &str = "127.0.0.1";

/// What a client wants to be connected to.
pub(super) enum To {
    /// Host and port.
    Address(String, u32),
    /// The path of a socket on the host.
    Socket(String),
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
            reject(reply, &denial).await;
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
    let (host, port) = match to {
        To::Address(host, port) => match u16::try_from(port) {
            Ok(port) if port != 0 => (host, port),
            _ => {
                reply.reject(refuse).await;
                return Ok(());
            }
        },
        // A path that is not plain is none that rules could name.
        To::Socket(path) if is_plain(&path) => (path, 0),
        To::Socket(_) => {
            reply.reject(refuse).await;
            return Ok(());
        }
    };
    let request = Request::Forward {
        host: host.clone(),
        port,
    };
    let text = request.text();
    let mut answer = link.gate.request(&link.session, request).await;
    let (cleared, allowed) = loop {
        match answer {
            Answer::Pass(cleared, allowed) => break (cleared, allowed),
            Answer::Deny(denial) => {
                link.refused(&text, &denial);
                reject(reply, &denial).await;
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
    let there = match link.while_open(vetted(link, &host, port)).await {
        Ok(there) => there,
        Err(denial) => {
            link.refused_after_all(number, &text, &denial);
            reject(reply, &denial).await;
            return Err(denial);
        }
    };
    let (upstream, on_host) = match link.while_open(begin(link, there)).await {
        Ok((upstream, Some(on_host))) => (upstream, on_host),
        other => {
            let _ = link.record(FrameKind::Outcome, number, b"not opened by the host");
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return other.map(|(upstream, _)| link.free(upstream));
        }
    };
    reply.accept().await;
    let ended = carry(link, number, allowed.lane, client, on_host).await;
    drop(upstream);
    ended
}

/// Refuses with a line that clients show.
async fn reject(reply: ChannelOpenHandle, denial: &Denial) {
    let line = line_of(denial, LINE_BYTES_MAX);
    let refuse = ChannelOpenFailure::AdministrativelyProhibited;
    reply.reject_with(refuse, line).await;
}

async fn begin(link: &Link, there: There) -> Result<(Upstream, Option<Channel<UpMsg>>), Denial> {
    let upstream = link.upstream().await?;
    let on_host = connect(&upstream, &there).await;
    Ok((upstream, on_host))
}

/// Has the host connect to the first of these that it reaches. It is told addresses: a name might lead it elsewhere than
/// where the gateway looked.
async fn connect(upstream: &Upstream, there: &There) -> Option<Channel<UpMsg>> {
    match there {
        There::Addresses(addresses, port) => {
            for address in addresses {
                let begun = upstream
                    .handle
                    .channel_open_direct_tcpip(address.to_string(), u32::from(*port), HERE, 0)
                    .await;
                match begun {
                    Ok(channel) => return Some(channel),
                    Err(error) => not_opened(&error),
                }
            }
            None
        }
        There::Socket(path) => {
            let begun = upstream
                .handle
                .channel_open_direct_streamlocal(path.as_str());
            begun.await.inspect_err(not_opened).ok()
        }
    }
}

fn not_opened(error: &russh::Error) {
    tracing::info!(%error, "the host did not open a forward");
}
