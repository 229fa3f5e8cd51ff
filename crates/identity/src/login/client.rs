//! The clients of the authorization server: programs of our own, which have no secret.
//!
//! Lives here: their names and the addresses they may be answered at. Never: registration; there is none.

use super::No;
use url::{Host, Url};

/// The command line (`client_id`).
pub const CLI: &str = "brattice-cli";
/// The gateway's own SSH listener, for a person at a stock client. Nobody else comes by this name.
pub(super) const SSH: &str = "brattice-ssh";
/// The path that a command line listens on.
const CLI_PATH: &str = "/callback";

/// Whether there is a client of this name, for those who come by HTTP.
pub(super) fn known(client: &str) -> Result<(), No> {
    if client == CLI {
        Ok(())
    } else {
        Err(No::Client("no such client"))
    }
}

/// The address where a client is answered: a port of the person's own machine (RFC 8252, section 7.3), by number, since a
/// name may lead elsewhere.
pub(super) fn redirect(client: &str, uri: &str) -> Result<Url, No> {
    known(client)?;
    let wrong = || No::Client("this client is answered at http://127.0.0.1:PORT/callback alone");
    let url = Url::parse(uri).map_err(|_| wrong())?;
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
    };
    let plain = url.scheme() == "http"
        && url.path() == CLI_PATH
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    // What is compared later is the text: it must be the only spelling of the address.
    if loopback && plain && url.port().is_some() && url.as_str() == uri {
        Ok(url)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_answered_on_its_own_machine_alone() {
        for good in [
            "http://127.0.0.1:4000/callback",
            "http://[::1]:4000/callback",
        ] {
            assert!(redirect(CLI, good).is_ok(), "{good}");
        }
        for bad in [
            "https://127.0.0.1:4000/callback",
            "http://localhost:4000/callback",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:4000/",
            "http://127.0.0.1:4000/callback?x=1",
            "http://127.0.0.1:4000/callback#x",
            "http://u@127.0.0.1:4000/callback",
            "http://127.0.0.1:4000/x/../callback",
            "http://0x7f.1:4000/callback",
            "http://127.0.0.1.evil.example:4000/callback",
            "http://evil.example/callback",
            "HTTP://127.0.0.1:4000/callback",
            "javascript:alert(1)",
            "",
        ] {
            assert!(redirect(CLI, bad).is_err(), "{bad}");
        }
        assert!(redirect("other", "http://127.0.0.1:4000/callback").is_err());
    }
}
