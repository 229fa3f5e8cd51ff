//! Minted credentials, as the store holds them.

use crate::support::{World, minutes, world};
use brattice_core::ids::CredentialId;
use brattice_core::ports::{
    AuthError, Authenticator, Bounds, MintedCredential, Randomness, RecordFailed,
};
use brattice_core::principal::LoginBy;
use brattice_core::time::Clock;
use brattice_identity::mint::mint;

struct Same(u8);
impl Randomness for Same {
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
        buf.fill(self.0);
        Ok(())
    }
}

async fn minted(w: &World) -> MintedCredential {
    let identity = w.accepts(&w.token()).await;
    let made = mint(
        "orders-db",
        &identity,
        minutes(2),
        Bounds::default(),
        w.clock.now(),
        &Same(7),
    )
    .unwrap();
    *w.minted.held.lock().unwrap() = Some(made.credential.clone());
    made.credential
}

#[tokio::test]
async fn a_minted_credential_is_found_until_it_ends() {
    let w = world().await;
    let credential = minted(&w).await;
    let found = w.oidc.minted(&credential.id).await.unwrap().unwrap();
    assert_eq!(found.identity.by, LoginBy::Minted);
    assert_eq!(found.proof, credential.proof);
    w.clock.step(120);
    assert!(w.oidc.minted(&credential.id).await.unwrap().is_none());
    w.clock.step(-119);
    assert!(
        w.oidc.minted(&credential.id).await.unwrap().is_none(),
        "the clock went back"
    );
}

#[tokio::test]
async fn another_credential_than_the_one_asked_for_is_none() {
    let w = world().await;
    minted(&w).await;
    let other = CredentialId::from_bytes([1; 10]);
    assert!(w.oidc.minted(&other).await.unwrap().is_none());
}

#[tokio::test]
async fn what_was_minted_on_the_word_of_a_provider_goes_with_it() {
    let w = world().await;
    let credential = minted(&w).await;
    w.oidc.reconfigure(Vec::new()).unwrap();
    assert!(w.oidc.minted(&credential.id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_store_that_is_away_refuses() {
    let w = world().await;
    let credential = minted(&w).await;
    *w.minted.away.lock().unwrap() = true;
    let answer = w.oidc.minted(&credential.id).await;
    assert!(matches!(answer, Err(AuthError::Unavailable(_))));
}
