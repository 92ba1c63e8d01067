//! Credentials told by the name they are given: `DB_PASSWORD=…`, `"api_key": "…"`, `<token>…</token>`,
//! `X-Api-Key: …`, `my password is …`.
//!
//! The patterns of `rules/secret_*.toml` find what has a form of its own. Most vendors' keys have none:
//! forty hexadecimal digits are a commit unless a name says otherwise. It goes through the signs that
//! stand between a name and its value (and for digits, which values without a sign have). The value is judged first: it has to look random ([`value`]). Only then is the name read
//! ([`name`]), and [`services`] says whose key it is.

mod name;
mod services;
#[cfg(test)]
pub(crate) mod tests;
mod value;

use name::{Kind, Name};
use value::{Alphabet, Value, is_placeholder};

pub(crate) use services::RULES;
use services::{BASIC, BEARER, CURL, KEY, KUBERNETES, PASSWORD, SERVICES, SPOKEN};

use crate::{
    detector::{Detector, Sink, Subject},
    passing,
    scratch::Buffers,
};

/// Finds credentials by their names.
#[derive(Debug)]
pub(crate) struct Secret;

impl Detector for Secret {
    fn scan(&self, subject: &Subject<'_>, _: &mut Buffers, sink: &mut Sink<'_>) {
        let bytes = subject.text.as_bytes();
        let mut scan = Scan { bytes, kubernetes: None };
        let mut at = 0;
        let is_sign = |byte| matches!(byte, b'0'..=b'9' | b':' | b'=' | b'>');
        while let Some(sign) = subject.marks().next(bytes, at, is_sign) {
            at = match bytes.get(sign) {
                Some(b'0'..=b'9') => scan.word(sign, at, sink),
                Some(b':' | b'=' | b'>') => scan.value(sign, sink),
                _ => sign + 1,
            };
        }
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    /// Whether the text is a Kubernetes secret, once somebody asked.
    kubernetes: Option<bool>,
}

impl Scan<'_> {
    /// Judges what stands behind a sign; returns where to go on.
    fn value(&mut self, sign: usize, sink: &mut Sink<'_>) -> usize {
        let bytes = self.bytes;
        let Some((mut start, quoted)) = value::start(bytes, sign) else { return sign + 1 };
        let mut end = value::end(bytes, start);
        let scheme = value::scheme(bytes, start, end);
        if let Some(behind) = scheme {
            start = behind;
            end = value::end(bytes, start);
        }
        let whole = bytes.get(start..end).unwrap_or_default();
        if whole.len() < value::SHORTEST {
            return end.max(sign + 1);
        }
        let value = Value::of(whole, quoted);
        if let Some(rule) = self.command_line(sign, &value) {
            sink.push(rule, 850, start..end);
        } else if let Some((rule, weight)) = self.named(sign, start, scheme.is_some(), &value) {
            sink.push(rule, weight, start..end);
        }
        end.max(sign + 1)
    }

    fn named(&mut self, sign: usize, start: usize, scheme: bool, value: &Value<'_>) -> Option<(usize, u16)> {
        // A UUID is issued with any digits; in documentation it is as good as real.
        let is_uuid = value.is_of(Alphabet::Uuid);
        let is_likely = value.is_random() || value.is_password();
        if !is_uuid && (!is_likely || is_placeholder(value.bytes)) {
            return None;
        }
        if value::is_foreign(value.bytes)
            || passing::is_masked(self.bytes, &(start..start + value.bytes.len()))
        {
            return None;
        }
        let name = Name::before(self.bytes, sign)?;
        if scheme && name.is_authorization() {
            let word = self.bytes.get(..start).unwrap_or_default().trim_ascii_end();
            let is_basic = word.len() >= 5
                && word.get(word.len() - 5..).is_some_and(|w| w.eq_ignore_ascii_case(b"basic"));
            return match is_basic {
                true => value::is_basic(value.bytes).then_some((BASIC, 860)),
                false => value.is_random().then_some((BEARER, 870)),
            };
        }
        if let Some(rule) = service(&name, value) {
            return Some((rule, 880));
        }
        if is_placeholder(value.bytes) || self.is_in_arn(sign) {
            return None;
        }
        let found = match name.kind() {
            Kind::Key if value.is_random() => Some((KEY, 850)),
            Kind::Weak if value.is_very_random() => Some((KEY, 850)),
            // Records of accounts are what password managers and directories answer with.
            Kind::Password if value.is_password() && self.is_field(sign) && !value.is_very_random() => {
                Some((PASSWORD, 450))
            }
            Kind::Password if value.is_password() => Some((PASSWORD, 850)),
            Kind::Other if value.is_base64() && self.is_kubernetes() && !name.is_metadata() => {
                Some((KUBERNETES, 850))
            }
            _ => None,
        };
        found.filter(|_| !passing::is_called_example(self.bytes, &(start..start + value.bytes.len())))
    }

