//! What is pure of SSH: the protocols that run inside its channels.
//!
//! Here lives SFTP. Never here: the transport, keys, sockets, policy.

pub mod sftp;
