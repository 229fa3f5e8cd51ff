//! Fuzz targets: the codec and the machine, fed from a hostile client, and from a target gone mad.

use super::bench::*;
use crate::ssh::sftp::request::{self, FromClient, OnHandle, OnPath, OnTwo, Request};
use crate::ssh::sftp::{Attributes, Code, Limits, encode, reply};
use brattice_fuzz::{Fuzz, digest};
use bytes::{Bytes, BytesMut};

/// What it all looked like from outside.
#[derive(Debug, PartialEq)]
struct Played {
    seen: Vec<u8>,
    asks: Vec<String>,
    outcomes: Vec<(u64, Code)>,
    refused: Vec<String>,
    ended: Option<String>,
}

impl Played {
    /// The same, except for what a peer's misbehaviour cut off: it ends a session at once, and what was still on its way
    /// depends on how the bytes came.
    fn is_like(&self, other: &Self) -> bool {
        let (a, b) = (&self.asks, &other.asks);
        match self.ended {
            None => self == other,
            Some(_) => self.ended == other.ended && (a.starts_with(b) || b.starts_with(a)),
        }
    }
}

fn played(mut b: Bench, ended: Option<String>) -> Played {
    Played {
        seen: b.seen.split().to_vec(),
        asks: b.asks,
        outcomes: b.outcomes,
        refused: b.refused,
        ended,
    }
}

/// What a client asks, in order; handles are those that the machine will give.
fn conversation() -> Vec<Request> {
    let number = |n: u64| Bytes::copy_from_slice(&n.to_be_bytes());
    let sizes = Attributes {
        size: Some(4),
        times: Some((1, 2)),
        ..Attributes::default()
    };
    vec![
        on(OnPath::Realpath, "."),
        on(OnPath::Stat, "up/b.txt"),
        open("a.txt", READ),
        read(&number(1), 0, 6),
        read(&number(1), 6, 100),
        handle(OnHandle::Close, &number(1)),
        open("new", WRITE | CREATE | TRUNCATE),
        write(&number(2), 0, b"text"),
        handle(OnHandle::Fsetstat(sizes), &number(2)),
        handle(OnHandle::Fsync, &number(2)),
        handle(OnHandle::Close, &number(2)),
        two(OnTwo::Rename, "new", "dir/old"),
        two(OnTwo::Symlink, "../a.txt", "dir/n"),
        on(OnPath::Opendir, "dir"),
        handle(OnHandle::Readdir, &number(3)),
        on(OnPath::Statvfs, "key"),
        two(OnTwo::Hardlink, "vault/key", "mine"),
        on(OnPath::Remove, "dead"),
    ]
}

fn bytes_of(requests: &[Request]) -> Vec<u8> {
    let mut out = BytesMut::new();
    for (id, request) in (1..).zip(requests) {
        encode::request(&mut out, id, request);
    }
    out.to_vec()
}

/// Frame by frame, as whoever waits for each answer would, and at these further cuts.
fn from_client(pieces: &[&[u8]]) -> (Played, Vec<Request>) {
    let all = pieces.concat();
    let mut cuts = ends(&all);
    let mut at = 0;
    for piece in pieces {
        at += piece.len();
        cuts.push(at);
    }
    cuts.sort_unstable();
    let mut b = Bench::new();
    let (mut ended, mut from) = (None, 0);
    for cut in cuts {
        b.from_client.extend_from_slice(&all[from..cut]);
        from = cut;
        ended = b.run().err().map(|e| e.to_string());
        if ended.is_some() {
            break;
        }
    }
    let done = b.target.done().into_iter().cloned().collect();
    (played(b, ended), done)
}

/// Where the frames end.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let (mut ends, mut at) = (Vec::new(), 0);
    while let Some((length, rest)) = bytes[at..].split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if length > rest.len() {
            break;
        }
        at += 4 + length;
        ends.push(at);
    }
    ends
}

#[test]
fn fuzz_wire_sftp_client() {
    let all = conversation();
    let mut fuzz = Fuzz::new("wire-sftp-client", env!("CARGO_MANIFEST_DIR"))
        .seed(bytes_of(&all))
        .words(&["..", "/secret/key", "/", "vault", "key", "up", "\0", "//"])
        .smoke(300);
    for request in &all {
        fuzz = fuzz.seed(bytes_of(std::slice::from_ref(request)));
    }
    fuzz.run(|input, rng| {
        let (whole, done) = from_client(&[input]);
        let (split, _) = from_client(&rng.pieces(input));
        if !whole.is_like(&split) {
            return Err(format!("whole: {whole:?}\nin pieces: {split:?}"));
        }
        for request in &done {
            sound(request, &whole.asks)?;
        }
        Ok(digest((
            whole.seen.len(),
            whole.asks.len(),
            whole.refused.len(),
            whole.ended,
        )))
    });
}

