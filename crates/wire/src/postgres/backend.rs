//! Every message a target may send, decoded into types (PostgreSQL documentation, "Message Formats",
//! those marked B). The hot path need not come here: [`super::frame`] counts runs of rows without
//! decoding them. Never here: masking, or any judgement of what is read.

use bytes::{Bytes, BytesMut};

use super::frame::{self, Frame};
use super::read::Reader;
pub use super::row::{Cells, DataRow};
use super::{CancelKey, Fields, TxStatus};
use crate::{Limits, PeerMisbehaved, Side};

/// A decoded message from the target.
#[derive(Clone, PartialEq, Eq)]
pub enum Backend {
    /// A step of authentication, `R`.
    Authentication(Auth),
    /// A reported setting, `S`.
    ParameterStatus {
        /// The setting.
        name: Bytes,
        /// Its value now.
        value: Bytes,
    },
    /// The key to cancel by, `K`.
    BackendKeyData(CancelKey),
    /// The target awaits a command, `Z`.
    ReadyForQuery(TxStatus),
    /// The columns of the rows to come, `T`.
    RowDescription(Vec<FieldDescription>),
    /// One row, `D`.
    DataRow(DataRow),
    /// A command ended well, `C`, with its tag.
    CommandComplete(Bytes),
    /// The query was empty, `I`.
    EmptyQueryResponse,
    /// A command, or the connection, failed, `E`.
    ErrorResponse(Fields),
    /// A notice or warning, `N`.
    NoticeResponse(Fields),
    /// A NOTIFY arrived, `A`.
    NotificationResponse {
        /// Who sent it.
        pid: i32,
        /// On which channel.
        channel: Bytes,
        /// With what.
        payload: Bytes,
    },
    /// `1`.
    ParseComplete,
    /// `2`.
    BindComplete,
    /// `3`.
    CloseComplete,
    /// The statement returns no rows, `n`.
    NoData,
    /// The parameter types of a statement, `t`.
    ParameterDescription(Vec<u32>),
    /// The row limit of Execute was reached, `s`.
    PortalSuspended,
    /// The target awaits COPY data, `G`.
    CopyInResponse(CopyShape),
    /// The target will send COPY data, `H`.
    CopyOutResponse(CopyShape),
    /// COPY data both ways (replication), `W`.
    CopyBothResponse(CopyShape),
    /// A piece of a COPY stream, `d`.
    CopyData(Bytes),
    /// The end of a COPY stream, `c`.
    CopyDone,
    /// The target speaks an older protocol or does not know options, `v`.
    NegotiateProtocolVersion {
        /// The version it will speak, major in the upper half.
        version: u32,
        /// The options it did not know.
        unknown_options: Vec<Bytes>,
    },
    /// The result of a function call, `V`.
    FunctionCallResponse(Option<Bytes>),
    /// A type byte we do not know.
    Unknown(u8),
}

/// A step of authentication as the target asks for it.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// It is content.
    Ok,
    /// It wants the password in clear.
    CleartextPassword,
    /// It wants the password hashed with this salt.
    Md5Password {
        /// The salt.
        salt: [u8; 4],
    },
    /// It offers these SASL mechanisms.
    Sasl {
        /// Their names, best first.
        mechanisms: Vec<String>,
    },
    /// A later SASL challenge.
    SaslContinue(Bytes),
    /// The last SASL message.
    SaslFinal(Bytes),
    /// A method we do not speak (Kerberos, GSSAPI, SSPI, or one unheard of), by its number.
    Other(i32),
}

/// One column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDescription {
    /// The column's name in the result.
    pub name: Bytes,
    /// The table it is a plain column of, or zero.
    pub table_oid: u32,
    /// The column's number in that table, or zero.
    pub column: i16,
    /// Its type.
    pub type_oid: u32,
    /// The size of the type; negative if it varies.
    pub type_size: i16,
    /// What further narrows the type.
    pub type_modifier: i32,
    /// 0 text, 1 binary; 0 also where it is not yet known.
    pub format: i16,
}

/// How a COPY stream is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyShape {
    /// Binary as a whole, rather than text.
    pub binary: bool,
    /// The format of each column; 0 text, 1 binary.
    pub columns: Vec<i16>,
}

/// Takes and decodes the next message, or nothing if it has not all arrived.
///
/// # Errors
/// When the message is malformed or beyond a limit.
pub fn next(buf: &mut BytesMut, limits: &Limits) -> Result<Option<Backend>, PeerMisbehaved> {
    match frame::next_frame(buf, limits)? {
        Some(frame) => decode(frame, limits).map(Some),
        None => Ok(None),
    }
}

