//! Running what was cleared: its input one way, its output the other.
//!
//! Lives here: both directions of one channel, each at its own pace. Never: whether it may run.

use super::channel::{Client, STDERR, Setting, Terminal};
use super::exit::Exit;
use super::intake::Noticed;
use super::link::Link;
use super::show::{Ending, Shown};
use super::upstream::Upstream;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Allowed, Cleared, Lane, Request};
use brattice_core::record::FrameKind;
use russh::client::Msg as UpMsg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// How long output that could be the beginning of a value is held back when nothing follows it.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a host may take to end what it is told to end.
const END_MAX: Duration = Duration::from_millis(500);

/// What is to be run.
pub(super) struct What<'a> {
    pub request: Request,
    pub cleared: Cleared,
    pub allowed: Allowed,
    pub setting: &'a Setting,
    pub feed: Feed,
}

/// What it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// What the client sends.
    Client,
    /// Nothing: what the client sends meanwhile stays where it is.
    Nothing,
}

/// How it ended.
pub(super) enum Ended {
    /// The client was told.
    Said,
    /// By itself; the client is still to be told.
    Exited(Exit),
    /// It was refused, or stopped.
    Denied(Denial),
    /// The client is gone.
    Gone,
}

/// Runs it to its end.
pub(super) async fn run(link: &Arc<Link>, client: &mut Client, what: What<'_>) -> Ended {
    let What {
        request,
        cleared,
        allowed,
        setting,
        feed,
    } = what;
    let number = allowed.number;
    let begun = link.while_open(async {
        let upstream = link.upstream().await?;
        let channel = begin(&upstream, &request, cleared, setting).await;
        let channel = channel.map_err(|error| {
            tracing::warn!(%error, "a channel could not be opened on the host");
            not_begun()
        })?;
        Ok((upstream, channel))
    });
    let (upstream, (mut from_host, to_host)) = match begun.await {
        Ok(begun) => begun,
        Err(denial) => {
            let _ = link.record(FrameKind::Outcome, number, b"not begun");
            return Ended::Denied(denial);
        }
    };
    if let Some(terminal) = &setting.terminal
        && let Err(denial) = record_size(link, number, terminal.columns, terminal.rows)
    {
        return Ended::Denied(denial);
    }
    let out = client.write.make_writer_ext(None);
    let output = Output {
        pause: match setting.terminal {
            // Who types sees every key at once.
            Some(_) => None,
            None => Some(PAUSE),
        },
        out: match allowed.transfers {
            true => Shown::as_it_is(link.clone(), FrameKind::Output, number, out),
            false => Shown::new(link.clone(), FrameKind::Output, number, out),
        },
        err: Shown::new(
            link.clone(),
            FrameKind::Errors,
            number,
            client.write.make_writer_ext(Some(STDERR)),
        ),
    };
    let input = Input {
        link,
        number,
        lane: allowed.lane,
        to_host: &to_host,
    };
    let input = async {
        match feed {
            Feed::Client => input.run(client).await,
            Feed::Nothing => input.keep(client).await,
        }
    };
    let ended = tokio::select! {
        exit = output.run(&mut from_host) => exit,
        left = input => Err(left),
        why = link.over() => Err(Ending::Denied(why)),
    };
    match ended {
        Ok(exit) => {
            let outcome = exit.words();
            if let Err(denial) = link.record(FrameKind::Outcome, number, outcome.as_bytes()) {
                return Ended::Denied(denial);
            }
            let _ = to_host.close().await;
            link.free(upstream);
            Ended::Exited(exit)
        }
        Err(cut) => {
            let _ = link.record(FrameKind::Outcome, number, b"stopped");
            let signal = match cut {
                Ending::Denied(_) => Sig::KILL,
                // As when a terminal is closed: what was told to outlive that goes on.
                Ending::Gone => Sig::HUP,
            };
            end(&to_host, &mut from_host, signal).await;
            drop(upstream);
            match cut {
                Ending::Denied(denial) => Ended::Denied(denial),
                Ending::Gone => Ended::Gone,
            }
        }
    }
}

/// Ends what runs on the host: without a terminal it would not notice that its connection is gone.
async fn end(to_host: &ChannelWriteHalf<UpMsg>, from_host: &mut ChannelReadHalf, signal: Sig) {
    let ended = async {
        if to_host.signal(signal).await.is_ok() {
            while !matches!(from_host.wait().await, Some(ChannelMsg::Close) | None) {}
        }
    };
    let _ = tokio::time::timeout(END_MAX, ended).await;
}

pub(super) type HostChannel = (ChannelReadHalf, ChannelWriteHalf<UpMsg>);

/// Opens a channel on the host and sets it up as the client's.
async fn begin(
    upstream: &Upstream,
    request: &Request,
    cleared: Cleared,
    setting: &Setting,
) -> Result<HostChannel, russh::Error> {
    let (read, write) = upstream.handle.channel_open_session().await?.split();
    for (name, value) in &setting.environment {
        write.set_env(false, name.as_str(), value.as_str()).await?;
    }
    if let Some(Terminal {
        name,
        columns,
        rows,
        width,
        height,
        modes,
    }) = &setting.terminal
    {
        let size = (*columns, *rows, *width, *height);
        write
            .request_pty(true, name, size.0, size.1, size.2, size.3, modes)
            .await?;
    }
    match request {
        Request::Shell { .. } => write.request_shell(true).await?,
        _ => write.exec(true, cleared.into_bytes().to_vec()).await?,
    }
    Ok((read, write))
}

