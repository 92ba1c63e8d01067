//! Ways to hide a text.

/// A way to hide a text, by its name.
pub type Transform = (&'static str, fn(&str) -> String);

pub const TRANSFORMS: &[Transform] = &[
    ("plain", str::to_string),
    ("upper case", str::to_uppercase),
    ("base64", |text| base64(text.as_bytes())),
    ("base64 twice", |text| base64(base64(text.as_bytes()).as_bytes())),
    ("base64 over lines", |text| lines(&base64(text.as_bytes()), 24)),
    ("hex", |text| codes(text, "", |byte| format!("{byte:02x}"))),
    ("hex, spaced", |text| codes(text, " ", |byte| format!("{byte:02X}"))),
    ("hex, as numbers", |text| codes(text, ", ", |byte| format!("0x{byte:02x}"))),
    ("binary", |text| codes(text, " ", |byte| format!("{byte:08b}"))),
    ("octal", |text| codes(text, " ", |byte| format!("{byte:03o}"))),
    ("decimal", |text| codes(text, " ", |byte| format!("{byte}"))),
    ("decimal list", |text| format!("[{}]", codes(text, ", ", |byte| format!("{byte}")))),
    ("url", |text| codes(text, "", |byte| format!("%{byte:02X}"))),
    ("rot13", |text| rotated(text, 13)),
    ("caesar 3", |text| rotated(text, 3)),
    ("caesar 7", |text| rotated(text, 7)),
    ("caesar 21", |text| rotated(text, 21)),
    ("rot47", rot47),
    ("atbash", |text| each_letter(text, |first, letter| first + 25 - (letter - first))),
    ("backwards", |text| text.chars().rev().collect()),
    ("each word backwards", |text| each_word(text, |word| word.chars().rev().collect())),
    ("morse", morse),
    ("spelling alphabet", spelling),
    ("leet", |text| leet(text, &[('a', '4'), ('e', '3'), ('i', '1'), ('o', '0'), ('s', '5'), ('t', '7')])),
    ("leet, vowels", |text| leet(text, &[('a', '4'), ('e', '3'), ('i', '1'), ('o', '0')])),
    ("leet, symbols", |text| leet(text, &[('a', '@'), ('e', '3'), ('i', '!'), ('o', '0'), ('s', '$')])),
    ("spaced", |text| between(text, " ")),
    ("spaced, no gaps", |text| between(&text.replace(' ', ""), " ")),
    ("dotted", |text| each_word(text, |word| between(word, "."))),
    ("hyphenated", |text| between(text, "-")),
    ("one letter a line", |text| between(text, "\n")),
    ("underscores between letters", |text| each_word(text, |word| between(word, "_"))),
    ("pig latin", |text| each_word(text, pig_latin)),
    ("zero-width", |text| between(text, "\u{200b}")),
    ("full width", |text| each_graphic(text, |code| char::from_u32(code + 0xfee0))),
    ("tags", |text| text.chars().filter_map(|c| char::from_u32(0xe0000 + u32::from(c))).collect()),
];

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let at = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let joined = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let symbol = ALPHABET[(joined >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(symbol) } else { '=' });
        }
    }
    out
}

fn lines(text: &str, width: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(width).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join("\n")
}

fn codes(text: &str, between: &str, write: impl Fn(u8) -> String) -> String {
    text.bytes().map(write).collect::<Vec<_>>().join(between)
}

fn each_letter(text: &str, turn: impl Fn(u8, u8) -> u8) -> String {
    let turned = text.bytes().map(|byte| match byte {
        b'a'..=b'z' => turn(b'a', byte),
        b'A'..=b'Z' => turn(b'A', byte),
        _ => byte,
    });
    turned.map(char::from).collect()
}

fn rotated(text: &str, by: u8) -> String {
    each_letter(text, |first, letter| first + (letter - first + by) % 26)
}

fn rot47(text: &str) -> String {
    each_graphic(text, |code| char::from_u32(33 + (code - 33 + 47) % 94))
}

fn each_graphic(text: &str, turn: impl Fn(u32) -> Option<char>) -> String {
    text.chars().filter_map(|c| if c.is_ascii_graphic() { turn(u32::from(c)) } else { Some(c) }).collect()
}

fn each_word(text: &str, turn: impl Fn(&str) -> String) -> String {
    text.split(' ').map(turn).collect::<Vec<_>>().join(" ")
}

fn between(text: &str, gap: &str) -> String {
    text.chars().map(String::from).collect::<Vec<_>>().join(gap)
}

fn leet(text: &str, table: &[(char, char)]) -> String {
    let turn =
        |c: char| table.iter().find(|(from, _)| *from == c.to_ascii_lowercase()).map_or(c, |(_, to)| *to);
    text.chars().map(turn).collect()
}

fn pig_latin(word: &str) -> String {
    let core = word.trim_end_matches(|c: char| !c.is_alphabetic());
    let trail = &word[core.len()..];
    match core.find(|c: char| "aeiouAEIOU".contains(c)) {
        Some(0) => format!("{core}way{trail}"),
        Some(vowel) => format!("{}{}ay{trail}", &core[vowel..], &core[..vowel]),
        None => word.into(),
    }
}

fn morse(text: &str) -> String {
    const SIGNS: [&str; 26] = [
        ".-", "-...", "-.-.", "-..", ".", "..-.", "--.", "....", "..", ".---", "-.-", ".-..", "--", "-.",
        "---", ".--.", "--.-", ".-.", "...", "-", "..-", "...-", ".--", "-..-", "-.--", "--..",
    ];
    let sign = |c: char| match c.to_ascii_lowercase() {
        letter @ 'a'..='z' => SIGNS[letter as usize - 'a' as usize],
        ' ' => "/",
        _ => "",
    };
    text.chars().map(sign).filter(|sign| !sign.is_empty()).collect::<Vec<_>>().join(" ")
}

fn spelling(text: &str) -> String {
    const WORDS: [&str; 26] = [
        "Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliett", "Kilo",
        "Lima", "Mike", "November", "Oscar", "Papa", "Quebec", "Romeo", "Sierra", "Tango", "Uniform",
        "Victor", "Whiskey", "Xray", "Yankee", "Zulu",
    ];
    let word =
        |c: char| c.is_ascii_alphabetic().then(|| WORDS[c.to_ascii_lowercase() as usize - 'a' as usize]);
    text.chars().filter_map(word).collect::<Vec<_>>().join(" ")
}
