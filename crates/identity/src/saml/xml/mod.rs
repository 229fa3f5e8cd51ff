//! XML as far as SAML needs it, read once into a tree from which everything else is taken.
//!
//! Lives here: the tree, and reading it without skipping anything. Never: SAML, signatures, a second way to read.
//!
//! One tree serves both questions: what was signed ([`canonical`] writes it from the tree), and what it says (the
//! accessors below). Nothing is found by name from afar: a reader walks down through the children it expects, in the
//! order that the schema gives, and whatever else stands there is refused.

mod canonical;
mod parse;
#[cfg(test)]
mod tests;
mod text;

pub(super) use canonical::canonical;
pub(crate) use parse::{Limits, parse};
pub(super) use text::escaped;

use super::refusal::SamlRefused;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What each prefix means at some place; the empty prefix is the default namespace.
pub(crate) type Scope = Rc<BTreeMap<String, Rc<str>>>;

/// An element, by its expanded name.
#[derive(Debug)]
pub(crate) struct Element {
    prefix: String,
    local: String,
    namespace: Rc<str>,
    /// In the order written; declarations of namespaces are not among them.
    attributes: Vec<Attribute>,
    scope: Scope,
    children: Vec<Node>,
}

#[derive(Debug)]
struct Attribute {
    prefix: String,
    local: String,
    /// Empty when it has no prefix: the default namespace is not for attributes.
    namespace: Rc<str>,
    value: String,
}

#[derive(Debug)]
enum Node {
    Element(Element),
    /// Never empty, and never beside another.
    Text(String),
}

impl Element {
    /// Whether this is its name.
    pub(super) fn is(&self, namespace: &str, local: &str) -> bool {
        &*self.namespace == namespace && self.local == local
    }
    /// The name without its namespace, for asking whether anything *looks* like something.
    pub(crate) fn local(&self) -> &str {
        &self.local
    }
    /// Its namespace.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }
    /// What the prefixes mean in it.
    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }
    /// The value of an attribute without a namespace.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = |a: &&Attribute| a.namespace.is_empty() && a.local == name;
        self.attributes.iter().find(found).map(|a| a.value.as_str())
    }
    /// The value of an attribute that must be there.
    pub(super) fn needs(&self, name: &'static str) -> Result<&str, SamlRefused> {
        self.attribute(name).ok_or(SamlRefused::Shape(name))
    }
    /// Every attribute: namespace, name and value.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.attributes
            .iter()
            .map(|a| (&*a.namespace, a.local.as_str(), a.value.as_str()))
    }
    /// Refuses attributes other than these, and any that has a namespace.
    pub(super) fn only(&self, allowed: &[&str]) -> Result<&Self, SamlRefused> {
        let good = |a: &Attribute| a.namespace.is_empty() && allowed.contains(&a.local.as_str());
        match self.attributes.iter().all(good) {
            true => Ok(self),
            false => Err(SamlRefused::Shape("attributes")),
        }
    }
    /// Its children, to be taken one by one; it has no text of its own.
    pub(crate) fn children(&self) -> Result<Children<'_>, SamlRefused> {
        let mut list = Vec::new();
        for node in &self.children {
            match node {
                Node::Element(e) => list.push(e),
                Node::Text(t) if t.bytes().all(text::is_space) => {}
                Node::Text(_) => return Err(SamlRefused::Shape("text between elements")),
            }
        }
        Ok(Children {
            list: list.into_iter().peekable(),
        })
    }
    /// Its text; it has no children.
    pub(crate) fn text(&self) -> Result<&str, SamlRefused> {
        match self.children.as_slice() {
            [] => Ok(""),
            [Node::Text(t)] => Ok(t),
            _ => Err(SamlRefused::Shape("elements within a value")),
        }
    }
    /// Its text without the white space around it, which schema types such as `anyURI` do not count.
    pub(super) fn token(&self) -> Result<&str, SamlRefused> {
        Ok(self
            .text()?
            .trim_matches(|c| matches!(c, ' ' | '\t' | '\n' | '\r')))
    }
    /// Refuses any content.
    pub(super) fn empty(&self) -> Result<&Self, SamlRefused> {
        self.children()?.end()?;
        Ok(self)
    }
    /// It and everything below it, in the order written.
    pub(super) fn each<'a>(&'a self, see: &mut impl FnMut(&'a Element)) {
        see(self);
        for node in &self.children {
            if let Node::Element(e) = node {
                e.each(see);
            }
        }
    }
}

/// An element's children in the order of a schema's sequence.
pub(crate) struct Children<'a> {
    list: std::iter::Peekable<std::vec::IntoIter<&'a Element>>,
}

impl<'a> Children<'a> {
    /// The next, if it is this.
    pub(super) fn take(&mut self, namespace: &str, local: &str) -> Option<&'a Element> {
        self.list.next_if(|e| e.is(namespace, local))
    }
    /// The next, which must be this.
    pub(super) fn need(
        &mut self,
        namespace: &str,
        local: &'static str,
    ) -> Result<&'a Element, SamlRefused> {
        self.take(namespace, local).ok_or(SamlRefused::Shape(local))
    }
    /// The next, whatever it is.
    pub(crate) fn any(&mut self) -> Option<&'a Element> {
        self.list.next()
    }
    /// Refuses what is left.
    pub(super) fn end(mut self) -> Result<(), SamlRefused> {
        match self.list.next() {
            None => Ok(()),
            Some(_) => Err(SamlRefused::Shape("order or number of elements")),
        }
    }
}
