//! From a body to what was found in it. Shared by the shells and by `modelgate scan`.

use alloc::{string::String, vec::Vec};
use core::cell::RefCell;

use decode::{Amount, Decoded, Input, Limits, Problem, Protocol, Room};
use detect::{Engine, Finding, PromptPrint, Role, Scratch, TensorLimits, TensorView};
use policy::{AbsentTokens, Action, ConfigError, History, Policy};

use crate::{
    conversation::{self, NOTE, PastTurn, Sorter},
    forward::Candidate,
    input::Fields,
    joined::joined,
    ledger::Input as Remembered,
    reason::{self, Judged},
};

/// The detectors, built once for a policy.
#[derive(Debug)]
pub struct Inspector {
    engine: Engine,
    limits: Limits,
    tensor_limits: TensorLimits,
    protocol: Option<Protocol>,
    /// Values of a tensor closer than this are near neighbours.
    tensor_step: f64,
    /// What earlier turns are to the policy.
    history: History,
    evidence: bool,
    /// What single fields must be.
    pub(crate) fields: Fields,
    /// Whether anything may be masked in requests.
    masks: bool,
    /// Whether answers are held against the application's own prompt.
    prints: bool,
    /// Buffers that every inspection uses again; nothing of a request outlives it.
    scratch: RefCell<Scratch>,
}

/// What a body held.
#[derive(Debug)]
pub struct Inspection {
    /// The protocol it was read as.
    pub protocol: Protocol,
    /// Parts and tensors read.
    pub parts: u32,
    /// What was found, each rule once for each role, where it matched most surely: a rule counts once for the verdict,
    /// and no body can crowd out one finding with many of another.
    pub findings: Vec<Judged>,
    /// The id of a JSON-RPC request, as it is written, for an answer to repeat.
    pub rpc_id: Option<String>,
    /// Bytes of text that the model reads.
    pub(crate) text_bytes: usize,
    /// The new turn as the ledger knows it, where that was asked for.
    pub(crate) input: Option<Remembered>,
    /// Whether the answer is to be streamed.
    pub streams: bool,
    /// What a request asks for in numbers.
    pub(crate) amounts: Vec<Amount>,
    /// Where it could ask for a number of tokens if it does not, and has to.
    pub(crate) room: Option<Room>,
    /// What may have to be masked.
    pub(crate) candidates: Vec<Candidate>,
    /// Whether anything is masked.
    pub(crate) can_mask: bool,
    /// How many messages, tools and images there are.
    pub(crate) counts: [u32; 3],
    /// What is remembered of the application's own prompt, if the policy has answers held against it.
    pub(crate) print: Option<PromptPrint>,
    /// Earlier turns in which something was found, where the policy judges them by themselves; the others' findings are
    /// among those above.
    pub(crate) past: Vec<PastTurn>,
}

/// A rule in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRule {
    /// The lowest paranoia level at which it is used.
    pub paranoia: u8,
    /// What a match is reported as, but for its place.
    pub report: wire::Finding,
}

/// Longest evidence in characters.
const MAX_EVIDENCE: usize = 160;
/// Characters of a credential that evidence shows.
const SECRET_PREFIX: usize = 4;

impl Inspector {
    /// Builds the detectors.
    ///
    /// # Errors
    /// Names the first rule of the operator that cannot be used.
    pub fn new(policy: &Policy) -> Result<Self, ConfigError> {
        let document = policy.document();
        let input = &document.input;
        let defaults = Limits::default();
        Ok(Self {
            engine: policy.engine()?,
            limits: Limits {
                max_bytes: usize::try_from(input.max_size).unwrap_or(usize::MAX),
                max_depth: usize::from(input.max_depth),
                finds_room: input.clamp_tokens.and(match input.absent_tokens {
                    AbsentTokens::Leave => None,
                    AbsentTokens::MaxCompletionTokens => Some("max_completion_tokens"),
                    AbsentTokens::MaxTokens => Some("max_tokens"),
                }),
                ..defaults
            },
            tensor_limits: policy.tensor_limits(),
            protocol: document.model.protocol.map(protocol),
            tensor_step: conversation::tensor_step(&input.tensor),
            history: document.conversation.history,
            evidence: document.report.evidence,
            fields: Fields::new(policy)?,
            masks: document.detect.may_mask(),
            prints: document.response.scan && document.response.echo != Action::Allow,
            scratch: RefCell::default(),
        })
    }

