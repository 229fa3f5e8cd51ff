//! What the demonstration shows: on the terminal while it runs, afterwards as plain text and as one HTML page.
//!
//! Here lives how each kind of line looks in each of the three. Nothing here runs anything or decides whether a step went
//! as it should.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::path::Path;

/// One thing that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    /// A heading.
    Chapter(String),
    /// A sentence of the narrator's.
    Told(String),
    /// What somebody typed, behind whose prompt.
    Typed { prompt: String, text: String },
    /// What a program answered, exactly.
    Said(String),
    /// A fact that was checked, and how.
    Checked { fact: String, by: String },
    /// A fact that was checked and is not so.
    Broken { fact: String, seen: String },
}

/// Everything that was shown so far.
#[derive(Debug)]
pub struct Transcript {
    lines: Vec<Line>,
    colour: bool,
    checks: usize,
}

/// Columns of the narrator's text.
const WIDTH: usize = 110;

impl Transcript {
    /// An empty one. Colours are used where a person looks on and has not asked for none.
    pub fn new() -> Transcript {
        Transcript {
            lines: Vec::new(),
            colour: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            checks: 0,
        }
    }

    /// Begins a chapter.
    pub fn chapter(&mut self, title: &str) {
        self.show(Line::Chapter(title.to_owned()));
    }

    /// Says something about what follows.
    pub fn tell(&mut self, text: &str) {
        self.show(Line::Told(text.to_owned()));
    }

    /// Shows what somebody types.
    pub fn typed(&mut self, prompt: &str, text: &str) {
        self.show(Line::Typed {
            prompt: prompt.to_owned(),
            text: text.to_owned(),
        });
    }

    /// Shows what a program answered.
    pub fn said(&mut self, text: &str) {
        let text = text.trim_end_matches(['\n', '\r']);
        if !text.is_empty() {
            self.show(Line::Said(text.to_owned()));
        }
    }

    /// Shows a fact that holds, and how that was found out.
    pub fn holds(&mut self, fact: &str, by: &str) {
        self.checks += 1;
        self.show(Line::Checked {
            fact: fact.to_owned(),
            by: by.to_owned(),
        });
    }

    /// Shows a fact that does not hold.
    pub fn is_broken(&mut self, fact: &str, seen: &str) {
        self.show(Line::Broken {
            fact: fact.to_owned(),
            seen: seen.to_owned(),
        });
    }

    /// How many facts were found to hold.
    pub fn checks(&self) -> usize {
        self.checks
    }

    /// Everything as plain text.
    pub fn plain(&self) -> String {
        self.lines.iter().map(|line| line.text(false)).collect()
    }

    /// Everything as one HTML page that needs nothing else.
    pub fn html(&self) -> String {
        let body: String = self.lines.iter().map(Line::html).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width\">\n<title>Brattice: what the demo showed</title>\n\
             <style>{STYLE}</style>\n<h1>Brattice: what the demo showed</h1>\n{body}</html>\n"
        )
    }

    /// Writes both into this directory.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        std::fs::write(dir.join("transcript.txt"), self.plain())?;
        std::fs::write(dir.join("transcript.html"), self.html())
    }

    fn show(&mut self, line: Line) {
        // Whoever no longer looks on does not stop the demonstration.
        let mut out = io::stdout().lock();
        let _ = out.write_all(line.text(self.colour).as_bytes());
        let _ = out.flush();
        self.lines.push(line);
    }
}

impl Default for Transcript {
    fn default() -> Transcript {
        Transcript::new()
    }
}

const PLAIN: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const FAINT: &str = "\x1b[2m";
const RED: &str = "\x1b[1;31m";
const GREEN: &str = "\x1b[32m";
const BLUE: &str = "\x1b[1;34m";

impl Line {
    fn text(&self, colour: bool) -> String {
        let ink = |code: &'static str| if colour { code } else { "" };
        let end = ink(PLAIN);
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = match self {
            Line::Chapter(title) => {
                let rule = "─".repeat(title.chars().count());
                writeln!(
                    out,
                    "\n{}{title}{end}\n{}{rule}{end}",
                    ink(BOLD),
                    ink(FAINT)
                )
            }
            Line::Told(text) => writeln!(out, "\n{}", wrapped(text, WIDTH).join("\n")),
            Line::Typed { prompt, text } => {
                let text = text.replace('\n', "\n    ");
                writeln!(
                    out,
                    "\n  {}{prompt}{end} {}{text}{end}",
                    ink(BLUE),
                    ink(BOLD)
                )
            }
            Line::Said(text) => text
                .lines()
                .try_for_each(|line| writeln!(out, "{}", format!("  {line}").trim_end())),
            Line::Checked { fact, by } => writeln!(
                out,
                "  {}✓ {fact}{end} {}[{by}]{end}",
                ink(GREEN),
                ink(FAINT)
            ),
            Line::Broken { fact, seen } => {
                writeln!(out, "  {}✗ NOT SO: {fact}{end}\n{seen}", ink(RED))
            }
        };
        out
    }

