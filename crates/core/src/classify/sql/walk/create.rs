//! CREATE: tables, views, sequences, schemas, functions, and parts of tables.
//!
//! Lives here: what comes to be, where, and what later statements of the message may know of it. Never: expressions in
//! definitions (see `define`).

use super::Walk;
use super::names::TEMPORARY_SCHEMA;
use crate::action::{Object, RelationKind, Verb};
use crate::classify::sql::catalogue::{Column, Function, Relation};
use crate::classify::sql::command::Consequence;
use crate::classify::sql::nodes::{child, given, inner, qualified};
use crate::classify::sql::pending::Doubt;
use crate::classify::sql::scope::Columns;
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;

impl Walk<'_> {
    /// A new relation, known to what follows in the message.
    pub(super) fn creates_relation(
        &mut self,
        var: &pb::RangeVar,
        kind: RelationKind,
        columns: Columns,
    ) {
        self.changes_catalogue();
        self.now.named = true;
        let schema_written = given(&var.schemaname);
        let temporary =
            var.relpersistence == "t" || schema_written.is_some_and(|s| s.starts_with("pg_temp"));
        let stored = kind != RelationKind::View;
        let (schema, kind) = if temporary {
            let own = self.ctx.path.temporary().unwrap_or(TEMPORARY_SCHEMA);
            (own.to_owned(), RelationKind::Temporary)
        } else {
            (self.schema_for_new(schema_written), kind)
        };
        if matches!(schema.as_str(), "pg_catalog" | "information_schema") {
            self.not_modelled("A new relation among the server's own");
        }
        let (names, known) = match columns {
            Columns::Known(names) => (names, true),
            Columns::Any => (Vec::new(), false),
        };
        let relation = Relation {
            schema,
            name: var.relname.clone(),
            kind,
            // One of that name may have been there already, where nobody can tell.
            system_columns: stored && known && !self.ctx.catalogue.unseen,
            columns: names
                .into_iter()
                .zip(1_i16..)
                .map(|(name, number)| Column {
                    number,
                    name,
                    ..Column::default()
                })
                .collect(),
            ..Relation::default()
        };
        let object = self.relation_object(&relation);
        self.act(Verb::SqlCreate, object);
        let key = (relation.schema.clone(), relation.name.clone());
        let dropped = matches!(self.pending.relation(&key.0, &key.1), Some(None));
        if dropped || !self.ctx.catalogue.relations.contains_key(&key) {
            self.pending.creates(relation, known);
        } else if relation.kind == RelationKind::View {
            // Perhaps replaced. Of anything else what is there stays, or the message fails.
            self.pending.doubts(Doubt::All);
        }
    }

    pub(super) fn create_table(&mut self, s: &pb::CreateStmt, kind: RelationKind) {
        let pb::CreateStmt {
            relation,
            table_elts,
            inh_relations,
            partbound,
            partspec,
            of_typename,
            constraints,
            nnconstraints,
            options: _,
            oncommit: _,
            tablespacename: _,
            access_method: _,
            if_not_exists,
        } = s;
        self.definitions(table_elts);
        self.definitions(constraints);
        self.definitions(nnconstraints);
        if let Some(name) = of_typename {
            self.type_name(name);
        }
        if let Some(bound) = partbound {
            self.partition_bound(bound);
        }
        if let Some(spec) = partspec {
            self.definitions(&spec.part_params);
        }
        // Its rows become rows of these.
        for parent in inh_relations {
            match inner(parent) {
                Some(N::RangeVar(v)) => self.alters_alone(v),
                _ => self.not_modelled("INHERITS"),
            }
        }
        let told: Option<Vec<String>> = table_elts
            .iter()
            .map(|e| match inner(e) {
                Some(N::ColumnDef(c)) => Some(Some(c.colname.clone())),
                Some(N::Constraint(_)) => Some(None),
                _ => None,
            })
            .collect::<Option<Vec<Option<String>>>>()
            .map(|names| names.into_iter().flatten().collect());
        // IF NOT EXISTS may leave another table standing.
        let whole = inh_relations.is_empty() && of_typename.is_none() && !*if_not_exists;
        let columns = match told {
            Some(names) if whole => Columns::Known(names),
            _ => Columns::Any,
        };
        match relation {
            Some(var) => self.creates_relation(var, kind, columns),
            None => self.not_modelled("CREATE TABLE"),
        }
    }

    /// A foreign table reaches another server with credentials kept in this one.
    pub(super) fn create_foreign_table(&mut self, s: &pb::CreateForeignTableStmt) {
        let database = self.database();
        self.act(Verb::SqlCreate, database);
        match &s.base_stmt {
            Some(base) => self.create_table(base, RelationKind::ForeignTable),
            None => self.not_modelled("CREATE FOREIGN TABLE"),
        }
    }

    /// A view shows what its query reads: the query is judged as a reader's would be.
    pub(super) fn create_view(&mut self, s: &pb::ViewStmt) {
        let columns = match child(&s.query) {
            Some(query) => self.query(query),
            None => Columns::Any,
        };
        let columns = columns.renamed(&super::query::alias_names(&s.aliases));
        match &s.view {
            Some(var) => self.creates_relation(var, RelationKind::View, columns),
            None => self.not_modelled("CREATE VIEW"),
        }
        if s.replace {
            self.pending.doubts(Doubt::All);
        }
    }

    pub(super) fn create_sequence(&mut self, s: &pb::CreateSeqStmt) {
        match &s.sequence {
            Some(var) => self.creates_relation(
                var,
                RelationKind::Sequence,
                Columns::Known(
                    ["last_value", "log_cnt", "is_called"]
                        .map(str::to_owned)
                        .into(),
                ),
            ),
            None => self.not_modelled("CREATE SEQUENCE"),
        }
    }

    pub(super) fn create_schema(&mut self, s: &pb::CreateSchemaStmt) {
        self.changes_catalogue();
        let name = match (&s.authrole, s.schemaname.as_str()) {
            (Some(role), "") if !role.rolename.is_empty() => role.rolename.clone(),
            (_, "") => {
                self.not_modelled("CREATE SCHEMA without a name");
                return;
            }
            (_, name) => name.to_owned(),
        };
        let database = self.database();
        self.act(Verb::SqlCreate, database);
        let schema = self.schema_object(&name);
        self.act(Verb::SqlCreate, schema);
        if !s.schema_elts.is_empty() {
            // Unqualified names in these mean the new schema.
            self.not_modelled("CREATE SCHEMA with objects in it");
        }
        // A schema that the path names without existing begins to count.
        self.leaves(Consequence::PathInDoubt);
        self.pending.doubts(Doubt::Unqualified);
    }

    pub(super) fn create_function(&mut self, s: &pb::CreateFunctionStmt) {
        self.changes_catalogue();
        self.now.named = true;
        let Some(name) = qualified(&s.funcname) else {
            self.not_modelled("CREATE FUNCTION");
            return;
        };
        let mut arguments = Vec::new();
        for parameter in &s.parameters {
            match inner(parameter) {
                Some(N::FunctionParameter(p)) => {
                    let out = matches!(
                        pb::FunctionParameterMode::try_from(p.mode),
                        Ok(pb::FunctionParameterMode::FuncParamOut
                            | pb::FunctionParameterMode::FuncParamTable)
                    );
                    if !out {
                        let shown = p.arg_type.as_ref().map(|t| self.type_shown(t));
                        arguments.push(shown.unwrap_or_default());
                    }
                }
                _ => self.not_modelled("A parameter"),
            }
        }
        let definer =
            crate::classify::sql::nodes::options(&s.options).any(|o| o.defname == "security");
        let schema = self.schema_for_new(name.schema);
        let function = Function {
            schema,
            name: name.name.to_owned(),
            signature: format!("{}({})", name.name, arguments.join(",")),
            volatile: true,
            security_definer: definer,
            ..Function::default()
        };
        let object = self.own_function_object(&function);
        self.act(Verb::SqlCreate, object);
        self.pending.defines(function);
    }

    /// A type as a signature spells it.
    pub(super) fn type_shown(&mut self, name: &pb::TypeName) -> String {
        let found = self.type_name(name);
        let base = match found.as_slice() {
            [one] => self.ctx.catalogue.types.get(one).map(|t| t.display.clone()),
            _ => None,
        };
        let mut shown = base.unwrap_or_else(|| {
            super::query::alias_names(&name.names)
                .last()
                .cloned()
                .unwrap_or_default()
        });
        for _ in &name.array_bounds {
            shown.push_str("[]");
        }
        shown
    }

    pub(super) fn create_index(&mut self, s: &pb::IndexStmt) {
        self.definitions(&s.index_params);
        self.definitions(&s.index_including_params);
        self.opaque(child(&s.where_clause));
        self.part_of(s.relation.as_ref(), Verb::SqlCreate);
    }

    pub(super) fn create_statistics(&mut self, s: &pb::CreateStatsStmt) {
        for element in &s.exprs {
            match inner(element) {
                Some(N::StatsElem(e)) => self.opaque(child(&e.expr)),
                _ => self.not_modelled("CREATE STATISTICS"),
            }
        }
        for relation in &s.relations {
            match inner(relation) {
                Some(N::RangeVar(v)) => self.part_of(Some(v), Verb::SqlCreate),
                _ => self.not_modelled("CREATE STATISTICS"),
            }
        }
    }

    pub(super) fn create_trigger(&mut self, s: &pb::CreateTrigStmt) {
        self.opaque(child(&s.when_clause));
        self.part_of(s.relation.as_ref(), Verb::SqlCreate);
        self.pending.doubts(Doubt::All);
    }

    /// A rule puts its actions in the place of later statements.
    pub(super) fn create_rule(&mut self, s: &pb::RuleStmt) {
        self.part_of(s.relation.as_ref(), Verb::SqlCreate);
        self.unclear(
            crate::classify::sql::command::Unclear::new(
                "brattice.sql.rule",
                "A rule puts other statements in the place of later ones.",
            )
            .hint("Use a trigger or a view."),
        );
        self.pending.doubts(Doubt::All);
    }

    pub(super) fn create_policy(&mut self, s: &pb::CreatePolicyStmt) {
        self.opaque(child(&s.qual));
        self.opaque(child(&s.with_check));
        self.part_of(s.table.as_ref(), Verb::SqlCreate);
    }

    pub(super) fn alter_policy(&mut self, s: &pb::AlterPolicyStmt) {
        self.opaque(child(&s.qual));
        self.opaque(child(&s.with_check));
        self.part_of(s.table.as_ref(), Verb::SqlAlter);
    }

    /// Indexes, triggers, policies and their like are judged on the table they belong to.
    pub(super) fn part_of(&mut self, table: Option<&pb::RangeVar>, verb: Verb) {
        self.changes_catalogue();
        match table {
            Some(var) => self.alters(var, verb),
            None => self.not_modelled("A part without a table"),
        }
    }

    /// What is kept per schema without being a relation or a function: types, operators, collations, …; and what is kept
    /// per database: extensions, servers, publications, ….
    pub(super) fn whole_schema(&mut self, node: &N) {
        let schema = match node {
            N::DefineStmt(s) => qualified(&s.defnames),
            N::CreateDomainStmt(s) => {
                self.definitions(&s.constraints);
                qualified(&s.domainname)
            }
            N::CreateEnumStmt(s) => qualified(&s.type_name),
            N::CreateRangeStmt(s) => qualified(&s.type_name),
            N::CompositeTypeStmt(s) => {
                let Some(var) = &s.typevar else {
                    return self.not_modelled("CREATE TYPE");
                };
                return self.schema_change(Verb::SqlCreate, given(&var.schemaname));
            }
            N::CreateConversionStmt(s) => qualified(&s.conversion_name),
            N::CreateOpClassStmt(s) => qualified(&s.opclassname),
            N::CreateOpFamilyStmt(s) => qualified(&s.opfamilyname),
            _ => return self.whole_schema_altered(node),
        };
        match schema {
            Some(name) => self.schema_change(Verb::SqlCreate, name.schema),
            None => self.not_modelled("CREATE"),
        }
    }

    fn whole_schema_altered(&mut self, node: &N) {
        let name = match node {
            N::AlterEnumStmt(s) => qualified(&s.type_name),
            N::AlterTypeStmt(s) => qualified(&s.type_name),
            N::AlterDomainStmt(s) => {
                self.opaque(child(&s.def).filter(|d| matches!(d, N::Constraint(_))));
                qualified(&s.type_name)
            }
            N::AlterCollationStmt(s) => qualified(&s.collname),
            N::AlterOpFamilyStmt(s) => qualified(&s.opfamilyname),
            N::AlterStatsStmt(s) => qualified(&s.defnames),
            N::AlterTsdictionaryStmt(s) => qualified(&s.dictname),
            N::AlterTsconfigurationStmt(s) => qualified(&s.cfgname),
            N::AlterOperatorStmt(s) => s.opername.as_ref().and_then(|o| qualified(&o.objname)),
            _ => return self.whole_database(node),
        };
        match name {
            Some(name) => self.schema_change(Verb::SqlAlter, name.schema),
            None => self.not_modelled("ALTER"),
        }
    }

    /// Types, operators and casts change what later names mean.
    pub(super) fn schema_change(&mut self, verb: Verb, schema: Option<&str>) {
        self.changes_catalogue();
        let schema = self.schema_for_new(schema);
        let object = self.schema_object(&schema);
        self.act(verb, object);
        self.pending.doubts(Doubt::All);
    }

    fn whole_database(&mut self, node: &N) {
        let verb = match node {
            N::CreateExtensionStmt(_)
            | N::CreateFdwStmt(_)
            | N::CreateForeignServerStmt(_)
            | N::CreateUserMappingStmt(_)
            | N::ImportForeignSchemaStmt(_)
            | N::CreateAmStmt(_)
            | N::CreateEventTrigStmt(_)
            | N::CreatePlangStmt(_)
            | N::CreateCastStmt(_)
            | N::CreateTransformStmt(_)
            | N::CreatePublicationStmt(_)
            | N::CreateSubscriptionStmt(_)
            | N::CreateTableSpaceStmt(_) => Verb::SqlCreate,
            N::AlterExtensionStmt(_)
            | N::AlterExtensionContentsStmt(_)
            | N::AlterFdwStmt(_)
            | N::AlterForeignServerStmt(_)
            | N::AlterUserMappingStmt(_)
            | N::AlterEventTrigStmt(_)
            | N::AlterTableSpaceOptionsStmt(_)
            | N::AlterTableMoveAllStmt(_)
            | N::AlterPublicationStmt(_)
            | N::AlterSubscriptionStmt(_) => Verb::SqlAlter,
            N::DropUserMappingStmt(_) | N::DropSubscriptionStmt(_) | N::DropTableSpaceStmt(_) => {
                Verb::SqlDrop
            }
            _ => return self.databases(node),
        };
        self.changes_catalogue();
        let database = self.database();
        self.act(verb, database);
        self.pending.doubts(Doubt::All);
    }

    fn databases(&mut self, node: &N) {
        let (verb, name) = match node {
            N::CreatedbStmt(s) => (Verb::SqlCreate, &s.dbname),
            N::AlterDatabaseStmt(s) => (Verb::SqlAlter, &s.dbname),
            N::AlterDatabaseSetStmt(s) => (Verb::SqlAlter, &s.dbname),
            N::AlterDatabaseRefreshCollStmt(s) => (Verb::SqlAlter, &s.dbname),
            N::DropdbStmt(s) => (Verb::SqlDrop, &s.dbname),
            N::CheckPointStmt(_) => {
                self.now.changes = true;
                let database = self.database();
                return self.act(Verb::SqlAlter, database);
            }
            _ => return self.not_modelled("A statement of this kind"),
        };
        self.now.changes = true;
        self.act(
            verb,
            Object::Database {
                database: name.clone(),
            },
        );
    }
}
