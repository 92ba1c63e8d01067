//! OpenAI responses: `instructions` beside `input`, which is a text or a list of items.

use crate::{
    Problem, Role,
    collect::Collector,
    json::{Kind, NodeId},
};

/// Members of which one at least says what to answer.
const ASKS: [&str; 4] = ["input", "prompt", "previous_response_id", "conversation"];

impl Collector<'_, '_> {
    /// Reads a request for a response.
    pub(crate) fn responses(&mut self) -> Result<(), Problem> {
        let document = self.document;
        self.root_object()?;
        let mut found = false;
        for (key, value) in document.members(NodeId::ROOT) {
            let name = document.text(key);
            self.setting(&name, value);
            found |= ASKS.contains(&&*name);
            match &*name {
                "input" => self.items(value)?,
                "instructions" => self.content(value, "content", Role::System)?,
                // A prompt kept by the provider: its variables are filled with what people say.
                "prompt" => self.walk(value, &name, Role::User)?,
                "tools" => self.walk(value, &name, Role::Tool)?,
                _ => self.other(key, value)?,
            }
        }
        if found { Ok(()) } else { Err(self.form(NodeId::ROOT, "there is no `input`")) }
    }

    /// Reads a text or a list of items; also the `output` of a response.
    pub(super) fn items(&mut self, id: NodeId) -> Result<(), Problem> {
        if self.document.kind(id) != Kind::String {
            let faults = ["the input is empty", "the input is null", "the input is neither text nor items"];
            return self.each_message(id, faults, Self::item);
        }
        self.facts.messages = 1;
        self.message = Some(0);
        self.content(id, "content", Role::User)?;
        self.message = None;
        Ok(())
    }

    /// Reads an item: a message, a call, what a call gave, a thought.
    pub(super) fn item(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        if document.kind(id) != Kind::Object {
            return Err(self.form(id, "an item is no object"));
        }
        let kind = document.member_string(id, "type");
        match kind.as_deref() {
            None | Some("message") => self.message(id),
            Some(kind) => self.walk(id, "content", item_role(kind)),
        }
    }
}

/// Whose words an item of that type holds.
fn item_role(kind: &str) -> Role {
    match kind {
        "input_text" | "input_image" | "input_audio" => Role::User,
        "input_file" | "mcp_list_tools" => Role::Tool,
        _ if kind.ends_with("_output") || kind.ends_with("_result") => Role::Tool,
        _ if kind.ends_with("_call") || matches!(kind, "reasoning" | "output_text" | "refusal") => {
            Role::Assistant
        }
        _ => Role::Unknown,
    }
}
