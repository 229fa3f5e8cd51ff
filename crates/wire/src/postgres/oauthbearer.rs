//! The server's side of SASL OAUTHBEARER (RFC 7628) as libpq 18 speaks it (PostgreSQL documentation,
//! "SASL Authentication": OAUTHBEARER). Reads the client's messages and writes the failure that tells
//! it where to get a token. Never here: whether a token is any good.

use brattice_core::secret::Secret;

/// The mechanism's name.
pub const OAUTHBEARER: &str = "OAUTHBEARER";

/// Separates the parts of a message.
const SEPARATOR: char = '\x01';
/// The only thing a client may say after a failure.
const CONTINUE: &[u8] = b"\x01";

/// What the client's first message holds.
#[derive(Debug)]
pub enum First {
    /// A token to be verified.
    Token(Secret),
    /// Nothing: the client asks where to get a token.
    Discovery,
}

/// Where and for what to get a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// The issuer's `/.well-known/openid-configuration` document.
    pub openid_configuration: String,
    /// The scopes to ask for, separated by spaces.
    pub scope: String,
}

/// A message that does not follow the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an OAUTHBEARER message is malformed")]
pub struct OauthMalformed;

/// Reads the client's first message.
///
/// # Errors
/// When it asks for channel binding or another identity, or does not follow the grammar.
pub fn client_first(message: &[u8]) -> Result<First, OauthMalformed> {
    let message = std::str::from_utf8(message).map_err(|_| OauthMalformed)?;
    let pairs = message
        .strip_prefix("n,,\x01")
        .or_else(|| message.strip_prefix("y,,\x01"))
        .and_then(|rest| rest.strip_suffix(SEPARATOR))
        .ok_or(OauthMalformed)?;
    let mut auth = None;
    for pair in pairs.split_terminator(SEPARATOR) {
        let (key, value) = pair.split_once('=').ok_or(OauthMalformed)?;
        let sound = !key.is_empty()
            && key.bytes().all(|byte| byte.is_ascii_alphabetic())
            && value.bytes().all(is_value_byte);
        if !sound || (key == "auth" && auth.replace(value).is_some()) {
            return Err(OauthMalformed);
        }
    }
    if !pairs.ends_with(SEPARATOR) {
        return Err(OauthMalformed);
    }
    match auth.ok_or(OauthMalformed)? {
        "" => Ok(First::Discovery),
        auth => Ok(First::Token(Secret::new(bearer(auth)?.as_bytes()))),
    }
}

/// The failure that ends the exchange, as JSON (RFC 7628, section 3.2.2).
#[must_use]
pub fn failure(discovery: &Discovery) -> String {
    format!(
        "{{\"status\":\"invalid_token\",\"openid-configuration\":{},\"scope\":{}}}",
        json_text(&discovery.openid_configuration),
        json_text(&discovery.scope)
    )
}

/// Checks what a client says after the failure, before it is sent the error.
///
/// # Errors
/// When it says anything but the one byte it must.
pub fn client_after_failure(message: &[u8]) -> Result<(), OauthMalformed> {
    if message == CONTINUE {
        return Ok(());
    }
    Err(OauthMalformed)
}

/// The token of a `Bearer` authorization: `b64token` (RFC 6750, section 2.1).
fn bearer(auth: &str) -> Result<&str, OauthMalformed> {
    let (scheme, token) = auth.split_once(' ').ok_or(OauthMalformed)?;
    let token = token.trim_start_matches(' ');
    let unpadded = token.trim_end_matches('=');
    let sound = scheme.eq_ignore_ascii_case("bearer")
        && !unpadded.is_empty()
        && unpadded
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
    if sound {
        Ok(token)
    } else {
        Err(OauthMalformed)
    }
}

const fn is_value_byte(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e | b' ' | b'\t' | b'\r' | b'\n')
}

/// A JSON string (RFC 8259, section 7).
fn json_text(text: &str) -> String {
    let mut json = String::with_capacity(text.len().saturating_add(2));
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            control if control.is_control() && control.is_ascii() => {
                json.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::{Discovery, First, client_after_failure, client_first, failure};

    fn token(message: &[u8]) -> String {
        match client_first(message).unwrap() {
            First::Token(token) => token.expose_str().unwrap().to_owned(),
            First::Discovery => panic!("no token"),
        }
    }

    #[test]
    fn reads_a_token_as_libpq_sends_it() {
        let sent = b"n,,\x01auth=Bearer eyJhbGciOi.J9-_~+/==\x01\x01";
        assert_eq!(token(sent), "eyJhbGciOi.J9-_~+/==");
        assert_eq!(token(b"y,,\x01auth=bearer  abc\x01\x01"), "abc");
        let more = b"n,,\x01host=db\x01port=5432\x01auth=Bearer abc\x01\x01";
        assert_eq!(token(more), "abc");
    }

    #[test]
    fn an_empty_authorization_asks_where_to_get_a_token() {
        let asked = client_first(b"n,,\x01auth=\x01\x01").unwrap();
        assert!(matches!(asked, First::Discovery));
    }

    #[test]
    fn refuses_what_does_not_follow_the_grammar() {
        let messages: [&[u8]; 22] = [
            b"",
            b"n",
            b"n,,",
            b"n,,\x01",
            b"n,,\x01\x01",
            b"n,,auth=Bearer a\x01\x01",
            b"n,,\x01auth=Bearer a",
            b"n,,\x01auth=Bearer a\x01",
            b"n,,\x01auth=Bearer a\x01\x01\x01",
            b"n,,\x01auth=Bearer a\x01\x01x",
            b"n,,\x01auth=Bearer a\x01\x01auth=Bearer b\x01\x01",
            b"n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01",
            b"n,a=dba,\x01auth=Bearer a\x01\x01",
            b"p=tls-server-end-point,,\x01auth=Bearer a\x01\x01",
            b"n,,\x01auth=Basic a\x01\x01",
            b"n,,\x01auth=Bearer \x01\x01",
            b"n,,\x01auth=Bearer\x01\x01",
            b"n,,\x01auth=Bearer a b\x01\x01",
            b"n,,\x01auth=Bearer a=b\x01\x01",
            b"n,,\x01auth=Bearer a\0\x01\x01",
            b"n,,\x01au th=x\x01auth=Bearer a\x01\x01",
            b"n,,\x01host=db\x01\x01",
        ];
        for message in messages {
            assert!(
                client_first(message).is_err(),
                "{:?}",
                message.escape_ascii()
            );
        }
    }

    #[test]
    fn the_failure_is_json_that_cannot_be_broken_out_of() {
        let discovery = Discovery {
            openid_configuration: "https://id.example/.well-known/openid-configuration".to_owned(),
            scope: "openid \"db\\\n".to_owned(),
        };
        assert_eq!(
            failure(&discovery),
            "{\"status\":\"invalid_token\",\
             \"openid-configuration\":\"https://id.example/.well-known/openid-configuration\",\
             \"scope\":\"openid \\\"db\\\\\\u000a\"}"
        );
    }

    #[test]
    fn after_the_failure_only_one_byte_may_come() {
        assert!(client_after_failure(b"\x01").is_ok());
        for message in [&b""[..], b"\x01\x01", b"n,,\x01auth=Bearer a\x01\x01"] {
            assert!(client_after_failure(message).is_err());
        }
    }

    #[test]
    fn tokens_are_never_shown() {
        let first = client_first(b"n,,\x01auth=Bearer hush\x01\x01").unwrap();
        assert!(!format!("{first:?}").contains("hush"));
    }
}
