//! The numbers of draft-ietf-secsh-filexfer-02: packet types (section 3) and status codes (section 7).

macro_rules! packets {
    ($($name:ident = $value:literal),* $(,)?) => {
        $(pub(super) const $name: u8 = $value;)*
        /// The name of a packet type that is known.
        pub(super) const fn name(kind: u8) -> Option<&'static str> {
            match kind {
                $($value => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

packets! {
    INIT = 1,
    VERSION = 2,
    OPEN = 3,
    CLOSE = 4,
    READ = 5,
    WRITE = 6,
    LSTAT = 7,
    FSTAT = 8,
    SETSTAT = 9,
    FSETSTAT = 10,
    OPENDIR = 11,
    READDIR = 12,
    REMOVE = 13,
    MKDIR = 14,
    RMDIR = 15,
    REALPATH = 16,
    STAT = 17,
    RENAME = 18,
    READLINK = 19,
    SYMLINK = 20,
    STATUS = 101,
    HANDLE = 102,
    DATA = 103,
    NAME = 104,
    ATTRS = 105,
    EXTENDED = 200,
    EXTENDED_REPLY = 201,
}

/// How a request ended (section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Code {
    /// It was done.
    Ok = 0,
    /// There is no more to read or list.
    Eof = 1,
    /// There is no such file.
    NoSuchFile = 2,
    /// It may not be done.
    PermissionDenied = 3,
    /// Something else went wrong.
    Failure = 4,
    /// The request was not understood.
    BadMessage = 5,
    /// There is no connection.
    NoConnection = 6,
    /// The connection was lost.
    ConnectionLost = 7,
    /// It is not supported.
    OpUnsupported = 8,
}

impl Code {
    /// The code of this number. What version 3 does not have is a failure of some kind.
    #[must_use]
    pub const fn of(number: u32) -> Self {
        match number {
            0 => Self::Ok,
            1 => Self::Eof,
            2 => Self::NoSuchFile,
            3 => Self::PermissionDenied,
            5 => Self::BadMessage,
            6 => Self::NoConnection,
            7 => Self::ConnectionLost,
            8 => Self::OpUnsupported,
            _ => Self::Failure,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }
}
