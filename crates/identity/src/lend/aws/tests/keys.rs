//! What the gateway signs with, from each of its four places; moto checks the signature and who may read.

use super::*;

/// Somebody whom moto knows; it checks from now on.
fn user(world: &World, name: &str, reads: bool) -> Value {
    let user = world
        .aws
        .tell(json!({"do": "user", "name": name, "reads": reads}));
    world.aws.tell(json!({"do": "check", "on": true}));
    user
}

fn give(world: &World, keys: &Value) {
    world
        .environment
        .set("KEY_ID", keys["id"].as_str().unwrap());
    world
        .environment
        .set("KEY", keys["secret"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_key_signs_what_moto_checks() {
    let world = World::start();
    world.aws.put("orders", &credentials("orders", "s3cret"));
    let nobody = user(&world, "nobody", false);
    world.aws.tell(json!({"do": "check", "on": false}));
    let reader = user(&world, "reader", true);
    let said = world.error("orders-password").await;
    assert!(said.contains("it does not know the access key"), "{said}");
    give(&world, &nobody);
    let said = world.error("orders-password").await;
    assert!(
        said.contains("allow secretsmanager:GetSecretValue"),
        "{said}"
    );
    // Rotated where they are read: nobody tells the gateway.
    give(&world, &reader);
    assert_eq!(world.password("orders-password").await, "s3cret");
    world
        .environment
        .set("KEY", "s0me/other/secret/access/key/of/40/signs");
    world.with(|_| {});
    let said = world.error("orders-password").await;
    assert!(
        said.contains("does not belong to the access key id"),
        "{said}"
    );
    assert!(!said.contains("s0me"), "{said}");
    let none = world.environment.0.lock().unwrap().remove("KEY");
    assert!(none.is_some());
    let said = world.error("orders-password").await;
    assert!(said.contains("env:KEY is not set"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_identity_takes_a_role_and_takes_it_anew_before_it_ends() {
    let world = World::start();
    world.aws.put("orders", &credentials("orders", "s3cret"));
    let role = world.aws.tell(json!({"do": "role", "name": "brattice"}))["arn"].clone();
    world.environment.set("TOKEN", "not.a.token");
    world.with(|aws| {
        aws.secret_age_max = Duration::ZERO;
        aws.keys = AwsKeys::WebIdentity {
            role: role.as_str().unwrap().to_owned(),
            token: "env:TOKEN".parse().unwrap(),
        };
    });
    // AWS's own refusals, which moto does not make.
    let refused = |code: &str| {
        let body = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    <Type>Sender</Type>\n    \
             <Code>{code}</Code>\n    <Message>c4n4ry</Message>\n  </Error>\n  <RequestId>1</RequestId>\n</ErrorResponse>\n"
        );
        world.aws.tell(json!({"do": "fault", "status": 400, "body": body, "headers": {"content-type": "text/xml"}}));
    };
    for (code, what) in [
        ("AccessDenied", "the role's trust policy must name"),
        (
            "InvalidIdentityToken",
            "its issuer is no identity provider of the account",
        ),
        ("ExpiredTokenException", "it has expired"),
        (
            "ValidationError",
            "STS, asked for the role: it answered 400 (ValidationError)",
        ),
    ] {
        refused(code);
        let said = world.error("orders-password").await;
        assert!(
            said.contains("STS, asked for the role") && said.contains(what),
            "{said}"
        );
        assert!(
            !said.contains("c4n4ry") && !said.contains("not.a.token"),
            "{said}"
        );
    }
    world.aws.asked();
    for _ in 0..2 {
        assert_eq!(world.password("orders-password").await, "s3cret");
    }
    assert_eq!(
        world.aws.asked(),
        ["form", "GetSecretValue", "GetSecretValue"]
    );
    // From now on moto asks for the signature, which has a session token, and for the role's policy.
    world.aws.tell(json!({"do": "check", "on": true}));
    assert_eq!(world.password("orders-password").await, "s3cret");
    world.aws.tell(json!({"do": "check", "on": false}));
    world.aws.asked();
    // A quarter of an hour before their end they are used, and four minutes before it replaced.
    world.clock.by(2700);
    world.password("orders-password").await;
    assert_eq!(world.aws.asked(), ["GetSecretValue"]);
    world.clock.by(3360);
    world.password("orders-password").await;
    assert_eq!(world.aws.asked(), ["form", "GetSecretValue"]);
    // Keys that AWS no longer takes are replaced once, whatever they say of themselves.
    world.clock.by(0);
    world.with(|aws| {
        aws.secret_age_max = Duration::ZERO;
        aws.keys = AwsKeys::WebIdentity {
            role: role.as_str().unwrap().to_owned(),
            token: "env:TOKEN".parse().unwrap(),
        };
    });
    world.password("orders-password").await;
    world.aws.asked();
    let body = json!({"__type": "ExpiredTokenException"}).to_string();
    world
        .aws
        .tell(json!({"do": "fault", "status": 400, "body": body}));
    assert_eq!(world.password("orders-password").await, "s3cret");
    assert_eq!(
        world.aws.asked(),
        ["GetSecretValue", "form", "GetSecretValue"]
    );
}

fn platform(world: &World, seconds: i64) -> Value {
    let now = world
        .clock
        .now()
        .plus(Duration::from_secs(seconds.unsigned_abs()));
    let given = json!({
        "Code": "Success", "AccessKeyId": "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey": "plat/form+key",
        "Token": "session/token==", "Expiration": now.to_string(), "role": "brattice", "authorization": "p0d-token",
    });
    world.aws.tell(json!({"do": "platform", "given": given}));
    given
}

/// What was lent for RDS says which keys signed it.
async fn signed_by_platform(world: &World) {
    let login = world.password("rds").await;
    assert!(
        login.contains("X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F"),
        "{login}"
    );
    assert!(
        login.contains("&X-Amz-Security-Token=session%2Ftoken%3D%3D&"),
        "{login}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_gives_its_role_by_version_2_alone() {
    let world = World::start();
    let at = Some(world.aws.address().to_owned());
    world.with(|aws| aws.keys = AwsKeys::Instance { at });
    let said = world.error("rds").await;
    assert!(
        said.contains("the instance's metadata service: it has no role to give"),
        "{said}"
    );
    platform(&world, 3600);
    // What stands in for it is one to AWS's own library.
    let theirs = world.aws.tell(json!({"do": "platform_as_botocore_has_it"}));
    assert_eq!(theirs["instance"]["secret_key"], "plat/form+key");
    assert_eq!(theirs["container"]["SecretAccessKey"], "plat/form+key");
    world.aws.asked();
    signed_by_platform(&world).await;
    signed_by_platform(&world).await;
    let place = "/latest/meta-data/iam/security-credentials/";
    let asked = [
        "PUT /latest/api/token".to_owned(),
        format!("GET {place}"),
        format!("GET {place}brattice"),
    ];
    assert_eq!(world.aws.asked(), asked, "once, and in a session");
    // Near the end of what it gives it is asked for new keys, not at each login, and used while there are none.
    world.clock.by(3500);
    for _ in 0..3 {
        signed_by_platform(&world).await;
    }
    assert_eq!(world.aws.asked().len(), 3);
    world.clock.by(3590);
    let said = world.error("rds").await;
    assert!(
        said.contains("gave keys that have expired already"),
        "{said}"
    );
    world.aws.end();
    let said = world.error("rds").await;
    assert!(
        said.contains("it did not answer") && said.contains("hop limit"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_replaced_yet_are_used_until_their_end() {
    let world = World::start();
    let at = Some(world.aws.address().to_owned());
    world.with(|aws| aws.keys = AwsKeys::Instance { at });
    platform(&world, 3600);
    signed_by_platform(&world).await;
    world.aws.end();
    world.clock.by(3500);
    signed_by_platform(&world).await;
    world.clock.by(3580);
    let said = world.error("rds").await;
    assert!(said.contains("it did not answer"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_gives_its_role_where_the_environment_says() {
    let world = World::start();
    world.with(|aws| aws.keys = AwsKeys::Container);
    let said = world.error("rds").await;
    assert!(
        said.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI is set: give the task a role"),
        "{said}"
    );
    platform(&world, 3600);
    let set = |name: &str, value: &str| {
        world
            .environment
            .set(&format!("AWS_CONTAINER_{name}"), value)
    };
    // An environment that somebody else wrote does not lead anywhere.
    for elsewhere in [
        "http://example.com/container",
        "http://169.254.169.254/",
        "ftp://127.0.0.1/",
        "nonsense",
    ] {
        set("CREDENTIALS_FULL_URI", elsewhere);
        let said = world.error("rds").await;
        assert!(said.contains("leads neither to this machine nor"), "{said}");
    }
    set(
        "CREDENTIALS_FULL_URI",
        &format!("{}/container", world.aws.address()),
    );
    let said = world.error("rds").await;
    assert!(
        said.contains("the container's credentials: it refuses"),
        "{said}"
    );
    // As EKS Pod Identity does it: a token in a file, read anew each time.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    set("AUTHORIZATION_TOKEN_FILE", &file.display().to_string());
    let said = world.error("rds").await;
    assert!(said.contains("No such file"), "{said}");
    std::fs::write(&file, "p0d-token\n").unwrap();
    signed_by_platform(&world).await;
    // As ECS does it without one: the path alone, below its own address, which this machine does not have.
    set("CREDENTIALS_RELATIVE_URI", "@127.0.0.1/");
    world.with(|aws| {
        aws.keys = AwsKeys::Container;
        aws.secret_age_max = Duration::ZERO;
    });
    let said = world.error("rds").await;
    assert!(!said.contains("p0d-token"), "{said}");
}
