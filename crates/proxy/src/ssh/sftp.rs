//! One SFTP subsystem: the machine of `brattice_wire::ssh::sftp` between the client's channel and the host's.
//!
//! Lives here: moving bytes, asking the gate, and what is put on record of files. Never: what a frame means.

mod files;

use super::channel::{Client, refusal};
use super::held;
use super::intake::Noticed;
use super::link::Link;
use super::run::{Ended, HostChannel, not_begun};
use super::upstream::Upstream;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::Answer;
use brattice_core::ids::ApprovalId;
use brattice_core::ports::BoxFuture;
use brattice_core::record::FrameKind;
use brattice_wire::PeerMisbehaved;
use brattice_wire::ssh::sftp::{
    Ask, Event, FileDone, Limits, MASKED_READ_BYTES_MAX, Sftp, Verdict,
};
use bytes::BytesMut;
use russh::{ChannelMsg, ChannelReadHalf};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Bytes of either side that wait to be decoded before no more are read.
const UNREAD_BYTES_MAX: usize = 1 << 20;

/// Paths whose commands are known while they are open.
const OPENED_MAX: usize = 1024;

/// Serves the subsystem to its end.
pub(super) async fn run(link: &Arc<Link>, client: &mut Client) -> Ended {
    let begun = link.while_open(async {
        let upstream = link.upstream().await?;
        let channel = open(&upstream).await.map_err(|error| {
            tracing::warn!(%error, "a channel could not be opened on the host");
            not_begun()
        })?;
        Ok((upstream, channel))
    });
    let (upstream, (mut from_host, to_host)) = match begun.await {
        Ok(begun) => begun,
        Err(denial) => return Ended::Denied(denial),
    };
    let mut limits = Limits::default();
    if link.lock().masks_files() {
        // As much as is shown at once of a file that is masked: clients that ask for more and get less are slower, or worse.
        limits.read_bytes_max = MASKED_READ_BYTES_MAX;
    }
    let mut session = Session {
        link: link.clone(),
        machine: Sftp::new(limits),
        from_client: BytesMut::new(),
        from_host: BytesMut::new(),
        judging: None,
        held: None,
        numbers: HashMap::new(),
        opened: HashMap::new(),
        client_is_done: false,
        said: String::new(),
    };
    let mut to_client = client.write.make_writer();
    let mut to_host_writer = to_host.make_writer();
    let ended = tokio::select! {
        ended = session.run(client, &mut to_client, &mut from_host, &mut to_host_writer) => ended,
        why = link.over() => Err(Some(why)),
    };
    session.end().await;
    match ended {
        Ok(()) => {
            let _ = to_host.close().await;
            link.free(upstream);
            client.exit(0).await;
            Ended::Said
        }
        Err(Some(denial)) => Ended::Denied(denial),
        Err(None) => Ended::Gone,
    }
}

/// Why it ends before its time; without words when the client is gone.
type Stop = Option<Denial>;

struct Session {
    link: Arc<Link>,
    machine: Sftp,
    from_client: BytesMut,
    from_host: BytesMut,
    /// The question that the gate thinks about.
    judging: Option<Judging>,
    /// The question that waits for people.
    held: Option<ApprovalId>,
    /// The command counters of questions that passed, until their outcome is known.
    numbers: HashMap<u64, u64>,
    /// Those that opened files, by path, until these are closed.
    opened: HashMap<String, u64>,
    client_is_done: bool,
    /// What the user is to read beside the client's own words, which are few.
    said: String,
}

/// A question that the gate thinks about.
struct Judging {
    ask: u64,
    /// In words.
    text: String,
    /// The file that it opens.
    opens: Option<String>,
    answer: BoxFuture<'static, Answer>,
}

async fn open(upstream: &Upstream) -> Result<HostChannel, russh::Error> {
    let channel = upstream.handle.channel_open_session().await?;
    channel.request_subsystem(true, "sftp").await?;
    Ok(channel.split())
}

