//! The statements that make, end and find roles for one session.
//!
//! Lives here: their text, with every name and value quoted. Never: running them.
//!
//! They are sent as they stand: the login that runs them has `standard_conforming_strings` pinned to on, so that a
//! backslash in a literal is itself.

use super::name::{MARK, PREFIX};
use std::fmt::Write as _;

/// How long after its making a role can be logged in with.
const LOGIN_WITHIN: &str = "5 minutes";
/// How long after that a role of another gateway is left alone.
const LEFT_ALONE: &str = "1 hour";
/// Settings whose value is a list of quoted names (PostgreSQL's GUC_LIST_QUOTE): written back as a list, not as a text.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// An identifier.
pub(super) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A literal.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What has to be known of the template: until when the new role may log in, whether there is such a template, and the
/// settings that it gives its sessions. Rows of a kind, a name and a value.
pub(super) fn look_at(template: &str) -> String {
    format!(
        "SELECT kind, name, value FROM (\
         SELECT 0 AS at, 'until' AS kind, '' AS name, (pg_catalog.now() + interval '{LOGIN_WITHIN}')::text AS value \
         UNION ALL SELECT 1, 'template', r.rolname::text, '' FROM pg_catalog.pg_roles r WHERE r.rolname = {template} \
         UNION ALL SELECT CASE WHEN s.setdatabase = 0 THEN 2 ELSE 3 END, 'setting', \
         pg_catalog.split_part(c, '=', 1), pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) \
         FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c \
         WHERE s.setrole = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = {template}) \
         AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))\
         ) known ORDER BY at",
        template = text(template)
    )
}

/// A role to make.
pub(super) struct Making<'a> {
    pub role: &'a str,
    pub template: &'a str,
    pub verifier: &'a str,
    pub until: &'a str,
    pub marker: &'a str,
    pub settings: &'a [(String, String)],
}

impl Making<'_> {
    /// One message, so one transaction: all of it happens or nothing does.
    pub(super) fn written(&self) -> String {
        let (role, template) = (name(self.role), name(self.template));
        let mut sql = format!(
            "CREATE ROLE {role} LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS \
             CONNECTION LIMIT 1 PASSWORD {} VALID UNTIL {} IN ROLE {template}; COMMENT ON ROLE {role} IS {};",
            text(self.verifier),
            text(self.until),
            text(self.marker),
        );
        for (setting, value) in self.settings {
            let (of, as_text) = (name(setting), text(value));
            // Writing to a String cannot fail.
            let _ = if LISTS.iter().any(|l| l.eq_ignore_ascii_case(setting)) {
                write!(
                    sql,
                    " SELECT pg_catalog.set_config({}, {as_text}, true); ALTER ROLE {role} SET {of} FROM CURRENT;",
                    text(setting)
                )
            } else {
                write!(sql, " ALTER ROLE {role} SET {of} TO {as_text};")
            };
        }
        // Whatever the session makes is the template's, and so are the rights that are looked at.
        let _ = write!(
            sql,
            " ALTER ROLE {role} SET role TO {};",
            text(self.template)
        );
        sql
    }
}

/// Whether the role is there (a row), the server's major version, and whether we are its superuser.
pub(super) fn find(role: &str) -> String {
    format!(
        "SELECT pg_catalog.current_setting('server_version_num')::int / 10000, me.rolsuper FROM pg_catalog.pg_roles r, \
         pg_catalog.pg_roles me WHERE r.rolname = {} AND me.rolname = current_user",
        text(role)
    )
}

/// Nobody logs in with it any more, and we may end what did.
pub(super) fn close(role: &str, major: u32, superuser: bool) -> String {
    let role = name(role);
    let take = match (superuser, major) {
        (true, _) => String::new(),
        // From 16 on, who makes a role administers it without having its rights.
        (false, 16..) => format!(" GRANT {role} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE;"),
        (false, _) => format!(" GRANT {role} TO CURRENT_USER;"),
    };
    format!("ALTER ROLE {role} NOLOGIN;{take}")
}

/// Ends what is still logged in with it: a row for each.
pub(super) fn terminate(role: &str) -> String {
    format!(
        "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a WHERE a.usename = {}",
        text(role)
    )
}

/// The databases in which something hangs on the role; an empty name for what is in none.
pub(super) fn hangs(role: &str) -> String {
    format!(
        "SELECT DISTINCT COALESCE(d.datname::text, '') FROM pg_catalog.pg_shdepend s \
         LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid \
         WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass \
         AND s.refobjid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = {})",
        text(role)
    )
}

/// What it owns becomes the template's; rights that it was given by name go.
pub(super) fn loosen(role: &str, template: &str) -> String {
    let (role, template) = (name(role), name(template));
    format!("REASSIGN OWNED BY {role} TO {template}; DROP OWNED BY {role};")
}

/// The end of it.
pub(super) fn drop(role: &str) -> String {
    format!("DROP ROLE IF EXISTS {};", name(role))
}

/// All roles that look like ours: name, marker, and whether they are long past their use with nobody logged in.
pub(super) fn list() -> String {
    format!(
        "SELECT r.rolname::text, d.description, \
         r.rolvaliduntil < pg_catalog.now() - interval '{LEFT_ALONE}' AND NOT EXISTS \
         (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid) \
         FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_shdescription d \
         ON d.objoid = r.oid AND d.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass \
         WHERE pg_catalog.starts_with(r.rolname::text, {}) AND pg_catalog.starts_with(d.description, {})",
        text(PREFIX),
        text(MARK)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_end_where_they_should() {
        assert_eq!(name("a\"; DROP ROLE b"), "\"a\"\"; DROP ROLE b\"");
        assert_eq!(text("a'; DROP ROLE b"), "'a''; DROP ROLE b'");
        assert_eq!(text("a\\"), "'a\\'");
    }

    #[test]
    fn a_role_is_made_with_a_verifier_and_no_right_of_its_own() {
        let settings = [
            ("statement_timeout".to_owned(), "5s".to_owned()),
            ("search_path".to_owned(), "\"$user\", public".to_owned()),
            ("my.odd\"one".to_owned(), "it's".to_owned()),
        ];
        let sql = Making {
            role: "agent~a~ses_1~n",
            template: "app \"agent\"",
            verifier: "SCRAM-SHA-256$4096:c2FsdA==$a:b",
            until: "2026-01-01 00:00:00+00",
            marker: "brattice lease",
            settings: &settings,
        }
        .written();
        for part in [
            "CREATE ROLE \"agent~a~ses_1~n\" LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE",
            "CONNECTION LIMIT 1 PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$a:b' VALID UNTIL",
            "IN ROLE \"app \"\"agent\"\"\";",
            "SET \"statement_timeout\" TO '5s';",
            "set_config('search_path', '\"$user\", public', true);",
            "SET \"my.odd\"\"one\" TO 'it''s';",
            "SET role TO 'app \"agent\"';",
        ] {
            assert!(sql.contains(part), "{part}\nis not in\n{sql}");
        }
    }

    #[test]
    fn only_who_needs_it_takes_the_roles_rights() {
        assert_eq!(close("r", 18, true), "ALTER ROLE \"r\" NOLOGIN;");
        assert!(close("r", 15, false).ends_with("GRANT \"r\" TO CURRENT_USER;"));
        assert!(close("r", 16, false).contains("WITH INHERIT TRUE"));
    }
}
