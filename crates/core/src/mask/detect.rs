//! Finding sensitive values by their look: the second net, under the column rules.
//!
//! Lives here: which detector runs when, and what becomes of overlapping hits. Never: the detectors themselves.
//!
//! One cheap pass over the bytes says which detectors could possibly find something; in most cells none can.

use crate::mask::cell::marker;
use crate::mask::classes::{Class, Classes, Finder, OnHit};
use crate::mask::detectors::pem::{Block, Blocks, Body};
use crate::mask::detectors::{digits, email, network, secrets, summary::Summary, url};
use regex_automata::meta::{BuildError, Regex};
use regex_automata::util::syntax;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The most memory that compiled patterns may take.
const PATTERN_MEMORY_BYTES_MAX: usize = 8 << 20;

/// What is written over values where the length of what is around them must stay.
const BLANK: u8 = b'*';

/// A value that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Where: always whole characters.
    pub range: Range<usize>,
    /// The class of it.
    pub class: Arc<str>,
    /// What is to be done.
    pub action: OnHit,
}

/// How many values of each class were found, for the record and the notice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Replaced.
    pub masked: BTreeMap<Arc<str>, u64>,
    /// Only counted.
    pub reported: BTreeMap<Arc<str>, u64>,
}

impl Tally {
    /// Nothing was found.
    pub fn is_empty(&self) -> bool {
        self.masked.is_empty() && self.reported.is_empty()
    }

    /// Counts one more.
    pub fn count(&mut self, class: &Arc<str>, action: OnHit) {
        let map = match action {
            OnHit::Mask => &mut self.masked,
            OnHit::Report => &mut self.reported,
        };
        *map.entry(Arc::clone(class)).or_default() += 1;
    }

    /// Adds another tally to this one.
    pub fn add(&mut self, other: &Tally) {
        for (class, n) in &other.masked {
            *self.masked.entry(Arc::clone(class)).or_default() += n;
        }
        for (class, n) in &other.reported {
            *self.reported.entry(Arc::clone(class)).or_default() += n;
        }
    }
}

/// A class as a detector knows it.
#[derive(Debug, Clone)]
struct Label {
    class: Arc<str>,
    action: OnHit,
}

/// All detectors of a bundle's classes, compiled.
#[derive(Debug, Clone)]
pub struct Detector {
    labels: BTreeMap<Finder, Label>,
    blocks: Blocks,
    secrets: Option<secrets::Secrets>,
    custom: Option<(Regex, Vec<Label>)>,
}

/// Compiles patterns as bytes: `\d`, `\w` and `\b` are ASCII.
pub(crate) fn compile(patterns: &[&str]) -> Result<Regex, Box<BuildError>> {
    Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .configure(
            Regex::config()
                .utf8_empty(false)
                .nfa_size_limit(Some(PATTERN_MEMORY_BYTES_MAX))
                .hybrid_cache_capacity(PATTERN_MEMORY_BYTES_MAX),
        )
        .build_many(patterns)
        .map_err(Box::new)
}

