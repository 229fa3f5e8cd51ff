//! Requests about something open. It was judged when it was opened; what goes through it goes under the lane it got then,
//! which counts, and ends with the session. What was not judged at that time is asked about.
//!
//! Never here: a handle of the target's that the client sees, or a name.

use super::ask::{Operation, Said};
use super::encode;
use super::files::Open;
use super::masked::Window;
use super::outbox::Plumbing;
use super::refusal;
use super::request::{OnHandle, Request};
use super::{Event, Owed, Owing, Sftp, Then, Wanted};
use bytes::{Bytes, BytesMut};

impl Sftp {
    pub(super) fn on_handle(&mut self, id: u32, what: OnHandle, handle: Bytes) -> Option<Event> {
        let request = Request::Handle(what, handle);
        let name = request.name();
        let Request::Handle(what, handle) = request else {
            return None;
        };
        let Some((file, open)) = self.files.named(&handle) else {
            return Some(self.refuse(id, name, refusal::of_handle()));
        };
        if !is_open_for(open, &what) {
            return Some(self.refuse(id, name, refusal::of_handle()));
        }
        match what {
            OnHandle::Close => {
                open.close();
                let handle = open.handle.clone();
                self.close(id, file, handle);
                None
            }
            OnHandle::Fsetstat(attributes) => {
                let said = Said {
                    operation: Operation::SetAttributes(attributes.which()),
                    path: open.path.clone(),
                    second: None,
                    text: None,
                    attributes,
                };
                let handle = open.handle.clone();
                let request = Request::Handle(OnHandle::Fsetstat(attributes), handle);
                Some(self.put(id, &request, said, Then::Wants(Wanted::Status), true))
            }
            OnHandle::Write { data, .. } if data.len() > self.write_bytes_max => {
                Some(self.refuse(id, name, refusal::of_long_write()))
            }
            OnHandle::Read { offset, length } if open.masking.is_some() => {
                open.goes(&what);
                let length = self.read_length(length);
                self.read_on(id, Box::new(Window::around(file, offset, length)))
            }
            other => self.stream(id, name, &handle, self.within_bounds(other)),
        }
    }

    /// A longer read is answered with less, as a server may (draft 02, section 6.4).
    fn read_length(&self, length: u32) -> u32 {
        length.min(u32::try_from(self.read_bytes_max).unwrap_or(u32::MAX))
    }

    fn within_bounds(&self, what: OnHandle) -> OnHandle {
        match what {
            OnHandle::Read { offset, length } => OnHandle::Read {
                offset,
                length: self.read_length(length),
            },
            other => other,
        }
    }

    fn close(&mut self, id: u32, file: u64, handle: Bytes) {
        let own = self.id();
        self.outbox.plumbing(Plumbing::Close(own, handle));
        self.owe(own, id, None, Wanted::Closed { file });
    }

    /// Sends a request on under the lane of what it is about.
    fn stream(
        &mut self,
        id: u32,
        name: &'static str,
        handle: &[u8],
        what: OnHandle,
    ) -> Option<Event> {
        let own = self.id();
        let (file, open) = self.files.named(handle)?;
        let wanted = wanted(file, &what);
        let mut frame = BytesMut::new();
        let request = Request::Handle(what, open.handle.clone());
        encode::request(&mut frame, own, &request);
        match open.lane.pass(frame.freeze()) {
            Ok(cleared) => {
                if let Request::Handle(what, _) = &request {
                    open.goes(what);
                }
                self.outbox.passed(cleared);
                self.owe(own, id, None, wanted);
                None
            }
            Err(denial) => {
                self.tell(id, super::Code::PermissionDenied, &denial);
                Some(Event::Refused { what: name, denial })
            }
        }
    }

    pub(super) fn owe(&mut self, own: u32, id: u32, ask: Option<u64>, wanted: Wanted) {
        self.windows += usize::from(matches!(wanted, Wanted::Window(_)));
        self.owed
            .insert(own, Owed::Client(Owing { id, ask, wanted }));
    }
}

fn is_open_for(open: &Open, what: &OnHandle) -> bool {
    match what {
        OnHandle::Read { .. } => open.read.is_some(),
        OnHandle::Write { .. } => open.written.is_some(),
        OnHandle::Readdir => open.is_directory,
        OnHandle::Fsync => !open.is_directory,
        OnHandle::Close | OnHandle::Fstat | OnHandle::Fsetstat(_) | OnHandle::Fstatvfs => true,
    }
}

fn wanted(file: u64, what: &OnHandle) -> Wanted {
    match what {
        OnHandle::Read { offset, length } => Wanted::Data {
            file,
            offset: *offset,
            length: *length,
        },
        OnHandle::Write { data, .. } => Wanted::Written {
            file,
            bytes: data.len() as u64,
        },
        OnHandle::Fstat => Wanted::Attributes,
        OnHandle::Readdir => Wanted::Entries,
        OnHandle::Fstatvfs => Wanted::Statvfs,
        OnHandle::Close => Wanted::Closed { file },
        OnHandle::Fsetstat(_) | OnHandle::Fsync => Wanted::Status,
    }
}
