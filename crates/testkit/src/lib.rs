//! Real servers, tokens and clients for the tests.

pub mod idp;
pub mod postgres;
