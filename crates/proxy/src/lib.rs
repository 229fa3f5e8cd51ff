//! The data path: listeners, TLS, pumps and upstream connections.
