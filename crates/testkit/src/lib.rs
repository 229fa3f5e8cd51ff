//! Real servers, tokens and clients for the tests.

pub mod bench;
pub mod client;
pub mod gateway;
pub mod idp;
pub mod postgres;
pub mod wire;