    /// `curl -u name:password` and `--user name:password`, with quotation marks anywhere.
    fn command_line(&self, sign: usize, value: &Value<'_>) -> Option<usize> {
        if self.bytes.get(sign) != Some(&b':') || !value.is_password() || is_placeholder(value.bytes) {
            return None;
        }
        let before = self.bytes.get(sign.saturating_sub(80)..sign)?;
        let is_user = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'$' | b'<' | b'=' | b'/');
        let length = before.iter().rev().take_while(|byte| is_user(byte)).count();
        let (option, _) = before.split_at_checked(before.len() - length)?;
        let option = option.trim_ascii_end();
        (option.ends_with(b" -u") || option.ends_with(b"--user")).then_some(CURL)
    }

    /// Whether the sign parts the name of a resource of AWS: `arn:aws:secretsmanager:…:secret:…`.
    fn is_in_arn(&self, sign: usize) -> bool {
        let before = self.bytes.get(sign.saturating_sub(96)..sign).unwrap_or_default();
        let length = before.iter().rev().take_while(|byte| value::is_part(**byte) || **byte == b':').count();
        before.get(before.len() - length..).is_some_and(|word| word.starts_with(b"arn:"))
    }

    /// Whether the name before a sign is a quoted field of a record.
    fn is_field(&self, sign: usize) -> bool {
        self.bytes.get(..sign).is_some_and(|before| matches!(before.trim_ascii_end(), [.., b'"' | b'\'']))
    }

    fn is_kubernetes(&mut self) -> bool {
        let bytes = self.bytes;
        *self.kubernetes.get_or_insert_with(|| {
            let head = bytes.get(..bytes.len().min(8192)).unwrap_or_default();
            let mut lines = head.split(|byte| matches!(byte, b'\n' | b',' | b'{'));
            lines.any(|line| {
                let line = line.trim_ascii();
                let bare = |line: &[u8]| {
                    line.len() < 24
                        && line.windows(4).any(|word| word == b"kind")
                        && line.windows(6).any(|word| word == b"Secret")
                };
                bare(line)
            })
        })
    }

    /// Judges the word round a digit if the words before it name it: `the password is …`,
    /// `("api_token", "…")`. Returns where the word ends.
    fn word(&self, sign: usize, from: usize, sink: &mut Sink<'_>) -> usize {
        let bytes = self.bytes;
        let reach = bytes.get(sign.saturating_sub(value::LONGEST).max(from)..sign).unwrap_or_default();
        let start = sign - reach.iter().rev().take_while(|byte| value::is_part(**byte)).count();
        let end = value::end(bytes, start).max(sign + 1);
        let whole = bytes.get(start..end).unwrap_or_default();
        let trailing = whole.iter().rev().take_while(|byte| matches!(byte, b'.' | b'!' | b'?')).count();
        let whole = whole.get(..whole.len() - trailing.min(1)).unwrap_or_default();
        if whole.len() < 8 || whole.iter().all(|byte| !byte.is_ascii_alphabetic()) || is_placeholder(whole) {
            return end;
        }
        let value = Value::of(whole, false);
        if !value.is_password() && !value.is_random() {
            return end;
        }
        if let Some(kind) = Name::spoken(bytes, start) {
            let is_secret = match kind {
                Kind::Password => value.is_password(),
                Kind::Key => value.is_random(),
                _ => false,
            };
            if is_secret {
                sink.push(SPOKEN, 850, start..start + whole.len());
            }
        } else if let Some(name) = Name::argument(bytes, start)
            && name.kind() == Kind::Key
            && value.is_random()
        {
            sink.push(KEY, 850, start..start + whole.len());
        }
        end
    }
}

/// The service that a name speaks of, if the value has the form of its keys.
fn service(name: &Name, value: &Value<'_>) -> Option<usize> {
    let found = SERVICES.iter().find(|service| {
        service.lengths.contains(&value.bytes.len())
            && value.is_of(service.alphabet)
            && name.speaks_of(service.word)
    })?;
    (name.is_of_a_key(found.word)).then_some(found.rule)
}