    /// The rules that judge texts, as a policy names them and as events report them.
    pub fn rules(&self) -> impl Iterator<Item = KnownRule> {
        self.engine.rules().iter().map(|rule| {
            let weight = rule.weight;
            let finding = Finding { rule: rule.clone(), weight, span: 0..0, transforms: Vec::new() };
            let judged = Judged::detected(finding, String::new(), None, None, None);
            KnownRule { paranoia: rule.paranoia, report: judged.to_wire() }
        })
    }

    /// The protocol that policy or path fix, before any body is seen.
    #[must_use]
    pub fn protocol_for(&self, path: &str) -> Option<Protocol> {
        self.protocol.or_else(|| decode::protocol_of_path(path))
    }

    /// Reads a body and looks for what the policy names. The policy says which protocol it is, if it does.
    ///
    /// # Errors
    /// When the body cannot be read as what it claims to be.
    pub fn inspect(&self, request: &Input<'_>) -> Result<Inspection, Problem> {
        self.inspect_for(request, None)
    }

    /// [`Self::inspect`] for a guard whose ledger remembers inputs; their hashes are under `sketch_key`.
    pub(crate) fn inspect_for(
        &self,
        request: &Input<'_>,
        sketch_key: Option<u64>,
    ) -> Result<Inspection, Problem> {
        let input = Input { protocol: self.protocol, ..*request };
        let body = request.body;
        let decoded = decode::decode(&input, &self.limits)?;
        let (mut findings, mut candidates) = (Vec::new(), Vec::new());
        let mut sorter = Sorter::new(self.history, &decoded.parts);
        self.texts(&decoded, body, &mut sorter, &mut findings, &mut candidates);
        self.joined(&decoded, body, &mut sorter, &mut findings, &mut candidates);
        self.tensors(&decoded, &mut findings);
        let parts = u32::try_from(decoded.parts.len() + decoded.tensors.len()).unwrap_or(u32::MAX);
        let is_prose = |part: &&decode::Part<'_>| part.role != decode::Role::Field;
        let text_bytes = decoded.parts.iter().filter(is_prose).map(|part| part.text.len()).sum();
        let past = sorter.finish(&decoded.parts, sketch_key);
        let input = sketch_key.map(|key| conversation::sketch(&decoded, key, self.tensor_step));
        let print = self.prints.then(|| self.print(&decoded)).flatten();
        let Decoded { protocol, facts, marks, .. } = decoded;
        Ok(Inspection {
            protocol,
            parts,
            findings,
            rpc_id: facts.rpc_id,
            streams: facts.stream,
            amounts: marks.amounts,
            room: marks.room,
            candidates,
            can_mask: false,
            counts: [facts.messages, facts.tools, facts.images],
            print,
            text_bytes,
            input,
            past,
        })
    }

    /// What is remembered of the application's prompt, but for what the caller says too.
    fn print(&self, decoded: &Decoded<'_>) -> Option<PromptPrint> {
        let texts = |role: decode::Role| decoded.parts.iter().filter(move |part| part.role == role);
        let prompt: Vec<&str> = texts(decode::Role::System).map(|part| &*part.text).collect();
        let mut print = self.engine.prompt_print(&prompt.join("\n"));
        if !print.is_empty() {
            texts(decode::Role::User).for_each(|part| print.forget(&part.text));
        }
        (!print.is_empty()).then_some(print)
    }

