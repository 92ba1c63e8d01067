//! Looking up single values of a body of JSON, whatever its protocol.

use alloc::{borrow::Cow, string::String, vec::Vec};

use crate::{
    Limits, Problem,
    json::{self, Document, Kind, NodeId, escaped},
    text_of,
};

/// What stands at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// `null`
    Null,
    /// A string.
    Text(Cow<'a, str>),
    /// A list of so many elements.
    List(usize),
    /// An object, a number, `true` or `false`.
    Other,
}

/// A tool that an MCP server declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// All that is declared of it, as JSON of which one text is all that says the same: members in the order of their
    /// names, no spaces, no escapes but the necessary ones. Numbers stand as they were written.
    pub canonical: String,
}

/// What stands in a body at JSON pointers (RFC 6901), `None` where nothing does.
///
/// # Errors
/// When the body is no JSON.
pub fn look_up<'a>(
    body: &'a [u8],
    pointers: &[&str],
    limits: &Limits,
) -> Result<Vec<Option<Found<'a>>>, Problem> {
    let (text, start) = text_of(body, limits)?;
    let document = json::read(text, start, limits)?.document;
    let look = |pointer: &&str| document.at(pointer).map(|id| document.found(id));
    Ok(pointers.iter().map(look).collect())
}

/// The tools that an answer to `tools/list` declares (Model Context Protocol 2025-06-18, "Tools"), also of a batch.
///
/// # Errors
/// When the body is no JSON.
pub fn declared_tools(body: &[u8], limits: &Limits) -> Result<Vec<Declared>, Problem> {
    let (text, start) = text_of(body, limits)?;
    Ok(json::read(text, start, limits)?.document.declared_tools())
}

impl<'a> Document<'a> {
    fn at(&self, pointer: &str) -> Option<NodeId> {
        let mut at = NodeId::ROOT;
        for step in pointer.split('/').skip(1) {
            at = match self.kind(at) {
                Kind::Object => {
                    let name = step.replace("~1", "/").replace("~0", "~");
                    self.member(at, &name)?
                }
                _ => self.elements(at).nth(step.parse().ok()?)?,
            };
        }
        Some(at)
    }

    fn found(&self, id: NodeId) -> Found<'a> {
        match self.kind(id) {
            Kind::Null => Found::Null,
            Kind::String | Kind::Key => Found::Text(self.text(id)),
            Kind::Array => Found::List(self.count(id)),
            Kind::Object | Kind::Numbers | Kind::True | Kind::False => Found::Other,
        }
    }

    pub(crate) fn declared_tools(&self) -> Vec<Declared> {
        let root = NodeId::ROOT;
        let mut tools = Vec::new();
        for answer in core::iter::once(root).chain(self.elements(root)) {
            let list = self.member(answer, "result").and_then(|result| self.member(result, "tools"));
            for tool in list.into_iter().flat_map(|list| self.elements(list)) {
                let mut canonical = String::new();
                self.canonical(tool, &mut canonical);
                let name = self.member_string(tool, "name").unwrap_or_default().into_owned();
                tools.push(Declared { name, canonical });
            }
        }
        tools
    }

    /// Recurses as deep as the document goes, which is bounded.
    fn canonical(&self, id: NodeId, out: &mut String) {
        match self.kind(id) {
            Kind::Object => {
                let mut members: Vec<_> =
                    self.members(id).map(|(key, value)| (self.text(key), value)).collect();
                members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                out.push('{');
                for (nth, (name, value)) in members.into_iter().enumerate() {
                    if nth > 0 {
                        out.push(',');
                    }
                    quote(&name, out);
                    out.push(':');
                    self.canonical(value, out);
                }
                out.push('}');
            }
            Kind::Array => {
                out.push('[');
                for (nth, element) in self.elements(id).enumerate() {
                    if nth > 0 {
                        out.push(',');
                    }
                    self.canonical(element, out);
                }
                out.push(']');
            }
            Kind::String | Kind::Key => quote(&self.text(id), out),
            // A run of numbers stands with the commas between them.
            Kind::Numbers | Kind::True | Kind::False | Kind::Null => {
                out.extend(self.written(id).chars().filter(|c| !c.is_ascii_whitespace()));
            }
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    out.push_str(&escaped(text));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn pointers_lead_to_what_stands_there() {
        let body = br#"{"a":{"b/c":["x",null,{"~":"\u0079"}]},"n":1,"l":[1,2,3]}"#;
        let pointers =
            ["/a/b~1c/0", "/a/b~1c/1", "/a/b~1c/2/~0", "/a/b~1c", "/n", "/x", "/a/b~1c/9", "", "/l"];
        let found = look_up(body, &pointers, &Limits::default()).unwrap();
        let text = |text: &'static str| Some(Found::Text(text.into()));
        let (other, list) = (Some(Found::Other), |length| Some(Found::List(length)));
        let expected =
            vec![text("x"), Some(Found::Null), text("y"), list(3), other.clone(), None, None, other, list(3)];
        assert_eq!(found, expected);
        assert!(look_up(b"{", &[""], &Limits::default()).is_err());
    }

    #[test]
    fn a_tool_that_says_the_same_has_the_same_text() {
        let one = br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"f","inputSchema":{"b":[1, 2],"a":"\u00e9"}}]}}"#;
        let other = r#"[{"id":1,"result":{"tools":[ {"inputSchema":{"a":"é","b":[1,2]} , "name":"f"}]}}]"#;
        let [one, other] =
            [&one[..], other.as_bytes()].map(|body| declared_tools(body, &Limits::default()).unwrap());
        assert_eq!(one, other);
        assert_eq!(one[0].name, "f");
        assert_eq!(one[0].canonical, r#"{"inputSchema":{"a":"é","b":[1,2]},"name":"f"}"#);
        assert_eq!(declared_tools(br#"{"result":{"tools":7}}"#, &Limits::default()), Ok(vec![]));
    }
}
