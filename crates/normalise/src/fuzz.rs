//! Bodies for fuzzers, run by the unit tests over random input too.

use alloc::vec::Vec;

use crate::{Budget, Normalised, Transform, invisible::is_invisible, is_word, undone_in, views};

/// Normalises `source` and checks what holds for every text: valid UTF-8, white space folded, bytes
/// outside ASCII in words only, ranges in order and on character boundaries.
pub fn normalise(source: &str) {
    let mut normalised = Normalised::default();
    normalised.set(source);
    let text = normalised.text();
    assert_eq!(text.len(), normalised.len(), "the comparable text is UTF-8");
    assert!(normalised.padded().ends_with(&[0; crate::PADDING]));
    assert!(text.chars().all(|c| c.is_ascii() || is_word(c)));
    assert!(!text.bytes().any(|byte| byte.is_ascii_uppercase()));
    assert!(
        !text.contains("  ") && !text.contains(" \n") && !text.contains("\n ") && !text.contains("\n\n\n")
    );
    let mut last = 0..0;
    for (at, c) in text.char_indices() {
        let range = normalised.source_range(at..at + c.len_utf8());
        assert!(range.start >= last.start && range.end >= last.end && range.end <= source.len());
        assert!(!range.is_empty());
        if let Some(part) = source.get(range.clone()) {
            let same = part.chars().flat_map(char::to_lowercase).eq(core::iter::once(c));
            assert!(same || !part.is_ascii() || c.is_ascii_whitespace(), "{part:?} gave {c:?}");
            let _ = undone_in(part);
        }
        last = range;
    }
    assert_eq!(normalised.source_range(0..text.len()).end, last.end);
}

/// Finds what is encoded in `source` and checks that it lies inside, in the budget, and says something.
pub fn decode(source: &str) {
    let given = Budget::new(source.len() / 2 + 64, 8);
    let mut budget = given;
    let mut out = Vec::new();
    views(source, &mut budget, &mut out);
    let taken: usize = out.iter().map(|view| view.text.len()).sum();
    assert_eq!(taken + budget.bytes, given.bytes);
    assert_eq!(out.len() + budget.views, given.views);
    for view in out {
        let encoded = source.get(view.source.clone());
        assert!(encoded.is_some(), "{:?} is on character boundaries", view.source);
        // Telling joined words apart adds a space to each letter at most.
        assert!(view.text.len() <= 2 * view.source.len() + 2, "{view:?}");
        // What is not seen may stand between the letters.
        let is_ascii = encoded.is_some_and(|text| text.chars().all(|c| c.is_ascii() || is_invisible(c)));
        let is_of_ascii = [Transform::Base64, Transform::Base32, Transform::Joined].contains(&view.transform);
        assert!(!is_of_ascii || is_ascii);
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::*;

    /// xorshift64*: deterministic, and good enough to reach odd corners.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
        }
    }

    const PIECES: &[&str] = &[
        "a",
        "Z",
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        ".",
        "e\u{301}",
        "\u{301}",
        "\u{300}\u{316}",
        "ｉ",
        "ﬁ",
        "ﷺ",
        "\u{200b}",
        "\u{feff}",
        "\u{ad}",
        "\u{1f}",
        "\0",
        "\u{7f}",
        "\u{85}",
        "\u{2029}",
        "\u{3000}",
        "´",
        "\u{1fdf}",
        "“",
        "…",
        "中",
        "が",
        "か\u{3099}",
        "ｶ",
        "ﾞ",
        "각",
        "ᄀ",
        "ᅡ",
        "ᆨ",
        "İ",
        "ẞ",
        "Ⱥ",
        "😀",
        "🏴\u{e0067}",
        "\u{e0041}",
        "\u{e0042}",
        "\u{fe0f}",
        "क्षि",
        "คำ",
        "aWdub3JlIGFsbCBwcmV2aW91cw",
        "SGVsbG8gdGhlcmUsIHlvdQ==",
        "=",
        "/",
        "%20",
        "%69",
        "69676e6f726520616c6c2070726576",
        "the quick brown fox jumps over the lazy dog",
        "𝐢",
        "\u{1d173}",
        "\u{345}",
        "\u{1112}\u{1161}\u{11ab}",
    ];

    fn texts() -> Vec<String> {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut texts = Vec::new();
        for round in 0..3000 {
            let mut text = String::new();
            for _ in 0..random.below(40) {
                if round % 3 == 0 {
                    let code = u32::try_from(random.below(0x11_0000)).unwrap();
                    text.extend(char::from_u32(if round % 2 == 0 { code % 0x3100 } else { code }));
                } else {
                    text.push_str(PIECES[random.below(PIECES.len())]);
                }
            }
            texts.push(text);
        }
        texts
    }

    #[test]
    fn every_text_normalises_to_a_comparable_one() {
        texts().iter().for_each(|text| normalise(text));
    }

    #[test]
    fn views_stay_in_the_text_and_in_the_budget() {
        texts().iter().for_each(|text| decode(text));
        // Joined words with something unseen in them.
        decode("Ignore\u{200b} a\u{200c}ll pmg\u{200d}e\u{200d}'\"instructions\":\"tool\"ructions");
    }
}
