//! Writes every message we send to a target (PostgreSQL documentation, "Message Formats", those
//! marked F), anew from decoded parts. Never here: bytes taken over without having been understood.

use bytes::{BufMut, BytesMut};

use super::frame::{put_count, put_text, put_value, write, write_untyped};
use super::{CancelKey, NameKind};
use crate::Unencodable;

/// The request code of SSLRequest.
pub const SSL_REQUEST: u32 = 80_877_103;
/// The request code of GSSENCRequest.
pub const GSSENC_REQUEST: u32 = 80_877_104;
/// The request code of CancelRequest.
pub const CANCEL_REQUEST: u32 = 80_877_102;
/// The major version of the protocol, in the upper half of the version number.
pub const MAJOR_VERSION: u16 = 3;

type Encoded = Result<(), Unencodable>;

/// A simple query.
///
/// # Errors
/// See [`Unencodable`]; so for every function here.
pub fn query(out: &mut BytesMut, sql: &[u8]) -> Encoded {
    write(out, b'Q', |out| put_text(out, sql))
}

/// Prepares a statement.
///
/// # Errors
/// See [`Unencodable`].
pub fn parse(out: &mut BytesMut, name: &[u8], sql: &[u8], param_types: &[u32]) -> Encoded {
    write(out, b'P', |out| {
        put_text(out, name)?;
        put_text(out, sql)?;
        put_count(out, param_types.len())?;
        param_types.iter().for_each(|oid| out.put_u32(*oid));
        Ok(())
    })
}

/// Makes a portal of a statement.
///
/// # Errors
/// See [`Unencodable`].
pub fn bind<P: AsRef<[u8]>>(
    out: &mut BytesMut,
    portal: &[u8],
    statement: &[u8],
    param_formats: &[i16],
    params: &[Option<P>],
    result_formats: &[i16],
) -> Encoded {
    write(out, b'B', |out| {
        put_text(out, portal)?;
        put_text(out, statement)?;
        put_formats(out, param_formats)?;
        put_count(out, params.len())?;
        for param in params {
            put_value(out, param.as_ref().map(AsRef::as_ref))?;
        }
        put_formats(out, result_formats)
    })
}

/// Asks for a description.
///
/// # Errors
/// See [`Unencodable`].
pub fn describe(out: &mut BytesMut, kind: NameKind, name: &[u8]) -> Encoded {
    write(out, b'D', |out| {
        out.put_u8(kind.code());
        put_text(out, name)
    })
}

/// Runs a portal; a `rows_max` of zero asks for all rows.
///
/// # Errors
/// See [`Unencodable`].
pub fn execute(out: &mut BytesMut, portal: &[u8], rows_max: u32) -> Encoded {
    write(out, b'E', |out| {
        put_text(out, portal)?;
        out.put_i32(i32::try_from(rows_max).map_err(|_| Unencodable::TooMany)?);
        Ok(())
    })
}

/// Drops a statement or portal.
///
/// # Errors
/// See [`Unencodable`].
pub fn close(out: &mut BytesMut, kind: NameKind, name: &[u8]) -> Encoded {
    write(out, b'C', |out| {
        out.put_u8(kind.code());
        put_text(out, name)
    })
}

/// Ends a pipeline.
pub fn sync(out: &mut BytesMut) {
    out.extend_from_slice(b"S\0\0\0\x04");
}

/// Asks for replies so far.
pub fn flush(out: &mut BytesMut) {
    out.extend_from_slice(b"H\0\0\0\x04");
}

/// Takes leave.
pub fn terminate(out: &mut BytesMut) {
    out.extend_from_slice(b"X\0\0\0\x04");
}

/// A piece of a COPY stream.
///
/// # Errors
/// See [`Unencodable`].
pub fn copy_data(out: &mut BytesMut, data: &[u8]) -> Encoded {
    write(out, b'd', |out| {
        out.extend_from_slice(data);
        Ok(())
    })
}

/// Ends a COPY stream.
pub fn copy_done(out: &mut BytesMut) {
    out.extend_from_slice(b"c\0\0\0\x04");
}

/// Abandons a COPY stream.
///
/// # Errors
/// See [`Unencodable`].
pub fn copy_fail(out: &mut BytesMut, reason: &[u8]) -> Encoded {
    write(out, b'f', |out| put_text(out, reason))
}

/// The start-up packet of protocol 3.`minor`.
///
/// # Errors
/// See [`Unencodable`]; an empty name would end the list early and counts as [`Unencodable::NulInText`].
pub fn startup<N: AsRef<str>, V: AsRef<str>>(
    out: &mut BytesMut,
    minor: u16,
    parameters: &[(N, V)],
) -> Encoded {
    write_untyped(out, |out| {
        out.put_u16(MAJOR_VERSION);
        out.put_u16(minor);
        for (name, value) in parameters {
            if name.as_ref().is_empty() {
                return Err(Unencodable::NulInText);
            }
            put_text(out, name.as_ref().as_bytes())?;
            put_text(out, value.as_ref().as_bytes())?;
        }
        out.put_u8(0);
        Ok(())
    })
}

/// Asks the target to go over to TLS.
pub fn ssl_request(out: &mut BytesMut) {
    out.put_u32(8);
    out.put_u32(SSL_REQUEST);
}

/// Asks, on a connection of its own, to cancel what another is running.
///
/// # Errors
/// See [`Unencodable`].
pub fn cancel_request(out: &mut BytesMut, key: &CancelKey) -> Encoded {
    if key.secret.len() > CancelKey::SECRET_BYTES_MAX {
        return Err(Unencodable::TooLong);
    }
    write_untyped(out, |out| {
        out.put_u32(CANCEL_REQUEST);
        out.put_i32(key.pid);
        out.extend_from_slice(&key.secret);
        Ok(())
    })
}

/// A password in clear, or already hashed for the md5 method.
///
/// # Errors
/// See [`Unencodable`].
pub fn password(out: &mut BytesMut, password: &[u8]) -> Encoded {
    write(out, b'p', |out| put_text(out, password))
}

/// The first message of a SASL exchange, with the mechanism chosen.
///
/// # Errors
/// See [`Unencodable`].
pub fn sasl_initial(out: &mut BytesMut, mechanism: &str, first: &[u8]) -> Encoded {
    write(out, b'p', |out| {
        put_text(out, mechanism.as_bytes())?;
        put_value(out, Some(first))
    })
}

/// A later message of a SASL exchange.
///
/// # Errors
/// See [`Unencodable`].
pub fn sasl_response(out: &mut BytesMut, response: &[u8]) -> Encoded {
    write(out, b'p', |out| {
        out.extend_from_slice(response);
        Ok(())
    })
}

pub(super) fn put_formats(out: &mut BytesMut, formats: &[i16]) -> Encoded {
    put_count(out, formats.len())?;
    formats.iter().for_each(|format| out.put_i16(*format));
    Ok(())
}