    /// Looks for what the policy names in one text; spans are byte ranges of the text.
    #[must_use]
    pub fn inspect_text(&self, role: Role, text: &str) -> Vec<Judged> {
        let mut found = Vec::new();
        self.scan(role, text, &mut found);
        let judged = |finding: Finding| {
            let span = finding.span.clone();
            Judged::detected(finding, String::new(), Some(span), None, Some(role))
        };
        found.into_iter().map(judged).collect()
    }

    /// Looks for an application's own prompt in an answer.
    pub(crate) fn echo(&self, print: &PromptPrint, answer: &str) -> Option<Finding> {
        self.engine.scan_echo(print, answer, &mut Scratch::default())
    }

    /// What a body may be.
    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether reports carry what led to them.
    pub(crate) const fn shows_evidence(&self) -> bool {
        self.evidence
    }

    /// Scans one text. `true`: all of it was looked at, nothing was left out for want of a budget.
    pub(crate) fn scan(&self, role: Role, text: &str, found: &mut Vec<Finding>) -> bool {
        // The only holder is this very call: the shells are single-threaded and detectors call nobody back.
        let mut spare;
        let mut kept = self.scratch.try_borrow_mut();
        let scratch = match &mut kept {
            Ok(kept) => &mut **kept,
            Err(_) => {
                spare = Scratch::default();
                &mut spare
            }
        };
        self.engine.scan_text(text, role, scratch, found);
        !scratch.is_exhausted()
    }

    fn texts(
        &self,
        decoded: &Decoded<'_>,
        body: &[u8],
        sorter: &mut Sorter,
        new: &mut Vec<Judged>,
        candidates: &mut Vec<Candidate>,
    ) {
        let mut found = Vec::new();
        // What the guard itself wrote in place of a message is nobody's offence.
        for part in decoded.parts.iter().filter(|part| part.text != NOTE) {
            found.clear();
            let findings = sorter.findings(part, new);
            let role = role(part.role);
            if !self.scan(role, &part.text, &mut found) {
                keep(findings, reason::DECODE_BUDGET.id, None, 1000, || {
                    let span = part.body_span(body, 0..part.text.len());
                    Judged::own(&reason::DECODE_BUDGET, part.place(), Some(span))
                });
            }
            for finding in found.drain(..) {
                if self.masks {
                    let span = |inside| part.body_span(body, inside);
                    candidates.push(Candidate::new(&finding, role, &part.text, part.writing(), span));
                }
                keep(findings, finding.rule.id, Some(role.into()), finding.weight, || {
                    let evidence = self.evidence.then(|| evidence(&finding, &part.text)).flatten();
                    let span = part.body_span(body, finding.span.clone());
                    Judged::detected(finding.clone(), part.place(), Some(span), evidence, Some(role))
                });
            }
        }
    }

    /// Judges what the parts say together. What one part says alone was judged already.
    fn joined(
        &self,
        decoded: &Decoded<'_>,
        body: &[u8],
        sorter: &mut Sorter,
        new: &mut Vec<Judged>,
        candidates: &mut Vec<Candidate>,
    ) {
        let mut found = Vec::new();
        for joined in joined(&decoded.parts) {
            found.clear();
            let role = role(joined.role());
            self.scan(role, &joined.text, &mut found);
            for finding in found.drain(..) {
                let Some(part) = joined.crossing(&finding.span) else { continue };
                let mut value = joined.text.get(finding.span.clone()).unwrap_or_default();
                for (part, inside) in joined.pieces(&finding.span).filter(|_| self.masks) {
                    let (span, writing) = (part.body_span(body, inside), part.writing());
                    candidates.push(Candidate::at(&finding, role, span, writing, value.into()));
                    // What is masked where it begins is left out where it goes on.
                    value = "";
                }
                let findings = sorter.findings(part, new);
                keep(findings, finding.rule.id, Some(role.into()), finding.weight, || {
                    let evidence = self.evidence.then(|| evidence(&finding, &joined.text)).flatten();
                    let span = joined.body_span(body, &finding.span);
                    Judged::detected(finding.clone(), part.place(), Some(span), evidence, Some(role))
                });
            }
        }
    }

