//! What models answer: whole bodies and the events of a stream, which differ in little more than a name.

use crate::{
    Channel, Problem, Protocol, Role,
    collect::{Area, Collector, is_base64, model_name},
    json::{Document, Kind, NodeId},
};

/// The protocol of an answer, by the names in its own object; [`Protocol::Json`] if it looks like none.
pub(super) fn sniff(document: &Document<'_>) -> Protocol {
    let root = NodeId::ROOT;
    let root = document.elements(root).next().unwrap_or(root);
    let has = |name: &str| document.member(root, name).is_some();
    let kind = document.member_string(root, "type").unwrap_or_default();
    let output = document.member(root, "output");
    if has("jsonrpc") {
        Protocol::Mcp
    } else if has("choices") {
        Protocol::OpenAiChat
    } else if has("candidates") || has("promptFeedback") {
        Protocol::Gemini
    } else if has("done") {
        Protocol::Ollama
    } else if kind.starts_with("response.") || output.is_some_and(|it| document.kind(it) == Kind::Array) {
        Protocol::OpenAiResponses
    } else if matches!(&*kind, "message" | "ping")
        || kind.starts_with("message_")
        || kind.starts_with("content_block_")
    {
        Protocol::AnthropicMessages
    } else if has("contentBlockIndex")
        || has("stopReason")
        || output.is_some_and(|output| document.member(output, "message").is_some())
    {
        Protocol::BedrockConverse
    } else {
        Protocol::Json
    }
}

impl Collector<'_, '_> {
    /// Reads an answer, or an event of one that is streamed.
    pub(super) fn answer(&mut self, protocol: Protocol) -> Result<(), Problem> {
        let root = NodeId::ROOT;
        match (protocol, self.document.kind(root)) {
            (Protocol::Mcp, _) => self.mcp(),
            (Protocol::Gemini, Kind::Array) => {
                self.document.elements(root).try_for_each(|chunk| self.answer_object(protocol, chunk))
            }
            (Protocol::KserveV2 | Protocol::Json | Protocol::Form | Protocol::Text, _) => self.generic(),
            (_, Kind::Object) => self.answer_object(protocol, root),
            _ => self.generic(),
        }
    }

    fn answer_object(&mut self, protocol: Protocol, object: NodeId) -> Result<(), Problem> {
        let document = self.document;
        let kind = document.member_string(object, "type").unwrap_or_default();
        if protocol == Protocol::AnthropicMessages && kind != "message" {
            return self.anthropic_event(&kind, object);
        }
        if protocol == Protocol::OpenAiResponses && kind.starts_with("response.") {
            return self.responses_event(&kind, object);
        }
        for (key, value) in document.members(object) {
            let name = document.text(key);
            self.setting(&name, value);
            self.report(&name, value);
            match (&*name, document.kind(value)) {
                ("choices", Kind::Array) => self.choices(value)?,
                ("candidates", Kind::Array) => self.candidates(value)?,
                ("output", Kind::Array) => self.outputs(value)?,
                ("output", Kind::Object) => self.converse_output(value)?,
                ("content", Kind::Array) if protocol == Protocol::AnthropicMessages => {
                    for (number, block) in (0_u32..).zip(document.elements(value)) {
                        self.lane.block = number;
                        self.answer_block(block)?;
                    }
                }
                ("contentBlockIndex", _) if protocol == Protocol::BedrockConverse => {
                    self.lane.block = self.index(object, "contentBlockIndex", 0);
                }
                ("delta" | "start", Kind::Object) if protocol == Protocol::BedrockConverse => {
                    self.lane.block = self.index(object, "contentBlockIndex", 0);
                    self.converse_delta(value)?;
                }
                // Letters that hide the length of an event from whoever counts bytes.
                ("p", Kind::String) if protocol == Protocol::BedrockConverse && self.is_padding(value) => {}
                ("message", Kind::Object) => self.answer_message(value)?,
                ("response" | "output_text", Kind::String) => self.say(value, Channel::Text)?,
                ("thinking", Kind::String) => self.say(value, Channel::Thought)?,
                ("done", kind) => self.ended |= kind == Kind::True,
                ("instructions", _) => self.aside(value, "content", Role::System)?,
                _ => self.on(Channel::Other, |this| this.other(key, value))?,
            }
        }
        Ok(())
    }

