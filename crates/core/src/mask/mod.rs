//! What leaves masked: plans, cells, streams and detectors.
//!
//! Lives here: what is replaced by what. Never: whether it may be seen (policy), protocol framing.
