//! The domain: identities, actions, policy, classification, masking and the gate.
