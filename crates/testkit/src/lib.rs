//! Real servers, tokens and clients for the tests.

pub mod aws;
pub mod bao;
pub mod bench;
pub mod client;
pub mod demo;
pub mod gateway;
pub mod idp;
pub mod postgres;
pub mod signing_in;
pub mod wire;
pub mod workload;
