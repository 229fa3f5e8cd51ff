//! Signing in as people do: an identity provider that others wrote, and a person with a browser.
//!
//! Here live starting the provider, changing what it knows, and sending the person somewhere. Nothing here knows the gateway.

use crate::client::{Running, run};
use crate::postgres::{random_hex, tools_dir};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long the provider may take to listen, and a person to get where they are going.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The scripts must lie where their packages are: both are copied into a directory of their own.
fn script(dir: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    let modules = dir.join("node_modules");
    if !modules.exists() {
        std::os::unix::fs::symlink(tools_dir().join("node/node_modules"), &modules)?;
    }
    let path = dir.join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}

/// npm's `oidc-provider`, running.
pub struct Provider {
    _process: Running,
    _dir: tempfile::TempDir,
    /// Its issuer.
    pub issuer: String,
    /// The secret of its clients `gateway` and `etl-1`.
    pub client_secret: String,
}

impl Provider {
    /// Starts it. A lean one puts into ID tokens only who somebody is.
    pub fn start(lean: bool) -> io::Result<Provider> {
        let dir = tempfile::tempdir()?;
        let path = script(
            dir.path(),
            "provider.mjs",
            include_str!("../node/provider.mjs"),
        )?;
        let client_secret = random_hex().map_err(io::Error::other)?;
        let mut command = Command::new("node");
        command
            .arg(path)
            .env("CLIENT_SECRET", &client_secret)
            .env("LEAN", if lean { "1" } else { "0" });
        let process = Running::start(command)?;
        let ready = process
            .reads("ready ", WAIT_MAX)
            .ok_or_else(|| io::Error::other("the provider did not start: is node here, and are its packages (`cargo xtask setup`)?"))?;
        let issuer = ready.trim_start_matches("ready ").trim().to_owned();
        Ok(Provider {
            _process: process,
            _dir: dir,
            issuer,
            client_secret,
        })
    }

    /// Changes what it knows: `groups=a,b&of=dana`, `gone=dana`, `rotate=1`, `away=yes`.
    pub fn control(&self, what: &str) -> io::Result<()> {
        let said = run(
            fetch(&format!("{}/_control?{what}", self.issuer), ""),
            "",
            WAIT_MAX,
        )?;
        if said.is_good() {
            Ok(())
        } else {
            Err(io::Error::other(said.err))
        }
    }

    /// A token that an agent gets with its own secret, for this audience.
    pub fn agent_token(&self, audience: &str) -> io::Result<String> {
        let form = format!(
            "grant_type=client_credentials&client_id=etl-1&client_secret={}&scope=act&resource={audience}",
            self.client_secret
        );
        let said = run(
            fetch(&format!("{}/token", self.issuer), &form),
            "",
            WAIT_MAX,
        )?;
        let answer: Value = serde_json::from_str(&said.out).unwrap_or_default();
        answer
            .get("access_token")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| io::Error::other(format!("{}{}", said.out, said.err)))
    }
}

/// One request, whose answer is printed.
fn fetch(url: &str, form: &str) -> Command {
    let mut command = Command::new("node");
    command.args([
        "-e",
        "const [url, form] = process.argv.slice(1);\
         const options = form ? { method: 'POST', body: new URLSearchParams(form) } : {};\
         fetch(url, options).then((r) => r.text()).then((t) => console.log(t), (e) => { console.error(e); process.exit(1) })",
        url,
        form,
    ]);
    command
}

/// A person with a browser.
pub struct Person {
    dir: tempfile::TempDir,
    script: PathBuf,
}

impl Person {
    /// With a browser that knows no cookies yet.
    pub fn new() -> io::Result<Person> {
        let dir = tempfile::tempdir()?;
        let script = script(dir.path(), "person.mjs", include_str!("../node/person.mjs"))?;
        Ok(Person { dir, script })
    }

    /// Goes to an address as somebody who gives this answer when asked, until they arrive, or before an address that
    /// matches the pattern. What they saw last.
    pub fn go(&self, url: &str, name: &str, answer: &str, until: &str) -> io::Result<Value> {
        let mut command = Command::new("node");
        command.arg(&self.script).args([url, name, answer]);
        command.arg("--jar").arg(self.dir.path().join("jar.json"));
        if !until.is_empty() {
            command.args(["--until", until]);
        }
        let said = run(command, "", WAIT_MAX)?;
        serde_json::from_str(said.out.trim())
            .map_err(|_| io::Error::other(format!("{}{}", said.out, said.err)))
    }

    /// Posts a form from another site's page, and goes on as in [`Person::go`].
    pub fn posts(&self, url: &str, form: &str, answer: &str, until: &str) -> io::Result<Value> {
        let mut command = Command::new("node");
        command.arg(&self.script).args([url, "nobody", answer]);
        command.arg("--jar").arg(self.dir.path().join("jar.json"));
        command.args(["--posting", "--until", until]);
        let said = run(command, form, WAIT_MAX)?;
        serde_json::from_str(said.out.trim())
            .map_err(|_| io::Error::other(format!("{}{}", said.out, said.err)))
    }

    /// A program that a command line can start as a browser: `BROWSER`.
    pub fn browser(&self, name: &str, answer: &str) -> io::Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let path = self.dir.path().join(format!("browser-{name}-{answer}"));
        let jar = self.dir.path().join("jar.json");
        let text = format!(
            "#!/bin/sh\nexec node '{}' \"$1\" {name} {answer} --jar '{}'\n",
            self.script.display(),
            jar.display()
        );
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }
}
