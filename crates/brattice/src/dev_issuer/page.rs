//! The page that a person sees who opens the provider's address.
//!
//! Lives here: who exists and how to get a token. Never: secrets.

use super::Desk;
use brattice_core::principal::PrincipalKind;
use std::fmt::Write;

/// The choice of a person, for somebody who is to sign in; `query` is what was asked with.
pub(super) fn choice(desk: &Desk, query: &str) -> String {
    // As form encoding leaves it, but for what HTML reads.
    let query = query
        .replace('&', "&amp;")
        .replace(['"', '\'', '<', '>'], "");
    let mut people = String::new();
    let users = desk
        .parties
        .iter()
        .filter(|(_, p)| p.kind == PrincipalKind::User);
    for (name, party) in users {
        // Writing to a string does not fail.
        let _ = writeln!(
            people,
            "<li><a class=\"button\" href=\"?{query}&amp;as={name}\">{name}</a> {}</li>",
            party.groups.join(", ")
        );
    }
    format!(
        "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Brattice: dev identity provider</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 30rem; margin: 4rem auto; padding: 0 1rem }}
li {{ margin: .8rem 0 }}
</style>
<h1>Who are you?</h1>
<p>This stands in for your company's identity provider. Its people are made up, and need no password.</p>
<ul>
{people}</ul>
</html>
"
    )
}

/// The page. Names hold no character that HTML would read: the provider starts with no others.
pub(super) fn render(desk: &Desk) -> String {
    let mut rows = String::new();
    for (name, party) in &desk.parties {
        let kind = match party.kind {
            PrincipalKind::Agent => "agent",
            PrincipalKind::User => "person",
        };
        let acts_for: Vec<&str> = desk
            .delegations
            .iter()
            .filter(|(actor, _)| actor == name)
            .map(|(_, subject)| subject.as_str())
            .collect();
        // Writing to a string does not fail.
        let _ = writeln!(
            rows,
            "<tr><td><code>{name}</code></td><td>{kind}</td><td>{}</td><td>{}</td></tr>",
            party.groups.join(", "),
            acts_for.join(", ")
        );
    }
    let url = &desk.issuer_url;
    let minutes = desk.lifetime.as_secs().div_ceil(60);
    format!(
        "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Brattice: dev identity provider</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd }}
pre {{ background: #f4f4f4; padding: .8rem; overflow-x: auto }}
</style>
<h1>Dev identity provider</h1>
<p>It stands in for your own provider while you try Brattice out. Its key and its secrets are new at each start,
its tokens live {minutes} min, and it listens on this machine alone. Never use it for anything real.</p>
<table>
<tr><th>name</th><th>kind</th><th>groups</th><th>may act for</th></tr>
{rows}</table>
<h2>A token</h2>
<p><code>brattice dev</code> wrote a file for each name that curl reads the secret from:</p>
<pre>curl --netrc-file NAME.netrc -d grant_type=client_credentials {url}/token</pre>
<p>An agent that acts for somebody adds <code>-d on_behalf_of=NAME</code>, once for each link, nearest first.</p>
<p><a href=\"{url}/.well-known/openid-configuration\">discovery</a> · <a href=\"{url}/jwks\">keys</a></p>
</html>
"
    )
}
