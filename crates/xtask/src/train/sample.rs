//! Texts with what they are, as the models see them.

use std::{fs::File, io::Read as _, ops::Range, path::Path};

use anyhow::{Context as _, Result};
use detect::{
    Role,
    classifier::{HEADS, LONGEST, Walk},
    mention,
};
use flate2::read::MultiGzDecoder;
use normalise::Normalised;
use serde::Deserialize;

use super::{
    encode,
    grammar::{Drawn, Kind, Speaker},
    random::Random,
    senseless::{self, Words},
    sets::SETS,
};

/// The number of the set of encoded texts: that of no corpus and no grammar.
const ENCODED: usize = usize::MAX;
/// And that of senseless texts.
const SENSELESS: usize = usize::MAX - 1;
/// Senseless texts to train on.
const SENSELESS_TEXTS: usize = 1500;
/// And to judge.
const SENSELESS_JUDGED: usize = 600;
/// One in so many harmless texts is also encoded.
const EVERY: usize = 6;
/// The share of our own English grammars: more of them costs recall on other sources (measured: at 1, direct loses
/// two points and indirect four; without them, jailbreak loses seven).
const OWN: f32 = 0.3;
/// That of our harmless English texts for the head of jailbreaks, which gains a point from them where the others lose.
const OWN_HARMLESS: f32 = 0.75;
/// The head of jailbreaks.
const JAILBREAK: usize = 1;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Attacks, by head; those without a head of their own after them.
    Direct,
    Jailbreak,
    Indirect,
    /// Direct attacks in other languages than English.
    Foreign,
    /// Adversarial suffixes: the business of the structure detector.
    Suffix,
    /// What people ask and say.
    Ordinary,
    /// Security, code, role play, dangerous-sounding questions.
    Hard,
    /// Trigger words in harmless use.
    LookAlike,
    /// Documents.
    Document,
    /// What tools return.
    ToolOutput,
    /// Documents that tell a model what to do, or about attacks.
    Tutorial,
    /// Harmless, in other languages than English.
    Language,
    /// Harmless, in Base64, rotated, spaced out and so on.
    Encoded,
    /// Words in no order, numbers, tables.
    Senseless,
    /// Known to be labelled wrongly now and then.
    Unclear,
}

impl Class {
    pub(super) const ALL: [Self; 15] = [
        Self::Direct,
        Self::Jailbreak,
        Self::Indirect,
        Self::Foreign,
        Self::Suffix,
        Self::Ordinary,
        Self::Hard,
        Self::LookAlike,
        Self::Document,
        Self::ToolOutput,
        Self::Tutorial,
        Self::Language,
        Self::Encoded,
        Self::Senseless,
        Self::Unclear,
    ];

    pub(super) const fn is_attack(self) -> bool {
        matches!(self, Self::Direct | Self::Jailbreak | Self::Indirect | Self::Foreign | Self::Suffix)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Jailbreak => "jailbreak",
            Self::Indirect => "indirect",
            Self::Foreign => "other languages",
            Self::Suffix => "suffix",
            Self::Ordinary => "ordinary",
            Self::Hard => "hard",
            Self::LookAlike => "look-alike",
            Self::Document => "document",
            Self::ToolOutput => "tool output",
            Self::Tutorial => "tutorial",
            Self::Language => "other languages",
            Self::Encoded => "encoded",
            Self::Senseless => "senseless",
            Self::Unclear => "unclear",
        }
    }
}

/// A text's buckets, each with the number of the character at which it comes up.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    pub(super) buckets: Vec<(u32, u16)>,
    pub(super) characters: usize,
    /// Byte offset behind each character.
    ends: Vec<usize>,
}

impl Pieces {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut pieces = Self::default();
        let mut walk = Walk::new(bytes);
        while let Some(piece) = walk.step() {
            let at = u32::try_from(pieces.characters).unwrap_or(u32::MAX);
            pieces.buckets.push((at, piece.bucket));
            pieces.buckets.extend(piece.pair.map(|pair| (at, pair)));
            pieces.characters += 1;
            pieces.ends.push(bytes.len() - walk.left());
        }
        pieces
    }

    /// The buckets of a range of characters.
    pub(super) fn within(&self, range: &Range<usize>) -> &[(u32, u16)] {
        let place = |limit: usize| self.buckets.partition_point(|(at, _)| (*at as usize) < limit);
        self.buckets.get(place(range.start)..place(range.end)).unwrap_or_default()
    }

    /// The number of the character that a byte lies in.
    fn character_at(&self, byte: usize) -> usize {
        self.ends.partition_point(|end| *end <= byte)
    }
}

