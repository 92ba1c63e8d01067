//! The way of decisions into the VM: pulled from the relay in the root context's tick, kept by the guard.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use guard::wire::{
    limits::MAX_FEED_BYTES,
    signature::{ID_HEADER, Key, SIGNATURE_HEADER, TIMESTAMP_HEADER},
};
use guard::{Decisions, Guard, Moment, Pulled, Update};

use crate::port::{Call, CallToken, Host, Level};

thread_local! {
    /// The decisions that this VM knows, by the relay they are from. A new configuration takes over what the one before it
    /// knew, so nobody is let through while it pulls anew; configurations beside each other pull once for all.
    static KNOWN: RefCell<Vec<(String, Weak<RefCell<Decisions>>)>> = const { RefCell::new(Vec::new()) };
}

/// The feed of one configuration.
#[derive(Debug)]
pub(crate) struct Feed {
    decisions: Rc<RefCell<Decisions>>,
    key: Key,
    cluster: String,
    path: String,
    timeout_ms: u32,
    interval_ms: u64,
    under_way: Option<CallToken>,
}

impl Feed {
    /// The feed that a guard's policy asks for, if it does; the guard takes over what the VM knows of it.
    pub(crate) fn of(guard: &mut Guard, key: Option<&Key>) -> Option<Self> {
        let document = guard.policy().document();
        let (relay, decisions) = (&document.relay, &document.decisions);
        let key = key.filter(|_| decisions.enabled && !relay.cluster.is_empty())?.clone();
        let (cluster, path) = (relay.cluster.clone(), decisions.path.clone());
        let (timeout_ms, interval_ms) = (relay.timeout_ms, u64::from(decisions.interval) * 1000);
        guard.take_over(known(&format!("{cluster} {path}"), guard.decisions()));
        let decisions = Rc::clone(guard.decisions());
        Some(Self { decisions, key, cluster, path, timeout_ms, interval_ms, under_way: None })
    }

    /// Asks for what is new, if it is time to; in the root context's tick.
    pub(crate) fn tick(&mut self, host: &dyn Host, moment: &Moment) {
        let Ok(mut decisions) = self.decisions.try_borrow_mut() else { return };
        let Some(pull) = decisions.next_pull(&self.path, &self.key, moment) else { return };
        let call = Call {
            method: "GET",
            cluster: &self.cluster,
            path: &pull.path,
            headers: &pull.headers,
            body: &[],
            timeout_ms: self.timeout_ms,
        };
        match host.call(call) {
            Ok(token) => self.under_way = Some(token),
            Err(refused) => {
                // What is said is that there was no answer.
                let _ = decisions.settle(None, &self.key, self.interval_ms, moment.unix_ms);
                host.log(
                    Level::Warn,
                    &format!("decisions: no callout to cluster {}: {refused}", self.cluster),
                );
            }
        }
    }

    /// Takes an answer, if it is this feed's.
    pub(crate) fn answered(&mut self, host: &dyn Host, token: CallToken, now_ms: u64) -> bool {
        if self.under_way != Some(token) {
            return false;
        }
        self.under_way = None;
        let signature = [ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER]
            .map(|name| host.call_header(name).unwrap_or_default());
        // One byte more than is taken tells that there are too many.
        let body = host.call_body(MAX_FEED_BYTES + 1).unwrap_or_default();
        let pulled = host.call_status().map(|status| Pulled {
            status,
            signature: [&*signature[0], &*signature[1], &*signature[2]],
            body: &body,
        });
        let Ok(mut decisions) = self.decisions.try_borrow_mut() else { return true };
        match decisions.settle(pulled, &self.key, self.interval_ms, now_ms) {
            Ok(Update::Applied { rejected, left_out, .. }) if rejected + left_out > 0 => {
                host.log(
                    Level::Warn,
                    &format!("decisions: {rejected} could not be read, {left_out} found no room"),
                );
            }
            Ok(_) => {}
            Err(error) => {
                let line = format!("decisions: cluster {} answered with {error}", self.cluster);
                host.log(Level::Warn, &line);
            }
        }
        true
    }

    /// The configuration was replaced: nobody waits for its answer any more, and another one may ask.
    pub(crate) fn end(&mut self, now_ms: u64) {
        if self.under_way.take().is_some()
            && let Ok(mut decisions) = self.decisions.try_borrow_mut()
        {
            let _ = decisions.settle(None, &self.key, 0, now_ms);
        }
    }
}

/// What this VM knows of a relay; `fresh` becomes it where nothing is known.
fn known(relay: &str, fresh: &Rc<RefCell<Decisions>>) -> Rc<RefCell<Decisions>> {
    KNOWN.with(|known| {
        let Ok(mut known) = known.try_borrow_mut() else { return Rc::clone(fresh) };
        known.retain(|(_, decisions)| decisions.strong_count() > 0);
        let found =
            known.iter().find(|(name, _)| name == relay).and_then(|(_, decisions)| decisions.upgrade());
        found.unwrap_or_else(|| {
            known.push((relay.to_owned(), Rc::downgrade(fresh)));
            Rc::clone(fresh)
        })
    })
}

#[cfg(test)]
mod tests {
    use guard::wire::{Decision, DecisionAction, DecisionFeed, Subject};

