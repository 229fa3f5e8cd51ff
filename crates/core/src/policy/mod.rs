//! Cedar: who may do what. Pure; deterministic; says why.
//!
//! Lives here: loading, checking and judging a bundle's rules. Never: I/O, clocks, storage of approvals.
