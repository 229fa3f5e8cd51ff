//! Bytes to a tree, for the part of XML 1.0 with namespaces that SAML messages are written in.
//!
//! Lives here: the reader and its limits. Never: mending, guessing; what is not understood is refused.
//!
//! There is no DTD, no entity but XML's own five, no processing instruction, no CDATA section, and in a message no
//! comment: each has been used to make two readers see two things. Names are of ASCII.

use super::super::names::{XML, XMLNS};
use super::super::refusal::SamlRefused;
use super::text::{is_char, is_name_byte, is_plain_ncname, is_space, resolved};
use super::{Attribute, Element, Node, Scope};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How much a document may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub bytes_max: usize,
    pub depth_max: usize,
    pub elements_max: usize,
    /// Attributes of one element, declarations of namespaces included; and namespaces declared at one place.
    pub attributes_max: usize,
    /// Drops comments that stand between elements. For the operator's own files: nobody signed what is read of them.
    pub comments: bool,
}

/// Reads a document, or a part of one whose prefixes mean what `scope` says.
pub(crate) fn parse(bytes: &[u8], scope: &Scope, limits: &Limits) -> Result<Element, SamlRefused> {
    if bytes.len() > limits.bytes_max {
        return Err(SamlRefused::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SamlRefused::Xml("it is not UTF-8"))?;
    if !text.chars().all(is_char) {
        return Err(SamlRefused::Xml("it holds what is no character of XML"));
    }
    let mut reader = Reader {
        rest: after_declaration(text)?,
        scope,
        limits,
        elements: 0,
        open: Vec::new(),
        root: None,
    };
    while !reader.rest.is_empty() {
        reader.step()?;
    }
    match reader.root {
        Some(root) if reader.open.is_empty() => Ok(root),
        _ => Err(SamlRefused::Xml("it ends too soon")),
    }
}

/// Takes `<?xml version="1.0" encoding="UTF-8"?>` off, which may say nothing else.
fn after_declaration(text: &str) -> Result<&str, SamlRefused> {
    let Some(rest) = text.strip_prefix("<?xml") else {
        return Ok(text);
    };
    let wrong = SamlRefused::Xml("its declaration is not one of XML 1.0 in UTF-8");
    let Some((inside, rest)) = rest.split_once("?>") else {
        return Err(wrong);
    };
    let said: Vec<String> = inside
        .split_ascii_whitespace()
        .map(|part| part.replace('\'', "\"").to_ascii_lowercase())
        .collect();
    let mut said = said.iter().map(String::as_str).peekable();
    let version = said.next() == Some("version=\"1.0\"");
    said.next_if_eq(&"encoding=\"utf-8\"");
    said.next_if(|s| matches!(*s, "standalone=\"yes\"" | "standalone=\"no\""));
    let spaced = inside.bytes().next().is_some_and(is_space);
    match version && spaced && said.next().is_none() {
        true => Ok(rest),
        false => Err(wrong),
    }
}

struct Reader<'a> {
    rest: &'a str,
    scope: &'a Scope,
    limits: &'a Limits,
    elements: usize,
    open: Vec<Open>,
    root: Option<Element>,
}

struct Open {
    element: Element,
    /// The name as written, which the end tag repeats.
    name: String,
    /// A comment was dropped here: no text may follow, or it would be joined across the comment.
    commented: bool,
}

impl<'a> Reader<'a> {
    fn step(&mut self) -> Result<(), SamlRefused> {
        let raw = self.until("<");
        self.text(raw)?;
        if self.rest.is_empty() {
            Ok(())
        } else if self.eat("</") {
            self.close()
        } else if self.eat("<!--") {
            self.comment()
        } else if self.rest.starts_with("<!") || self.rest.starts_with("<?") {
            Err(SamlRefused::Xml(
                "it has a DTD, a CDATA section or a processing instruction",
            ))
        } else {
            self.eat("<");
            self.start()
        }
    }

