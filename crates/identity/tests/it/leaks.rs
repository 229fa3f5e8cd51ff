//! No token, nor any part of one, in an error or a log.

use crate::support::world;
use brattice_core::secret::Secret;
use brattice_testkit::idp::{Answer, JWKS_PATH, SigningKey};
use serde_json::json;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;
    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn neither_errors_nor_logs_hold_any_part_of_a_token() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // For the whole process: what a thread's own subscriber hears depends on which test logs first.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let w = world().await;
    let canary = "c4n4ry";
    let forger = SigningKey::es256("key-1").unwrap();
    let base = || {
        w.token()
            .claim("jti", canary)
            .claim("sub", format!("{canary}-sub"))
    };
    let tokens = [
        base(),
        base().signed_by(&forger),
        base().header("kid", canary),
        base().header("alg", canary),
        base().header("typ", canary),
        base().header("jku", format!("https://{canary}.example")),
        base().claim("aud", canary),
        base().claim("iss", format!("https://{canary}.example")),
        base().claim("exp", canary),
        base().claim("exp", 1),
        base().claim("sub", format!("{canary}\n")),
        base().claim("groups", canary),
        base().claim("groups", json!([format!("{canary}\0")])),
        base().claim("act", json!({"sub": [canary]})),
        base().claim("amr", canary),
        base().claim("nonce", canary),
        base().raw_claims(&format!("{{\"{canary}\":")),
        base().raw_header(canary),
    ];
    let mut said = String::new();
    let mut secrets = vec![canary.to_owned()];
    for token in &tokens {
        let text = token.sign().unwrap();
        secrets.extend(text.split('.').filter(|p| p.len() > 8).map(str::to_owned));
        let secret = Secret::new(text);
        said.push_str(&format!("{secret:?}"));
        if let Err(error) = w.verify(token).await {
            said.push_str(&format!("{error} {error:?}\n"));
        }
    }
    // Outages log; they too say nothing of the token that met them.
    w.idp.answer(JWKS_PATH, Answer::status(500));
    w.clock.step(1000);
    let _ = w.verify(&base()).await;
    w.clock.step(-500);
    let _ = w.verify(&base().header("kid", canary)).await;

    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("cannot fetch signing keys") && logged.contains("the clock went back"),
        "{logged}"
    );
    assert!(said.contains("signature") && said.contains("no such key"));
    for secret in secrets {
        assert!(!said.contains(&secret), "an error holds {secret}");
        assert!(!logged.contains(&secret), "the log holds {secret}");
    }
}
