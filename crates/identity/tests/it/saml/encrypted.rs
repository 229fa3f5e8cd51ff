//! Encrypted assertions: what xmlsec1 encrypts is read, and encryption is no proof of anything.

use super::*;

const AES256_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
const OAEP: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
const UNREADABLE: SamlRefused = SamlRefused::Encryption;

fn gcm() -> Value {
    json!({"data": AES256_GCM, "key": OAEP, "session": "aes-256"})
}

fn encrypted(w: &World) -> String {
    w.made(json!({"encrypt": gcm()}))
}

#[test]
fn an_encrypted_assertion_that_is_signed_inside_is_read() {
    let w = world();
    let small = json!({"data": "http://www.w3.org/2009/xmlenc11#aes128-gcm", "key": OAEP, "session": "aes-128"});
    for order in [
        json!({"encrypt": gcm()}),
        json!({"encrypt": gcm(), "sign": "both"}),
        json!({"encrypt": small}),
    ] {
        let xml = w.made(order);
        assert!(!xml.contains("ana-7f3c"));
        assert_eq!(w.accepts(&xml).identity.chain.acting.name, "ana-7f3c");
        w.refuses(&xml, SamlRefused::Replayed);
    }
}

#[test]
fn encryption_is_not_a_signature() {
    let w = world();
    // Anybody can encrypt to us: our certificate is public.
    w.refuses(
        &w.made(json!({"encrypt": gcm(), "sign": "none"})),
        SamlRefused::Unsigned,
    );
    w.refuses(
        &w.made(json!({"encrypt": gcm(), "sign": "response"})),
        SamlRefused::Unsigned,
    );
    w.refuses(
        &w.made(json!({"encrypt": gcm(), "key": "mallory"})),
        SamlRefused::Signature,
    );
    let edit = json!([[">ana-7f3c<", ">admin<"]]);
    w.refuses(
        &w.made(json!({"encrypt": gcm(), "edits_signed": edit})),
        SamlRefused::Signature,
    );
    let comment = json!([[">ana-7f3c<", ">ana<!---->-7f3c<"]]);
    w.refuses(
        &w.made(json!({"encrypt": gcm(), "edits_signed": comment})),
        SamlRefused::Xml("it has a comment"),
    );
    w.refuses(
        &w.made(json!({"encrypt": gcm(), "same_ids": true})),
        SamlRefused::Shape("an identifier stands twice"),
    );
    w.accepts(&encrypted(&w));
}

#[test]
fn only_what_tells_a_forger_nothing_is_decrypted() {
    let w = world();
    let cbc = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
    let pkcs1 = "http://www.w3.org/2001/04/xmlenc#rsa-1_5";
    for encrypt in [
        json!({"data": cbc, "key": OAEP, "session": "aes-256"}),
        json!({"data": "http://www.w3.org/2001/04/xmlenc#tripledes-cbc", "key": OAEP, "session": "des-192"}),
        json!({"data": AES256_GCM, "key": pkcs1, "session": "aes-256"}),
        json!({"data": AES256_GCM, "key": OAEP, "session": "aes-256", "to": "mallory"}),
    ] {
        w.refuses(&w.made(json!({"encrypt": encrypt})), UNREADABLE);
    }
    let good = encrypted(&w);
    let keyless = w.other(|c| c.decryption.clear());
    assert_eq!(
        finish_at(&keyless, &good, issued(&good)).err(),
        Some(UNREADABLE)
    );
    let type_ = "Type=\"http://www.w3.org/2001/04/xmlenc#Element\"";
    for (old, new) in [
        (AES256_GCM, "http://www.w3.org/2009/xmlenc11#aes128-gcm"),
        (AES256_GCM, cbc),
        (OAEP, pkcs1),
        (OAEP, "http://www.w3.org/2009/xmlenc11#rsa-oaep"),
        (type_, ""),
        (type_, "Type=\"http://www.w3.org/2001/04/xmlenc#Content\""),
        ("CipherValue>", "CipherReference>"),
    ] {
        assert!(good.contains(old), "{old}");
        w.refuses(&good.replace(old, new), UNREADABLE);
    }
    w.accepts(&good);
}

