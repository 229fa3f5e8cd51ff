//! From the client: which request becomes a look-up or a question, and which is answered here.
//!
//! Here lives the order of requests that name something. Never here: a request that is forwarded with a name nobody settled.

use super::ask::{self, Ask, Said};
use super::encode;
use super::extensions::VERSION;
use super::outbox::Plumbing;
use super::path;
use super::refusal;
use super::reply::Name;
use super::request::{self, FromClient, OnPath, OnTwo, Request};
use super::settle::{Lookup, Settling};
use super::{Asked, Event, Owed, Sftp, Stage, Then, Wanted, Work};
use crate::{PeerMisbehaved, Side};
use bytes::{Bytes, BytesMut};

impl Sftp {
    /// Reads from the client until there is something to tell, or nothing more may be read now. What it may read changes with
    /// each [`Sftp::target`] and [`Sftp::answer`], and as output is taken away: it is to be called again after each.
    ///
    /// # Errors
    /// When the client breaks the protocol: the channel must end.
    pub fn client(&mut self, input: &mut BytesMut) -> Result<Option<Event>, PeerMisbehaved> {
        while self.wants_client() {
            let event = match request::next(input, &self.limits)? {
                None => return Ok(None),
                Some(FromClient::Init(greeting)) => {
                    self.greeted(greeting.version)?;
                    None
                }
                Some(FromClient::Request(..)) if !self.greeted => {
                    return Err(unexpected("a request", "the opening"));
                }
                Some(FromClient::Request(id, Err(unfit))) => {
                    Some(self.refuse(id, "request", refusal::of_unfit(unfit)))
                }
                Some(FromClient::Request(id, Ok(request))) => self.request(id, request),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    /// The client's INIT. One that speaks a later version is answered with ours (draft 02, section 4).
    fn greeted(&mut self, version: u32) -> Result<(), PeerMisbehaved> {
        if self.greeted {
            return Err(unexpected("INIT", "the session"));
        }
        if version < VERSION {
            return Err(PeerMisbehaved::UnsupportedVersion {
                side: Side::Client,
                major: u16::try_from(version).unwrap_or(u16::MAX),
                minor: 0,
            });
        }
        self.greeted = true;
        self.introduce();
        Ok(())
    }

    /// Tells the client the VERSION, once both sides are ready for it.
    pub(super) fn introduce(&mut self) {
        if self.greeted && !self.introduced && self.stage == Stage::Ready {
            self.introduced = true;
            encode::version(&mut self.to_client, &self.extensions);
        }
    }

    fn request(&mut self, id: u32, request: Request) -> Option<Event> {
        let name = request.name();
        if let Some(extension) = request.extension()
            && !self.extensions.contains(&extension)
        {
            return Some(self.refuse(id, name, refusal::of_not_offered()));
        }
        match request {
            Request::Limits => {
                self.tell_limits(id);
                None
            }
            Request::Handle(what, handle) => self.on_handle(id, what, handle),
            Request::Path(on, raw) => {
                let opens = matches!(on, OnPath::Open { .. } | OnPath::Opendir);
                if opens && self.files.count() >= self.limits.handles_max {
                    return Some(self.refuse(id, name, refusal::of_handles()));
                }
                let plain = path::absolute(&self.start, &raw);
                if on == OnPath::Realpath && plain == self.start {
                    self.tell_start(id);
                    return None;
                }
                let follow = ask::follows(&on);
                self.settle(id, Request::Path(on, raw), None, &plain, follow)
            }
            Request::Two(on, first, second) => {
                // A link's own place comes first: where it leads depends on it.
                let (raw, follow) = match on {
                    OnTwo::Symlink => (&second, false),
                    // Some systems follow a link here and some do not, so nothing but its end is ever named.
                    OnTwo::Hardlink => (&first, true),
                    OnTwo::Rename | OnTwo::PosixRename => (&first, false),
                };
                let plain = path::absolute(&self.start, raw);
                self.settle(id, Request::Two(on, first, second), None, &plain, follow)
            }
        }
    }

    /// The start directory is no secret: the client was told to begin there. Everything else it asks about is judged.
    fn tell_start(&mut self, id: u32) {
        let name = Bytes::copy_from_slice(self.start.as_bytes());
        let one = Name {
            long: name.clone(),
            name,
            attributes: super::Attributes::default(),
        };
        encode::names(&mut self.to_client, id, &[one]);
    }

    /// OpenSSH's PROTOCOL document, section 4.8.
    fn tell_limits(&mut self, id: u32) {
        let figures = [
            self.limits.frame_bytes_max,
            self.read_bytes_max,
            self.write_bytes_max,
            self.limits.handles_max,
        ];
        let figures = figures.map(|figure| figure as u64);
        encode::figures(&mut self.to_client, id, &figures);
    }

    /// Begins to settle a name of a request.
    fn settle(
        &mut self,
        id: u32,
        request: Request,
        first: Option<String>,
        plain: &str,
        follow: bool,
    ) -> Option<Event> {
        let bytes_max = self.limits.path_bytes_max;
        if plain.len() > bytes_max {
            let refusal = refusal::of_unfit(request::Unfit::PathTooLong);
            return Some(self.refuse(id, request.name(), refusal));
        }
        let (name, lookup) = Settling::new(plain, follow, self.limits.lookups_max, bytes_max);
        self.look(lookup);
        self.work = Some(Work::Settling {
            id,
            request,
            first,
            name,
        });
        None
    }

    pub(super) fn look(&mut self, lookup: Lookup) {
        let own = self.id();
        self.outbox.plumbing(Plumbing::Look(own, lookup));
        self.owed.insert(own, Owed::Look);
    }

    /// A name is settled: there may be a second one, or it is time to ask.
    pub(super) fn settled(
        &mut self,
        id: u32,
        request: Request,
        first: Option<String>,
        settled: String,
    ) -> Option<Event> {
        match (request, first) {
            (Request::Path(on, _), _) => self.ask(id, Request::Path(on, settled), None),
            (Request::Two(OnTwo::Symlink, text, _), Some(place)) => {
                let request = Request::Two(OnTwo::Symlink, text, place);
                self.ask(id, request, Some(settled))
            }
            (Request::Two(on, _, _), Some(first)) => {
                self.ask(id, Request::Two(on, first, settled), None)
            }
            (Request::Two(OnTwo::Symlink, text, raw), None) => {
                let directory = path::split(&settled).map_or("/", |(directory, _)| directory);
                let Some(leads) = path::leads(directory, &text).filter(|_| !text.is_empty()) else {
                    return Some(self.refuse(id, "SYMLINK", refusal::of_text()));
                };
                let request = Request::Two(OnTwo::Symlink, text, raw);
                self.settle(id, request, Some(settled), &leads, true)
            }
            (Request::Two(on, raw, second), None) => {
                let plain = path::absolute(&self.start, &second);
                let request = Request::Two(on, raw, second);
                self.settle(id, request, Some(settled), &plain, false)
            }
            // Nothing else has a name to settle.
            (Request::Handle(..) | Request::Limits, _) => None,
        }
    }

    /// Asks the gate about a request whose names are settled.
    fn ask(&mut self, id: u32, request: Request, leads: Option<String>) -> Option<Event> {
        let said = ask::said(&request, leads)?;
        let then = match &request {
            Request::Path(OnPath::Open { flags, .. }, path) => {
                Then::Opens(path.clone(), Some(*flags))
            }
            Request::Path(OnPath::Opendir, path) => Then::Opens(path.clone(), None),
            Request::Path(OnPath::Stat | OnPath::Lstat, _) => Then::Wants(Wanted::Attributes),
            Request::Path(OnPath::Realpath | OnPath::Readlink, _) => Then::Wants(Wanted::Name),
            Request::Path(OnPath::Statvfs, _) => Then::Wants(Wanted::Statvfs),
            _ => Then::Wants(Wanted::Status),
        };
        Some(self.put(id, &request, said, then, false))
    }

    pub(super) fn put(
        &mut self,
        id: u32,
        request: &Request,
        said: Said,
        then: Then,
        by_handle: bool,
    ) -> Event {
        let own = self.id();
        let mut frame = BytesMut::new();
        encode::request(&mut frame, own, request);
        let frame = frame.freeze();
        self.asks = self.asks.saturating_add(1);
        self.work = Some(Work::Asked(Asked {
            number: self.asks,
            id,
            own,
            frame: frame.clone(),
            what: request.name(),
            then,
        }));
        Event::Ask(Ask {
            number: self.asks,
            line: said.line(request),
            operation: said.operation,
            path: said.path,
            second: said.second,
            text: said.text,
            attributes: said.attributes,
            by_handle,
            frame,
        })
    }
}

fn unexpected(message: &'static str, state: &'static str) -> PeerMisbehaved {
    PeerMisbehaved::Unexpected {
        side: Side::Client,
        message,
        state,
    }
}
