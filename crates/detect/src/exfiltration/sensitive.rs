//! Words for what nobody should send away.

/// How telling a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Telling {
    /// Says nothing.
    No,
    /// Stands in harmless addresses too.
    Weak,
    /// What an application's own template would hardly send to somebody else.
    Strong,
}

/// The conversation, what the model was told, and what it should keep.
const STRONG: &[&str] = &[
    "conversation",
    "chathistory",
    "chatlog",
    "history",
    "transcript",
    "secret",
    "secrets",
    "systemprompt",
    "prompt",
    "instructions",
    "userdata",
    "userinfo",
    "privatedata",
    "private",
    "confidential",
    "sensitive",
    "password",
    "passwords",
    "credentials",
    "credential",
    "exfil",
    "exfiltrate",
    "exfiltrated",
    "leak",
    "leaked",
    "stolen",
    "steal",
    "ssn",
    "creditcard",
    "cookie",
    "cookies",
    "privatekey",
    "context",
    "memory",
    "memories",
    "apikeys",
    "messages",
    "lastmessage",
    "usermessage",
    "previousmessage",
    "emails",
    "emailbody",
    "summary",
    "pii",
    "extracted",
    "extracteddata",
    "filecontents",
    "filecontent",
    "env",
    "data",
    "base64",
    "encoded",
    "payload",
    "yourdata",
    "thedata",
    "inserted",
    "answer",
    "response",
    "output",
    "chat",
    "dialogue",
    "dialog",
];

/// Of those, the ones that ordinary addresses have as parameters.
const COMMON: &[&str] = &[
    "prompt",
    "history",
    "private",
    "context",
    "data",
    "env",
    "base64",
    "encoded",
    "payload",
    "answer",
    "response",
    "output",
    "chat",
    "summary",
    "messages",
    "memory",
    "dialog",
    "cookie",
    "cookies",
    "instructions",
    "emails",
    "sensitive",
    "dialogue",
];

/// Further names that are telling only with others.
const WEAK: &[&str] = &[
    "token",
    "key",
    "apikey",
    "accesstoken",
    "auth",
    "session",
    "sessionid",
    "email",
    "mail",
    "user",
    "username",
    "message",
    "msg",
    "text",
    "content",
    "body",
    "query",
    "input",
    "info",
    "log",
    "dump",
    "d",
    "q",
    "value",
    "result",
    "name",
    "phone",
    "address",
    "file",
    "document",
    "note",
    "notes",
    "reply",
    "question",
    "id",
];

/// Words that tell nothing of what a slot is for.
const FILLERS: &[&str] = &[
    "insert",
    "your",
    "the",
    "here",
    "full",
    "all",
    "entire",
    "user",
    "users",
    "url",
    "my",
    "of",
    "and",
    "from",
    "this",
    "current",
    "last",
    "previous",
    "recent",
    "with",
    "as",
    "in",
    "to",
    "urlencoded",
    "text",
    "whole",
    "complete",
    "their",
    "any",
    "model",
    "s",
    "ai",
    "assistant",
    "body",
    "content",
    "contents",
    "message",
];

/// How telling the name of a slot in a template is, such as `conversation_history` or `INSERT DATA HERE`:
/// every word of it that means something has to.
pub(super) fn slot(name: &[u8]) -> Telling {
    let whole = told(name, |word| STRONG.contains(&word), |word| WEAK.contains(&word));
    let words = || {
        name.split(|byte| !byte.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(|word| told(word, |word| STRONG.contains(&word), |word| WEAK.contains(&word)))
    };
    let meant = name
        .split(|byte| !byte.is_ascii_alphanumeric())
        .filter(|word| {
            !word.is_empty() && told(word, |word| FILLERS.contains(&word), |_| false) == Telling::No
        })
        .map(|word| told(word, |word| STRONG.contains(&word), |word| WEAK.contains(&word)));
    let least = meant.min().unwrap_or(Telling::No);
    let weak = words().max().unwrap_or(Telling::No).min(Telling::Weak);
    whole.max(least).max(weak)
}

/// Of the others, the ones that say something about a person or open something.
const PERSONAL: &[&str] = &[
    "token",
    "apikey",
    "accesstoken",
    "session",
    "sessionid",
    "email",
    "mail",
    "user",
    "username",
    "name",
    "phone",
    "address",
    "message",
    "msg",
];

/// How telling the name of a parameter is.
pub(super) fn parameter(name: &[u8]) -> Telling {
    let strong = |word: &str| STRONG.contains(&word) && !COMMON.contains(&word);
    let weak = |word: &str| COMMON.contains(&word) || PERSONAL.contains(&word);
    let mut best = told(name, strong, weak);
    for part in name.split(|byte| !byte.is_ascii_alphanumeric()) {
        best = best.max(told(part, strong, weak));
    }
    best
}

/// Looks a name up by its letters and digits alone.
fn told(name: &[u8], strong: impl Fn(&str) -> bool, weak: impl Fn(&str) -> bool) -> Telling {
    let mut word = [0u8; 24];
    let mut length = 0;
    for byte in name.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        let Some(into) = word.get_mut(length) else { return Telling::No };
        *into = byte.to_ascii_lowercase();
        length += 1;
    }
    let word = word.get(..length).and_then(|word| core::str::from_utf8(word).ok()).unwrap_or_default();
    if strong(word) {
        Telling::Strong
    } else if weak(word) {
        Telling::Weak
    } else {
        Telling::No
    }
}