/// What arrived was asked about under the very path that it carries, and is not below what is forbidden.
fn sound(request: &Request, asks: &[String]) -> Result<(), String> {
    let names: Vec<&str> = match request {
        Request::Path(_, path) => vec![path],
        Request::Two(OnTwo::Symlink, _, place) => vec![place],
        Request::Two(_, first, second) => vec![first, second],
        Request::Handle(..) | Request::Limits => return Ok(()),
    };
    for name in &names {
        if *name == SECRET || name.starts_with("/secret/") {
            return Err(format!("{request:?} arrived"));
        }
    }
    let named = names.join(" ");
    let was_asked = |ask: &String| match request {
        Request::Two(OnTwo::Symlink, ..) => ask.contains(&named),
        _ => ask.ends_with(&format!(" {named}")),
    };
    if asks.iter().any(was_asked) {
        Ok(())
    } else {
        Err(format!("{request:?} arrived, asked was {asks:?}"))
    }
}

/// The client's honest requests, answered with these bytes.
fn from_target(pieces: &[&[u8]]) -> Played {
    let mut b = Bench::before(super::target::Target::new());
    b.mute = true;
    encode::init(&mut b.from_client);
    b.from_client.extend_from_slice(&bytes_of(&conversation()));
    let mut ended = b.run().err();
    for piece in pieces {
        if ended.is_some() {
            break;
        }

        b.from_target.extend_from_slice(piece);
        ended = b.run().err();
    }
    played(b, ended.map(|e| e.to_string()))
}

#[test]
fn fuzz_wire_sftp_target() {
    let mut honest = Bench::before(super::target::Target::new());
    encode::init(&mut honest.from_client);
    honest
        .from_client
        .extend_from_slice(&bytes_of(&conversation()));
    honest.run().unwrap();
    Fuzz::new("wire-sftp-target", env!("CARGO_MANIFEST_DIR"))
        .seed(&honest.answered)
        .words(&["/secret/key", "..", "/", "\0"])
        .smoke(300)
        .run(|input, _| {
            let seen = from_target(&[input]);
            let mut frames = BytesMut::from(seen.seen.as_slice());
            while reply::next(&mut frames, &Limits::default())
                .map_err(|e| format!("the client got what is no reply: {e}"))?
                .is_some()
            {}
            if !frames.is_empty() {
                return Err("the client got part of a frame".to_owned());
            }
            Ok(digest((seen.seen.len(), seen.asks.len(), seen.ended)))
        });
}

#[test]
fn fuzz_wire_sftp_codec() {
    let all = conversation();
    let mut fuzz = Fuzz::new("wire-sftp-codec", env!("CARGO_MANIFEST_DIR")).smoke(2_000);
    for request in &all {
        fuzz = fuzz.seed(bytes_of(std::slice::from_ref(request)));
    }
    let limits = Limits::default();
    fuzz.run(|input, _| {
        let mut buf = BytesMut::from(input);
        let mut outcome = Vec::new();
        loop {
            match request::next(&mut buf, &limits) {
                Ok(None) => break,
                Err(e) => {
                    outcome.push(format!("{:?}", std::mem::discriminant(&e)));
                    break;
                }
                Ok(Some(FromClient::Request(id, Ok(read)))) => {
                    outcome.push(format!("{:?}", std::mem::discriminant(&read)));
                    written_again(id, &read)?;
                }
                Ok(Some(other)) => outcome.push(format!("{:?}", std::mem::discriminant(&other))),
            }
        }
        Ok(digest(outcome))
    });
}

/// What was read is read again from what is written of it.
fn written_again(id: u32, read: &Request) -> Result<(), String> {
    let mut out = BytesMut::new();
    encode::request(&mut out, id, read);
    match request::next(&mut out, &Limits::default()) {
        Ok(Some(FromClient::Request(again, Ok(same)))) if again == id && same == *read => Ok(()),
        other => Err(format!("{read:?} was written as {other:?}")),
    }
}