    fn html(&self) -> String {
        match self {
            Line::Chapter(title) => format!("<h2>{}</h2>\n", escaped(title)),
            Line::Told(text) => format!("<p>{}</p>\n", escaped(text)),
            Line::Typed { prompt, text } => format!(
                "<pre class=\"typed\"><b>{}</b> {}</pre>\n",
                escaped(prompt),
                escaped(text)
            ),
            Line::Said(text) => {
                let rows: Vec<String> = text.lines().map(said_html).collect();
                format!("<pre class=\"said\">{}</pre>\n", rows.join("\n"))
            }
            Line::Checked { fact, by } => format!(
                "<p class=\"holds\">✓ {} <small>{}</small></p>\n",
                escaped(fact),
                escaped(by)
            ),
            Line::Broken { fact, seen } => format!(
                "<p class=\"broken\">✗ not so: {}</p><pre class=\"said\">{}</pre>\n",
                escaped(fact),
                escaped(seen)
            ),
        }
    }
}

/// A line of output, with what a refusal or a notice is made of in colour, and masks made to stand out.
fn said_html(line: &str) -> String {
    let class = if line.starts_with("ERROR:")
        || line.starts_with("FATAL:")
        || line.starts_with("brattice:")
    {
        "no"
    } else if line.starts_with("NOTICE:")
        || line.starts_with("DETAIL:")
        || line.starts_with("HINT:")
    {
        "note"
    } else {
        ""
    };
    let marked = marked(&escaped(line));
    match class {
        "" => marked,
        class => format!("<span class=\"{class}\">{marked}</span>"),
    }
}

/// Masks, `[masked:email]`, as `<mark>`.
fn marked(escaped: &str) -> String {
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((before, after)) = rest.split_once("[masked:") {
        let Some((class, behind)) = after.split_once(']') else {
            break;
        };
        let _ = write!(out, "{before}<mark>[masked:{class}]</mark>");
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A text in lines of at most so many characters, broken at blanks.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2126; --paper: #fff; --pane: #f3f4f6; --faint: #69707a; --typed: #1f4fa3;
  --good: #1c7c3c; --bad: #b3261e; --mark: #ffe9a8 }
@media (prefers-color-scheme: dark) { :root { --ink: #dfe3e8; --paper: #14171b; --pane: #1d2126; --faint: #8d96a1;
  --typed: #8db6ff; --good: #6fcf8d; --bad: #ff8a80; --mark: #5c4a12 } }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 68rem;
  margin: 3rem auto; padding: 0 1.2rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.6rem; border-bottom: 1px solid var(--pane) }
pre { font: 13px/1.5 ui-monospace, monospace; background: var(--pane); padding: .6rem .9rem; margin: 0;
  overflow-x: auto; white-space: pre }
pre.typed { margin-top: 1rem; font-weight: 600; white-space: pre-wrap } pre.typed b { color: var(--typed) }
.no { color: var(--bad) } .note { color: var(--faint) } mark { background: var(--mark); color: inherit }
.holds { color: var(--good); margin: .35rem 0 } .holds small { color: var(--faint) }
.broken { color: var(--bad); font-weight: 700 }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_shown_as_it_came_and_never_as_markup() {
        let line = Line::Said("<b>1</b> & [masked:email]\nERROR:  no".into());
        assert_eq!(
            line.text(false),
            "  <b>1</b> & [masked:email]\n  ERROR:  no\n"
        );
        assert_eq!(
            line.html(),
            "<pre class=\"said\">&lt;b&gt;1&lt;/b&gt; &amp; <mark>[masked:email]</mark>\n\
             <span class=\"no\">ERROR:  no</span></pre>\n"
        );
    }

    #[test]
    fn sentences_are_wrapped_at_blanks() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
    }
}
