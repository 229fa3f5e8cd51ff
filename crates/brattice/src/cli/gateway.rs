//! Which gateway, and which token: from arguments, environment, files and standard input.
//!
//! Lives here: reading them. Never: a token in an argument, an error or a log.

use super::args::GatewayArgs;
use super::exit::Failure;
use brattice_core::secret::Secret;
use std::io::Read;
use std::path::Path;
use url::{Host, Url};

/// The longest token.
const TOKEN_BYTES_MAX: u64 = 16 * 1024;

/// The gateway's address. A token goes out over TLS, or to this machine.
pub fn address(args: &GatewayArgs) -> Result<Url, Failure> {
    let Some(text) = &args.url else {
        return Err(Failure::usage("which gateway is not said")
            .hint("give --url, or set BRATTICE_URL to the gateway's `listen.admin.public_url`"));
    };
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

/// The token.
pub fn token(args: &GatewayArgs) -> Result<Secret, Failure> {
    match &args.token_file {
        Some(path) => token_of(path),
        None => match std::env::var("BRATTICE_TOKEN") {
            Ok(token) => plain(token.into_bytes()),
            Err(_) => Err(Failure::usage("there is no token").hint(
                "set BRATTICE_TOKEN, or give --token-file PATH, or pipe it in with --token-file -",
            )),
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

    fn args(url: &str) -> GatewayArgs {
        GatewayArgs {
            url: Some(url.to_owned()),
            ca: None,
            token_file: None,
        }
    }

    #[test]
    fn a_token_never_travels_in_clear() {
        for good in [
            "https://gateway.example.com",
            "http://127.0.0.1:8443",
            "http://localhost:1",
            "http://[::1]:1",
        ] {
            assert!(address(&args(good)).is_ok(), "{good}");
        }
        for bad in [
            "http://gateway.example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "gateway",
        ] {
            assert!(address(&args(bad)).is_err(), "{bad}");
        }
    }
}
