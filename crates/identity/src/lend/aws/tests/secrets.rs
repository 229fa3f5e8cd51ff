//! Secrets that moto keeps, and how long the gateway does.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_gives_a_password_or_a_user_as_well() {
    let world = World::start();
    world.aws.put("plain", "only-this\n");
    world.aws.put("orders", &credentials("orders_a", "first"));
    assert_eq!(world.password("plain-whole").await, "only-this");
    assert_eq!(world.password("orders-password").await, "first");
    let lease = world.lend("orders-both").await.unwrap();
    assert_eq!(
        (lease.user.as_str(), lease.password.expose()),
        ("orders_a", &b"first"[..])
    );
    // What was approved means the same when rotation has taken the other of two users.
    assert_eq!(lease.rights, "aws:main/orders#username,password");
    // The same by its ARN, and a value that rotation is only trying out is not looked at.
    let arn = world.aws.put("pending", &credentials("p", "in-force"))["arn"].clone();
    world.aws.tell(
        json!({"do": "stage", "name": "pending", "SecretString": credentials("p", "tried-out")}),
    );
    assert_eq!(world.password("pending-password").await, "in-force");
    let by_arn = format!("aws:main/{}#password", arn.as_str().unwrap());
    let credential = TargetCredential {
        user: "app".to_owned(),
        proof: UpstreamProof::Password(by_arn.parse().unwrap()),
        template: None,
    };
    let config = AwsConfig {
        name: "main".to_owned(),
        region: REGION.to_owned(),
        keys: AwsKeys::Given {
            id: "env:KEY_ID".parse().unwrap(),
            secret: "env:KEY".parse().unwrap(),
            token: None,
        },
        secretsmanager: Some(world.aws.address().to_owned()),
        sts: None,
        ca: None,
        secret_age_max: Duration::ZERO,
    };
    let targets = BTreeMap::from([("by-arn".to_owned(), credential)]);
    world.lender.replace(targets, Vec::new(), vec![config]);
    assert_eq!(world.password("by-arn").await, "in-force");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_kept_for_a_while_and_read_anew_when_it_is_refused() {
    let world = Arc::new(World::start());
    world.aws.put("orders", &credentials("orders", "first"));
    world.aws.asked();
    // Many who ask at once are one request.
    let at_once = |world: Arc<World>| async move { world.password("orders-password").await };
    let all: Vec<_> = (0..40)
        .map(|_| tokio::spawn(at_once(world.clone())))
        .collect();
    for one in all {
        assert_eq!(one.await.unwrap(), "first");
    }
    for _ in 0..3 {
        assert_eq!(world.password("orders-password").await, "first");
        assert_eq!(world.password("orders-both").await, "first");
    }
    assert_eq!(world.aws.asked(), ["GetSecretValue"], "it is read once");

    // Rotated: the target takes the old one no longer, and says so.
    world.aws.put("orders", &credentials("orders", "second"));
    let old = world.lend("orders-password").await.unwrap();
    let also = world.lend("orders-both").await.unwrap();
    assert_eq!(old.password.expose(), b"first");
    assert!(old.held.unwrap().refused(), "another try may do better");
    let new = world.lend("orders-password").await.unwrap();
    assert_eq!(new.password.expose(), b"second");
    // Who was refused with the old one meanwhile does not have the new one forgotten, and may try again as well.
    assert!(also.held.unwrap().refused());
    assert_eq!(world.password("orders-both").await, "second");
    assert_eq!(world.aws.asked(), ["GetSecretValue"]);
    // One that was read for this very login is not read again for it.
    assert!(!new.held.unwrap().refused(), "nobody tries for ever");
    assert_eq!(world.password("orders-both").await, "second");
    assert_eq!(world.aws.asked(), ["GetSecretValue"]);

    // A new bundle reads anew, and so does each lend where nothing is to be kept.
    world.with(|aws| aws.secret_age_max = Duration::ZERO);
    for _ in 0..2 {
        let lease = world.lend("orders-password").await.unwrap();
        assert!(!lease.held.unwrap().refused());
    }
    assert_eq!(world.aws.asked(), ["GetSecretValue"; 2]);
    world.with(|aws| aws.secret_age_max = Duration::from_millis(150));
    world.password("orders-password").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.password("orders-password").await;
    assert_eq!(world.aws.asked(), ["GetSecretValue"; 2]);
}
