//! Every message a client may send once its start-up packet was read, decoded into types
//! (PostgreSQL documentation, "Message Formats", those marked F). Zero-copy: texts and values are
//! slices of the receive buffer. Never here: what a statement means, or whether it may pass.

use bytes::{Bytes, BytesMut};

use super::NameKind;
use super::frame::{self, Frame};
use super::read::Reader;
use crate::{Limits, PeerMisbehaved, Side};

/// A decoded client message.
#[derive(Clone, PartialEq, Eq)]
pub enum Frontend {
    /// A simple query, `Q`.
    Query {
        /// The text, one or more statements, without its NUL.
        sql: Bytes,
    },
    /// Prepares a statement, `P`.
    Parse {
        /// The statement's name; empty for the unnamed one.
        name: Bytes,
        /// The text, without its NUL.
        sql: Bytes,
        /// The parameter types the client prescribes; zero leaves one open.
        param_types: Vec<u32>,
    },
    /// Makes a portal of a statement, `B`.
    Bind {
        /// The portal's name; empty for the unnamed one.
        portal: Bytes,
        /// The statement's name; empty for the unnamed one.
        statement: Bytes,
        /// None, one for all, or one per parameter; 0 text, 1 binary.
        param_formats: Vec<i16>,
        /// The values; `None` is NULL.
        params: Vec<Option<Bytes>>,
        /// None, one for all, or one per column; 0 text, 1 binary.
        result_formats: Vec<i16>,
        /// The whole body as it came, for hashing and the record.
        raw: Bytes,
    },
    /// Asks for a description, `D`.
    Describe {
        /// Of what.
        kind: NameKind,
        /// Its name.
        name: Bytes,
    },
    /// Runs a portal, `E`.
    Execute {
        /// The portal's name.
        portal: Bytes,
        /// The most rows to return; zero for all.
        rows_max: u32,
    },
    /// Drops a statement or portal, `C`.
    Close {
        /// Of what.
        kind: NameKind,
        /// Its name.
        name: Bytes,
    },
    /// Ends a pipeline, `S`.
    Sync,
    /// Asks for replies so far, `H`.
    Flush,
    /// Leaves, `X`.
    Terminate,
    /// A piece of a COPY stream, `d`.
    CopyData(Bytes),
    /// Ends a COPY stream, `c`.
    CopyDone,
    /// Abandons a COPY stream, `f`.
    CopyFail {
        /// Why.
        reason: Bytes,
    },
    /// The function call interface, `F`: framed, never decoded, never forwarded.
    FunctionCall,
    /// An answer to an authentication request, `p`, whose shape depends on the request.
    Password(Bytes),
    /// A type byte we do not know. The buffer was emptied: nothing behind it can be read, and the
    /// connection must end.
    Unknown(u8),
}

/// Takes the next message, or nothing if it has not all arrived.
///
/// # Errors
/// When the message is malformed or beyond a limit.
pub fn next(buf: &mut BytesMut, limits: &Limits) -> Result<Option<Frontend>, PeerMisbehaved> {
    let Some(&tag) = buf.first() else {
        return Ok(None);
    };
    let Some((message, max)) = shape(tag, limits) else {
        buf.clear();
        return Ok(Some(Frontend::Unknown(tag)));
    };
    match frame::take(buf, Side::Client, message, max)? {
        Some(frame) => decode(frame, message, limits).map(Some),
        None => Ok(None),
    }
}

/// Takes the next answer to an authentication request; anything else is refused by its first byte.
///
/// A second start-up packet begins with a zero byte and so never gets past here.
///
/// # Errors
/// When another message came, or its length is beyond the limit.
pub fn next_auth(buf: &mut BytesMut, limits: &Limits) -> Result<Option<Bytes>, PeerMisbehaved> {
    match buf.first() {
        None => Ok(None),
        Some(b'p') => {
            let max = limits.auth_frame_bytes_max;
            let frame = frame::take(buf, Side::Client, "authentication response", max)?;
            Ok(frame.map(|frame| frame.body))
        }
        Some(_) => Err(PeerMisbehaved::Unexpected {
            side: Side::Client,
            message: "another message than an authentication response",
            state: "authentication",
        }),
    }
}

/// The text of a statement, if it is UTF-8 as every text here must be.
///
/// # Errors
/// When it is not UTF-8.
pub fn sql_text(sql: &[u8]) -> Result<&str, PeerMisbehaved> {
    std::str::from_utf8(sql).map_err(|_| PeerMisbehaved::NotUtf8 {
        side: Side::Client,
        message: "statement",
        field: "text",
    })
}

/// Reads a PasswordMessage: one text, NUL-terminated, nothing behind it.
///
/// # Errors
/// When the body has another shape.
pub fn plain_password(body: Bytes) -> Result<Bytes, PeerMisbehaved> {
    let mut reader = Reader::new(Side::Client, "PasswordMessage", body);
    let password = reader.text()?;
    reader.finish()?;
    Ok(password)
}

/// Reads a SASLInitialResponse: the mechanism chosen, and its first message if one was sent.
///
/// # Errors
/// When the body has another shape.
pub fn sasl_initial(body: Bytes) -> Result<(Bytes, Option<Bytes>), PeerMisbehaved> {
    let mut reader = Reader::new(Side::Client, "SASLInitialResponse", body);
    let mechanism = reader.text()?;
    let first = reader.value()?;
    reader.finish()?;
    Ok((mechanism, first))
}

