//! Options as programs read them.
//!
//! Lives here: clusters of short options, long ones and their abbreviations, values, `--`. Never: what an option does.

use crate::classify::shell::arg::{Arg, Opaque};
use crate::classify::shell::catalogue::{Manner, OptionSpec, Program, Value};

/// What a program reads from its arguments.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Options, each with its value.
    pub(super) options: Vec<(&'static OptionSpec, Option<Arg>)>,
    /// What is no option.
    pub(super) operands: Vec<Arg>,
    /// Arguments behind the last operand that was asked for.
    pub(super) rest: Vec<Arg>,
    /// An option that is not known, or is not used as it should be.
    pub(super) unknown: Option<String>,
    /// An argument may be any option.
    pub(super) maybe: bool,
}

impl Reading {
    /// Whether one of these options is given.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.options
            .iter()
            .any(|(spec, _)| names.contains(&spec.name))
    }
    /// The values of an option.
    pub(super) fn values<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a Arg> {
        self.options
            .iter()
            .filter(|(spec, _)| names.contains(&spec.name))
            .filter_map(|(_, value)| value.as_ref())
    }
    /// Whether the options leave nothing open.
    pub(super) fn is_clear(&self) -> bool {
        self.unknown.is_none() && !self.maybe
    }
}

/// Reads arguments without the program's name, by its options and `more` of a subcommand. With `operands_max` the options
/// end at that many operands, and what follows is left alone; without, options may stand behind operands.
pub(super) fn read(
    args: &[Arg],
    program: &'static Program,
    more: &'static [OptionSpec],
    operands_max: Option<usize>,
) -> Reading {
    let mut reader = Reader {
        specs: [more, &program.options],
        manner: program.manner,
        sure: program.sure,
        abbreviates: program.sure && !program.has_subs(),
        args: args.iter(),
        after_flag: false,
        reading: Reading::default(),
    };
    let mut only_operands = false;
    // Behind an option that may take a value after all, `--` may be that value, and what follows may be options.
    let mut doubtful = false;
    loop {
        let full = operands_max.is_some_and(|max| reader.reading.operands.len() >= max);
        if full {
            break;
        }
        let Some(arg) = reader.args.next() else {
            break;
        };
        match arg {
            Arg::Exact(text) if text == "--" && !only_operands => {
                only_operands = true;
                doubtful = reader.after_flag && !reader.sure;
            }
            Arg::Exact(text) if !only_operands && text.len() > 1 && text.starts_with('-') => {
                reader.option(text);
            }
            Arg::Opaque(opaque) if !only_operands && arg.may_be_option() => {
                reader.after_flag = false;
                reader.open(arg, opaque);
            }
            _ => {
                reader.after_flag = false;
                reader.reading.maybe |= doubtful && arg.may_be_option();
                if doubtful && arg.literal().is_some_and(is_option) {
                    reader.unknown("--");
                }
                reader.reading.operands.push(arg.clone());
                only_operands |= operands_max.is_some();
            }
        }
    }
    reader.reading.rest = reader.args.cloned().collect();
    reader.reading
}

struct Reader<'a> {
    specs: [&'static [OptionSpec]; 2],
    manner: Manner,
    sure: bool,
    abbreviates: bool,
    args: std::slice::Iter<'a, Arg>,
    /// What was read last is an option without a value.
    after_flag: bool,
    reading: Reading,
}

