//! Life under a control plane: configurations that come while traffic flows, good ones and bad ones.

use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use modelgate_e2e::{
    ATTACK, ask,
    envoy::{healthy, prometheus, sample, stats},
    eventually, eventually_within, stack_with,
};
use serde_json::{Value, json};
use wire::{EventId, Verdict};
use xtask::{
    Paths,
    stack::{Part, Stack},
};

const FILTER: &str = "/resources/0/filter_chains/0/filters/0/typed_config/http_filters/0";
const UNLIMITED: &str = "/resources/2/filter_chains/0/filters/0/typed_config/http_filters/0";
const POLICY: &str = "/typed_config/config/configuration/value";

fn start(name: &str) -> Result<Stack> {
    stack_with(name, |options| {
        options.parts = vec![Part::Model, Part::Envoy];
        options.envoy_threads = Some(4);
        options.envoy_listeners_apart = true;
    })
}

/// Moves a changed discovery response to where Envoy reads it, and waits until Envoy has made up its mind.
fn update(stack: &Stack, change: impl FnOnce(&mut Value)) -> Result<()> {
    let file = stack.listeners();
    let mut response: Value = serde_json::from_slice(&fs::read(&file)?)?;
    change(&mut response);
    let attempts = |stack: &Stack| -> Result<u64> {
        let stats = stats(stack, "listener_manager.lds.update_(success|rejected)")?;
        Ok(stats.values().sum())
    };
    let before = attempts(stack)?;
    let new = file.with_extension("new");
    fs::write(&new, response.to_string())?;
    fs::rename(&new, &file)?;
    // While Envoy compiles a new module it answers nobody here, on a busy machine for long.
    eventually_within(Duration::from_secs(120), "Envoy's word on the new listeners", || {
        Ok(attempts(stack).is_ok_and(|now| now > before).then_some(()))
    })
}

fn set(response: &mut Value, place: &str, value: Value) {
    if let Some(slot) = response.pointer_mut(place) {
        *slot = value;
    }
}

fn rejected(stack: &Stack) -> Result<u64> {
    Ok(stats(stack, "listener_manager.lds.update_rejected")?.values().sum())
}

/// Requests by verdict, of one model.
fn counts(stack: &Stack) -> Result<BTreeMap<&'static str, f64>> {
    let shown = prometheus(stack)?;
    let count = |verdict| {
        let label = format!("verdict=\"{verdict}\"");
        sample(&shown, "modelgate_requests_total", &[&label]).unwrap_or_default()
    };
    Ok(["allow", "block", "throttle", "none"].map(|verdict| (verdict, count(verdict))).into())
}

#[test]
fn a_bad_configuration_is_refused_with_its_place_and_the_old_one_goes_on() -> Result<()> {
    let mut stack = start("bad-update")?;
    let port = stack.ports().envoy;
    for (number, (policy, place)) in [
        ("{\n  \"model\": { \"name\": \"demo\" },\n  \"mode\": \"enforc\"\n}", "line 3, column"),
        ("{\n  \"model\": { \"name\": \"demo\" },\n\n  \"limit\": {}\n}", "line 4, column"),
        (
            "{ \"model\": { \"name\": \"demo\" }, \"limits\": { \"max_requests_per_minute\": 0 } }",
            "line 1, column",
        ),
        ("not JSON", "line 1, column"),
    ]
    .into_iter()
    .enumerate()
    {
        update(&stack, |response| set(response, &format!("{FILTER}{POLICY}"), policy.into()))?;
        ensure!(rejected(&stack)? == u64::try_from(number)? + 1, "{policy} was taken");
        let log = stack.log(Part::Envoy);
        let told = log.lines().rfind(|line| line.contains("modelgate is not configured"));
        ensure!(told.is_some_and(|line| line.contains(place)), "{policy}: {told:?}");
        ensure!(ask(port, "What is a heron?")?.status == 200 && ask(port, ATTACK)?.status == 400);
    }
    // A good one is taken after all that.
    let policy = r#"{ "model": { "name": "demo" }, "detect": { "suspicious_pattern_threshold": 0.8 }, "mode": "monitor" }"#;
    update(&stack, |response| set(response, &format!("{FILTER}{POLICY}"), policy.into()))?;
    eventually("the new policy", || {
        let answer = ask(port, ATTACK)?;
        Ok((answer.header("x-modelgate-verdict") == Some("flag")).then_some(()))
    })?;
    healthy(&mut stack)
}

