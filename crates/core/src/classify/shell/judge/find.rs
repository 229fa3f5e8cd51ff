//! `find`, whose arguments are a language.
//!
//! Lives here: its tests and actions, and the commands that it runs. Never: other programs.

use super::{File, Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::Reason;
use crate::classify::shell::arg::{Arg, Opaque};
use crate::classify::shell::catalogue::Program;

/// Tests and actions without a value that do no more than look.
const ALONE: &str = "-daystart -depth -d -follow -mount -noleaf -xdev -warn -nowarn -ignore_readdir_race \
    -noignore_readdir_race -empty -executable -false -true -nogroup -nouser -readable -writable -ls -print -print0 \
    -prune -quit -a -and -o -or -not ! ( ) ,";
/// The same with one value.
const VALUED: &str = "-maxdepth -mindepth -regextype -amin -anewer -atime -cmin -cnewer -ctime -fstype -gid -group \
    -ilname -iname -inum -ipath -iregex -iwholename -links -lname -mmin -mtime -name -newer -path -perm -regex \
    -samefile -size -type -uid -used -user -wholename -xtype -printf -newermt -newerct -newerat";

/// What comes out of reading its arguments.
#[derive(Default)]
struct Asked<'a> {
    starts: Vec<Arg>,
    writes: Vec<&'a Arg>,
    deletes: bool,
    /// Commands run where something was found.
    elsewhere: bool,
    runs: Vec<Vec<Arg>>,
    unclear: Option<&'static str>,
}

impl Judge<'_> {
    pub(super) fn find(
        &mut self,
        argv: &[Arg],
        args: &[Arg],
        program: &Program,
    ) -> Result<(), Reason> {
        let mut asked = asked(args);
        // Without a place to start at, it starts where it is run.
        if asked.starts.is_empty() {
            asked.starts.push(Arg::exact("."));
        }
        let mut judged = Judged::new(argv, program.effect, program.reason);
        if let Some(why) = asked.unclear {
            judged.raise(Effect::Execute, why);
        }
        for path in &asked.writes {
            self.touches(&mut judged, path, Effect::Write, true);
        }
        let effect = if asked.deletes {
            judged.raise(Effect::Destroy, "It deletes what it finds.");
            Effect::Destroy
        } else {
            Effect::Read
        };
        judged.files.extend(asked.starts.iter().map(|path| File {
            path: path.clone(),
            effect,
        }));
        self.push(judged)?;
        self.anywhere |= asked.elsewhere;
        for inner in &asked.runs {
            match inner.first() {
                Some(Arg::Exact(_)) => self.run(inner)?,
                _ => return Err(Reason::HiddenProgram),
            }
        }
        Ok(())
    }
}

fn asked(args: &[Arg]) -> Asked<'_> {
    let mut asked = Asked::default();
    let mut args = args.iter();
    let mut in_expression = false;
    while let Some(arg) = args.next() {
        let text = match arg {
            Arg::Exact(text) => text.as_str(),
            _ if arg.may_be_option() || in_expression => {
                asked.unclear = Some("An argument that is not known may be any of its actions.");
                return asked;
            }
            Arg::Opaque(opaque) if opaque.prefix.starts_with(['(', '!', ')', ',']) => {
                asked.unclear = Some("An argument that is not known may be any of its actions.");
                return asked;
            }
            _ => {
                asked.starts.push(arg.clone());
                continue;
            }
        };
        if !in_expression && ["-L", "-P", "-H"].contains(&text) {
            continue;
        }
        let begins = text.starts_with('-') || ["(", ")", "!", ","].contains(&text);
        if !begins && !in_expression {
            asked.starts.push(arg.clone());
            continue;
        }
        in_expression = true;
        if let Err(why) = action(text, &mut args, &mut asked) {
            asked.unclear = Some(why);
            return asked;
        }
    }
    asked
}

/// One test or action with its values.
fn action<'a>(
    text: &str,
    args: &mut std::slice::Iter<'a, Arg>,
    asked: &mut Asked<'a>,
) -> Result<(), &'static str> {
    let is_one_of = |list: &str| list.split_whitespace().any(|name| name == text);
    let value = |args: &mut std::slice::Iter<'a, Arg>| match args.next() {
        Some(value) if !value.is_many() => Ok(value),
        _ => Err("A value of one of its tests cannot be told from what follows."),
    };
    match text {
        "-delete" => asked.deletes = true,
        "-exec" | "-execdir" | "-ok" | "-okdir" => {
            let inner = command(args, &asked.starts, text.ends_with("dir"))?;
            asked.elsewhere |= text.ends_with("dir");
            asked.runs.push(inner);
        }
        "-fprint" | "-fprint0" | "-fls" => asked.writes.push(value(args)?),
        "-fprintf" => {
            asked.writes.push(value(args)?);
            value(args)?;
        }
        _ if is_one_of(ALONE) => {}
        _ if is_one_of(VALUED) => {
            value(args)?;
        }
        _ => return Err("One of its tests or actions is not known."),
    }
    Ok(())
}

/// What stands behind `-exec`, up to `;` or `{} +`.
fn command(
    args: &mut std::slice::Iter<'_, Arg>,
    starts: &[Arg],
    in_directory: bool,
) -> Result<Vec<Arg>, &'static str> {
    let found = match starts {
        _ if in_directory => "./".to_owned(),
        [] => ".".to_owned(),
        [Arg::Exact(one)] => one.clone(),
        [Arg::Home(_)] => "/".to_owned(),
        _ => String::new(),
    };
    let mut inner: Vec<Arg> = Vec::new();
    let mut held = false;
    for arg in args.by_ref() {
        match arg {
            Arg::Exact(text) if text == ";" => return Ok(inner),
            Arg::Exact(text) if text == "+" && held => {
                if let Some(last) = inner.last_mut() {
                    *last = path_found(&found, true);
                }
                return Ok(inner);
            }
            Arg::Exact(text) => {
                held = text == "{}";
                inner.push(match text.split_once("{}") {
                    Some(("", _)) => path_found(&found, false),
                    Some((before, _)) => Arg::beginning(before),
                    None => arg.clone(),
                });
            }
            // It may hold what ends the command, or what a path is put in for.
            _ => return Err("An argument of the command that it runs is not known."),
        }
    }
    Err("The command that it runs does not end.")
}

fn path_found(prefix: &str, many: bool) -> Arg {
    Arg::Opaque(Opaque {
        prefix: prefix.to_owned(),
        many,
        split: false,
        expands: true,
        digits: false,
    })
}
