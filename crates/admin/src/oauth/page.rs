//! The pages that a person sees while signing in.
//!
//! Lives here: their text, escaped; one style; no script. Never: what they lead to being decided.

use crate::ports::login::Confirm;
use std::fmt::Write;

/// Where the style is.
pub(super) const STYLE_PATH: &str = "/oauth/style.css";
/// The style of all pages.
pub(super) const STYLE: &str = "\
:root { color-scheme: light dark; --line: #8884; --accent: #0b6e4f }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 30rem; margin: 4rem auto; padding: 0 1.2rem }
h1 { font-size: 1.4rem; line-height: 1.3 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; padding: 1rem 0; \
border: solid var(--line); border-width: 1px 0 }
dt { opacity: .7 } dd { margin: 0; overflow-wrap: anywhere }
code { font: 1.05em ui-monospace, monospace }
.actions { display: flex; flex-wrap: wrap; gap: .7rem; margin-top: 1.4rem }
button, a.button { font: inherit; padding: .55rem 1.2rem; border-radius: .4rem; border: 1px solid var(--line); \
background: none; color: inherit; cursor: pointer; text-decoration: none }
button.yes, a.button { background: var(--accent); border-color: var(--accent); color: #fff }
input { font: 1.3rem ui-monospace, monospace; letter-spacing: .1em; padding: .4rem .6rem; width: 11ch; \
text-transform: uppercase }
:focus-visible { outline: 3px solid #2684ff; outline-offset: 2px }
";

/// A page and the origins that its form may lead to.
pub(super) struct Page {
    /// The document.
    pub html: String,
    /// Beside this one.
    pub leads_to: Option<String>,
}

impl Page {
    fn of(title: &str, body: &str) -> Self {
        let title = escaped(title);
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title} · Brattice</title>\n<link rel=\"stylesheet\" href=\"{STYLE_PATH}\">\n\
             <main>\n<h1>{title}</h1>\n{body}</main>\n</html>\n"
        );
        Self {
            html,
            leads_to: None,
        }
    }
}

/// The choice of a provider.
pub(super) fn choice(request: &str, providers: &[String]) -> Page {
    let mut body = "<p>By which of these do you sign in?</p>\n<div class=\"actions\">\n".to_owned();
    for name in providers {
        let name = escaped(name);
        let request = escaped(request);
        // Writing to a string does not fail.
        let _ = writeln!(
            body,
            "<a class=\"button\" href=\"/oauth/sign-in/{name}?request={request}\">{name}</a>"
        );
    }
    body.push_str("</div>\n");
    Page::of("Sign in", &body)
}

/// The question before a client gets anything.
pub(super) fn confirm(asked: &Confirm) -> Page {
    let who = escaped(&asked.identity.chain.acting.id());
    let question = escaped(&asked.question);
    let client = escaped(&asked.by.client);
    let groups = &asked.identity.chain.acting.groups;
    let groups = match groups.len() {
        0 => "none".to_owned(),
        _ => escaped(&groups.iter().cloned().collect::<Vec<_>>().join(", ")),
    };
    let (title, about, warning) = match &asked.by.device {
        None => (
            "Sign in on this computer?",
            "<dt>where</dt><dd>this computer</dd>\n".to_owned(),
            "A program on this computer asks to act as you. If you did not just start it, say no.",
        ),
        Some(elsewhere) => {
            let (from, code) = (escaped(&elsewhere.from), escaped(&elsewhere.code));
            let about = format!(
                "<dt>where</dt><dd>{from}</dd>\n<dt>its code</dt><dd><code>{code}</code></dd>\n"
            );
            match &elsewhere.login {
                None => (
                    "Sign in on another computer?",
                    about,
                    "A program on another computer asks to act as you. Say yes only if you see this very code there, \
                     and started it yourself: whoever sent you here by a link would otherwise act in your name.",
                ),
                Some(login) => (
                    "Go on as you over SSH?",
                    format!(
                        "<dt>asks for</dt><dd><code>{}</code></dd>\n{about}",
                        escaped(login)
                    ),
                    "A connection over SSH asks to go on as you. Say yes only if your own terminal shows this very code \
                     now: whoever sent you here by a link would otherwise be there in your name.",
                ),
            }
        }
    };
    let body = format!(
        "<p>{warning}</p>\n<dl>\n<dt>you</dt><dd><strong>{who}</strong></dd>\n\
         <dt>your groups</dt><dd>{groups}</dd>\n<dt>program</dt><dd><code>{client}</code></dd>\n{about}</dl>\n\
         <form method=\"post\" action=\"/oauth/answer\">\n\
         <input type=\"hidden\" name=\"question\" value=\"{question}\">\n<div class=\"actions\">\n\
         <button class=\"yes\" name=\"answer\" value=\"yes\">Yes, sign in</button>\n\
         <button name=\"answer\" value=\"no\">No</button>\n</div>\n</form>\n"
    );
    Page {
        leads_to: asked.leads_to.clone(),
        ..Page::of(title, &body)
    }
}

/// Where a device's code is typed.
pub(super) fn device() -> Page {
    Page::of(
        "Sign in another computer",
        "<p>Type the code that it shows.</p>\n<form method=\"get\" action=\"/oauth/device\">\n\
         <p><input name=\"user_code\" aria-label=\"Code\" autocomplete=\"off\" autocapitalize=\"characters\" \
         spellcheck=\"false\" maxlength=\"12\" required autofocus></p>\n\
         <button class=\"yes\">Go on</button>\n</form>\n",
    )
}

/// The end of a way.
pub(super) fn said(title: &str, text: &str) -> Page {
    Page::of(title, &format!("<p>{}</p>\n", escaped(text)))
}

/// Text as HTML shows it, in content and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