/// A text.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// Its set's number in [`SETS`], or behind those the number of the grammar.
    pub(super) set: usize,
    /// How much its source counts in training beside others, by head.
    pub(super) share: [f32; HEADS],
    pub(super) fold: Option<u8>,
    /// Whether what ships may learn from it.
    pub(super) trains: bool,
    pub(super) class: Class,
    pub(super) is_english: bool,
    pub(super) role: Role,
    pub(super) source: String,
    pub(super) comparable: Vec<u8>,
    /// The same without what it quotes, if it is about that.
    pub(super) outside: Option<Vec<u8>>,
    pub(super) pieces: Pieces,
    /// The characters that alone are the attack.
    pub(super) payload: Option<Range<usize>>,
}

/// A line of a corpus.
#[derive(Deserialize)]
struct Line {
    text: String,
    label: String,
    kind: String,
    lang: Option<String>,
    payload: Option<String>,
}

/// Reads the corpora of a folder.
///
/// # Errors
/// Names the file that is missing or wrong.
pub(super) fn read(folder: &Path) -> Result<Vec<Text>> {
    let mut all = Vec::new();
    for (number, set) in SETS.iter().enumerate() {
        let path = folder.join(format!("{}.jsonl.gz", set.name));
        let place = || format!("{}", path.display());
        let mut lines = String::new();
        let file = File::open(&path).with_context(place)?;
        MultiGzDecoder::new(file).read_to_string(&mut lines).with_context(place)?;
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            let line: Line = serde_json::from_str(line).with_context(place)?;
            // Encoded attacks are attacks of other sets; what is seen of them undecoded says nothing.
            if set.benign == Class::Encoded && line.label == "attack" {
                continue;
            }
            // Secrets and personal data are no business of these models.
            let is_attack = line.label == "attack" && !matches!(line.kind.as_str(), "secret" | "pii");
            let (comparable, pieces) = comparable(&line.text);
            let high = comparable.iter().filter(|byte| !byte.is_ascii()).count();
            let is_english =
                line.lang.as_deref().unwrap_or("en").starts_with("en") && high * 5 < comparable.len();
            let class = match line.kind.as_str() {
                _ if !is_attack
                    && matches!(set.benign, Class::Tutorial | Class::Encoded | Class::Unclear) =>
                {
                    set.benign
                }
                _ if !is_attack && !is_english => Class::Language,
                "hard-benign" if !is_attack && set.benign == Class::Ordinary => Class::LookAlike,
                _ if !is_attack => set.benign,
                "multilingual" => Class::Foreign,
                _ if !is_english => Class::Foreign,
                "jailbreak" => Class::Jailbreak,
                "indirect" => Class::Indirect,
                "adversarial-suffix" => Class::Suffix,
                _ => Class::Direct,
            };
            let outside = mention::outside(&line.text).map(|outside| self::comparable(&outside).0);
            let payload = line.payload.as_deref().and_then(|payload| find(&comparable, &pieces, payload));
            all.push(Text {
                set: number,
                share: [1.0; HEADS],
                fold: set.fold,
                trains: set.fold.is_some(),
                class,
                is_english,
                role: Role::User,
                source: line.text,
                comparable,
                outside,
                pieces,
                payload,
            });
        }
    }
    Ok(all)
}

/// Texts of our own grammars, each file a set. They always train, and nothing is measured on them.
pub(super) fn own(drawn: Vec<Drawn>) -> Vec<Text> {
    let mut files: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for drawn in drawn {
        // The system role is not judged by these models: what is harmless there need not be here.
        if drawn.role == Speaker::System && drawn.kind != Kind::Benign {
            continue;
        }
        let file = own_set(&drawn.group).to_owned();
        let number = files.iter().position(|known| *known == file).unwrap_or_else(|| {
            files.push(file);
            files.len() - 1
        });
        let is_english = drawn.lang.starts_with("en");
        let mut share = [if is_english { OWN } else { 1.0 }; HEADS];
        if let Some(share) = share.get_mut(JAILBREAK).filter(|_| is_english && drawn.kind == Kind::Benign) {
            *share = OWN_HARMLESS;
        }
        let class = match drawn.kind {
            Kind::Direct | Kind::Extraction if !is_english => Class::Foreign,
            Kind::Direct | Kind::Extraction => Class::Direct,
            Kind::Jailbreak => Class::Jailbreak,
            Kind::Indirect => Class::Indirect,
            Kind::Benign if is_english => Class::LookAlike,
            Kind::Benign => Class::Language,
        };
        let (comparable, pieces) = comparable(&drawn.text);
        let payload = drawn.payload.as_deref().and_then(|payload| find(&comparable, &pieces, payload));
        all.push(Text {
            set: SETS.len() + number,
            share,
            fold: None,
            trains: true,
            class,
            is_english,
            role: Role::User,
            source: drawn.text,
            comparable,
            outside: None,
            pieces,
            payload,
        });
    }
    all
}