impl Reader<'_> {
    fn option(&mut self, text: &str) {
        let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        let word = self
            .spec(text)
            .filter(|_| text.len() > 2 && !text.starts_with("--"));
        if let Some(spec) = word {
            self.valued(spec, None, text);
        } else if text.starts_with("--") {
            self.long(text);
        } else if text.strip_prefix('-').is_some_and(is_number) {
            match self.spec("-#") {
                Some(spec) => self.given(spec, None),
                None => self.cluster(text),
            }
        } else {
            self.cluster(text);
        }
    }

    fn spec(&self, name: &str) -> Option<&'static OptionSpec> {
        self.specs
            .iter()
            .flat_map(|specs| specs.iter())
            .find(|spec| spec.name == name)
    }

    fn unknown(&mut self, text: &str) {
        self.reading.unknown.get_or_insert_with(|| text.to_owned());
    }

    /// `--name`, `--name=value`, `--na`.
    fn long(&mut self, text: &str) {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(Arg::exact(value))),
            None => (text, None),
        };
        let specs = self.specs.iter().flat_map(|specs| specs.iter());
        let meant: Vec<&'static OptionSpec> = match self.spec(name) {
            Some(spec) => vec![spec],
            // It may be an option by itself that is not listed, or the program may know no abbreviations.
            None if !self.abbreviates => Vec::new(),
            None => specs.filter(|spec| spec.name.starts_with(name)).collect(),
        };
        // Of several that it could be short for, the worst counts; whether there is a value must not depend on it.
        let worst = meant.iter().max_by_key(|spec| spec.effect);
        match worst {
            Some(spec) if meant.iter().all(|other| other.value == spec.value) => {
                self.valued(spec, value, text);
            }
            _ => self.unknown(text),
        }
    }

    fn valued(&mut self, spec: &'static OptionSpec, value: Option<Arg>, text: &str) {
        let value = match (spec.value, value) {
            (Value::None | Value::Pair, Some(_)) => return self.unknown(text),
            (Value::Pair, None) => match (self.next_value(), self.next_value()) {
                (Some(_), Some(value)) => Some(value),
                _ => return self.unknown(text),
            },
            (Value::Needed, None) => match self.next_value() {
                // Were it an option without a value after all, this would be one as well.
                Some(Arg::Exact(value)) if !self.sure && is_option(&value) => {
                    return self.unknown(text);
                }
                Some(value) => Some(value),
                None => return self.unknown(text),
            },
            (_, value) => value,
        };
        self.given(spec, value);
    }

    /// An option is given.
    fn given(&mut self, spec: &'static OptionSpec, value: Option<Arg>) {
        self.after_flag = value.is_none();
        self.reading.options.push((spec, value));
    }

    /// The next argument, as the value of an option.
    fn next_value(&mut self) -> Option<Arg> {
        let value = self.args.next()?;
        // With none or several, what follows would be read in another way.
        self.reading.maybe |= value.is_many();
        Some(value.clone())
    }

    /// `-rf`, `-n5`.
    fn cluster(&mut self, text: &str) {
        let mut rest = text.strip_prefix('-').unwrap_or(text);
        while let Some(letter) = rest.chars().next() {
            let behind = rest.strip_prefix(letter).unwrap_or_default();
            let Some(spec) = self.spec(&format!("-{letter}")) else {
                return self.unknown(text);
            };
            let is_number = behind.chars().all(|c| c.is_ascii_digit());
            let has_value = spec.value != Value::None;
            let fits = match self.manner {
                Manner::Clusters => true,
                Manner::Apart => !has_value || is_number,
                Manner::Words => {
                    let is_first = text.strip_prefix('-') == Some(rest);
                    is_first && (behind.is_empty() || (has_value && is_number))
                }
            };
            if !fits {
                return self.unknown(text);
            }
            let attached = (!behind.is_empty()).then(|| Arg::exact(behind));
            match (spec.value, attached) {
                (Value::None, _) => self.given(spec, None),
                (_, attached) => return self.valued(spec, attached, text),
            }
            rest = behind;
        }
    }

    /// An argument that is not known: a long option's value, or anything.
    fn open(&mut self, arg: &Arg, opaque: &Opaque) {
        let named = opaque.prefix.split_once('=').filter(|_| !opaque.split);
        let spec = named.and_then(|(name, value)| Some((self.spec(name)?, value)));
        match spec {
            Some((spec, value)) if spec.name.starts_with("--") && spec.value != Value::None => {
                let mut known = opaque.clone();
                value.clone_into(&mut known.prefix);
                self.given(spec, Some(Arg::Opaque(known)));
            }
            _ => {
                self.reading.maybe = true;
                self.reading.operands.push(arg.clone());
            }
        }
    }
}

/// Whether a text looks like an option, and not like a number below zero.
fn is_option(text: &str) -> bool {
    let behind = text.strip_prefix('-').unwrap_or_default();
    behind.starts_with(|c: char| !c.is_ascii_digit() && !c.is_whitespace())
}