#[test]
fn every_changed_ciphertext_is_refused_alike() {
    let w = world();
    let good = encrypted(&w);
    let values: Vec<usize> = good
        .match_indices("CipherValue>")
        .map(|(at, found)| at + found.len())
        .collect();
    for start in [values[0], values[2]] {
        for at in (start..start + 300).step_by(37) {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = match bytes[at] {
                b'A' => b'B',
                b'\n' => continue,
                _ => b'A',
            };
            w.refuses(&String::from_utf8(bytes).unwrap(), UNREADABLE);
        }
    }
    let text = good
        .get(values[2]..)
        .unwrap()
        .split_once('<')
        .unwrap()
        .0
        .to_owned();
    for other in ["", "AAAA", text.get(..400).unwrap()] {
        w.refuses(&good.replace(&text, other), UNREADABLE);
    }
    w.accepts(&good);
}

#[test]
fn its_key_may_stand_beside_it_and_only_once() {
    let w = world();
    let good = encrypted(&w);
    let key = element(&good, "ns0:EncryptedKey").to_owned();
    let namespaces = "xmlns:ns0=\"http://www.w3.org/2001/04/xmlenc#\" xmlns:ns1=\"http://www.w3.org/2000/09/xmldsig#\"";
    let alone = key.replacen(
        "<ns0:EncryptedKey",
        &format!("<ns0:EncryptedKey {namespaces}"),
        1,
    );
    let beside = |xml: &str, key: &str| {
        xml.replace(
            "</ns1:EncryptedAssertion>",
            &format!("{key}</ns1:EncryptedAssertion>"),
        )
    };
    let without = good.replace(&key, "");
    w.refuses(&without, UNREADABLE);
    w.refuses(
        &beside(&good, &alone.replacen(value(&alone, "Id"), "_other", 1)),
        UNREADABLE,
    );
    w.refuses(
        &good.replace(
            &key,
            &format!("{key}{}", key.replacen(value(&key, "Id"), "_other", 1)),
        ),
        UNREADABLE,
    );
    w.accepts(&beside(&without, &alone));
}

#[test]
fn a_plain_assertion_beside_an_encrypted_one_is_refused() {
    let w = world();
    let plain = w.good();
    let evil = element(&plain, "ns1:Assertion").replace(">ana-7f3c<", ">admin<");
    let good = encrypted(&w);
    let order = SamlRefused::Shape("order or number of elements");
    let holder = element(&good, "ns1:EncryptedAssertion").to_owned();
    for both in [
        format!("{evil}{holder}"),
        format!("{holder}{evil}"),
        format!("{holder}{holder}"),
    ] {
        w.refuses(&good.replace(&holder, &both), order);
    }
    let within = holder.replace(
        "</ns1:KeyInfo>",
        &format!(
            "{}</ns1:KeyInfo>",
            evil.replace("ns1:", "a:").replace(
                "<a:Assertion",
                "<a:Assertion xmlns:a=\"urn:oasis:names:tc:SAML:2.0:assertion\" xmlns:ns2=\"urn:x\""
            )
        ),
    );
    w.refuses_all("in the key", &good.replace(&holder, &within));
    w.accepts(&good);
}

#[test]
fn our_own_key_can_be_rolled_over() {
    let w =
        world_with(|config, said| config.decryption = vec![pair(said, "next"), pair(said, "sp")]);
    assert!(w.gateway.metadata().contains(&certificate(&w.said, "next")));
    assert!(!w.gateway.metadata().contains(&certificate(&w.said, "sp")));
    w.accepts(&encrypted(&w));
    w.accepts(&w.made(
        json!({"encrypt": {"data": AES256_GCM, "key": OAEP, "session": "aes-256", "to": "next"}}),
    ));
}
