//! Reading a document: one pass, no recursion, every step bounded.

use alloc::vec::Vec;

use super::{Document, Kind, Node, NodeId, escape::escape, keys, number, scan};
use crate::{Limits, Problem, ProblemKind, limits::DEPTH_CEILING};

/// A document and its numbers.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    /// Its values and names.
    pub(crate) document: Document<'a>,
    /// Its numbers, in order.
    pub(crate) numbers: Vec<f64>,
    /// Where those stand that JSON does not allow: `NaN`, the infinities, and numbers too large for a double.
    pub(crate) beyond: Vec<u32>,
}

/// Reads the JSON document that fills `text` from `start` on.
pub(crate) fn read<'a>(text: &'a str, start: usize, limits: &Limits) -> Result<Content<'a>, Problem> {
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: start,
        document: Document {
            text,
            nodes: Vec::with_capacity(nodes_expected(text.len().saturating_sub(start)).min(limits.max_nodes)),
        },
        numbers: Vec::new(),
        beyond: Vec::new(),
        open: NodeId::NONE,
        depth: 0,
        max_depth: limits.max_depth.min(DEPTH_CEILING),
        max_nodes: limits.max_nodes,
        max_numbers: limits.max_tensor_values,
    };
    reader.document()?;
    Ok(Content { document: reader.document, numbers: reader.numbers, beyond: reader.beyond })
}

/// Nodes to make room for at once: a chat body has about one per 50 bytes; large ones are mostly text.
fn nodes_expected(bytes: usize) -> usize {
    16 + (bytes / 32).min(1024)
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    document: Document<'a>,
    numbers: Vec<f64>,
    beyond: Vec<u32>,
    /// The innermost container that is open.
    open: NodeId,
    depth: usize,
    max_depth: usize,
    max_nodes: usize,
    max_numbers: usize,
}

