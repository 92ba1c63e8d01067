//! Why a request was judged as it was: a finding of a detector, or one of the guard's own.

use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::{cmp::Reverse, ops::Range};

use detect::{Finding, Rule};
use policy::{Action, Unscannable};
use wire::{Category, Location, Score, Severity, Span};

/// One reason, with its place in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub(crate) source: Source,
    pub(crate) place: String,
    pub(crate) span: Option<Range<usize>>,
    pub(crate) transforms: Vec<&'static str>,
    pub(crate) evidence: Option<String>,
    /// Whose words it was found in; `None` for numbers and for the guard's own.
    pub(crate) role: Option<policy::Role>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A rule, and how sure the match is in thousandths.
    Detector(Arc<Rule>, u16),
    Guard(&'static GuardRule),
}

/// A rule of the guard itself: about a request's form, not its content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GuardRule {
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) category: Category,
    pub(crate) severity: Severity,
    /// The status of a refusal.
    pub(crate) status: u16,
}

macro_rules! guard_rules {
    ($($name:ident: $id:literal, $summary:literal, $category:ident, $severity:ident, $status:literal;)+) => {
        $(pub(crate) static $name: GuardRule = GuardRule {
            id: $id,
            summary: $summary,
            category: Category::$category,
            severity: Severity::$severity,
            status: $status,
        };)+
    };
}

guard_rules! {
    EMPTY: "input.empty", "The body is empty", InvalidInput, Low, 400;
    NULL: "input.null", "A required input is null", InvalidInput, Low, 400;
    SIZE: "input.size", "The body is larger than the policy takes", InvalidInput, Medium, 413;
    NUMBER: "input.number", "A number is outside its type's range", InvalidInput, Medium, 400;
    SHAPE: "input.shape", "A tensor's data does not fit its shape", InvalidInput, Medium, 400;
    MESSAGES: "input.messages", "The request has more messages than are taken", InvalidInput, Low, 400;
    TOOLS: "input.tools", "The request offers more tools than are taken", InvalidInput, Low, 400;
    IMAGES: "input.images", "The request has more images than are taken", InvalidInput, Low, 400;
    FIELD: "input.field", "A field is not what it must be", InvalidInput, Low, 400;
    TYPE: "input.content-type", "The content type is none of those that are taken", InvalidInput, Low, 415;
    SYNTAX: "unscannable.syntax", "The body is not valid JSON", Unscannable, Low, 400;
    FORM: "unscannable.form", "The body is not of the form its path promises", Unscannable, Low, 400;
    DUPLICATE_KEY: "unscannable.duplicate-key", "An object names a key twice", Unscannable, Medium, 400;
    CHARSET: "unscannable.charset", "The body is not UTF-8", Unscannable, Medium, 400;
    TOO_COMPLEX: "unscannable.too-complex", "The body is deeper or larger than what is inspected",
        Unscannable, Medium, 400;
    DECODE_BUDGET: "unscannable.decode-budget", "More encoded text or matches than are looked at", Unscannable, Medium, 400;
    CONTENT_TYPE: "unscannable.content-type", "The content type cannot be inspected", Unscannable, Low, 415;
    CONTENT_ENCODING: "unscannable.content-encoding", "The body is compressed in a way that cannot be undone", Unscannable, Medium, 415;
    WEBSOCKET: "unscannable.websocket", "A WebSocket or another tunnel has no body that could be inspected", Unscannable, Medium, 403;
    GRPC: "unscannable.grpc", "A gRPC stream cannot be inspected", Unscannable, Medium, 403;
    UNPINNED: "response.tool-pin", "A tool is declared otherwise than it was pinned", PromptInjection, High, 502;
    ANSWER: "response.form", "The answer is not of the form its type promises", Unscannable, Low, 502;
    ANSWER_COMPLEX: "response.too-complex", "The answer is made of more texts than are inspected, or of texts that take turns", Unscannable, Medium, 502;
    ANSWER_ENCODING: "response.content-encoding", "The answer is compressed in a way that cannot be undone", Unscannable, Medium, 502;
    ANSWER_TYPE: "response.content-type", "The answer's content type cannot be inspected", Unscannable, Low, 502;
    ANSWER_SIZE: "response.size", "The answer is longer than what is inspected", Unscannable, Medium, 502;
    REQUESTS: "limit.requests-per-minute", "The client sent too many requests in a minute", RateLimit, Low, 429;
    INTERVAL: "limit.request-interval", "The client's requests follow each other too fast", RateLimit, Low, 429;
    CONCURRENT: "limit.concurrent-requests", "The client has too many requests under way", RateLimit, Low, 429;
    TOKENS: "limit.tokens-per-minute", "The client used too many tokens in a minute", RateLimit, Low, 429;
    PENALTY: "limit.penalty", "The client is held off, since it went over its limits again and again", RateLimit, Medium, 429;
    FAILURES: "limit.failed-attempts", "The client failed too often: refused by the model's API or by the guard", Authentication, Medium, 429;
    REPEATS: "limit.repeated-input", "The client sends the same input again and again", RateLimit, Low, 429;
    NEIGHBOURS: "limit.near-duplicates", "The client sends many inputs that differ a little, as one does to copy a model or to find its borders", RateLimit, Medium, 429;
    DECISION_BLOCK: "decision.block", "The security team decided to refuse this caller", Authentication, Medium, 403;
    DECISION_THROTTLE: "decision.throttle", "The security team decided to slow this caller down", RateLimit, Low, 429;
    DECISION_MONITOR: "decision.monitor", "The security team decided to watch this caller", Authentication, Low, 403;
    RISK: "conversation.risk", "Suspicion adds up over the client's turns", Jailbreak, Medium, 400;
}

