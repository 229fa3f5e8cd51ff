//! Whatever goes wrong: nobody is let in, the operators hear what to do, and nobody hears a secret.

use super::*;
use std::time::Instant;

/// Said of nothing.
const CANARY: &str = "c4n4ry";

/// Answers as AWS does, once.
fn fault(world: &World, status: u16, kind: &str, more: Value) {
    let body = json!({"__type": kind, "message": format!("{CANARY} said AWS")}).to_string();
    let mut order = json!({"do": "fault", "status": status, "body": body});
    order
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().cloned().unwrap_or_default());
    world.aws.tell(order);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_secret_is_told_without_it() {
    let world = World::start();
    for (name, text) in [
        ("orders", credentials("", CANARY)),
        ("plain", CANARY.to_owned()),
        ("lines", format!("{CANARY}\nand more")),
        ("odd", format!("[\"{CANARY}\"]")),
        ("deleted", CANARY.to_owned()),
    ] {
        world.aws.put(name, &text);
    }
    world.aws.tell(json!({"do": "delete", "name": "deleted"}));
    world
        .aws
        .tell(json!({"do": "secret", "name": "binary", "SecretBinary": CANARY}));
    for (target, what) in [
        (
            "pending-whole",
            "there is no such secret with a value of the stage AWSCURRENT",
        ),
        ("deleted-whole", "marked for deletion"),
        ("binary-whole", "the secret is binary: store it as a text"),
        ("binary-password", "the secret is binary"),
        ("plain-password", "the secret is no JSON object"),
        ("odd-password", "the secret is no JSON object"),
        (
            "orders-whole",
            "say which of its keys has the password, as in `#password`",
        ),
        ("orders-other", "the key `other` of the secret has no text"),
        (
            "orders-both",
            "the key `username` of the secret has no text",
        ),
        ("lines-whole", "holds more than one line"),
    ] {
        let said = world.error(target).await;
        assert!(said.contains(what), "{target}: {said}");
        assert!(
            said.starts_with(&format!("no credential for {target}: aws:main/")),
            "{said}"
        );
        assert!(!said.contains(CANARY), "{said}");
    }
    world.aws.put("orders", "{\"user\": \"x\"}");
    world.with(|_| {});
    let said = world.error("orders-password").await;
    assert!(said.contains("the secret has no key `password`"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_refuses_is_told_with_what_to_do_and_a_wrong_clock_is_called_that() {
    let world = World::start();
    world.aws.put("orders", &credentials("orders", CANARY));
    let plain = json!({});
    // As botocore's model and AWS's list of common errors name them.
    for (status, kind, more, what) in [
        (
            400,
            "AccessDeniedException",
            &plain,
            "allow secretsmanager:GetSecretValue on the secret",
        ),
        (
            400,
            "com.amazonaws.secretsmanager#DecryptionFailure",
            &plain,
            "allow kms:Decrypt",
        ),
        (
            400,
            "UnrecognizedClientException",
            &plain,
            "it does not know the access key",
        ),
        (
            400,
            "ExpiredTokenException",
            &plain,
            "the session token has expired",
        ),
        (
            400,
            "InvalidSignatureException",
            &plain,
            "the secret access key does not belong to the access key id",
        ),
        (
            500,
            "InternalServiceError",
            &json!({"times": 2}),
            "it answered 500 (InternalServiceError)",
        ),
        (
            503,
            "<html>",
            &json!({"times": 2}),
            "it answered 503 (html)",
        ),
        (
            400,
            "ThrottlingException",
            &json!({"times": 2}),
            "keep secrets longer (secret_age_max)",
        ),
        (
            302,
            "",
            &json!({"headers": {"location": "http://127.0.0.1:9/"}}),
            "it answered 302",
        ),
    ] {
        fault(&world, status, kind, more.clone());
        let said = world.error("orders-password").await;
        assert!(
            said.contains(what) && !said.contains(CANARY),
            "{kind}: {said}"
        );
    }
    // A wrong clock is called that.
    for (off, what) in [
        (-1200, "seconds behind that of AWS"),
        (4000, "seconds ahead of that of AWS"),
    ] {
        for kind in [
            "InvalidSignatureException",
            "RequestExpired",
            "ExpiredTokenException",
        ] {
            world.clock.by(off);
            fault(&world, 400, kind, json!({}));
            let said = world.error("orders-password").await;
            assert!(
                said.contains(what) && said.contains("set the clock"),
                "{kind}: {said}"
            );
        }
    }
    // A clock that is a little off is not what is wrong.
    world.clock.by(-100);
    fault(&world, 400, "InvalidSignatureException", json!({}));
    let said = world.error("orders-password").await;
    assert!(said.contains("does not belong to"), "{said}");
    world.clock.by(0);
    // Busy for a moment only: nobody notices.
    world.aws.asked();
    fault(&world, 400, "ThrottlingException", json!({}));
    assert_eq!(world.password("orders-password").await, CANARY);
    assert_eq!(world.aws.asked(), ["GetSecretValue"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_that_is_away_slow_or_talks_nonsense_lets_nobody_in() {
    let world = World::start();
    world.aws.put("orders", &credentials("orders", CANARY));
    for (body, what) in [
        ("{}".to_owned(), "it holds no secret"),
        ("nonsense".to_owned(), "it holds no secret"),
        (
            format!("{{\"SecretString\": \"{}\"}}", "x".repeat(300_000)),
            "its answer is too large",
        ),
    ] {
        world
            .aws
            .tell(json!({"do": "fault", "status": 200, "body": body}));
        let said = world.error("orders-password").await;
        assert!(said.contains(what), "{said}");
    }
    world
        .aws
        .tell(json!({"do": "fault", "status": 200, "body": "", "hang": 7}));
    let begun = Instant::now();
    // They wait together, not one after the other.
    let (first, second) = tokio::join!(world.error("orders-password"), world.error("orders-both"));
    assert!(
        first.contains("it took too long") && second.contains("it took too long"),
        "{first} {second}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(7),
        "{:?}",
        begun.elapsed()
    );
    // What was kept is not used beyond its time because there is nothing newer.
    world.with(|aws| aws.secret_age_max = Duration::from_millis(100));
    world.password("orders-password").await;
    world.aws.end();
    tokio::time::sleep(Duration::from_millis(150)).await;
    let said = world.error("orders-password").await;
    assert!(said.contains("it did not answer"), "{said}");
    // A login for RDS needs nobody.
    assert!(world.password("rds").await.contains("&X-Amz-Signature="));
}