/// What each known type is called and how long it may be.
fn shape(tag: u8, limits: &Limits) -> Option<(&'static str, usize)> {
    Some(match tag {
        b'Q' => ("Query", limits.frame_bytes_max),
        b'P' => ("Parse", limits.frame_bytes_max),
        b'B' => ("Bind", limits.bind_bytes_max.min(limits.frame_bytes_max)),
        b'D' => ("Describe", limits.small_frame_bytes_max),
        b'E' => ("Execute", limits.small_frame_bytes_max),
        b'C' => ("Close", limits.small_frame_bytes_max),
        b'S' => ("Sync", 4),
        b'H' => ("Flush", 4),
        b'X' => ("Terminate", 4),
        b'd' => ("CopyData", limits.copy_frame_bytes_max),
        b'c' => ("CopyDone", 4),
        b'f' => ("CopyFail", limits.small_frame_bytes_max),
        b'F' => ("FunctionCall", limits.frame_bytes_max),
        b'p' => ("authentication response", limits.auth_frame_bytes_max),
        _ => return None,
    })
}

fn decode(
    frame: Frame,
    message: &'static str,
    limits: &Limits,
) -> Result<Frontend, PeerMisbehaved> {
    let raw = frame.body.clone();
    let mut reader = Reader::new(Side::Client, message, frame.body);
    let decoded = match frame.tag {
        b'Q' => Frontend::Query {
            sql: reader.text_within("text", limits.statement_bytes_max)?,
        },
        b'P' => parse(&mut reader, limits)?,
        b'B' => bind(&mut reader, raw, limits)?,
        b'D' => Frontend::Describe {
            kind: name_kind(&mut reader)?,
            name: reader.text_within("name", limits.name_bytes_max)?,
        },
        b'E' => execute(&mut reader, limits)?,
        b'C' => Frontend::Close {
            kind: name_kind(&mut reader)?,
            name: reader.text_within("name", limits.name_bytes_max)?,
        },
        b'S' => Frontend::Sync,
        b'H' => Frontend::Flush,
        b'X' => Frontend::Terminate,
        b'd' => Frontend::CopyData(reader.rest()),
        b'c' => Frontend::CopyDone,
        b'f' => Frontend::CopyFail {
            reason: reader.text()?,
        },
        b'F' => {
            let _undecoded = reader.rest();
            Frontend::FunctionCall
        }
        b'p' => Frontend::Password(reader.rest()),
        unknown => Frontend::Unknown(unknown),
    };
    reader.finish()?;
    Ok(decoded)
}

fn parse(reader: &mut Reader, limits: &Limits) -> Result<Frontend, PeerMisbehaved> {
    let name = reader.text_within("name", limits.name_bytes_max)?;
    let sql = reader.text_within("text", limits.statement_bytes_max)?;
    let count = reader.count("parameter types", limits.params_max, 4)?;
    let param_types = (0..count).map(|_| reader.u32()).collect::<Result<_, _>>()?;
    Ok(Frontend::Parse {
        name,
        sql,
        param_types,
    })
}

fn bind(reader: &mut Reader, raw: Bytes, limits: &Limits) -> Result<Frontend, PeerMisbehaved> {
    let portal = reader.text_within("portal name", limits.name_bytes_max)?;
    let statement = reader.text_within("statement name", limits.name_bytes_max)?;
    let param_formats = reader.formats("parameter formats", limits.params_max)?;
    let count = reader.count("parameters", limits.params_max, 4)?;
    if param_formats.len() > 1 && param_formats.len() != count {
        return Err(reader.bad_value("number of parameter formats"));
    }
    let params = (0..count)
        .map(|_| reader.value())
        .collect::<Result<_, _>>()?;
    let result_formats = reader.formats("result formats", limits.columns_max)?;
    Ok(Frontend::Bind {
        portal,
        statement,
        param_formats,
        params,
        result_formats,
        raw,
    })
}

fn execute(reader: &mut Reader, limits: &Limits) -> Result<Frontend, PeerMisbehaved> {
    let portal = reader.text_within("portal name", limits.name_bytes_max)?;
    let rows_max = u32::try_from(reader.i32()?).map_err(|_| reader.bad_value("row limit"))?;
    Ok(Frontend::Execute { portal, rows_max })
}

fn name_kind(reader: &mut Reader) -> Result<NameKind, PeerMisbehaved> {
    match reader.u8()? {
        b'S' => Ok(NameKind::Statement),
        b'P' => Ok(NameKind::Portal),
        _ => Err(reader.bad_value("kind of name")),
    }
}

/// Shows shapes and sizes only: texts and values may hold secrets.
impl std::fmt::Debug for Frontend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Query { sql } => write!(f, "Query({} bytes)", sql.len()),
            Self::Parse { name, sql, .. } => write!(f, "Parse({name:?}, {} bytes)", sql.len()),
            Self::Bind {
                portal,
                statement,
                params,
                ..
            } => write!(
                f,
                "Bind({portal:?} of {statement:?}, {} params)",
                params.len()
            ),
            Self::Describe { kind, name } => write!(f, "Describe({kind:?} {name:?})"),
            Self::Execute { portal, rows_max } => write!(f, "Execute({portal:?}, {rows_max})"),
            Self::Close { kind, name } => write!(f, "Close({kind:?} {name:?})"),
            Self::Sync => f.write_str("Sync"),
            Self::Flush => f.write_str("Flush"),
            Self::Terminate => f.write_str("Terminate"),
            Self::CopyData(data) => write!(f, "CopyData({} bytes)", data.len()),
            Self::CopyDone => f.write_str("CopyDone"),
            Self::CopyFail { reason } => write!(f, "CopyFail({} bytes)", reason.len()),
            Self::FunctionCall => f.write_str("FunctionCall"),
            Self::Password(_) => f.write_str("Password"),
            Self::Unknown(tag) => write!(f, "Unknown(0x{tag:02x})"),
        }
    }
}
