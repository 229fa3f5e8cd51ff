//! Proof of identity from outside: a real provider on loopback, real HTTP, a clock that the tests step.

mod addressed;
mod config;
mod forged;
mod keys;
mod leaks;
mod minted;
mod people;
mod repeated;
mod support;
mod times;