    fn tensors(&self, decoded: &Decoded<'_>, findings: &mut Vec<Judged>) {
        let mut found = Vec::new();
        for tensor in &decoded.tensors {
            found.clear();
            let view = TensorView {
                values: &tensor.values,
                shape: &tensor.shape,
                datatype: tensor.datatype.as_str(),
                float: tensor.datatype.is_float(),
                has_null: tensor.has_null,
            };
            detect::check_tensor(&view, &self.tensor_limits, &mut found);
            for finding in found.drain(..) {
                let mut place = tensor.place();
                // With more dimensions the data may be nested or flat, and only one of the two has this pointer.
                if finding.span.len() == 1 && tensor.shape.len() == 1 {
                    place.push('/');
                    place.push_str(&alloc::format!("{}", finding.span.start));
                }
                keep(findings, finding.rule.id, None, finding.weight, || {
                    Judged::detected(finding.clone(), place, Some(tensor.span.clone()), None, None)
                });
            }
        }
    }
}

/// Adds a finding unless the rule was found before in the same role, and as surely.
fn keep(
    findings: &mut Vec<Judged>,
    rule: &str,
    role: Option<policy::Role>,
    weight: u16,
    judged: impl FnOnce() -> Judged,
) {
    match findings.iter_mut().find(|known| known.rule() == rule && known.role == role) {
        Some(known) if known.score().thousandths() >= weight => {}
        Some(known) => *known = judged(),
        None => findings.push(judged()),
    }
}

const fn protocol(protocol: policy::Protocol) -> Protocol {
    match protocol {
        policy::Protocol::OpenaiChat => Protocol::OpenAiChat,
        policy::Protocol::OpenaiCompletions => Protocol::OpenAiCompletions,
        policy::Protocol::OpenaiEmbeddings => Protocol::OpenAiEmbeddings,
        policy::Protocol::OpenaiResponses => Protocol::OpenAiResponses,
        policy::Protocol::OpenaiModerations => Protocol::OpenAiModerations,
        policy::Protocol::AnthropicMessages => Protocol::AnthropicMessages,
        policy::Protocol::Gemini => Protocol::Gemini,
        policy::Protocol::Ollama => Protocol::Ollama,
        policy::Protocol::BedrockConverse => Protocol::BedrockConverse,
        policy::Protocol::Mcp => Protocol::Mcp,
        policy::Protocol::KserveV2 => Protocol::KserveV2,
        policy::Protocol::Json => Protocol::Json,
        policy::Protocol::Text => Protocol::Text,
    }
}

pub(crate) const fn role(role: decode::Role) -> Role {
    match role {
        decode::Role::System => Role::System,
        decode::Role::User => Role::User,
        decode::Role::Assistant => Role::Assistant,
        decode::Role::Tool => Role::Tool,
        decode::Role::Field => Role::Field,
        decode::Role::Unknown => Role::Unknown,
    }
}

/// What a report may show of a match: of a credential its first characters, of a text the match with its digits
/// masked, so that no number of a person travels along.
pub(crate) fn evidence(finding: &Finding, text: &str) -> Option<String> {
    let text = text.get(finding.span.clone())?;
    if finding.rule.category == detect::Category::Secret {
        let shown: String = text.chars().take(SECRET_PREFIX).collect();
        return Some(alloc::format!("{shown}… ({} characters)", text.chars().count()));
    }
    let mask = |c: char| if c.is_numeric() { '#' } else { c };
    Some(text.chars().filter(|c| !c.is_control()).take(MAX_EVIDENCE).map(mask).collect())
}