/// An offset or count as nodes keep it. Bodies over 4 GiB are refused before.
fn small(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

impl Reader<'_> {
    fn document(&mut self) -> Result<(), Problem> {
        loop {
            self.value()?;
            // A container just opened takes its first value; otherwise what follows says where to go on.
            while !self.expects_value()? {
                if self.open == NodeId::NONE {
                    return self.finish();
                }
            }
        }
    }

    fn finish(&mut self) -> Result<(), Problem> {
        self.skip_space();
        if self.at < self.bytes.len() {
            return Err(self.problem(ProblemKind::TrailingData, "data behind the JSON document"));
        }
        Ok(())
    }

    fn problem(&self, kind: ProblemKind, detail: &'static str) -> Problem {
        Problem::new(kind, self.at, detail)
    }

    fn syntax(&self, detail: &'static str) -> Problem {
        let cut = self.at >= self.bytes.len();
        self.problem(ProblemKind::Syntax, if cut { "the body ends within the JSON document" } else { detail })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Adds a node and tells the container around it.
    fn push(
        &mut self,
        kind: Kind,
        start: usize,
        next: u32,
        count: u32,
        flag: bool,
    ) -> Result<NodeId, Problem> {
        let id = NodeId(small(self.document.nodes.len()));
        if id.index() >= self.max_nodes {
            return Err(Problem::new(ProblemKind::TooMany, start, "more JSON values than allowed"));
        }
        if let Some(open) = self.document.nodes.get_mut(self.open.index()) {
            match kind {
                Kind::Numbers => open.count = open.count.saturating_add(count),
                Kind::Null | Kind::Array => open.count = open.count.saturating_add(1),
                Kind::Key => {}
                Kind::Object | Kind::String | Kind::True | Kind::False => {
                    open.count = open.count.saturating_add(1);
                    open.flag = false;
                }
            }
        }
        self.document.nodes.push(Node { start: small(start), end: small(self.at), next, count, kind, flag });
        Ok(id)
    }

    /// Reads a value, of a container only the opening.
    fn value(&mut self) -> Result<(), Problem> {
        self.skip_space();
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                let escaped = self.string()?;
                self.push(Kind::String, start, 0, 0, escaped)?;
            }
            Some(b'{') => self.container(Kind::Object)?,
            Some(b'[') => self.container(Kind::Array)?,
            Some(b't') => self.literal(b"true", Kind::True)?,
            Some(b'f') => self.literal(b"false", Kind::False)?,
            Some(b'n') => self.literal(b"null", Kind::Null)?,
            Some(byte) if number::starts(byte) => self.numbers()?,
            _ => return Err(self.syntax("no JSON value")),
        }
        Ok(())
    }

    fn literal(&mut self, word: &[u8], kind: Kind) -> Result<(), Problem> {
        let start = self.at;
        if !self.bytes.get(start..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.syntax("a value that JSON does not have"));
        }
        self.at += word.len();
        self.push(kind, start, 0, 0, false)?;
        Ok(())
    }

    fn container(&mut self, kind: Kind) -> Result<(), Problem> {
        if self.depth >= self.max_depth {
            return Err(self.problem(ProblemKind::TooDeep, "nested deeper than allowed"));
        }
        let start = self.at;
        self.at += 1;
        let around = self.open.0;
        self.open = self.push(kind, start, around, 0, kind == Kind::Array)?;
        self.depth += 1;
        Ok(())
    }

    /// Goes past separators: true when a value has to follow, false when a container or the document was closed.
    fn expects_value(&mut self) -> Result<bool, Problem> {
        let Some(open) = self.document.nodes.get(self.open.index()).copied() else { return Ok(false) };
        let fresh = self.document.nodes.len() == self.open.index() + 1;
        self.skip_space();
        match (open.kind, self.peek()) {
            (Kind::Array, Some(b']')) | (Kind::Object, Some(b'}')) => {
                self.at += 1;
                self.close(open)?;
                return Ok(false);
            }
            (_, Some(b',')) if !fresh => self.at += 1,
            _ if fresh => {}
            _ => return Err(self.syntax("neither a comma nor the end of an array or object")),
        }
        if open.kind == Kind::Object {
            self.name()?;
        }
        Ok(true)
    }

    /// Closes the innermost container.
    fn close(&mut self, node: Node) -> Result<(), Problem> {
        let id = self.open;
        let behind = small(self.document.nodes.len());
        let end = small(self.at);
        if let Some(slot) = self.document.nodes.get_mut(id.index()) {
            slot.next = behind;
            slot.end = end;
        }
        self.open = NodeId(node.next);
        self.depth -= 1;
        let mixed = node.kind == Kind::Array && !node.flag;
        if let Some(around) = self.document.nodes.get_mut(self.open.index()).filter(|_| mixed) {
            around.flag = false;
        }
        match (node.kind == Kind::Object).then(|| keys::repeated(&self.document, id)).flatten() {
            Some(key) => Err(Problem::new(
                ProblemKind::DuplicateKey,
                self.document.start(key),
                "a name that occurs twice",
            )),
            None => Ok(()),
        }
    }

    /// Reads a member's name and the colon behind it.
    fn name(&mut self) -> Result<(), Problem> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return Err(self.syntax("no name of a member"));
        }
        let start = self.at;
        let escaped = self.string()?;
        self.push(Kind::Key, start, 0, 0, escaped)?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.syntax("no colon behind a member's name"));
        }
        self.at += 1;
        Ok(())
    }

    /// Goes past a string; true when there are escapes in it.
    fn string(&mut self) -> Result<bool, Problem> {
        self.at += 1;
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let plain = scan::plain(rest);
            self.at += plain;
            match rest.get(plain) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    let tail = rest.get(plain..).unwrap_or_default();
                    let found = escape(tail).map_err(|it| Problem { at: self.at + it.at, ..it })?;
                    self.at += found.written;
                    escaped = true;
                }
                _ => return Err(self.syntax("a control character within a string")),
            }
        }
    }

    /// Reads a number and, in an array, all that follow it.
    fn numbers(&mut self) -> Result<(), Problem> {
        let start = self.at;
        let first = self.numbers.len();
        let listed = self.document.kind(self.open) == Kind::Array && self.open != NodeId::NONE;
        let mut fraction = false;
        loop {
            let found = number::number(self.text, self.at)?;
            if self.numbers.len() >= self.max_numbers {
                return Err(self.problem(ProblemKind::TooMany, "more numbers than allowed"));
            }
            if !found.value.is_finite() {
                self.beyond.push(small(self.at));
            }
            self.numbers.push(found.value);
            fraction |= found.fraction;
            self.at = found.end;
            match if listed { self.following_number() } else { None } {
                Some(next) => self.at = next,
                None => break,
            }
        }
        let count = small(self.numbers.len() - first);
        self.push(Kind::Numbers, start, small(first), count, fraction)?;
        Ok(())
    }

    /// Where the next number of an array starts, if a number follows.
    fn following_number(&self) -> Option<usize> {
        let space = |from: usize| {
            let rest = self.bytes.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count()
        };
        let comma = space(self.at);
        if self.bytes.get(comma) != Some(&b',') {
            return None;
        }
        let next = space(comma + 1);
        self.bytes.get(next).filter(|byte| number::starts(**byte)).map(|_| next)
    }
}
