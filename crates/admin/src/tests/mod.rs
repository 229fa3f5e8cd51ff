//! The API against a world in memory.

mod approvals;
mod routes;
mod world;
