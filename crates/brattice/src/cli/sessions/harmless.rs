//! Terminal output that only draws.
//!
//! Lives here: which escapes pass (ECMA-48, xterm's ctlseqs). Never: one that asks the terminal for an answer, writes to
//! its clipboard or title, opens links, resizes windows, or that is not known.

/// Longer sequences are no sequences.
const SEQUENCE_BYTES_MAX: usize = 64;

/// A filter over a stream, in any chunks.
#[derive(Debug, Default)]
pub struct Harmless {
    state: State,
    /// The sequence that has begun.
    held: Vec<u8>,
    /// The beginning of a character.
    carried: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// ESC and one of `()*+`: a character set follows.
    Charset,
    /// After ESC `[`.
    Control,
    /// Within a string of OSC, DCS, SOS, PM or APC: until ST or BEL.
    String,
    /// In a string, after ESC.
    StringEscape,
}

impl Harmless {
    /// What of a chunk may be drawn.
    pub fn pass(&mut self, chunk: &[u8]) -> String {
        let mut out = Vec::with_capacity(chunk.len());
        for byte in chunk {
            self.take(*byte, &mut out);
        }
        // A character that is cut in two goes on with the next chunk.
        let mut text = std::mem::take(&mut self.carried);
        text.extend(out);
        let whole = match std::str::from_utf8(&text) {
            Err(e) if e.error_len().is_none() => e.valid_up_to(),
            _ => text.len(),
        };
        self.carried = text.split_off(whole);
        // Controls of the second set are escapes of one character.
        let is_control = |c: char| ('\u{80}'..='\u{9f}').contains(&c);
        String::from_utf8_lossy(&text).replace(is_control, "\u{fffd}")
    }

    fn take(&mut self, byte: u8, out: &mut Vec<u8>) {
        match self.state {
            State::Text => match byte {
                0x1b => self.begin(byte, State::Escape),
                b'\r' | b'\n' | b'\t' | 0x08 | 0x07 | 0x0e | 0x0f => out.push(byte),
                0..=0x1f | 0x7f => {}
                _ => out.push(byte),
            },
            State::Escape => match byte {
                b'[' => self.go_on(byte, State::Control),
                b'(' | b')' | b'*' | b'+' => self.go_on(byte, State::Charset),
                b']' | b'P' | b'X' | b'^' | b'_' => self.drop_to(State::String),
                // Save and restore, keypad modes, index, next line, tab stop.
                b'7' | b'8' | b'=' | b'>' | b'D' | b'E' | b'H' | b'M' => self.end(byte, out),
                0x1b => self.begin(byte, State::Escape),
                _ => self.drop_to(State::Text),
            },
            State::Charset => match byte {
                b'0' | b'A' | b'B' => self.end(byte, out),
                _ => self.drop_to(State::Text),
            },
            State::Control => match byte {
                0x20..=0x3f => self.go_on(byte, State::Control),
                0x40..=0x7e if draws(&self.held, byte) => self.end(byte, out),
                0x1b => self.begin(byte, State::Escape),
                _ => self.drop_to(State::Text),
            },
            State::String => match byte {
                0x07 => self.drop_to(State::Text),
                0x1b => self.state = State::StringEscape,
                _ => {}
            },
            State::StringEscape => match byte {
                b'\\' => self.drop_to(State::Text),
                0x1b => {}
                _ => self.state = State::String,
            },
        }
    }

    fn begin(&mut self, byte: u8, state: State) {
        self.held.clear();
        self.go_on(byte, state);
    }

    fn go_on(&mut self, byte: u8, state: State) {
        if self.held.len() >= SEQUENCE_BYTES_MAX {
            return self.drop_to(State::Text);
        }
        self.held.push(byte);
        self.state = state;
    }

    fn drop_to(&mut self, state: State) {
        self.held.clear();
        self.state = state;
    }

    fn end(&mut self, byte: u8, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        out.push(byte);
        self.state = State::Text;
    }
}

/// Whether a control sequence only draws: cursor, erasing, scrolling, attributes, and modes of the screen.
fn draws(held: &[u8], last: u8) -> bool {
    let parameters = held.get(2..).unwrap_or_default();
    let plain = parameters
        .iter()
        .all(|b| b.is_ascii_digit() || matches!(b, b';' | b':'));
    match last {
        b'h' | b'l' => {
            let private = parameters.strip_prefix(b"?").unwrap_or(parameters);
            let modes = String::from_utf8_lossy(private).into_owned();
            modes.split(';').all(|m| DRAWING_MODES.contains(&m))
        }
        b'A'..=b'M'
        | b'P'
        | b'S'
        | b'T'
        | b'X'
        | b'Z'
        | b'@'
        | b'`'
        | b'a'
        | b'b'
        | b'd'
        | b'e'
        | b'f'
        | b'g'
        | b'm'
        | b'r'
        | b's'
        | b'u' => plain,
        _ => false,
    }
}

/// Insert, cursor keys, columns, reverse, origin, wrap, cursor's blinking and being seen, the second screen, the saved
/// cursor, and where a paste begins.
const DRAWING_MODES: [&str; 14] = [
    "1", "3", "4", "5", "6", "7", "12", "25", "45", "47", "1047", "1048", "1049", "2004",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(text: &str) -> String {
        Harmless::default().pass(text.as_bytes())
    }

    #[test]
    fn what_draws_passes_as_it_is() {
        for text in [
            "plain \u{e9}\r\n\t",
            "\u{1b}[1;31mred\u{1b}[0m",
            "\u{1b}[38:2:1:2:3m",
            "\u{1b}[2J\u{1b}[10;20H\u{1b}[K",
            "\u{1b}[?1049h\u{1b}[?25l\u{1b}7\u{1b}8\u{1b}(0q\u{1b}(B",
        ] {
            assert_eq!(pass(text), text);
        }
    }

    #[test]
    fn what_does_more_is_left_out() {
        for harm in [
            "\u{1b}]52;c;cm0gLXJmIC8=\u{7}",
            "\u{1b}]8;;javascript:alert(1)\u{1b}\\",
            "\u{1b}]0;title\u{7}",
            "\u{1b}P+q544e\u{1b}\\",
            "\u{1b}[6n",
            "\u{1b}[c",
            "\u{1b}[>0q",
            "\u{1b}[8;9999;9999t",
            "\u{1b}[20;5y",
            "\u{1b}[!p",
            "\u{1b}[?1000h",
            "\u{1b}_x\u{1b}\\",
            "\u{1b}c",
            "\u{0}\u{5}",
        ] {
            assert_eq!(pass(&format!("a{harm}b")), "ab", "{harm:?}");
        }
        assert_eq!(pass("a\u{9b}6nb"), "a\u{fffd}6nb");
    }

    #[test]
    fn any_chunks_give_the_same() {
        let text = "x\u{1b}]52;c;AA==\u{7}\u{1b}[1m\u{e9}\u{1b}[6n\u{1b}]8;;a\u{1b}\\y";
        let whole = pass(text);
        for cut in 1..text.len() {
            let mut filter = Harmless::default();
            let bytes = text.as_bytes();
            let mut got = filter.pass(&bytes[..cut]);
            got.push_str(&filter.pass(&bytes[cut..]));
            assert_eq!(got, whole, "cut at {cut}");
        }
    }
}
