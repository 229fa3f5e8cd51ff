//! The provider itself: its keys sign, its documents are served and counted.

use super::*;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;

#[test]
fn every_sort_of_key_signs_what_its_public_part_verifies() {
    for key in [
        SigningKey::es256("k").unwrap(),
        SigningKey::es384("k").unwrap(),
        SigningKey::eddsa("k").unwrap(),
        SigningKey::rsa("k").unwrap(),
    ] {
        let token = TokenMaker::new(&key).claim("sub", "a").sign().unwrap();
        let jwk: Jwk = serde_json::from_value(key.jwk()).unwrap();
        let public = DecodingKey::from_jwk(&jwk).unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let good =
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &public, key.algorithm);
        assert!(good.unwrap(), "{:?}", key.algorithm);
    }
}

#[tokio::test]
async fn it_serves_counts_and_goes_down() {
    let idp = Idp::start().await.unwrap();
    let get = || async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let address = idp.issuer().strip_prefix("http://").unwrap();
        let mut s = tokio::net::TcpStream::connect(address).await.unwrap();
        s.write_all(b"GET /keys HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut out = String::new();
        s.read_to_string(&mut out).await.unwrap();
        out
    };
    assert!(get().await.contains("\"key-1\""));
    idp.set_down(true);
    assert_eq!(get().await, "");
    assert_eq!(idp.fetches(JWKS_PATH), 2);
}
