//! Gathering parts, tensors and facts from a document.

use alloc::{
    borrow::Cow,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use crate::{
    Amount, Asked, Channel, Facts, Lane, Limits, Marks, Part, Problem, ProblemKind, Role, Tensor,
    json::{Document, Kind, NodeId},
    label::{self, Label},
    limits::MAX_MODEL_BYTES,
};

/// What a walk found so far.
pub(crate) struct Collector<'a, 'd> {
    pub(crate) document: &'d Arc<Document<'a>>,
    pub(crate) numbers: &'d [f64],
    pub(crate) limits: &'d Limits,
    pub(crate) parts: Vec<Part<'a>>,
    pub(crate) tensors: Vec<Tensor<'a>>,
    pub(crate) facts: Facts,
    pub(crate) marks: Marks,
    /// The message being read.
    pub(crate) message: Option<u32>,
    /// Which text of an answer is being read.
    pub(crate) lane: Lane,
    /// The lane of each part, for whoever asks for them.
    pub(crate) lanes: Option<Vec<Lane>>,
    /// Whether what is read was streamed before, most likely.
    pub(crate) repeats: bool,
    /// Whether the answer says that it is complete.
    pub(crate) ended: bool,
    /// Where in the protocol the walk is.
    area: Area,
}

/// Where in a protocol a walk is: what strings there may be beside text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    /// The protocol's own fields: settings and identifiers.
    Fields,
    /// A block with an image, sound, or a file: also bytes in base64.
    Media,
    /// A block that a provider has sealed and opens itself (signatures of a chain of thought, encrypted results): also
    /// bytes in base64.
    Sealed,
    /// What callers fill as they like: arguments, schemas, metadata. A field named as a setting is none there.
    Free,
}

/// Shortest picture in base64 that is taken for one; the smallest PNG has 67 bytes.
const PICTURE_BYTES: usize = 92;

/// A problem at a node.
pub(crate) fn fault(document: &Document<'_>, id: NodeId, kind: ProblemKind, detail: &'static str) -> Problem {
    Problem::new(kind, document.start(id), detail)
}

impl<'a, 'd> Collector<'a, 'd> {
    pub(crate) fn new(document: &'d Arc<Document<'a>>, numbers: &'d [f64], limits: &'d Limits) -> Self {
        let facts = Facts::default();
        Self {
            document,
            numbers,
            limits,
            parts: Vec::new(),
            tensors: Vec::new(),
            facts,
            marks: Marks::default(),
            message: None,
            lane: Lane::default(),
            lanes: None,
            repeats: false,
            ended: false,
            area: Area::Fields,
        }
    }

    /// A problem of form at a node.
    pub(crate) fn form(&self, id: NodeId, detail: &'static str) -> Problem {
        fault(self.document, id, ProblemKind::Form, detail)
    }

    /// Protocols are objects; so must be a body that its path promises one.
    pub(crate) fn root_object(&self) -> Result<(), Problem> {
        match self.document.kind(NodeId::ROOT) {
            Kind::Object => Ok(()),
            _ => Err(self.form(NodeId::ROOT, "the body is no object")),
        }
    }

