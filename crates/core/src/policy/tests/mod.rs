//! The semantics of policy, tried against a table of decisions and against themselves.

mod basics;
mod table;
mod world;
