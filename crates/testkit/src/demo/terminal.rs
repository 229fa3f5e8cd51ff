//! psql at a terminal that stays open: one process, fed a statement at a time, its answers read as they come.
//!
//! Here lives knowing when an answer is complete, also one that takes as long as a person does. Standard output and
//! standard error are one pipe, so that what is read is in the order in which it was said. Nothing here knows SQL.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How psql is told to say that it is done; no answer holds it.
const DONE: &str = "\u{1}done\u{1}";

/// A running psql.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    input: ChildStdin,
    heard: Arc<Heard>,
    /// How much of what was heard has been handed out.
    read: usize,
}

#[derive(Debug, Default)]
struct Heard {
    said: Mutex<Said>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Said {
    bytes: Vec<u8>,
    over: bool,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// psql is ready for more.
    Ready,
    /// psql ended.
    Over,
    /// Neither, in the time that was given.
    Late,
}

impl Terminal {
    /// Starts it.
    pub fn open(mut command: Command) -> io::Result<Terminal> {
        let (mut from, to) = io::pipe()?;
        let mut child = command
            .stdin(std::process::Stdio::piped())
            .stdout(to.try_clone()?)
            .stderr(to)
            .spawn()?;
        // The command holds copies of the pipe's end, which would keep it open after psql is gone.
        drop(command);
        let input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let heard = Arc::new(Heard::default());
        let theirs = Arc::clone(&heard);
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut piece) {
                let mut said = theirs.said();
                said.bytes
                    .extend_from_slice(piece.get(..n).unwrap_or_default());
                theirs.more.notify_all();
            }
            theirs.said().over = true;
            theirs.more.notify_all();
        });
        Ok(Terminal {
            child,
            input,
            heard,
            read: 0,
        })
    }

    /// Types something, and does not wait.
    pub fn type_in(&mut self, text: &str) -> io::Result<()> {
        let typed = format!("{text}\n\\echo {DONE}\n");
        match self.input.write_all(typed.as_bytes()) {
            // One that has ended says so in its output.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// What it has said since, as soon as that holds this text; nothing if that takes too long.
    pub fn hears(&mut self, text: &str, within: Duration) -> Option<String> {
        let (answer, whole) = self.listen(within, |said| {
            // Up to the end of its line: what is said after belongs to whoever listens next.
            let at = said.find(text)?;
            let rest = said.get(at..)?;
            rest.find('\n').map(|end| at + end + 1)
        });
        whole.then(|| {
            self.read += answer.len();
            answer
        })
    }

    /// The rest of the answer, until psql is ready for more.
    pub fn finish(&mut self, within: Duration) -> (String, End) {
        let (answer, whole) =
            self.listen(within, |said| said.find(DONE).map(|at| at + DONE.len() + 1));
        if whole {
            self.read += answer.len();
            return (answer.replace(&format!("{DONE}\n"), ""), End::Ready);
        }
        let over = self.heard.said().over;
        self.read += answer.len();
        (answer, if over { End::Over } else { End::Late })
    }

    /// Types something and waits for the whole answer.
    pub fn ask(&mut self, text: &str, within: Duration) -> io::Result<(String, End)> {
        self.type_in(text)?;
        Ok(self.finish(within))
    }

    /// Waits until `enough` says how much of what was said is wanted. Gives that, or all there is when it never comes.
    fn listen(&self, within: Duration, enough: impl Fn(&str) -> Option<usize>) -> (String, bool) {
        let deadline = Instant::now() + within;
        let mut said = self.heard.said();
        loop {
            let fresh = said.bytes.get(self.read..).unwrap_or_default();
            let text = String::from_utf8_lossy(fresh).into_owned();
            if let Some(wanted) = enough(&text).and_then(|n| text.get(..n)) {
                return (wanted.to_owned(), true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if said.over || left.is_zero() {
                return (text, false);
            }
            said = match self.heard.more.wait_timeout(said, left) {
                Ok((said, _)) => said,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

impl Heard {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    /// Reads lines as psql does: says each back, knows `\echo`, and ends at `quit`.
    fn pretender() -> Terminal {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            r#"while IFS= read -r line; do case $line in '\echo '*) printf '%s\n' "${line#?echo }";;
               quit) exit;; *) printf 'notice\n' >&2; printf 'got %s\n' "$line";; esac; done"#,
        ]);
        Terminal::open(command).unwrap()
    }

    #[test]
    fn answers_come_whole_and_apart_in_the_order_they_were_said() {
        let mut psql = pretender();
        let first = psql.ask("one", SOON).unwrap();
        assert_eq!(first, ("notice\ngot one\n".to_owned(), End::Ready));
        psql.type_in("two").unwrap();
        assert!(psql.hears("notice", SOON).is_some());
        let (rest, end) = psql.finish(SOON);
        assert!(rest.contains("got two") && !rest.contains("one"), "{rest}");
        assert_eq!(end, End::Ready);
    }

    #[test]
    fn its_end_is_noticed() {
        let mut psql = pretender();
        assert_eq!(psql.ask("quit", SOON).unwrap(), (String::new(), End::Over));
        assert!(psql.hears("anything", Duration::from_millis(1)).is_none());
    }
}
