//! Where in a document something stands: its key path and its line.
//!
//! Lives here: paths and the map from paths to lines. Never: values.

use std::collections::HashMap;
use std::fmt;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A path of keys and indexes, e.g. `targets.orders-db.functions[2]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Place(String);

impl Place {
    /// The document itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// A key below; quoted when it is not a bare key.
    pub fn key(&self, key: &str) -> Self {
        let bare = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let mut path = self.0.clone();
        if !path.is_empty() {
            path.push('.');
        }
        if bare {
            path.push_str(key);
        } else {
            path.push_str(&format!("{key:?}"));
        }
        Self(path)
    }

    /// Several keys below.
    pub fn keys(&self, keys: &[&str]) -> Self {
        keys.iter().fold(self.clone(), |at, key| at.key(key))
    }

    /// An item below, counted from 0.
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    fn parent(&self) -> Option<Self> {
        let cut = self.0.rfind(['.', '['])?;
        self.0.get(..cut).map(|p| Self(p.to_owned()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The line of each key.
#[derive(Debug, Default)]
pub struct Places(HashMap<Place, usize>);

impl Places {
    /// Reads a document's lines; none when it cannot be read.
    pub fn of(text: &str) -> Self {
        let mut places = Self::default();
        let starts: Vec<usize> = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(i, _)| i + 1))
            .collect();
        if let Ok(table) = DeTable::parse(text) {
            places.table(table.get_ref(), &Place::root(), &starts);
        }
        places
    }

    /// The line of a key, or of the nearest one above it that is written down.
    pub fn line(&self, at: &Place) -> Option<usize> {
        let mut at = at.clone();
        loop {
            if let Some(line) = self.0.get(&at) {
                return Some(*line);
            }
            at = at.parent()?;
        }
    }

    fn table(&mut self, table: &DeTable<'_>, at: &Place, starts: &[usize]) {
        for (key, value) in table {
            let below = at.key(key.get_ref());
            self.0
                .insert(below.clone(), line_of(key.span().start, starts));
            self.value(value, &below, starts);
        }
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, at: &Place, starts: &[usize]) {
        match value.get_ref() {
            DeValue::Table(table) => self.table(table, at, starts),
            DeValue::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let below = at.index(i);
                    self.0
                        .insert(below.clone(), line_of(item.span().start, starts));
                    self.value(item, &below, starts);
                }
            }
            _ => {}
        }
    }
}

/// The line, counted from 1, of a byte offset.
pub fn line_of(offset: usize, starts: &[usize]) -> usize {
    starts.partition_point(|start| *start <= offset)
}
