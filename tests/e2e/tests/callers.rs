//! Who may ask, and how often: the limit on requests to the request, and what the security team decided about callers.

use std::{
    io::{BufReader, Write as _},
    net::Ipv4Addr,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use modelgate_e2e::{
    ATTACK, CHAT, chat,
    envoy::{healthy, reloads},
    event_id, eventually,
    pieces::connect,
    stack_with, stack_with_policy, stored, within_a_minute,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use xtask::{
    http::{Request, Response},
    stack::{Part, Stack},
};

/// Requests a minute that the test lets through.
const LIMIT: u32 = 2000;
/// Connections at once.
const CONNECTIONS: u32 = 64;
/// Requests on all of them together.
const REQUESTS: u32 = 4096;

#[test]
fn a_limit_is_exact_over_four_threads_and_sixty_four_connections() -> Result<()> {
    let mut stack = stack_with("exact", |options| {
        options.parts = vec![Part::Model, Part::Envoy];
        let limits = format!(r#""limits": {{ "max_requests_per_minute": {LIMIT} }}"#);
        options.envoy_edits.push((r#""limits": { "enabled": false }"#.into(), limits));
        options.envoy_threads = Some(4);
        options.quick_model = true;
    })?;
    let port = stack.ports().envoy_unlimited;
    within_a_minute(30);
    let (next, passed, refused) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        let senders: Vec<_> =
            (0..CONNECTIONS).map(|_| scope.spawn(|| send_all(port, &next, &passed, &refused))).collect();
        senders.into_iter().try_for_each(|sender| sender.join().ok().context("a sender panicked")?)
    })?;
    let (passed, refused) = (passed.into_inner(), refused.into_inner());
    ensure!(passed + refused == REQUESTS, "{passed} passed, {refused} refused of {REQUESTS}");
    ensure!(passed.abs_diff(LIMIT) * 100 <= LIMIT, "{passed} passed where {LIMIT} may");
    stack.check()?;
    ensure!(reloads(&stack)? == 0, "a VM was replaced");
    Ok(())
}

/// Sends until all are sent, on one connection as long as it holds.
fn send_all(port: u16, next: &AtomicU32, passed: &AtomicU32, refused: &AtomicU32) -> Result<()> {
    let body = chat("What is a heron?");
    let request = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = None;
    while next.fetch_add(1, Ordering::Relaxed) < REQUESTS {
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => BufReader::new(connect(port)?),
        };
        stream.get_mut().write_all(request.as_bytes())?;
        let answer = Response::read(&mut stream, "POST")?;
        match answer.status {
            200 => passed.fetch_add(1, Ordering::Relaxed),
            429 => refused.fetch_add(1, Ordering::Relaxed),
            status => bail!("{status}: {}", answer.text()),
        };
        if answer.header("connection") != Some("close") {
            connection = Some(stream);
        }
    }
    Ok(())
}

/// Has the relay decide about somebody; the decision's id.
fn decide(stack: &Stack, decision: &Value) -> Result<String> {
    let answer = Request::post(stack.ports().relay, "/v1/decisions", decision.to_string()).send()?;
    ensure!(answer.status == 201, "{}: {}", answer.status, answer.text());
    let id = answer.json()?.get("id").cloned().context("no id")?;
    Ok(id.as_str().map_or_else(|| id.to_string(), ToOwned::to_owned))
}

/// Asks something harmless from an address, with a key.
fn ask(stack: &Stack, from: Ipv4Addr, key: &str) -> Result<(u16, Option<String>)> {
    let request = Request::post(stack.ports().envoy_unlimited, CHAT, chat("What is a heron?")).from(from);
    let answer = request.header("authorization", &format!("Bearer {key}")).send()?;
    Ok((answer.status, answer.header("x-modelgate-verdict").map(ToOwned::to_owned)))
}

fn until(stack: &Stack, what: &str, from: Ipv4Addr, key: &str, status: u16, verdict: &str) -> Result<()> {
    eventually(what, || {
        let told = ask(stack, from, key)?;
        Ok((told == (status, Some(verdict.to_owned()))).then_some(()))
    })
}

const BLOCKED: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);
const THROTTLED: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 77);
const WATCHED: Ipv4Addr = Ipv4Addr::new(127, 0, 3, 1);
const FOR_A_WHILE: Ipv4Addr = Ipv4Addr::new(127, 0, 4, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 5, 1);
const KEY: &str = "sk-test-one-key-of-many";
const OTHER_KEY: &str = "sk-test-another-key";

