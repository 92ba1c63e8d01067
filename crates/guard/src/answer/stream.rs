//! An answer that is judged while it comes in.

use alloc::vec::Vec;

use decode::{Channel, Delta, Framed, Limits, Problem, ProblemKind, Protocol};
use policy::Action;

use super::{
    Usage,
    ending::Cut,
    lane::LaneText,
    raw::Raw,
    ruling::{Context, Rulings},
};
use crate::{
    inspect::role,
    mask::{REDACTED, extent},
    reason,
};

/// Texts of one answer. Models write a handful.
const MAX_LANES: usize = 64;
/// Bytes held back at the most, whatever the events weigh.
const MAX_HELD: u64 = 4 << 20;

/// A streamed answer.
#[derive(Debug)]
pub(crate) struct Streamed {
    decoder: decode::Stream,
    raw: Raw,
    lanes: Vec<LaneText>,
    deltas: Vec<Delta>,
    window: usize,
    state: State,
    pub(super) rulings: Rulings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is looked at, and held back as far as it may be changed.
    Judged { holds: bool },
    /// It cannot be read and passes as it is.
    Blind,
    /// It was cut.
    Ended,
}

impl Streamed {
    /// Begins an answer of a protocol. `holds`: whether anything may be changed in it.
    pub(super) fn new(protocol: Protocol, limits: &Limits, window: usize, holds: bool) -> Self {
        Self {
            decoder: decode::Stream::new(protocol, limits),
            raw: Raw::default(),
            lanes: Vec::new(),
            deltas: Vec::new(),
            window,
            state: State::Judged { holds },
            rulings: Rulings::default(),
        }
    }

    pub(super) fn usage(&self) -> Usage {
        let facts = self.decoder.facts();
        Usage { input: facts.input_tokens, output: facts.output_tokens }
    }

    /// What it was read as.
    pub(super) const fn protocol(&self) -> Protocol {
        self.decoder.read_as()
    }

    /// Bytes received, and texts.
    pub(super) fn seen(&self) -> (u64, usize) {
        (self.raw.end(), self.lanes.len())
    }

    pub(super) const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Takes a chunk, and gives out what may go on.
    pub(super) fn push(
        &mut self,
        context: &Context<'_>,
        chunk: &[u8],
        end: bool,
        unix_ms: u64,
        out: &mut Vec<u8>,
    ) {
        let State::Judged { holds } = self.state else {
            if self.state == State::Blind {
                out.extend_from_slice(chunk);
            }
            return;
        };
        self.raw.push(chunk);
        let mut rest = chunk;
        let mut read = Ok(true);
        while !self.rulings.is_cut && matches!(read, Ok(true)) {
            read = self.decoder.push_event(&mut rest, &mut self.deltas);
            if matches!(read, Ok(true)) {
                self.event(context, holds);
            }
        }
        let mut problem = read.err();
        if end && problem.is_none() && !self.rulings.is_cut {
            problem = self.decoder.end(&mut self.deltas).err();
            self.event(context, holds);
            // What the model's server has not finished is nothing to anybody.
            let is_half = problem.is_some_and(|problem| problem.kind == ProblemKind::Syntax) && holds;
            self.finish(context);
            if is_half && !self.rulings.is_cut {
                self.raw.take(self.decoder.boundary(), out);
                self.raw.clear();
                self.state = State::Ended;
                return;
            }
        }
        if let Some(problem) = problem.filter(|_| !self.rulings.is_cut) {
            self.unreadable(context, &problem);
        }
        let all = end || self.state == State::Blind;
        self.release(holds, all, out);
        if self.rulings.is_cut {
            out.extend(self.ending(context, unix_ms));
            self.raw.clear();
            self.state = State::Ended;
        }
    }

    /// Gives out whole events, up to the first with text that is not judged.
    fn release(&mut self, holds: bool, all: bool, out: &mut Vec<u8>) {
        let mut to = if all && !self.rulings.is_cut { self.raw.end() } else { self.decoder.boundary() };
        if holds {
            to = self.lanes.iter().filter_map(LaneText::held_from).fold(to, u64::min);
        }
        if self.rulings.is_cut && self.decoder.framed() != Framed::Plain {
            // The event that was read last is the first that is not wanted, where no text of it is held.
            to = to.min(self.decoder.event_start());
        }
        self.raw.take(to, out);
    }

