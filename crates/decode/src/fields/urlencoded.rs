//! `application/x-www-form-urlencoded`: names and values, percent-encoded.

use super::{Fields, percent, place, role_of};
use crate::{Decoded, Limits, Part, Problem, Role, label};

/// Reads a form. A name may come more than once, as it does for every list in a form: each of its values is a part.
pub(crate) fn read<'a>(text: &'a str, start: usize, limits: &Limits) -> Result<Decoded<'a>, Problem> {
    let mut fields = Fields::new(limits);
    let mut at = start;
    for pair in text.get(start..).unwrap_or_default().split('&') {
        if !pair.is_empty() {
            fields.count(at)?;
            field(&mut fields, pair, at)?;
        }
        at += pair.len() + 1;
    }
    Ok(fields.decoded())
}

fn field<'a>(fields: &mut Fields<'a, '_>, pair: &'a str, at: usize) -> Result<(), Problem> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let value_at = at + (pair.len() - value.len());
    let known = percent::undo(name, at)?;
    let text = percent::undo(value.trim_ascii_end(), value_at)?;
    let value = value.trim_ascii_end();
    let (place, role) = (place(&known), role_of(&known));
    fields.setting(&known, &text);
    if !label::is_name(&known) {
        fields.push(Part::outside(known, at..at + name.len(), Role::Field, place.clone()))?;
    }
    fields.push(Part::outside(text, value_at..value_at + value.len(), role, place))
}
