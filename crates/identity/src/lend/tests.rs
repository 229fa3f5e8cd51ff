//! Lending from each source, and refusing what is no secret: never repeating one in an error.

use super::*;
use brattice_core::ports::{RecordFailed, StoreError};
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;

struct Variables(HashMap<&'static str, &'static str>);
impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<Secret> {
        self.0.get(name).map(|v| Secret::new(*v))
    }
}

#[derive(Default)]
struct Blobs(Mutex<HashMap<String, Vec<u8>>>);
impl SealedStore for Blobs {
    fn sealed<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        let found = self.0.lock().unwrap().get(name).cloned();
        Box::pin(async move { Ok(found) })
    }
}

pub(super) struct Counting(pub(super) Mutex<u8>);
impl Randomness for Counting {
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
        let mut n = self.0.lock().unwrap();
        *n += 1;
        buf.fill(*n);
        Ok(())
    }
}

/// 2026-01-31T12:00:00Z, whenever asked.
pub(super) struct Noon;
impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_769_860_800)
    }
}

pub(super) struct Nowhere;
impl Servers for Nowhere {
    fn of(&self, _: &str) -> Option<Arc<dyn Server>> {
        None
    }
    fn any_place(&self, _: &str) -> Option<String> {
        None
    }
}

pub(super) fn to(target: &str) -> Borrower<'_> {
    Borrower {
        target,
        place: "app",
        purpose: Purpose::Catalogue,
    }
}

fn lender(from: &str) -> Lender {
    lender_with(from, None)
}

fn lender_with(from: &str, sealed: Option<(Arc<dyn SealedStore>, SealingKeys)>) -> Lender {
    let credential = TargetCredential {
        user: "gateway".into(),
        proof: UpstreamProof::Password(from.parse().unwrap()),
        template: None,
    };
    let environment = Variables(HashMap::from([
        ("PW", "from-env"),
        ("EMPTY", ""),
        ("TWO", "a\nb"),
    ]));
    let lender = Lender::new(Parts {
        environment: Arc::new(environment),
        sealed,
        servers: Arc::new(Nowhere),
        randomness: Arc::new(Counting(Mutex::new(0))),
        clock: Arc::new(Noon),
        node: "0a1b2c3d".to_owned(),
        leases: "/nonexistent".into(),
        ssh: None,
    });
    lender.replace(
        BTreeMap::from([("orders-db".to_owned(), credential)]),
        Vec::new(),
        Vec::new(),
    );
    lender
}

async fn password(l: &Lender) -> Result<String, String> {
    match l.lend(to("orders-db")).await {
        Ok(lease) => Ok(lease.password.expose_str().unwrap().to_owned()),
        Err(e) => Err(e.to_string()),
    }
}

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn key(fill: u8) -> SealingKey {
    SealingKey::from_bytes(&[fill; 32]).unwrap()
}

#[tokio::test]
async fn lends_from_the_environment() {
    assert_eq!(password(&lender("env:PW")).await.unwrap(), "from-env");
    assert!(
        password(&lender("env:NONE"))
            .await
            .unwrap_err()
            .contains("env:NONE is not set")
    );
    assert!(
        password(&lender("env:EMPTY"))
            .await
            .unwrap_err()
            .contains("is empty")
    );
}

#[tokio::test]
async fn refuses_a_password_of_two_lines_without_repeating_it() {
    let error = password(&lender("env:TWO")).await.unwrap_err();
    assert!(error.contains("more than one line") && !error.contains("a\nb"));
}

#[tokio::test]
async fn a_rotated_file_is_seen_at_the_next_lend() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pw");
    let l = lender(&format!("file:{}", path.display()));
    write(&path, "first\n", 0o600);
    assert_eq!(password(&l).await.unwrap(), "first");
    write(&path, "second\r\n", 0o600);
    assert_eq!(password(&l).await.unwrap(), "second");
    std::fs::remove_file(&path).unwrap();
    assert!(password(&l).await.is_err(), "nothing is kept from before");
}

