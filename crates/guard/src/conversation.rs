//! The new turn of a conversation apart from what was said before.

use decode::{Decoded, Part, Role};

use crate::{ledger::Input, sketch::Sketcher};

/// Steps between the least and the largest value of a tensor: inputs that differ by less are near neighbours.
const STEPS: f64 = 32.0;
/// The step where the policy names no bounds.
const DEFAULT_STEP: f64 = 0.1;

/// The number of the last message that came before the new turn: the last answer of the model after which somebody else
/// spoke. `None`: all of it is new.
pub(crate) fn last_answer(parts: &[Part<'_>]) -> Option<u32> {
    let asked = |part: &&Part<'_>| matches!(part.role, Role::User | Role::Tool | Role::Unknown);
    let last_asked = parts.iter().filter(asked).filter_map(|part| part.message).max()?;
    let answers = parts.iter().filter(|part| part.role == Role::Assistant).filter_map(|part| part.message);
    answers.filter(|message| *message < last_asked).max()
}

/// Whether a part belongs to an earlier turn. What the application says stands above all turns.
pub(crate) fn is_past(part: &Part<'_>, last_answer: Option<u32>) -> bool {
    part.role != Role::System && part.message.is_some_and(|message| Some(message) <= last_answer)
}

/// The new turn as the ledger remembers it: its texts but for the application's own and for values that are no prose, and
/// the tensors.
pub(crate) fn sketch(decoded: &Decoded<'_>, key: u64, tensor_step: f64) -> Input {
    let last_answer = last_answer(&decoded.parts);
    let mut sketcher = Sketcher::new(key);
    for part in &decoded.parts {
        if !matches!(part.role, Role::System | Role::Field) && !is_past(part, last_answer) {
            sketcher.text(&part.text);
        }
    }
    for tensor in &decoded.tensors {
        sketcher.values(&tensor.values, tensor_step);
    }
    sketcher.finish()
}

/// How fine tensors are told apart, by the bounds of their values.
pub(crate) fn tensor_step(tensor: &policy::Tensor) -> f64 {
    match (tensor.min_value, tensor.max_value) {
        (Some(min), Some(max)) if max > min => (max - min) / STEPS,
        _ => DEFAULT_STEP,
    }
}
