//! How often a search for something would stop in ordinary text, so that the rarest part of a pattern is
//! the one that is searched for. Only the speed depends on it.

use alloc::vec::Vec;

use super::{keys::literal_key, sort::sort_by};

/// Occurrences in a million words of English prose and of prompts to models, by rough steps. The order
/// follows the head of the British National Corpus list; words of prompts were added by feel.
const COMMON: &[(u32, &str)] = &[
    (30_000, "the of and to a in"),
    (10_000, "that is i it for on with as was you be he at by are this have not or from"),
    (
        4_000,
        "but his her they she which we an were been their has had will would there what all if can said \
         do your one my more when who me up out so them about into no time",
    ),
    (
        1_500,
        "some could only other new its than then two also these like any may first see our how now over \
         just people make should way after must many most get very where much even good such well him use \
         know those go because through between need want please help",
    ),
    (
        600,
        "https http www com org github write text code user data example following answer question give using list create work here \
         right think take come same still last own under great say each both used does while down before \
         without around another however every again off find set part line file name number value long \
         during against system information let never tell us model back day year might always world show \
         different state change end start add order provide based include explain",
    ),
    (
        200,
        "above below previous prior instruction instructions rule rules prompt prompts message messages \
         response respond reply output input act role play pretend start begin stop continue follow \
         following word words sentence context content given mode access key free limit policy content \
         policies developer assistant chat ai gpt translate summarize simulate imagine story character \
         now ever anything nothing everything something real true complete print repeat return test \
         guidelines restrictions request task tasks step steps format language english password secret \
         token ensure without within important further original initial entire exact full hidden",
    ),
];

/// The common words, to be looked up in.
#[derive(Debug)]
pub(super) struct Frequencies {
    /// In ascending order of the words; before each its first bytes, which are quick to compare.
    known: Vec<(u64, &'static [u8], u32)>,
    /// One bit for the hash of the first three bytes of each: most words are told apart by it.
    beginnings: [u64; 64],
}

impl Default for Frequencies {
    fn default() -> Self {
        let rows = COMMON.iter().flat_map(|(frequency, words)| {
            words
                .split_ascii_whitespace()
                .map(|word| (first_bytes(word.as_bytes()), word.as_bytes(), *frequency))
        });
        let mut known: Vec<_> = rows.collect();
        sort_by(&mut known, |a, b| a < b);
        let mut beginnings = [0; 64];
        for (first, ..) in &known {
            let (place, bit) = beginning(*first);
            if let Some(bits) = beginnings.get_mut(place) {
                *bits |= bit;
            }
        }
        Self { known, beginnings }
    }
}

impl Frequencies {
    /// Occurrences in a million of a word, or of all that begin so.
    pub(super) fn of_word(&self, word: &[u8], whole: bool) -> u32 {
        let bytes = first_bytes(word);
        let (place, bit) = beginning(bytes);
        let may_be_listed = word.len() < 3 || self.beginnings.get(place).is_some_and(|bits| bits & bit != 0);
        let listed = if may_be_listed { self.listed(word, bytes, whole) } else { 0 };
        let unlisted = match word.len() {
            0 | 1 => 3000,
            2 => 300,
            3 => 60,
            4 => 30,
            5 | 6 => 12,
            _ => 5,
        };
        // A stem begins several words.
        let unlisted = if whole { unlisted } else { unlisted * 4 };
        listed.max(unlisted)
    }

    /// The same for common words; `bytes` are its first ones.
    fn listed(&self, word: &[u8], bytes: u64, whole: bool) -> u32 {
        let first = self.known.partition_point(|(first, ..)| *first < bytes);
        // Past the words that begin like this one and come before it.
        let before = |(first, common, _): &&(u64, &[u8], u32)| *first == bytes && *common < word;
        let listed = self.known.iter().skip(first).skip_while(before);
        let meant = |common: &[u8]| if whole { common == word } else { common.starts_with(word) };
        listed.take_while(|(_, common, _)| meant(common)).map(|(_, _, frequency)| frequency).sum()
    }
}

/// Where the hash of a word's first three bytes has its bit.
const fn beginning(first_bytes: u64) -> (usize, u64) {
    let hash = (first_bytes >> 40).wrapping_mul(0x9e37_79b1) as u32 >> 20;
    ((hash >> 6) as usize, 1 << (hash & 63))
}

/// The first eight bytes as a number that orders as they do.
fn first_bytes(word: &[u8]) -> u64 {
    u64::from_be_bytes(literal_key(word, 8).to_le_bytes())
}

/// The same for raw characters: `key` is what a search compares. Links are common.
pub(super) fn of_raw(key: &[u8]) -> u32 {
    // Rulers and fences: `-----`, `=====`, `` ``` ``.
    if [&b"://"[..], b"](http", b":\n"].iter().any(|common| key.starts_with(common)) {
        return 300;
    }
    let uniform = key.iter().all(|byte| key.first() == Some(byte));
    match (key.len(), key.first()) {
        (0, _) => u32::MAX,
        (1, Some(b'.' | b',')) => 60_000,
        (1, _) => 5_000,
        (2, _) => 1_000,
        (3..=5, _) if uniform => 400,
        (3..=5, _) => 60,
        _ if uniform => 200,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_come_before_common_ones() {
        let order: &[(&[u8], bool)] = &[
            (b"jailbreak", true),
            (b"ignore", true),
            (b"instruction", false),
            (b"your", true),
            (b"the", true),
        ];
        let frequencies = Frequencies::default();
        let of = |(word, whole): (&[u8], bool)| frequencies.of_word(word, whole);
        for pair in order.windows(2) {
            assert!(of(pair[0]) < of(pair[1]), "{pair:?}");
        }
        // Listed words and stems are found whatever their length.
        assert_eq!(
            [of((b"of", true)), of((b"instructions", true)), of((b"instruction", false))],
            [30_000, 200, 400]
        );
        assert!(of_raw(b"<|im_s") < of_raw(b"###") && of_raw(b"###") < of_raw(b":"));
    }
}
