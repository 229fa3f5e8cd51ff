//! The bundle: `brattice.toml` and the `*.cedar` files beside it, read and checked as a whole.
//!
//! Lives here: reading, from files to [`Checked`], or everything that is wrong as a [`Report`]. Never: opening sockets,
//! reading secrets, talking to targets.

mod check;
pub mod checked;
pub(crate) mod names;
mod place;
pub mod raw;
pub mod report;
pub mod rules;
pub mod secrets;
mod shape;
mod suggest;

pub(crate) use check::span_of;
pub use checked::Checked;
pub use report::{Problem, Report};
pub(crate) use suggest::nearest;

use brattice_core::ids::Hasher;
use brattice_core::policy::SourceFile;
use place::{Place, Places};
use raw::RawConfig;
use shape::Shape;
use std::path::{Path, PathBuf};

/// The configuration's name in a bundle's directory.
pub const FILE_NAME: &str = "brattice.toml";
/// The largest file of a bundle that is read.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What is looked at beside the text.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether files that the configuration names must be there: certificates, keys, secrets.
    pub files: bool,
}

/// Reads a bundle from its directory or its `brattice.toml`, and checks it with everything it names.
pub fn load(dir_or_file: &Path) -> Result<Checked, Report> {
    load_with(dir_or_file, Options { files: true })
}

/// The same, with a say in what is looked at.
pub fn load_with(dir_or_file: &Path, options: Options) -> Result<Checked, Report> {
    load_from(dir_or_file, options, None)
}

/// Reads a bundle for trying out: these tables stand in for the bundle's own, and its identity provider may be the one
/// of `brattice dev`.
pub fn load_replaced(dir_or_file: &Path, instead: &toml::Table) -> Result<Checked, Report> {
    load_from(dir_or_file, Options { files: true }, Some(instead))
}

fn load_from(
    dir_or_file: &Path,
    options: Options,
    instead: Option<&toml::Table>,
) -> Result<Checked, Report> {
    let file = if dir_or_file.is_dir() {
        dir_or_file.join(FILE_NAME)
    } else {
        dir_or_file.to_owned()
    };
    let name = file.file_name().map_or_else(
        || FILE_NAME.to_owned(),
        |n| n.to_string_lossy().into_owned(),
    );
    let root = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let text = read(&file).map_err(|why| {
        Report::of_file(
            &file.display().to_string(),
            format!("cannot be read: {why}"),
            "give the bundle's directory, or the path of its brattice.toml",
        )
    })?;
    let mut report = Report::default();
    let policies = policies(&root, &mut report);
    let source = Source {
        name: &name,
        text: &text,
        root,
        policies,
        instead,
    };
    check_text(source, options, report)
}

/// What a bundle is made of, as text.
struct Source<'a> {
    name: &'a str,
    text: &'a str,
    root: PathBuf,
    policies: Vec<SourceFile>,
    /// Tables that stand in for those of the text.
    instead: Option<&'a toml::Table>,
}

fn check_text(source: Source<'_>, options: Options, mut report: Report) -> Result<Checked, Report> {
    let Source {
        name,
        text,
        root,
        policies,
        instead,
    } = source;
    let places = Places::of(text);
    let Some(raw) = raw_of(name, text, instead, &places, &mut report) else {
        report.sort();
        return Err(report);
    };
    let mut h = Hasher::new();
    h.field(b"brattice bundle 1").field(text.as_bytes());
    for file in &policies {
        h.field(file.name.as_bytes()).field(file.text.as_bytes());
    }
    if let Some(instead) = instead {
        h.field(instead.to_string().as_bytes());
    }
    let bundle = check::Bundle {
        root,
        digest: h.finish(),
        policies,
        stand_in: instead.is_some(),
    };
    check::run(raw, bundle, name, &places, options, report)
}

/// Parses the text and holds it to the schema; what does not fit is reported and left out.
fn raw_of(
    name: &str,
    text: &str,
    instead: Option<&toml::Table>,
    places: &Places,
    report: &mut Report,
) -> Option<RawConfig> {
    let (_, errors) = toml::de::DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let starts: Vec<usize> = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(i, _)| i + 1))
            .collect();
        for error in errors {
            report.problems.push(Problem {
                file: name.to_owned(),
                line: error.span().map(|span| place::line_of(span.start, &starts)),
                path: String::new(),
                value: None,
                what: format!("is not valid TOML: {}", error.message()),
                mend: "see https://toml.io for the form".to_owned(),
            });
        }
        return None;
    }
    let fail = |report: &mut Report, why: String| {
        report
            .problems
            .extend(Report::of_file(name, why, "").problems);
        None
    };
    let mut table: toml::Table = match toml::from_str(text) {
        Ok(table) => table,
        Err(error) => return fail(report, format!("cannot be read: {}", error.message())),
    };
    for (key, value) in instead.into_iter().flatten() {
        table.insert(key.clone(), value.clone());
    }
    let mut value = toml::Value::Table(table);
    let schema = raw::schema();
    Shape {
        file: name,
        places,
        report,
    }
    .fits(&mut value, &schema, &Place::root());
    match value.try_into() {
        Ok(raw) => Some(raw),
        Err(error) => fail(report, format!("cannot be read: {}", error.message())),
    }
}

/// The `*.cedar` files of the directory and of its `policies` directory, by name.
fn policies(root: &Path, report: &mut Report) -> Vec<SourceFile> {
    let mut found = Vec::new();
    for below in ["", "policies"] {
        let dir = if below.is_empty() {
            root.to_owned()
        } else {
            root.join(below)
        };
        let Ok(entries) = std::fs::read_dir(&dir) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|e| e != "cedar") {
                continue;
            }
            let file = entry.file_name().to_string_lossy().into_owned();
            let name = if below.is_empty() {
                file
            } else {
                format!("{below}/{file}")
            };
            match read(&path) {
                Ok(text) => found.push(SourceFile { name, text }),
                Err(why) => {
                    let problem = Report::of_file(
                        &name,
                        format!("cannot be read: {why}"),
                        "make it readable UTF-8",
                    );
                    report.problems.extend(problem.problems);
                }
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if found.is_empty() && report.is_empty() {
        let problem = Report::of_file(
            "policies",
            "there is no *.cedar file, so everything would be refused",
            "write a rule, e.g. policies/connect.cedar",
        );
        report.problems.extend(problem.problems);
    }
    found
}

fn read(path: &Path) -> Result<String, String> {
    let meta = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if meta.len() > FILE_BYTES_MAX {
        return Err(format!("it is larger than {FILE_BYTES_MAX} bytes"));
    }
    std::fs::read_to_string(path).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests;
