//! What holds for every document, tried on generated ones; the same ones in every run.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends when something is not as it should be"
)]

use modelgate_decode::{Decoded, Input, Limits, Part, Problem, ProblemKind, Protocol, decode};
use serde_json::Value;

/// A small generator of numbers (xorshift64*), so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40) as usize % sides
    }

    fn pick<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.roll(from.len())]
    }
}

/// Writes documents.
struct Writer {
    dice: Dice,
    text: String,
    /// Every string of the document that is not empty, in order.
    strings: Vec<String>,
}

impl Writer {
    fn document(seed: u64) -> Self {
        let mut writer = Self { dice: Dice(seed | 1), text: String::new(), strings: Vec::new() };
        writer.space();
        writer.container(0);
        writer.space();
        writer
    }

    fn space(&mut self) {
        for _ in 0..self.dice.roll(4).saturating_sub(2) {
            let space = self.dice.pick(&[" ", "\n", "\t", "\r\n"]);
            self.text += space;
        }
    }

    fn value(&mut self, depth: usize) {
        match self.dice.roll(8) {
            0..=2 => {
                let string = self.string(12);
                if !string.is_empty() {
                    self.strings.push(string);
                }
            }
            3 | 4 if depth < 3 => self.container(depth + 1),
            5 => self.text += self.dice.pick(&["0", "-1", "1.5", "2e3", "-0.25E-2", "18446744073709551616"]),
            _ => self.text += self.dice.pick(&["true", "false", "null"]),
        }
    }

    fn container(&mut self, depth: usize) {
        let object = self.dice.roll(2) == 0;
        self.text.push(if object { '{' } else { '[' });
        for index in 0..self.dice.roll(12 >> depth) {
            if index > 0 {
                self.text.push(',');
            }
            self.space();
            if object {
                // A number makes the name unique; a sign of its own, that it is never an identifier.
                self.text += &format!("\"{index}\u{a7}");
                let name = self.content(4);
                self.text.push('"');
                self.strings.push(format!("{index}\u{a7}{name}"));
                self.space();
                self.text.push(':');
                self.space();
            }
            self.value(depth);
            self.space();
        }
        self.text.push(if object { '}' } else { ']' });
    }

    fn string(&mut self, most: usize) -> String {
        self.text.push('"');
        let content = self.content(most);
        self.text.push('"');
        content
    }

    /// Writes characters, some of them as escapes, and gives what they stand for.
    fn content(&mut self, most: usize) -> String {
        let mut content = String::new();
        for _ in 0..self.dice.roll(most + 1) {
            let piece = self.dice.pick(&[
                "a",
                "é",
                "\u{2028}",
                "🥖",
                "\"",
                "\\",
                "/",
                "\n",
                "\t",
                "\0",
                "\u{7f}",
                "~",
                "u",
                "plain text ",
                "and a stretch that is longer than one block of the scanner, ",
            ]);
            content += piece;
            for character in piece.chars() {
                self.character(character);
            }
        }
        content
    }

    fn character(&mut self, character: char) {
        let short = match character {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '/' => Some("\\/"),
            '\n' => Some("\\n"),
            '\t' => Some("\\t"),
            _ => None,
        };
        match (short, self.dice.roll(8)) {
            (Some(short), 1..) if character != '/' => self.text += short,
            (Some(short), 1..=4) => self.text += short,
            (None | Some("\\/"), 1..) if character >= ' ' => self.text.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    let hex = format!("\\u{unit:04x}");
                    self.text +=
                        &if self.dice.roll(2) == 0 { hex } else { hex.to_uppercase().replace('U', "u") };
                }
            }
        }
    }
}

fn read(body: &[u8]) -> Result<Decoded<'_>, Problem> {
    let input =
        Input { protocol: Some(Protocol::Json), path: "", content_type: None, body, ..Input::default() };
    decode(&input, &Limits::default())
}

