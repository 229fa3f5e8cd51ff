//! From the target: which reply belongs to what, and what of it the client sees.
//!
//! Here lives the matching of replies. Never here: a reply that nobody asked for, or of another kind than the request can
//! have.

use super::code::Code;
use super::encode;
use super::extensions::{Extension, Greeting, VERSION};
use super::outbox::Plumbing;
use super::refusal;
use super::reply::{self, FromTarget, LIMITS_FIGURES, Name, Reply, STATVFS_FIGURES};
use super::request;
use super::settle::{Lookup, Turn};
use super::{Event, Owed, Owing, Sftp, Stage, Wanted, Work};
use crate::{PeerMisbehaved, Side};
use bytes::BytesMut;

impl Sftp {
    /// Reads replies until there is something to tell, none is whole, or much waits for the client.
    ///
    /// # Errors
    /// When the target breaks the protocol: the channel must end.
    pub fn target(&mut self, input: &mut BytesMut) -> Result<Option<Event>, PeerMisbehaved> {
        while self.wants_target() {
            let event = match reply::next(input, &self.limits)? {
                None => return Ok(None),
                Some(FromTarget::Version(greeting)) => {
                    self.version(greeting)?;
                    None
                }
                Some(FromTarget::Reply(id, reply)) => match self.owed.remove(&id) {
                    None => return Err(unexpected(reply.kind(), "no request of that id")),
                    Some(owed) => self.reply(owed, reply)?,
                },
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    fn version(&mut self, greeting: Greeting) -> Result<(), PeerMisbehaved> {
        if self.stage != Stage::Greeting {
            return Err(unexpected("VERSION", "the session"));
        }
        if greeting.version != VERSION {
            return Err(PeerMisbehaved::UnsupportedVersion {
                side: Side::Target,
                major: u16::try_from(greeting.version).unwrap_or(u16::MAX),
                minor: 0,
            });
        }
        self.extensions = greeting.extensions;
        let mut looks = 1;
        if self.extensions.contains(&Extension::Limits) {
            let own = self.id();
            self.outbox.plumbing(Plumbing::Limits(own));
            self.owed.insert(own, Owed::Limits);
            looks = 2;
        }
        let own = self.id();
        let start = Lookup::Realpath(".".to_owned());
        self.outbox.plumbing(Plumbing::Look(own, start));
        self.owed.insert(own, Owed::Start);
        self.stage = Stage::Looking(looks);
        Ok(())
    }

    fn reply(&mut self, owed: Owed, reply: Reply) -> Result<Option<Event>, PeerMisbehaved> {
        match owed {
            Owed::Start => self.start(reply)?,
            Owed::Limits => self.target_limits(reply)?,
            Owed::Look => return self.looked(reply),
            Owed::Client(owing) => return self.replied(owing, reply),
        }
        self.stage = match self.stage {
            Stage::Looking(2..) => Stage::Looking(1),
            Stage::Looking(_) => Stage::Ready,
            other => other,
        };
        self.introduce();
        Ok(None)
    }

    fn start(&mut self, reply: Reply) -> Result<(), PeerMisbehaved> {
        let Reply::Names(names) = reply else {
            return Err(unexpected(reply.kind(), "the look for its start directory"));
        };
        let one = match names.as_slice() {
            [one] => request::path(&one.name, self.limits.path_bytes_max).ok(),
            _ => None,
        };
        match one.filter(|start| super::path::is_plain(start)) {
            Some(start) => {
                self.start = start;
                Ok(())
            }
            None => Err(PeerMisbehaved::BadValue {
                side: Side::Target,
                message: "NAME",
                field: "start directory",
            }),
        }
    }

    /// A zero says that there is no limit. A target that does not tell after all is taken at OpenSSH's.
    fn target_limits(&mut self, reply: Reply) -> Result<(), PeerMisbehaved> {
        match reply {
            Reply::Status(code, _) if code != Code::Ok => Ok(()),
            Reply::Figures(figures) => {
                let [_frame, read, write, _handles] = figures.as_slice() else {
                    return Err(figures_wrong(figures.len(), LIMITS_FIGURES));
                };
                let at_most = |own: usize, theirs: u64| match theirs {
                    0 => own,
                    some => own.min(usize::try_from(some).unwrap_or(usize::MAX)),
                };
                self.read_bytes_max = at_most(self.read_bytes_max, *read);
                self.write_bytes_max = at_most(self.write_bytes_max, *write);
                Ok(())
            }
            other => Err(unexpected(other.kind(), "the look for its limits")),
        }
    }

    /// A look-up for the request that waits was answered.
    fn looked(&mut self, reply: Reply) -> Result<Option<Event>, PeerMisbehaved> {
        let Some(Work::Settling {
            id,
            request,
            first,
            mut name,
        }) = self.work.take()
        else {
            return Ok(None);
        };
        Ok(match name.heard(reply)? {
            Turn::Look(lookup) => {
                self.look(lookup);
                self.work = Some(Work::Settling {
                    id,
                    request,
                    first,
                    name,
                });
                None
            }
            Turn::Settled(settled) => self.settled(id, request, first, settled),
            Turn::Refused(why) => Some(self.refuse(id, request.name(), refusal::of_unsettled(why))),
        })
    }

    /// Hands a reply on, under the client's own id.
    fn replied(&mut self, owing: Owing, reply: Reply) -> Result<Option<Event>, PeerMisbehaved> {
        let Owing { id, ask, wanted } = owing;
        let ended = usize::from(matches!(wanted, Wanted::Window(_)));
        self.windows = self.windows.saturating_sub(ended);
        let outcome = |code| ask.map(|ask| Event::Outcome { ask, code });
        let (code, text) = match reply {
            Reply::Status(code, text) => (code, text),
            other => {
                let done = self.wanted(id, wanted, other)?;
                return Ok(done.or_else(|| outcome(Code::Ok)));
            }
        };
        let mut done = None;
        match wanted {
            // Where the file ends, the window does.
            Wanted::Window(window) if code == Code::Eof => {
                return Ok(self.window_done(id, *window));
            }
            Wanted::Window(window) if code != Code::Ok => {
                done = self.files.came(window.file, window.offset, &[]);
            }
            Wanted::Status => {}
            Wanted::Closed { file } => done = self.files.closed(file),
            Wanted::Written { file, bytes } => {
                done = self.files.took(file, bytes, code == Code::Ok);
            }
            _ if code == Code::Ok => return Err(unexpected("STATUS", "another reply")),
            Wanted::Handle(_) => self.files.not_opened(),
            Wanted::Window(_) => {}
            Wanted::Data { file, offset, .. } => done = self.files.came(file, offset, &[]),
            Wanted::Attributes | Wanted::Entries | Wanted::Name | Wanted::Statvfs => {}
        }
        encode::status(&mut self.to_client, id, code, &text);
        Ok(done.map(Event::FileDone).or_else(|| outcome(code)))
    }

    /// Hands on what was wanted.
    fn wanted(
        &mut self,
        id: u32,
        wanted: Wanted,
        reply: Reply,
    ) -> Result<Option<Event>, PeerMisbehaved> {
        let (wanted, reply) = match (wanted, reply) {
            (Wanted::Window(window), Reply::Data(data)) => {
                return self.window_came(id, window, &data);
            }
            other => other,
        };
        let out = &mut self.to_client;
        match (wanted, reply) {
            (Wanted::Attributes, Reply::Attributes(attributes)) => {
                encode::attributes(out, id, &attributes);
            }
            (Wanted::Entries, Reply::Names(names)) => {
                names.iter().try_for_each(entry)?;
                encode::names(out, id, &names);
            }
            (Wanted::Name, Reply::Names(names)) => {
                if names.len() != 1 {
                    return Err(PeerMisbehaved::TooMany {
                        side: Side::Target,
                        message: "NAME",
                        field: "names",
                        count: names.len(),
                        max: 1,
                    });
                }
                encode::names(out, id, &names);
            }
            (Wanted::Statvfs, Reply::Figures(figures)) => {
                if figures.len() != STATVFS_FIGURES {
                    return Err(figures_wrong(figures.len(), STATVFS_FIGURES));
                }
                encode::figures(out, id, &figures);
            }
            (Wanted::Handle(opening), Reply::Handle(handle)) => {
                let own = self.files.opened(handle, *opening)?;
                encode::handle(out, id, &own);
            }
            (
                Wanted::Data {
                    file,
                    offset,
                    length,
                },
                Reply::Data(data),
            ) => {
                if data.len() as u64 > u64::from(length) {
                    return Err(unexpected("DATA", "a read of less"));
                }
                encode::data(out, id, &data);
                let done = self.files.came(file, offset, &data);
                return Ok(done.map(Event::FileDone));
            }
            (_, other) => return Err(unexpected(other.kind(), "another reply")),
        }
        Ok(None)
    }
}

/// A name in a listing is one name: with a slash in it, a client that fetches what was listed would write elsewhere.
fn entry(name: &Name) -> Result<(), PeerMisbehaved> {
    if name.name.is_empty() || name.name.iter().any(|b| matches!(b, 0 | b'/')) {
        return Err(PeerMisbehaved::BadValue {
            side: Side::Target,
            message: "NAME",
            field: "name",
        });
    }
    Ok(())
}

fn figures_wrong(count: usize, max: usize) -> PeerMisbehaved {
    PeerMisbehaved::TooMany {
        side: Side::Target,
        message: "EXTENDED_REPLY",
        field: "figures",
        count,
        max,
    }
}

fn unexpected(message: &'static str, state: &'static str) -> PeerMisbehaved {
    PeerMisbehaved::Unexpected {
        side: Side::Target,
        message,
        state,
    }
}
