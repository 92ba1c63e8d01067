//! Ways to hide a text.

/// A way to hide a text, by its name.
pub(crate) type Transform = (&'static str, fn(&str) -> String);

pub(crate) const TRANSFORMS: &[Transform] = &[
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
    ("base32", base32),
    ("binary without gaps", |text| codes(text, "", |byte| format!("{byte:08b}"))),
    ("url, partly", |text| {
        each_character(text, |at, c| if at % 3 == 0 { format!("%{:02X}", c as u32) } else { c.into() })
    }),
    ("url twice", |text| codes(text, "", |byte| format!("%25{byte:02X}"))),
    ("html, decimal", |text| codes(text, "", |byte| format!("&#{byte};"))),
    ("html, hexadecimal", |text| codes(text, "", |byte| format!("&#x{byte:x};"))),
    ("html, partly", |text| {
        each_character(text, |at, c| if at % 3 == 0 { format!("&#{};", c as u32) } else { c.into() })
    }),
    ("unicode escapes", |text| codes(text, "", |byte| format!("\\u{byte:04x}"))),
    ("hexadecimal escapes", |text| codes(text, "", |byte| format!("\\x{byte:02x}"))),
    ("octal escapes", |text| codes(text, "", |byte| format!("\\{byte:03o}"))),
    ("code points", |text| codes(text, " ", |byte| format!("U+{byte:04X}"))),
    ("url, unicode", |text| codes(text, "", |byte| format!("%u{byte:04X}"))),
    ("quoted-printable", |text| codes(text, "", |byte| format!("={byte:02X}"))),
    ("words backwards", |text| text.split(' ').rev().collect::<Vec<_>>().join(" ")),
    ("cyrillic look-alikes", |text| replaced(text, CYRILLIC)),
    ("greek look-alikes", |text| replaced(text, GREEK)),
    ("mixed look-alikes", |text| replaced(text, MIXED)),
    ("accents", |text| {
        replaced(text, &[('a', 'ä'), ('e', 'ê'), ('i', 'í'), ('o', 'ò'), ('u', 'û'), ('n', 'ñ')])
    }),
    ("heaps of marks", |text| each_character(text, |_, c| format!("{c}\u{335}\u{300}\u{316}"))),
    ("small capitals", |text| mapped(text, "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡxʏᴢ")),
    ("circled", |text| shifted(text, 0x24d0)),
    ("black squares", |text| shifted(text, 0x1f170)),
    ("regional letters", |text| shifted(text, 0x1f1e6)),
    ("mathematical", |text| shifted(text, 0x1d41a)),
    ("bracketed", |text| shifted(text, 0x249c)),
    ("upside down", |text| mapped(&text.chars().rev().collect::<String>(), "ɐqɔpǝɟƃɥıɾʞlɯuodbɹsʇnʌʍxʎz")),
    ("braille", |text| mapped(text, "⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵").replace(' ', "\u{2800}")),
    ("joined", |text| text.replace(' ', "")),
    ("camel case", |text| each_word(text, capital).replace(' ', "")),
    ("snake case", |text| text.to_lowercase().replace(' ', "_")),
    ("random case", |text| {
        each_character(text, |at, c| {
            if at * 7 % 5 < 2 { c.to_uppercase().collect() } else { c.to_lowercase().collect() }
        })
    }),
    ("letters twice", |text| {
        each_character(text, |_, c| {
            format!("{c}{}", if c.is_alphabetic() { c.to_string() } else { String::new() })
        })
    }),
    ("letters drawn out", |text| {
        each_character(text, |at, c| {
            c.to_string().repeat(if c.is_alphabetic() && at % 3 == 0 { 4 } else { 1 })
        })
    }),
    ("concatenated", |text| chunks(text, 4, "\"", "\" + \"")),
    ("tags between", |text| each_word(text, |word| chunks(word, 3, "", "<b></b>"))),
    ("asterisks between", |text| each_word(text, |word| chunks(word, 2, "", "*"))),
    ("words in bits", |text| chunks(&text.replace([' ', '.', ',', '?'], ""), 3, "", " ")),
    ("emoji between letters", |text| between(text, "😀")),
    ("emoji between words", |text| text.replace(' ', "🙂")),
    ("soft hyphens", |text| between(text, "\u{ad}")),
    ("variation selectors", |text| between(text, "\u{fe0f}")),
    ("right to left", |text| format!("\u{202e}{}\u{202c}", text.chars().rev().collect::<String>())),
    ("hex of base64", |text| codes(&base64(text.as_bytes()), "", |byte| format!("{byte:02x}"))),
    ("base64 of rot13", |text| base64(rotated(text, 13).as_bytes())),
    ("wrapped rot13", |text| format!("Here is a note in ROT13. {}", rotated(text, 13))),
    ("wrapped base64", |text| format!("Encoded: {}\nDecoded:", base64(text.as_bytes()))),
    ("ascii85", ascii85),
    ("base58", base58),
    ("base64 backwards", |text| base64(text.as_bytes()).chars().rev().collect()),
    ("base64 in groups", |text| chunks(&base64(text.as_bytes()), 8, "", " ")),
    ("unicode escapes, escaped", |text| codes(text, "", |byte| format!("\\\\u{byte:04x}"))),
    ("rot13 backwards", |text| rotated(text, 13).chars().rev().collect()),
    ("numbers of letters", |text| each_word(text, numbers)),
    ("one word a line", |text| text.replace(' ', "\n")),
    ("words in a list", |text| {
        let items = text.split(' ').enumerate().map(|(at, word)| format!("{}. {word}", at + 1));
        items.collect::<Vec<_>>().join("\n")
    }),
    ("kebab case", |text| text.to_lowercase().replace(' ', "-")),
    ("asterisks between words", |text| text.replace(' ', "*")),
    ("quoted words", |text| each_word(text, |word| format!("\"{word}\""))),
    ("tagged words", |text| each_word(text, |word| format!("<i>{word}</i>"))),
    ("comments inside words", |text| each_word(text, |word| chunks(word, 3, "", "/**/"))),
    ("different emoji between letters", |text| {
        each_character(text, |at, c| format!("{c}{}", ["🙂", "⭐", "🔥"][at * 7 % 3]))
    }),
    ("split over variables", variables),
    ("leet, spaced", |text| between(&leet(text, &[('a', '4'), ('e', '3'), ('i', '1'), ('o', '0')]), " ")),
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

fn base32(text: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String = text.bytes().map(|byte| format!("{byte:08b}")).collect();
    let symbol = |five: &[u8]| -> char {
        let value = (0..5).fold(0, |value, at| value << 1 | usize::from(five.get(at) == Some(&b'1')));
        char::from(ALPHABET[value])
    };
    let mut out: String = bits.as_bytes().chunks(5).map(symbol).collect();
    while !out.len().is_multiple_of(8) {
        out.push('=');
    }
    out
}

fn ascii85(text: &str) -> String {
    let group = |chunk: &[u8]| -> String {
        let mut bytes = [0; 4];
        bytes[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes(bytes);
        let digit = |power: u32| char::from(b'!' + u8::try_from(number / 85u32.pow(power) % 85).unwrap_or(0));
        [4, 3, 2, 1, 0].into_iter().map(digit).take(chunk.len() + 1).collect()
    };
    format!("<~{}~>", text.as_bytes().chunks(4).map(group).collect::<String>())
}

fn base58(text: &str) -> String {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    // The digits, the lowest first.
    let mut digits: Vec<u32> = Vec::new();
    for byte in text.bytes() {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    digits.iter().rev().map(|digit| char::from(ALPHABET[*digit as usize])).collect()
}

fn numbers(word: &str) -> String {
    let letters = word.bytes().filter(u8::is_ascii_alphabetic);
    letters.map(|letter| ((letter | 0x20) - b'a' + 1).to_string()).collect::<Vec<_>>().join("-")
}

/// `v0 = "Ignore a"; v1 = "ll rules."; v0 + v1`
fn variables(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let parts: Vec<String> = chars.chunks(9).map(|part| part.iter().collect()).collect();
    let kept = parts.iter().enumerate().map(|(at, part)| format!("v{at} = \"{part}\"\n"));
    let names: Vec<String> = (0..parts.len()).map(|at| format!("v{at}")).collect();
    format!("{}print({})", kept.collect::<String>(), names.join(" + "))
}

const CYRILLIC: &[(char, char)] = &[
    ('a', 'а'),
    ('c', 'с'),
    ('e', 'е'),
    ('i', 'і'),
    ('o', 'о'),
    ('p', 'р'),
    ('s', 'ѕ'),
    ('x', 'х'),
    ('y', 'у'),
    ('A', 'А'),
    ('B', 'В'),
    ('C', 'С'),
    ('E', 'Е'),
    ('I', 'І'),
    ('O', 'О'),
    ('P', 'Р'),
    ('S', 'Ѕ'),
    ('T', 'Т'),
];

const GREEK: &[(char, char)] = &[
    ('a', 'α'),
    ('e', 'ε'),
    ('i', 'ι'),
    ('k', 'κ'),
    ('n', 'η'),
    ('o', 'ο'),
    ('p', 'ρ'),
    ('t', 'τ'),
    ('u', 'υ'),
    ('v', 'ν'),
    ('w', 'ω'),
    ('x', 'χ'),
    ('I', 'Ι'),
    ('A', 'Α'),
    ('O', 'Ο'),
    ('P', 'Ρ'),
    ('T', 'Τ'),
];

const MIXED: &[(char, char)] = &[
    ('a', 'ɑ'),
    ('b', 'Ь'),
    ('c', 'ϲ'),
    ('d', 'ԁ'),
    ('e', 'е'),
    ('g', 'ɡ'),
    ('h', 'հ'),
    ('i', 'і'),
    ('l', 'ⅼ'),
    ('m', 'ｍ'),
    ('n', 'ո'),
    ('o', 'օ'),
    ('p', 'р'),
    ('r', 'ⲅ'),
    ('s', 'ѕ'),
    ('u', 'ս'),
    ('v', 'ѵ'),
    ('w', 'ԝ'),
    ('y', 'у'),
];

fn replaced(text: &str, table: &[(char, char)]) -> String {
    text.chars().map(|c| table.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to)).collect()
}

/// Each letter as the one of an alphabet at its place.
fn mapped(text: &str, alphabet: &str) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let letter = |c: char| u32::from(c.to_ascii_lowercase()).wrapping_sub(u32::from('a')) as usize;
    text.chars().map(|c| alphabet.get(letter(c)).copied().unwrap_or(c)).collect()
}

/// Each letter as many characters on as the small ones are.
fn shifted(text: &str, first: u32) -> String {
    let letter =
        |c: char| char::from_u32(first + u32::from(c.to_ascii_lowercase()) - u32::from('a')).unwrap_or(c);
    text.chars().map(|c| if c.is_ascii_alphabetic() { letter(c) } else { c }).collect()
}

fn each_character(text: &str, turn: impl Fn(usize, char) -> String) -> String {
    text.chars().enumerate().map(|(at, c)| turn(at, c)).collect()
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1.min(word.len()));
    first.to_uppercase() + rest
}

/// So many characters at a time, within quotation marks or none.
fn chunks(text: &str, size: usize, quote: &str, between: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let parts: Vec<String> = chars.chunks(size).map(|part| part.iter().collect()).collect();
    format!("{quote}{}{quote}", parts.join(between))
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
