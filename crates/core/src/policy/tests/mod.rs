//! The semantics of policy, tried against a table of decisions and against themselves.

mod attributes;
mod basics;
mod contexts;
mod cost;
mod holes;
mod people;
mod property;
mod table;
mod telling;
mod typed;
mod world;
