//! The server's log, as the tests' oracle: what reached the target, whatever the gateway says about it.

use std::fs;
use std::path::Path;

use super::ORACLE;

/// Process, user, database and application, then what happened. Lines of one entry after the first begin with a tab.
pub(super) const LINE_PREFIX: &str = "%p %u@%d %a> ";

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(usize);

impl Mark {
    /// The beginning of the log.
    pub fn start() -> Mark {
        Mark(0)
    }
}

pub(super) fn end(file: &Path) -> Mark {
    Mark(fs::read(file).map(|bytes| bytes.len()).unwrap_or_default())
}

pub(super) fn since(file: &Path, mark: Mark) -> String {
    let bytes = fs::read(file).unwrap_or_default();
    String::from_utf8_lossy(bytes.get(mark.0..).unwrap_or_default()).into_owned()
}

/// The statements in a stretch of log: simple queries, and each execution of a prepared one.
pub(super) fn statements(log: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for line in log.lines() {
        if let Some(more) = line.strip_prefix('\t') {
            if let (true, Some(statement)) = (inside, found.last_mut()) {
                statement.push('\n');
                statement.push_str(more);
            }
            continue;
        }
        let statement = line.split_once("> ").and_then(|(prefix, said)| {
            if prefix.ends_with(&format!(" {ORACLE}")) {
                None
            } else {
                statement(said)
            }
        });
        inside = statement.is_some();
        found.extend(statement.map(str::to_owned));
    }
    found
}

fn statement(said: &str) -> Option<&str> {
    let said = said.strip_prefix("LOG:  ")?;
    if let Some(text) = said.strip_prefix("statement: ") {
        return Some(text);
    }
    // `execute <unnamed>: SELECT 1`, `execute fetch from s1/portal: SELECT 1`
    let said = said.strip_prefix("execute ")?;
    said.split_once(": ").map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_read_whole_and_in_order_without_our_own() {
        let log = "17 agent@app psql> LOG:  statement: SELECT 1,\n\t 2\n\
                   18 postgres@app testkit> LOG:  statement: CREATE TABLE t ()\n\
                   \twith more\n\
                   19 agent@app > LOG:  execute <unnamed>: DELETE FROM t WHERE a = $1\n\
                   19 agent@app > DETAIL:  parameters: $1 = '5'\n\
                   19 agent@app > ERROR:  no: such thing\n";
        assert_eq!(
            statements(log),
            ["SELECT 1,\n 2", "DELETE FROM t WHERE a = $1"]
        );
    }
}
