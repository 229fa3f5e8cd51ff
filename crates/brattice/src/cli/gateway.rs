//! Which gateway, and which token: from arguments, environment, files and standard input.
//!
//! Lives here: reading them. Never: a token in an argument, an error or a log.

use super::args::GatewayArgs;
use super::exit::Failure;
use super::saved::Saved;
use brattice_core::secret::Secret;
use std::io::Read;
use std::path::{Path, PathBuf};
use url::{Host, Url};

/// The variable that a token may be in.
pub const TOKEN: &str = "BRATTICE_TOKEN";
/// The longest token.
const TOKEN_BYTES_MAX: u64 = 16 * 1024;

/// Where a gateway is.
pub struct Place {
    /// Its address.
    pub url: Url,
    /// The authority of its certificate, where it is not one of the system's.
    pub ca: Option<PathBuf>,
}

/// The gateway that is meant: the one that is given, or else the one that somebody signed in to last.
pub fn place(args: &GatewayArgs, saved: &Saved) -> Result<Place, Failure> {
    let Some(text) = &args.url else {
        let last = saved.last()?;
        let last = last.ok_or_else(|| {
            Failure::usage("which gateway is not said")
                .hint("give --url, or set BRATTICE_URL to the gateway's `listen.admin.public_url`")
        })?;
        return Ok(Place {
            url: address(&last.url)?,
            ca: args.ca.clone().or(last.ca),
        });
    };
    let url = address(text)?;
    let ca = match &args.ca {
        Some(ca) => Some(ca.clone()),
        None => saved.of(&url)?.and_then(|s| s.ca),
    };
    Ok(Place { url, ca })
}

/// An address that a token may be sent to: over TLS, or on this machine.
pub fn address(text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).map_err(|_| Failure::usage(format!("`{text}` is not a URL")))?;
    let local = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" if url.has_host() => Ok(url),
        "http" if local => Ok(url),
        _ => Err(Failure::usage(
            "the address is neither https nor of this machine, so the token would travel in clear",
        )
        .hint("use the gateway's https address")),
    }
}

/// The token that is given; `None` when none is, so that whoever signed in is meant.
pub fn given_token(args: &GatewayArgs) -> Result<Option<Secret>, Failure> {
    match &args.token_file {
        Some(path) => token_of(path).map(Some),
        None => match std::env::var(TOKEN) {
            Ok(token) if token.trim().is_empty() => {
                Err(Failure::usage("BRATTICE_TOKEN is empty")
                    .hint("put a token into it, or unset it"))
            }
            Ok(token) => plain(token.into_bytes()).map(Some),
            Err(_) => Ok(None),
        },
    }
}

/// A token that is in a file; `-` is standard input.
pub fn token_of(path: &Path) -> Result<Secret, Failure> {
    let mut bytes = Vec::new();
    match path {
        path if path.as_os_str() == "-" => {
            std::io::stdin()
                .take(TOKEN_BYTES_MAX)
                .read_to_end(&mut bytes)
                .map_err(|why| Failure::usage(format!("no token from standard input: {why}")))?;
        }
        path => {
            std::fs::File::open(path)
                .and_then(|f| f.take(TOKEN_BYTES_MAX).read_to_end(&mut bytes))
                .map_err(|why| {
                    Failure::usage(format!("no token from {}: {why}", path.display()))
                })?;
        }
    }
    plain(bytes)
}

fn plain(bytes: Vec<u8>) -> Result<Secret, Failure> {
    let text = String::from_utf8(bytes).map_err(|_| Failure::usage("the token is not text"))?;
    let token = text.trim();
    if token.is_empty() || token.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Failure::usage("the token is empty, or has blanks in it"));
    }
    Ok(Secret::new(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_travels_in_clear() {
        for good in [
            "https://gateway.example.com",
            "http://127.0.0.1:8443",
            "http://localhost:1",
            "http://[::1]:1",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://gateway.example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "gateway",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
