//! Texts before the detectors.

use std::cell::RefCell;

use detect::{Category, Engine, Finding, Options, Role, Scratch};

thread_local! {
    static ENGINE: Engine = Engine::new(&Options { paranoia: 4, decode_depth: 3, ..Options::default() });
    static USED: RefCell<Scratch> = RefCell::default();
}

/// A text, judged in a role that the first byte chooses: spans lie in it, on the boundaries of characters; no more is
/// found than was asked for; a scratch that was used before gives what a fresh one gives; whatever is found in the
/// system role is found in the others.
pub(crate) fn detect(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    let roles = [Role::User, Role::System, Role::Assistant, Role::Tool, Role::Unknown];
    let role = roles[usize::from(choice) % roles.len()];
    ENGINE.with(|engine| {
        let mut found = Vec::new();
        USED.with_borrow_mut(|scratch| engine.scan_text(&text, role, scratch, &mut found));
        let most = Options::default().max_findings;
        assert!(found.len() <= most, "{} findings", found.len());
        for finding in &found {
            assert!(text.get(finding.span.clone()).is_some(), "{:?} in {text:?}", finding.span);
            assert!(!finding.span.is_empty(), "{} found nothing", finding.rule.id);
        }
        let again = |role: Role| -> Vec<Finding> {
            let mut found = Vec::new();
            engine.scan_text(&text, role, &mut Scratch::default(), &mut found);
            found
        };
        assert_eq!(again(role), found);
        let (system, elsewhere) = (again(Role::System), again(Role::Unknown));
        // A contact weighs less in what the application says by itself.
        let mut findings = system.iter().filter(|finding| finding.rule.category != Category::Pii);
        assert!(elsewhere.len() == most || findings.all(|finding| elsewhere.contains(finding)));
    });
}
