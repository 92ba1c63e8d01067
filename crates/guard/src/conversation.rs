//! The new turn of a conversation apart from what was said before.

use alloc::{collections::BTreeMap, vec::Vec};
use core::ops::Range;

use decode::{Decoded, Part, Role};
use policy::{Action, Circumstances, History};

use crate::{Guard, ledger, ledger::Input, reason::Judged, sketch::Sketcher};

/// Steps between the least and the largest value of a tensor: inputs that differ by less are near neighbours.
const STEPS: f64 = 32.0;
/// The step where the policy names no bounds.
const DEFAULT_STEP: f64 = 0.1;
/// Earlier turns with findings that are judged by themselves; what is found in further ones counts as new.
const MAX_TURNS: usize = 64;
/// What stands in place of a text that was taken out: JSON needs no escape for it.
pub(crate) const NOTE: &str = "[This message was removed by the content policy.]";

/// The number of the last message that came before the new turn: the last answer of the model after which somebody else
/// spoke. `None`: all of it is new.
pub(crate) fn last_answer(parts: &[Part<'_>]) -> Option<u32> {
    let asked = |part: &&Part<'_>| matches!(part.role, Role::User | Role::Tool | Role::Unknown);
    let last_asked = parts.iter().filter(asked).filter_map(|part| part.message).max()?;
    let answers = parts.iter().filter(|part| part.role == Role::Assistant).filter_map(|part| part.message);
    answers.filter(|message| *message < last_asked).max()
}

/// Whether a part belongs to an earlier turn. What the application says stands above all turns.
fn is_past(part: &Part<'_>, last_answer: Option<u32>) -> bool {
    part.role != Role::System && part.message.is_some_and(|message| Some(message) <= last_answer)
}

/// The new turn as the ledger remembers it: its texts but for the application's own and for values that are no prose, and
/// the tensors.
pub(crate) fn sketch(decoded: &Decoded<'_>, key: u64, tensor_step: f64) -> Input {
    let last_answer = last_answer(&decoded.parts);
    let mut sketcher = Sketcher::new(key);
    for part in &decoded.parts {
        if is_said(part) && !is_past(part, last_answer) {
            sketcher.text(&part.text);
        }
    }
    for tensor in &decoded.tensors {
        sketcher.values(&tensor.values, tensor_step);
    }
    sketcher.finish()
}

/// Whether a part is somebody's words in the conversation.
const fn is_said(part: &Part<'_>) -> bool {
    !matches!(part.role, Role::System | Role::Field)
}

/// How fine tensors are told apart, by the bounds of their values.
pub(crate) fn tensor_step(tensor: &policy::Tensor) -> f64 {
    match (tensor.min_value, tensor.max_value) {
        (Some(min), Some(max)) if max > min => (max - min) / STEPS,
        _ => DEFAULT_STEP,
    }
}

/// Sorts findings by whether they belong to an earlier turn.
#[derive(Debug, Default)]
pub(crate) struct Sorter {
    last_answer: Option<u32>,
    /// The user's last message; earlier ones that got no answer are past, too.
    last_asked: Option<u32>,
    turns: BTreeMap<u32, Vec<Judged>>,
}

/// An earlier message in which something was found.
#[derive(Debug)]
pub(crate) struct PastTurn {
    pub(crate) findings: Vec<Judged>,
    /// The bytes of its texts in the body, without quotes.
    texts: Vec<Range<usize>>,
    /// Equal for equal messages of one client; 0 where nothing is remembered.
    hash: u32,
}

impl Sorter {
    /// Where the policy judges all turns alike, all of it is new.
    pub(crate) fn new(history: History, parts: &[Part<'_>]) -> Self {
        if history == History::Judge {
            return Self::default();
        }
        let of_user = parts.iter().filter(|part| part.role == Role::User);
        let last_asked = of_user.filter_map(|part| part.message).max();
        Self { last_answer: last_answer(parts), last_asked, turns: BTreeMap::new() }
    }

    /// Where the findings of a part belong; `new` are those of the new turn.
    pub(crate) fn findings<'a>(
        &'a mut self,
        part: &Part<'_>,
        new: &'a mut Vec<Judged>,
    ) -> &'a mut Vec<Judged> {
        let superseded = part.role == Role::User && part.message < self.last_asked;
        let is_past = self.last_asked.is_some() && (superseded || is_past(part, self.last_answer));
        match part.message.filter(|_| is_past) {
            Some(message) if self.turns.len() < MAX_TURNS || self.turns.contains_key(&message) => {
                self.turns.entry(message).or_default()
            }
            _ => new,
        }
    }

    /// The earlier messages in which something was found; their hashes are under `key`.
    pub(crate) fn finish(self, parts: &[Part<'_>], key: Option<u64>) -> Vec<PastTurn> {
        let turns = self.turns.into_iter().filter(|(_, findings)| !findings.is_empty());
        turns
            .map(|(message, findings)| {
                let said = || parts.iter().filter(|part| part.message == Some(message) && is_said(part));
                let hash = key.map_or(0, |key| {
                    let mut sketcher = Sketcher::new(key);
                    said().for_each(|part| sketcher.exactly(&part.text));
                    sketcher.finish().hash
                });
                PastTurn { findings, texts: said().map(Part::span).collect(), hash }
            })
            .collect()
    }
}

/// What the policy makes of earlier turns.
#[derive(Debug, Default)]
pub(crate) struct Past<'a> {
    /// What is reported of those that would be refused.
    pub(crate) offences: Vec<&'a Judged>,
    /// What is judged together with the new turn.
    pub(crate) others: Vec<&'a Judged>,
    /// What has to be taken out of the body.
    pub(crate) excised: Vec<Range<usize>>,
    /// The hashes of the last turns that would be refused.
    pub(crate) hashes: [u32; ledger::PAST],
}

impl<'a> Past<'a> {
    /// What is done about them; `is_news`: not all of them were reported before.
    pub(crate) const fn action(&self, is_news: bool) -> Action {
        match is_news {
            _ if !self.excised.is_empty() => Action::Mask,
            true => Action::Flag,
            false => Action::Allow,
        }
    }

    /// Judges each earlier turn by itself.
    pub(crate) fn of(guard: &Guard, turns: &'a [PastTurn], here: &Circumstances<'_>) -> Self {
        let document = guard.policy().document();
        let mut past = Self::default();
        let mut offences = 0;
        for turn in turns {
            let judgement = guard.policy().judge(turn.findings.iter().filter_map(Judged::reason), here);
            let own = turn.findings.iter().filter_map(|it| it.own_action(&document.unscannable)).max();
            if judgement.action.max(own.unwrap_or(Action::Allow)) < Action::Block {
                if document.conversation.history == History::Excise {
                    past.others.extend(&turn.findings);
                }
                continue;
            }
            past.offences.extend(&turn.findings);
            if document.conversation.history == History::Excise {
                past.excised.extend(turn.texts.iter().cloned());
            }
            if let Some(place) = past.hashes.get_mut(offences % ledger::PAST) {
                *place = turn.hash;
            }
            offences += 1;
        }
        past
    }
}