#[tokio::test]
async fn refuses_files_that_are_no_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pw");
    let l = lender(&format!("file:{}", path.display()));
    write(&path, "open to all", 0o666);
    assert!(password(&l).await.unwrap_err().contains("may change it"));
    write(&path, &"x".repeat(70_000), 0o600);
    assert!(password(&l).await.unwrap_err().contains("larger"));
    let l = lender(&format!("file:{}", dir.path().display()));
    assert!(
        password(&l)
            .await
            .unwrap_err()
            .contains("not a regular file")
    );
}

#[test]
fn a_secret_in_place_of_its_source_is_not_repeated() {
    for text in [
        "hunter2",
        "env:",
        "env:a b",
        "env:1A",
        "file:relative",
        "sealed:x",
        "",
    ] {
        let error = text.parse::<SecretFrom>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
    for text in ["env:PG_PASSWORD", "file:/run/secrets/pw", "sealed"] {
        assert_eq!(text.parse::<SecretFrom>().unwrap().to_string(), text);
    }
}

#[tokio::test]
async fn a_target_without_credential_is_refused() {
    let error = lender("env:PW").lend(to("other-db")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no credential for other-db: none is configured"
    );
}

#[tokio::test]
async fn a_new_bundle_replaces_the_targets() {
    let l = lender("env:PW");
    l.replace(BTreeMap::new(), Vec::new(), Vec::new());
    assert!(password(&l).await.is_err());
}

#[tokio::test]
async fn lends_what_was_sealed_for_this_target_only() {
    let keys = SealingKeys::of(key(1));
    let randomness = Counting(Mutex::new(0));
    let blobs = Arc::new(Blobs::default());
    let put = |name: &str, blob| blobs.0.lock().unwrap().insert(name.to_owned(), blob);
    let l = lender_with("sealed", Some((blobs.clone(), SealingKeys::of(key(1)))));
    assert!(
        password(&l)
            .await
            .unwrap_err()
            .contains("nothing is sealed")
    );

    put(
        "orders-db",
        seal(&keys, &Secret::new("s3cret"), "orders-db", &randomness).unwrap(),
    );
    assert_eq!(password(&l).await.unwrap(), "s3cret");

    put(
        "orders-db",
        seal(&keys, &Secret::new("other"), "other-db", &randomness).unwrap(),
    );
    assert!(password(&l).await.unwrap_err().contains("does not open"));

    assert!(
        password(&lender("sealed"))
            .await
            .unwrap_err()
            .contains("no key was given")
    );
}

#[tokio::test]
async fn lends_a_certificate_and_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let (chain, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
    let pem = |what: &str| format!("-----BEGIN {what}-----\nAA==\n-----END {what}-----\n");
    write(&chain, &pem("CERTIFICATE"), 0o644);
    write(&key, &pem("PRIVATE KEY"), 0o600);
    let l = lender("env:PW");
    let from = |p: &Path| SecretFrom::File(p.to_owned());
    let entry = |proof| {
        BTreeMap::from([(
            "orders-db".to_owned(),
            TargetCredential {
                user: "gw".into(),
                proof,
                template: None,
            },
        )])
    };
    l.replace(
        entry(UpstreamProof::Certificate {
            chain: from(&chain),
            key: from(&key),
        }),
        Vec::new(),
        Vec::new(),
    );
    let lease = l.lend(to("orders-db")).await.unwrap();
    assert!(lease.password.expose().is_empty());
    let (c, k) = lease.client_certificate.unwrap();
    assert!(c.starts_with(b"-----BEGIN CERT") && k.expose().starts_with(b"-----BEGIN PRIV"));
    write(&key, "no pem", 0o600);
    assert!(
        l.lend(to("orders-db"))
            .await
            .unwrap_err()
            .to_string()
            .contains("is not PEM")
    );
}

#[test]
fn every_changed_byte_of_a_blob_is_noticed() {
    let keys = SealingKeys::of(key(1));
    let blob = seal(
        &keys,
        &Secret::new("s3cret"),
        "db",
        &Counting(Mutex::new(0)),
    )
    .unwrap();
    assert_eq!(open(&keys, &blob, "db").unwrap().expose(), b"s3cret");
    for i in 0..blob.len() {
        let mut changed = blob.clone();
        changed[i] ^= 1;
        assert!(open(&keys, &changed, "db").is_err(), "byte {i}");
        assert!(open(&keys, &blob[..i], "db").is_err(), "cut at {i}");
    }
}

#[test]
fn earlier_keys_open_and_only_the_current_one_seals() {
    let randomness = Counting(Mutex::new(0));
    let old = seal(
        &SealingKeys::of(key(1)),
        &Secret::new("a"),
        "db",
        &randomness,
    )
    .unwrap();
    let rotated = SealingKeys {
        current: key(2),
        previous: vec![key(1)],
    };
    assert_eq!(open(&rotated, &old, "db").unwrap().expose(), b"a");
    let new = seal(&rotated, &Secret::new("a"), "db", &randomness).unwrap();
    assert!(matches!(
        open(&SealingKeys::of(key(1)), &new, "db"),
        Err(SealError::OtherKey(_))
    ));
    assert!(open(&SealingKeys::of(key(2)), &new, "db").is_ok());
}

#[test]
fn a_sealing_key_is_read_in_both_written_forms() {
    let hex = Secret::new("01".repeat(32) + "\n");
    let b64 = Secret::new("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
    let prints = [&hex, &b64].map(|t| format!("{:?}", SealingKey::from_text(t).unwrap()));
    assert_eq!(prints[0], prints[1]);
    for bad in ["", "AQ==", "zz"] {
        assert!(SealingKey::from_text(&Secret::new(bad)).is_err());
    }
}

#[tokio::test]
async fn a_login_at_a_host_is_certified_for_minutes_with_a_key_of_its_session() {
    use crate::ssh::{Authority, Certificate, PrivateKey, new_key};
    let signer = new_key(&Counting(Mutex::new(9))).unwrap();
    let lender = |ssh: Option<Arc<Authority>>| {
        let lender = Lender::new(Parts {
            environment: Arc::new(Variables(HashMap::new())),
            sealed: None,
            servers: Arc::new(Nowhere),
            randomness: Arc::new(Counting(Mutex::new(0))),
            clock: Arc::new(Noon),
            node: "0a1b2c3d".to_owned(),
            leases: "/nonexistent".into(),
            ssh,
        });
        let credential = TargetCredential {
            user: "deploy".into(),
            proof: UpstreamProof::Gateway,
            template: None,
        };
        let targets = BTreeMap::from([("web-1".to_owned(), credential)]);
        lender.replace(targets, Vec::new(), Vec::new());
        lender
    };
    let session = brattice_core::ids::SessionId::from_bytes([1; 10]);
    let to = || Borrower {
        target: "web-1",
        place: "root",
        purpose: Purpose::Session {
            id: &session,
            agent: "etl-7\nroot",
        },
    };
    let good = lender(Some(Arc::new(Authority::new(signer.clone()).unwrap())));
    let [one, two] = [
        good.lend(to()).await.unwrap(),
        good.lend(to()).await.unwrap(),
    ];
    let key = |lease: &Lease| {
        let text = lease
            .private_key
            .as_ref()
            .unwrap()
            .expose_str()
            .unwrap()
            .to_owned();
        PrivateKey::from_openssh(text).unwrap()
    };
    assert_ne!(key(&one).public_key(), key(&two).public_key());
    let certified = one.certifier.as_ref().unwrap().certify().await.unwrap();
    let certificate = Certificate::from_openssh(&certified).unwrap();
    assert_eq!(certificate.public_key(), key(&one).public_key().key_data());
    assert_eq!(certificate.signature_key(), signer.public_key().key_data());
    // The account alone, under the session's name.
    assert_eq!(certificate.valid_principals(), ["root"]);
    let named = format!("brattice session={session} agent=etl-7root");
    assert_eq!(certificate.key_id(), named);
    assert!(certificate.valid_before() - certificate.valid_after() <= 300);
    // Each login has another one.
    assert_ne!(
        one.certifier.as_ref().unwrap().certify().await.unwrap(),
        certified
    );

    let why = lender(None).lend(to()).await.unwrap_err().to_string();
    assert!(why.contains("no key that signs"), "{why}");
    let own = Borrower {
        purpose: Purpose::Catalogue,
        ..to()
    };
    assert!(good.lend(own).await.is_err());
}