    /// Does something on another channel.
    fn on(
        &mut self,
        channel: Channel,
        act: impl FnOnce(&mut Self) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let around = core::mem::replace(&mut self.lane.channel, channel);
        act(self)?;
        self.lane.channel = around;
        Ok(())
    }

    /// Takes what the model says at a node.
    fn say(&mut self, id: NodeId, channel: Channel) -> Result<(), Problem> {
        self.on(channel, |this| match this.document.kind(id) {
            Kind::Null => Ok(()),
            _ => this.walk(id, "text", Role::Assistant),
        })
    }

    /// Takes what is not the model's own word.
    fn aside(&mut self, id: NodeId, key: &str, role: Role) -> Result<(), Problem> {
        self.on(Channel::Other, |this| this.walk(id, key, role))
    }

    /// Notes what a member reports of the answer: why it ended, what it cost.
    fn report(&mut self, name: &str, value: NodeId) {
        match name {
            "finish_reason" | "finishReason" | "stop_reason" | "stopReason" | "done_reason" => {
                if let Some(reason) = self.document.string(value) {
                    self.ended |= name == "stopReason";
                    self.facts.finish = Some(model_name(&reason));
                }
            }
            "usage" | "usageMetadata" | "usage_metadata" => {
                let document = self.document;
                document.members(value).for_each(|(key, value)| self.usage(&document.text(key), value));
            }
            _ => self.usage(name, value),
        }
    }

    fn usage(&mut self, name: &str, value: NodeId) {
        match name {
            "prompt_tokens" | "input_tokens" | "inputTokens" | "promptTokenCount" | "prompt_eval_count" => {
                self.facts.input_tokens = self.facts.input_tokens.max(self.amount(value));
            }
            "completion_tokens"
            | "output_tokens"
            | "outputTokens"
            | "candidatesTokenCount"
            | "eval_count" => {
                self.facts.output_tokens = self.facts.output_tokens.max(self.amount(value));
            }
            _ => {}
        }
    }

    /// The number that an object gives itself, else its place.
    fn index(&self, object: NodeId, name: &str, place: u32) -> u32 {
        let own = self.document.member(object, name).and_then(|index| self.amount(index));
        own.and_then(|index| u32::try_from(index).ok()).unwrap_or(place)
    }

    /// OpenAI's choices.
    fn choices(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        self.facts.messages = self.length(id);
        for (number, choice) in (0_u32..).zip(document.elements(id)) {
            self.lane.choice = self.index(choice, "index", number);
            self.message = Some(self.lane.choice);
            for (key, value) in document.members(choice) {
                let name = document.text(key);
                self.report(&name, value);
                match &*name {
                    "message" | "delta" => self.answer_message(value)?,
                    "text" => self.say(value, Channel::Text)?,
                    "logprobs" => self.tokens(value),
                    _ => self.on(Channel::Other, |this| this.other(key, value))?,
                }
            }
        }
        self.message = None;
        Ok(())
    }

    /// A message of OpenAI's or Ollama's, or what a chunk adds to it.
    fn answer_message(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        for (key, value) in document.members(id) {
            match &*document.text(key) {
                "content" => self.say(value, Channel::Text)?,
                "refusal" => self.say(value, Channel::Refusal)?,
                "reasoning_content" | "reasoning" | "thinking" => self.say(value, Channel::Thought)?,
                "tool_calls" => {
                    for (number, call) in (0_u32..).zip(document.elements(value)) {
                        self.lane.block = self.index(call, "index", number);
                        self.say(call, Channel::Call)?;
                    }
                    self.lane.block = 0;
                }
                "function_call" => self.say(value, Channel::Call)?,
                // A recording: its transcript, and bytes that nobody looks at.
                "audio" => self.audio(value)?,
                _ => self.on(Channel::Other, |this| this.member(key, value, Role::Assistant))?,
            }
        }
        Ok(())
    }

