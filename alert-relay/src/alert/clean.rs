//! Making strings from outside harmless for a person's eyes, mail clients and browsers.

/// Characters that show nothing, change the direction of the text, or end a line.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Without hidden characters, at most `max` characters long.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let mut visible = text.chars().filter(|c| !is_hidden(*c));
    let mut out: String = visible.by_ref().take(max).collect();
    if visible.next().is_some() {
        out.push('…');
    }
    out
}

/// [`clean`], and nothing in it that a mail client would turn into a link.
pub(crate) fn show(text: &str, max: usize) -> String {
    defang(&clean(text, max))
}

/// Takes the life out of addresses: `http[:]//evil[.]example`, `a[@]b`. Numbers such as `4.1` stay.
fn defang(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = ' ';
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let after = rest.as_str();
        let word = before.is_alphanumeric();
        match c {
            ':' if after.starts_with("//") => out.push_str("[:]"),
            // The full stops that IDNA takes for a dot (UTS 46).
            '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}' if word && after.starts_with(char::is_alphabetic) => {
                out.push_str("[.]");
            }
            '@' | '\u{ff20}' if word => out.push_str("[@]"),
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// Escapes text for HTML, for element content and quoted attribute values.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_life_out_of_addresses_only() {
        let table = [
            ("https://evil.example/x?y=1", "https[:]//evil[.]example/x?y=1"),
            ("www.evil.example", "www[.]evil[.]example"),
            ("/v1/chat/completions", "/v1/chat/completions"),
            ("gpt-4.1", "gpt-4.1"),
            ("203.0.113.9", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("me@evil.example", "me[@]evil[.]example"),
            ("end. Next", "end. Next"),
            ("例え。テスト", "例え[.]テスト"),
            ("a：//b", "a：//b"),
            ("javascript:alert(1)", "javascript:alert(1)"),
        ];
        for (text, shown) in table {
            assert_eq!(show(text, 100), shown);
        }
    }

    #[test]
    fn strips_what_cannot_be_seen() {
        let hidden = "a\u{202e}b\u{200b}c\u{2066}\r\n\0d\u{e0041}\u{feff}\u{ad}";
        assert_eq!(clean(hidden, 100), "abcd");
        assert_eq!(show("evil\u{200b}.\u{2060}example", 100), "evil[.]example");
    }

    #[test]
    fn caps_by_characters() {
        assert_eq!(clean("ääääää", 3), "äää…");
        assert_eq!(clean("äää", 3), "äää");
    }

    #[test]
    fn escapes_for_content_and_attributes() {
        assert_eq!(escape("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    }
}
