//! How a file is opened (draft-ietf-secsh-filexfer-02, section 6.3): the flags, and which of them make sense together.
//! Nothing else lives here.

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenFlags {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Writes go to the end, whatever their offset.
    pub append: bool,
    /// It is made if it is not there.
    pub create: bool,
    /// It is emptied.
    pub truncate: bool,
    /// It must not be there yet.
    pub exclusive: bool,
}

const READ: u32 = 0x01;
const WRITE: u32 = 0x02;
const APPEND: u32 = 0x04;
const CREATE: u32 = 0x08;
const TRUNCATE: u32 = 0x10;
const EXCLUSIVE: u32 = 0x20;

impl OpenFlags {
    /// The flags of these bits, where they make sense: something is read or written, and only what is written is made or
    /// emptied. A server would make and empty files opened for reading too, which nobody who judges a read would expect.
    #[must_use]
    pub const fn of(bits: u32) -> Option<Self> {
        if bits & !(READ | WRITE | APPEND | CREATE | TRUNCATE | EXCLUSIVE) != 0 {
            return None;
        }
        let flags = Self {
            read: bits & READ != 0,
            write: bits & WRITE != 0,
            append: bits & APPEND != 0,
            create: bits & CREATE != 0,
            truncate: bits & TRUNCATE != 0,
            exclusive: bits & EXCLUSIVE != 0,
        };
        let changes = flags.append || flags.create || flags.truncate;
        let opens = flags.write || (flags.read && !changes);
        let sound = opens && (flags.create || !flags.exclusive);
        if sound { Some(flags) } else { None }
    }

    /// A word for each that is set.
    pub(super) fn words(self) -> impl Iterator<Item = &'static str> {
        [
            (self.read, "read"),
            (self.write, "write"),
            (self.append, "append"),
            (self.create, "create"),
            (self.truncate, "truncate"),
            (self.exclusive, "exclusive"),
        ]
        .into_iter()
        .filter_map(|(is_set, word)| is_set.then_some(word))
    }

    /// Their bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        let mut bits = 0;
        if self.read {
            bits |= READ;
        }
        if self.write {
            bits |= WRITE;
        }
        if self.append {
            bits |= APPEND;
        }
        if self.create {
            bits |= CREATE;
        }
        if self.truncate {
            bits |= TRUNCATE;
        }
        if self.exclusive {
            bits |= EXCLUSIVE;
        }
        bits
    }
}
