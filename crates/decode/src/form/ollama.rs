//! Ollama's own API: a prompt, a conversation, or texts to embed.

use crate::{
    Problem, Role,
    collect::Collector,
    json::{Kind, NodeId},
};

impl Collector<'_, '_> {
    /// Reads a request to generate, to chat or to embed. One without any of these loads the model.
    pub(crate) fn ollama(&mut self) -> Result<(), Problem> {
        let document = self.document;
        self.root_object()?;
        let mut asks = false;
        for (key, value) in document.members(NodeId::ROOT) {
            let name = document.text(key);
            self.setting(&name, value);
            match &*name {
                "messages" if document.count(value) > 0 => {
                    asks = true;
                    self.messages(value)?;
                }
                "prompt" | "suffix" => {
                    asks = true;
                    self.facts.messages = 1;
                    self.content(value, "content", Role::User)?;
                }
                "input" => self.input(value)?,
                // The model file's template and system prompt, which a request may replace.
                "system" | "template" => self.content(value, "content", Role::System)?,
                "tools" => self.walk(value, &name, Role::Tool)?,
                "options" => {
                    self.settings(value);
                    self.other(key, value)?;
                }
                _ => self.other(key, value)?,
            }
        }
        // What generates streams unless told otherwise.
        let told = document.member(NodeId::ROOT, "stream").map(|value| document.kind(value));
        self.facts.stream = asks && told != Some(Kind::False);
        Ok(())
    }
}