#[test]
fn what_the_security_team_decides_is_carried_out_and_outlives_the_relay() -> Result<()> {
    let mut stack = stack_with_policy("decisions", &json!({"decisions": {"interval": 1}}), |options| {
        options.parts = vec![Part::Model, Part::Mailbox, Part::Relay, Part::Envoy];
        options.envoy_threads = Some(2);
    })?;
    for from in [BLOCKED, THROTTLED, WATCHED, FOR_A_WHILE, OTHER] {
        ensure!(ask(&stack, from, OTHER_KEY)? == (200, Some("allow".into())), "{from}");
    }
    // The key's hash is what events tell of it.
    let attack = Request::post(stack.ports().envoy_unlimited, CHAT, chat(ATTACK));
    let attack = attack.header("authorization", &format!("Bearer {KEY}")).send()?;
    let event = stored(&stack, event_id(&attack)?)?;
    let hash = event.client.key.context("no key in the event")?.hash;

    let lifted = decide(
        &stack,
        &json!({"scope": "address", "value": BLOCKED, "action": "block", "seconds": 600, "reason": "test"}),
    )?;
    for decision in [
        json!({"scope": "cidr", "value": "127.0.2.0/24", "action": "throttle", "rate": 2, "reason": "test"}),
        json!({"scope": "address", "value": WATCHED, "action": "monitor", "reason": "test"}),
        json!({"scope": "key_hash", "value": hash, "action": "block", "reason": "test"}),
        json!({"scope": "address", "value": FOR_A_WHILE, "action": "block", "seconds": 25, "reason": "test"}),
    ] {
        decide(&stack, &decision)?;
    }
    until(&stack, "a refusal by address", BLOCKED, OTHER_KEY, 403, "block")?;
    until(&stack, "a refusal by range and rate", THROTTLED, OTHER_KEY, 429, "throttle")?;
    until(&stack, "a report of who is watched", WATCHED, OTHER_KEY, 200, "flag")?;
    until(&stack, "a refusal by key", OTHER, KEY, 403, "block")?;
    until(&stack, "a refusal for a while", FOR_A_WHILE, OTHER_KEY, 403, "block")?;
    ensure!(ask(&stack, OTHER, OTHER_KEY)? == (200, Some("allow".into())), "whom nobody decided about");

    // Without the relay they stand, but for those that end.
    stack.stop(Part::Relay);
    until(&stack, "the end of a decision", FOR_A_WHILE, OTHER_KEY, 200, "allow")?;
    thread::sleep(Duration::from_secs(2));
    ensure!(ask(&stack, BLOCKED, OTHER_KEY)?.0 == 403, "the decision is gone with the relay");
    ensure!(ask(&stack, OTHER, KEY)?.0 == 403, "the decision is gone with the relay");

    stack.restart(Part::Relay)?;
    let path = format!("/v1/decisions/{lifted}");
    let answer = Request::new("DELETE", stack.ports().relay, &path).send()?;
    ensure!(answer.status < 300, "{}: {}", answer.status, answer.text());
    until(&stack, "a decision that was taken back", BLOCKED, OTHER_KEY, 200, "allow")?;
    ensure!(ask(&stack, OTHER, KEY)?.0 == 403, "another decision went with it");
    healthy(&mut stack)
}

/// HMAC-SHA256 (RFC 2104) of a key that is no longer than a block.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let pad = |with: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect() };
    let inner = Sha256::digest([pad(0x36).as_slice(), text].concat());
    Sha256::digest([pad(0x5c).as_slice(), inner.as_slice()].concat()).to_vec()
}

