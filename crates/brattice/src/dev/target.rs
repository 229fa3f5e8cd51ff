//! A bundle for a database that was named on the command line, with the rules of the example.
//!
//! Lives here: writing it where it can be read and changed. Never: a password; it stays in the environment.

use super::DevError;
use super::state::State;
use std::path::PathBuf;
use toml::{Table, Value};
use url::{Host, Url};

/// The target's name.
const NAME: &str = "dev-db";
/// Where a password is looked for, in this order.
const PASSWORDS: [&str; 2] = ["BRATTICE_TARGET_PASSWORD", "PGPASSWORD"];
/// The example's rules.
const POLICIES: [(&str, &str); 3] = [
    (
        "agents.cedar",
        include_str!("../../../../examples/orders/policies/agents.cedar"),
    ),
    (
        "data.cedar",
        include_str!("../../../../examples/orders/policies/data.cedar"),
    ),
    (
        "people.cedar",
        include_str!("../../../../examples/orders/policies/people.cedar"),
    ),
];
/// Names that columns with such data often have. Each is masked wherever it stands.
const COLUMNS: [(&str, &[&str]); 5] = [
    ("email", &["email", "e_mail", "email_address"]),
    (
        "payment_card",
        &["card", "card_number", "credit_card", "pan"],
    ),
    ("us_ssn", &["ssn", "social_security_number"]),
    ("iban", &["iban"]),
    ("phone", &["phone", "phone_number", "mobile"]),
];
/// How the file that is written begins: by this it is told from a whole bundle's.
pub const WRITTEN: &str = "# Written by `brattice dev --target-url`";
const HEAD: &str = "\
, anew each time that it is given. Listeners, store and identity provider are
# those of `brattice dev`. The rules in policies/ were copied from an example and are yours to change. Columns are masked by
# their usual names; in a bundle of your own, name yours.
#
# After a change, `brattice policy reload` checks it and puts it in force. `brattice check` finds it wanting: without
# `brattice dev`, which adds the rest, it is not whole.
";

/// Writes the bundle, leaving rules that are there as they are, and tells where it is.
pub(super) fn bundle(url: &str, state: &State) -> Result<PathBuf, DevError> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    bundle_where(url, state, &set)
}

/// The same where these variables are set.
pub(super) fn bundle_where(
    url: &str,
    state: &State,
    set: &dyn Fn(&str) -> bool,
) -> Result<PathBuf, DevError> {
    let target = target(url, set)?;
    let root = state.bundle();
    let policies = root.join("policies");
    state.directory(&policies)?;
    let mut own = Table::new();
    own.insert(
        "targets".to_owned(),
        Value::Table(Table::from_iter([(NAME.to_owned(), Value::Table(target))])),
    );
    own.insert("classes".to_owned(), Value::Table(classes()));
    let text = format!("{WRITTEN}{HEAD}\n{own}");
    state.public(&root.join(crate::config::FILE_NAME), text.as_bytes())?;
    for (name, text) in POLICIES {
        let path = policies.join(name);
        if !path.exists() {
            state.public(&path, text.as_bytes())?;
        }
    }
    Ok(root)
}

/// The classes that the example's rules speak of, with columns by their usual names.
fn classes() -> Table {
    let class = |(class, names): (&str, &[&str])| {
        let column = |name: &&str| Value::from(format!("{NAME}/*/*.*.{name}"));
        let columns = Value::Array(names.iter().map(column).collect());
        let table = Table::from_iter([("columns".to_owned(), columns)]);
        (class.to_owned(), Value::Table(table))
    };
    COLUMNS.into_iter().map(class).collect()
}