/// The patterns of the classes could not be compiled together.
#[derive(Debug, Clone, thiserror::Error)]
#[error("compiling the patterns of the classes")]
pub struct NotCompiled(#[source] Box<BuildError>);

impl Detector {
    /// Compiles the detectors of these classes.
    pub fn new(classes: &Classes) -> Result<Self, NotCompiled> {
        let mut labels: BTreeMap<Finder, Label> = BTreeMap::new();
        let mut patterns = Vec::new();
        let mut custom = Vec::new();
        for class in classes.iter() {
            let label = Label::of(class);
            for finder in &class.finders {
                let place = labels.entry(*finder).or_insert_with(|| label.clone());
                if place.action < label.action {
                    *place = label.clone();
                }
            }
            for pattern in &class.patterns {
                patterns.push(pattern.as_str());
                custom.push(label.clone());
            }
        }
        let secrets = secrets::Secrets::new(|f| labels.contains_key(&f)).map_err(NotCompiled)?;
        let custom = match patterns.is_empty() {
            true => None,
            false => Some((compile(&patterns).map_err(NotCompiled)?, custom)),
        };
        let blocks = Blocks::new().map_err(NotCompiled)?;
        Ok(Self {
            labels,
            blocks,
            secrets,
            custom,
        })
    }

    /// The same detectors for someone who may see some classes as they are: those are only reported.
    pub fn showing(&self, shown: impl Fn(&str) -> bool) -> Self {
        let mut out = self.clone();
        let custom = out
            .custom
            .iter_mut()
            .flat_map(|(_, labels)| labels.iter_mut());
        for label in out.labels.values_mut().chain(custom) {
            if shown(&label.class) {
                label.action = OnHit::Report;
            }
        }
        out
    }

    /// Finds every value, in order, without overlaps.
    pub fn scan(&self, bytes: &[u8]) -> impl Iterator<Item = Hit> + use<> {
        self.hits(bytes).into_iter()
    }

    /// Appends the text to `out` with every hit that is to be masked replaced by its marker. Says whether anything
    /// was replaced; when not, nothing was appended.
    pub fn redact(&self, text: &[u8], out: &mut Vec<u8>, tally: &mut Tally) -> bool {
        let hits = self.hits(text);
        for hit in &hits {
            tally.count(&hit.class, hit.action);
        }
        let replaced = hits.iter().any(|h| h.action == OnHit::Mask);
        if replaced {
            replace(text, &hits, text.len(), out);
        }
        replaced
    }

    /// Writes over every value that is to be masked, keeping lines and length; counts those that begin within `counted`.
    pub fn blank(&self, text: &mut [u8], counted: Range<usize>, tally: &mut Tally) {
        for hit in self.hits(text) {
            if counted.contains(&hit.range.start) {
                tally.count(&hit.class, hit.action);
            }
            let masks = hit.action == OnHit::Mask;
            let value = text.get_mut(hit.range).filter(|_| masks);
            for byte in value.into_iter().flatten() {
                if !matches!(byte, b'\n' | b'\r') {
                    *byte = BLANK;
                }
            }
        }
    }

    /// Appends the text up to `end`, or to the end of a value that begins before it, redacted. Returns how much of
    /// the text that is.
    pub(crate) fn redact_until(
        &self,
        text: &[u8],
        end: usize,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> usize {
        let mut hits = self.hits(text);
        hits.retain(|h| h.range.start < end);
        for hit in &hits {
            tally.count(&hit.class, hit.action);
        }
        let taken = hits.iter().map(|h| h.range.end).fold(end, usize::max);
        replace(text, &hits, taken, out);
        taken
    }

    /// A private key that is masked, begins in the text and runs to its end.
    pub(crate) fn open_block(&self, text: &[u8]) -> Option<Body> {
        let last = self.blocks(text).pop()?;
        (last.range.end == text.len()).then_some(last.body)
    }

    /// No class has anything to find.
    pub(crate) fn is_idle(&self) -> bool {
        self.labels.is_empty() && self.custom.is_none()
    }

    /// There are patterns of the bundle, of which nothing is known.
    pub(crate) fn has_patterns(&self) -> bool {
        self.custom.is_some()
    }

    fn hits(&self, bytes: &[u8]) -> Vec<Hit> {
        let summary = Summary::of(bytes);
        let blocks = match summary.fence {
            true => self.blocks(bytes),
            false => Vec::new(),
        };
        if blocks.is_empty() {
            return self.region(bytes, summary);
        }
        // A block is one value; what stands around it is looked at apart.
        let mut hits = Vec::new();
        let mut from = 0;
        for block in &blocks {
            self.shifted(bytes, from..block.range.start, &mut hits);
            self.push(Finder::PrivateKey, block.range.clone(), &mut hits);
            from = block.range.end;
        }
        self.shifted(bytes, from..bytes.len(), &mut hits);
        hits
    }

    /// Private keys that are to be masked; one that is only reported is text like any other.
    fn blocks(&self, bytes: &[u8]) -> Vec<Block> {
        let masks = self
            .labels
            .get(&Finder::PrivateKey)
            .is_some_and(|l| l.action == OnHit::Mask);
        if masks {
            self.blocks.find(bytes)
        } else {
            Vec::new()
        }
    }

    fn shifted(&self, bytes: &[u8], range: Range<usize>, hits: &mut Vec<Hit>) {
        let part = bytes.get(range.clone()).unwrap_or_default();
        hits.extend(
            self.region(part, Summary::of(part))
                .into_iter()
                .map(|hit| Hit {
                    range: hit.range.start + range.start..hit.range.end + range.start,
                    ..hit
                }),
        );
    }

    /// Text without a block that is masked.
    fn region(&self, bytes: &[u8], summary: Summary) -> Vec<Hit> {
        let mut hits = Vec::new();
        if summary.fence && self.labels.contains_key(&Finder::PrivateKey) {
            for block in self.blocks.find(bytes) {
                self.push(Finder::PrivateKey, block.range, &mut hits);
            }
        }
        if summary.at {
            let before = hits.len();
            if let Some(label) = self.labels.get(&Finder::UrlPassword) {
                url::find(bytes, |range| hits.push(label.hit(range)));
            }
            if let Some(label) = self.labels.get(&Finder::Email) {
                // Where passwords end, in order; what was found before them is not.
                let passwords = hits.iter().skip(before).map(|h| h.range.end);
                let passwords: Vec<usize> = passwords.collect();
                email::find(bytes, |at, range| {
                    if passwords.binary_search(&at).is_err() {
                        hits.push(label.hit(range));
                    }
                });
            }
        }
        if summary.digits >= digits::DIGITS_MIN {
            digits::find(bytes, |finder, range| self.push(finder, range, &mut hits));
        }
        if summary.colons >= 2 && self.labels.contains_key(&Finder::IpAddress) {
            network::find(bytes, |range| {
                self.push(Finder::IpAddress, range, &mut hits)
            });
        }
        if let Some(secrets) = self.secrets.as_ref().filter(|_| summary.token) {
            secrets.find(bytes, |finder, range| self.push(finder, range, &mut hits));
        }
        if let Some((regex, labels)) = &self.custom {
            for found in regex.find_iter(bytes).filter(|m| !m.is_empty()) {
                if let Some(label) = labels.get(found.pattern().as_usize()) {
                    hits.push(label.hit(whole_characters(bytes, found.range())));
                }
            }
        }
        match hits.len() {
            0 | 1 => hits,
            _ => settle(hits),
        }
    }

    fn push(&self, finder: Finder, range: Range<usize>, hits: &mut Vec<Hit>) {
        if let Some(label) = self.labels.get(&finder) {
            hits.push(label.hit(range));
        }
    }
}

/// Appends the text up to `end` with the hits that mask replaced.
fn replace(text: &[u8], hits: &[Hit], end: usize, out: &mut Vec<u8>) {
    let mut from = 0;
    for hit in hits.iter().filter(|h| h.action == OnHit::Mask) {
        out.extend_from_slice(text.get(from..hit.range.start).unwrap_or_default());
        out.extend_from_slice(marker(&hit.class).as_bytes());
        from = hit.range.end;
    }
    out.extend_from_slice(text.get(from..end).unwrap_or_default());
}

impl Label {
    fn of(class: &Class) -> Self {
        Self {
            class: Arc::from(class.name.as_str()),
            action: class.on_hit,
        }
    }
    fn hit(&self, range: Range<usize>) -> Hit {
        Hit {
            range,
            class: Arc::clone(&self.class),
            action: self.action,
        }
    }
}

/// Widens a range so that it neither begins nor ends inside a UTF-8 character.
fn whole_characters(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let inside = |i: usize| bytes.get(i).is_some_and(|b| b & 0xC0 == 0x80);
    let (mut start, mut end) = (range.start, range.end);
    while start > 0 && inside(start) {
        start -= 1;
    }
    while inside(end) {
        end += 1;
    }
    start..end
}

/// In order, without overlaps: what masks goes before what reports, and hits that mask the same bytes are joined.
fn settle(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by(|a, b| {
        let key = |h: &Hit| (h.range.start, std::cmp::Reverse(h.range.end));
        b.action.cmp(&a.action).then_with(|| key(a).cmp(&key(b)))
    });
    let (mut masks, mut reports): (Vec<Hit>, Vec<Hit>) = (Vec::new(), Vec::new());
    for hit in hits {
        match hit.action {
            OnHit::Mask => match masks.last_mut().filter(|last| overlap(last, &hit)) {
                Some(last) => last.range.end = last.range.end.max(hit.range.end),
                None => masks.push(hit),
            },
            OnHit::Report => {
                // Both are in order by now, so that only neighbours can overlap.
                let behind = masks.partition_point(|m| m.range.end <= hit.range.start);
                let masked = masks.get(behind).is_some_and(|m| overlap(m, &hit));
                let told = reports.last().is_some_and(|last| overlap(last, &hit));
                if !masked && !told {
                    reports.push(hit);
                }
            }
        }
    }
    masks.append(&mut reports);
    masks.sort_by_key(|h| h.range.start);
    masks
}

fn overlap(one: &Hit, other: &Hit) -> bool {
    one.range.start < other.range.end && other.range.start < one.range.end
}

#[cfg(test)]
#[path = "detectors/tests.rs"]
mod tests;
