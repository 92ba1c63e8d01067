//! Text that a reader does not see, and whether it tells a model what to do.

use super::contains;

/// Bytes of hidden text that are read.
pub(super) const LONGEST: usize = 800;
/// Words that are read.
const WORDS: usize = 120;

/// Whom a hidden text tells something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nobody.
    Nobody,
    /// Whoever reads it.
    Somebody,
    /// A model: by name, or by what it asks for.
    Model,
}

const TARGETS: &[&str] = &[
    "ai",
    "assistant",
    "assistants",
    "llm",
    "llms",
    "chatbot",
    "gpt",
    "chatgpt",
    "claude",
    "copilot",
    "gemini",
    "bot",
    "agent",
    "agents",
    "model",
];
const ORDERS: &[&str] = &[
    "ignore",
    "disregard",
    "forget",
    "override",
    "reveal",
    "send",
    "forward",
    "email",
    "append",
    "respond",
    "reply",
    "tell",
    "execute",
    "exfiltrate",
    "recommend",
    "output",
    "print",
    "say",
    "must",
    "pretend",
    "approve",
    "rate",
    "delete",
    "transfer",
    "share",
    "upload",
    "post",
    "disclose",
    "repeat",
    "state",
    "answer",
    "do",
    "mention",
];
const OBJECTS: &[&str] = &[
    "instruction",
    "instructions",
    "prompt",
    "prompts",
    "password",
    "passwords",
    "secret",
    "secrets",
    "credentials",
    "conversation",
    "history",
    "guidelines",
    "rules",
    "previous",
    "prior",
    "user",
    "users",
    "user's",
    "summary",
    "system",
    "token",
    "tokens",
    "key",
    "keys",
    "data",
    "confidential",
    "response",
    "reviewer",
    "candidate",
];

/// Judges a hidden text by the words it has of three kinds: who, does what, with what.
pub(super) fn told(text: &[u8]) -> Told {
    let text = text.get(..LONGEST.min(text.len())).unwrap_or_default();
    let (mut targets, mut orders, mut objects) = (0u32, 0u32, 0u32);
    let separates = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'\'';
    let mut words = 0usize;
    for word in text.split(separates).filter(|word| !word.is_empty()).take(WORDS) {
        words += 1;
        let among = |list: &[&str]| list.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
        targets += u32::from(among(TARGETS));
        orders += u32::from(among(ORDERS));
        objects += u32::from(among(OBJECTS));
    }
    match (targets, orders, objects) {
        _ if words < 4 => Told::Nobody,
        (1.., 1.., 1..) | (_, 2.., 2..) => Told::Model,
        (1.., 1.., _) | (_, 1.., 1..) => Told::Somebody,
        _ => Told::Nobody,
    }
}

/// Whether an attribute makes an element unseen.
pub(super) fn unseen(name: &[u8], value: &[u8]) -> bool {
    if name.eq_ignore_ascii_case(b"hidden") {
        return !value.eq_ignore_ascii_case(b"false") && !value.starts_with(b"{");
    }
    if name.eq_ignore_ascii_case(b"aria-hidden") {
        return value.eq_ignore_ascii_case(b"true");
    }
    if !name.eq_ignore_ascii_case(b"style") {
        return false;
    }
    let mut plain = [0u8; 256];
    let mut length = 0;
    for (into, byte) in plain.iter_mut().zip(value.iter().filter(|byte| !byte.is_ascii_whitespace())) {
        *into = *byte;
        length += 1;
    }
    let plain = plain.get(..length).unwrap_or_default();
    const UNSEEN: &[&[u8]] = &[
        b"display:none",
        b"visibility:hidden",
        b"font-size:0",
        b"font-size:1px",
        b"opacity:0",
        b"left:-9",
        b"top:-9",
        b"text-indent:-9",
        b"height:0",
        b"width:0",
        b"clip:rect(0",
        b"color:transparent",
        b"mso-hide:all",
        b"font-size:.",
    ];
    const WHITES: &[&[u8]] = &[b"color:white", b"color:#fff", b"color:rgb(255,255,255)", b"color:#fefefe"];
    UNSEEN.iter().any(|style| holds(plain, style)) || WHITES.iter().any(|white| holds(plain, white))
}

/// Whether a style has a declaration, and not only one whose name ends alike (`background-color:white`)
/// or whose value begins alike (`opacity:0.8`).
fn holds(style: &[u8], declaration: &[u8]) -> bool {
    if !contains(style, declaration) {
        return false;
    }
    let numeric = declaration.ends_with(b"0") && !declaration.ends_with(b"(0");
    style.split(|byte| *byte == b';').any(|part| {
        let front =
            part.get(..declaration.len()).is_some_and(|front| front.eq_ignore_ascii_case(declaration));
        let behind = part.get(declaration.len()).copied();
        front && !(numeric && matches!(behind, Some(b'.' | b'0'..=b'9')))
    })
}
