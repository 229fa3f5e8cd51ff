//! Exclusive canonical XML 1.0, from the tree.
//!
//! Lives here: the bytes that a signature covers. Never: choosing what is covered.
//!
//! The recommendation's node-sets are not needed: what is written is always a whole element, at most without one child.
//! There are no comments and no processing instructions to leave out, for there are none in the tree.

use super::{Attribute, Element, Node};
use std::collections::{BTreeMap, BTreeSet};

/// What each prefix means in the output so far.
type Rendered<'a> = BTreeMap<&'a str, &'a str>;

/// The canonical form of an element, without the child `except`. The prefixes `inclusive` are treated as Canonical XML
/// 1.0 would (the `PrefixList` of exclusive canonicalisation; the empty one is `#default`).
pub(in super::super) fn canonical(
    element: &Element,
    inclusive: &[&str],
    except: Option<&Element>,
) -> String {
    let mut out = String::new();
    Writer { inclusive, except }.element(element, &Rendered::new(), &mut out);
    out
}

struct Writer<'a> {
    inclusive: &'a [&'a str],
    except: Option<&'a Element>,
}

impl Writer<'_> {
    fn element<'e>(&self, e: &'e Element, above: &Rendered<'e>, out: &mut String) {
        let new = self.namespaces(e, above);
        let mut rendered = above.clone();
        rendered.extend(new.iter());

        out.push('<');
        push_name(&e.prefix, &e.local, out);
        for (prefix, uri) in &new {
            out.push_str(" xmlns");
            if !prefix.is_empty() {
                out.push(':');
                out.push_str(prefix);
            }
            push_value(uri, out);
        }
        let mut attributes: Vec<&Attribute> = e.attributes.iter().collect();
        attributes.sort_by(|a, b| (&a.namespace, &a.local).cmp(&(&b.namespace, &b.local)));
        for a in attributes {
            out.push(' ');
            push_name(&a.prefix, &a.local, out);
            push_value(&a.value, out);
        }
        out.push('>');
        for node in &e.children {
            match node {
                Node::Text(text) => push_text(text, out),
                Node::Element(child) if self.except.is_some_and(|x| std::ptr::eq(x, child)) => {}
                Node::Element(child) => self.element(child, &rendered, out),
            }
        }
        out.push_str("</");
        push_name(&e.prefix, &e.local, out);
        out.push('>');
    }

    /// The declarations that this element must carry: of the prefixes it visibly uses and of the inclusive ones, where
    /// they mean something else than in the output above (section 3 of the recommendation).
    fn namespaces<'e>(&self, e: &'e Element, above: &Rendered<'e>) -> Rendered<'e> {
        let used = e
            .attributes
            .iter()
            .map(|a| &a.prefix)
            .filter(|prefix| !prefix.is_empty())
            .chain([&e.prefix]);
        let mut prefixes: BTreeSet<&str> = used.map(String::as_str).collect();
        prefixes.extend(
            self.inclusive
                .iter()
                .filter_map(|p| e.scope.get_key_value(*p))
                .map(|(p, _)| p.as_str()),
        );
        let mut new = Rendered::new();
        for prefix in prefixes.into_iter().filter(|p| *p != "xml") {
            // Without a declaration only the default namespace can be meant, which then is none.
            let uri = e.scope.get(prefix).map_or("", |uri| &**uri);
            if above.get(prefix).copied().unwrap_or("") != uri {
                new.insert(prefix, uri);
            }
        }
        new
    }
}

fn push_name(prefix: &str, local: &str, out: &mut String) {
    if !prefix.is_empty() {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(local);
}

/// `="…"`, with the characters escaped that section 2.3 of Canonical XML names.
fn push_value(value: &str, out: &mut String) {
    out.push_str("=\"");
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn push_text(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
}
