//! The pump between a client and OpenSSH's server, which run beside it: blocking threads read, one loop lets the machine
//! work. Nothing sleeps; whoever says nothing for long fails the test.

use crate::gate::Gated;
use brattice_core::denial::{Code as Why, Denial};
use brattice_wire::ssh::sftp::reply::{self, FromTarget, Reply};
use brattice_wire::ssh::sftp::request::Request;
use brattice_wire::ssh::sftp::{Ask, Code, Event, FileDone, Limits, Sftp, Verdict, encode};
use bytes::BytesMut;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

const SERVER: &str = "/usr/lib/openssh/sftp-server";
const SILENCE_MAX: Duration = Duration::from_secs(30);

enum Heard {
    Client(Vec<u8>),
    ClientEnded,
    Target(Vec<u8>),
    TargetEnded,
}

pub struct Stage {
    /// A directory of this test's own.
    pub root: PathBuf,
    /// Where the server starts, below it.
    pub home: PathBuf,
    pub asks: Vec<String>,
    pub refused: Vec<String>,
    pub files: Vec<FileDone>,
    sftp: Sftp,
    gate: Gated,
    server: Child,
    to_server: Option<ChildStdin>,
    heard: Receiver<Heard>,
    tell: Sender<Heard>,
    from_client: BytesMut,
    from_target: BytesMut,
    seen: BytesMut,
    /// A client that is a program.
    to_client: Option<File>,
    client_ended: bool,
    id: u32,
}