    /// A list that must have something in it; the three texts say that it is empty, null, or no list.
    pub(crate) fn filled(&self, id: NodeId, [empty, null, other]: [&'static str; 3]) -> Result<(), Problem> {
        match self.document.kind(id) {
            Kind::Array if self.document.count(id) == 0 => {
                Err(fault(self.document, id, ProblemKind::Empty, empty))
            }
            Kind::Array => Ok(()),
            Kind::Null => Err(fault(self.document, id, ProblemKind::Null, null)),
            _ => Err(self.form(id, other)),
        }
    }

    /// Reads the messages of a list that must have some, each under its number; for the texts see [`Self::filled`].
    pub(crate) fn each_message(
        &mut self,
        list: NodeId,
        faults: [&'static str; 3],
        mut read: impl FnMut(&mut Self, NodeId) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        self.filled(list, faults)?;
        self.facts.messages = self.length(list);
        for (number, message) in (0_u32..).zip(self.document.elements(list)) {
            self.message = Some(number);
            read(self, message)?;
        }
        self.message = None;
        Ok(())
    }

    /// Takes a string or name as a part; an empty one says nothing.
    pub(crate) fn push(&mut self, id: NodeId, text: Cow<'a, str>, role: Role) -> Result<(), Problem> {
        if text.is_empty() {
            return Ok(());
        }
        self.push_part(Part::node(self.document, id, text, role, self.message))
    }

    /// Takes a part; an empty one says nothing.
    pub(crate) fn push_part(&mut self, part: Part<'a>) -> Result<(), Problem> {
        if part.text.is_empty() {
            return Ok(());
        }
        if self.parts.len() >= self.limits.max_parts {
            return Err(Problem::new(ProblemKind::TooMany, part.start(), "more texts than allowed"));
        }
        if let Some(lanes) = &mut self.lanes {
            let field = part.role == Role::Field;
            lanes.push(Lane { channel: if field { Channel::Field } else { self.lane.channel }, ..self.lane });
        }
        self.parts.push(part);
        Ok(())
    }

    /// Takes every string at or under a node of a chat body that is no label, and every name that is no identifier.
    ///
    /// `key` is the name of the member that holds the node. Recurses as deep as the document goes, which is bounded.
    pub(crate) fn walk(&mut self, id: NodeId, key: &str, role: Role) -> Result<(), Problem> {
        let document = self.document;
        match document.kind(id) {
            Kind::String => {
                let text = document.text(id);
                let label = match self.area {
                    Area::Free if label::is_schema(key, &text) => Label::Word,
                    Area::Free => Label::Text,
                    _ => label::label(key, &text),
                };
                match label {
                    Label::Word => Ok(()),
                    Label::Field => self.push(id, text, Role::Field),
                    Label::Text if self.is_opaque(key, &text) => Ok(()),
                    Label::Text => self.push(id, text, speaker(key, role)),
                }
            }
            Kind::Array => document.elements(id).try_for_each(|element| self.walk(element, key, role)),
            Kind::Object => self.object(id, role),
            _ => Ok(()),
        }
    }

    fn object(&mut self, id: NodeId, role: Role) -> Result<(), Problem> {
        let document = self.document;
        let around = self.area;
        if let Some(kind) = document.member_string(id, "type").filter(|_| around != Area::Free) {
            self.area = self.area_of(&kind).unwrap_or(around);
        }
        let source = self.takes_source(id);
        for (key, value) in document.members(id) {
            if source != Some(value) {
                self.member(key, value, role)?;
            }
        }
        self.area = around;
        Ok(())
    }

    /// Walks a member of an object.
    pub(crate) fn member(&mut self, key: NodeId, value: NodeId, role: Role) -> Result<(), Problem> {
        let name = self.document.text(key);
        self.name(key, &name)?;
        match &*name {
            "stop" | "stop_sequences" | "stopSequences" if self.area != Area::Free => self.stops(value),
            _ if self.area == Area::Free || !label::is_free(&name) => self.walk(value, &name, role),
            _ if label::is_metadata(&name) => self.freely(value, &name, Role::Field),
            _ => self.freely(value, &name, role),
        }
    }

    /// Walks what callers fill as they like.
    pub(crate) fn freely(&mut self, id: NodeId, key: &str, role: Role) -> Result<(), Problem> {
        self.within(Area::Free, |this| this.walk(id, key, role))
    }

    /// Does something in another area.
    pub(crate) fn within(
        &mut self,
        area: Area,
        act: impl FnOnce(&mut Self) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let around = core::mem::replace(&mut self.area, area);
        act(self)?;
        self.area = around;
        Ok(())
    }

    /// Takes a member of the request's own object that is none of the protocol's texts.
    pub(crate) fn other(&mut self, key: NodeId, value: NodeId) -> Result<(), Problem> {
        self.member(key, value, Role::Unknown)
    }

    /// Takes stop sequences that are more than marks between turns.
    fn stops(&mut self, id: NodeId) -> Result<(), Problem> {
        let document = self.document;
        match document.kind(id) {
            Kind::String => {
                let text = document.text(id);
                if label::is_mark(&text) { Ok(()) } else { self.push(id, text, Role::Field) }
            }
            Kind::Array => document.elements(id).try_for_each(|element| self.stops(element)),
            _ => self.walk(id, "", Role::Field),
        }
    }

    /// Takes a member's name as a part when it could be text.
    pub(crate) fn name(&mut self, key: NodeId, name: &str) -> Result<(), Problem> {
        if label::is_name(name) { Ok(()) } else { self.push(key, self.document.text(key), Role::Field) }
    }

    /// What a block of that type is; counts the block.
    fn area_of(&mut self, kind: &str) -> Option<Area> {
        let facts = &mut self.facts;
        let count = match kind {
            "image_url" | "input_image" | "image" | "computer_screenshot" => &mut facts.images,
            "input_audio" | "audio" => &mut facts.audio,
            "file" | "input_file" | "document" => &mut facts.files,
            "thinking" | "redacted_thinking" | "reasoning" | "web_search_result" => {
                return Some(Area::Sealed);
            }
            _ => return None,
        };
        *count = count.saturating_add(1);
        Some(Area::Media)
    }

    /// Whether a string is bytes and no text: media in a `data:` URL or what a provider has sealed, where such can stand.
    fn is_opaque(&mut self, key: &str, text: &str) -> bool {
        let media = match (self.area, key) {
            (Area::Media, "url" | "image_url" | "file_data") => is_media_url(text),
            // Ollama's pictures, beside the text of a message or prompt.
            (Area::Fields, "images") => text.len() >= PICTURE_BYTES && is_base64(text),
            (Area::Sealed, "signature" | "data" | "encrypted_content") => return is_base64(text),
            _ => false,
        };
        if media {
            self.facts.opaque_bytes += text.len();
            self.facts.images += u32::from(key == "images");
        }
        media
    }

    /// The member that holds the bytes, when an object is the source of media in base64 (Anthropic's `source`, OpenAI's
    /// `input_audio`, Gemini's `inlineData`, the blobs of MCP); counts them.
    fn takes_source(&mut self, object: NodeId) -> Option<NodeId> {
        let document = self.document;
        if !matches!(self.area, Area::Media | Area::Fields) {
            return None;
        }
        let bytes = document.member(object, "data").or_else(|| document.member(object, "blob"))?;
        let data = document.string(bytes)?;
        let member = |name| document.member_string(object, name);
        let media = if let Some(media) = member("mimeType").or_else(|| member("mime_type")) {
            is_media(&media)
        } else if self.area != Area::Media {
            false
        } else if let Some(media) = member("media_type") {
            is_media(&media) && member("type").as_deref() == Some("base64")
        } else {
            member("format")
                .is_some_and(|it| matches!(&*it, "wav" | "mp3" | "flac" | "opus" | "pcm16" | "aac"))
        };
        if !media || !is_base64(&data) {
            return None;
        }
        self.facts.opaque_bytes += data.len();
        Some(bytes)
    }

    /// Counts a block of that media type or kind of file.
    pub(crate) fn count_media(&mut self, media: &str) {
        let facts = &mut self.facts;
        let count = match media.split('/').next() {
            Some("image") => &mut facts.images,
            Some("audio") => &mut facts.audio,
            _ => &mut facts.files,
        };
        *count = count.saturating_add(1);
    }

    /// Notes the model's name.
    pub(crate) fn model(&mut self, id: NodeId) {
        if let Some(name) = self.document.string(id) {
            self.facts.model = Some(model_name(&name));
        }
    }

    /// A number of things asked for; fractions and signs are for the model's own server to refuse.
    pub(crate) fn amount(&self, id: NodeId) -> Option<u64> {
        if self.document.kind(id) != Kind::Numbers {
            return None;
        }
        self.document.written(id).parse().ok().or_else(|| {
            let value = self.numbers.get(self.document.run(id).start).copied()?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "within the range of u64"
            )]
            (0.0..1.8e19).contains(&value).then_some(value as u64)
        })
    }