#[test]
fn configurations_change_under_traffic_without_a_lost_request_or_count() -> Result<()> {
    let mut stack = start("hot-reload")?;
    let ports = stack.ports();
    // The limit of a hundred a minute holds across configurations: what was counted before counts after.
    let mut passed = 0;
    for number in 0..160 {
        if number == 60 {
            update(&stack, |response| {
                let policy = r#"{ "model": { "name": "demo" }, "report": { "explain_to_caller": true } }"#;
                set(response, &format!("{FILTER}{POLICY}"), policy.into());
            })?;
        }
        let status = ask(ports.envoy, "What is a heron?")?.status;
        ensure!([200, 429].contains(&status), "{status}");
        passed += u32::from(status == 200);
    }
    // The minute may have turned over meanwhile, on a machine that is busy.
    ensure!((100..=130).contains(&passed), "{passed} of 160 passed");

    let before = counts(&stack)?;
    let (sent, over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    while !over.load(Ordering::Relaxed) {
                        let answer = ask(ports.envoy_unlimited, "What is a heron?")?;
                        let verdict = answer.header("x-modelgate-verdict");
                        ensure!(
                            (answer.status, verdict) == (200, Some("allow")),
                            "{} {verdict:?}",
                            answer.status
                        );
                        sent.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(Duration::from_millis(2));
                    }
                    Ok(())
                })
            })
            .collect();
        let mut updated = Ok(());
        for threshold in [0.81, 0.82, 0.83, 0.84] {
            let policy = json!({
                "model": { "name": "demo" },
                "limits": { "enabled": false },
                "detect": { "suspicious_pattern_threshold": threshold },
            });
            let change = |response: &mut Value| {
                set(response, &format!("{UNLIMITED}{POLICY}"), policy.to_string().into());
            };
            updated = updated.and_then(|()| update(&stack, change));
            thread::sleep(Duration::from_millis(500));
        }
        over.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().ok().context("a sender panicked")??;
        }
        updated
    })?;
    let sent = sent.load(Ordering::Relaxed);
    ensure!(sent >= 100, "only {sent} requests");
    ensure!(rejected(&stack)? == 0, "an update was refused");
    let after = counts(&stack)?;
    for (verdict, grown) in [("allow", sent), ("block", 0), ("none", 0)] {
        let counted = after.get(verdict).unwrap_or(&0.0) - before.get(verdict).unwrap_or(&0.0);
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let expected = grown as f64;
        ensure!((counted - expected).abs() < 0.5, "{verdict}: {counted} counted, {expected} sent");
    }
    healthy(&mut stack)
}

/// VMs alive.
fn vms(stack: &Stack) -> Result<f64> {
    Ok(sample(&prometheus(stack)?, "modelgate_vms", &[]).unwrap_or_default())
}

