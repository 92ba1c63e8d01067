//! Documents: the relay's batches and the operators' policies.

use guard::Guard;
use policy::Policy;
use wire::{Batch, Event, Surface, limits};

/// Seeds: the defaults written out, and a policy with some of everything that has none.
pub(crate) fn policies() -> Vec<Vec<u8>> {
    const NAMED: &[u8] = br#"{"model":{"name":"fuzz"}}"#;
    const FULL: &[u8] = br#"{"model":{"name":"fuzz","protocol":"mcp"},"mode":"monitor",
        "input":{"fields":{"/a/b":{"required":true,"min_length":1,"max_length":9,"pattern":"^[a-z]+$"}},"max_tools":3,
        "content_types":["application/json"],"clamp_tokens":100,"tensor":{"min_value":-1,"max_value":1.5}},
        "detect":{"paranoia":2,"canaries":["mg-canary-7f3a91c2"],"own_rules":[
        {"id":"own.a.b","summary":"s","category":"exfiltration","severity":"low","literal":"blue heron","roles":["tool"]},
        {"id":"own.a.c","summary":"s","category":"secret","severity":"low","literal":"tkt_","regex":"tkt_[0-9a-f]{4,8}"},
        {"id":"own.a.d","summary":"s","category":"secret","severity":"low","weight":0.9,"phrase":"<send|wire> ..6 <money*>"}]},
        "exceptions":[{"rules":["injection.*"],"routes":["r"],"clients":["10.0.0.0/8","::1"],"until":"2027-03-31","reason":"r"}],
        "shadow":{"detect":{"suspicious_pattern_threshold":0.7}},"identity":{"client":["jwt_claim","api_key"],"jwt_claim":"sub"},
        "response":{"pii":"mask","pinned_tools":{"t":"00"}},"conversation":{"history":"excise","risk":"block"}}"#;
    let named = Policy::from_json(NAMED).expect("a policy");
    let defaults = serde_json::to_vec(named.document()).expect("JSON");
    Vec::from([NAMED.to_vec(), FULL.to_vec(), defaults])
}

/// Seeds: what a guard reports.
pub(crate) fn batches() -> Vec<Vec<u8>> {
    let events = crate::exchanging::reported();
    Vec::from([Batch::new(0, Vec::new()).to_json(), Batch::new(2, events).to_json()])
}

/// Seeds.
pub(crate) fn feeds() -> Vec<Vec<u8>> {
    let feed = br#"{"v":1,"epoch":"e1","serial":7,"reset":true,"more":false,"entries":[
        {"id":1,"scope":"address","value":"192.0.2.1","action":"block","until":1790003600},
        {"id":2,"scope":"address","value":"::ffff:192.0.2.9","action":"monitor","until":1790003600},
        {"id":3,"scope":"cidr","value":"2001:db8::/32","action":"throttle","until":1790003600,"rate":5},
        {"id":4,"scope":"key_hash","value":"00112233445566778899aabbccddeeff","action":"lift","until":0},
        {"id":5,"scope":"user","value":"ann","action":"block","until":1790003600}]}"#;
    Vec::from([feed.to_vec(), br#"{"v":1,"epoch":"e","serial":1,"entries":[]}"#.to_vec()])
}

/// A batch: what is accepted keeps the limits, and is accepted again as it is when it is sent on.
pub(crate) fn batch(data: &[u8]) {
    wire::fuzz::batch(data);
    wire::fuzz::id(data);
    let decoded = match Batch::decode(data) {
        Ok(decoded) => decoded,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(decoded.events.len() + decoded.rejected.len() <= limits::MAX_EVENTS);
    assert!(
        decoded.rejected.iter().all(|error| error.index < limits::MAX_EVENTS && !error.reason.is_empty())
    );
    decoded.events.iter().for_each(bounded);
    let sent = Batch::new(decoded.dropped, decoded.events.clone()).to_json();
    if sent.len() <= limits::MAX_BATCH_BYTES {
        let again = Batch::decode(&sent).expect("what was accepted is accepted again");
        assert_eq!(again.events, decoded.events);
        assert!(again.rejected.is_empty() && again.dropped == decoded.dropped);
    }
}

fn bounded(event: &Event) {
    assert!(event.is_known_version());
    assert!(event.findings.len() <= limits::MAX_FINDINGS);
    let names = [&event.model, &event.node, &event.route, &event.request.path, &event.request.method];
    assert!(names.iter().all(|name| name.len() <= limits::MAX_STRING_BYTES));
    for finding in &event.findings {
        let tags = [&finding.owasp, &finding.atlas, &finding.transforms];
        assert!(tags.iter().all(|tags| tags.len() <= limits::MAX_TAGS));
        let texts = [Some(&finding.rule), Some(&finding.summary), finding.evidence.as_ref()];
        assert!(texts.iter().flatten().all(|text| text.len() <= limits::MAX_STRING_BYTES));
    }
}

/// A policy: a fault lies within the document; what is accepted makes a guard.
pub(crate) fn policy(data: &[u8]) {
    match Policy::from_json(data) {
        Ok(policy) => {
            let warnings = policy.warnings();
            assert!(
                warnings.iter().all(|warning| !warning.setting.is_empty() && !warning.message.is_empty())
            );
            // To build all detectors takes a thousand times as long as all before.
            if data.iter().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte)) % 64 != 0 {
                return;
            }
            // A rule of the operator may still not compile; what is wrong is told.
            match Guard::new(policy.clone(), None, Surface::Native, "fuzz") {
                Ok(guard) => assert_eq!(guard.policy().document(), policy.document()),
                Err(error) => assert!(error.message.contains("own."), "{error}"),
            }
        }
        Err(error) => {
            let lines = 1 + data.iter().filter(|byte| **byte == b'\n').count();
            assert!(error.line <= lines, "line {} of {lines}", error.line);
            assert!(!error.to_string().is_empty());
        }
    }
}
