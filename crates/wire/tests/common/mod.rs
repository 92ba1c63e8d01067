//! What several tests need.
#![allow(dead_code, reason = "each test uses its part")]

use modelgate_wire::{
    Category, Client, Direction, Event, EventId, EventKind, Finding, KeyIdentity, Location, Request, Score,
    Severity, Span, Surface, VERSION, Verdict,
};

/// An event with every field set.
pub(crate) fn full_event() -> Event {
    Event {
        v: VERSION,
        id: EventId::new(1_795_219_198_000, [7; 10]),
        time_ms: 1_795_219_198_000,
        kind: EventKind::Detection,
        model: "demo".into(),
        direction: Direction::Request,
        surface: Surface::Envoy,
        node: "sidecar~10.0.0.1~pod.ns".into(),
        route: "chat".into(),
        client: Client {
            address: Some("203.0.113.7".into()),
            key: Some(KeyIdentity {
                hash: "00112233445566778899aabbccddeeff".into(),
                prefix: "sk-ab".into(),
            }),
            user: Some("alice".into()),
        },
        request: Request {
            id: Some("req-1".into()),
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
            method: "POST".into(),
            path: "/v1/chat/completions".into(),
            protocol: "openai_chat".into(),
            bytes: 512,
            parts: 2,
            status: Some(400),
        },
        verdict: Verdict::Block,
        score: Score::from_thousandths(920),
        severity: Severity::High,
        shadow: Some(modelgate_wire::Shadow { verdict: Verdict::Block, score: Score::from_thousandths(912) }),
        findings: vec![finding()],
    }
}

/// A finding with every field set.
pub(crate) fn finding() -> Finding {
    Finding {
        rule: "injection.override.ignore-previous".into(),
        category: Category::PromptInjection,
        severity: Severity::High,
        score: Score::from_thousandths(920),
        summary: "Asks the model to drop its instructions".into(),
        owasp: vec!["LLM01:2025".into()],
        atlas: vec!["AML.T0051.000".into()],
        location: Some(Location {
            place: "/messages/1/content".into(),
            span: Some(Span { start: 3, end: 9 }),
        }),
        transforms: vec!["base64".into()],
        evidence: Some("ig…us".into()),
    }
}

/// A deterministic source of numbers (SplitMix64, Steele, Lea and Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// A string of up to `most` characters, with hostile ones among them.
    pub(crate) fn text(&mut self, most: usize) -> String {
        const CHARS: [char; 16] = [
            'a', 'Z', '0', ' ', '"', '\\', '\n', '\r', '\0', '\u{7f}', '\u{85}', 'ä', '…', '\u{202e}',
            '\u{fffd}', '😀',
        ];
        let length = self.below(most + 1);
        (0..length).map(|_| CHARS[self.below(CHARS.len())]).collect()
    }

    pub(crate) fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }
}
