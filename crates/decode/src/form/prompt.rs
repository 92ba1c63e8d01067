//! OpenAI completions, embeddings and moderations: one field of texts or token ids.

use crate::{
    Problem, ProblemKind, Role,
    collect::{Collector, fault},
    json::{Kind, NodeId},
};

impl Collector<'_, '_> {
    /// Reads a body whose texts stand in the member `field`.
    pub(crate) fn prompts(&mut self, field: &str) -> Result<(), Problem> {
        let document = self.document;
        self.root_object()?;
        let mut found = false;
        for (key, value) in document.members(NodeId::ROOT) {
            let name = document.text(key);
            self.setting(&name, value);
            match &*name {
                name if name == field => {
                    found = true;
                    self.input(value)?;
                }
                // What has to stand behind the answer is shown to the model, too.
                "suffix" => self.walk(value, "suffix", Role::User)?,
                _ => self.other(key, value)?,
            }
        }
        if found { Ok(()) } else { Err(self.form(NodeId::ROOT, "there is no `prompt` or `input`")) }
    }

    /// Reads a text, or an array of texts, of token ids, or of arrays of token ids.
    pub(super) fn input(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        match document.kind(id) {
            Kind::String => {
                self.facts.messages = 1;
                self.message = Some(0);
                let text = document.text(id);
                self.push(id, text, Role::User)?;
            }
            _ => {
                let wrong =
                    ["the input is empty", "the input is null", "the input is neither text nor an array"];
                self.filled(id, wrong)?;
                self.inputs(id)?;
            }
        }
        self.message = None;
        Ok(())
    }

    /// Reads an array of texts, of token ids, or of arrays of token ids.
    fn inputs(&mut self, array: NodeId) -> Result<(), Problem> {
        let document = self.document;
        for (number, element) in (0_u32..).zip(document.elements(array)) {
            self.message = Some(number);
            self.facts.messages = number.saturating_add(1);
            match document.kind(element) {
                Kind::String => {
                    let text = document.text(element);
                    self.push(element, text, Role::User)?;
                }
                Kind::Numbers => self.facts.token_inputs += 1,
                Kind::Array if document.is_numeric(element) => self.facts.token_inputs += 1,
                Kind::Object => self.walk(element, "", Role::User)?,
                Kind::Null => return Err(fault(document, element, ProblemKind::Null, "an input is null")),
                _ => return Err(self.form(element, "an input is neither text nor token ids")),
            }
        }
        Ok(())
    }
}
