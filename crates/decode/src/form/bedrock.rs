//! Amazon Bedrock's Converse: messages of blocks that are told apart by the name of their one member.

use crate::{
    Channel, Problem, Role,
    collect::{Area, Collector, is_base64},
    form::chat::MESSAGES,
    json::{Kind, NodeId},
};

/// Kinds of documents that are no text.
const BINARY: [&str; 5] = ["pdf", "doc", "docx", "xls", "xlsx"];

impl Collector<'_, '_> {
    /// Reads a conversation.
    pub(crate) fn bedrock(&mut self) -> Result<(), Problem> {
        let document = self.document;
        self.root_object()?;
        let mut found = false;
        for (key, value) in document.members(NodeId::ROOT) {
            let name = document.text(key);
            self.setting(&name, value);
            match &*name {
                "messages" => {
                    found = true;
                    self.each_message(value, MESSAGES, Self::bedrock_message)?;
                }
                "system" => self.bedrock_blocks(value, Role::System)?,
                "promptVariables" => {
                    found = true;
                    self.freely(value, &name, Role::User)?;
                }
                "inferenceConfig" => {
                    self.settings(value);
                    self.other(key, value)?;
                }
                "toolConfig" => {
                    let tools = document.member(value, "tools");
                    self.facts.tools = tools.map_or(0, |tools| self.length(tools));
                    self.walk(value, &name, Role::Tool)?;
                }
                _ => self.other(key, value)?,
            }
        }
        if found { Ok(()) } else { Err(self.form(NodeId::ROOT, "there are no `messages`")) }
    }

    /// Reads a message of blocks; also that of an answer.
    pub(super) fn bedrock_message(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        if document.kind(id) != Kind::Object {
            return Err(self.form(id, "a message is no object"));
        }
        let role = document.member_string(id, "role").map_or(Role::Unknown, |name| Role::from_name(&name));
        let mut found = false;
        for (key, value) in document.members(id) {
            if document.is(key, "content") {
                found = true;
                self.bedrock_blocks(value, role)?;
            } else {
                self.member(key, value, Role::Unknown)?;
            }
        }
        if found { Ok(()) } else { Err(self.form(id, "a message has no `content`")) }
    }

    fn bedrock_blocks(&mut self, id: NodeId, role: Role) -> Result<(), Problem> {
        match self.document.kind(id) {
            Kind::Array => (0_u32..).zip(self.document.elements(id)).try_for_each(|(number, block)| {
                self.lane.block = number;
                self.bedrock_block(block, role)
            }),
            Kind::String | Kind::Object => self.bedrock_block(id, role),
            Kind::Null => Ok(()),
            _ => Err(self.form(id, "a message's `content` is neither text nor blocks")),
        }
    }

    fn bedrock_block(&mut self, id: NodeId, role: Role) -> Result<(), Problem> {
        let document = self.document;
        match document.kind(id) {
            Kind::String => return self.content(id, "text", role),
            Kind::Object => {}
            _ => return Err(self.form(id, "a block of `content` is no object")),
        }
        for (key, value) in document.members(id) {
            let name = document.text(key);
            self.lane.channel = match &*name {
                "text" => Channel::Text,
                "toolUse" => Channel::Call,
                "reasoningContent" => Channel::Thought,
                _ => Channel::Other,
            };
            match &*name {
                "toolUse" => self.walk(value, &name, Role::Assistant)?,
                "toolResult" => self.bedrock_result(value)?,
                "document" | "image" | "video" | "audio" => self.bedrock_media(value, &name, role)?,
                "guardContent" => match document.member(value, "text") {
                    Some(text) => {
                        self.walk(text, "text", role)?;
                        self.rest(value, "text")?;
                    }
                    None => self.walk(value, &name, role)?,
                },
                "reasoningContent" => self.bedrock_thought(value)?,
                "json" => self.freely(value, &name, role)?,
                _ => self.member(key, value, role)?,
            }
        }
        Ok(())
    }

    fn bedrock_result(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        for (key, value) in document.members(id) {
            if document.is(key, "content") {
                self.bedrock_blocks(value, Role::Tool)?;
            } else {
                self.member(key, value, Role::Tool)?;
            }
        }
        Ok(())
    }

    /// Reads a picture, a film or a document. Bytes in base64 are passed over where the format is none of text; those of
    /// a text file are handed on as they are, for whoever undoes base64.
    fn bedrock_media(&mut self, id: NodeId, name: &str, role: Role) -> Result<(), Problem> {
        let document = self.document;
        self.count_media(if name == "document" { "" } else { name });
        let binary = name != "document"
            || document.member_string(id, "format").is_some_and(|format| BINARY.contains(&&*format));
        let role = if role == Role::System { role } else { Role::Tool };
        for (key, value) in document.members(id) {
            let bytes = document.member(value, "bytes").and_then(|bytes| document.string(bytes));
            match bytes.filter(|bytes| binary && document.is(key, "source") && is_base64(bytes)) {
                Some(bytes) => {
                    self.facts.opaque_bytes += bytes.len();
                    self.rest(value, "bytes")?;
                }
                None => self.walk(value, &document.text(key), role)?,
            }
        }
        Ok(())
    }

    fn bedrock_thought(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        for (key, value) in document.members(id) {
            let sealed = document.is(key, "redactedContent")
                && document.string(value).is_some_and(|content| is_base64(&content));
            if !sealed {
                self.within(Area::Sealed, |this| this.walk(value, "text", Role::Assistant))?;
            }
        }
        Ok(())
    }

    /// Takes all members of an object but one.
    fn rest(&mut self, object: NodeId, but: &str) -> Result<(), Problem> {
        let document = self.document;
        let mut members = document.members(object).filter(|(key, _)| !document.is(*key, but));
        members.try_for_each(|(key, value)| self.member(key, value, Role::Unknown))
    }
}
