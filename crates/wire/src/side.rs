//! Which end of a session a byte came from. Nothing else lives here.

use std::fmt;

/// One of the two peers of a session, as the gateway sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The caller that connected to the gateway.
    Client,
    /// What the gateway connected to on the caller's behalf.
    Target,
}

impl Side {
    /// The peer at the opposite end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Target,
            Self::Target => Self::Client,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Target => "target",
        })
    }
}
