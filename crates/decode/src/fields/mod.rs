//! Bodies of named fields, as browsers and upload forms send them.

pub(crate) mod multipart;
pub(crate) mod percent;
pub(crate) mod urlencoded;

use alloc::{borrow::Cow, vec::Vec};

use crate::{
    Decoded, Facts, Limits, Marks, Part, Problem, ProblemKind, Protocol, Role, Tensor, collect::model_name,
    label,
};

/// The fields of a form as they are found.
struct Fields<'a, 'l> {
    limits: &'l Limits,
    parts: Vec<Part<'a>>,
    tensors: Vec<Tensor<'a>>,
    facts: Facts,
}

impl<'a, 'l> Fields<'a, 'l> {
    fn new(limits: &'l Limits) -> Self {
        Self { limits, parts: Vec::new(), tensors: Vec::new(), facts: Facts::default() }
    }

    /// Counts a field.
    fn count(&mut self, at: usize) -> Result<(), Problem> {
        self.facts.messages = self.facts.messages.saturating_add(1);
        if usize::try_from(self.facts.messages).is_ok_and(|fields| fields <= self.limits.max_nodes) {
            Ok(())
        } else {
            Err(Problem::new(ProblemKind::TooMany, at, "more fields than allowed"))
        }
    }

    fn push(&mut self, part: Part<'a>) -> Result<(), Problem> {
        if part.text.is_empty() {
            return Ok(());
        }
        if self.parts.len() >= self.limits.max_parts {
            return Err(Problem::new(ProblemKind::TooMany, part.span().start, "more texts than allowed"));
        }
        self.parts.push(part);
        Ok(())
    }

    /// Notes the model, if that is what a field names.
    fn setting(&mut self, name: &str, value: &str) {
        if name == "model" {
            self.facts.model = Some(model_name(value));
        }
    }

    fn decoded(self) -> Decoded<'a> {
        let Self { parts, tensors, facts, .. } = self;
        Decoded { protocol: Protocol::Form, parts, tensors, facts, marks: Marks::default() }
    }
}

/// Whose words a field's value is.
fn role_of(name: &str) -> Role {
    if label::is_identifier(name) { Role::Field } else { Role::Unknown }
}

/// The place of a field: a pointer to it, were the form an object.
fn place(name: &str) -> alloc::string::String {
    let mut place = alloc::string::String::from("/");
    crate::json::push_name(name, &mut place);
    if place.len() > crate::limits::MAX_PLACE_BYTES {
        place.truncate(place.floor_char_boundary(crate::limits::MAX_PLACE_BYTES));
        place.push('…');
    }
    place
}

/// A text that stands in the body as it is.
fn verbatim<'a>(text: &'a str, start: usize, role: Role, place: alloc::string::String) -> Part<'a> {
    Part::outside(Cow::Borrowed(text), start..start + text.len(), role, place)
}