/// Decodes one frame from the target.
///
/// # Errors
/// When its body is malformed or beyond a limit.
pub fn decode(frame: Frame, limits: &Limits) -> Result<Backend, PeerMisbehaved> {
    if frame.tag == b'D' {
        return DataRow::read(frame.body, limits).map(Backend::DataRow);
    }
    let mut reader = Reader::new(Side::Target, name(frame.tag), frame.body);
    let decoded = match frame.tag {
        b'R' => Backend::Authentication(auth(&mut reader)?),
        b'S' => Backend::ParameterStatus {
            name: reader.text()?,
            value: reader.text()?,
        },
        b'K' => Backend::BackendKeyData(key(&mut reader)?),
        b'Z' => Backend::ReadyForQuery(tx_status(&mut reader)?),
        b'T' => Backend::RowDescription(row_description(&mut reader, limits)?),
        b'C' => Backend::CommandComplete(reader.text()?),
        b'I' => Backend::EmptyQueryResponse,
        b'E' => Backend::ErrorResponse(fields(&mut reader)?),
        b'N' => Backend::NoticeResponse(fields(&mut reader)?),
        b'A' => Backend::NotificationResponse {
            pid: reader.i32()?,
            channel: reader.text()?,
            payload: reader.text()?,
        },
        b'1' => Backend::ParseComplete,
        b'2' => Backend::BindComplete,
        b'3' => Backend::CloseComplete,
        b'n' => Backend::NoData,
        b't' => {
            let count = reader.count("parameter types", limits.params_max, 4)?;
            let types = (0..count).map(|_| reader.u32()).collect::<Result<_, _>>()?;
            Backend::ParameterDescription(types)
        }
        b's' => Backend::PortalSuspended,
        b'G' => Backend::CopyInResponse(copy_shape(&mut reader, limits)?),
        b'H' => Backend::CopyOutResponse(copy_shape(&mut reader, limits)?),
        b'W' => Backend::CopyBothResponse(copy_shape(&mut reader, limits)?),
        b'd' => Backend::CopyData(reader.rest()),
        b'c' => Backend::CopyDone,
        b'v' => negotiate(&mut reader)?,
        b'V' => Backend::FunctionCallResponse(reader.value()?),
        unknown => {
            let _undecoded = reader.rest();
            Backend::Unknown(unknown)
        }
    };
    reader.finish()?;
    Ok(decoded)
}

const fn name(tag: u8) -> &'static str {
    match tag {
        b'R' => "Authentication",
        b'S' => "ParameterStatus",
        b'K' => "BackendKeyData",
        b'Z' => "ReadyForQuery",
        b'T' => "RowDescription",
        b'C' => "CommandComplete",
        b'I' => "EmptyQueryResponse",
        b'E' => "ErrorResponse",
        b'N' => "NoticeResponse",
        b'A' => "NotificationResponse",
        b'1' => "ParseComplete",
        b'2' => "BindComplete",
        b'3' => "CloseComplete",
        b'n' => "NoData",
        b't' => "ParameterDescription",
        b's' => "PortalSuspended",
        b'G' => "CopyInResponse",
        b'H' => "CopyOutResponse",
        b'W' => "CopyBothResponse",
        b'd' => "CopyData",
        b'c' => "CopyDone",
        b'v' => "NegotiateProtocolVersion",
        b'V' => "FunctionCallResponse",
        _ => "message of unknown type",
    }
}

fn auth(reader: &mut Reader) -> Result<Auth, PeerMisbehaved> {
    Ok(match reader.i32()? {
        0 => Auth::Ok,
        3 => Auth::CleartextPassword,
        5 => Auth::Md5Password {
            salt: reader.array()?,
        },
        10 => Auth::Sasl {
            mechanisms: mechanisms(reader)?,
        },
        11 => Auth::SaslContinue(reader.rest()),
        12 => Auth::SaslFinal(reader.rest()),
        other => {
            let _undecoded = reader.rest();
            Auth::Other(other)
        }
    })
}

fn mechanisms(reader: &mut Reader) -> Result<Vec<String>, PeerMisbehaved> {
    let mut mechanisms = Vec::new();
    loop {
        let mechanism = reader.utf8("mechanism")?;
        if mechanism.is_empty() {
            return Ok(mechanisms);
        }
        mechanisms.push(mechanism);
    }
}

fn key(reader: &mut Reader) -> Result<CancelKey, PeerMisbehaved> {
    let pid = reader.i32()?;
    let secret = reader.rest();
    if !(CancelKey::SECRET_BYTES_MIN..=CancelKey::SECRET_BYTES_MAX).contains(&secret.len()) {
        return Err(reader.bad_value("length of the secret"));
    }
    Ok(CancelKey { pid, secret })
}

fn tx_status(reader: &mut Reader) -> Result<TxStatus, PeerMisbehaved> {
    match reader.u8()? {
        b'I' => Ok(TxStatus::Idle),
        b'T' => Ok(TxStatus::Open),
        b'E' => Ok(TxStatus::Failed),
        _ => Err(reader.bad_value("transaction status")),
    }
}