    fn audio(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        for (key, value) in document.members(id) {
            let data = document.string(value).filter(|data| document.is(key, "data") && is_base64(data));
            match data {
                Some(data) => self.facts.opaque_bytes += data.len(),
                None => self.on(Channel::Text, |this| this.member(key, value, Role::Assistant))?,
            }
        }
        Ok(())
    }

    /// Gemini's candidates.
    fn candidates(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        self.facts.messages = self.facts.messages.max(self.length(id));
        for (number, candidate) in (0_u32..).zip(document.elements(id)) {
            self.lane.choice = self.index(candidate, "index", number);
            self.message = Some(self.lane.choice);
            for (key, value) in document.members(candidate) {
                let name = document.text(key);
                self.report(&name, value);
                self.ended |= name == "finishReason";
                match &*name {
                    "content" if document.kind(value) == Kind::Object => {
                        self.gemini_content(value, Some(Role::Assistant))?;
                    }
                    "citationMetadata" | "groundingMetadata" | "urlContextMetadata" => {
                        self.aside(value, &name, Role::Tool)?;
                    }
                    "logprobsResult" => self.tokens(value),
                    _ => self.on(Channel::Other, |this| this.other(key, value))?,
                }
            }
        }
        self.message = None;
        Ok(())
    }

    /// Converse's `output`.
    fn converse_output(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        for (key, value) in document.members(id) {
            match (&*document.text(key), document.kind(value)) {
                ("message", Kind::Object) => self.bedrock_message(value)?,
                _ => self.on(Channel::Other, |this| this.other(key, value))?,
            }
        }
        Ok(())
    }

    /// The same text again, token by token, and what else it might have been: nobody's words, but whoever changes the text
    /// has to know of them.
    fn tokens(&mut self, id: NodeId) {
        if self.document.kind(id) != Kind::Null {
            self.marks.tokens.push(self.document.span(id));
        }
    }

    /// What an event of Converse adds to a block.
    fn converse_delta(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        for (key, value) in document.members(id) {
            let name = document.text(key);
            let (channel, area) = match &*name {
                "toolUse" => (Channel::Call, Area::Fields),
                "reasoningContent" => (Channel::Thought, Area::Sealed),
                "text" => (Channel::Text, Area::Fields),
                _ => (Channel::Other, Area::Fields),
            };
            self.on(channel, |this| this.within(area, |this| this.member(key, value, Role::Assistant)))?;
        }
        Ok(())
    }

