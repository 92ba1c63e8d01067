//! Gemini and Vertex: contents of parts. Field names come in camelCase and, since Protobuf's JSON reads both, in
//! snake_case.

use crate::{
    Channel, Problem, Role,
    collect::{Area, Collector, is_base64},
    json::{Kind, NodeId},
};

impl Collector<'_, '_> {
    /// Reads a request to generate, to count tokens or to embed.
    pub(crate) fn gemini(&mut self) -> Result<(), Problem> {
        self.root_object()?;
        if self.gemini_request(NodeId::ROOT)? {
            Ok(())
        } else {
            Err(self.form(NodeId::ROOT, "there are no `contents`"))
        }
    }

    /// Reads a request, on its own or within a batch; says whether there is content.
    fn gemini_request(&mut self, id: NodeId) -> Result<bool, Problem> {
        let document = self.document;
        let mut found = false;
        for (key, value) in document.members(id) {
            let name = document.text(key);
            self.setting(&name, value);
            match &*name {
                "systemInstruction" | "system_instruction" => {
                    self.gemini_content(value, Some(Role::System))?
                }
                "contents" | "content" => {
                    found = true;
                    self.gemini_contents(value)?;
                }
                "generateContentRequest" | "generate_content_request" => {
                    found |= self.gemini_request(value)?
                }
                "requests" => {
                    for request in document.elements(value) {
                        found |= self.gemini_request(request)?;
                    }
                }
                "generationConfig" | "generation_config" => {
                    self.settings(value);
                    self.other(key, value)?;
                }
                "tools" => self.walk(value, &name, Role::Tool)?,
                _ => self.other(key, value)?,
            }
        }
        Ok(found)
    }

    /// Reads contents: a list of them, or one.
    fn gemini_contents(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        if document.kind(id) == Kind::Object {
            self.message = Some(self.facts.messages);
            self.facts.messages = self.facts.messages.saturating_add(1);
            self.gemini_content(id, None)?;
        } else {
            self.filled(id, ["`contents` is empty", "`contents` is null", "`contents` is no array"])?;
            for content in document.elements(id) {
                self.message = Some(self.facts.messages);
                self.facts.messages = self.facts.messages.saturating_add(1);
                self.gemini_content(content, None)?;
            }
        }
        self.message = None;
        Ok(())
    }

    /// Reads a content: a role and parts; a bare text where a client leaves out both.
    pub(super) fn gemini_content(&mut self, id: NodeId, role: Option<Role>) -> Result<(), Problem> {
        let document = self.document;
        match document.kind(id) {
            Kind::String => return self.content(id, "text", role.unwrap_or(Role::User)),
            Kind::Object => {}
            _ => return Err(self.form(id, "a content is no object")),
        }
        let role = role.unwrap_or_else(|| match document.member_string(id, "role").as_deref() {
            None | Some("user") => Role::User,
            Some("model") => Role::Assistant,
            Some("function" | "tool") => Role::Tool,
            Some(_) => Role::Unknown,
        });
        for (key, value) in document.members(id) {
            match (&*document.text(key), document.kind(value)) {
                ("parts", Kind::Array) => {
                    document.elements(value).try_for_each(|part| self.gemini_part(part, role))?;
                }
                ("parts", Kind::Object) => self.gemini_part(value, role)?,
                ("parts", _) => return Err(self.form(value, "`parts` is no array")),
                _ => self.member(key, value, Role::Unknown)?,
            }
        }
        Ok(())
    }

    fn gemini_part(&mut self, id: NodeId, role: Role) -> Result<(), Problem> {
        let document = self.document;
        match document.kind(id) {
            Kind::String => return self.content(id, "text", role),
            Kind::Object => {}
            _ => return Err(self.form(id, "a part is no object")),
        }
        let thought = document.member(id, "thought").is_some_and(|it| document.kind(it) == Kind::True);
        let plain = if thought { Channel::Thought } else { Channel::Text };
        for (key, value) in document.members(id) {
            let name = document.text(key);
            self.lane.channel = match &*name {
                "text" => plain,
                "functionCall" | "function_call" | "executableCode" | "executable_code" => Channel::Call,
                _ => Channel::Other,
            };
            match &*name {
                "functionCall" | "function_call" | "executableCode" | "executable_code" => {
                    self.walk(value, &name, Role::Assistant)?;
                }
                "functionResponse"
                | "function_response"
                | "codeExecutionResult"
                | "code_execution_result" => {
                    self.walk(value, &name, Role::Tool)?;
                }
                "inlineData" | "inline_data" | "fileData" | "file_data" => {
                    let media = document
                        .member_string(value, "mimeType")
                        .or_else(|| document.member_string(value, "mime_type"));
                    self.count_media(media.as_deref().unwrap_or_default());
                    self.within(Area::Media, |this| this.walk(value, &name, media_role(role)))?;
                }
                "thoughtSignature" | "thought_signature"
                    if document.string(value).is_some_and(|text| is_base64(&text)) => {}
                _ => self.member(key, value, role)?,
            }
        }
        Ok(())
    }
}

/// What stands in a file is nobody's own word, unless the application hands it in.
fn media_role(role: Role) -> Role {
    if role == Role::System { role } else { Role::Tool }
}
