//! The public test vectors of AWS, and what botocore signs of the same.

use super::super::region;
use super::super::sign::{Keys, Request, Scope, database_login, headers};
use super::*;

/// Method, path, headers, body, signature.
type Vector = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

/// From the signing test suite that AWS publishes.
const VECTORS: &[Vector] = &[
    (
        "GET",
        "/",
        &[],
        "",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        "POST",
        "/",
        &[],
        "",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    (
        "GET",
        "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        &[],
        "",
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    (
        "GET",
        "/",
        &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")],
        "",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    (
        "POST",
        "/",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        "Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
];
const SESSION: &str = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
const WITH_SESSION: &str = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8";

fn keys(id: &str, secret: &str, token: Option<&str>) -> Keys {
    let token = token.map(Secret::new);
    Keys::new(&Secret::new(id), &Secret::new(secret), token.as_ref(), None).unwrap()
}

fn example(token: Option<&str>) -> Keys {
    keys(
        "AKIDEXAMPLE",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        token,
    )
}

#[test]
fn the_public_vectors_come_out() {
    let scope = Scope {
        region: "us-east-1",
        service: "service",
        // 2015-08-30T12:36:00Z
        at: Timestamp::from_seconds(1_440_938_160),
    };
    let authorization = |keys: &Keys, method, path: &str, with: &[(&str, &str)], body: &str| {
        let request = Request {
            method,
            url: &format!("https://example.amazonaws.com{path}"),
            headers: with,
            body: body.as_bytes(),
        };
        let signed = headers(keys, scope, &request).unwrap();
        let of = |name: &str| {
            let found = signed.iter().find(|(n, _)| *n == name);
            found.map(|(_, v)| v.expose_str().unwrap().to_owned())
        };
        assert_eq!(of("x-amz-date").as_deref(), Some("20150830T123600Z"));
        (of("authorization").unwrap(), of("x-amz-security-token"))
    };
    for (method, path, with, body, signature) in VECTORS {
        let (said, token) = authorization(&example(None), method, path, with, body);
        assert!(
            said.ends_with(&format!("Signature={signature}")),
            "{method} {path}: {said}"
        );
        assert_eq!(token, None);
    }
    let (said, token) = authorization(&example(Some(SESSION)), "GET", "/", &[], "");
    assert!(
        said.ends_with(&format!("Signature={WITH_SESSION}")),
        "{said}"
    );
    assert_eq!(token.as_deref(), Some(SESSION));
}

/// A few of each kind of everything, the same at each run.
fn cases() -> Vec<Value> {
    let users = [
        "app",
        "app_agent",
        "Jane Doe",
        "o'brien+x@corp.example",
        "a&b=c%2F",
        "用户~-._*",
    ];
    let hosts = [
        "orders.abc123.eu-central-1.rds.amazonaws.com",
        "127.0.0.1",
        "localhost",
    ];
    let regions = ["eu-central-1", "us-gov-west-1", "cn-north-1"];
    let tokens = [None, Some("FwoGZXIvYXdzE/+=="), Some(SESSION)];
    let mut cases = Vec::new();
    for (i, user) in users.iter().enumerate() {
        for (j, host) in hosts.iter().enumerate() {
            for (k, token) in tokens.iter().enumerate() {
                let port = [5432, 443, 6432].get((i + k) % 3);
                let region = regions.get((i + j + k) % 3);
                let n = i64::try_from(i * 9 + j * 3 + k).unwrap();
                cases.push(json!({
                    "user": user, "host": host, "port": port,
                    "region": region, "token": token,
                    "id": format!("AKIA{n:016}"), "secret": format!("s/ecret+{n}=="),
                    // All over the day, a leap day among them.
                    "at": 1_709_164_800 + n * 7919,
                }));
            }
        }
    }
    cases
}

#[test]
fn a_login_for_rds_is_byte_for_byte_that_of_awss_own_library() {
    let aws = Aws::start();
    let cases = cases();
    let theirs = aws.tell(json!({"do": "rds_logins", "of": cases}));
    for (case, theirs) in cases.iter().zip(theirs["logins"].as_array().unwrap()) {
        let text = |name: &str| case[name].as_str().unwrap();
        let keys = keys(text("id"), text("secret"), case["token"].as_str());
        let port = u16::try_from(case["port"].as_u64().unwrap()).unwrap();
        let at = Timestamp::from_seconds(case["at"].as_i64().unwrap());
        let to = (text("host"), port);
        let ours = database_login(&keys, text("region"), at, to, text("user")).unwrap();
        assert_eq!(ours.expose_str(), theirs.as_str(), "{case}");
    }
    assert_eq!(cases.len(), 54);

    // And so is a request's signature.
    let url = "https://secretsmanager.eu-central-1.amazonaws.com/";
    let body = json!({"SecretId": "prod/ä", "VersionStage": "AWSCURRENT"}).to_string();
    let with = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "secretsmanager.GetSecretValue"),
    ];
    for token in [None, Some(SESSION)] {
        let theirs = aws.tell(json!({
            "do": "headers", "id": "AKIDEXAMPLE", "secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "token": token, "region": REGION, "at": 1_769_860_800, "url": url, "body": body,
            "headers": BTreeMap::from(with),
        }));
        let scope = Scope {
            region: REGION,
            service: "secretsmanager",
            at: Timestamp::from_seconds(1_769_860_800),
        };
        let request = Request {
            method: "POST",
            url,
            headers: &with,
            body: body.as_bytes(),
        };
        let signed = headers(&example(token), scope, &request).unwrap();
        assert_eq!(signed.len(), if token.is_some() { 3 } else { 2 });
        for (name, ours) in signed {
            let theirs = theirs["headers"].as_object().unwrap();
            let found = theirs.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            assert_eq!(found.unwrap().1.as_str(), ours.expose_str(), "{name}");
        }
    }

    // Where AWS answers is told by the same library, for each of its partitions.
    let addresses = aws.tell(json!({"do": "addresses"}));
    let addresses = addresses.as_object().unwrap();
    assert!(addresses.len() > 8, "{addresses:?}");
    for (name, services) in addresses {
        assert!(region::is_region(name), "{name}");
        for service in ["secretsmanager", "sts"] {
            let ours = region::address(service, name);
            assert_eq!(services[service].as_str(), Some(ours.as_str()), "{name}");
        }
    }
    for odd in [
        "",
        "eu",
        "eu-central",
        "eu-central-1a",
        "eu central-1",
        "EU-central-1",
        "x.y-z-1",
        "-a-1",
    ] {
        assert!(!region::is_region(odd), "{odd}");
    }
}

#[test]
fn what_is_no_key_signs_nothing_and_is_not_repeated() {
    let good = Secret::new("AKIDEXAMPLE");
    for bad in ["", "canary\n", "canary x", "canary\u{e4}"] {
        let bad = Secret::new(bad);
        for made in [
            Keys::new(&bad, &good, None, None),
            Keys::new(&good, &bad, None, None),
            Keys::new(&good, &good, Some(&bad), None),
        ] {
            let said = made.err().unwrap().to_string();
            assert!(!said.contains("canary"), "{said}");
        }
    }
}
