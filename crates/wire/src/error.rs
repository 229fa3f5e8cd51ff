//! How a peer can break its protocol, one variant per sin, and what we ourselves refuse to encode.
//!
//! Every `PeerMisbehaved` names the side at fault and ends the connection. It carries numbers and our
//! own words for messages and fields, never bytes the peer sent: those may be secrets.

use crate::Side;

/// A peer broke its protocol, or sent what the gateway refuses to read. The connection must end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// The announced length cannot hold even the header it is part of.
    #[error("the {side} announced a {message} of {announced} bytes, shorter than its own header")]
    FrameTooShort {
        /// Whose fault.
        side: Side,
        /// The message, or the state in which its header was read.
        message: &'static str,
        /// The length as announced.
        announced: u32,
    },
    /// The announced length is beyond the maximum for this message.
    #[error("the {side} announced a {message} of {announced} bytes; the maximum is {max}")]
    FrameTooLong {
        /// Whose fault.
        side: Side,
        /// The message, or the state in which its header was read.
        message: &'static str,
        /// The length as announced.
        announced: u64,
        /// The maximum in force.
        max: usize,
    },
    /// A field reaches past the end of its message.
    #[error("the {side} sent a {message} that ends inside a field")]
    Truncated {
        /// Whose fault.
        side: Side,
        /// The message.
        message: &'static str,
    },
    /// Bytes are left over after the last field, such as text behind its terminating NUL.
    #[error("the {side} sent a {message} with {extra} bytes after its last field")]
    TrailingBytes {
        /// Whose fault.
        side: Side,
        /// The message.
        message: &'static str,
        /// How many bytes.
        extra: usize,
    },
    /// A text field has no terminating NUL.
    #[error("the {side} sent a {message} with a text that never ends")]
    Unterminated {
        /// Whose fault.
        side: Side,
        /// The message.
        message: &'static str,
    },
    /// A text field is not in the encoding it must be in.
    #[error("the {side} sent a {message} whose {field} is not valid UTF-8")]
    NotUtf8 {
        /// Whose fault.
        side: Side,
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A field length is negative, other than the -1 that stands for NULL.
    #[error("the {side} sent a {message} with a field of {length} bytes")]
    NegativeLength {
        /// Whose fault.
        side: Side,
        /// The message.
        message: &'static str,
        /// The length as sent.
        length: i32,
    },
    /// There are more of something than the maximum, or than the message could hold.
    #[error("the {side} sent a {message} with {count} {field}; at most {max} fit")]
    TooMany {
        /// Whose fault.
        side: Side,
        /// The message.
        message: &'static str,
        /// What there is too much of.
        field: &'static str,
        /// How many were announced.
        count: usize,
        /// How many could be.
        max: usize,
    },
    /// A field is longer than its maximum.
    #[error("the {side} sent a {message} whose {field} has {length} bytes; the maximum is {max}")]
    FieldTooLong {
        /// Whose fault.
        side: Side,
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// Its length.
        length: usize,
        /// The maximum in force.
        max: usize,
    },
    /// A field holds a value its type does not have.
    #[error("the {side} sent a {message} with an impossible {field}")]
    BadValue {
        /// Whose fault.
        side: Side,
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
    },
    /// The same thing was given twice.
    #[error("the {side} sent a {message} with a repeated {field}")]
    Repeated {
        /// Whose fault.
        side: Side,
        /// The message.
        message: &'static str,
        /// What came twice.
        field: &'static str,
    },
    /// A message that has no place in the present state.
    #[error("the {side} sent {message} during {state}")]
    Unexpected {
        /// Whose fault.
        side: Side,
        /// What came.
        message: &'static str,
        /// What was going on.
        state: &'static str,
    },
    /// A message type we do not know; nothing behind it can be read.
    #[error("the {side} sent a message of the unknown type 0x{tag:02x}")]
    UnknownMessage {
        /// Whose fault.
        side: Side,
        /// The type byte.
        tag: u8,
    },
    /// Bytes in clear stand behind a request to encrypt: somebody may have injected them.
    #[error("the {side} sent bytes in clear behind the request to encrypt")]
    BytesBeforeTls {
        /// Whose fault.
        side: Side,
    },
    /// A peer asked for encryption twice, or after it was already settled.
    #[error("the {side} asked again for {what}")]
    NegotiatedTwice {
        /// Whose fault.
        side: Side,
        /// What it asked for.
        what: &'static str,
    },
    /// TLS was started for another protocol than this one (ALPN).
    #[error("the {side} did not agree on the application protocol {wanted}")]
    WrongAlpn {
        /// Whose fault.
        side: Side,
        /// The identifier we insist on.
        wanted: &'static str,
    },
    /// A version of the protocol that we do not speak.
    #[error("the {side} asked for protocol version {major}.{minor}, which is not spoken here")]
    UnsupportedVersion {
        /// Whose fault.
        side: Side,
        /// The major version asked for.
        major: u16,
        /// The minor version asked for.
        minor: u16,
    },
    /// More messages than the present state allows.
    #[error("the {side} sent more than {max} messages during {state}")]
    TooManyMessages {
        /// Whose fault.
        side: Side,
        /// What was going on.
        state: &'static str,
        /// The maximum in force.
        max: usize,
    },
}

impl PeerMisbehaved {
    /// Whose fault it was.
    #[must_use]
    pub const fn side(&self) -> Side {
        match self {
            Self::FrameTooShort { side, .. }
            | Self::FrameTooLong { side, .. }
            | Self::Truncated { side, .. }
            | Self::TrailingBytes { side, .. }
            | Self::Unterminated { side, .. }
            | Self::NotUtf8 { side, .. }
            | Self::NegativeLength { side, .. }
            | Self::TooMany { side, .. }
            | Self::FieldTooLong { side, .. }
            | Self::BadValue { side, .. }
            | Self::Repeated { side, .. }
            | Self::Unexpected { side, .. }
            | Self::UnknownMessage { side, .. }
            | Self::BytesBeforeTls { side }
            | Self::NegotiatedTwice { side, .. }
            | Self::WrongAlpn { side, .. }
            | Self::UnsupportedVersion { side, .. }
            | Self::TooManyMessages { side, .. } => *side,
        }
    }

    /// Whether the peer merely sent more than it may, rather than something malformed.
    #[must_use]
    pub const fn is_excess(&self) -> bool {
        matches!(
            self,
            Self::FrameTooLong { .. }
                | Self::FieldTooLong { .. }
                | Self::TooMany { .. }
                | Self::TooManyMessages { .. }
        )
    }
}

/// Something the gateway was asked to write that no frame of the protocol can carry.
///
/// Nothing is left in the output when an encoder returns this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unencodable {
    /// A NUL inside a NUL-terminated text would end it early.
    #[error("a text field holds a NUL byte")]
    NulInText,
    /// The frame would be longer than its length field can say.
    #[error("the frame is longer than its length field can say")]
    TooLong,
    /// More items than the count field can say.
    #[error("there are more items than the count field can say")]
    TooMany,
}
