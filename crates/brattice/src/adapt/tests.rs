//! The API's ports over a whole gateway without listeners: a real store, log and rules, and a clock that is stepped.

mod announcing;
mod answers;
mod records;
mod revoking;
mod ssh;
mod world;