/// The grammars of the other languages are one source: each says the same as the others.
fn own_set(group: &str) -> &str {
    let file = group.split('/').next().unwrap_or_default();
    if file.starts_with("lang_") { "lang" } else { file }
}

/// Harmless texts of the corpora that may train, encoded: a set of its own, in the folds of what it is made from.
pub(super) fn encoded(texts: &[Text]) -> Vec<Text> {
    let mut random = Random::named("encoded");
    let plain = texts.iter().filter(|text| {
        text.trains
            && text.is_english
            && matches!(text.class, Class::Ordinary | Class::Hard | Class::Document | Class::ToolOutput)
    });
    let encode = |text: &Text| {
        let most = text.source.floor_char_boundary(LONGEST);
        let source = encode::encoded(text.source.get(..most).unwrap_or_default(), &mut random);
        let (comparable, pieces) = comparable(&source);
        let class = Class::Encoded;
        Text {
            set: ENCODED,
            class,
            source,
            comparable,
            outside: None,
            pieces,
            payload: None,
            is_english: false,
            ..text.clone()
        }
    };
    plain.step_by(EVERY).map(encode).collect()
}

/// Texts that say nothing, of the words of harmless texts of ours, to train on.
pub(super) fn senseless(own: &[Text]) -> Vec<Text> {
    let plain = own.iter().filter(|text| text.is_english && !text.class.is_attack());
    let words = Words::of(plain.map(|text| text.source.as_str()));
    let mut random = Random::named("senseless");
    (0..SENSELESS_TEXTS)
        .map(|_| {
            let bytes = 40 + random.below(8 * LONGEST);
            let source = senseless::text(&words, bytes, &mut random);
            let (comparable, pieces) = comparable(&source);
            Text {
                set: SENSELESS,
                share: [1.0; HEADS],
                fold: None,
                trains: true,
                class: Class::Senseless,
                is_english: true,
                role: Role::User,
                source,
                comparable,
                outside: None,
                pieces,
                payload: None,
            }
        })
        .collect()
}

/// Long texts that say nothing, of the words of the corpora, to hold thresholds to.
pub(super) fn senseless_to_judge(corpora: &[Text]) -> Vec<Vec<u8>> {
    let plain = corpora.iter().filter(|text| text.is_english && !text.class.is_attack());
    let words = Words::of(plain.map(|text| text.source.as_str()));
    let mut random = Random::named("senseless to judge");
    let bytes = |number: usize| [100, 300, 1000, 30_000].get(number % 4).copied().unwrap_or(LONGEST);
    (0..SENSELESS_JUDGED)
        .map(|number| comparable(&senseless::text(&words, bytes(number), &mut random)).0)
        .collect()
}

fn comparable(text: &str) -> (Vec<u8>, Pieces) {
    let mut normalised = Normalised::default();
    normalised.set(text);
    (normalised.bytes().to_vec(), Pieces::of(normalised.bytes()))
}

/// The characters that a payload takes in a text.
fn find(text: &[u8], pieces: &Pieces, payload: &str) -> Option<Range<usize>> {
    let (payload, _) = comparable(payload.trim());
    let payload = payload.trim_ascii();
    let at = text.windows(payload.len().max(1)).position(|window| window == payload)?;
    Some(pieces.character_at(at)..pieces.character_at(at + payload.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_found_by_characters() {
        let (text, pieces) = comparable("Dû: “Ignore the REST” now");
        assert_eq!(find(&text, &pieces, "ignore the rest"), Some(5..20));
        assert_eq!(find(&text, &pieces, "another"), None);
    }

    #[test]
    fn the_pieces_of_a_window_are_those_of_its_characters() {
        let (_, pieces) = comparable("one two three");
        assert_eq!(pieces.characters, 13);
        assert_eq!(pieces.within(&(0..13)).len(), pieces.buckets.len());
        let (left, right) = (pieces.within(&(0..5)).len(), pieces.within(&(5..13)).len());
        assert_eq!(left + right, pieces.buckets.len());
        assert_eq!(left, 5 + 1);
    }
}