/// The target's table.
fn target(url: &str, is_set: &dyn Fn(&str) -> bool) -> Result<Table, DevError> {
    let bad = |why: &str| DevError::TargetUrl(why.to_owned());
    let url = Url::parse(url)
        .map_err(|_| bad("it is not a URL like postgres://app@127.0.0.1:5432/app"))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(bad("it does not begin with postgres://"));
    }
    if url.password().is_some() {
        return Err(bad(
            "it holds a password, which others on this machine can see in the list of processes: change that password, and \
             give the new one in the variable BRATTICE_TARGET_PASSWORD",
        ));
    }
    let host = url
        .host_str()
        .filter(|h| !h.is_empty())
        .ok_or_else(|| bad("it names no host"))?;
    let user = Some(url.username())
        .filter(|u| !u.is_empty())
        .ok_or_else(|| bad("it names no user"))?;
    let database = url.path().trim_start_matches('/');
    if database.is_empty() || database.contains('/') {
        return Err(bad(
            "it names no database: add it after the host, as in postgres://app@127.0.0.1/app",
        ));
    }
    let password = PASSWORDS
        .into_iter()
        .find(|name| is_set(name))
        .ok_or_else(|| {
            bad("there is no password: set the variable BRATTICE_TARGET_PASSWORD or PGPASSWORD")
        })?;
    let text = |s: &str| Value::from(s.to_owned());
    let labels = Table::from_iter([
        ("env".to_owned(), text("production")),
        ("team".to_owned(), text("orders")),
    ]);
    Ok(Table::from_iter([
        ("protocol".to_owned(), text("postgres")),
        ("host".to_owned(), text(host.trim_matches(['[', ']']))),
        (
            "port".to_owned(),
            Value::Integer(i64::from(url.port().unwrap_or(5432))),
        ),
        ("user".to_owned(), text(&decoded(user)?)),
        ("database".to_owned(), text(&decoded(database)?)),
        ("password".to_owned(), text(&format!("env:{password}"))),
        ("labels".to_owned(), Value::Table(labels)),
        ("tls".to_owned(), Value::Table(tls(&url)?)),
    ]))
}

/// Encryption as `sslmode` and `sslrootcert` say; none to this machine itself, verified to any other.
fn tls(url: &Url) -> Result<Table, DevError> {
    let mut tls = Table::new();
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "sslmode" => tls.insert("mode".to_owned(), Value::from(value.into_owned())),
            "sslrootcert" => {
                let path = std::path::absolute(value.as_ref())
                    .map_err(|why| DevError::TargetUrl(format!("sslrootcert: {why}")))?;
                tls.insert("ca".to_owned(), Value::from(path.display().to_string()))
            }
            other => {
                return Err(DevError::TargetUrl(format!(
                    "`{other}` is not understood; sslmode and sslrootcert are"
                )));
            }
        };
    }
    let local = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name == "127.0.0.1" || name == "::1",
        None => false,
    };
    if !tls.contains_key("mode") {
        tls.insert(
            "mode".to_owned(),
            Value::from(if local { "disable" } else { "verify-full" }),
        );
    }
    Ok(tls)
}

fn decoded(part: &str) -> Result<String, DevError> {
    // A part of a URL is a form field but for the plus sign.
    let form = part.replace('+', "%2B");
    let text = url::form_urlencoded::parse(form.as_bytes())
        .next()
        .map(|(name, _)| name.into_owned());
    text.filter(|t| !t.contains('\u{fffd}'))
        .ok_or_else(|| DevError::TargetUrl("it is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Table, DevError> {
        target(url, &|name| name == "PGPASSWORD")
    }

    #[test]
    fn a_database_becomes_a_target() {
        let t = of("postgres://app%20user@127.0.0.1:5433/orders").unwrap();
        let text = |key: &str| t[key].as_str().unwrap().to_owned();
        assert_eq!(
            (text("host"), text("user"), text("database")),
            ("127.0.0.1".into(), "app user".into(), "orders".into())
        );
        assert_eq!(t["port"].as_integer(), Some(5433));
        assert_eq!(text("password"), "env:PGPASSWORD");
        assert_eq!(t["tls"]["mode"].as_str(), Some("disable"));
        let far = of("postgresql://app@db.example.com/app?sslrootcert=/ca.pem").unwrap();
        assert_eq!(far["tls"]["mode"].as_str(), Some("verify-full"));
        assert_eq!(far["tls"]["ca"].as_str(), Some("/ca.pem"));
    }

    #[test]
    fn a_password_on_the_command_line_is_refused_and_not_repeated() {
        let error = of("postgres://app:hunter2@127.0.0.1/app")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("BRATTICE_TARGET_PASSWORD") && !error.contains("hunter2"),
            "{error}"
        );
    }

    #[test]
    fn what_is_missing_is_told() {
        for bad in [
            "127.0.0.1/app",
            "mysql://app@127.0.0.1/app",
            "postgres://127.0.0.1/app",
            "postgres://app@127.0.0.1",
            "postgres://app@127.0.0.1/a/b",
            "postgres://app@127.0.0.1/app?host=elsewhere",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
        let error = target("postgres://app@127.0.0.1/app", &|_| false)
            .unwrap_err()
            .to_string();
        assert!(error.contains("PGPASSWORD"));
    }
}
