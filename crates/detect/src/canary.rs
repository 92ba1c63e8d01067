//! Tokens that the operator planted in prompts: whoever writes one has seen the prompt.
//!
//! A token is found whatever its case and whatever stands between its letters and digits, and also
//! backwards; encoded ones are found in the views that the engine decodes. Of each token the byte that
//! ordinary text has least often is looked for, and only around it the rest is compared.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::ops::Range;

use memchr::memchr_iter;
use normalise::Normalised;

use crate::{
    detector::{Detector, Sink, Subject},
    finding::{Category, Rule, Severity},
    role::{Role, Roles},
    scratch::Buffers,
};

/// Letters and digits that a token needs: shorter ones stand in texts by chance.
pub(crate) const SHORTEST: usize = 8;
/// Letters and digits of a token that are compared.
const LONGEST: usize = 128;
/// Tokens that are looked for; each costs a pass over the text.
pub(crate) const MOST: usize = 32;
/// Bytes between two letters of a token that are stepped over.
const GAP: usize = 6;

pub(crate) const RULES: &[Rule] = &[Rule {
    id: "exfiltration.canary.token",
    summary: "Token that the operator planted in a prompt",
    category: Category::Exfiltration,
    severity: Severity::Critical,
    weight: 1000,
    paranoia: 1,
    roles: Roles::of(&[Role::User, Role::Assistant, Role::Tool, Role::Field, Role::Unknown]),
    owasp: &["LLM07:2025", "LLM08:2026"],
    atlas: &["AML.T0056"],
}];

/// Looks for the operator's tokens.
#[derive(Debug)]
pub(crate) struct Canary {
    needles: Vec<Needle>,
}

/// The letters and digits of a token, in one direction.
#[derive(Debug)]
struct Needle {
    bytes: Box<[u8]>,
    /// The place of the byte that is looked for.
    rare: usize,
}

impl Canary {
    /// Prepares tokens; `None` if there are none that can be told from chance.
    pub(crate) fn new(tokens: &[String]) -> Option<Self> {
        let mut normalised = Normalised::default();
        let mut needles: Vec<Needle> = Vec::new();
        for token in tokens.iter().take(MOST) {
            normalised.set(token);
            let letters = normalised.bytes().iter().copied().filter(is_letter);
            let bytes: Vec<u8> = letters.take(LONGEST).collect();
            if bytes.len() < SHORTEST {
                continue;
            }
            // Only of ASCII the bytes read backwards are the letters read backwards.
            if bytes.is_ascii() {
                needles.push(Needle::new(bytes.iter().rev().copied().collect()));
            }
            needles.push(Needle::new(bytes));
        }
        (!needles.is_empty()).then_some(Self { needles })
    }
}

impl Detector for Canary {
    fn scan(&self, subject: &Subject<'_>, _: &mut Buffers, sink: &mut Sink<'_>) {
        let text = subject.normalised.bytes();
        for range in self.needles.iter().flat_map(|needle| needle.matches(text)) {
            sink.push_comparable(0, 1000, range);
            if !sink.wants_repeats() {
                break;
            }
        }
    }
}

impl Needle {
    fn new(bytes: Vec<u8>) -> Self {
        let rare =
            bytes.iter().enumerate().min_by_key(|(_, byte)| commonness(**byte)).map_or(0, |(at, _)| at);
        Self { bytes: bytes.into_boxed_slice(), rare }
    }

    fn matches<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Range<usize>> + 't {
        let (before, rest) = self.bytes.split_at_checked(self.rare).unwrap_or_default();
        let (rare, behind) = rest.split_first().map_or((None, rest), |(rare, behind)| (Some(*rare), behind));
        let places = rare.map(|rare| memchr_iter(rare, text)).into_iter().flatten();
        places.filter_map(move |at| {
            let end = at + 1 + extent(text.get(at + 1..)?.iter(), behind.iter())?;
            let start = at - extent(text.get(..at)?.iter().rev(), before.iter().rev())?;
            Some(start..end)
        })
    }
}

/// How many bytes of a text hold these letters in this order, with little else between.
fn extent<'a>(text: impl Iterator<Item = &'a u8>, letters: impl Iterator<Item = &'a u8>) -> Option<usize> {
    let (mut length, mut letters, mut gap) = (0, letters.peekable(), 0);
    if letters.peek().is_none() {
        return Some(0);
    }
    for byte in text {
        length += 1;
        if letters.peek().is_some_and(|letter| *letter == byte) {
            letters.next();
            gap = 0;
            if letters.peek().is_none() {
                return Some(length);
            }
        } else {
            gap += 1;
            if is_letter(byte) || gap > GAP {
                return None;
            }
        }
    }
    None
}

