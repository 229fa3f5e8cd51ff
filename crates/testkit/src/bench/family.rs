//! The kinds of targets that are measured, each with its own ways and its own plain proxy to compare with.
//!
//! Nothing here measures or shows.

use super::aims::{self, Aim};
use super::way::Way;

/// A kind of target.
pub(super) struct Family {
    /// In `last.json`.
    pub key: &'static str,
    /// For people.
    pub title: &'static str,
    /// The columns of its table.
    pub ways: &'static [Way],
    /// What the gateway is compared with: it stands between, too, and only passes bytes on.
    pub plain: Way,
    /// What its figures should be.
    pub aims: &'static [Aim],
    /// The file of its picture.
    pub picture: &'static str,
}

/// A database.
pub(super) const SQL: Family = Family {
    key: "sql",
    title: "PostgreSQL",
    ways: &[Way::Direct, Way::Pgbouncer, Way::Gateway, Way::Minted],
    plain: Way::Pgbouncer,
    aims: aims::SQL,
    picture: "last.svg",
};

/// A host.
pub(super) const SSH: Family = Family {
    key: "ssh",
    title: "SSH",
    ways: &[Way::Direct, Way::Jump, Way::Gateway],
    plain: Way::Jump,
    aims: aims::SSH,
    picture: "last-ssh.svg",
};