impl Stage {
    /// A server in a directory with something secret beside it. The opening is left to a client.
    pub fn before(name: &str) -> Self {
        let root =
            std::env::temp_dir().join(format!("brattice-sftp-{}-{name}", std::process::id()));
        let _none = fs::remove_dir_all(&root);
        for directory in ["home", "secret"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        let root = root.canonicalize().unwrap();
        fs::write(root.join("secret/key"), "k").unwrap();
        let home = root.join("home");
        let mut server = Command::new(SERVER)
            .arg("-d")
            .arg(&home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("OpenSSH's SFTP server is there (package openssh-sftp-server)");
        let (tell, heard) = channel();
        let out = server.stdout.take().unwrap();
        listen(out, tell.clone(), Heard::Target, || Heard::TargetEnded);
        Self {
            to_server: server.stdin.take(),
            home,
            root,
            asks: Vec::new(),
            refused: Vec::new(),
            files: Vec::new(),
            sftp: Sftp::new(Limits::default()),
            gate: Gated::new(1 << 40),
            server,
            heard,
            tell,
            from_client: BytesMut::new(),
            from_target: BytesMut::new(),
            seen: BytesMut::new(),
            to_client: None,
            client_ended: false,
            id: 0,
        }
    }

    /// After the opening.
    pub fn new(name: &str) -> Self {
        let mut stage = Self::before(name);
        encode::init(&mut stage.from_client);
        stage.until(|s| !s.seen.is_empty());
        let version = reply::next(&mut stage.seen, &Limits::default()).unwrap();
        assert!(matches!(version, Some(FromTarget::Version(_))));
        stage
    }

    /// What nobody may touch.
    pub fn secret(&self) -> PathBuf {
        self.root.join("secret")
    }

    pub fn send(&mut self, request: &Request) -> u32 {
        self.id += 1;
        encode::request(&mut self.from_client, self.id, request);
        self.id
    }

    /// Waits for so many replies.
    pub fn wait(&mut self, count: usize) -> Vec<(u32, Reply)> {
        let mut replies = Vec::new();
        while replies.len() < count {
            self.until(|s| !s.seen.is_empty());
            while let Some(frame) = reply::next(&mut self.seen, &Limits::default()).unwrap() {
                match frame {
                    FromTarget::Reply(id, reply) => replies.push((id, reply)),
                    FromTarget::Version(_) => panic!("a second VERSION"),
                }
            }
        }
        replies
    }

    pub fn call(&mut self, request: &Request) -> Reply {
        let id = self.send(request);
        let (of, reply) = self.wait(1).remove(0);
        assert_eq!(of, id);
        reply
    }

    pub fn code(&mut self, request: &Request) -> Code {
        match self.call(request) {
            Reply::Status(code, _) => code,
            other => panic!("{request:?}: {other:?}"),
        }
    }

    pub fn ok(&mut self, request: &Request) {
        assert_eq!(self.code(request), Code::Ok, "{request:?}");
    }

    /// Runs commands in OpenSSH's client, whose server is this machine, and gives all that it says. Two pipes with names
    /// stand for the server's input and output.
    pub fn client(&mut self, commands: &str) -> String {
        let file = |name: &str| self.root.join(name);
        let (input, output, batch) = (file("input"), file("output"), file("batch"));
        let made = Command::new("mkfifo").arg(&input).arg(&output).status();
        assert!(made.unwrap().success());
        fs::write(&batch, commands).unwrap();
        let script = file("server");
        let text = format!(
            "cat {output} &\nexec cat > {input}\n",
            input = input.display(),
            output = output.display()
        );
        fs::write(&script, text).unwrap();
        let client = Command::new("sftp")
            .arg("-b")
            .arg(&batch)
            .arg("-D")
            .arg(format!("/bin/sh {}", script.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let from = File::open(&input).unwrap();
        self.to_client = Some(OpenOptions::new().write(true).open(&output).unwrap());
        listen(from, self.tell.clone(), Heard::Client, || {
            Heard::ClientEnded
        });
        self.until(|s| s.client_ended);
        self.to_client = None;
        let said = client.wait_with_output().unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&said.stdout),
            String::from_utf8_lossy(&said.stderr)
        );
        assert!(said.status.success(), "{text}");
        text
    }

    /// Goes on until this holds.
    fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        loop {
            self.work();
            if holds(self) {
                return;
            }
            match self
                .heard
                .recv_timeout(SILENCE_MAX)
                .expect("somebody says something")
            {
                Heard::Client(bytes) => self.from_client.extend_from_slice(&bytes),
                Heard::Target(bytes) => self.from_target.extend_from_slice(&bytes),
                Heard::ClientEnded => self.client_ended = true,
                Heard::TargetEnded => panic!("the server ended"),
            }
        }
    }

    /// Lets the machine work until nothing moves.
    fn work(&mut self) {
        loop {
            let unread = (self.from_client.len(), self.from_target.len());
            let from_client = self.sftp.client(&mut self.from_client).unwrap();
            let from_target = self.sftp.target(&mut self.from_target).unwrap();
            let moved = from_client.is_some() || from_target.is_some();
            from_client
                .into_iter()
                .chain(from_target)
                .for_each(|e| self.event(e));
            self.flush();
            if !moved && unread == (self.from_client.len(), self.from_target.len()) {
                return;
            }
        }
    }

    fn flush(&mut self) {
        let out = self.sftp.outbox.bytes().to_vec();
        self.sftp.outbox.advance(out.len());
        self.to_server.as_mut().unwrap().write_all(&out).unwrap();
        let seen = self.sftp.to_client.split();
        match self.to_client.as_mut() {
            Some(client) => client.write_all(&seen).unwrap(),
            None => self.seen.extend_from_slice(&seen),
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Ask(ask) => self.judge(ask),
            Event::Refused { what, denial } => self.refused.push(format!("{what}: {denial}")),
            Event::FileDone(done) => self.files.push(done),
            Event::Outcome { .. } => {}
        }
    }

    fn judge(&mut self, ask: Ask) {
        self.asks.push(format!("{:?} {}", ask.operation, ask.path));
        let secret = self.secret();
        let names = [Some(&ask.path), ask.second.as_ref()];
        let is_secret = names
            .into_iter()
            .flatten()
            .any(|n| PathBuf::from(n).starts_with(&secret));
        let verdict = if is_secret {
            Verdict::Deny(Denial::new(Why::Forbidden, "no-secrets", "this is secret"))
        } else {
            Verdict::Pass {
                cleared: self.gate.clear(ask.frame),
                lane: Some(self.gate.lane()),
                masks: None,
            }
        };
        assert!(self.sftp.answer(verdict).is_none());
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        self.to_server = None;
        let _ended = self.server.wait();
        let _removed = fs::remove_dir_all(&self.root);
    }
}

fn listen(
    mut from: impl Read + Send + 'static,
    tell: Sender<Heard>,
    piece: fn(Vec<u8>) -> Heard,
    end: fn() -> Heard,
) {
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let said = match from.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(read) => piece(buffer[..read].to_vec()),
            };
            if tell.send(said).is_err() {
                return;
            }
        }
        let _nobody_listens = tell.send(end());
    });
}
