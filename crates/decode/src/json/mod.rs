//! A JSON document as a flat list of nodes, each with its place in the body.
//!
//! The list is in the order of the text. A container is followed by what it holds; `next` leads past it, so a walk
//! needs no tree and skipping costs nothing. Numbers that follow each other in an array share one node.

mod escape;
mod keys;
mod number;
mod pointer;
mod reader;
mod scan;

use alloc::{borrow::Cow, vec::Vec};
use core::ops::Range;

pub use escape::escaped;
pub(crate) use escape::source;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use escape::undo;
pub(crate) use pointer::push_name;
pub(crate) use reader::{Content, read};

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `{…}`: members follow, name and value in turn.
    Object,
    /// `[…]`: elements follow.
    Array,
    /// The name of a member.
    Key,
    /// A string.
    String,
    /// One number or, in an array, a run of them.
    Numbers,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// The place of a node in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// The document itself.
    pub(crate) const ROOT: Self = Self(0);
    /// No node.
    const NONE: Self = Self(u32::MAX);

    fn index(self) -> usize {
        self.0 as usize
    }

    fn following(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// One value or name.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Where it starts in the body: for strings, the opening quote.
    start: u32,
    /// Where it ends: for strings, behind the closing quote.
    end: u32,
    /// The node behind it; while a container is open, the container around it; for numbers, the place of the first of
    /// them among the document's numbers.
    next: u32,
    /// Elements of an array, members of an object, numbers of a run.
    count: u32,
    kind: Kind,
    /// For strings: there are escapes in it. For numbers: one has a fraction or an exponent. For arrays: it holds
    /// nothing but numbers, nulls and such arrays.
    flag: bool,
}

/// What a lookup outside the list gives; no lookup does, but none may panic either.
const NOTHING: Node = Node { start: 0, end: 0, next: u32::MAX, count: 0, kind: Kind::Null, flag: false };

/// A document that was read.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    text: &'a str,
    nodes: Vec<Node>,
}

impl<'a> Document<'a> {
    fn node(&self, id: NodeId) -> Node {
        self.nodes.get(id.index()).copied().unwrap_or(NOTHING)
    }

    /// The body it was read from.
    pub(crate) fn body(&self) -> &'a str {
        self.text
    }

    /// What a node is.
    pub(crate) fn kind(&self, id: NodeId) -> Kind {
        self.node(id).kind
    }

    /// Where it stands in the body, quotes and brackets included.
    pub(crate) fn span(&self, id: NodeId) -> Range<usize> {
        let node = self.node(id);
        node.start as usize..node.end as usize
    }

    /// Where it starts in the body.
    pub(crate) fn start(&self, id: NodeId) -> usize {
        self.node(id).start as usize
    }

    /// Elements of an array, members of an object, numbers of a run.
    pub(crate) fn count(&self, id: NodeId) -> usize {
        self.node(id).count as usize
    }

    /// Whether an array holds nothing but numbers, nulls and such arrays.
    pub(crate) fn is_numeric(&self, id: NodeId) -> bool {
        let node = self.node(id);
        node.kind == Kind::Array && node.flag
    }

    /// Whether a run has a number with a fraction or an exponent.
    pub(crate) fn has_fraction(&self, id: NodeId) -> bool {
        let node = self.node(id);
        node.kind == Kind::Numbers && node.flag
    }

    /// Which of the document's numbers a run holds.
    pub(crate) fn run(&self, id: NodeId) -> Range<usize> {
        let node = self.node(id);
        let first = node.next as usize;
        if node.kind == Kind::Numbers { first..first + node.count as usize } else { 0..0 }
    }

    /// The body's text at a node, as written.
    pub(crate) fn written(&self, id: NodeId) -> &'a str {
        self.text.get(self.span(id)).unwrap_or_default()
    }

    /// Where the inside of a string or name stands in the body.
    pub(crate) fn inside_span(&self, id: NodeId) -> Range<usize> {
        let span = self.span(id);
        span.start + 1..span.end.saturating_sub(1).max(span.start + 1)
    }

    /// Whether a string or name is written with escapes.
    pub(crate) fn is_escaped(&self, id: NodeId) -> bool {
        let node = self.node(id);
        matches!(node.kind, Kind::String | Kind::Key) && node.flag
    }

    /// The text of a string or name: a slice of the body unless there are escapes in it. Empty for other nodes.
    pub(crate) fn text(&self, id: NodeId) -> Cow<'a, str> {
        let node = self.node(id);
        if !matches!(node.kind, Kind::String | Kind::Key) {
            return Cow::Borrowed("");
        }
        let inside = self.text.get(self.inside_span(id)).unwrap_or_default();
        if node.flag { Cow::Owned(escape::undo(inside)) } else { Cow::Borrowed(inside) }
    }

    /// The text of a string; `None` for other nodes.
    pub(crate) fn string(&self, id: NodeId) -> Option<Cow<'a, str>> {
        (self.kind(id) == Kind::String).then(|| self.text(id))
    }

    /// The value of an object's member.
    pub(crate) fn member(&self, object: NodeId, name: &str) -> Option<NodeId> {
        self.members(object).find(|(key, _)| self.is(*key, name)).map(|(_, value)| value)
    }

    /// Whether a string or name says just that.
    pub(crate) fn is(&self, id: NodeId, text: &str) -> bool {
        let node = self.node(id);
        let length = (node.end - node.start) as usize;
        if node.flag { self.text(id) == text } else { length == text.len() + 2 && self.text(id) == text }
    }

    /// The text of an object's member, when that is a string.
    pub(crate) fn member_string(&self, object: NodeId, name: &str) -> Option<Cow<'a, str>> {
        self.member(object, name).and_then(|value| self.string(value))
    }

    /// Names and values of an object, in order; none for other nodes.
    pub(crate) fn members(&self, object: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> + use<'_, 'a> {
        let mut inner = self.inner(object, Kind::Object);
        core::iter::from_fn(move || Some((inner.next()?, inner.next()?)))
    }

    /// Elements of an array, in order, a run of numbers as one; none for other nodes.
    pub(crate) fn elements(&self, array: NodeId) -> Inner<'_, 'a> {
        self.inner(array, Kind::Array)
    }

    fn inner(&self, container: NodeId, kind: Kind) -> Inner<'_, 'a> {
        let node = self.node(container);
        let end = if node.kind == kind { NodeId(node.next) } else { container };
        let at = if node.kind == kind { container.following() } else { end };
        Inner { document: self, at, end }
    }

    /// The node behind this one and all that it holds.
    fn next(&self, id: NodeId) -> NodeId {
        let node = self.node(id);
        match node.kind {
            Kind::Object | Kind::Array => NodeId(node.next),
            _ => id.following(),
        }
    }
}

/// What a container holds directly.
#[derive(Clone, Debug)]
pub(crate) struct Inner<'d, 'a> {
    document: &'d Document<'a>,
    at: NodeId,
    end: NodeId,
}

impl Iterator for Inner<'_, '_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        if self.at >= self.end {
            return None;
        }
        let id = self.at;
        self.at = self.document.next(id);
        Some(id)
    }
}
