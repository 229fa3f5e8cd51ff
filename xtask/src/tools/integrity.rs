//! Does a file have the digest that the registry states? The digest is computed by `sha512sum`; compared here.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Outcome};
use crate::run;

/// `integrity` is npm's form: `sha512-` and the digest in base64.
pub fn matches(file: &Path, integrity: &str) -> Outcome<bool> {
    let wanted = integrity
        .strip_prefix("sha512-")
        .and_then(decode_base64)
        .filter(|digest| digest.len() == 64)
        .ok_or_else(|| Failure::new(format!("{integrity:?} is not a SHA-512 integrity")))?;
    let said = run::captured(Command::new("sha512sum").arg("--").arg(file))?;
    // An unusual file name makes sha512sum put a backslash before the digest.
    let found = said
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .trim_start_matches('\\');
    Ok(found == hex(&wanted))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_base64() {
        assert_eq!(decode_base64("aGVsbG8=").unwrap(), b"hello");
        assert_eq!(decode_base64("aGVsbG8h").unwrap(), b"hello!");
        assert_eq!(decode_base64("+/8=").unwrap(), [0xfb, 0xff]);
        assert!(decode_base64("a*").is_none());
    }

    #[test]
    fn tells_a_changed_file_from_the_pinned_one() {
        // The SHA-512 of "abc" (FIPS 180-2, appendix C.1).
        let abc = "sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==";
        let file = std::env::temp_dir().join(format!("xtask-integrity-{}", std::process::id()));
        std::fs::write(&file, "abc").unwrap();
        assert!(matches(&file, abc).unwrap());
        std::fs::write(&file, "abd").unwrap();
        assert!(!matches(&file, abc).unwrap());
        assert!(matches(&file, "sha512-c2hvcnQ=").is_err());
        std::fs::remove_file(&file).unwrap();
    }
}
