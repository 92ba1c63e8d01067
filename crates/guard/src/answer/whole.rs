//! An answer that is judged when it is complete.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::ops::Range;

use decode::{InflateLimits, Input};
use detect::Finding;
use policy::Action;

use super::{
    Usage,
    ruling::{Context, Rulings},
};
use crate::{
    AnswerHead,
    inspect::role,
    joined::joined,
    mask::{REDACTED, extent, replace},
    reason,
};

/// What was found out about a whole answer.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// The body that goes on instead, not compressed.
    pub(super) body: Option<Vec<u8>>,
    pub(super) usage: Usage,
    pub(super) protocol: Option<decode::Protocol>,
    pub(super) parts: usize,
}

/// Judges the body as it came over the wire.
pub(super) fn judge(context: &Context<'_>, head: &AnswerHead, body: &[u8], rulings: &mut Rulings) -> Judged {
    let limits = context.guard.answer_limits();
    let encodings = head.content_encoding.as_deref().unwrap_or_default();
    let inflating = InflateLimits { max_bytes: limits.max_bytes, ..InflateLimits::default() };
    let Ok(plain) = decode::inflate(encodings, body, &inflating) else {
        rulings.own(context, &reason::ANSWER_ENCODING, None);
        return Judged::default();
    };
    let input = Input {
        protocol: context.asked.protocol,
        content_type: head.content_type.as_deref(),
        body: &plain,
        ..Input::default()
    };
    let mut decoded = match decode::decode_response(&input, &limits) {
        Ok(decoded) => decoded,
        Err(problem) => {
            rulings.own(context, &reason::ANSWER, Some(problem.at));
            return Judged::default();
        }
    };
    let pins = !context.guard.policy.document().response.pinned_tools.is_empty();
    if pins && decoded.protocol == decode::Protocol::Mcp {
        rulings.unpinned(context, &decode::declared_tools(&plain, &limits).unwrap_or_default());
    }
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for part in &decoded.parts {
        let role = role(part.role);
        let found = scan(context, role, &part.text, rulings);
        for finding in found {
            let span = part.body_span(&plain, finding.span.clone());
            let place = || (part.place(), span.clone());
            if rulings.judge(context, &finding, role, &part.text, place) == Action::Mask {
                let (inside, _) = extent(finding.rule.id, &part.text, finding.span.clone());
                edits.push((part.body_span(&plain, inside), part.written(REDACTED)));
            }
        }
        for restored in &context.asked.restore {
            let is_call = part.role == decode::Role::Assistant && part.text.starts_with(['{', '[']);
            for (at, placeholder) in part.text.match_indices(restored.placeholder.as_str()) {
                let span = part.body_span(&plain, at..at + placeholder.len());
                edits.push((span, part.written(&restored.written(is_call))));
            }
        }
    }
    // The blocks of the one message that some protocols answer with.
    for part in decoded.parts.iter_mut().filter(|part| part.role == decode::Role::Assistant) {
        part.message.get_or_insert(u32::MAX);
    }
    crossing(context, &decoded.parts, &plain, rulings, &mut edits);
    if !edits.is_empty() {
        edits.extend(decoded.marks.tokens.iter().map(|tokens| (tokens.clone(), "null".to_string())));
    }
    Judged {
        body: replace(&plain, edits),
        usage: Usage { input: decoded.facts.input_tokens, output: decoded.facts.output_tokens },
        protocol: Some(decoded.protocol),
        parts: decoded.parts.len(),
    }
}

fn scan(context: &Context<'_>, role: detect::Role, text: &str, rulings: &mut Rulings) -> Vec<Finding> {
    let mut found = Vec::new();
    if !context.guard.inspector().scan(role, text, &mut found) {
        rulings.own(context, &reason::DECODE_BUDGET, None);
    }
    if let Some(print) = context.asked.print.as_ref().filter(|_| role == detect::Role::Assistant) {
        found.extend(context.guard.inspector().echo(print, text));
    }
    found
}

/// What several parts say together.
fn crossing(
    context: &Context<'_>,
    parts: &[decode::Part<'_>],
    body: &[u8],
    rulings: &mut Rulings,
    edits: &mut Vec<(Range<usize>, String)>,
) {
    for joined in joined(parts) {
        let role = role(joined.role());
        let mut found = Vec::new();
        context.guard.inspector().scan(role, &joined.text, &mut found);
        for finding in found {
            let Some(part) = joined.crossing(&finding.span) else { continue };
            let place = || (part.place(), joined.body_span(body, &finding.span));
            if rulings.judge(context, &finding, role, &joined.text, place) == Action::Mask {
                let pieces = joined.pieces(&finding.span);
                edits.extend(
                    pieces.map(|(part, inside)| (part.body_span(body, inside), part.written(REDACTED))),
                );
            }
        }
    }
}
