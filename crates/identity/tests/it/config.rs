//! Settings as the binary gives them.

use crate::support::{MintedStore, SteppedClock, config_of, world};
use brattice_identity::oidc::{Oidc, OidcError};
use std::sync::Arc;

fn make(
    configs: Vec<brattice_identity::IssuerConfig>,
    clock: Arc<SteppedClock>,
) -> Result<Oidc, OidcError> {
    Oidc::new(
        configs,
        Arc::new(MintedStore::default()),
        clock,
        Default::default(),
    )
}

#[tokio::test]
async fn plain_http_needs_to_be_allowed() {
    let w = world().await;
    let mut config = config_of(&w.idp);
    config.allow_loopback_http = false;
    let error = make(vec![config], w.clock.clone()).err().unwrap();
    assert!(error.to_string().contains("must begin with https://"));
}

#[tokio::test]
async fn all_providers_problems_are_told_together() {
    let w = world().await;
    let mut first = config_of(&w.idp);
    first.audience.clear();
    let second = config_of(&w.idp);
    let Err(OidcError::Settings(problems)) = make(vec![first, second], w.clock.clone()) else {
        panic!("accepted");
    };
    let settings: Vec<_> = problems.iter().map(|p| p.setting).collect();
    assert_eq!(settings, ["audience", "name", "issuer"]);
}

#[tokio::test]
async fn an_authority_of_ones_own_is_taken_in_pem() {
    let w = world().await;
    let mut config = config_of(&w.idp);
    config.ca =
        Some(b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n".to_vec());
    assert!(make(vec![config], w.clock.clone()).is_err());
}
