//! From claims to principals: subjects, groups, kinds, delegation (ID9, ID15).

use crate::support::{World, world, world_with};
use brattice_core::principal::PrincipalKind;
use brattice_identity::oidc::{ClaimIs, ClaimLike, ClaimPath, GroupRule, IssuerConfig, KindRule};
use brattice_testkit::idp::TokenMaker;
use serde_json::{Value, json};

fn is(claim: &str, value: &str) -> ClaimIs {
    ClaimIs {
        claim: ClaimPath::parse(claim).unwrap(),
        equals: value.into(),
    }
}

async fn chain(w: &World, token: &TokenMaker) -> String {
    w.accepts(token).await.chain.to_string()
}

fn people_and_agents(c: &mut IssuerConfig) {
    c.claims.kind = KindRule {
        agent_when: vec![is("kind", "agent")],
        user_when: vec![is("kind", "user")],
        otherwise: None,
    };
}

#[tokio::test]
async fn groups_carry_their_issuer() {
    let w = world().await;
    let identity = w
        .accepts(
            &w.token()
                .claim("groups", json!(["dba", "sre", "other/dba", "dba"])),
        )
        .await;
    let groups: Vec<_> = identity.chain.acting.groups.into_iter().collect();
    assert_eq!(groups, ["okta/dba", "okta/other/dba", "okta/sre"]);
}

#[tokio::test]
async fn absent_groups_are_not_empty_groups() {
    let w = world().await;
    assert!(w.accepts(&w.token()).await.chain.acting.groups.is_empty());
    w.rejects(&w.token().without("groups"), "`groups` is missing")
        .await;
    for value in [
        json!(null),
        json!("dba"),
        json!({"dba": true}),
        json!(["dba", 7]),
        json!(["dba", null]),
        json!([["dba"]]),
        json!(["d\u{200b}ba"]),
        json!([""]),
        json!(["dba\n"]),
    ] {
        w.rejects(&w.token().claim("groups", value), "`groups` ")
            .await;
    }
    let many: Vec<String> = (0..1001).map(|n| format!("g{n}")).collect();
    w.rejects(&w.token().claim("groups", json!(many)), "too many groups")
        .await;
}

#[tokio::test]
async fn groups_kept_elsewhere_are_refused() {
    let w = world().await;
    let sources = json!({"src1": {"endpoint": "https://evil.example/groups"}});
    for token in [
        w.token()
            .without("groups")
            .claim("_claim_names", json!({"groups": "src1"})),
        w.token().claim("_claim_names", json!({"groups": "src1"})),
        w.token().claim("_claim_names", json!("groups")),
        w.token().claim("hasgroups", true),
    ] {
        let token = token.claim("_claim_sources", sources.clone());
        w.rejects(&token, "found them too many").await;
    }
    w.accepts(&w.token().claim("_claim_names", json!({"address": "src1"})))
        .await;
}

#[tokio::test]
async fn a_provider_may_be_declared_to_know_no_groups() {
    let w = world_with(|c| c.claims.groups = None).await;
    let token = w.token().without("groups");
    assert!(w.accepts(&token).await.chain.acting.groups.is_empty());
    let ignored = w.token().claim("groups", json!(["dba"]));
    assert!(w.accepts(&ignored).await.chain.acting.groups.is_empty());
}

#[tokio::test]
async fn groups_may_stand_below_a_path() {
    let w = world_with(|c| c.claims.groups = ClaimPath::parse("/realm_access/roles")).await;
    let token = w.token().claim("realm_access", json!({"roles": ["dba"]}));
    assert!(
        w.accepts(&token)
            .await
            .chain
            .acting
            .groups
            .contains("okta/dba")
    );
    w.rejects(&w.token(), "`/realm_access/roles` is missing")
        .await;
}

#[tokio::test]
async fn a_subject_is_a_plain_name() {
    let w = world().await;
    for sub in [
        json!(null),
        json!(7),
        json!(""),
        json!(["etl-7"]),
        json!("admin\u{200b}"),
        json!("admin<\u{0}>"),
        json!(" admin"),
        json!("nimda\u{202e}"),
        json!("a\nlevel=info msg=\"approved\""),
        json!("x".repeat(257)),
    ] {
        w.rejects(&w.token().claim("sub", sub), "`sub` is not a plain name")
            .await;
    }
    w.rejects(&w.token().without("sub"), "`sub` names nobody")
        .await;
}

