//! Proofs that senders hold keys, as the API asks for them.
//!
//! Lives here: translation. Never: what makes one good.

use crate::run::Gateway;
use brattice_admin::ports::proofs::{ProofRefused, ProofsApi};
use brattice_core::sender::{KeyProof, ProofWanted};
use brattice_identity::dpop;
use std::net::IpAddr;
use std::sync::Arc;

/// The proofs of a gateway.
pub struct Possession(pub Arc<Gateway>);

impl ProofsApi for Possession {
    fn check(&self, proof: &str, wanted: ProofWanted<'_>) -> Result<KeyProof, ProofRefused> {
        let checked = self.0.proofs.check(proof, wanted, self.0.clock.now());
        checked.map_err(refused)
    }

    fn use_up(&self, proof: &KeyProof, from: IpAddr) -> Result<(), ProofRefused> {
        let used = self.0.proofs.use_up(proof, from, self.0.clock.now());
        used.map_err(refused)
    }
}

fn refused(why: dpop::ProofRefused) -> ProofRefused {
    match why {
        dpop::ProofRefused::NoRoom => ProofRefused::Busy,
        why => ProofRefused::Wrong(why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use brattice_admin::ports::proofs::PROOF_ALGORITHMS;
    use brattice_identity::dpop::ALGORITHMS;

    #[test]
    fn the_algorithms_that_are_listed_are_those_that_are_taken() {
        assert_eq!(ALGORITHMS.map(|a| a.as_str()), PROOF_ALGORITHMS);
    }
}