    use crate::{
        mock::{KEY, Mock},
        plugin::Plugin,
        port::Side,
        stream::{Step, Stream},
    };

    use super::*;

    fn policy(path: &str) -> Vec<u8> {
        format!(r#"{{"model":{{"name":"demo"}},"decisions":{{"path":"{path}"}}}}"#).into_bytes()
    }

    /// Answers the pull that is under way with a decision to block the mock's caller.
    fn answer(mock: &Mock, plugin: &Plugin, token: u32) {
        let now = mock.now_ms.get() / 1000;
        let feed = DecisionFeed {
            epoch: "e".into(),
            serial: 1,
            reset: true,
            more: false,
            entries: vec![Decision {
                id: 1,
                subject: Subject::parse("address", "192.0.2.7").unwrap(),
                action: DecisionAction::Block,
                until: now + 3600,
                rate: 0,
            }],
            rejected: 0,
        };
        let body = feed.to_json();
        let signature = Key::parse(KEY).unwrap().sign("dec_1", now, &body);
        *mock.call_headers.borrow_mut() = [
            (ID_HEADER, "dec_1".to_owned()),
            (TIMESTAMP_HEADER, now.to_string()),
            (SIGNATURE_HEADER, signature),
        ]
        .into();
        *mock.call_body.borrow_mut() = body;
        mock.call_status.set(Some(200));
        plugin.answered(mock, CallToken(token));
    }

    fn is_blocked(mock: &Mock, plugin: &Plugin) -> bool {
        mock.set_headers(Side::Request, &[(":method", b"GET"), (":path", b"/v1/models")]);
        let before = mock.answers.borrow().len();
        let step = Stream::default().request_headers(mock, plugin, true);
        let answered = mock.answers.borrow().len() > before;
        assert_eq!(answered, step == Step::Hold);
        answered && mock.answers.borrow().last().unwrap().status == 403
    }

    #[test]
    fn decisions_are_pulled_on_tick_and_applied() {
        let mock = Mock::new();
        let plugin = Plugin::configure(&mock, &policy("/applied")).unwrap();
        assert!(!is_blocked(&mock, &plugin));
        plugin.tick(&mock);
        plugin.tick(&mock);
        assert_eq!(*mock.pulls.borrow(), ["/applied?epoch=&since=0"]);
        answer(&mock, &plugin, Mock::FIRST_PULL);
        assert!(is_blocked(&mock, &plugin));
        mock.now_ms.set(mock.now_ms.get() + 10_000);
        plugin.tick(&mock);
        assert_eq!(mock.pulls.borrow()[1], "/applied?epoch=e&since=1");
        assert!(!mock.lines.borrow().iter().any(|line| line.contains("decisions")));
    }

    #[test]
    fn a_relay_that_is_away_takes_no_decision_back() {
        let mock = Mock::new();
        let plugin = Plugin::configure(&mock, &policy("/away")).unwrap();
        plugin.tick(&mock);
        answer(&mock, &plugin, Mock::FIRST_PULL);
        mock.call_headers.borrow_mut().clear();
        for (pull, status) in [(1, Some(503)), (2, None), (3, Some(200))] {
            mock.now_ms.set(mock.now_ms.get() + 100_000);
            plugin.tick(&mock);
            mock.call_status.set(status);
            plugin.answered(&mock, CallToken(Mock::FIRST_PULL + pull));
            assert!(is_blocked(&mock, &plugin), "after {status:?}");
        }
        mock.broken.borrow_mut().push("call");
        mock.now_ms.set(mock.now_ms.get() + 100_000);
        plugin.tick(&mock);
        assert!(is_blocked(&mock, &plugin));
        let told = mock.lines.borrow().iter().filter(|line| line.contains("decisions:")).count();
        assert_eq!(told, 4);
    }

    #[test]
    fn a_new_configuration_knows_what_the_old_one_knew() {
        let mock = Mock::new();
        let old = Plugin::configure(&mock, &policy("/reloaded")).unwrap();
        old.tick(&mock);
        answer(&mock, &old, Mock::FIRST_PULL);
        mock.now_ms.set(mock.now_ms.get() + 10_000);
        old.tick(&mock);
        let new = Plugin::configure(&mock, &policy("/reloaded")).unwrap();
        let other = Plugin::configure(&mock, &policy("/other")).unwrap();
        assert!(is_blocked(&mock, &new) && !is_blocked(&mock, &other));
        old.retire(&mock);
        drop(old);
        assert!(is_blocked(&mock, &new));
        mock.now_ms.set(mock.now_ms.get() + 10_000);
        new.tick(&mock);
        assert_eq!(mock.pulls.borrow().len(), 3, "the old one's pull is not waited for");
    }

    #[test]
    fn nobody_pulls_without_a_key_or_where_the_policy_says_no() {
        let mut mock = Mock::new();
        let off = br#"{"model":{"name":"demo"},"decisions":{"enabled":false}}"#;
        Plugin::configure(&mock, off).unwrap().tick(&mock);
        mock.variables.clear();
        Plugin::configure(&mock, &policy("/unsigned")).unwrap().tick(&mock);
        assert!(mock.pulls.borrow().is_empty());
    }
}