#[tokio::test]
async fn neighbouring_subjects_are_different_principals() {
    let w = world().await;
    let a = w.accepts(&w.token().claim("sub", "spiffe://prod/a")).await;
    let ab = w.accepts(&w.token().claim("sub", "spiffe://prod/ab")).await;
    let upper = w.accepts(&w.token().claim("sub", "spiffe://prod/A")).await;
    assert!(!a.chain.acting.is_same(&ab.chain.acting));
    assert!(!a.chain.acting.is_same(&upper.chain.acting));
}

#[tokio::test]
async fn a_changed_claim_counts_at_once() {
    let w = world().await;
    let before = w.accepts(&w.token().claim("groups", json!(["dba"]))).await;
    let after = w.accepts(&w.token().claim("jti", "token-2")).await;
    assert!(before.chain.acting.groups.contains("okta/dba"));
    assert!(after.chain.acting.groups.is_empty());
}

#[tokio::test]
async fn agents_and_people_are_told_apart_or_refused() {
    let w = world_with(people_and_agents).await;
    assert_eq!(
        chain(&w, &w.token().claim("kind", "agent")).await,
        "agent:okta/etl-7"
    );
    assert_eq!(
        chain(&w, &w.token().claim("kind", "user")).await,
        "user:okta/etl-7"
    );
    for kind in [
        json!("Agent"),
        json!("agent "),
        json!(["agent"]),
        json!(null),
        json!(true),
    ] {
        w.rejects(&w.token().claim("kind", kind), "agent's or a person's")
            .await;
    }
    w.rejects(&w.token(), "agent's or a person's").await;
}

#[tokio::test]
async fn contradicting_kinds_are_refused() {
    let w = world_with(|c| {
        c.claims.kind = KindRule {
            agent_when: vec![is("idtyp", "app")],
            user_when: vec![is("role", "person")],
            otherwise: Some(PrincipalKind::User),
        };
    })
    .await;
    assert_eq!(chain(&w, &w.token()).await, "user:okta/etl-7");
    assert_eq!(
        chain(&w, &w.token().claim("idtyp", "app")).await,
        "agent:okta/etl-7"
    );
    let both = w.token().claim("idtyp", "app").claim("role", "person");
    w.rejects(&both, "both").await;
}

#[tokio::test]
async fn the_outermost_actor_acts_for_those_inside_and_for_the_subject() {
    let w = world_with(people_and_agents).await;
    let token = w
        .token()
        .claim("sub", "ana")
        .claim("kind", "user")
        .claim("groups", json!(["support"]))
        .claim(
            "act",
            json!({"sub": "summary-9", "groups": ["summaries"], "act": {"sub": "planner-2"}}),
        );
    let identity = w.accepts(&token).await;
    assert_eq!(
        identity.chain.to_string(),
        "agent:okta/summary-9 for agent:okta/planner-2 for user:okta/ana"
    );
    let groups: Vec<Vec<&str>> = identity
        .chain
        .actors()
        .map(|a| a.groups.iter().map(String::as_str).collect())
        .collect();
    assert_eq!(
        groups,
        [vec!["okta/summaries"], vec![], vec!["okta/support"]]
    );
}

#[tokio::test]
async fn an_actor_has_none_of_the_subjects_groups() {
    let w = world().await;
    let token = w
        .token()
        .claim("groups", json!(["admins"]))
        .claim("act", json!({"sub": "etl-9"}));
    let identity = w.accepts(&token).await;
    assert!(identity.chain.acting.groups.is_empty());
}