/// The next message; where none is read, waits for the client to be gone.
async fn heard(client: &mut Client, reads: bool) -> Option<ChannelMsg> {
    if reads {
        return client.next().await;
    }
    while !matches!(client.intake.notice(false).await, Noticed::Gone) {}
    None
}

/// What woke the session.
enum Woken {
    Client(Option<ChannelMsg>),
    Host(Option<ChannelMsg>),
    ToClient(std::io::Result<usize>),
    ToHost(std::io::Result<usize>),
    Judged(Answer),
}

impl Session {
    async fn run(
        &mut self,
        client: &mut Client,
        to_client: &mut (impl AsyncWrite + Unpin),
        from_host: &mut ChannelReadHalf,
        to_host: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), Stop> {
        loop {
            self.work()?;
            if !self.said.is_empty() {
                client.say(false, &std::mem::take(&mut self.said)).await;
            }
            if self.is_done() {
                return Ok(());
            }
            let reads_client = self.from_client.len() < UNREAD_BYTES_MAX;
            let reads_host = self.machine.wants_target() && self.from_host.len() < UNREAD_BYTES_MAX;
            let (writes_client, writes_host) = (
                !self.machine.to_client.is_empty(),
                !self.machine.outbox.is_empty(),
            );
            // A write that is given up half way goes on with the same bytes the next time.
            let woken = tokio::select! {
                message = heard(client, reads_client) => Woken::Client(message),
                message = from_host.wait(), if reads_host => Woken::Host(message),
                sent = to_client.write(&self.machine.to_client), if writes_client => Woken::ToClient(sent),
                sent = to_host.write(self.machine.outbox.bytes()), if writes_host => Woken::ToHost(sent),
                answer = judged(&mut self.judging) => Woken::Judged(answer),
            };
            self.wake(woken)?;
        }
    }

    fn wake(&mut self, woken: Woken) -> Result<(), Stop> {
        match woken {
            Woken::Client(Some(ChannelMsg::Data { data })) => {
                self.from_client.extend_from_slice(&data);
            }
            Woken::Client(Some(ChannelMsg::Eof)) => self.client_is_done = true,
            Woken::Client(None | Some(ChannelMsg::Close)) => return Err(None),
            Woken::Host(Some(ChannelMsg::Data { data })) => self.from_host.extend_from_slice(&data),
            Woken::Host(Some(ChannelMsg::Failure)) => return Err(Some(not_begun())),
            Woken::Host(None | Some(ChannelMsg::Close)) => return Err(Some(host_gone())),
            // Signals, sizes, and what the host's server says on its stream of errors mean nothing here.
            Woken::Client(Some(_)) | Woken::Host(Some(_)) => {}
            Woken::ToClient(sent) => {
                let sent = sent.map_err(|_| None)?;
                let _ = self.machine.to_client.split_to(sent);
            }
            Woken::ToHost(sent) => {
                let sent = sent.map_err(|_| Some(host_gone()))?;
                self.machine.outbox.advance(sent);
            }
            Woken::Judged(answer) => self.judged(answer)?,
        }
        Ok(())
    }

    /// Lets the machine read what there is, and does what it asks.
    fn work(&mut self) -> Result<(), Stop> {
        loop {
            let before = self.machine.to_client.len();
            let event = match self.machine.target(&mut self.from_host).map_err(strange)? {
                Some(event) => Some(event),
                None => self
                    .machine
                    .client(&mut self.from_client)
                    .map_err(strange)?,
            };
            let more = self.machine.to_client.len().saturating_sub(before);
            self.link.counted(more).map_err(Some)?;
            match event {
                Some(event) => self.event(event)?,
                None => return Ok(()),
            }
        }
    }

    fn event(&mut self, event: Event) -> Result<(), Stop> {
        match event {
            Event::Ask(ask) => {
                self.ask(ask);
                Ok(())
            }
            Event::Refused { what, denial } => {
                self.link
                    .gate
                    .note_refusal(&mut self.link.lock(), what, &denial);
                Ok(())
            }
            Event::Outcome { ask, code } => match self.numbers.remove(&ask) {
                Some(number) => self.record(FrameKind::Outcome, number, files::outcome(code)),
                None => Ok(()),
            },
            Event::FileDone(file) => self.file_done(&file),
        }
    }