    fn is_padding(&self, id: NodeId) -> bool {
        let text = self.document.string(id);
        text.is_some_and(|text| text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    }

    /// The items of a response.
    fn outputs(&mut self, id: NodeId) -> Result<(), Problem> {
        self.facts.messages = self.length(id);
        for (number, item) in (0_u32..).zip(self.document.elements(id)) {
            self.lane.choice = number;
            self.message = Some(number);
            self.output(item)?;
        }
        self.message = None;
        Ok(())
    }

    /// One item of a response, which may have no content yet.
    fn output(&mut self, item: NodeId) -> Result<(), Problem> {
        let document = self.document;
        let kind = document.member_string(item, "type").unwrap_or_default();
        let channel = match &*kind {
            "message" => Channel::Text,
            "reasoning" => Channel::Thought,
            _ if kind.ends_with("_call") => Channel::Call,
            _ => Channel::Other,
        };
        let role = if channel == Channel::Other { Role::Tool } else { Role::Assistant };
        for (key, value) in document.members(item) {
            match (&*document.text(key), document.kind(value)) {
                ("content", Kind::Array) => {
                    for (number, block) in (0_u32..).zip(document.elements(value)) {
                        self.lane.block = number;
                        self.on(channel, |this| this.walk(block, "content", role))?;
                    }
                    self.lane.block = 0;
                }
                (name @ ("results" | "output" | "outputs"), _) => self.aside(value, name, Role::Tool)?,
                _ => self.on(channel, |this| {
                    let area = if channel == Channel::Thought { Area::Sealed } else { Area::Fields };
                    this.within(area, |this| this.member(key, value, role))
                })?,
            }
        }
        Ok(())
    }

    fn responses_event(&mut self, kind: &str, event: NodeId) -> Result<(), Problem> {
        let document = self.document;
        self.lane.choice = self.index(event, "output_index", 0);
        self.message = Some(self.lane.choice);
        self.lane.block = self.index(event, "content_index", self.index(event, "summary_index", 0));
        let channel = match kind {
            _ if kind.contains("refusal") => Channel::Refusal,
            _ if kind.contains("reasoning") => Channel::Thought,
            _ if kind.contains("call") => Channel::Call,
            _ => Channel::Text,
        };
        self.ended = matches!(kind, "response.completed" | "response.incomplete" | "response.failed");
        self.repeats = self.ended || kind.ends_with(".done");
        for (key, value) in document.members(event) {
            match (&*document.text(key), document.kind(value)) {
                ("response", Kind::Object) => self.answer_object(Protocol::OpenAiResponses, value)?,
                ("item", Kind::Object) => self.output(value)?,
                ("part", Kind::Object) => self.say(value, channel)?,
                ("delta", Kind::String) if kind == "response.audio.delta" => {
                    self.facts.opaque_bytes += self.document.inside_span(value).len();
                }
                (
                    "delta" | "text" | "arguments" | "refusal" | "transcript" | "code" | "input",
                    Kind::String,
                ) => {
                    self.say(value, channel)?;
                }
                ("logprobs", _) => self.tokens(value),
                _ => self.on(Channel::Other, |this| this.other(key, value))?,
            }
        }
        self.message = None;
        Ok(())
    }

    fn anthropic_event(&mut self, kind: &str, event: NodeId) -> Result<(), Problem> {
        let document = self.document;
        self.lane.block = self.index(event, "index", 0);
        self.ended = kind == "message_stop";
        for (key, value) in document.members(event) {
            let name = document.text(key);
            self.report(&name, value);
            match (&*name, document.kind(value)) {
                ("message", Kind::Object) => self.answer_object(Protocol::AnthropicMessages, value)?,
                ("content_block", Kind::Object) => self.answer_block(value)?,
                ("delta", Kind::Object) => {
                    document.members(value).for_each(|(key, value)| self.report(&document.text(key), value));
                    self.answer_block(value)?;
                }
                _ if kind == "error" => self.aside(value, &name, Role::Unknown)?,
                _ => self.on(Channel::Other, |this| this.other(key, value))?,
            }
        }
        Ok(())
    }

    /// A block of Anthropic's, or what an event adds to one.
    fn answer_block(&mut self, id: NodeId) -> Result<(), Problem> {
        let kind = self.document.member_string(id, "type").unwrap_or_default();
        let (channel, role) = match &*kind {
            "thinking" | "redacted_thinking" | "thinking_delta" | "signature_delta" => {
                (Channel::Thought, Role::Assistant)
            }
            "input_json_delta" => (Channel::Call, Role::Assistant),
            "citations_delta" => (Channel::Other, Role::Tool),
            _ if kind.ends_with("tool_use") => (Channel::Call, Role::Assistant),
            _ if kind.ends_with("_result") => (Channel::Other, Role::Tool),
            _ => (Channel::Text, Role::Assistant),
        };
        let area = if channel == Channel::Thought { Area::Sealed } else { Area::Fields };
        self.on(channel, |this| this.within(area, |this| this.walk(id, "content", role)))
    }
}