    /// Judges the texts of the event that was read last.
    fn event(&mut self, context: &Context<'_>, holds: bool) {
        let start = self.decoder.event_start();
        self.rulings.unpinned(context, self.decoder.declared_tools());
        let mut deltas = core::mem::take(&mut self.deltas);
        for delta in deltas.drain(..) {
            if self.rulings.is_cut {
                break;
            }
            match delta.lane.channel {
                Channel::Field | Channel::Other => self.single(context, &delta),
                _ => self.continued(context, delta, start),
            }
        }
        self.deltas = deltas;
        self.repeats(context);
        // A client reads no further. Gemini tells of each candidate that it is complete, and others go on.
        if self.decoder.is_done() && self.decoder.read_as() != Protocol::Gemini {
            self.finish(context);
        }
        let held = self.decoder.boundary().saturating_sub(self.raw.base());
        if holds && held > MAX_HELD {
            self.rulings.own(context, &reason::ANSWER_COMPLEX, None);
            self.finish(context);
        }
    }

    /// A piece of one of the texts.
    fn continued(&mut self, context: &Context<'_>, delta: Delta, start: u64) {
        let Self { lanes, raw, rulings, decoder, .. } = self;
        // The text of an OpenAI response is that of all its messages.
        let across = decoder.read_as() == Protocol::OpenAiResponses;
        let known = lanes.iter().position(|known| known.has(delta.lane));
        let known = known.or_else(|| lanes.iter().rposition(|known| known.goes_on_in(&delta, across)));
        let place = known.unwrap_or_else(|| {
            if lanes.len() < MAX_LANES {
                lanes.push(LaneText::new(&delta, self.window, context.asked.print.is_some()));
            }
            lanes.len() - 1
        });
        let Some(lane) = lanes.get_mut(place) else { return };
        if lane.lane != delta.lane {
            if known.is_none() || lane.has(delta.lane) {
                // One text too many: it shares the last one's place, judged as what goes on there; or blocks that take turns.
                rulings.own(context, &reason::ANSWER_COMPLEX, None);
            }
            lane.turn_to(delta.lane);
        }
        lane.push(context, rulings, raw, delta, start, decoder.token_spans());
    }

    /// A text that is complete in itself.
    fn single(&mut self, context: &Context<'_>, delta: &Delta) {
        let role = role(delta.role);
        let mut found = Vec::new();
        if !context.guard.inspector().scan(role, &delta.text, &mut found) {
            self.rulings.own(context, &reason::DECODE_BUDGET, None);
        }
        for finding in found {
            let span = delta.stream_span(finding.span.clone());
            let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
            let place = || (delta.place.clone(), at(span.start)..at(span.end));
            if self.rulings.judge(context, &finding, role, &delta.text, place) == Action::Mask {
                let (inside, _) = extent(finding.rule.id, &delta.text, finding.span.clone());
                self.raw.replace(delta.stream_span(inside), REDACTED.into());
            }
        }
    }

    /// Texts that the event gives again: complete, so that they can be judged to their end.
    fn repeats(&mut self, context: &Context<'_>) {
        let Self { decoder, lanes, raw, rulings, .. } = self;
        let (mut changed, mut mixed) = (false, Vec::new());
        for repeat in decoder.repeats() {
            if let Some(lane) = lanes.iter_mut().find(|lane| lane.has(repeat.of)) {
                lane.finish(context, rulings, raw);
                match lane.again(raw, repeat.of, &repeat.delta) {
                    Some(is_changed) => changed |= is_changed,
                    None => mixed.push(repeat.delta.clone()),
                }
            }
        }
        mixed.iter().for_each(|delta| self.single(context, delta));
        let Self { decoder, raw, .. } = self;
        if changed {
            decoder.token_spans().iter().for_each(|tokens| raw.replace(tokens.clone(), "null".into()));
        }
    }

    fn finish(&mut self, context: &Context<'_>) {
        let Self { lanes, raw, rulings, .. } = self;
        lanes.iter_mut().for_each(|lane| lane.finish(context, rulings, raw));
    }

    /// The stream is none that can be read on.
    fn unreadable(&mut self, context: &Context<'_>, problem: &Problem) {
        self.finish(context);
        if !self.rulings.is_cut {
            self.rulings.own(context, &reason::ANSWER, Some(problem.at));
            self.state = State::Blind;
        }
    }

    fn ending(&self, context: &Context<'_>, unix_ms: u64) -> Vec<u8> {
        let mut choices: Vec<u32> = self.lanes.iter().map(|lane| lane.lane.choice).collect();
        choices.sort_unstable();
        choices.dedup();
        let model = self.decoder.facts().model.as_deref();
        let framed = self.decoder.framed();
        Cut {
            protocol: self.decoder.read_as(),
            framed,
            model: model.unwrap_or_default(),
            choices: &choices,
            rpc_id: context.asked.rpc_id.as_deref(),
            last: self.raw.last().filter(|_| framed == Framed::Array),
            unix_ms,
        }
        .ending()
    }
}
