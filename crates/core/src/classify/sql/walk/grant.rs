//! Rights and roles.
//!
//! Lives here: GRANT, REVOKE, CREATE ROLE and their like. Never: SET ROLE (see `settings`).

use super::Walk;
use crate::action::{Object, Verb};
use crate::classify::sql::nodes::{inner, name, options};
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;
use std::sync::Arc;

impl Walk<'_> {
    pub(super) fn grant(&mut self, s: &pb::GrantStmt) {
        self.now.changes = true;
        if s.targtype == pb::GrantTargetType::AclTargetAllInSchema as i32 {
            for node in &s.objects {
                match name(node) {
                    Some(schema) => self.grant_all_in(schema),
                    None => self.not_modelled("GRANT"),
                }
            }
            return;
        }
        for node in &s.objects {
            match inner(node) {
                Some(N::RangeVar(var)) => self.alters(var, Verb::SqlGrant),
                Some(object @ N::ObjectWithArgs(_)) => {
                    self.on_functions(Some(object), Verb::SqlGrant)
                }
                other => self.on_named(s.objtype, other, Verb::SqlGrant),
            }
        }
    }

    fn grant_all_in(&mut self, schema: &str) {
        self.now.named = true;
        let object = self.schema_object(schema);
        self.act(Verb::SqlGrant, object);
        let inside: Vec<_> = self
            .ctx
            .catalogue
            .by_oid
            .values()
            .filter(|r| r.schema == schema)
            .map(Arc::clone)
            .collect();
        for relation in &inside {
            self.verb_on(relation, true, Verb::SqlGrant);
        }
    }

    pub(super) fn grant_role(&mut self, s: &pb::GrantRoleStmt) {
        self.now.changes = true;
        for node in s.granted_roles.iter().chain(&s.grantee_roles) {
            match inner(node) {
                Some(N::AccessPriv(p)) => self.act(
                    Verb::SqlGrant,
                    Object::Role {
                        name: p.priv_name.clone(),
                    },
                ),
                Some(N::RoleSpec(r)) => {
                    let role = role_name(Some(r));
                    self.act(Verb::SqlGrant, Object::Role { name: role });
                }
                _ => self.not_modelled("GRANT"),
            }
        }
    }

    pub(super) fn default_privileges(&mut self, s: &pb::AlterDefaultPrivilegesStmt) {
        self.now.changes = true;
        let mut schemas = Vec::new();
        for option in options(&s.options) {
            if option.defname == "schemas"
                && let Some(N::List(l)) = option.arg.as_deref().and_then(inner)
            {
                schemas.extend(l.items.iter().filter_map(name).map(str::to_owned));
            }
        }
        if schemas.is_empty() {
            let database = self.database();
            self.act(Verb::SqlGrant, database);
        }
        for schema in schemas {
            let object = self.schema_object(&schema);
            self.act(Verb::SqlGrant, object);
        }
    }

    pub(super) fn reassign(&mut self, s: &pb::ReassignOwnedStmt) {
        self.now.changes = true;
        let database = self.database();
        self.act(Verb::SqlAlter, database);
        for node in &s.roles {
            if let Some(N::RoleSpec(r)) = inner(node) {
                let role = role_name(Some(r));
                self.act(Verb::SqlAlter, Object::Role { name: role });
            }
        }
    }

    pub(super) fn create_role(&mut self, s: &pb::CreateRoleStmt) {
        self.now.changes = true;
        self.act(
            Verb::SqlCreate,
            Object::Role {
                name: s.role.clone(),
            },
        );
    }

    pub(super) fn alter_role(&mut self, role: Option<&pb::RoleSpec>) {
        self.now.changes = true;
        let role = role_name(role);
        self.act(Verb::SqlAlter, Object::Role { name: role });
    }

    pub(super) fn drop_role(&mut self, s: &pb::DropRoleStmt) {
        self.now.changes = true;
        for node in &s.roles {
            match inner(node) {
                Some(N::RoleSpec(r)) => {
                    let role = role_name(Some(r));
                    self.act(Verb::SqlDrop, Object::Role { name: role });
                }
                _ => self.not_modelled("DROP ROLE"),
            }
        }
    }
}

/// A role as policy names it; those that stand for someone keep their keyword.
fn role_name(role: Option<&pb::RoleSpec>) -> String {
    use pb::RoleSpecType as T;
    let Some(role) = role else {
        return "all".to_owned();
    };
    match T::try_from(role.roletype) {
        Ok(T::RolespecCurrentRole) => "current_role".to_owned(),
        Ok(T::RolespecCurrentUser) => "current_user".to_owned(),
        Ok(T::RolespecSessionUser) => "session_user".to_owned(),
        Ok(T::RolespecPublic) => "public".to_owned(),
        _ => role.rolename.clone(),
    }
}
