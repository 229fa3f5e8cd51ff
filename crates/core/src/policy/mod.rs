//! Cedar: who may do what. Pure; deterministic; says why.
//!
//! Lives here: loading, checking and judging a bundle's rules. Never: I/O, clocks, storage of approvals.
//!
//! Three kinds of rules are kept apart when a bundle loads: rules proper (permits, and forbids that nothing lifts),
//! holds (forbids with `@approval`) and watchers (`@mode("observe")`). A command is denied unless the rules allow
//! every act of it for every actor in the chain; else held for every matching hold that is not lifted; else allowed.

mod actors;
mod admin;
mod administration;
mod ahead;
mod annotations;
mod bundle;
mod cache;
mod context;
mod diff;
mod entities;
mod eval;
mod explain;
mod lint;
mod literals;
mod moment;
mod outcome;
mod reads;
mod rule;
mod slice;
mod source;
mod suggest;
mod vocabulary;
mod weigh;

pub use admin::{Answerable, OWN};
pub use administration::{AdminMoment, AdminObject, AdminVerb};
pub use ahead::{Ahead, Wanted};
pub use annotations::Hold;
pub use bundle::{Known, Rules};
pub use diff::{Change, diff};
pub use eval::{Judge, Reveal};
pub use explain::{Because, Explanation, NearMiss, Unpermitted, explain};
pub use jiff::tz::TimeZone;
pub use moment::{Budget, Moment};
pub use outcome::{Lifted, Outcome, Verdict, builtin};
pub use rule::{Kind, Rule};
pub use source::{Problem, SourceFile};
pub use vocabulary::{BrokenSchema, SCHEMA};

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
mod tests;
