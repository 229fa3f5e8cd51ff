//! The semantics of policy, tried against a table of decisions and against themselves.

mod basics;
mod contexts;
mod property;
mod table;
mod typed;
mod world;
