//! A connection that is carried from one end to the other, on record and as it is.
//!
//! Lives here: both directions, each at its own pace. Never: what is sent, or whether it may be.

use super::channel::Client;
use super::intake::Intake;
use super::link::Link;
use super::show::{Ending, Shown};
use brattice_core::denial::Denial;
use brattice_core::gate::Lane;
use brattice_core::record::FrameKind;
use russh::client::Msg as UpMsg;
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use std::sync::Arc;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Carries both directions to their end, and closes both ends.
pub(super) async fn carry(
    link: &Arc<Link>,
    number: u64,
    lane: Lane,
    client: Client,
    on_host: Channel<UpMsg>,
) -> Result<(), Denial> {
    let (mut from_host, to_host) = on_host.split();
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
        ended = down(&mut from_host, shown, &to_client) => ended,
        ended = up(link, number, lane, &mut intake, &to_host) => ended,
        why = link.over() => Err(why),
    };
    let _ = link.record(FrameKind::Outcome, number, b"closed");
    let _ = to_client.eof().await;
    let _ = to_client.close().await;
    let _ = to_host.close().await;
    ended
}

async fn down<W: AsyncWrite + Unpin>(
    from_host: &mut ChannelReadHalf,
    mut shown: Shown<W>,
    to_client: &ChannelWriteHalf<Msg>,
) -> Result<(), Denial> {
    loop {
        match from_host.wait().await {
            Some(ChannelMsg::Data { data }) => match shown.push(&data).await {
                Ok(()) => {}
                Err(Ending::Denied(denial)) => return Err(denial),
                Err(Ending::Gone) => return Ok(()),
            },
            Some(ChannelMsg::Eof) => {
                let _ = to_client.eof().await;
            }
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