/// What a stretch of the inside of a JSON string stands for.
fn undone(inside: &[u8]) -> String {
    let quoted = [b"\"", inside, b"\""].concat();
    serde_json::from_slice(&quoted).unwrap_or_else(|it| panic!("{}: {it}", String::from_utf8_lossy(&quoted)))
}

#[test]
fn every_string_is_a_part_whose_span_and_place_lead_back_to_it() {
    let mut parts = 0;
    for seed in 0..4000 {
        let Writer { text, strings, .. } = Writer::document(seed * 7919 + 1);
        let decoded = read(text.as_bytes()).unwrap_or_else(|it| panic!("{it}: {text}"));
        let found: Vec<&str> = decoded.parts.iter().map(|part| &*part.text).collect();
        assert_eq!(found, strings, "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        for part in &decoded.parts {
            parts += 1;
            assert_eq!(undone(&text.as_bytes()[part.span()]), part.text);
            let there = value.pointer(&part.place()).unwrap_or_else(|| panic!("{} in {text}", part.place()));
            let name = part.place().rsplit('/').next().map(|it| it.replace("~1", "/").replace("~0", "~"));
            assert!(there.as_str() == Some(&part.text) || name.as_deref() == Some(&part.text), "{text}");
        }
    }
    assert!(parts > 30_000, "only {parts} parts");
}

#[test]
fn every_stretch_of_a_text_maps_to_the_bytes_that_stand_for_it() {
    let mut stretches = 0;
    for seed in 0..400 {
        let Writer { text, .. } = Writer::document(seed * 104_729 + 3);
        let body = text.as_bytes();
        for part in read(body).unwrap().parts {
            let ends: Vec<usize> =
                part.text.char_indices().map(|(at, _)| at).chain([part.text.len()]).step_by(3).collect();
            for (nth, &start) in ends.iter().enumerate() {
                for &end in &ends[nth..] {
                    stretches += 1;
                    let span = part.body_span(body, start..end);
                    assert_eq!(
                        undone(&body[span]),
                        part.text[start..end],
                        "{start}..{end} of {:?}",
                        part.text
                    );
                }
            }
            assert_eq!(part.body_span(body, 0..part.text.len()), part.span());
        }
    }
    assert!(stretches > 50_000, "only {stretches} stretches");
}

#[test]
fn stretches_that_split_characters_or_leave_the_text_map_to_whole_ones_within() {
    for body in [r#"["aé\u00e9\ud83e\udd56z"]"#, "[\"aé🥖z\"]"] {
        let decoded = read(body.as_bytes()).unwrap();
        let part = &decoded.parts[0];
        let length = part.text.len();
        for start in 0..length + 3 {
            for end in 0..length + 3 {
                let span = part.body_span(body.as_bytes(), start..end);
                assert!(part.span().start <= span.start && span.end <= part.span().end, "{start}..{end}");
                let text = undone(&body.as_bytes()[span.clone()]);
                if start < end {
                    let from = part.text.floor_char_boundary(start.min(length));
                    let to = part.text.ceil_char_boundary(end.min(length));
                    assert_eq!(text, part.text[from..to], "{start}..{end} of {body}");
                } else {
                    assert!(span.is_empty(), "{start}..{end} of {body}");
                }
            }
        }
    }
}

#[test]
fn plain_text_maps_to_itself_behind_a_byte_order_mark() {
    let body = "\u{feff}träum".as_bytes();
    let input =
        Input { protocol: Some(Protocol::Text), path: "", content_type: None, body, ..Input::default() };
    let decoded = decode(&input, &Limits::default()).unwrap();
    let part: &Part<'_> = &decoded.parts[0];
    assert_eq!((&*part.text, part.span(), part.place()), ("träum", 3..9, String::new()));
    assert_eq!(part.body_span(body, 2..3), 5..7);
    assert_eq!(part.body_span(body, 3..99), 5..9);
    assert_eq!(part.body_span(body, 99..99), 9..9);
}