    /// Notes what a member of the request's own object says, if it is one that every protocol shares.
    pub(crate) fn setting(&mut self, name: &str, value: NodeId) {
        match name {
            "model" => self.model(value),
            "stream" => self.facts.stream = self.document.kind(value) == Kind::True,
            "max_tokens"
            | "max_completion_tokens"
            | "max_output_tokens"
            | "maxOutputTokens"
            | "maxTokens"
            | "num_predict"
            | "maxTokenCount" => {
                self.mark(Asked::Tokens, value);
                self.facts.max_tokens = self.facts.max_tokens.max(self.amount(value));
            }
            "n" | "candidateCount" | "candidate_count" => {
                self.mark(Asked::Answers, value);
                self.facts.n = self.amount(value);
            }
            "tools" | "functions" => self.facts.tools = self.facts.tools.saturating_add(self.length(value)),
            _ => {}
        }
    }

    fn mark(&mut self, of: Asked, value: NodeId) {
        // `null` stands for the server's own number, which nobody here knows.
        if matches!(self.document.kind(value), Kind::Numbers | Kind::Null) {
            let (span, value) = (self.document.span(value), self.amount(value));
            self.marks.amounts.push(Amount { of, span, value });
        }
    }

    /// Notes what the members of an object of settings say (Gemini's `generationConfig`).
    pub(crate) fn settings(&mut self, object: NodeId) {
        let document = self.document;
        document.members(object).for_each(|(key, value)| self.setting(&document.text(key), value));
    }

    /// Elements of an array.
    pub(crate) fn length(&self, array: NodeId) -> u32 {
        u32::try_from(self.document.count(array)).unwrap_or(u32::MAX)
    }
}

/// The model's name as a fact: cut, at the boundary of a character.
pub(crate) fn model_name(name: &str) -> String {
    name.get(..name.floor_char_boundary(MAX_MODEL_BYTES)).unwrap_or(name).to_string()
}

/// Within a system message only the text itself is the application's; a field beside it is anybody's.
fn speaker(key: &str, role: Role) -> Role {
    match (role, key) {
        (Role::System, "text" | "content" | "system" | "input_text") => Role::System,
        (Role::System, _) => Role::Unknown,
        _ => role,
    }
}

/// Whether a media type is one whose bytes are no text.
fn is_media(media_type: &str) -> bool {
    ["image/", "audio/", "video/", "application/pdf", "application/msword", "application/vnd."]
        .iter()
        .any(|kind| media_type.starts_with(kind))
}

fn is_media_url(text: &str) -> bool {
    let Some((media_type, data)) = text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"))
    else {
        return false;
    };
    is_media(media_type) && label::is_name(media_type) && is_base64(data)
}

/// Whether a text is written in base64 of either alphabet.
pub(crate) fn is_base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'))
}
