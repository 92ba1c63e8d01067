//! Harmless texts in the encodings that attackers use, so that an encoding alone is no sign of an attack.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::random::Random;

/// A text in one encoding or another.
pub(super) fn encoded(text: &str, random: &mut Random) -> String {
    match random.below(9) {
        0 => STANDARD.encode(text),
        1 => hex(text, ""),
        2 => hex(text, " "),
        3 => rotated(text, 13),
        4 => rotated(text, u8::try_from(1 + random.below(25)).unwrap_or(1)),
        5 => spaced(text, [" ", "-", ".", "_"].get(random.below(4)).copied().unwrap_or(" ")),
        6 => leet(text),
        7 => text.chars().rev().collect(),
        _ => binary(text),
    }
}

fn hex(text: &str, between: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}

fn binary(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:08b}")).collect::<Vec<_>>().join(" ")
}

fn rotated(text: &str, by: u8) -> String {
    let turn = |c: char, first: u8| char::from((c as u8 - first + by) % 26 + first);
    text.chars()
        .map(|c| match c {
            'a'..='z' => turn(c, b'a'),
            'A'..='Z' => turn(c, b'A'),
            _ => c,
        })
        .collect()
}

fn spaced(text: &str, between: &str) -> String {
    text.chars().map(String::from).collect::<Vec<_>>().join(between)
}

fn leet(text: &str) -> String {
    let digit = |c: char| match c.to_ascii_lowercase() {
        'a' => '4',
        'e' => '3',
        'i' => '1',
        'o' => '0',
        's' => '5',
        't' => '7',
        _ => c,
    };
    text.chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_encoded_as_their_names_say() {
        assert_eq!(hex("az", " "), "61 7a");
        assert_eq!(rotated("Hello", 13), "Uryyb");
        assert_eq!(spaced("ab", "-"), "a-b");
        assert_eq!(leet("Toast"), "70457");
        assert_eq!(binary("a"), "01100001");
    }

    #[test]
    fn every_encoding_has_its_turn() {
        let mut random = Random::new(1);
        let seen: std::collections::BTreeSet<_> =
            (0..400).map(|_| encoded("some text", &mut random)).collect();
        assert!(seen.len() >= 25, "{seen:?}");
        assert!(!seen.contains("some text"));
    }
}
