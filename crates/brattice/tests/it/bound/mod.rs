//! Proofs that are worth nothing without a key: client certificates of workloads, and tokens that are bound (ID12, ID15).
//!
//! The clients are other people's: psql, Python's TLS. What a session may is told by the server's rows.

mod certificates;
mod dpop;
mod workloads;

use crate::world::World;
use brattice_testkit::client::{self, Said};
use brattice_testkit::postgres::{ClientCertificate, PostgresOptions};
use brattice_testkit::workload::TrustDomain;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(30);
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A world in which certificates are asked for.
struct Place {
    world: World,
    /// Where certificates and keys are.
    dir: TempDir,
    prod: TrustDomain,
}

impl Place {
    /// With a trust domain `prod.example.com`, whose workloads below `/agents/` are in `dev/agents`: it has the name of the
    /// provider, so that both name the same workloads.
    fn new() -> Place {
        Place::with("")
    }

    /// The same with more in the bundle.
    fn with(more: &str) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let prod = TrustDomain::create(dir.path()).unwrap();
        let bundle = dir.path().join("prod.pem");
        prod.write_bundle(&bundle).unwrap();
        let text = format!(
            "\n[spiffe.dev]\ntrust_domain = \"prod.example.com\"\nbundle = \"{}\"\n\
             claims.group_when = {{ agents = [\"sub=spiffe://prod.example.com/agents/*\"] }}\n{more}",
            bundle.display()
        );
        let world = World::start(PostgresOptions::of(18), |options| {
            options.admin_tls = true;
            options.more.push_str(&text);
        });
        Place { world, dir, prod }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn svid(&self, path: &str) -> ClientCertificate {
        self.prod
            .svid(&format!("spiffe://prod.example.com{path}"), 600)
            .unwrap()
    }

    /// psql over TLS as this user, with this password and this certificate.
    fn psql(
        &self,
        user: &str,
        password: &str,
        shown: Option<&ClientCertificate>,
        sql: &str,
    ) -> Said {
        let mut login = self.world.gateway.login(password, "shop/app");
        login.user = user.to_owned();
        let mut command = client::psql("psql".as_ref(), &login);
        command
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", self.world.gateway.ca_certificate())
            // Whatever this machine's own user has is not meant.
            .env("HOME", self.dir.path());
        if password.is_empty() {
            command.env_remove("PGPASSWORD").arg("--no-password");
        }
        if let Some(shown) = shown {
            command
                .env("PGSSLCERT", &shown.certificate)
                .env("PGSSLKEY", &shown.key);
        }
        client::run(command, sql, WITHIN).unwrap()
    }

    /// What the API says to Python.
    fn ask(&self, shown: Option<&ClientCertificate>, mut asked: Value) -> Value {
        asked["ca"] = json!(self.world.gateway.ca_certificate());
        asked["port"] = json!(self.world.gateway.admin_port());
        if let Some(shown) = shown {
            asked["cert"] = json!(shown.certificate);
            asked["key"] = json!(shown.key);
        }
        let mut command = std::process::Command::new(client::python_program());
        command.args(["-c", include_str!("asker.py")]);
        let said = client::run(command, &asked.to_string(), WITHIN).unwrap();
        assert!(said.is_good(), "{said:?}");
        serde_json::from_str(&said.out).unwrap()
    }

    /// What the PostgreSQL listener says to a client that speaks OAUTHBEARER.
    fn oauthbearer(&self, shown: Option<&ClientCertificate>, token: &str) -> String {
        let mut asked = json!({
            "ca": self.world.gateway.ca_certificate(),
            "port": self.world.gateway.port(),
            "token": token,
        });
        if let Some(shown) = shown {
            asked["cert"] = json!(shown.certificate);
            asked["key"] = json!(shown.key);
        }
        let mut command = std::process::Command::new(client::python_program());
        command.args(["-c", include_str!("oauthbearer.py")]);
        let said = client::run(command, &asked.to_string(), WITHIN).unwrap();
        assert!(said.is_good(), "{said:?}");
        said.out
    }

    fn whoami(&self, shown: Option<&ClientCertificate>, authorization: Option<&str>) -> Value {
        let headers = match authorization {
            Some(value) => json!({ "authorization": value }),
            None => json!({}),
        };
        let asked = json!({"method": "GET", "path": "/api/v1/whoami", "headers": headers});
        self.ask(shown, asked)
    }

    /// Trades over the API.
    fn trade(&self, shown: Option<&ClientCertificate>, fields: &[(&str, &str)]) -> Value {
        self.ask(shown, token_request(fields))
    }
}

fn token_request(fields: &[(&str, &str)]) -> Value {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    json!({
        "method": "POST",
        "path": "/oauth/token",
        "headers": {"content-type": "application/x-www-form-urlencoded"},
        "body": form.finish(),
    })
}

/// A certificate's digest as JOSE spells it, by openssl's own reckoning of the PEM.
fn thumbprint(certificate: &Path) -> String {
    let script = "import sys, ssl, hashlib, base64
der = ssl.PEM_cert_to_DER_cert(open(sys.argv[1]).read())
print(base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b'=').decode())";
    let said = std::process::Command::new(client::python_program())
        .args(["-c", script])
        .arg(certificate)
        .output()
        .unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}