/// A stack whose filter was replaced by a new version, and an event that the old one had not handed over.
fn upgraded(name: &str) -> Result<(Stack, EventId)> {
    let mut stack = stack_with(name, |options| {
        options.parts = vec![Part::Model, Part::Mailbox, Part::Relay, Part::Envoy];
        options.envoy_threads = Some(4);
        options.envoy_listeners_apart = true;
        let path = r#""path": "/v1/events""#;
        options.envoy_edits.push((path.into(), format!(r#"{path}, "batch_interval_ms": 60000"#)));
    })?;
    eventually("the first VMs", || Ok((vms(&stack)? == 5.0).then_some(())))?;
    healthy(&mut stack)?;
    let waiting = ask(stack.ports().envoy_unlimited, ATTACK)?;
    // The same but for a custom section at its end: id 0, two bytes, a name of one letter and no content.
    let filter = Paths::find().filter();
    let next = stack.data().join("next.wasm");
    fs::write(&next, [fs::read(&filter)?.as_slice(), &[0, 2, 1, b'x']].concat())?;
    let code = "/typed_config/config/vm_config/code/local/filename";
    update(&stack, |response| {
        for filter in [FILTER, UNLIMITED] {
            set(response, &format!("{filter}{code}"), next.display().to_string().into());
        }
    })?;
    // Every worker has served, so that a VM that is missed would be reported; the old ones end with the drain.
    healthy(&mut stack)?;
    thread::sleep(Duration::from_secs(20));
    Ok((stack, modelgate_e2e::event_id(&waiting)?))
}

/// A new version of the filter in the place of the old one: VMs that end in order are no alarm.
#[test]
fn an_upgrade_of_the_filter_is_not_taken_for_a_crash() -> Result<()> {
    let (mut stack, _) = upgraded("upgrade")?;
    eventually("the end of the old VMs", || Ok((vms(&stack)? == 5.0).then_some(())))?;
    let shown = prometheus(&stack)?;
    let reloads = sample(&shown, "modelgate_vm_reloads_total", &[]);
    ensure!(reloads == Some(0.0), "{reloads:?} VMs are said to have crashed");
    healthy(&mut stack)
}

#[test]
fn what_a_replaced_filter_still_holds_arrives() -> Result<()> {
    let (stack, waiting) = upgraded("upgrade-waiting")?;
    let event = modelgate_e2e::stored(&stack, waiting)?;
    ensure!(event.verdict == Verdict::Block, "{event:?}");
    Ok(())
}

/// Discovery of the filter alone, as Istio's agent does it.
#[test]
fn the_filter_alone_can_be_discovered_and_a_bad_one_is_refused() -> Result<()> {
    let mut stack = start("discovered")?;
    let port = stack.ports().envoy_unlimited;
    let file = stack.data().join("filter.json");
    let listeners: Value = serde_json::from_slice(&fs::read(stack.listeners())?)?;
    let filter = listeners.pointer(UNLIMITED).context("no filter")?.clone();
    let name = filter.get("name").context("no name")?.clone();
    let serve = |policy: &str| -> Result<()> {
        let mut filter = filter.clone();
        set(&mut filter, POLICY, policy.into());
        let mut extension =
            json!({ "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig" });
        for key in ["name", "typed_config"] {
            if let Some(value) = filter.get(key) {
                set_key(&mut extension, key, value.clone());
            }
        }
        let new = file.with_extension("new");
        fs::write(&new, json!({ "version_info": "1", "resources": [extension] }).to_string())?;
        fs::rename(&new, &file).context("moving the filter's configuration")
    };
    let policy =
        |mode: &str| format!(r#"{{"model":{{"name":"demo"}},"limits":{{"enabled":false}},"mode":"{mode}"}}"#);
    serve(&policy("enforce"))?;
    update(&stack, |response| {
        let discovery = json!({
            "name": name,
            "config_discovery": {
                "config_source": { "path_config_source": { "path": file }, "resource_api_version": "V3" },
                "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
            },
        });
        set(response, UNLIMITED, discovery);
    })?;
    let verdict = |expected: &str| {
        eventually(&format!("the verdict {expected} on an attack"), || {
            let answer = ask(port, ATTACK)?;
            Ok((answer.header("x-modelgate-verdict") == Some(expected)).then_some(()))
        })
    };
    verdict("block")?;
    serve(&policy("monitor"))?;
    verdict("flag")?;
    let failures = |stack: &Stack| -> Result<u64> {
        let stats =
            stats(stack, "extension_config_discovery.*(config_fail|update_rejected|config_conflict)")?;
        Ok(stats.values().sum())
    };
    let before = failures(&stack)?;
    serve(&policy("nonsense"))?;
    eventually("the refusal of a bad filter", || Ok((failures(&stack)? > before).then_some(())))?;
    verdict("flag")?;
    serve(&policy("enforce"))?;
    verdict("block")?;
    healthy(&mut stack)
}

fn set_key(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.into(), value);
    }
}
