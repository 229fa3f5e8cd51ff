//! The API against a world in memory.

mod announce;
mod approvals;
mod bound;
mod login;
mod oauth;
mod routes;
mod serve;
mod watch;
mod world;
