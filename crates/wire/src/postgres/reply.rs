//! Writes every message we send to a client (PostgreSQL documentation, "Message Formats", those
//! marked B): the gateway's own errors and notices, and what was decoded from the target and is
//! written anew. Never here: what the client may see.

use bytes::{BufMut, Bytes, BytesMut};

use super::backend::{CopyShape, FieldDescription};
use super::encode::put_formats;
use super::frame::{put_count, put_text, put_value, write};
use super::{CancelKey, ErrorFields, Fields, TxStatus};
use crate::Unencodable;

type Encoded = Result<(), Unencodable>;

/// The most of one field of the gateway's own errors and notices that is written.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// An error of the gateway's own.
pub fn error(out: &mut BytesMut, fields: &ErrorFields) {
    own_fields(out, b'E', fields);
}

/// A notice of the gateway's own.
pub fn notice(out: &mut BytesMut, fields: &ErrorFields) {
    own_fields(out, b'N', fields);
}

/// An error that came from the target.
///
/// # Errors
/// See [`Unencodable`]; so for every function here that returns it.
pub fn target_error(out: &mut BytesMut, fields: &Fields) -> Encoded {
    write(out, b'E', |out| put_fields(out, fields))
}

/// A notice that came from the target.
///
/// # Errors
/// See [`Unencodable`].
pub fn target_notice(out: &mut BytesMut, fields: &Fields) -> Encoded {
    write(out, b'N', |out| put_fields(out, fields))
}

/// Ready for the next command.
pub fn ready_for_query(out: &mut BytesMut, status: TxStatus) {
    out.extend_from_slice(&[b'Z', 0, 0, 0, 5, status.code()]);
}

/// The columns of the rows to come.
///
/// # Errors
/// See [`Unencodable`].
pub fn row_description(out: &mut BytesMut, columns: &[FieldDescription]) -> Encoded {
    write(out, b'T', |out| {
        put_count(out, columns.len())?;
        for column in columns {
            put_text(out, &column.name)?;
            out.put_u32(column.table_oid);
            out.put_i16(column.column);
            out.put_u32(column.type_oid);
            out.put_i16(column.type_size);
            out.put_i32(column.type_modifier);
            out.put_i16(column.format);
        }
        Ok(())
    })
}

/// One row, cell by cell; `None` is NULL.
///
/// # Errors
/// See [`Unencodable`].
pub fn data_row<'a>(
    out: &mut BytesMut,
    cells: impl ExactSizeIterator<Item = Option<&'a [u8]>>,
) -> Encoded {
    write(out, b'D', |out| {
        put_count(out, cells.len())?;
        for cell in cells {
            put_value(out, cell)?;
        }
        Ok(())
    })
}

/// Builds one row in place, for a caller that makes its cells one at a time.
///
/// Nothing is written unless [`RowBuilder::finish`] is reached.
#[derive(Debug)]
pub struct RowBuilder<'a> {
    out: &'a mut BytesMut,
    start: usize,
    columns: usize,
    finished: bool,
}

impl<'a> RowBuilder<'a> {
    /// Begins a row at the end of `out`.
    pub fn new(out: &'a mut BytesMut) -> Self {
        let start = out.len();
        out.extend_from_slice(&[b'D', 0, 0, 0, 0, 0, 0]);
        Self {
            out,
            start,
            columns: 0,
            finished: false,
        }
    }

    /// Appends a cell; `None` is NULL.
    ///
    /// # Errors
    /// See [`Unencodable`].
    pub fn cell(&mut self, cell: Option<&[u8]>) -> Encoded {
        put_value(self.out, cell)?;
        self.columns = self.columns.saturating_add(1);
        Ok(())
    }

