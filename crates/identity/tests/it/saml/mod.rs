//! Proof by SAML assertions, against a provider that others wrote (pysaml2 with xmlsec1), and against those who forge.
//!
//! Lives here: the provider as a process, a gateway that knows it, and the questions asked of it.

mod asked;
mod encrypted;
mod forged;
mod fuzz;
mod honest;
mod meant;
mod once;
mod settings;
mod shapes;
mod sizes;
mod wrapped;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use brattice_identity::saml::{
    KeyConfig, LoginRequest, SamlConfig, SamlProof, SamlProvider, SamlRefused, UsedAssertions,
};
use brattice_testkit::client::python_program;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

pub const ENTITY: &str = "https://gateway.example/saml";
pub const ACS: &str = "https://gateway.example/login/saml/acs";
pub const REQUEST: &str = "_5b0d7c9f2e1a4b3c8d6e";
pub const IDP: &str = "https://idp.example/metadata";

/// The provider, as a process that does what it is told.
struct Python {
    child: Child,
    /// Closed to end it.
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    _home: TempDir,
}

impl Python {
    fn start(strict: bool) -> Self {
        let home = TempDir::new().unwrap();
        let keys = Path::new(env!("CARGO_TARGET_TMPDIR")).join("saml/keys");
        let mut child = Command::new(python_program())
            .args(["-W", "ignore", "-c", include_str!("idp.py")])
            .args([home.path(), &keys])
            .args(strict.then_some("strict"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo xtask setup` makes the environment that has pysaml2");
        let to = child.stdin.take();
        let from = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            to,
            from,
            _home: home,
        }
    }
    fn tell(&mut self, order: &Value) -> Value {
        let said = self.ask(order);
        assert!(said.get("error").is_none(), "{said} to {order}");
        said
    }
    fn ask(&mut self, order: &Value) -> Value {
        writeln!(self.to.as_ref().unwrap(), "{order}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("the provider answers in JSON")
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.to = None;
        let _ = self.child.wait();
    }
}

/// A provider, and a gateway that knows it.
pub struct World {
    python: Mutex<Python>,
    /// What the provider said of itself: metadata and pairs of keys.
    pub said: Value,
    pub config: SamlConfig,
    pub gateway: SamlProvider,
}

pub fn world() -> World {
    world_with(|_, _| {})
}

/// The same with some settings changed; they are given what the provider says of itself.
pub fn world_with(change: impl FnOnce(&mut SamlConfig, &Value)) -> World {
    world_of(Python::start(false), change)
}

/// The same with a provider that checks what it reads against the schemas.
pub fn strict_world() -> World {
    world_of(Python::start(true), |_, _| {})
}

fn world_of(mut python: Python, change: impl FnOnce(&mut SamlConfig, &Value)) -> World {
    let said = python.tell(&json!({"do": "start"}));
    let metadata = said["metadata"].as_str().unwrap();
    let mut config = SamlConfig::new("corp", metadata.as_bytes(), ENTITY, ACS);
    config.decryption = vec![pair(&said, "sp")];
    change(&mut config, &said);
    let gateway = SamlProvider::new(config.clone(), Arc::default()).unwrap();
    python.tell(&json!({"do": "meet", "metadata": gateway.metadata()}));
    World {
        python: Mutex::new(python),
        said,
        config,
        gateway,
    }
}

pub fn pair(said: &Value, name: &str) -> KeyConfig {
    let text = |part: &str| said["pairs"][name][part].as_str().unwrap().to_owned();
    KeyConfig {
        key: Secret::new(text("key")),
        certificate: text("certificate").into_bytes(),
    }
}

/// The provider's certificate of this name, in base64 as metadata has it.
pub fn certificate(said: &Value, name: &str) -> String {
    let pem = said["pairs"][name]["certificate"].as_str().unwrap();
    pem.lines().filter(|l| !l.contains("-----")).collect()
}

impl World {
    /// A gateway with other settings, for the same provider; nothing was used there yet.
    pub fn other(&self, change: impl FnOnce(&mut SamlConfig)) -> SamlProvider {
        let mut config = self.config.clone();
        change(&mut config);
        SamlProvider::new(config, Arc::<UsedAssertions>::default()).unwrap()
    }
    pub fn tell(&self, order: &Value) -> Value {
        self.python.lock().unwrap().tell(order)
    }
    /// The document of a response to our request, made and signed as ordered.
    pub fn made(&self, mut order: Value) -> String {
        let all = order.as_object_mut().unwrap();
        for (name, value) in [
            ("do", "edited"),
            ("in_response_to", REQUEST),
            ("destination", ACS),
            ("sp", ENTITY),
        ] {
            all.entry(name).or_insert(value.into());
        }
        let said = self.tell(&order);
        let text = STANDARD.decode(said["response"].as_str().unwrap()).unwrap();
        String::from_utf8(text).unwrap()
    }
    /// A good response.
    pub fn good(&self) -> String {
        self.made(json!({}))
    }
    /// What the gateway makes of a document, a moment after it was issued.
    pub fn finish(&self, xml: &str) -> Result<SamlProof, SamlRefused> {
        finish_at(&self.gateway, xml, issued(xml))
    }
    pub fn accepts(&self, xml: &str) -> SamlProof {
        match self.finish(xml) {
            Ok(proof) => proof,
            Err(why) => panic!("refused: {why}\n{xml}"),
        }
    }
    pub fn refuses(&self, xml: &str, why: SamlRefused) {
        assert_eq!(self.finish(xml).map(|p| p.assertion_id), Err(why), "{xml}");
    }
    /// Refused for whatever reason.
    pub fn refuses_all(&self, what: &str, xml: &str) -> SamlRefused {
        match self.finish(xml) {
            Ok(proof) => panic!("{what}: accepted {:?}\n{xml}", proof.identity),
            Err(why) => why,
        }
    }
}

pub fn finish_at(
    gateway: &SamlProvider,
    xml: &str,
    now: Timestamp,
) -> Result<SamlProof, SamlRefused> {
    gateway.finish(&STANDARD.encode(xml), REQUEST, now)
}

pub fn login() -> LoginRequest<'static> {
    LoginRequest {
        id: REQUEST,
        relay_state: None,
        again: false,
    }
}

/// The first value of this attribute in a document.
pub fn value<'a>(xml: &'a str, attribute: &str) -> &'a str {
    let (_, after) = xml.split_once(&format!(" {attribute}=\"")).unwrap();
    after.split_once('"').unwrap().0
}

pub fn time(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

/// When a document says that it was issued; some moment when it says nothing.
pub fn issued(xml: &str) -> Timestamp {
    match xml.contains(" IssueInstant=\"") {
        true => value(xml, "IssueInstant").parse::<jiff::Timestamp>(),
        false => "2026-01-01T00:00:00Z".parse(),
    }
    .map_or(Timestamp(0), |t| Timestamp(t.as_microsecond()))
}

/// The element of this qualified name, from its first start tag to its last end tag.
pub fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let start = xml.find(&format!("<{name}")).unwrap();
    let end_tag = format!("</{name}>");
    let end = xml.rfind(&end_tag).unwrap() + end_tag.len();
    xml.get(start..end).unwrap()
}
