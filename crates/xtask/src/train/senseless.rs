//! Texts that say nothing: words in no order, made-up words, lists of numbers, tables, logs. Among so many windows one
//! is always a little like an attack; here the models learn that it is none, and the thresholds are held to it.

use std::fmt::Write as _;

use super::random::Random;

/// The words that texts are made of: each as often as it comes up, and each once.
pub(super) struct Words<'a> {
    running: Vec<&'a str>,
    distinct: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn of(texts: impl Iterator<Item = &'a str>) -> Self {
        let is_word = |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
        let running: Vec<&str> =
            texts.flat_map(|text| text.split(|c: char| !c.is_alphanumeric()).filter(is_word)).collect();
        let mut distinct = running.clone();
        distinct.sort_unstable();
        distinct.dedup();
        Self { running, distinct }
    }
}

/// A text of about so many bytes.
pub(super) fn text(words: &Words<'_>, bytes: usize, random: &mut Random) -> String {
    let kind = random.below(12);
    let mut text = String::new();
    while text.len() < bytes {
        match kind {
            0..=3 => sentence(&mut text, random, |random| pick(&words.distinct, random).to_owned()),
            4..=5 => sentence(&mut text, random, |random| pick(&words.running, random).to_owned()),
            6..=7 => sentence(&mut text, random, made_up),
            8 => {
                text.push_str(pick(&words.distinct, random));
                text.push(if random.below(12) == 0 { '\n' } else { ' ' });
            }
            9 => {
                text.push_str(&number(random));
                text.push_str(if random.below(9) == 0 { "\n" } else { ", " });
            }
            10 => row(&mut text, words, random),
            _ => log(&mut text, words, random),
        }
    }
    text
}

fn pick<'a>(words: &[&'a str], random: &mut Random) -> &'a str {
    random.pick(words).copied().unwrap_or("word")
}

fn sentence(text: &mut String, random: &mut Random, word: impl Fn(&mut Random) -> String) {
    let start = text.len();
    for at in 0..3 + random.below(14) {
        if at > 0 {
            text.push_str(if random.below(9) == 0 { ", " } else { " " });
        }
        text.push_str(&word(random));
    }
    if let Some(first) = text.get_mut(start..=start) {
        first.make_ascii_uppercase();
    }
    text.push_str(
        [". ", ". ", ". ", "? ", "! ", ".\n", ".\n\n"].get(random.below(7)).copied().unwrap_or(". "),
    );
}

/// A word of one to four syllables.
fn made_up(random: &mut Random) -> String {
    const FIRST: [&str; 18] =
        ["b", "c", "d", "f", "l", "m", "n", "p", "qu", "r", "s", "t", "v", "st", "tr", "cl", "", "g"];
    const MIDDLE: [&str; 9] = ["a", "e", "i", "o", "u", "ia", "ae", "e", "i"];
    const LAST: [&str; 9] = ["", "", "m", "s", "t", "r", "n", "x", "l"];
    let mut word = String::new();
    for _ in 0..=random.below(4) {
        for part in [&FIRST[..], &MIDDLE, &LAST] {
            word.push_str(random.pick(part).copied().unwrap_or_default());
        }
    }
    word
}

fn number(random: &mut Random) -> String {
    let number = random.below(100_000);
    match random.below(4) {
        0 => format!("{}.{:02}", number / 100, number % 100),
        1 => format!("-{}", number % 1000),
        2 => format!("{:016x}", random.next()),
        _ => number.to_string(),
    }
}

fn row(text: &mut String, words: &Words<'_>, random: &mut Random) {
    let between = if text.len().is_multiple_of(2) { " | " } else { "," };
    for _ in 0..3 + random.below(4) {
        let cell =
            if random.below(2) == 0 { number(random) } else { pick(&words.distinct, random).to_owned() };
        text.push_str(&cell);
        text.push_str(between);
    }
    text.push('\n');
}

fn log(text: &mut String, words: &Words<'_>, random: &mut Random) {
    let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
    let level = ["INFO", "DEBUG", "WARN", "ERROR"].get(random.below(4)).copied().unwrap_or_default();
    let [one, two, three] = std::array::from_fn(|_| pick(&words.distinct, random));
    let number = number(random);
    let line = format_args!("{hour:02}:{minute:02}:{second:02} {level} {one}: {two}={number} {three}\n");
    // Writing to a string cannot fail.
    let _ = text.write_fmt(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_text_has_its_turn_and_its_length() {
        let words = Words::of(["red green blue yellow", "red"].into_iter());
        assert_eq!((words.running.len(), words.distinct.len()), (5, 4));
        let mut random = Random::new(1);
        let texts: Vec<String> = (0..200).map(|_| text(&words, 400, &mut random)).collect();
        assert!(texts.iter().all(|text| (400..700).contains(&text.len())));
        for sign in [" | ", " INFO ", "yellow", "0, "] {
            assert!(texts.iter().any(|text| text.contains(sign)), "{sign}");
        }
    }

    #[test]
    fn a_seed_draws_the_same_text_each_time() {
        let words = Words::of(["one two three"].into_iter());
        let draw = || text(&words, 300, &mut Random::new(7));
        assert_eq!(draw(), draw());
    }
}
