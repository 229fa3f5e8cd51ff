//! Instants as SAML writes them.
//!
//! Lives here: reading `xs:dateTime` in UTC. Never: a clock, comparing.

use super::refusal::SamlRefused;
use brattice_core::time::Timestamp;

/// Reads `2026-01-31T12:00:00Z`, with or without a fraction of a second. SAML knows no other zone (Core, section 1.3.3).
pub(super) fn instant(text: &str) -> Result<Timestamp, SamlRefused> {
    let plain = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(b, s)| match s {
                b'0' => b.is_ascii_digit(),
                s => b == s,
            })
    };
    let whole = text.strip_suffix('Z').ok_or(SamlRefused::Time)?;
    let (seconds, fraction) = whole.split_once('.').unwrap_or((whole, "0"));
    let fraction_good =
        (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
    if !plain(seconds, "0000-00-00T00:00:00") || !fraction_good {
        return Err(SamlRefused::Time);
    }
    let read: jiff::Timestamp = text.parse().map_err(|_| SamlRefused::Time)?;
    Ok(Timestamp(read.as_microsecond()))
}

/// Writes an instant in whole seconds.
pub(super) fn written(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_utc_is_read() {
        let at = Timestamp::from_seconds(1_767_225_600);
        assert_eq!(instant("2026-01-01T00:00:00Z"), Ok(at));
        assert_eq!(instant("2026-01-01T00:00:00.0000001Z"), Ok(at));
        assert_eq!(
            instant("2026-01-01T00:00:00.5Z"),
            Ok(Timestamp(at.0 + 500_000))
        );
        for bad in [
            "",
            "Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00+00:00",
            "2026-01-01T00:00:00z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.0000000000Z",
            "+02026-01-01T00:00:00Z",
            "2026-01-01T00:00:00ZZ",
            "2026-01-01T00:00:00.1.2Z",
            "99999-01-01T00:00:00Z",
            " 2026-01-01T00:00:00Z",
        ] {
            assert_eq!(instant(bad), Err(SamlRefused::Time), "{bad}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let at = Timestamp(1_767_225_600_123_456);
        assert_eq!(written(at), "2026-01-01T00:00:00Z");
        assert_eq!(
            instant(&written(at)),
            Ok(Timestamp::from_seconds(at.seconds()))
        );
    }
}
