//! Certificates as they should be, and each as it should not be in one respect.

use super::*;
use crate::oidc::{ClaimLike, ClaimPath, GroupRule};
use brattice_core::ids::Digest;
use jiff::civil::date;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose as Eku, IsCa, KeyPair, KeyUsagePurpose as Ku, SanType, date_time_ymd,
};
use std::path::PathBuf;

const ETL: &str = "spiffe://prod.example.com/ns/payments/sa/etl";

fn at(year: i16, month: i8, day: i8) -> Timestamp {
    let zoned = date(year, month, day).to_zoned(jiff::tz::TimeZone::UTC);
    Timestamp::from_seconds(zoned.unwrap().timestamp().as_second())
}

fn now() -> Timestamp {
    at(2030, 6, 15).plus(Duration::from_secs(3600))
}

type Ca = CertifiedIssuer<'static, KeyPair>;

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![Ku::KeyCertSign, Ku::CrlSign];
    params.not_before = date_time_ymd(2030, 1, 1);
    params.not_after = date_time_ymd(2031, 1, 1);
    params
}

fn ca(name: &str) -> Ca {
    CertifiedIssuer::self_signed(ca_params(name), KeyPair::generate().unwrap()).unwrap()
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

/// As SPIRE makes them: for an hour, twelve before and twelve after, say.
fn svid() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("etl");
    params.subject_alt_names = vec![uri(ETL)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![Ku::DigitalSignature, Ku::KeyEncipherment];
    params.extended_key_usages = vec![Eku::ServerAuth, Eku::ClientAuth];
    params.not_before = date_time_ymd(2030, 6, 15);
    params.not_after = date_time_ymd(2030, 6, 16);
    params
}

fn signed(params: CertificateParams, by: &Ca) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, by).unwrap().der().to_vec()
}

struct Trust {
    dir: tempfile::TempDir,
    spiffe: Spiffe,
}

