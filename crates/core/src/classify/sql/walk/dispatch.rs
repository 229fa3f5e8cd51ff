//! Which part of the walk a statement belongs to.
//!
//! Lives here: the list of statements. One that is not on it is unclear. Never: what they do.

use super::Walk;
use crate::classify::sql::nodes::child;
use pg_query::NodeEnum as N;

impl Walk<'_> {
    pub(super) fn dispatch(&mut self, node: &N) {
        match node {
            N::SelectStmt(_) => {
                self.now.step.returns_rows = Some(true);
                self.settings_from_pg_settings(node);
            }
            N::InsertStmt(s) => self.dml(node, s.returning_clause.is_some()),
            N::UpdateStmt(s) => self.dml(node, s.returning_clause.is_some()),
            N::DeleteStmt(s) => self.dml(node, s.returning_clause.is_some()),
            N::MergeStmt(s) => self.dml(node, s.returning_clause.is_some()),
            N::TransactionStmt(s) => self.transaction(s),
            N::VariableSetStmt(s) => self.set(s),
            N::VariableShowStmt(s) => self.show(s),
            N::DiscardStmt(s) => self.discard(s),
            N::ExplainStmt(s) => self.explain(s),
            N::CopyStmt(s) => self.copy(s),
            N::PrepareStmt(s) => self.prepare(s),
            N::ExecuteStmt(s) => self.execute(s),
            N::DeallocateStmt(s) => self.deallocate(s),
            N::DeclareCursorStmt(s) => self.declare(s),
            N::FetchStmt(s) => self.fetch(s),
            N::ClosePortalStmt(s) => self.close(s),
            N::ListenStmt(_) | N::NotifyStmt(_) | N::UnlistenStmt(_) => self.notifications(node),
            N::LockStmt(s) => self.lock(s),
            N::TruncateStmt(s) => self.truncate(s),
            N::DoStmt(_) => {
                self.now.changes = true;
                self.now.named = true;
                let database = self.database();
                self.act(crate::action::Verb::SqlDo, database);
                // Whatever is in it may create, drop and set.
                self.anything_may_change();
            }
            N::CallStmt(s) => self.call_procedure(s),
            _ => self.structure(node),
        }
    }

    fn dml(&mut self, node: &N, returning: bool) {
        self.now.changes = true;
        self.now.step.returns_rows = Some(returning);
        self.query(node);
    }

    fn structure(&mut self, node: &N) {
        match node {
            N::CreateStmt(s) => self.create_table(s, crate::action::RelationKind::Table),
            N::CreateForeignTableStmt(s) => self.create_foreign_table(s),
            N::CreateTableAsStmt(s) => self.create_table_as(s),
            N::ViewStmt(s) => self.create_view(s),
            N::CreateSeqStmt(s) => self.create_sequence(s),
            N::CreateSchemaStmt(s) => self.create_schema(s),
            N::CreateFunctionStmt(s) => self.create_function(s),
            N::IndexStmt(s) => self.create_index(s),
            N::CreateStatsStmt(s) => self.create_statistics(s),
            N::CreateTrigStmt(s) => self.create_trigger(s),
            N::RuleStmt(s) => self.create_rule(s),
            N::CreatePolicyStmt(s) => self.create_policy(s),
            N::AlterPolicyStmt(s) => self.alter_policy(s),
            N::AlterTableStmt(s) => self.alter_table(s),
            N::AlterSeqStmt(s) => self.alter_sequence(s),
            N::RefreshMatViewStmt(s) => self.refresh(s),
            N::RenameStmt(s) => self.rename(s),
            N::AlterObjectSchemaStmt(s) => self.alter_schema_of(s),
            N::AlterOwnerStmt(s) => self.alter_owner(s),
            N::AlterObjectDependsStmt(s) => self.alter_depends(s),
            N::AlterFunctionStmt(s) => self.alter_function(s),
            N::CommentStmt(s) => self.alter_named(s.objtype, child(&s.object)),
            N::SecLabelStmt(s) => self.alter_named(s.objtype, child(&s.object)),
            N::DropStmt(s) => self.drop(s),
            N::DropOwnedStmt(s) => self.drop_owned(s),
            N::GrantStmt(s) => self.grant(s),
            N::GrantRoleStmt(s) => self.grant_role(s),
            N::AlterDefaultPrivilegesStmt(s) => self.default_privileges(s),
            N::ReassignOwnedStmt(s) => self.reassign(s),
            N::CreateRoleStmt(s) => self.create_role(s),
            N::AlterRoleStmt(s) => self.alter_role(s.role.as_ref()),
            N::AlterRoleSetStmt(s) => self.alter_role(s.role.as_ref()),
            N::DropRoleStmt(s) => self.drop_role(s),
            N::VacuumStmt(s) => self.vacuum(s),
            N::ReindexStmt(s) => self.reindex(s),
            N::ClusterStmt(s) => self.cluster(s),
            N::ConstraintsSetStmt(_) => {}
            _ => self.whole_schema(node),
        }
    }
}