/// Where this reader and `serde_json` differ on purpose.
fn differs_on_purpose(result: &Result<Decoded<'_>, Problem>, body: &[u8]) -> bool {
    match result {
        Err(problem) => {
            matches!(problem.kind, ProblemKind::DuplicateKey | ProblemKind::TooDeep | ProblemKind::Null)
        }
        Ok(decoded) => {
            let beyond = decoded.tensors.iter().any(|tensor| tensor.values.iter().any(|it| !it.is_finite()));
            beyond || body.starts_with("\u{feff}".as_bytes())
        }
    }
}

#[test]
fn accepts_what_serde_json_accepts_and_nothing_else() {
    const BITS: [&[u8]; 24] = [
        b"\"", b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\\u", b"\\ud83e", b"\0", b"\n", b"NaN", b"1",
        b"-", b".", b"e", b"0", b"null", b"\xff", b"\xc3", b" ", b"\"a\":1", b"1e999",
    ];
    let (mut accepted, mut refused, mut apart) = (0, 0, 0);
    for seed in 0..40_000 {
        let mut writer = Writer::document(seed / 4 * 31 + 11);
        let mut body = std::mem::take(&mut writer.text).into_bytes();
        writer.dice = Dice(seed * 2 + 1);
        for _ in 0..writer.dice.roll(3) {
            let at = writer.dice.roll(body.len() + 1);
            match writer.dice.roll(4) {
                0 => body.truncate(at),
                1 => drop(body.splice(at..(at + 1).min(body.len()), [])),
                2 => drop(body.splice(at..(at + 1).min(body.len()), writer.dice.pick(&BITS).iter().copied())),
                _ => drop(body.splice(at..at, writer.dice.pick(&BITS).iter().copied())),
            }
        }
        let ours = read(&body);
        if differs_on_purpose(&ours, &body) {
            apart += 1;
            continue;
        }
        let theirs = serde_json::from_slice::<Value>(&body);
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}: {ours:?} {theirs:?}", String::from_utf8_lossy(&body));
        if ours.is_ok() { accepted += 1 } else { refused += 1 }
    }
    assert!(accepted > 10_000 && refused > 10_000 && apart < 4000, "{accepted}, {refused}, {apart}");
}

#[test]
fn numbers_are_rounded_as_the_standard_library_rounds_them() {
    let mut dice = Dice(5);
    let mut tokens: Vec<String> = [
        "0",
        "-0",
        "9007199254740993",
        "9007199254740992",
        "1e22",
        "1e23",
        "-1.5e-22",
        "123456789012345678e-22",
        "2.2250738585072011e-308",
        "4.9e-324",
        "2e-324",
        "1.7976931348623157e308",
        "8.5e-5",
        "0.1",
        "1e0000001",
        "9223372036854775807",
        "18446744073709551615",
        "1.00000000000000011102230246251565404236316680908203125",
    ]
    .map(String::from)
    .into();
    for _ in 0..25_000 {
        let mut token = String::from(dice.pick(&["", "-"]));
        let digits = |dice: &mut Dice, most: usize| -> String {
            (0..1 + dice.roll(most))
                .map(|_| ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'][dice.roll(10)])
                .collect()
        };
        let whole = digits(&mut dice, 20);
        token += whole.trim_start_matches('0');
        if token.is_empty() || token == "-" {
            token.push('0');
        }
        if dice.roll(2) == 0 {
            token += &format!(".{}", digits(&mut dice, 20));
        }
        if dice.roll(2) == 0 {
            token += &format!("{}{}{}", dice.pick(&["e", "E"]), dice.pick(&["", "+", "-"]), dice.roll(330));
        }
        tokens.push(token);
    }
    let body = format!("[{}]", tokens.join(" , "));
    let decoded = read(body.as_bytes()).unwrap();
    assert_eq!(decoded.tensors[0].shape, [tokens.len()]);
    for (token, value) in tokens.iter().zip(&decoded.tensors[0].values) {
        let expected: f64 = token.parse().unwrap();
        assert_eq!(value.to_bits(), expected.to_bits(), "{token}: {value} is not {expected}");
    }
}
