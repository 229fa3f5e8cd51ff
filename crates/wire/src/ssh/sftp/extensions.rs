//! INIT and VERSION, and the closed set of OpenSSH's extensions that is modelled (its PROTOCOL document, section 4). Never
//! here: what an extension's request says.

use super::limits::Limits;
use super::read::Reader;
use crate::{PeerMisbehaved, Side};
use bytes::{BufMut, Bytes, BytesMut};

/// The only version spoken.
pub const VERSION: u32 = 3;

macro_rules! extensions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $version:literal),* $(,)?) => {
        /// An extension that is modelled.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Extension { $($(#[$doc])* $variant),* }
        impl Extension {
            /// All of them.
            pub const ALL: &'static [Extension] = &[$(Extension::$variant),*];
            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
            /// The version of it that is modelled.
            #[must_use]
            pub const fn version(self) -> &'static str {
                match self { $(Self::$variant => $version),* }
            }
        }
    };
}

extensions! {
    /// Renames over what is there.
    PosixRename = "posix-rename@openssh.com" "1",
    /// Tells of a file system, by a path.
    Statvfs = "statvfs@openssh.com" "2",
    /// Tells of a file system, by a handle.
    Fstatvfs = "fstatvfs@openssh.com" "2",
    /// Makes a hard link.
    Hardlink = "hardlink@openssh.com" "1",
    /// Puts a file on the disk.
    Fsync = "fsync@openssh.com" "1",
    /// Sets attributes of a link itself.
    Lsetstat = "lsetstat@openssh.com" "1",
    /// Tells the server's own limits.
    Limits = "limits@openssh.com" "1",
}

impl Extension {
    /// The extension of this name.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|e| e.name().as_bytes() == name)
    }
}

/// What a peer says first: its version, and those of its extensions that are modelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The version it asks for, or chose.
    pub version: u32,
    /// Modelled extensions, each once.
    pub extensions: Vec<Extension>,
}

/// Reads what stands behind the type of an INIT or VERSION (draft 02, section 4). Extensions that are not modelled are
/// dropped, as the draft has it: nothing of them reaches the other side.
pub(super) fn greeting(
    side: Side,
    message: &'static str,
    body: Bytes,
    limits: &Limits,
) -> Result<Greeting, PeerMisbehaved> {
    let mut r = Reader::new(side, message, body);
    let version = r.u32()?;
    let mut extensions = Vec::new();
    let mut pairs = 0_usize;
    while r.remaining() > 0 {
        pairs = pairs.saturating_add(1);
        if pairs > limits.extensions_max {
            return Err(r.too_many("extensions", pairs, limits.extensions_max));
        }
        let name = r.string("extension's name", limits.extension_bytes_max)?;
        let said = r.string("extension's version", limits.extension_bytes_max)?;
        match Extension::named(&name) {
            Some(e) if said == e.version() && !extensions.contains(&e) => extensions.push(e),
            _ => {}
        }
    }
    Ok(Greeting {
        version,
        extensions,
    })
}

/// Writes what stands behind the type of a VERSION.
pub(super) fn put_greeting(out: &mut BytesMut, extensions: &[Extension]) {
    out.put_u32(VERSION);
    for extension in extensions {
        super::encode::put_string(out, extension.name().as_bytes());
        super::encode::put_string(out, extension.version().as_bytes());
    }
}
