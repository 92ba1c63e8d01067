//! What holds for whatever filters and people send, for fuzzers and for the tests here. Panics when it does not.

use wire::{Batch, Event};

use crate::{
    alert::clean::{clean, escape, is_hidden, show},
    api,
    logfile::written,
};

/// A batch: each event that is accepted makes one line of the log, of bounded length, with nothing hidden in it, in a file
/// whose name is one harmless component.
pub fn batch(data: &[u8]) {
    let Ok(decoded) = Batch::decode(data) else { return };
    decoded.events.iter().for_each(event);
}

fn event(event: &Event) {
    let (name, line, id) = written(event);
    assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line:?}");
    assert!(!line.trim_end_matches('\n').chars().any(is_hidden), "{line:?}");
    assert!(line.len() <= 16 * 1024, "a line of {} bytes", line.len());
    assert_eq!(id, Some(event.id), "{line}");
    assert!(name.len() <= 255 && name.bytes().all(|byte| byte.is_ascii_graphic()), "{name:?}");
    assert!(!name.contains("..") && !name.contains(['/', '\\']) && name.starts_with("security_"), "{name:?}");
}

/// A text from outside: shown to people it is of bounded length, hides nothing and has no address that works; escaped for
/// HTML, nothing in it is a sign of it.
pub fn shown(text: &str) {
    let bare = clean(text, 60);
    assert!(bare.chars().count() <= 61 && !bare.chars().any(is_hidden), "{bare:?}");
    let safe = show(text, 200);
    assert!(!safe.contains("://"), "{safe:?}");
    let html = escape(text);
    assert!(!html.contains(['<', '>', '"', '\'']), "{html:?}");
    let back = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    assert_eq!(back.replace("&amp;", "&"), text);
}

/// The body of a decision: what is accepted reaches filters as it was meant; and what else requests to the API hold.
pub fn decision(data: &[u8]) {
    if let Ok(new) = api::fuzz::decision(data) {
        assert!(new.until > api::fuzz::NOW / 1000 && !new.reason.chars().any(char::is_control));
        let again = wire::Subject::parse(new.subject.scope(), &new.subject.value());
        assert_eq!(again.as_ref(), Some(&new.subject));
    }
    if let Ok(text) = core::str::from_utf8(data) {
        api::fuzz::texts(text);
    }
}

#[cfg(test)]
mod tests {
    use super::{batch, decision, event, shown};
    use crate::testing;

    const DECISION: &str = r#"{"scope":"cidr","value":"192.0.2.0/24","action":"throttle","rate":5,"seconds":60,"reason":"Guesses keys"}"#;

    #[test]
    fn what_holds_for_every_event_text_and_decision_holds_for_some() {
        event(&testing::event(1));
        let sent = wire::Batch::new(0, vec![testing::event(1)]).to_json();
        let text = String::from_utf8(sent.clone()).unwrap();
        for hostile in ["\\u202e\\u0000", "..\\/..\\/x", " event=", "\\\"\\n"] {
            batch(text.replace("demo", hostile).as_bytes());
        }
        for end in 0..sent.len() {
            batch(&sent[..end]);
        }
        for text in ["", "a\u{202e}b", "http://a.example", "<a href='x'>&amp;lt;", ":\u{ad}//", "a@b"] {
            shown(text);
        }
        for end in 0..=DECISION.len() {
            decision(&DECISION.as_bytes()[..end]);
        }
        decision(b"1790000000000.0190f5c2-1f6e-7abc-8def-0123456789ab");
    }
}