    /// Completes the frame.
    ///
    /// # Errors
    /// See [`Unencodable`]; the row is then taken back.
    pub fn finish(mut self) -> Encoded {
        let columns = u16::try_from(self.columns).map_err(|_| Unencodable::TooMany)?;
        let length = self.out.len().saturating_sub(self.start.saturating_add(1));
        let length = i32::try_from(length).map_err(|_| Unencodable::TooLong)?;
        let [a, b, c, d] = length.to_be_bytes();
        let [e, f] = columns.to_be_bytes();
        let header = self
            .out
            .get_mut(self.start..)
            .and_then(<[u8]>::first_chunk_mut::<7>)
            .ok_or(Unencodable::TooLong)?;
        *header = [b'D', a, b, c, d, e, f];
        self.finished = true;
        Ok(())
    }
}

impl Drop for RowBuilder<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}

/// A command ended well.
///
/// # Errors
/// See [`Unencodable`].
pub fn command_complete(out: &mut BytesMut, tag: &[u8]) -> Encoded {
    write(out, b'C', |out| put_text(out, tag))
}

/// The query was empty.
pub fn empty_query_response(out: &mut BytesMut) {
    out.extend_from_slice(b"I\0\0\0\x04");
}

/// A statement was prepared.
pub fn parse_complete(out: &mut BytesMut) {
    out.extend_from_slice(b"1\0\0\0\x04");
}

/// A portal was made.
pub fn bind_complete(out: &mut BytesMut) {
    out.extend_from_slice(b"2\0\0\0\x04");
}

/// A statement or portal was dropped.
pub fn close_complete(out: &mut BytesMut) {
    out.extend_from_slice(b"3\0\0\0\x04");
}

/// The statement returns no rows.
pub fn no_data(out: &mut BytesMut) {
    out.extend_from_slice(b"n\0\0\0\x04");
}

/// The row limit of Execute was reached.
pub fn portal_suspended(out: &mut BytesMut) {
    out.extend_from_slice(b"s\0\0\0\x04");
}

/// The parameter types of a statement.
///
/// # Errors
/// See [`Unencodable`].
pub fn parameter_description(out: &mut BytesMut, types: &[u32]) -> Encoded {
    write(out, b't', |out| {
        put_count(out, types.len())?;
        types.iter().for_each(|oid| out.put_u32(*oid));
        Ok(())
    })
}

/// The client may send COPY data.
///
/// # Errors
/// See [`Unencodable`].
pub fn copy_in_response(out: &mut BytesMut, shape: &CopyShape) -> Encoded {
    write(out, b'G', |out| put_copy_shape(out, shape))
}

/// COPY data follows.
///
/// # Errors
/// See [`Unencodable`].
pub fn copy_out_response(out: &mut BytesMut, shape: &CopyShape) -> Encoded {
    write(out, b'H', |out| put_copy_shape(out, shape))
}

/// A piece of a COPY stream.
///
/// # Errors
/// See [`Unencodable`].
pub fn copy_data(out: &mut BytesMut, data: &[u8]) -> Encoded {
    super::encode::copy_data(out, data)
}

/// The end of a COPY stream.
pub fn copy_done(out: &mut BytesMut) {
    super::encode::copy_done(out);
}

/// A NOTIFY arrived.
///
/// # Errors
/// See [`Unencodable`].
pub fn notification(out: &mut BytesMut, pid: i32, channel: &[u8], payload: &[u8]) -> Encoded {
    write(out, b'A', |out| {
        out.put_i32(pid);
        put_text(out, channel)?;
        put_text(out, payload)
    })
}

/// A reported setting.
///
/// # Errors
/// See [`Unencodable`].
pub fn parameter_status(out: &mut BytesMut, name: &[u8], value: &[u8]) -> Encoded {
    write(out, b'S', |out| {
        put_text(out, name)?;
        put_text(out, value)
    })
}

/// The key to cancel by.
///
/// # Errors
/// When the secret has more bytes than any version of the protocol allows.
pub fn backend_key_data(out: &mut BytesMut, key: &CancelKey) -> Encoded {
    if key.secret.len() > CancelKey::SECRET_BYTES_MAX {
        return Err(Unencodable::TooLong);
    }
    write(out, b'K', |out| {
        out.put_i32(key.pid);
        out.extend_from_slice(&key.secret);
        Ok(())
    })
}