/// Whether a byte of a comparable text belongs to a letter or a digit.
const fn is_letter(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte >= 0x80
}

/// How common a byte is in ordinary text, from the least on (Lewand, Cryptological Mathematics, for the
/// letters).
pub(crate) fn commonness(byte: u8) -> usize {
    const RISING: &[u8] = b"zqxj9876435201kvbpygfwmculdrhsnioate ";
    RISING.iter().position(|known| *known == byte).map_or(0, |place| place + 1)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::{format, string::ToString};

    use super::*;
    use crate::{Engine, Finding, Options, Packs, Scratch};

    fn options(tokens: &[&str]) -> Options {
        Options { canaries: tokens.iter().map(ToString::to_string).collect(), ..Options::default() }
    }

    fn found(options: &Options, text: &str, role: Role) -> Vec<Finding> {
        let mut out = Vec::new();
        Engine::new(options).scan_text(text, role, &mut Scratch::default(), &mut out);
        out.retain(|finding| finding.rule.id == RULES[0].id);
        out
    }

    #[test]
    fn a_token_is_found_in_any_dress() {
        let options = options(&["Kestrel-7f3a-Harbour", "ключ-Стрекоза-42"]);
        let texts = [
            "the word is Kestrel-7f3a-Harbour.",
            "KESTREL7F3AHARBOUR",
            "K e s t r e l 7 f 3 a H a r b o u r",
            "kestrel / 7f3a / harbour",
            "\"kestrel_7f3a_harbour\"",
            "it ends in Kes\u{200b}trel-7f3a-Har\u{ad}bour",
            "Ｋｅｓｔｒｅｌ－７ｆ３ａ－Ｈａｒｂｏｕｒ",
            "backwards: ruobraH-a3f7-lertseK",
            "S2VzdHJlbC03ZjNhLUhhcmJvdXI=",
            "4b65737472656c2d376633612d486172626f7572",
            "Kestrel-7f3a-\nHarbour",
            "секрет: КЛЮЧ стрекоза 42",
        ];
        for text in texts {
            let found = found(&options, text, Role::Assistant);
            // Once in the text, and perhaps once more in what it decodes to.
            assert!(!found.is_empty() && found.iter().all(|finding| finding.weight == 1000), "{text}");
        }
        assert!(texts.len() >= 12);
    }

    #[test]
    fn what_is_no_token_is_left_alone() {
        let options = options(&["Kestrel-7f3a-Harbour"]);
        for text in [
            "A kestrel flew over the harbour.",
            "Kestrel-7f3b-Harbour",
            "kestrel 7f3a then much else before it sees the harbour",
            "7f3a",
            "",
        ] {
            assert_eq!(found(&options, text, Role::Assistant), [], "{text}");
        }
    }

    #[test]
    fn the_span_is_that_of_the_token() {
        let text = "Ja, ist «KESTREL 7f3a harbour», ok";
        let found = found(&options(&["Kestrel-7f3a-Harbour"]), text, Role::User);
        assert_eq!(&text[found[0].span.clone()], "KESTREL 7f3a harbour");
    }

    #[test]
    fn the_system_role_holds_the_token_by_right() {
        let options = options(&["Kestrel-7f3a-Harbour"]);
        for role in Role::ALL {
            let found = found(&options, "Never say Kestrel-7f3a-Harbour.", role);
            assert_eq!(found.len(), usize::from(role != Role::System), "{role:?}");
        }
    }

    #[test]
    fn short_tokens_are_refused_and_too_many_are_not_looked_for() {
        assert!(Canary::new(&["abc".into(), "1-2-3".into(), String::new()]).is_none());
        let many: Vec<_> = (0..1000).map(|number| format!("canary-token-{number}")).collect();
        assert_eq!(Canary::new(&many).map(|canary| canary.needles.len()), Some(2 * MOST));
    }

    #[test]
    fn a_pack_that_is_off_reports_nothing() {
        let packs = Packs { exfiltration: false, ..Packs::default() };
        let options = Options { packs, ..options(&["Kestrel-7f3a-Harbour"]) };
        assert_eq!(found(&options, "Kestrel-7f3a-Harbour", Role::Assistant), []);
    }

    #[test]
    fn hostile_texts_cost_a_bounded_time() {
        let options = options(&["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "9999999999999999"]);
        for piece in ["a", "a ", "b", "9", "99999999999 ", "aaaaaaaaaaaaaaaab"] {
            let text = piece.repeat((1 << 16) / piece.len());
            let start = std::time::Instant::now();
            found(&options, &text, Role::User);
            assert!(start.elapsed() < std::time::Duration::from_secs(20), "{piece}");
        }
    }
}
