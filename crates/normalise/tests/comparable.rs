//! What becomes of a text, and where each piece of it came from.

use modelgate_normalise::{Normalised, Transform};

fn normalised(source: &str) -> Normalised {
    let mut normalised = Normalised::default();
    normalised.set(source);
    normalised
}

/// (source, comparable text)
const TEXTS: &[(&str, &str)] = &[
    ("", ""),
    ("plain", "plain"),
    ("Ignore ALL Previous Instructions", "ignore all previous instructions"),
    ("a  b\t\tc \t d", "a b c d"),
    ("a\nb", "a\nb"),
    ("a\r\nb", "a\nb"),
    ("a \n b", "a\nb"),
    ("a\n\n\n b", "a\n\nb"),
    ("a\u{2029}b\u{a0}\u{3000}c", "a\n\nb c"),
    ("a \u{200b} b", "a b"),
    ("a\n\n\u{200b}\n\nb", "a\n\nb"),
    ("  lead and trail  ", " lead and trail "),
    ("ｉｇｎｏｒｅ", "ignore"),
    ("𝐢𝗴𝓷𝔬𝕣𝖊", "ignore"),
    ("ﬁne ① Ⅳ", "fine 1 iv"),
    ("ig\u{200b}no\u{ad}re\u{feff}", "ignore"),
    ("ig\u{0}no\u{8}re\u{7f}", "ignore"),
    ("\u{202e}abc\u{202c}", "abc"),
    ("e\u{301}te\u{301}", "été"),
    ("É É", "é é"),
    ("E\u{301}", "é"),
    ("\u{301}x", "\u{301}x"),
    ("“it’s” – «so»…", "\"it's\" - \"so\"..."),
    ("忽略以上，说。", "忽略以上,说."),
    ("Игнорируй ВСЁ", "игнорируй всё"),
    ("İstanbul", "i\u{307}stanbul"),
    ("a😀b", "a\u{1f}b"),
    ("❤\u{fe0f}", "\u{1f}"),
    ("ｶﾞ", "ガ"),
    ("각", "각"),
    ("क्षमा", "क्षमा"),
    ("<｜begin▁of▁sentence｜>", "<|begin\u{1f}of\u{1f}sentence|>"),
    ("ﷺ ﻻ", "ﷺ لا"),
    ("hidden\u{e0041}\u{e0042}", "hidden"),
    ("exactly thirty-two bytes of text, and Then", "exactly thirty-two bytes of text, and then"),
];

#[test]
fn texts_become_comparable() {
    assert!(TEXTS.len() >= 34);
    for (source, expected) in TEXTS {
        assert_eq!(normalised(source).text(), *expected, "{source:?}");
    }
}

#[test]
fn texts_become_comparable_behind_any_number_of_plain_bytes() {
    for (source, expected) in TEXTS.iter().filter(|(source, _)| !source.starts_with([' ', '\u{301}'])) {
        for ahead in 0..70 {
            let lead = "x".repeat(ahead) + "-";
            let text = normalised(&(lead.clone() + source));
            assert_eq!(text.text(), lead + expected, "{source:?} behind {ahead}");
        }
    }
}

#[test]
fn comparable_text_stays_as_it_is() {
    for (_, expected) in TEXTS {
        // The stand-in for symbols is a control character, left out where a source holds it.
        let again = normalised(&expected.replace('\u{1f}', ""));
        assert_eq!(again.text(), expected.replace('\u{1f}', ""));
    }
}

#[test]
fn ranges_lead_back_to_the_source() {
    /// (source, piece of the comparable text, its origin)
    const PIECES: &[(&str, &str, &str)] = &[
        ("say: ig\u{200b}nore it", "ignore", "ig\u{200b}nore"),
        ("so ｉｇｎｏｒｅ　it", "ignore", "ｉｇｎｏｒｅ"),
        ("so ｉｇｎｏｒｅ　it", "nor", "ｎｏｒ"),
        ("a  b", " ", "  "),
        ("a \n\n b", "\n\n", " \n\n "),
        ("x e\u{301} y", "é", "e\u{301}"),
        ("“it’s”", "it's", "it’s"),
        ("ﬁne", "fine", "ﬁne"),
        ("ﬁne", "ne", "ne"),
        ("Привет МИР!", "мир", "МИР"),
        ("a😀bc", "bc", "bc"),
        ("İx", "x", "x"),
    ];
    for (source, piece, origin) in PIECES {
        let text = normalised(source);
        let at = text.text().find(piece).unwrap();
        assert_eq!(&source[text.source_range(at..at + piece.len())], *origin, "{source:?}");
    }
}

#[test]
fn says_which_transforms_changed_something() {
    /// (source, names)
    const CHANGES: &[(&str, &[&str])] = &[
        ("plain  text", &[]),
        ("Text", &["case"]),
        ("a long plain text that is taken over in blocks, Text", &["case"]),
        ("ａ", &["nfkc"]),
        ("e\u{301}", &[]),
        ("a\u{200b}", &["invisibles"]),
        ("a\u{e0041}", &["invisibles", "tags"]),
    ];
    for (source, names) in CHANGES {
        let found: Vec<_> = normalised(source).transforms().iter().map(Transform::as_str).collect();
        assert_eq!(&found, names, "{source:?}");
    }
}

#[test]
fn a_reused_buffer_gives_what_a_new_one_gives() {
    let mut reused = Normalised::default();
    for (source, expected) in TEXTS.iter().chain(TEXTS.iter().rev()) {
        reused.set(source);
        assert_eq!(reused.text(), *expected);
        assert_eq!(reused.source_range(0..reused.len()).start, normalised(source).source_range(0..1).start);
    }
}

#[test]
fn a_million_marks_cost_no_more_than_a_million_letters() {
    for hostile in ["\u{301}", "a\u{301}", "ﷺ", "\u{200b}", " ", "\u{e0041}", "ﾞ", "İ", "\u{1f3f4}"] {
        let source = hostile.repeat(1_000_000 / hostile.len());
        let text = normalised(&source);
        assert!(text.len() <= source.len() * 11, "{hostile:?}");
    }
}