impl GuardRule {
    /// What the policy does about it.
    pub(crate) fn action(&self, unscannable: &Unscannable) -> Action {
        match self.id {
            "unscannable.syntax" => unscannable.syntax,
            "unscannable.form" => unscannable.form,
            "unscannable.duplicate-key" => unscannable.duplicate_key,
            "unscannable.charset" => unscannable.charset,
            "unscannable.too-complex" | "unscannable.decode-budget" => unscannable.too_complex,
            "unscannable.content-type" => unscannable.content_type,
            "unscannable.content-encoding" => unscannable.content_encoding,
            "unscannable.websocket" => unscannable.websocket,
            "unscannable.grpc" => unscannable.grpc,
            "input.size" => unscannable.oversize,
            _ => Action::Block,
        }
    }
}

impl Judged {
    pub(crate) fn detected(
        finding: Finding,
        place: String,
        span: Option<Range<usize>>,
        evidence: Option<String>,
        role: Option<detect::Role>,
    ) -> Self {
        Self {
            source: Source::Detector(finding.rule, finding.weight),
            place,
            span,
            transforms: finding.transforms.iter().map(|transform| transform.as_str()).collect(),
            evidence,
            role: role.map(policy::Role::from),
        }
    }

    pub(crate) const fn own(rule: &'static GuardRule, place: String, span: Option<Range<usize>>) -> Self {
        Self { source: Source::Guard(rule), place, span, transforms: Vec::new(), evidence: None, role: None }
    }

    /// The rule's id.
    #[must_use]
    pub fn rule(&self) -> &str {
        match &self.source {
            Source::Detector(rule, _) => rule.id,
            Source::Guard(rule) => rule.id,
        }
    }

    /// Its category.
    #[must_use]
    pub fn category(&self) -> Category {
        match &self.source {
            Source::Detector(rule, _) => category(rule.category),
            Source::Guard(rule) => rule.category,
        }
    }

    /// Its severity.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match &self.source {
            Source::Detector(rule, _) => severity(rule.severity),
            Source::Guard(rule) => rule.severity,
        }
    }

    /// What this match alone says. The guard's own rules state facts.
    #[must_use]
    pub fn score(&self) -> Score {
        match &self.source {
            Source::Detector(_, weight) => Score::from_thousandths(*weight),
            Source::Guard(_) => Score::ONE,
        }
    }

    /// What the policy's judgement needs of it; `None` for the guard's own.
    pub fn reason(&self) -> Option<policy::Reason<'_>> {
        match &self.source {
            Source::Detector(rule, weight) => Some(policy::Reason {
                rule: rule.id,
                category: rule.category,
                severity: rule.severity,
                weight: *weight,
                paranoia: rule.paranoia,
                role: self.role,
            }),
            Source::Guard(_) => None,
        }
    }

    /// What the policy does about it, if it is one of the guard's own.
    pub(crate) fn own_action(&self, unscannable: &Unscannable) -> Option<Action> {
        match &self.source {
            Source::Detector(..) => None,
            Source::Guard(rule) => Some(rule.action(unscannable)),
        }
    }

    /// The form in which it is reported.
    #[must_use]
    pub fn to_wire(&self) -> wire::Finding {
        let strings = |list: &[&'static str]| list.iter().map(ToString::to_string).collect();
        let (summary, owasp, atlas) = match &self.source {
            Source::Detector(rule, _) => (rule.summary, strings(rule.owasp), strings(rule.atlas)),
            Source::Guard(rule) => (rule.summary, Vec::new(), Vec::new()),
        };
        let span = self.span.as_ref().map(|span| Span { start: span.start as u64, end: span.end as u64 });
        let location =
            (span.is_some() || !self.place.is_empty()).then(|| Location { place: self.place.clone(), span });
        wire::Finding {
            rule: self.rule().to_string(),
            category: self.category(),
            severity: self.severity(),
            score: self.score(),
            summary: summary.to_string(),
            owasp,
            atlas,
            location,
            transforms: strings(&self.transforms),
            evidence: self.evidence.clone(),
        }
    }
}

/// The reported findings, worst first, as many as a report may hold.
pub(crate) fn report<'a>(findings: &'a [Judged]) -> Vec<wire::Finding> {
    let mut worst: Vec<&Judged> = Vec::with_capacity(wire::limits::MAX_FINDINGS + 1);
    for finding in findings {
        let order = |one: &'a Judged| (Reverse((one.severity(), one.score())), one.rule());
        let place = worst.partition_point(|other| order(other) <= order(finding));
        worst.insert(place, finding);
        worst.truncate(wire::limits::MAX_FINDINGS);
    }
    worst.into_iter().map(Judged::to_wire).collect()
}

const fn category(category: detect::Category) -> Category {
    match category {
        detect::Category::PromptInjection => Category::PromptInjection,
        detect::Category::Jailbreak => Category::Jailbreak,
        detect::Category::PromptExtraction => Category::PromptExtraction,
        detect::Category::Secret => Category::Secret,
        detect::Category::Pii => Category::Pii,
        detect::Category::Exfiltration => Category::Exfiltration,
        detect::Category::WebPayload => Category::WebPayload,
        detect::Category::Structure => Category::Structure,
        detect::Category::Tensor => Category::Tensor,
    }
}

const fn severity(severity: detect::Severity) -> Severity {
    match severity {
        detect::Severity::Low => Severity::Low,
        detect::Severity::Medium => Severity::Medium,
        detect::Severity::High => Severity::High,
        detect::Severity::Critical => Severity::Critical,
    }
}
