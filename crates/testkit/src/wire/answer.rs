//! What came back: messages as they are, and the questions tests ask of them.

use std::collections::BTreeMap;
use std::fmt;

/// One message from a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its type.
    pub tag: u8,
    /// What follows the length.
    pub body: Vec<u8>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = char::from(self.tag);
        match self.tag {
            b'E' | b'N' => write!(f, "{tag}({})", Fields::of(self)),
            b'C' | b'S' | b'Z' => write!(f, "{tag}({})", self.body.escape_ascii()),
            _ => write!(f, "{tag}({} bytes)", self.body.len()),
        }
    }
}

impl Message {
    /// As it came.
    pub fn bytes(&self) -> Vec<u8> {
        super::frames::frame(self.tag, &self.body)
    }

    /// The texts in it that end with a NUL, from the start.
    fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = self
            .body
            .split(|b| *b == 0)
            .map(|t| String::from_utf8_lossy(t).into_owned())
            .collect();
        texts.pop();
        texts
    }
}

/// The fields of an error or a notice.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Fields(BTreeMap<char, String>);

impl Fields {
    /// Reads an ErrorResponse or NoticeResponse.
    pub fn of(message: &Message) -> Fields {
        let fields = message
            .body
            .split(|b| *b == 0)
            .filter_map(|field| {
                let (code, value) = field.split_first()?;
                Some((
                    char::from(*code),
                    String::from_utf8_lossy(value).into_owned(),
                ))
            })
            .collect();
        Fields(fields)
    }

    /// One field by its code; "" if it is not there.
    pub fn get(&self, code: char) -> &str {
        self.0.get(&code).map_or("", String::as_str)
    }
    /// SQLSTATE.
    pub fn sqlstate(&self) -> &str {
        self.get('C')
    }
    /// The severity, never translated.
    pub fn severity(&self) -> &str {
        self.get('V')
    }
    /// The message.
    pub fn message(&self) -> &str {
        self.get('M')
    }
    /// The detail.
    pub fn detail(&self) -> &str {
        self.get('D')
    }
    /// The hint.
    pub fn hint(&self) -> &str {
        self.get('H')
    }
    /// A `name=value` of the detail, as the gateway writes them.
    pub fn told(&self, name: &str) -> Option<String> {
        self.detail()
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(n, value)| (n == name).then(|| value.to_owned()))
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}",
            self.severity(),
            self.sqlstate(),
            self.message()
        )?;
        for part in [self.detail(), self.hint()] {
            if !part.is_empty() {
                write!(f, " | {part}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A row: its cells as they came.
pub type Row = Vec<Option<Vec<u8>>>;

/// Messages in the order they came.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Answer(Vec<Message>);

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Answer {
    /// All of them.
    pub fn messages(&self) -> &[Message] {
        &self.0
    }

    /// One more.
    pub fn push(&mut self, message: Message) {
        self.0.push(message);
    }

    /// These and then those.
    pub fn extend(&mut self, other: Answer) {
        self.0.extend(other.0);
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(Message::bytes).collect()
    }

    /// The types, one letter each.
    pub fn tags(&self) -> String {
        self.0.iter().map(|m| char::from(m.tag)).collect()
    }

    /// The rows.
    pub fn rows(&self) -> Vec<Row> {
        self.of(b'D').map(|m| cells(&m.body)).collect()
    }

    /// The rows as text, cells joined by `|`, NULL as nothing.
    pub fn texts(&self) -> Vec<String> {
        let text = |cell: &Option<Vec<u8>>| {
            cell.as_ref()
                .map(|c| String::from_utf8_lossy(c).into_owned())
                .unwrap_or_default()
        };
        self.rows()
            .iter()
            .map(|row| row.iter().map(text).collect::<Vec<_>>().join("|"))
            .collect()
    }

    /// The errors.
    pub fn errors(&self) -> Vec<Fields> {
        self.of(b'E').map(Fields::of).collect()
    }

    /// The first error's SQLSTATE; "" when there is none.
    pub fn sqlstate(&self) -> String {
        self.errors()
            .first()
            .map(|e| e.sqlstate().to_owned())
            .unwrap_or_default()
    }

    /// The notices.
    pub fn notices(&self) -> Vec<Fields> {
        self.of(b'N').map(Fields::of).collect()
    }

    /// The tags of completed commands.
    pub fn completed(&self) -> Vec<String> {
        self.of(b'C').flat_map(Message::texts).collect()
    }

    /// The transaction status of each ReadyForQuery.
    pub fn ready(&self) -> String {
        self.of(b'Z')
            .filter_map(|m| m.body.first())
            .map(|b| char::from(*b))
            .collect()
    }

    /// The reported parameters.
    pub fn parameters(&self) -> Vec<(String, String)> {
        self.of(b'S')
            .filter_map(|m| {
                let mut texts = m.texts().into_iter();
                Some((texts.next()?, texts.next()?))
            })
            .collect()
    }

    /// The pieces of a COPY to the client, joined.
    pub fn copied(&self) -> Vec<u8> {
        self.of(b'd').flat_map(|m| m.body.iter().copied()).collect()
    }

    /// The names of the columns of each result.
    pub fn columns(&self) -> Vec<Vec<String>> {
        self.of(b'T').map(|m| column_names(&m.body)).collect()
    }

    fn of(&self, tag: u8) -> impl Iterator<Item = &Message> {
        self.0.iter().filter(move |m| m.tag == tag)
    }
}

fn cells(body: &[u8]) -> Row {
    let mut row = Vec::new();
    let mut rest = body.get(2..).unwrap_or_default();
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        match usize::try_from(i32::from_be_bytes(*length)) {
            Ok(length) => {
                row.push(Some(tail.get(..length).unwrap_or_default().to_vec()));
                rest = tail.get(length..).unwrap_or_default();
            }
            Err(_) => {
                row.push(None);
                rest = tail;
            }
        }
    }
    row
}

/// Each column is a name, a NUL and eighteen bytes.
fn column_names(body: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = body.get(2..).unwrap_or_default();
    while let Some(end) = rest.iter().position(|b| *b == 0) {
        names.push(String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned());
        rest = rest.get(end + 1 + 18..).unwrap_or_default();
    }
    names
}
