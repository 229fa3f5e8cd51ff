//! The address that a proof is for.
//!
//! Lives here: comparing it with where a request went (RFC 9449, section 4.3, number 9; RFC 3986, section 6.2). Never: what
//! is there.

use url::Url;

/// Whether both are the same address, their queries and fragments aside.
pub(super) fn same(claimed: &str, meant: &str) -> bool {
    match (normal(claimed), normal(meant)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// Scheme, host, port and path in their one spelling: case of scheme and host, the scheme's own port and dots in the path
/// are seen to by the reader, escapes of what needs none here.
fn normal(text: &str) -> Option<(String, String, u16, String)> {
    let url = Url::parse(text).ok()?;
    if !matches!(url.scheme(), "http" | "https")
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return None;
    }
    Some((
        url.scheme().to_owned(),
        url.host_str()?.to_owned(),
        url.port_or_known_default()?,
        unescaped(url.path()),
    ))
}

fn unescaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let byte = after.get(..2).and_then(|h| u8::from_str_radix(h, 16).ok());
        match byte {
            Some(b) if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => out.push(char::from(b)),
            Some(b) => out.push_str(&format!("%{b:02X}")),
            // No escape at all: it is like itself alone.
            None => {
                out.push('%');
                rest = after;
                continue;
            }
        }
        rest = after.get(2..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_itself_however_it_is_spelled() {
        let meant = "https://gw.example/api/v1/who-am%2Fi";
        for same_as in [
            "https://gw.example/api/v1/who-am%2Fi",
            "HTTPS://GW.Example:443/api/v1/who-am%2fi?x=1#y",
            "https://gw.example/api/./v1/%77ho-am%2Fi",
            "https://gw.example/api/x/../v1/who%2Dam%2fi",
        ] {
            assert!(same(same_as, meant), "{same_as}");
        }
        for other in [
            "",
            "/api/v1/who-am%2Fi",
            "http://gw.example/api/v1/who-am%2Fi",
            "https://gw.example:8443/api/v1/who-am%2Fi",
            "https://gw.example.evil/api/v1/who-am%2Fi",
            "https://user@gw.example/api/v1/who-am%2Fi",
            "https://gw.example/api/v1/who-am/i",
            "https://gw.example/api/v1/who-am%2Fi/",
            "https://gw.example/API/v1/who-am%2Fi",
            "https://gw.example/api/v1/",
            "ftp://gw.example/api/v1/who-am%2Fi",
        ] {
            assert!(!same(other, meant), "{other}");
        }
    }
}