fn row_description(
    reader: &mut Reader,
    limits: &Limits,
) -> Result<Vec<FieldDescription>, PeerMisbehaved> {
    let count = reader.count("columns", limits.columns_max, 19)?;
    let mut columns = Vec::with_capacity(count);
    for _ in 0..count {
        columns.push(FieldDescription {
            name: reader.text()?,
            table_oid: reader.u32()?,
            column: reader.i16()?,
            type_oid: reader.u32()?,
            type_size: reader.i16()?,
            type_modifier: reader.i32()?,
            format: reader.format()?,
        });
    }
    Ok(columns)
}

fn copy_shape(reader: &mut Reader, limits: &Limits) -> Result<CopyShape, PeerMisbehaved> {
    let binary = match reader.u8()? {
        0 => false,
        1 => true,
        _ => return Err(reader.bad_value("format code")),
    };
    let columns = reader.formats("columns", limits.columns_max)?;
    Ok(CopyShape { binary, columns })
}

fn fields(reader: &mut Reader) -> Result<Fields, PeerMisbehaved> {
    let mut fields = Vec::new();
    loop {
        match reader.u8()? {
            0 => return Ok(Fields(fields)),
            code if fields.len() < FIELDS_MAX => fields.push((code, reader.text()?)),
            _ => return Err(reader.bad_value("number of fields")),
        }
    }
}

/// More than three times the fields that exist.
const FIELDS_MAX: usize = 64;

fn negotiate(reader: &mut Reader) -> Result<Backend, PeerMisbehaved> {
    let version = reader.u32()?;
    let count = reader.i32()?;
    let count = usize::try_from(count)
        .ok()
        .filter(|count| *count <= reader.remaining())
        .ok_or_else(|| reader.bad_value("number of options"))?;
    let unknown_options = (0..count)
        .map(|_| reader.text())
        .collect::<Result<_, _>>()?;
    Ok(Backend::NegotiateProtocolVersion {
        version,
        unknown_options,
    })
}

/// Shows shapes and sizes only: rows, errors and challenges may hold data and secrets.
impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Authentication(auth) => write!(f, "Authentication({auth:?})"),
            Self::ParameterStatus { name, .. } => write!(f, "ParameterStatus({name:?})"),
            Self::BackendKeyData(key) => write!(f, "BackendKeyData({key:?})"),
            Self::ReadyForQuery(status) => write!(f, "ReadyForQuery({status:?})"),
            Self::RowDescription(columns) => write!(f, "RowDescription({columns:?})"),
            Self::DataRow(row) => write!(f, "DataRow({} columns)", row.len()),
            Self::CommandComplete(tag) => write!(f, "CommandComplete({tag:?})"),
            Self::ErrorResponse(fields) => write!(f, "ErrorResponse({fields:?})"),
            Self::NoticeResponse(fields) => write!(f, "NoticeResponse({fields:?})"),
            Self::ParameterDescription(types) => write!(f, "ParameterDescription({types:?})"),
            Self::CopyInResponse(shape) => write!(f, "CopyInResponse({shape:?})"),
            Self::CopyOutResponse(shape) => write!(f, "CopyOutResponse({shape:?})"),
            Self::CopyBothResponse(shape) => write!(f, "CopyBothResponse({shape:?})"),
            Self::CopyData(data) => write!(f, "CopyData({} bytes)", data.len()),
            Self::Unknown(tag) => write!(f, "Unknown(0x{tag:02x})"),
            Self::EmptyQueryResponse => f.write_str("EmptyQueryResponse"),
            Self::NotificationResponse { .. } => f.write_str("NotificationResponse"),
            Self::ParseComplete => f.write_str("ParseComplete"),
            Self::BindComplete => f.write_str("BindComplete"),
            Self::CloseComplete => f.write_str("CloseComplete"),
            Self::NoData => f.write_str("NoData"),
            Self::PortalSuspended => f.write_str("PortalSuspended"),
            Self::CopyDone => f.write_str("CopyDone"),
            Self::NegotiateProtocolVersion { version, .. } => {
                write!(f, "NegotiateProtocolVersion({version})")
            }
            Self::FunctionCallResponse(_) => f.write_str("FunctionCallResponse"),
        }
    }
}

/// Shows the kind of step, never its contents.
impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ok => f.write_str("Ok"),
            Self::CleartextPassword => f.write_str("CleartextPassword"),
            Self::Md5Password { .. } => f.write_str("Md5Password"),
            Self::Sasl { mechanisms } => write!(f, "Sasl({mechanisms:?})"),
            Self::SaslContinue(_) => f.write_str("SaslContinue"),
            Self::SaslFinal(_) => f.write_str("SaslFinal"),
            Self::Other(number) => write!(f, "Other({number})"),
        }
    }
}

#[cfg(test)]
#[path = "backend_tests.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
pub(super) mod tests;