impl Trust {
    fn bundle(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    fn rotate(&self, name: &str, authorities: &[&Ca]) {
        let pem: String = authorities.iter().map(|a| a.pem()).collect();
        std::fs::write(self.bundle(name), pem).unwrap();
    }
    async fn at(&self, chain: &[&[u8]], now: Timestamp) -> Result<Identity, AuthError> {
        let certificate = Certificate::of(chain.iter().copied()).unwrap();
        self.spiffe.verify(&certificate, now).await
    }
    async fn accepts(&self, leaf: &[u8]) -> Identity {
        self.at(&[leaf], now()).await.unwrap()
    }
    async fn refuses(&self, leaf: &[u8], why: &str) {
        self.refuses_chain(&[leaf], why).await;
    }
    async fn refuses_chain(&self, chain: &[&[u8]], why: &str) {
        match self.at(chain, now()).await {
            Err(AuthError::Rejected(text)) => assert!(text.contains(why), "{why}: {text}"),
            other => panic!("not rejected ({why}): {other:?}"),
        }
    }
}

/// One trust domain with this authority.
fn trusting(authority: &Ca) -> Trust {
    let dir = tempfile::tempdir().unwrap();
    let mut config = SpiffeConfig::new("prod", "prod.example.com", dir.path().join("prod.pem"));
    config.group_rules = vec![GroupRule {
        group: "payments".to_owned(),
        when: vec![ClaimLike {
            claim: ClaimPath::parse("sub").unwrap(),
            pattern: "spiffe://prod.example.com/ns/payments/sa/*".to_owned(),
        }],
    }];
    let trust = Trust {
        dir,
        spiffe: Spiffe::default(),
    };
    trust.rotate("prod.pem", &[authority]);
    trust.spiffe.reconfigure(vec![config]).unwrap();
    trust
}

#[tokio::test]
async fn a_workload_is_whom_its_trust_domain_names() {
    let authority = ca("prod");
    let trust = trusting(&authority);
    let leaf = signed(svid(), &authority);
    let who = trust.accepts(&leaf).await;
    let acting = &who.chain.acting;
    assert_eq!(acting.id(), format!("prod/{ETL}"));
    assert_eq!(acting.kind, PrincipalKind::Agent);
    assert_eq!(acting.groups, ["prod/payments".to_owned()].into());
    assert_eq!(who.by, LoginBy::Certificate);
    assert_eq!(who.binding, Binding::certificate(Digest::of(&leaf)));
    assert_eq!(who.authenticated_at, at(2030, 6, 15));
    assert_eq!(who.expires_at, at(2030, 6, 16));
    assert!(who.chain.on_behalf_of.is_empty() && who.scope.is_whole() && !who.mfa);
    // Another workload is in no group of this one's.
    let mut other = svid();
    other.subject_alt_names = vec![uri("spiffe://prod.example.com/ns/payments-evil/sa/etl")];
    let who = trust.accepts(&signed(other, &authority)).await;
    assert!(who.chain.acting.groups.is_empty());
    // Names beside the one URI are nobody's business.
    let mut host = svid();
    host.subject_alt_names
        .push(SanType::DnsName("etl.example".try_into().unwrap()));
    assert_eq!(
        trust
            .accepts(&signed(host, &authority))
            .await
            .chain
            .acting
            .id(),
        format!("prod/{ETL}")
    );
}

#[tokio::test]
async fn a_certificate_that_breaks_a_rule_names_nobody() {
    let authority = ca("prod");
    let trust = trusting(&authority);
    type Spoil = fn(&mut CertificateParams);
    let cases: [(Spoil, &str); 18] = [
        (|p| p.subject_alt_names = vec![], "exactly one URI"),
        (
            |p| p.subject_alt_names = vec![SanType::DnsName("a.example".try_into().unwrap())],
            "exactly one URI",
        ),
        (
            |p| {
                p.subject_alt_names
                    .push(uri("spiffe://prod.example.com/admin"))
            },
            "exactly one URI",
        ),
        (|p| p.subject_alt_names.push(uri(ETL)), "exactly one URI"),
        (
            |p| p.subject_alt_names = vec![uri("https://prod.example.com/etl")],
            "SPIFFE ID",
        ),
        (
            |p| p.subject_alt_names = vec![uri("spiffe://prod.example.com")],
            "SPIFFE ID",
        ),
        (
            |p| p.subject_alt_names = vec![uri("spiffe://prod.example.com/a/../b")],
            "SPIFFE ID",
        ),
        (
            |p| p.subject_alt_names = vec![uri("spiffe://PROD.example.com/a")],
            "SPIFFE ID",
        ),
        (
            |p| p.subject_alt_names = vec![uri("spiffe://prod.example.com.evil/a")],
            "trust domain",
        ),
        (
            |p| p.subject_alt_names = vec![uri("spiffe://example.com/a")],
            "trust domain",
        ),
        (
            |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            "authority",
        ),
        (|p| p.key_usages = vec![], "not for signing"),
        (
            |p| p.key_usages = vec![Ku::KeyEncipherment],
            "not for signing",
        ),
        (|p| p.key_usages.push(Ku::KeyCertSign), "not for signing"),
        (|p| p.key_usages.push(Ku::CrlSign), "not for signing"),
        (
            |p| p.extended_key_usages = vec![Eku::ServerAuth],
            "does not vouch",
        ),
        (|p| p.not_after = date_time_ymd(2030, 6, 15), "expired"),
        (
            |p| p.not_before = date_time_ymd(2030, 6, 16),
            "not valid yet",
        ),
    ];
    for (spoil, why) in cases {
        let mut params = svid();
        spoil(&mut params);
        trust.refuses(&signed(params, &authority), why).await;
    }
    let mut long = svid();
    long.not_after = date_time_ymd(2030, 6, 17);
    trust
        .refuses(&signed(long, &authority), "lives longer")
        .await;
    let mut long = svid();
    long.subject_alt_names = vec![uri(&format!(
        "spiffe://prod.example.com/{}",
        "a".repeat(300)
    ))];
    trust
        .refuses(&signed(long, &authority), "longer than a name")
        .await;
}

#[tokio::test]
async fn nobody_but_the_ids_own_trust_domain_vouches_for_it() {
    let (ours, theirs) = (ca("prod"), ca("other"));
    let trust = trusting(&ours);
    trust
        .refuses(&signed(svid(), &theirs), "does not vouch")
        .await;
    // Of the same name, too.
    trust
        .refuses(&signed(svid(), &ca("prod")), "does not vouch")
        .await;
    let other = SpiffeConfig::new("other", "other.example.com", trust.bundle("other.pem"));
    let config = SpiffeConfig::new("prod", "prod.example.com", trust.bundle("prod.pem"));
    trust.rotate("other.pem", &[&theirs]);
    trust.spiffe.reconfigure(vec![config, other]).unwrap();
    trust
        .refuses(
            &signed(svid(), &theirs),
            "`prod`: its trust domain does not vouch",
        )
        .await;
    let mut of_other = svid();
    of_other.subject_alt_names = vec![uri("spiffe://other.example.com/a")];
    assert_eq!(
        trust
            .accepts(&signed(of_other.clone(), &theirs))
            .await
            .chain
            .acting
            .issuer,
        "other"
    );
    trust
        .refuses(&signed(of_other, &ours), "does not vouch")
        .await;
    // What signed itself is nobody's.
    let key = KeyPair::generate().unwrap();
    let own = svid().self_signed(&key).unwrap();
    trust.refuses(own.der(), "does not vouch").await;
    // Nor does an authority speak for itself.
    trust.refuses(ours.der(), "exactly one URI").await;
}

#[tokio::test]
async fn an_authority_below_leads_to_the_bundles_own_and_ends_what_it_signed() {
    let root = ca("root");
    let trust = trusting(&root);
    let mut below = ca_params("below");
    below.not_after = date_time_ymd(2030, 6, 15);
    let old = CertifiedIssuer::signed_by(below, KeyPair::generate().unwrap(), &root).unwrap();
    let leaf = signed(svid(), &old);
    trust.refuses_chain(&[&leaf, old.der()], "expired").await;
    let below = ca_params("below");
    let below = CertifiedIssuer::signed_by(below, KeyPair::generate().unwrap(), &root).unwrap();
    let leaf = signed(svid(), &below);
    assert!(trust.at(&[&leaf, below.der()], now()).await.is_ok());
    trust.refuses(&leaf, "does not vouch").await;
    // A leaf is no authority.
    let key = KeyPair::generate().unwrap();
    let middle = svid().signed_by(&key, &root).unwrap();
    let params = svid();
    let issuer = rcgen::Issuer::from_params(&params, key);
    let issued = svid()
        .signed_by(&KeyPair::generate().unwrap(), &issuer)
        .unwrap();
    trust
        .refuses_chain(&[issued.der(), middle.der()], "does not vouch")
        .await;
}

#[tokio::test]
async fn authorities_are_those_that_the_file_has_now() {
    let (old, new) = (ca("old"), ca("new"));
    let trust = trusting(&old);
    let (by_old, by_new) = (signed(svid(), &old), signed(svid(), &new));
    assert!(trust.at(&[&by_old], now()).await.is_ok());
    let later = |seconds| now().plus(Duration::from_secs(seconds));
    trust.rotate("prod.pem", &[&old, &new]);
    for leaf in [&by_old, &by_new] {
        assert!(trust.at(&[leaf], later(2)).await.is_ok());
    }
    trust.rotate("prod.pem", &[&new]);
    assert!(trust.at(&[&by_old], later(4)).await.is_err());
    assert!(trust.at(&[&by_new], later(4)).await.is_ok());
    // Half-written, or gone: what was read last counts for five minutes.
    for (base, broken) in [(0, Some("-----BEGIN CERTIFICATE-----\nAAAA")), (1000, None)] {
        assert!(trust.at(&[&by_new], later(base + 4)).await.is_ok());
        match broken {
            Some(text) => std::fs::write(trust.bundle("prod.pem"), text).unwrap(),
            None => std::fs::remove_file(trust.bundle("prod.pem")).unwrap(),
        }
        assert!(trust.at(&[&by_new], later(base + 6)).await.is_ok());
        assert!(trust.at(&[&by_old], later(base + 6)).await.is_err());
        let said = trust.at(&[&by_new], later(base + 400)).await;
        assert!(matches!(said, Err(AuthError::Unavailable(_))), "{said:?}");
        trust.rotate("prod.pem", &[&new]);
        assert!(trust.at(&[&by_new], later(base + 402)).await.is_ok());
    }
}

#[tokio::test]
async fn an_authority_that_has_ended_vouches_for_nobody() {
    let mut params = ca_params("old");
    params.not_after = date_time_ymd(2030, 6, 15);
    let ended = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let trust = trusting(&ended);
    let leaf = signed(svid(), &ended);
    let said = trust.at(&[&leaf], now()).await;
    assert!(matches!(said, Err(AuthError::Unavailable(_))), "{said:?}");
    // It ends while the gateway runs, too.
    let mut params = ca_params("ending");
    params.not_after = date_time_ymd(2030, 6, 16);
    let ending = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut long = svid();
    long.not_before = date_time_ymd(2030, 6, 16);
    long.not_after = date_time_ymd(2030, 6, 17);
    let trust = trusting(&ending);
    trust.accepts(&signed(svid(), &ending)).await;
    let said = trust
        .at(
            &[&signed(long, &ending)],
            at(2030, 6, 16).plus(Duration::from_secs(1)),
        )
        .await;
    assert!(said.is_err(), "{said:?}");
}

#[test]
fn settings_that_cannot_be_are_told_together() {
    let good = SpiffeConfig::new("prod", "prod.example.com", "x.pem");
    assert_eq!(problems_of(std::slice::from_ref(&good)), Vec::new());
    let mut bad = SpiffeConfig::new("Prod/x", "spiffe://prod", "x.pem");
    bad.svid_lifetime_max = Duration::ZERO;
    bad.group_rules = vec![GroupRule {
        group: "all".to_owned(),
        when: Vec::new(),
    }];
    assert_eq!(problems_of(&[bad]).len(), 4);
    assert_eq!(problems_of(&[good.clone(), good]).len(), 1);
}

/// What cannot be read is refused, and nothing that is cut off or changed is taken for something else.
#[test]
fn fuzz_svid() {
    let authority = ca("prod");
    let leaf = signed(svid(), &authority);
    brattice_fuzz::Fuzz::new("svid", env!("CARGO_MANIFEST_DIR"))
        .seed(&leaf)
        .seed(authority.der())
        .run(|input, _| match Leaf::read(input) {
            Err(why) => Ok(why as u64),
            Ok(found) => {
                if id::trust_domain_of(&found.id) == Some(found.trust_domain.as_str()) {
                    Ok(100)
                } else {
                    Err("an id of another trust domain".to_owned())
                }
            }
        });
}

/// Of ECDSA signatures there are two spellings, and whoever holds a certificate can make the other.
#[test]
fn a_certificate_is_named_by_what_was_signed() {
    let ca = ca("authority");
    let key = KeyPair::generate().unwrap();
    let one = svid().signed_by(&key, &ca).unwrap();
    let mut other = one.der().to_vec();
    *other.last_mut().unwrap() ^= 1;
    let name = |der: &[u8]| Leaf::read(der).unwrap().signed;
    assert_eq!(name(one.der()), name(&other));
    assert_ne!(Digest::of(one.der()), Digest::of(&other));
    let mut next = svid();
    next.serial_number = Some(vec![7].into());
    let next = next.signed_by(&key, &ca).unwrap();
    assert_ne!(name(one.der()), name(next.der()));
}