/// The client's minor version or some of its options are not spoken here; `minor` is.
///
/// # Errors
/// See [`Unencodable`].
pub fn negotiate_protocol_version<O: AsRef<str>>(
    out: &mut BytesMut,
    minor: u16,
    unknown_options: &[O],
) -> Encoded {
    write(out, b'v', |out| {
        out.put_u16(super::encode::MAJOR_VERSION);
        out.put_u16(minor);
        out.put_i32(i32::try_from(unknown_options.len()).map_err(|_| Unencodable::TooMany)?);
        for option in unknown_options {
            put_text(out, option.as_ref().as_bytes())?;
        }
        Ok(())
    })
}

/// Authentication has succeeded.
pub fn authentication_ok(out: &mut BytesMut) {
    out.extend_from_slice(b"R\0\0\0\x08\0\0\0\0");
}

/// Asks for a password (or token) in clear.
pub fn authentication_cleartext(out: &mut BytesMut) {
    out.extend_from_slice(b"R\0\0\0\x08\0\0\0\x03");
}

/// Offers SASL mechanisms, best first.
///
/// # Errors
/// See [`Unencodable`].
pub fn authentication_sasl<M: AsRef<str>>(out: &mut BytesMut, mechanisms: &[M]) -> Encoded {
    write(out, b'R', |out| {
        out.put_i32(10);
        for mechanism in mechanisms {
            put_text(out, mechanism.as_ref().as_bytes())?;
        }
        out.put_u8(0);
        Ok(())
    })
}

/// A SASL challenge.
///
/// # Errors
/// See [`Unencodable`].
pub fn authentication_sasl_continue(out: &mut BytesMut, challenge: &[u8]) -> Encoded {
    sasl_step(out, 11, challenge)
}

/// The last SASL message, before [`authentication_ok`].
///
/// # Errors
/// See [`Unencodable`].
pub fn authentication_sasl_final(out: &mut BytesMut, last: &[u8]) -> Encoded {
    sasl_step(out, 12, last)
}

fn sasl_step(out: &mut BytesMut, step: i32, data: &[u8]) -> Encoded {
    write(out, b'R', |out| {
        out.put_i32(step);
        out.extend_from_slice(data);
        Ok(())
    })
}

fn put_copy_shape(out: &mut BytesMut, shape: &CopyShape) -> Encoded {
    out.put_u8(u8::from(shape.binary));
    put_formats(out, &shape.columns)
}

fn put_fields(out: &mut BytesMut, fields: &Fields) -> Encoded {
    for (code, value) in &fields.0 {
        out.put_u8(*code);
        put_text(out, value)?;
    }
    out.put_u8(0);
    Ok(())
}

fn own_fields(out: &mut BytesMut, tag: u8, own: &ErrorFields) {
    let word = own.severity.word();
    let position = own.position.map(|position| position.to_string());
    let texts = [
        (Fields::SEVERITY, Some(word)),
        (Fields::SEVERITY_PLAIN, Some(word)),
        (Fields::SQLSTATE, Some(own.sqlstate.as_ref())),
        (Fields::MESSAGE, Some(own.message.as_ref())),
        (Fields::DETAIL, own.detail.as_deref()),
        (Fields::HINT, own.hint.as_deref()),
        (b'P', position.as_deref()),
        (Fields::CONTEXT, own.context.as_deref()),
    ];
    let fields = texts
        .into_iter()
        .filter_map(|(code, text)| Some((code, sayable(text?))))
        .collect();
    // Eight fields of 64 KiB without NUL always fit a frame, so there is nothing to report.
    let _fits = write(out, tag, |out| put_fields(out, &Fields(fields)));
}

/// Cuts a text to what a field may hold, at a character boundary, and turns NUL into a space.
fn sayable(text: &str) -> Bytes {
    let cut = text
        .get(..text.floor_char_boundary(TEXT_BYTES_MAX))
        .unwrap_or("");
    Bytes::from(cut.replace('\0', " "))
}
