//! Objects that statements name by kind: COMMENT ON …, ALTER … RENAME, OWNER TO, SET SCHEMA.
//!
//! Lives here: from (kind, name) to objects. Never: what is done to them.

use super::Walk;
use crate::action::{Object, Verb};
use crate::classify::sql::nodes::{Qualified, inner, name, names, qualified};
use crate::classify::sql::pending::Doubt;
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;

impl Walk<'_> {
    /// Does a verb to an object that is named by kind.
    pub(super) fn on_named(&mut self, kind: i32, object: Option<&N>, verb: Verb) {
        use pb::ObjectType as T;
        let Ok(kind) = T::try_from(kind) else {
            self.not_modelled("An object of this kind");
            return;
        };
        match kind {
            T::ObjectTable
            | T::ObjectView
            | T::ObjectMatview
            | T::ObjectForeignTable
            | T::ObjectSequence
            | T::ObjectIndex => self.on_relation_list(object, verb, 0),
            T::ObjectColumn
            | T::ObjectTrigger
            | T::ObjectRule
            | T::ObjectPolicy
            | T::ObjectTabconstraint
            | T::ObjectDefault => self.on_relation_list(object, verb, 1),
            T::ObjectFunction | T::ObjectProcedure | T::ObjectRoutine | T::ObjectAggregate => {
                self.on_functions(object, verb);
            }
            T::ObjectSchema => match object.and_then(string) {
                Some(schema) => {
                    let schema = self.schema_object(schema);
                    self.act(verb, schema);
                    self.pending.doubts(Doubt::All);
                }
                None => self.not_modelled("A schema's name"),
            },
            T::ObjectDatabase => match object.and_then(string) {
                Some(database) => self.act(
                    verb,
                    Object::Database {
                        database: database.to_owned(),
                    },
                ),
                None => self.not_modelled("A database's name"),
            },
            T::ObjectRole => match object.and_then(string) {
                Some(role) => self.act(
                    verb,
                    Object::Role {
                        name: role.to_owned(),
                    },
                ),
                None => self.not_modelled("A role's name"),
            },
            T::ObjectType
            | T::ObjectDomain
            | T::ObjectDomconstraint
            | T::ObjectCollation
            | T::ObjectConversion
            | T::ObjectOperator
            | T::ObjectOpclass
            | T::ObjectOpfamily
            | T::ObjectStatisticExt
            | T::ObjectTsconfiguration
            | T::ObjectTsdictionary
            | T::ObjectTsparser
            | T::ObjectTstemplate
            | T::ObjectAttribute => self.on_schema_member(object, verb),
            T::ObjectAccessMethod
            | T::ObjectCast
            | T::ObjectEventTrigger
            | T::ObjectExtension
            | T::ObjectFdw
            | T::ObjectForeignServer
            | T::ObjectLanguage
            | T::ObjectLargeobject
            | T::ObjectPublication
            | T::ObjectSubscription
            | T::ObjectTablespace
            | T::ObjectTransform
            | T::ObjectUserMapping
            | T::ObjectParameterAcl => {
                let database = self.database();
                self.act(verb, database);
                self.pending.doubts(Doubt::All);
            }
            _ => self.not_modelled("An object of this kind"),
        }
    }

    /// `schema.relation` with a number of parts behind it that name something on the relation.
    fn on_relation_list(&mut self, object: Option<&N>, verb: Verb, behind: usize) {
        let Some(N::List(list)) = object else {
            self.not_modelled("A relation's name");
            return;
        };
        let relation = list
            .items
            .len()
            .checked_sub(behind)
            .and_then(|n| list.items.get(..n));
        match relation.and_then(qualified) {
            Some(found) => self.on_relation_name(found, verb),
            None => self.not_modelled("A relation's name"),
        }
    }

    pub(super) fn on_relation_name(&mut self, name: Qualified<'_>, verb: Verb) {
        let var = pb::RangeVar {
            catalogname: name.catalog.unwrap_or_default().to_owned(),
            schemaname: name.schema.unwrap_or_default().to_owned(),
            relname: name.name.to_owned(),
            inh: true,
            ..pb::RangeVar::default()
        };
        self.index_or_relation(&var, verb);
    }

    /// Functions by name: all overloads, since arguments are not matched here.
    pub(super) fn on_functions(&mut self, object: Option<&N>, verb: Verb) {
        self.now.named = true;
        let Some(N::ObjectWithArgs(o)) = object else {
            self.not_modelled("A function's name");
            return;
        };
        let Some(name) = qualified(&o.objname) else {
            self.not_modelled("A function's name");
            return;
        };
        let found: Vec<_> = self
            .ctx
            .catalogue
            .functions
            .get(name.name)
            .into_iter()
            .flatten()
            .filter(|f| match name.schema {
                Some(schema) => f.schema == self.ctx.path.spelled(schema),
                None => self.ctx.path.reaches(&f.schema),
            })
            .cloned()
            .collect();
        self.now.unqualified |= name.schema.is_none();
        if found.is_empty() {
            let schema = self.schema_for_new(name.schema);
            let object = self.function_object(&schema, format!("{}(*)", name.name));
            self.act(verb, object);
        }
        for function in &found {
            let object = self.own_function_object(function);
            self.act(verb, object);
        }
        self.pending.doubts(Doubt::All);
    }

    fn on_schema_member(&mut self, object: Option<&N>, verb: Verb) {
        let schema = match object {
            Some(N::TypeName(t)) => qualified(&t.names).map(|q| q.schema),
            Some(N::ObjectWithArgs(o)) => qualified(&o.objname).map(|q| q.schema),
            // An operator class's list begins with its access method; a domain constraint's with its type.
            Some(N::List(l)) => match l.items.first().and_then(inner) {
                Some(N::TypeName(t)) => qualified(&t.names).map(|q| q.schema),
                _ => match names(&l.items).as_deref() {
                    Some([] | [_]) => Some(None),
                    Some([.., schema, _]) => Some(Some(*schema)),
                    None => None,
                },
            },
            Some(N::RangeVar(v)) => Some(crate::classify::sql::nodes::given(&v.schemaname)),
            _ => None,
        };
        match schema {
            Some(schema) => self.schema_change(verb, schema),
            None => self.not_modelled("A name"),
        }
    }

    pub(super) fn alter_named(&mut self, kind: i32, object: Option<&N>) {
        self.changes_catalogue();
        self.on_named(kind, object, Verb::SqlAlter);
    }

    /// RENAME: names mean something else afterwards.
    pub(super) fn rename(&mut self, s: &pb::RenameStmt) {
        self.changes_catalogue();
        self.relation_or_object(s.rename_type, s.relation.as_ref(), s.object.as_deref());
        if s.behavior == pb::DropBehavior::DropCascade as i32 {
            // To tables of a composite type: columns change their names there too.
            self.unclear_cascade();
        }
        self.pending.doubts(Doubt::All);
    }

    pub(super) fn alter_schema_of(&mut self, s: &pb::AlterObjectSchemaStmt) {
        self.changes_catalogue();
        self.relation_or_object(s.object_type, s.relation.as_ref(), s.object.as_deref());
        let schema = self.schema_object(&s.newschema);
        self.act(Verb::SqlCreate, schema);
        self.pending.doubts(Doubt::All);
    }

    pub(super) fn alter_owner(&mut self, s: &pb::AlterOwnerStmt) {
        self.changes_catalogue();
        self.relation_or_object(s.object_type, s.relation.as_ref(), s.object.as_deref());
    }

    pub(super) fn alter_depends(&mut self, s: &pb::AlterObjectDependsStmt) {
        self.changes_catalogue();
        self.relation_or_object(s.object_type, s.relation.as_ref(), s.object.as_deref());
    }

    pub(super) fn alter_function(&mut self, s: &pb::AlterFunctionStmt) {
        self.changes_catalogue();
        let object = s.func.clone().map(N::ObjectWithArgs);
        self.on_functions(object.as_ref(), Verb::SqlAlter);
    }

    fn relation_or_object(
        &mut self,
        kind: i32,
        relation: Option<&pb::RangeVar>,
        object: Option<&pb::Node>,
    ) {
        match (relation, object.and_then(inner)) {
            (Some(var), _) if kind == pb::ObjectType::ObjectAttribute as i32 => {
                self.schema_change(
                    Verb::SqlAlter,
                    crate::classify::sql::nodes::given(&var.schemaname),
                );
            }
            (Some(var), _) => self.index_or_relation(var, Verb::SqlAlter),
            (None, Some(object)) => self.on_named(kind, Some(object), Verb::SqlAlter),
            // Databases, roles and tablespaces are renamed by name alone.
            (None, None) => {
                let database = self.database();
                self.act(Verb::SqlAlter, database);
            }
        }
    }
}

fn string(node: &N) -> Option<&str> {
    match node {
        N::String(s) => Some(&s.sval),
        N::List(l) => match l.items.as_slice() {
            [one] => name(one),
            _ => None,
        },
        _ => None,
    }
}