/// A token for somebody (RFC 7519), signed with this key.
fn token(sub: &str, key: &[u8]) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({"alg": "HS256", "typ": "JWT"}));
    let claims = part(json!({"iss": "https://login.example", "sub": sub, "exp": 4_000_000_000_u64}));
    let signed = format!("{head}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(hmac(key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

const TOKEN_KEY: &[u8] = b"a key of thirty-two bytes, or so";

#[test]
fn users_of_verified_tokens_are_decided_about_and_nobody_else_can_be_taken_for_them() -> Result<()> {
    let policy =
        json!({"decisions": {"interval": 1}, "identity": {"jwt_claim": "sub", "jwt_payload": "claims"}});
    let keys = json!({"keys": [{"kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(TOKEN_KEY)}]});
    // In front of the guard stands Envoy's own filter, which lets requests without a token pass and refuses wrong ones.
    let verifying = format!(
        r#"http_filters:
          - name: envoy.filters.http.jwt_authn
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
              providers:
                login:
                  issuer: https://login.example
                  local_jwks: {{ inline_string: '{keys}' }}
                  payload_in_metadata: claims
                  forward: true
              rules:
              - match: {{ prefix: / }}
                requires: {{ requires_any: {{ requirements: [{{ provider_name: login }}, {{ allow_missing: {{}} }}] }} }}
          - name: modelgate
"#
    );
    let stack = stack_with_policy("users", &policy, |options| {
        options.parts = vec![Part::Model, Part::Mailbox, Part::Relay, Part::Envoy];
        options.envoy_edits.push(("http_filters:\n          - name: modelgate\n".into(), verifying));
    })?;
    let ask = |token: Option<String>| -> Result<(u16, Option<String>)> {
        let mut request = Request::post(stack.ports().envoy_unlimited, CHAT, chat("What is a heron?"));
        if let Some(token) = token {
            request = request.header("authorization", &format!("Bearer {token}"));
        }
        let answer = request.send()?;
        Ok((answer.status, answer.header("x-modelgate-verdict").map(ToOwned::to_owned)))
    };
    let (mallory, ann) = (|| Some(token("mallory", TOKEN_KEY)), || Some(token("ann", TOKEN_KEY)));
    let allowed = (200, Some("allow".to_owned()));
    ensure!(ask(mallory())? == allowed && ask(ann())? == allowed && ask(None)? == allowed);
    let decision =
        json!({"scope": "user", "value": "mallory", "action": "block", "seconds": 12, "reason": "test"});
    decide(&stack, &decision)?;
    eventually("a refusal by user", || Ok((ask(mallory())? == (403, Some("block".into()))).then_some(())))?;
    ensure!(ask(ann())? == allowed && ask(None)? == allowed, "somebody else");
    // Who signs with another key is nobody, and gets no further than Envoy.
    let forged = ask(Some(token("ann", b"another key of thirty-two bytes!")))?;
    ensure!(forged.0 == 401, "{forged:?}");
    eventually("the end of the decision", || Ok((ask(mallory())? == allowed).then_some(())))?;
    Ok(())
}

#[test]
fn the_callers_address_is_what_trusted_proxies_say_and_not_what_the_caller_does() -> Result<()> {
    let stack = stack_with("addresses", |options| {
        options.parts = vec![Part::Model, Part::Mailbox, Part::Relay, Part::Envoy];
        // One listener behind a proxy that speaks the PROXY protocol, the other behind one that adds to X-Forwarded-For.
        let listener = "port_value: 10000 } }\n";
        let proxied = r#"
    listener_filters:
    - name: envoy.filters.listener.proxy_protocol
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol
        allow_requests_without_proxy_protocol: true
"#;
        options.envoy_edits.push((listener.into(), format!("{}{proxied}", listener.trim_end())));
        let prefix = "stat_prefix: unlimited\n";
        let hops = format!("{prefix}          xff_num_trusted_hops: 1\n");
        options.envoy_edits.push((prefix.into(), hops));
    })?;
    let address = |port: u16, before: &str, forwarded: &str| -> Result<String> {
        let mut stream = connect(port)?;
        let body = chat(ATTACK);
        write!(
            stream,
            "{before}POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{forwarded}\
             x-real-ip: 6.6.6.6\r\nforwarded: for=6.6.6.6\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let answer = Response::read(&mut BufReader::new(stream), "POST")?;
        let event = stored(&stack, event_id(&answer)?)?;
        event.client.address.context("no address")
    };
    let (proxied, forwarded) = (stack.ports().envoy, stack.ports().envoy_unlimited);
    let spoofed = "x-forwarded-for: 6.6.6.6\r\n";
    let cases = [
        (proxied, "", "", "127.0.0.1"),
        (proxied, "", spoofed, "127.0.0.1"),
        (proxied, "PROXY TCP4 198.51.100.7 127.0.0.1 5555 80\r\n", "", "198.51.100.7"),
        (proxied, "PROXY TCP4 198.51.100.8 127.0.0.1 5555 80\r\n", spoofed, "198.51.100.8"),
        (proxied, "PROXY TCP6 2001:db8::7 ::1 5555 80\r\n", spoofed, "2001:db8::7"),
        (forwarded, "", "x-forwarded-for: 203.0.113.9\r\n", "203.0.113.9"),
        (forwarded, "", "x-forwarded-for: 6.6.6.6, 203.0.113.9\r\n", "203.0.113.9"),
        (forwarded, "", "x-forwarded-for: 6.6.6.6\r\nx-forwarded-for: 203.0.113.10\r\n", "203.0.113.10"),
    ];
    for (port, before, headers, expected) in cases {
        let address = address(port, before, headers)?;
        ensure!(address == expected, "{before:?} {headers:?}: {address}");
    }
    Ok(())
}
