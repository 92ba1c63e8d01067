//! Query parameters, checked against the operation's list.

use wire::{Category, EventId, Severity};

use super::{Problem, operation::Operation};
use crate::incident::State;

/// The parameters of a request, each known and given once.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Refuses what the operation does not list.
    pub(super) fn check(operation: Operation, given: Vec<(String, String)>) -> Result<Self, Problem> {
        let known = operation.spec().query;
        for (at, (name, value)) in given.iter().enumerate() {
            if known.iter().all(|parameter| parameter.name != name) {
                let names: Vec<&str> = known.iter().map(|parameter| parameter.name).collect();
                return Err(Problem::bad_request(format!(
                    "{}: no such parameter; there are {}",
                    quote(name),
                    names.join(", ")
                )));
            }
            // PostgreSQL knows no text with a NUL in it.
            if value.contains('\0') {
                return Err(Problem::bad_request(format!("{name}: has a NUL in it")));
            }
            if given.iter().take(at).any(|(other, _)| other == name) {
                return Err(Problem::bad_request(format!("{name}: given twice")));
            }
        }
        Ok(Self(given))
    }

    /// The value as given.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, name: &str, min: u64, max: u64) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse::<u64>() {
            Ok(value) if (min..=max).contains(&value) => Ok(Some(value)),
            _ => Err(Problem::bad_request(format!(
                "{name}: {} is no whole number from {min} to {max}",
                quote(text)
            ))),
        }
    }

    /// A severity's word.
    pub(super) fn severity(&self, name: &str) -> Result<Option<Severity>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        serde_json::from_value(serde_json::Value::from(text)).map(Some).map_err(|_| {
            Problem::bad_request(format!("{name}: {} is none of low, medium, high, critical", quote(text)))
        })
    }

    /// A state's word.
    pub(super) fn state(&self, name: &str) -> Result<Option<State>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        State::parse(text).map(Some).ok_or_else(|| {
            Problem::bad_request(format!("{name}: {} is none of open, acknowledged, resolved", quote(text)))
        })
    }

    /// An address in the form that filters report it in, whichever form it is asked for in.
    pub(super) fn address(&self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        let address = text.parse::<std::net::IpAddr>();
        Some(address.map_or_else(|_| text.to_owned(), |address| address.to_canonical().to_string()))
    }

    /// An id.
    pub(super) fn id(&self, name: &str) -> Result<Option<EventId>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Problem::bad_request(format!("{name}: {} is no id", quote(text))))
    }

    /// A number from 0 to 1, in thousandths.
    pub(super) fn thousandths(&self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse::<f64>() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
            Ok(value) if (0.0..=1.0).contains(&value) => Ok(Some((value * 1000.0).round() as u64)),
            _ => Err(Problem::bad_request(format!("{name}: {} is no number from 0 to 1", quote(text)))),
        }
    }

    /// A category's word.
    pub(super) fn category(&self, name: &str) -> Result<Option<Category>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match serde_json::from_value(serde_json::Value::from(text)) {
            Ok(Category::Other) if text != "other" => {
                Err(Problem::bad_request(format!("{name}: {} is no category", quote(text))))
            }
            Ok(category) => Ok(Some(category)),
            Err(_) => Err(Problem::bad_request(format!("{name}: {} is no category", quote(text)))),
        }
    }
}

/// Where a page ends: the latest event of its last incident, and that incident's id.
pub(super) fn cursor(last_ms: u64, id: EventId) -> String {
    format!("{last_ms}.{id}")
}

/// Back from [`cursor`].
pub(super) fn parse_cursor(text: &str) -> Result<(u64, EventId), Problem> {
    text.split_once('.')
        .and_then(|(ms, id)| Some((ms.parse().ok()?, id.parse().ok()?)))
        .ok_or_else(|| Problem::bad_request(format!("before: {} is no `next` of a page", quote(text))))
}

/// What somebody sent, short enough to send back.
fn quote(text: &str) -> String {
    format!("{:?}", crate::alert::clean::clean(text, 60))
}