fn record_size(link: &Link, number: u64, columns: u32, rows: u32) -> Result<(), Denial> {
    let size = format!("{columns}x{rows}");
    link.record(FrameKind::Terminal, number, size.as_bytes())
}

/// The way of the client's input.
struct Input<'a> {
    link: &'a Link,
    number: u64,
    lane: Lane,
    to_host: &'a ChannelWriteHalf<UpMsg>,
}

impl Input<'_> {
    /// Runs until the client leaves, or what it sends may not pass.
    async fn run(mut self, client: &mut Client) -> Ending {
        let mut writer = self.to_host.make_writer();
        loop {
            let passed = match client.next().await {
                None | Some(ChannelMsg::Close) => return Ending::Gone,
                Some(ChannelMsg::Data { data }) => self.pass(data, &mut writer, client).await,
                Some(ChannelMsg::Eof) => self.to_host.eof().await.map_err(|_| Stop::Host),
                Some(ChannelMsg::Signal { signal }) => {
                    self.to_host.signal(signal).await.map_err(|_| Stop::Host)
                }
                Some(ChannelMsg::WindowChange {
                    col_width,
                    row_height,
                    pix_width,
                    pix_height,
                }) => match record_size(self.link, self.number, col_width, row_height) {
                    Ok(()) => self
                        .to_host
                        .window_change(col_width, row_height, pix_width, pix_height)
                        .await
                        .map_err(|_| Stop::Host),
                    Err(denial) => Err(Stop::Ending(Ending::Denied(denial))),
                },
                // Refused by the door already.
                Some(_) => Ok(()),
            };
            match passed {
                Ok(()) => {}
                Err(Stop::Ending(cut)) => return cut,
                // The host takes no more; how it ended is told by what it says.
                Err(Stop::Host) => return self.watch(client).await,
            }
        }
    }

    /// Runs until the client leaves. What is run finds its input at its end.
    async fn keep(self, client: &mut Client) -> Ending {
        let _ = self.to_host.eof().await;
        self.watch(client).await
    }

    /// Takes nothing any more but signals, until the client leaves.
    async fn watch(self, client: &mut Client) -> Ending {
        loop {
            match client.intake.notice(false).await {
                Noticed::Gone => return Ending::Gone,
                Noticed::Signal(signal) => {
                    let _ = self.to_host.signal(signal).await;
                }
                Noticed::Interrupt => {}
            }
        }
    }

    /// Puts a chunk on record and passes it on. While the host does not take it, signals and a client that leaves are
    /// noticed all the same.
    async fn pass(
        &mut self,
        data: bytes::Bytes,
        writer: &mut (impl AsyncWrite + Unpin),
        client: &mut Client,
    ) -> Result<(), Stop> {
        if data.is_empty() {
            return Ok(());
        }
        let denied = |denial| Stop::Ending(Ending::Denied(denial));
        self.link
            .record(FrameKind::Input, self.number, &data)
            .map_err(denied)?;
        let bytes = self.lane.pass(data).map_err(denied)?.into_bytes();
        let mut written = std::pin::pin!(writer.write_all(&bytes));
        loop {
            tokio::select! {
                biased;
                written = &mut written => return written.map_err(|_| Stop::Host),
                noticed = client.intake.notice(false) => match noticed {
                    Noticed::Gone => return Err(Stop::Ending(Ending::Gone)),
                    Noticed::Signal(signal) => {
                        let _ = self.to_host.signal(signal).await;
                    }
                    Noticed::Interrupt => {}
                },
            }
        }
    }
}

/// Why no more input is passed on.
enum Stop {
    Ending(Ending),
    /// The host takes none.
    Host,
}

/// The way of the host's output.
struct Output<W> {
    /// How long what could be the beginning of a value is held back; not at all where somebody types.
    pause: Option<Duration>,
    out: Shown<W>,
    err: Shown<W>,
}

impl<W: AsyncWrite + Unpin> Output<W> {
    /// Runs until the program has ended and all was shown.
    async fn run(mut self, from_host: &mut ChannelReadHalf) -> Result<Exit, Ending> {
        let mut exit = Exit::default();
        let mut refused = false;
        loop {
            let holds_back = self.out.holds_back() || self.err.holds_back();
            let next = match (holds_back, self.pause) {
                (false, _) => Some(from_host.wait().await),
                // A timer would take a millisecond to say that nothing is there.
                (true, None) => now_or_never(from_host.wait()).await,
                (true, Some(pause)) => tokio::time::timeout(pause, from_host.wait()).await.ok(),
            };
            let Some(message) = next else {
                self.out.pause().await?;
                self.err.pause().await?;
                continue;
            };
            match message {
                Some(ChannelMsg::Data { data }) => self.out.push(&data).await?,
                Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => {
                    self.err.push(&data).await?;
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => exit.status = Some(exit_status),
                Some(ChannelMsg::ExitSignal {
                    signal_name,
                    core_dumped,
                    ..
                }) => exit.signal = Some((signal_name, core_dumped)),
                Some(ChannelMsg::Failure) => refused = true,
                Some(ChannelMsg::Close) | None => break,
                // What else a host says changes nothing for the client.
                Some(_) => {}
            }
            if refused {
                return Err(Ending::Denied(not_begun()));
            }
        }
        self.out.finish().await?;
        self.err.finish().await?;
        Ok(exit)
    }
}

/// What is there at once, if anything is.
async fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

pub(super) fn not_begun() -> Denial {
    Denial::new(
        Code::Unavailable,
        "brattice.target",
        "the host does not run this",
    )
    .hint("the operators can see why in the host's own log")
}