    fn text(&mut self, raw: &str) -> Result<(), SamlRefused> {
        if raw.is_empty() {
            return Ok(());
        }
        let blank = raw.bytes().all(is_space);
        let Some(open) = self.open.last_mut() else {
            return match blank {
                true => Ok(()),
                false => Err(SamlRefused::Xml("text stands outside of the element")),
            };
        };
        if raw.contains("]]>") || (open.commented && !blank) {
            return Err(SamlRefused::Xml("text stands where it may not"));
        }
        let more = resolved(raw, false)?;
        match open.element.children.last_mut() {
            Some(Node::Text(before)) => before.push_str(&more),
            _ => open.element.children.push(Node::Text(more)),
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), SamlRefused> {
        let inside = self.until("-->");
        let text_before = self.open.last().is_some_and(|open| {
            let blank = |n: &Node| !matches!(n, Node::Text(t) if !t.bytes().all(is_space));
            !open.element.children.iter().all(blank)
        });
        let well_formed = !inside.contains("--") && !inside.ends_with('-');
        if !self.limits.comments || text_before || !well_formed || !self.eat("-->") {
            return Err(SamlRefused::Xml("it has a comment"));
        }
        if let Some(open) = self.open.last_mut() {
            open.commented = true;
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), SamlRefused> {
        let name = self.name()?;
        let mut written: Vec<(&str, String)> = Vec::new();
        let ends = loop {
            let spaced = self.space();
            if self.eat("/>") {
                break true;
            }
            if self.eat(">") {
                break false;
            }
            if !spaced {
                return Err(SamlRefused::Xml("a tag is not well-formed"));
            }
            written.push(self.attribute()?);
            if written.len() > self.limits.attributes_max {
                return Err(SamlRefused::Xml("an element has too many attributes"));
            }
        };
        self.elements = self.elements.saturating_add(1);
        if self.elements > self.limits.elements_max {
            return Err(SamlRefused::Xml("it has too many elements"));
        }
        if self.open.len() >= self.limits.depth_max {
            return Err(SamlRefused::Xml("it is nested too deeply"));
        }
        if self.root.is_some() {
            return Err(SamlRefused::Xml("it has more than one root"));
        }
        let outer = self.open.last().map_or(self.scope, |o| &o.element.scope);
        let element = element_of(name, &written, outer, self.limits)?;
        match ends {
            true => self.place(element),
            false => self.open.push(Open {
                element,
                name: name.to_owned(),
                commented: false,
            }),
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), SamlRefused> {
        let name = self.name()?;
        self.space();
        let open = self.open.pop();
        match open {
            Some(open) if open.name == name && self.eat(">") => {
                self.place(open.element);
                Ok(())
            }
            _ => Err(SamlRefused::Xml("an end tag is not its start tag's")),
        }
    }

    fn place(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.element.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }

    fn attribute(&mut self) -> Result<(&'a str, String), SamlRefused> {
        let wrong = SamlRefused::Xml("an attribute is not well-formed");
        let name = self.name()?;
        self.space();
        if !self.eat("=") {
            return Err(wrong);
        }
        self.space();
        let quote = match self.rest.bytes().next() {
            Some(b'"') => "\"",
            Some(b'\'') => "'",
            _ => return Err(wrong),
        };
        self.eat(quote);
        let raw = self.until(quote);
        if raw.contains('<') || !self.eat(quote) {
            return Err(wrong);
        }
        Ok((name, resolved(raw, true)?))
    }

    /// A name with or without a prefix.
    fn name(&mut self) -> Result<&'a str, SamlRefused> {
        let end = self
            .rest
            .bytes()
            .position(|b| !is_name_byte(b) && b != b':')
            .unwrap_or(self.rest.len());
        let name = self.take(end);
        let good = match name.split_once(':') {
            Some((prefix, local)) => is_plain_ncname(prefix) && is_plain_ncname(local),
            None => is_plain_ncname(name),
        };
        match good {
            true => Ok(name),
            false => Err(SamlRefused::Xml("a name is not a plain one")),
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn space(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self
            .rest
            .trim_start_matches(|c: char| u8::try_from(c).is_ok_and(is_space));
        self.rest.len() < before
    }

    /// What stands before the token, or everything when it never comes.
    fn until(&mut self, token: &str) -> &'a str {
        self.take(self.rest.find(token).unwrap_or(self.rest.len()))
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}

/// Joins a start tag's name and attributes to their namespaces (Namespaces in XML 1.0).
fn element_of(
    name: &str,
    written: &[(&str, String)],
    outer: &Scope,
    limits: &Limits,
) -> Result<Element, SamlRefused> {
    let scope = scope_of(written, outer, limits)?;
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    let mut attributes: Vec<Attribute> = Vec::new();
    for (name, value) in written.iter().filter(|(name, _)| declared(name).is_none()) {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let namespace = match prefix {
            "" => Rc::from(""),
            prefix => namespace_of(prefix, &scope)?,
        };
        let same = |a: &Attribute| a.local == local && a.namespace == namespace;
        if attributes.iter().any(same) {
            return Err(SamlRefused::Xml("an attribute is given twice"));
        }
        attributes.push(Attribute {
            prefix: prefix.to_owned(),
            local: local.to_owned(),
            namespace,
            value: value.clone(),
        });
    }
    Ok(Element {
        prefix: prefix.to_owned(),
        local: local.to_owned(),
        namespace: namespace_of(prefix, &scope)?,
        attributes,
        scope,
        children: Vec::new(),
    })
}

/// The prefix that an attribute of this name declares.
fn declared(name: &str) -> Option<&str> {
    match name {
        "xmlns" => Some(""),
        _ => name.strip_prefix("xmlns:"),
    }
}

fn scope_of(
    written: &[(&str, String)],
    outer: &Scope,
    limits: &Limits,
) -> Result<Scope, SamlRefused> {
    let mut own: BTreeMap<String, Rc<str>> = BTreeMap::new();
    for (name, uri) in written {
        let Some(prefix) = declared(name) else {
            continue;
        };
        let reserved = matches!(prefix, "xml" | "xmlns") || matches!(uri.as_str(), XML | XMLNS);
        // A prefix cannot be undone, and a relative reference is no name (Canonical XML 1.0, section 1.3).
        let undone = uri.is_empty() && !prefix.is_empty();
        if reserved || undone || !(uri.is_empty() || is_absolute(uri)) {
            return Err(SamlRefused::Xml("a namespace is declared that may not be"));
        }
        if own
            .insert(prefix.to_owned(), Rc::from(uri.as_str()))
            .is_some()
        {
            return Err(SamlRefused::Xml("a namespace is declared twice"));
        }
    }
    if own.is_empty() {
        return Ok(outer.clone());
    }
    let mut all = BTreeMap::clone(outer);
    all.append(&mut own);
    if all.len() > limits.attributes_max {
        return Err(SamlRefused::Xml("it has too many namespaces"));
    }
    Ok(Rc::new(all))
}

fn is_absolute(uri: &str) -> bool {
    let plain = uri.bytes().all(|b| b.is_ascii_graphic());
    plain
        && uri.split_once(':').is_some_and(|(scheme, rest)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
                && !rest.is_empty()
        })
}

fn namespace_of(prefix: &str, scope: &Scope) -> Result<Rc<str>, SamlRefused> {
    match (prefix, scope.get(prefix)) {
        ("xml", _) => Ok(Rc::from(XML)),
        (_, Some(uri)) => Ok(uri.clone()),
        ("", None) => Ok(Rc::from("")),
        (_, None) => Err(SamlRefused::Xml("a prefix means nothing")),
    }
}
