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
pub mod ssh_client;
pub mod sshd;
pub mod wire;
pub mod workload;
