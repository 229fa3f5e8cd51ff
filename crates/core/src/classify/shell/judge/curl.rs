//! What `curl` is given: addresses, and values that name files in ways of its own.
//!
//! Lives here: those ways, as its manual and its source have them. Never: what its options do, which the catalogue says.

use super::options::Reading;
use super::program::valued;
use super::{Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::arg::Arg;

/// Protocols that reach nothing but the network.
const SCHEMES: &[&str] = &["http", "https", "ftp", "ftps", "ws", "wss", "telnet"];

impl Judge<'_> {
    /// The addresses it asks, and what it makes of braces and brackets in names.
    pub(super) fn curl(&self, judged: &mut Judged, reading: &Reading) {
        let addresses = reading.operands.iter().chain(reading.values(&["--url"]));
        if !addresses.into_iter().all(is_elsewhere) {
            judged.raise(Effect::Execute, "It may ask for a file of the host.");
        }
        let mut uploads = reading.values(&["-T", "--upload-file"]);
        // `{a,b}` and `[1-3]` stand for several names.
        let is_one = |arg: &Arg| arg.literal().is_none_or(|text| !text.contains(['{', '[']));
        if !uploads.all(is_one) {
            judged.raise(Effect::Execute, "Which files it sends cannot be told.");
        }
    }

    /// A value that is text, or names a file. `text` is how it begins.
    pub(super) fn curl_value(&self, judged: &mut Judged, option: &str, value: &Arg, text: &str) {
        let is_open = value.literal().is_none();
        let name = match option {
            "-w" | "--write-out" => {
                let lower = text.to_ascii_lowercase();
                if is_open || text.starts_with('@') || lower.contains("%output") {
                    let why = "It may write a file whose name is in a format.";
                    judged.raise(Effect::Execute, why);
                }
                text.strip_prefix('@')
            }
            // A file to read them from, unless they are there.
            "-b" | "--cookie" => (!text.contains('=')).then_some(text),
            // `text`, `=text`, `name=text`, `@file`, `name@file`: a `=` anywhere comes first.
            "--data-urlencode" | "--url-query" => match text.split_once('@') {
                _ if text.contains('=') => None,
                Some((_, name)) => Some(name),
                None => is_open.then_some(""),
            },
            "-F" | "--form" => match form(text, is_open) {
                Ok(name) => name,
                Err(()) => {
                    let why = "Which files it sends cannot be told.";
                    return judged.raise(Effect::Execute, why);
                }
            },
            // `file`, `file:password`.
            "-E" | "--cert" => {
                if text.contains('\\') {
                    judged.raise(Effect::Execute, "Which file it reads cannot be told.");
                }
                Some(text.split_once(':').map_or(text, |(name, _)| name))
            }
            _ => text
                .strip_prefix('@')
                .or((is_open && text.is_empty()).then_some("")),
        };
        if let Some(name) = name {
            self.touches(judged, &valued(value, name), Effect::Read, true);
        }
    }
}

/// Whether an address is not one of a file of the host.
fn is_elsewhere(arg: &Arg) -> bool {
    let text = match arg {
        Arg::Exact(text) => text.as_str(),
        Arg::Opaque(opaque) => opaque.prefix.as_str(),
        Arg::Home(_) => "",
    };
    let lower = text.to_ascii_lowercase();
    match lower.split_once("://") {
        Some((scheme, _)) => SCHEMES.contains(&scheme),
        None => {
            let is_plain = !lower.contains("file:") && !lower.contains(['{', '[']);
            arg.literal().is_some() && is_plain
        }
    }
}

/// The file in a field of a form: `name=@file`, `name=<file`, and none in `name=text`. An error where more than that may be
/// meant: several files, quotes, blanks around names, and anything behind `;` but a type or a name in plain letters
/// (`headers=@file` is a file as well).
fn form(text: &str, is_open: bool) -> Result<Option<&str>, ()> {
    let Some((_, content)) = text.split_once('=') else {
        return if is_open { Ok(Some("")) } else { Err(()) };
    };
    let mut parts = content.split(';');
    let first = parts.next().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/.+-_".contains(c);
    let is_said = |part: &str| {
        let said = part.split_once('=');
        said.is_some_and(|(what, plain)| {
            ["type", "filename"].contains(&what) && plain.chars().all(is_plain)
        })
    };
    let odd = |c: char| c.is_whitespace() || [',', '"', '\\'].contains(&c);
    match first.strip_prefix(['@', '<']) {
        _ if !parts.all(is_said) => Err(()),
        Some(name) if name.contains(odd) => Err(()),
        Some(name) => Ok(Some(name)),
        None if is_open && content.is_empty() => Ok(Some("")),
        // What follows may begin with `;headers=@`.
        None if is_open => Err(()),
        None if first.starts_with(['"', ' ']) => Err(()),
        None => Ok(None),
    }
}
