//! What leaves masked: plans, cells, streams and detectors.
//!
//! Lives here: what is replaced by what. Never: whether it may be seen (policy), protocol framing.

pub mod cell;
pub mod classes;
pub mod columns;
pub mod copy;
pub mod detect;
mod detectors;
mod json;
pub mod lineage;
pub mod plan;
pub mod stream;

pub use cell::{Form, Format, Replacement, TokenKey, ValueType, looks_like_mask};
pub use classes::{Class, ClassSpec, Classes, OnHit};
pub use columns::{Field, MaskSpec, MaskedColumns};
pub use copy::{CopyFormat, CopyMasker, CopyOptions};
pub use detect::{Detector, Hit, Tally};
pub use detectors::pem::REACH_BYTES;
pub use lineage::{Lineage, OutputColumn, Outputs, Statement, Use, lineage};
pub use plan::{Change, Reveal, RowColumn, RowPlan};
pub use stream::StreamMasker;
