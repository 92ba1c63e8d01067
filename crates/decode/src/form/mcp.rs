//! Model Context Protocol (revision 2025-06-18): JSON-RPC 2.0 between an agent and its tools.
//!
//! What a server says of itself, of its tools and in their results reaches the model unasked, so it is all
//! [`Role::Tool`]: descriptions, schemas, resources, prompts, errors. A server's `systemPrompt` for sampling is no word
//! of the application either.

use alloc::string::ToString;

use crate::{
    Channel, Problem, Role,
    collect::Collector,
    json::{Kind, NodeId},
    limits::MAX_RPC_ID_BYTES,
};

impl Collector<'_, '_> {
    /// Reads a message or a batch of them.
    pub(crate) fn mcp(&mut self) -> Result<(), Problem> {
        self.lane.channel = Channel::Other;
        if self.document.kind(NodeId::ROOT) != Kind::Object {
            let faults = ["the batch is empty", "the body is null", "the body is no message"];
            return self.each_message(NodeId::ROOT, faults, Self::rpc);
        }
        self.facts.messages = 1;
        self.message = Some(0);
        self.rpc(NodeId::ROOT)?;
        self.rpc_id();
        self.message = None;
        Ok(())
    }

    /// Notes the id that an answer has to repeat: that of a request, not of an answer.
    fn rpc_id(&mut self) {
        let document = self.document;
        let id =
            document.member(NodeId::ROOT, "id").filter(|_| document.member(NodeId::ROOT, "method").is_some());
        self.facts.rpc_id = id
            .filter(|id| matches!(document.kind(*id), Kind::String | Kind::Numbers))
            .map(|id| document.written(id))
            .filter(|written| written.len() <= MAX_RPC_ID_BYTES)
            .map(ToString::to_string);
    }

    fn rpc(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        if document.kind(id) != Kind::Object || document.member(id, "jsonrpc").is_none() {
            return Err(self.form(id, "no message of JSON-RPC"));
        }
        let method = document.member_string(id, "method");
        for (key, value) in document.members(id) {
            let name = document.text(key);
            match &*name {
                "params" => self.rpc_params(method.as_deref().unwrap_or_default(), value)?,
                "result" => self.rpc_result(value)?,
                "error" => self.walk(value, &name, Role::Tool)?,
                _ => self.member(key, value, Role::Unknown)?,
            }
        }
        Ok(())
    }

    fn rpc_params(&mut self, method: &str, id: NodeId) -> Result<(), Problem> {
        match method {
            "tools/call" => self.walk(id, "params", Role::Assistant),
            "prompts/get" | "completion/complete" => self.walk(id, "params", Role::User),
            "sampling/createMessage" => self.sampling(id),
            "elicitation/create" | "notifications/message" | "notifications/progress" => {
                self.walk(id, "params", Role::Tool)
            }
            _ => self.walk(id, "params", Role::Unknown),
        }
    }

    /// What a server asks the model of its client.
    fn sampling(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        self.settings(id);
        for (key, value) in document.members(id) {
            match (&*document.text(key), document.kind(value)) {
                ("messages", Kind::Array) => {
                    document.elements(value).try_for_each(|message| self.message(message))?;
                }
                (name, _) => self.walk(value, name, Role::Tool)?,
            }
        }
        Ok(())
    }

    fn rpc_result(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        self.settings(id);
        // What a client answers to `sampling/createMessage` is the model's own word.
        let sampled = document.member_string(id, "role").as_deref() == Some("assistant");
        let role = if sampled { Role::Assistant } else { Role::Tool };
        if document.kind(id) != Kind::Object {
            return self.walk(id, "result", role);
        }
        document.members(id).try_for_each(|(key, value)| self.member(key, value, role))
    }
}
