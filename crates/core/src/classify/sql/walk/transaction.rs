//! Transaction control, notifications, and what ends a session's state.
//!
//! Lives here: BEGIN to COMMIT PREPARED, LISTEN, DISCARD. Never: data.

use super::Walk;
use crate::action::Verb;
use crate::classify::sql::command::{Consequence, Transaction};
use crate::classify::sql::nodes::{child, literal, options};
use crate::classify::sql::pending::Doubt;
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;

impl Walk<'_> {
    pub(super) fn transaction(&mut self, s: &pb::TransactionStmt) {
        let pb::TransactionStmt {
            kind,
            options: modes,
            savepoint_name,
            gid: _,
            chain,
            location: _,
        } = s;
        let name = || savepoint_name.clone();
        let (control, inside) = match pb::TransactionStmtKind::try_from(*kind) {
            Ok(
                pb::TransactionStmtKind::TransStmtBegin | pb::TransactionStmtKind::TransStmtStart,
            ) => (Transaction::Begin, true),
            Ok(pb::TransactionStmtKind::TransStmtCommit) => {
                if self.ctx.in_transaction || self.pending.has_temporary() {
                    // SET LOCAL ends here, and tables that are dropped on commit.
                    self.pending.doubts(Doubt::Unqualified);
                }
                (Transaction::Commit { chain: *chain }, *chain)
            }
            Ok(pb::TransactionStmtKind::TransStmtRollback) => {
                self.undoes_changes();
                (Transaction::Rollback { chain: *chain }, *chain)
            }
            Ok(pb::TransactionStmtKind::TransStmtSavepoint) => {
                (Transaction::Savepoint(name()), true)
            }
            Ok(pb::TransactionStmtKind::TransStmtRelease) => (Transaction::Release(name()), true),
            Ok(pb::TransactionStmtKind::TransStmtRollbackTo) => {
                self.undoes_changes();
                (Transaction::RollbackTo(name()), true)
            }
            Ok(pb::TransactionStmtKind::TransStmtPrepare) => {
                self.two_phase();
                (Transaction::PrepareTransaction, false)
            }
            Ok(
                pb::TransactionStmtKind::TransStmtCommitPrepared
                | pb::TransactionStmtKind::TransStmtRollbackPrepared,
            ) => {
                self.two_phase();
                (Transaction::CommitPrepared, self.in_transaction)
            }
            _ => {
                self.not_modelled("Transaction control of this kind");
                return;
            }
        };
        for mode in options(modes) {
            let known = matches!(
                mode.defname.as_str(),
                "transaction_isolation" | "transaction_read_only" | "transaction_deferrable"
            ) && child(&mode.arg).is_some_and(|a| literal(a).is_some());
            if !known {
                self.not_modelled("A transaction mode");
            }
        }
        self.now.changes |= matches!(
            control,
            Transaction::Commit { .. }
                | Transaction::PrepareTransaction
                | Transaction::CommitPrepared
        );
        self.now.step.transaction = control;
        self.in_transaction = inside;
    }

    /// A prepared transaction outlives its session, and anyone of the same role can end it.
    fn two_phase(&mut self) {
        let database = self.database();
        self.act(Verb::SqlAlter, database);
    }

    /// What the transaction changed about names and the path is undone, for what follows in this message. What earlier
    /// messages of the transaction left is undone as well: [`Transaction`] tells.
    fn undoes_changes(&mut self) {
        if self.ctx.in_transaction || !self.pending.is_empty() {
            self.pending.doubts(Doubt::All);
        }
    }

    /// Opaque code ran: neither names nor settings are sure afterwards.
    pub(super) fn anything_may_change(&mut self) {
        self.leaves(Consequence::PathInDoubt);
        self.changes_catalogue();
        self.pending.doubts(Doubt::All);
    }

    pub(super) fn discard(&mut self, s: &pb::DiscardStmt) {
        match pb::DiscardMode::try_from(s.target) {
            Ok(pb::DiscardMode::DiscardAll) => {
                self.all_deallocated = true;
                self.prepared.clear();
                self.all_closed = true;
                self.cursors.clear();
                self.leaves(Consequence::DeallocatesAll);
                self.leaves(Consequence::ClosesAll);
                self.leaves(Consequence::PathInDoubt);
                self.changes_catalogue();
                self.pending.doubts(Doubt::All);
            }
            Ok(pb::DiscardMode::DiscardTemp) => {
                self.changes_catalogue();
                self.pending.doubts(Doubt::All);
            }
            Ok(pb::DiscardMode::DiscardPlans | pb::DiscardMode::DiscardSequences) => {}
            _ => self.not_modelled("DISCARD of this kind"),
        }
    }

    pub(super) fn notifications(&mut self, node: &N) {
        let database = self.database();
        match node {
            N::ListenStmt(s) => {
                self.act(Verb::SqlListen, database);
                self.leaves(Consequence::Listens(s.conditionname.clone()));
            }
            N::NotifyStmt(_) => self.act(Verb::SqlNotify, database),
            _ => {}
        }
    }
}
