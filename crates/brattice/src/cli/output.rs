//! Printing: tables for people, JSON for machines, failures to standard error.
//!
//! Lives here: standard output and standard error. Never: what is printed.

use super::args::Format;
use super::exit::{Exit, Failure};
use super::show;
use serde::Serialize;
use std::io::{self, Write};

/// Where a command prints.
pub struct Output {
    format: Format,
    failed: Option<io::Error>,
}

impl Output {
    /// Prints in this format.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            failed: None,
        }
    }

    /// Whether machines read this.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints a line as it is. Text of others goes through [`show`] first.
    pub fn line(&mut self, line: impl AsRef<str>) {
        let mut bytes = line.as_ref().as_bytes().to_vec();
        bytes.push(b'\n');
        self.bytes(&bytes);
    }

    /// Prints text as it is, without a line's end.
    pub fn raw(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Whether nobody reads what is printed any more, or it cannot be written.
    pub fn is_broken(&self) -> bool {
        self.failed.is_some()
    }

    /// Prints a JSON document.
    pub fn json(&mut self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(text),
            Err(why) => self.failed = Some(io::Error::other(why)),
        }
    }

    /// Prints a JSON document on one line.
    pub fn json_line(&mut self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.line(text),
            Err(why) => self.failed = Some(io::Error::other(why)),
        }
    }

    /// Prints rows under a heading, in columns.
    pub fn table(&mut self, heading: &[&str], rows: &[Vec<String>]) {
        let mut widths: Vec<usize> = heading.iter().map(|h| h.chars().count()).collect();
        for row in rows {
            for (width, text) in widths.iter_mut().zip(row) {
                *width = (*width).max(text.chars().count());
            }
        }
        if rows.is_empty() {
            return self.line("none that you may see");
        }
        let heading: Vec<String> = heading.iter().map(|h| h.to_uppercase()).collect();
        for row in std::iter::once(&heading).chain(rows) {
            let mut line = String::new();
            for (width, text) in widths.iter().zip(row) {
                line.push_str(text);
                let gap = (width + 2).saturating_sub(text.chars().count());
                line.extend(std::iter::repeat_n(' ', gap));
            }
            self.line(line.trim_end());
        }
    }

    /// Prints names with their values; a value of several lines is indented.
    pub fn fields(&mut self, fields: &[(&str, String)]) {
        let width = fields
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0);
        for (name, value) in fields {
            let shown = show::lines(value);
            for (i, line) in shown.iter().enumerate() {
                let name = if i == 0 { name } else { "" };
                self.line(format!("{name:width$}  {line}").trim_end());
            }
        }
    }

    /// Says something to the person at the terminal, beside the output.
    pub fn say(&mut self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Ends: tells a failure, and which code the process ends with.
    pub fn finish(self, done: Result<(), Failure>) -> Exit {
        let done = match (done, self.failed) {
            (Ok(()), Some(why)) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            (Ok(()), Some(why)) => Err(Failure::failed(format!(
                "the output could not be written: {why}"
            ))),
            (done, _) => done,
        };
        match done {
            Ok(()) => Exit::Done,
            Err(failure) => {
                tell(self.format, &failure);
                failure.exit
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            let mut out = io::stdout().lock();
            if let Err(why) = out.write_all(bytes).and_then(|()| out.flush()) {
                self.failed = Some(why);
            }
        }
    }
}

fn tell(format: Format, failure: &Failure) {
    let mut err = io::stderr().lock();
    if format == Format::Json {
        let said = match &failure.problem {
            Some(problem) => serde_json::to_string(problem),
            None if failure.what.is_empty() => return,
            None => serde_json::to_string(&serde_json::json!({
                "detail": failure.what,
                "hint": failure.hint,
                "exit": failure.exit.code(),
            })),
        };
        let _ = writeln!(err, "{}", said.unwrap_or_default());
        return;
    }
    if !failure.what.is_empty() {
        let _ = writeln!(err, "brattice: {}", show::visible(&failure.what));
    }
    if let Some(problem) = &failure.problem {
        if !problem.rules.is_empty() {
            let _ = writeln!(err, "  rules: {}", show::visible(&problem.rules.join(", ")));
        }
        for p in &problem.problems {
            let line = p.line.map(|l| format!(":{l}")).unwrap_or_default();
            let _ = writeln!(
                err,
                "  {}{line}: {} {}",
                show::visible(&p.file),
                show::visible(&p.path),
                show::visible(&p.what)
            );
            if !p.mend.is_empty() {
                let _ = writeln!(err, "    mend: {}", show::visible(&p.mend));
            }
        }
        if let Some(id) = &problem.request_id {
            let _ = writeln!(err, "  request: {}", show::visible(id));
        }
    }
    if let Some(hint) = &failure.hint {
        let _ = writeln!(err, "  hint: {}", show::visible(hint));
    }
}
