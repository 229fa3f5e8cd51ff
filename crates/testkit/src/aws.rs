//! What tests have of AWS: moto's Secrets Manager, STS and IAM, and AWS's own library as the oracle of signatures.
//!
//! Here live starting it and telling it things; `python/aws.py` is what does them. Dropping it ends it.

use crate::client::python_program;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// It, as a process that does what it is told.
#[derive(Debug)]
pub struct Aws {
    process: Mutex<Process>,
    address: String,
}

#[derive(Debug)]
struct Process {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Aws {
    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started: the test cannot go on.
    #[allow(
        clippy::expect_used,
        reason = "a test's world says what went wrong by panicking"
    )]
    pub fn start() -> Aws {
        let mut child = Command::new(python_program())
            .args(["-W", "ignore", "-c", include_str!("../python/aws.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo xtask setup` makes the environment that has moto");
        let to = child.stdin.take();
        let from = BufReader::new(child.stdout.take().expect("what it says is heard"));
        let mut aws = Aws {
            process: Mutex::new(Process { child, to, from }),
            address: String::new(),
        };
        let said = aws.tell(json!({"do": "start"}));
        let address = said.get("address").and_then(Value::as_str);
        aws.address = address.unwrap_or_default().to_owned();
        aws
    }

    /// Where all of its services answer.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Has it do something: what it says then.
    ///
    /// # Panics
    /// When it cannot.
    #[allow(
        clippy::expect_used,
        clippy::needless_pass_by_value,
        reason = "a test's world says what went wrong by panicking, and orders are written in place"
    )]
    pub fn tell(&self, order: Value) -> Value {
        let mut process = self.process();
        let to = process.to.as_mut().expect("it runs");
        writeln!(to, "{order}").expect("it hears");
        let mut line = String::new();
        process.from.read_line(&mut line).expect("it answers");
        let said: Value = serde_json::from_str(&line).expect("it answers in JSON");
        assert!(said.get("error").is_none(), "{said} to {order}");
        said
    }

    /// Makes a secret, or puts another value in force.
    pub fn put(&self, name: &str, text: &str) -> Value {
        self.tell(json!({"do": "secret", "name": name, "SecretString": text}))
    }

    /// What was asked of it since this was last called, by others than itself.
    pub fn asked(&self) -> Vec<String> {
        let said = self.tell(json!({"do": "asked"}));
        let asked = said.get("asked").and_then(Value::as_array);
        let text = |one: &Value| one.as_str().unwrap_or_default().to_owned();
        asked.into_iter().flatten().map(text).collect()
    }

    /// Ends it: nobody answers any more.
    pub fn end(&self) {
        let mut process = self.process();
        let _ = process.child.kill();
        let _ = process.child.wait();
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.process().to = None;
        self.end();
    }
}
