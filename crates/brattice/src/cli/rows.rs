//! PostgreSQL messages of a recording, as people read them: rows, notices, errors and tags.
//!
//! Lives here: reading what was recorded (PostgreSQL documentation, "Message Formats"). Never: trust in it; whatever
//! does not read as messages is shown as bytes.

/// Lines for a piece of recorded output; `None` when it is not a sequence of whole messages.
pub fn lines(mut bytes: &[u8]) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    while let Some((tag, rest)) = bytes.split_first() {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length))
            .ok()?
            .checked_sub(4)?;
        let body = rest.get(..length)?;
        bytes = rest.get(length..)?;
        match tag {
            b'T' => lines.push(columns(body)?.join(" | ")),
            b'D' => lines.push(cells(body)?.join(" | ")),
            b'N' | b'E' => lines.push(said(body)),
            b'C' => lines.push(text(body)),
            b'd' => lines.push(text(body).trim_end().to_owned()),
            // Everything else carries no data.
            _ => {}
        }
    }
    Some(lines)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches('\0')
        .to_owned()
}

fn columns(body: &[u8]) -> Option<Vec<String>> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut names = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let end = rest.iter().position(|b| *b == 0)?;
        names.push(text(rest.get(..end)?));
        rest = rest.get(end + 1 + 18..)?;
    }
    Some(names)
}

fn cells(body: &[u8]) -> Option<Vec<String>> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut values = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        rest = tail;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            values.push("NULL".to_owned());
            continue;
        };
        let value = rest.get(..length)?;
        rest = rest.get(length..)?;
        values.push(match std::str::from_utf8(value) {
            Ok(text) => text.to_owned(),
            Err(_) => format!("\\x{}", hex::encode(value)),
        });
    }
    Some(values)
}

/// Severity and message of a notice or an error.
fn said(body: &[u8]) -> String {
    let field = |code: u8| {
        body.split(|b| *b == 0)
            .find_map(|f| {
                f.split_first()
                    .filter(|(c, _)| **c == code)
                    .map(|(_, v)| text(v))
            })
            .unwrap_or_default()
    };
    format!("{}:  {}", field(b'S'), field(b'M'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_names_rows_nulls_and_tags() {
        let mut bytes = b"T\0\0\0\x1a\0\x01id\0".to_vec();
        bytes.extend([0; 18]);
        bytes[4] = u8::try_from(bytes.len() - 1).unwrap();
        bytes.extend(b"D\0\0\0\x0f\0\x02\0\0\0\x01a\xff\xff\xff\xff");
        bytes.extend(b"C\0\0\0\x0dSELECT 1\0");
        assert_eq!(lines(&bytes).unwrap(), ["id", "a | NULL", "SELECT 1"]);
    }

    #[test]
    fn does_not_make_sense_of_what_is_no_message() {
        assert_eq!(lines(b"D\0\0"), None);
        assert_eq!(lines(b"plain text"), None);
    }
}
