//! Conversations: OpenAI chat completions and Anthropic messages.
//!
//! Both are read by one walk, since clients and gateways mix their blocks; what differs is Anthropic's `system` beside
//! the messages, which in an OpenAI body is a field that nobody knows.

use crate::{
    Problem, ProblemKind, Role,
    collect::{Collector, fault},
    json::{Kind, NodeId},
};

/// What is wrong with a list of messages that is empty, null or none.
pub(super) const MESSAGES: [&str; 3] =
    ["`messages` is empty", "`messages` is null", "`messages` is no array"];

/// Fields of a message that can stand for a missing `content`.
const INSTEAD_OF_CONTENT: [&str; 7] =
    ["tool_calls", "function_call", "refusal", "audio", "reasoning_content", "reasoning", "thinking"];

impl Collector<'_, '_> {
    /// Reads a conversation.
    pub(crate) fn chat(&mut self, anthropic: bool) -> Result<(), Problem> {
        let document = self.document;
        self.root_object()?;
        let mut found = false;
        for (key, value) in document.members(NodeId::ROOT) {
            let name = document.text(key);
            self.setting(&name, value);
            match &*name {
                "messages" => {
                    found = true;
                    self.messages(value)?;
                }
                "system" if anthropic => self.content(value, "system", Role::System)?,
                "tools" | "functions" => self.walk(value, &name, Role::Tool)?,
                _ => self.other(key, value)?,
            }
        }
        if found { Ok(()) } else { Err(self.form(NodeId::ROOT, "there are no `messages`")) }
    }

    /// Reads a list of messages.
    pub(super) fn messages(&mut self, id: NodeId) -> Result<(), Problem> {
        self.each_message(id, MESSAGES, Self::message)
    }

    /// Reads a message: who speaks, and what stands in it.
    pub(super) fn message(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        if document.kind(id) != Kind::Object {
            return Err(self.form(id, "a message is no object"));
        }
        let role = document.member_string(id, "role").map_or(Role::Unknown, |name| Role::from_name(&name));
        let mut found = false;
        for (key, value) in document.members(id) {
            let name = document.text(key);
            found |= INSTEAD_OF_CONTENT.contains(&&*name);
            match &*name {
                "content" => {
                    found = true;
                    if document.kind(value) == Kind::Null && matches!(role, Role::User | Role::Unknown) {
                        return Err(fault(
                            document,
                            value,
                            ProblemKind::Null,
                            "a message's `content` is null",
                        ));
                    }
                    self.content(value, "content", role)?;
                }
                "refusal" | "reasoning_content" | "reasoning" | "thinking" => {
                    self.content(value, &name, role)?
                }
                "tool_calls" | "function_call" => self.walk(value, &name, role)?,
                "role" if role != Role::Unknown => {}
                _ => self.member(key, value, Role::Unknown)?,
            }
        }
        if found { Ok(()) } else { Err(self.form(id, "a message has no `content`")) }
    }

    /// Reads what a message says: a string, blocks, or a single block.
    pub(super) fn content(&mut self, id: NodeId, key: &str, role: Role) -> Result<(), Problem> {
        match self.document.kind(id) {
            Kind::Array => self.document.elements(id).try_for_each(|block| self.block(block, key, role)),
            Kind::String | Kind::Object => self.block(id, key, role),
            Kind::Null => Ok(()),
            _ => Err(self.form(id, "a message's `content` is neither text nor blocks")),
        }
    }

    fn block(&mut self, id: NodeId, key: &str, role: Role) -> Result<(), Problem> {
        match self.document.kind(id) {
            Kind::String => {
                let text = self.document.text(id);
                self.push(id, text, role)
            }
            Kind::Object => {
                let kind = self.document.member_string(id, "type").unwrap_or_default();
                self.walk(id, key, block_role(&kind, role))
            }
            _ => Err(self.form(id, "a block of `content` is no object")),
        }
    }
}

/// What tools answered and documents say is nobody's own word, whoever's message carries it.
fn block_role(kind: &str, role: Role) -> Role {
    match kind {
        "document" | "search_result" | "file" | "input_file" => Role::Tool,
        _ if kind.ends_with("tool_result") || kind.ends_with("_output") => Role::Tool,
        _ => role,
    }
}
