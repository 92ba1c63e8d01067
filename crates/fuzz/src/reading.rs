//! Documents: the relay's batches and the operators' policies.

use guard::Guard;
use policy::Policy;
use wire::{Batch, Event, Surface, limits};

/// A batch: what is accepted keeps the limits, and is accepted again as it is when it is sent on.
pub fn batch(data: &[u8]) {
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
pub fn policy(data: &[u8]) {
    match Policy::from_json(data) {
        Ok(policy) => {
            let warnings = policy.warnings();
            assert!(
                warnings.iter().all(|warning| !warning.setting.is_empty() && !warning.message.is_empty())
            );
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
