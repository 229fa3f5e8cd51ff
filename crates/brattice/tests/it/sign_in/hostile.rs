//! Codes, refresh tokens and links in the wrong hands.

use super::*;

/// What the log has of this act, last.
fn record_of(world: &World, act: &str) -> Value {
    let entries = export_lines(&log_dir(world));
    let mut acts = entries.into_iter().rev();
    acts.find(|e| e["act"] == act).unwrap()
}

#[test]
fn a_code_is_good_once_for_who_asked_and_bringing_it_again_ends_everything() {
    let desk = Desk::open(false, "\"profile\"", "");
    let code = |state: &str| {
        let person = Person::new().unwrap();
        let saw = person
            .go(
                &desk.request(CHALLENGE, state),
                "dana",
                "yes",
                "127.0.0.1:9/",
            )
            .unwrap();
        let back = saw["stopped"].as_str().unwrap().to_owned();
        assert_eq!(parameter(&back, "state").as_deref(), Some(state));
        assert_eq!(parameter(&back, "iss").unwrap(), desk.url(""));
        parameter(&back, "code").unwrap()
    };
    let trade = |code: &str, verifier: &str, back: &str, client: &str| {
        desk.form(
            "/oauth/token",
            &[
                ("grant_type", "authorization_code"),
                ("client_id", client),
                ("redirect_uri", back),
                ("code", code),
                ("code_verifier", verifier),
            ],
        )
    };
    let other = "http://127.0.0.1:10/callback";
    let wrong = format!("{VERIFIER}x");
    for (verifier, back, client) in [
        (wrong.as_str(), BACK, CLIENT),
        (VERIFIER, other, CLIENT),
        (VERIFIER, BACK, "another"),
    ] {
        let code = code("s1");
        let refused = trade(&code, verifier, back, client);
        assert_eq!(
            refused.json()["error"],
            "invalid_grant",
            "{}",
            refused.text()
        );
        // It was spent by the attempt.
        let late = trade(&code, VERIFIER, BACK, CLIENT);
        assert_eq!(late.json()["error"], "invalid_grant", "{}", late.text());
    }
    let code = code("s2");
    let given = trade(&code, VERIFIER, BACK, CLIENT);
    assert_eq!(given.status, 200, "{}", given.text());
    let access = given.json()["access_token"].as_str().unwrap().to_owned();
    let who = |token: &str| {
        desk.world
            .gateway
            .api("GET", "/api/v1/whoami", token, None)
            .unwrap()
    };
    assert_eq!(who(&access).status, 200);
    assert_eq!(trade(&code, VERIFIER, BACK, CLIENT).status, 400);
    assert_eq!(
        who(&access).status,
        401,
        "a code was brought twice, and its sign-in goes on"
    );
}