#[tokio::test]
async fn a_malformed_delegation_is_refused_and_never_ignored() {
    let w = world().await;
    let foreign = json!({"sub": "etl-9", "iss": "https://evil.example"});
    for act in [
        Value::Null,
        json!("etl-9"),
        json!([]),
        json!([{"sub": "etl-9"}]),
        json!({}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": "ad\u{200b}min"}),
        json!({"sub": "etl-9", "groups": "dba"}),
        json!({"sub": "etl-9", "groups": null}),
        json!({"sub": "etl-9", "act": null}),
        json!({"sub": "etl-9", "act": {}}),
        foreign.clone(),
        json!({"sub": "etl-8", "act": foreign}),
        json!({"sub": "etl-9", "iss": null}),
    ] {
        let token = w.token().claim("act", act.clone());
        assert!(w.verify(&token).await.is_err(), "{act}");
    }
    let own = json!({"sub": "etl-9", "iss": w.idp.issuer()});
    assert_eq!(
        chain(&w, &w.token().claim("act", own)).await,
        "agent:okta/etl-9 for agent:okta/etl-7"
    );
}

#[tokio::test]
async fn delegation_has_a_bounded_depth() {
    let nested = |depth: usize| {
        (1..depth).fold(
            json!({"sub": "a0"}),
            |inner, n| json!({"sub": format!("a{n}"), "act": inner}),
        )
    };
    let w = world().await;
    w.accepts(&w.token().claim("act", nested(4))).await;
    w.rejects(&w.token().claim("act", nested(5)), "delegation_depth_max")
        .await;
    let none = world_with(|c| c.delegation_depth_max = 0).await;
    none.accepts(&none.token()).await;
    none.rejects(
        &none.token().claim("act", nested(1)),
        "delegation_depth_max",
    )
    .await;
}

#[tokio::test]
async fn a_second_factor_is_what_the_provider_says_it_is() {
    let w = world_with(|c| c.claims.mfa_when = vec!["mfa".into(), "hwk".into()]).await;
    for (amr, mfa) in [
        (json!(["pwd"]), false),
        (json!(["pwd", "mfa"]), true),
        (json!(["hwk"]), true),
        (json!([]), false),
        (json!(["MFA"]), false),
    ] {
        assert_eq!(w.accepts(&w.token().claim("amr", amr)).await.mfa, mfa);
    }
    w.rejects(&w.token().claim("amr", "mfa"), "`amr` is not a list")
        .await;
}

#[tokio::test]
async fn a_token_id_is_a_plain_text_and_a_token_without_one_is_named_by_its_digest() {
    let w = world().await;
    let unnamed = w.accepts(&w.token().without("jti")).await.token_id;
    assert_eq!(unnamed.map(|id| id.len()), Some(64));
    // Whoever holds a token can spell an ECDSA signature in two ways: it is the same token.
    let token = w.token().without("jti");
    let (one, other) = (token.sign().unwrap(), token.sign().unwrap());
    assert_ne!(one, other);
    let ids = [
        w.accepts(&token).await.token_id,
        w.accepts(&token).await.token_id,
    ];
    assert_eq!(ids[0], ids[1]);
    for jti in [json!(7), json!(""), json!("a\nb"), json!(null)] {
        w.rejects(&w.token().claim("jti", jti), "`jti` is not a plain text")
            .await;
    }
}

/// A platform that lists no groups: what it says of a workload otherwise puts it into them.
#[tokio::test]
async fn groups_are_told_by_other_claims_where_all_of_them_hold() {
    let like = |claim: &str, pattern: &str| ClaimLike {
        claim: ClaimPath::parse(claim).unwrap(),
        pattern: pattern.into(),
    };
    let w = world_with(|c| {
        c.claims.groups = None;
        c.claims.group_rules = vec![
            GroupRule {
                group: "deployers".into(),
                when: vec![like("repository", "acme/*"), like("ref", "refs/heads/main")],
            },
            GroupRule {
                group: "batch".into(),
                when: vec![like("/kubernetes.io/namespace", "batch")],
            },
        ];
    })
    .await;
    let main = |repository: Value| {
        let token = w.token().without("groups");
        let token = token.claim("repository", repository);
        token.claim("ref", "refs/heads/main")
    };
    let inside = json!({"namespace": "batch", "serviceaccount": {"name": "etl"}});
    for (token, groups) in [
        (main(json!("acme/shop")), vec!["okta/deployers"]),
        (
            main(json!("acme/shop")).claim("ref", "refs/heads/x"),
            vec![],
        ),
        (main(json!("acme-evil/shop")), vec![]),
        (main(json!("acme/shop/x")), vec![]),
        (main(json!(["acme/shop"])), vec![]),
        (main(json!(null)), vec![]),
        (
            main(json!("acme/shop")).claim("kubernetes.io", inside),
            vec!["okta/batch", "okta/deployers"],
        ),
        (w.token().without("groups"), vec![]),
    ] {
        let identity = w.accepts(&token).await;
        let found: Vec<_> = identity.chain.acting.groups.into_iter().collect();
        assert_eq!(found, groups);
    }
}