    fn file_done(&mut self, file: &FileDone) -> Result<(), Stop> {
        let number = self.opened.remove(&file.path).unwrap_or_default();
        if let Some(denial) = &file.withheld {
            let what = format!("sftp read {}", file.path);
            let mut session = self.link.lock();
            self.link.gate.note_refusal(&mut session, &what, denial);
            drop(session);
            self.said.push_str(&refusal(denial));
        }
        if !file.masked.masked.is_empty() {
            self.said.push_str(&files::told_masked(file));
        }
        self.record(FrameKind::File, number, &files::told(file))
    }

    fn record(&self, kind: FrameKind, number: u64, text: &str) -> Result<(), Stop> {
        self.link
            .record(kind, number, text.as_bytes())
            .map_err(Some)
    }

    fn ask(&mut self, ask: Ask) {
        let (number, opens) = (ask.number, files::opens(&ask));
        let request = files::request(ask);
        let text = request.text();
        let link = self.link.clone();
        let asking = async move { link.gate.request(&link.session, request).await };
        self.judging = Some(Judging {
            ask: number,
            text,
            opens,
            answer: Box::pin(asking),
        });
    }

    fn judged(&mut self, answer: Answer) -> Result<(), Stop> {
        let Some(judging) = self.judging.take() else {
            return Ok(());
        };
        let verdict = match answer {
            Answer::Park(parked) => {
                self.said.push_str(&held::notice(&parked));
                self.held = Some(parked.approval().clone());
                let link = self.link.clone();
                let waiting = async move { held::wait_unseen(&link, *parked).await };
                self.judging = Some(Judging {
                    answer: Box::pin(waiting),
                    ..judging
                });
                return Ok(());
            }
            Answer::Pass(cleared, allowed) => {
                self.record(FrameKind::Command, allowed.number, &judging.text)?;
                if self.opened.len() >= OPENED_MAX {
                    self.opened.clear();
                }
                self.numbers.insert(judging.ask, allowed.number);
                self.opened
                    .extend(judging.opens.map(|path| (path, allowed.number)));
                Verdict::Pass {
                    cleared,
                    lane: Some(allowed.lane),
                    masks: allowed.masks.then(|| self.link.detector.clone()),
                }
            }
            Answer::Deny(denial) => {
                self.link.refused(&judging.text, &denial);
                self.said.push_str(&refusal(&denial));
                Verdict::Deny(denial)
            }
        };
        self.held = None;
        match self.machine.answer(verdict) {
            Some(event) => self.event(event),
            None => Ok(()),
        }
    }

    /// The client wants nothing more, and has all that it asked for.
    fn is_done(&self) -> bool {
        self.client_is_done
            && self.judging.is_none()
            && self.machine.to_client.is_empty()
            && self.machine.outbox.is_empty()
            && !self.machine.awaits_target()
    }

    /// What was under way is on record as far as it is known.
    async fn end(&mut self) {
        if let Some(id) = self.held.take() {
            self.link.gate.abandon_id(id).await;
        }
        let ended = self.machine.end();
        for file in ended.files {
            let _ = self.file_done(&file);
        }
        for ask in ended.unanswered {
            if let Some(number) = self.numbers.remove(&ask) {
                let _ = self.record(FrameKind::Outcome, number, "outcome unknown");
            }
        }
    }
}

async fn judged(judging: &mut Option<Judging>) -> Answer {
    match judging {
        Some(judging) => (&mut judging.answer).await,
        None => std::future::pending().await,
    }
}

fn strange(sin: PeerMisbehaved) -> Stop {
    tracing::warn!(%sin, "an SFTP session ends");
    Some(Denial::new(
        Code::NotSupported,
        "brattice.sftp",
        sin.to_string(),
    ))
}

fn host_gone() -> Denial {
    Denial::new(
        Code::Unavailable,
        "brattice.target",
        "the host closed its SFTP server",
    )
    .hint("the host may have none: see its own log")
}