#[test]
fn a_refresh_token_that_was_used_ends_the_sign_in() {
    let desk = Desk::open(false, "\"profile\"", "");
    // By a client that binds nothing to a key.
    let saw = Person::new().unwrap();
    let saw = saw.go(&desk.request(CHALLENGE, "s"), "dana", "yes", "127.0.0.1:9/");
    let code = parameter(saw.unwrap()["stopped"].as_str().unwrap(), "code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("redirect_uri", BACK),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ];
    let saved = desk.form("/oauth/token", &fields).json();
    let refresh = |token: &str| {
        desk.form(
            "/oauth/token",
            &[
                ("grant_type", "refresh_token"),
                ("client_id", CLIENT),
                ("refresh_token", token),
            ],
        )
    };
    let first = saved["refresh_token"].as_str().unwrap();
    // What is only like one ends nothing.
    let like = format!("{}AAAA", &first[..first.len() - 4]);
    assert_eq!(refresh(&like).status, 400);
    let second = refresh(first);
    assert_eq!(second.status, 200, "{}", second.text());
    let access = second.json()["access_token"].as_str().unwrap().to_owned();
    let who = |token: &str| {
        desk.world
            .gateway
            .api("GET", "/api/v1/whoami", token, None)
            .unwrap()
    };
    assert_eq!(who(&access).status, 200);
    assert_eq!(refresh(first).status, 400);
    assert_eq!(who(&access).status, 401, "a thief's refresh goes unnoticed");
    let second = second.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(refresh(&second).status, 400);
    let id = record_of(&desk.world, "sign_in.end");
    assert!(
        id["details"].as_str().unwrap().contains("refresh token"),
        "{id}"
    );
    assert_eq!(
        id["object"],
        record_of(&desk.world, "sign_in")["object"],
        "{id}"
    );
}

#[test]
fn nobody_is_signed_in_by_a_link_of_somebody_else() {
    let desk = Desk::open(false, "\"profile\"", "");
    // The attacker goes as far as the provider's answer, and sends the last address to the victim.
    let attacker = Person::new().unwrap();
    let saw = attacker
        .go(
            &desk.request(CHALLENGE, "s"),
            "omar",
            "yes",
            "/oauth/callback/op",
        )
        .unwrap();
    let link = saw["stopped"].as_str().unwrap().to_owned();
    let victim = Person::new().unwrap();
    let saw = victim.go(&link, "dana", "yes", "127.0.0.1:9/").unwrap();
    assert_eq!(saw["title"], "Nobody signed in · Brattice", "{saw}");
    // Nobody else used it up: whoever began goes on, as who they are, and once.
    let saw = attacker.go(&link, "omar", "yes", "127.0.0.1:9/").unwrap();
    let back = saw["stopped"].as_str().unwrap();
    assert!(parameter(back, "code").is_some(), "{saw}");
    let saw = attacker.go(&link, "omar", "yes", "127.0.0.1:9/").unwrap();
    assert_eq!(saw["title"], "Nobody signed in · Brattice", "{saw}");
    // An agent is no person, whatever it types.
    let saw = Person::new()
        .unwrap()
        .go(
            &desk.request(CHALLENGE, "s"),
            "robot",
            "yes",
            "127.0.0.1:9/",
        )
        .unwrap();
    let back = saw["stopped"].as_str().unwrap();
    assert_eq!(parameter(back, "error").as_deref(), Some("access_denied"));
    // A person who says no is not signed in.
    let saw = Person::new()
        .unwrap()
        .go(&desk.request(CHALLENGE, "s"), "dana", "no", "127.0.0.1:9/")
        .unwrap();
    let back = saw["stopped"].as_str().unwrap();
    assert_eq!(parameter(back, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(back, "code"), None);
}

#[test]
fn requests_that_are_not_right_lead_nowhere() {
    let desk = Desk::open(false, "\"profile\"", "");
    let good = desk.request(CHALLENGE, "s");
    let without = |name: &str| {
        let mut url = url::Url::parse(&good).unwrap();
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(n, _)| n != name)
            .map(|(n, v)| (n.into_owned(), v.into_owned()))
            .collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
        url.to_string()
    };
    let mut bad = vec![
        good.replace("S256", "plain"),
        good.replace("127.0.0.1%3A9", "evil.example%3A9"),
        good.replace("brattice-cli", "other"),
        good.replace("response_type=code", "response_type=token"),
        format!("{good}&client_id=brattice-cli"),
        format!("{good}&nonsense=1"),
        format!("{good}&provider=nobody"),
    ];
    for name in [
        "client_id",
        "redirect_uri",
        "state",
        "code_challenge",
        "code_challenge_method",
    ] {
        bad.push(without(name));
    }
    for url in bad {
        let person = Person::new().unwrap();
        let saw = person
            .go(&url, "dana", "yes", "^http://(evil.example|127.0.0.1:9)")
            .unwrap();
        assert_eq!(saw["title"], "Nobody signed in · Brattice", "{url}: {saw}");
    }
    // A user code is not to be guessed.
    let mut last = Value::Null;
    for n in 0..12 {
        let url = desk.url(&format!(
            "/oauth/device?user_code=BBBB-BBB{}",
            ["B", "C", "D"][n % 3]
        ));
        last = Person::new().unwrap().go(&url, "dana", "yes", "").unwrap();
    }
    assert_eq!(last["status"], 429, "{last}");
}
