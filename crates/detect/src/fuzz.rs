//! Bodies for fuzzers, run by the unit tests over random input too.

use alloc::vec::Vec;

use crate::{Engine, Role, Scratch};

/// Judges `text` and checks what holds for every text: spans on character boundaries, the parts of the
/// text that rules matched matching them again by themselves, the same result from used buffers.
/// Returns the number of findings.
pub fn scan(engine: &Engine, text: &str) -> usize {
    let (mut scratch, mut found) = (Scratch::default(), Vec::new());
    engine.scan_text(text, Role::User, &mut scratch, &mut found);
    for finding in &found {
        let part = text.get(finding.span.clone());
        assert!(part.is_some_and(|part| !part.is_empty()), "{finding:?} is no part of {text:?}");
        // What a learnt model makes of a window depends on how long the text is; who loads an address, what
        // is hidden and which bracket is at fault, on what stands around.
        let around = ["structure.", "exfiltration.", "injection.hidden.", "jailbreak.shape."];
        let id = finding.rule.id;
        if id.contains(".model.") || around.iter().any(|front| id.starts_with(front)) {
            continue;
        }
        let mut again = Vec::new();
        engine.scan_text(part.unwrap_or_default(), Role::User, &mut scratch, &mut again);
        let matched = again.iter().any(|other| other.rule.id == finding.rule.id);
        assert!(matched, "{} does not match {part:?} of {text:?}", finding.rule.id);
    }
    let mut again = Vec::new();
    engine.scan_text(text, Role::User, &mut scratch, &mut again);
    assert_eq!(again, found);
    found.len()
}

/// Unpacks `data` behind its first two bytes, which say how many bytes it should give: just so many, or none.
pub fn unpack(data: &[u8]) {
    let Some((count, packed)) = data.split_first_chunk::<2>() else { return };
    let count = usize::from(u16::from_le_bytes(*count));
    if let Some(text) = crate::lzma::expand(packed, count) {
        assert_eq!(text.len(), count);
    }
}
