//! Mutants of real responses.
//!
//! The seeds were made by pysaml2 and xmlsec1 and are kept with the metadata that verifies them, so that a run is the same
//! for the same seed.

use super::{ACS, ENTITY, REQUEST, issued};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use brattice_fuzz::Fuzz;
use brattice_identity::saml::{SamlConfig, SamlProof, SamlProvider, SamlRefused};
use std::cell::RefCell;
use std::sync::Arc;

const METADATA: &str = include_str!("seeds/metadata.xml");
const SEEDS: [&str; 2] = [
    include_str!("seeds/assertion.xml"),
    include_str!("seeds/both.xml"),
];
const WORDS: [&str; 24] = [
    "<!---->",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE r [",
    "<?x?>",
    "&lt;",
    "&#97;",
    "&#xD;",
    "xmlns=\"urn:x\"",
    " ID=\"_x\"",
    "<ns1:Assertion>",
    "</ns1:Assertion>",
    "<ns1:NameID>",
    "admin",
    "<ns2:Object>",
    "</ns2:Signature>",
    "<ns2:Signature>",
    "xmlns:ns1=\"urn:x\"",
    "<ns1:Advice>",
    "/>",
    "\"",
    "'",
    "\0",
    "<ns0:Extensions>",
];

fn gateway() -> SamlProvider {
    let config = SamlConfig::new("corp", METADATA.as_bytes(), ENTITY, ACS);
    SamlProvider::new(config, Arc::default()).unwrap()
}

fn finish(gateway: &SamlProvider, xml: &[u8], seed: &str) -> Result<SamlProof, SamlRefused> {
    gateway.finish(&STANDARD.encode(xml), REQUEST, issued(seed))
}

/// All that a proof says.
fn meaning(proof: &SamlProof) -> String {
    format!("{proof:?}")
}

#[test]
fn fuzz_saml_response() {
    let honest = SEEDS.map(|seed| meaning(&finish(&gateway(), seed.as_bytes(), seed).unwrap()));
    // A gateway accepts a response once: after each success there is a new one.
    let fresh = RefCell::new(gateway());
    let mut fuzz = Fuzz::new("saml_response", env!("CARGO_MANIFEST_DIR"))
        .words(&WORDS)
        .smoke(2_000);
    for seed in SEEDS {
        fuzz = fuzz.seed(seed);
    }
    fuzz.run(|input, _| {
        let mut outcome = 0;
        for seed in SEEDS {
            let found = finish(&fresh.borrow(), input, seed);
            outcome = outcome * 31
                + match found {
                    Ok(proof) => {
                        fresh.replace(gateway());
                        let said = meaning(&proof);
                        // The times of the two seeds' proofs differ by when they are looked at.
                        let who = &proof.identity.chain;
                        let id = &proof.assertion_id;
                        let known =
                            |h: &String| h.contains(&format!("{who:?}")) && h.contains(id.as_str());
                        if !honest.iter().any(known) {
                            return Err(format!("accepted, and says {said}"));
                        }
                        1
                    }
                    Err(why) => brattice_fuzz::digest(why.to_string()) >> 8,
                };
        }
        Ok(outcome)
    });
}
