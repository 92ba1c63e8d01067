use super::*;
use crate::mock::Mock;

const POLICY: &[u8] =
    br#"{"model":{"name":"demo"},"input":{"max_size":64},"limits":{"max_requests_per_minute":3}}"#;
const BENIGN: &[u8] = br#"{"messages":[{"role":"user","content":"hello"}]}"#;

fn setup() -> (Mock, Plugin, Stream) {
    let mock = Mock::new();
    let plugin = Plugin::configure(&mock, POLICY).unwrap();
    request(&mock, &[]);
    (mock, plugin, Stream::default())
}

fn request(mock: &Mock, further: &[(&str, &[u8])]) {
    let mut headers: Vec<(&str, &[u8])> =
        vec![(":method", b"POST"), (":path", b"/v1/chat/completions"), ("content-type", b"application/json")];
    headers.extend(further);
    mock.set_headers(Side::Request, &headers);
}

fn body(mock: &Mock, bytes: &[u8]) -> usize {
    *mock.body.borrow_mut() = bytes.to_vec();
    bytes.len()
}

#[test]
fn a_request_is_held_until_its_last_byte_and_then_goes_on() {
    let (mock, plugin, mut stream) = setup();
    assert_eq!(stream.request_headers(&mock, &plugin, false), Step::Hold);
    let length = body(&mock, BENIGN);
    for buffered in [1, 10, length] {
        assert_eq!(stream.request_body(&mock, &plugin, buffered, false), Step::Hold);
    }
    assert_eq!(stream.request_body(&mock, &plugin, length, true), Step::Continue);
    stream.response_headers(&mock, &plugin, true);
    assert_eq!(mock.values(Side::Response, "x-modelgate-verdict"), ["allow"]);
    stream.end(&mock, &plugin);
    assert_eq!(
        (
            mock.counted("requests_total.model.demo.verdict.allow"),
            mock.counted("requests_total.model.demo.verdict.none")
        ),
        (1, 0)
    );
    assert!(mock.answers.borrow().is_empty());
}

#[test]
fn a_request_without_a_body_goes_on_at_once() {
    let (mock, plugin, mut stream) = setup();
    mock.set_headers(Side::Request, &[(":method", b"GET"), (":path", b"/v1/models")]);
    assert_eq!(stream.request_headers(&mock, &plugin, true), Step::Continue);
    assert_eq!(mock.counted("requests_total.model.demo.verdict.allow"), 1);
}

#[test]
fn a_refusal_is_given_once_and_its_own_way_out_adds_nothing() {
    let (mock, plugin, mut stream) = setup();
    stream.request_headers(&mock, &plugin, false);
    assert_eq!(stream.request_body(&mock, &plugin, 0, true), Step::Hold);
    stream.response_headers(&mock, &plugin, true);
    assert_eq!(stream.request_body(&mock, &plugin, 0, true), Step::Hold);
    assert_eq!(stream.request_trailers(&mock, &plugin), Step::Hold);
    stream.end(&mock, &plugin);
    let answers = mock.answers.borrow();
    assert_eq!((answers.len(), answers[0].status), (1, 400));
    let names: Vec<_> = answers[0].headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-type", "x-modelgate-verdict", "x-modelgate-event"]);
    assert!(mock.response.borrow().is_empty());
    assert_eq!(
        (mock.counted("requests_total.model.demo.verdict.block"), mock.counted("events_queued")),
        (1, 1)
    );
}

#[test]
fn a_body_that_ends_with_trailers_is_judged_before_it_goes_on() {
    let (mock, plugin, mut stream) = setup();
    stream.request_headers(&mock, &plugin, false);
    let length = body(&mock, b"{broken");
    assert_eq!(stream.request_body(&mock, &plugin, length, false), Step::Hold);
    assert_eq!(stream.request_trailers(&mock, &plugin), Step::Hold);
    assert_eq!(mock.answers.borrow()[0].status, 400);

    let mut stream = Stream::default();
    stream.request_headers(&mock, &plugin, false);
    let length = body(&mock, BENIGN);
    assert_eq!(stream.request_body(&mock, &plugin, length, false), Step::Hold);
    assert_eq!(stream.request_trailers(&mock, &plugin), Step::Continue);
}

#[test]
fn too_long_a_body_is_refused_as_soon_as_that_is_known() {
    let (mock, plugin, mut stream) = setup();
    request(&mock, &[("content-length", b"65")]);
    assert_eq!(stream.request_headers(&mock, &plugin, false), Step::Hold);
    assert_eq!(mock.answers.borrow()[0].status, 413);

    let mut stream = Stream::default();
    request(&mock, &[]);
    stream.request_headers(&mock, &plugin, false);
    assert_eq!(stream.request_body(&mock, &plugin, 64, false), Step::Hold);
    assert_eq!(mock.answers.borrow().len(), 1);
    assert_eq!(stream.request_body(&mock, &plugin, 65, false), Step::Hold);
    assert_eq!(mock.answers.borrow()[1].status, 413);
}

#[test]
fn an_answer_of_413_by_the_host_itself_is_reported_once() {
    for ends_at_once in [false, true] {
        let (mock, plugin, mut stream) = setup();
        stream.request_headers(&mock, &plugin, false);
        stream.request_body(&mock, &plugin, 60, false);
        mock.set_property(&["response", "code_details"], ENVOY_TOO_LARGE);
        if !ends_at_once {
            stream.response_headers(&mock, &plugin, true);
            assert_eq!(mock.values(Side::Response, "x-modelgate-verdict"), ["block"]);
        }
        stream.end(&mock, &plugin);
        assert_eq!(
            (mock.counted("requests_total.model.demo.verdict.block"), mock.counted("events_queued")),
            (1, 1)
        );
        assert!(mock.answers.borrow().is_empty());
    }
}

#[test]
fn a_caller_who_leaves_early_is_counted_but_not_reported() {
    let (mock, plugin, mut stream) = setup();
    stream.request_headers(&mock, &plugin, false);
    stream.request_body(&mock, &plugin, 10, false);
    stream.end(&mock, &plugin);
    assert_eq!(
        (mock.counted("requests_total.model.demo.verdict.none"), mock.counted("events_queued")),
        (1, 0)
    );
}

#[test]
fn bytes_that_are_no_text_do_no_harm_in_any_header() {
    let (mock, plugin, mut stream) = setup();
    request(&mock, &[("authorization", b"Bearer \xff\xfe"), ("x-request-id", b"\x80"), ("x", b"\xff")]);
    assert_eq!(stream.request_headers(&mock, &plugin, false), Step::Hold);
    let length = body(&mock, BENIGN);
    assert_eq!(stream.request_body(&mock, &plugin, length, true), Step::Continue);
}

#[test]
fn nobody_else_sets_the_guards_headers() {
    let (mock, plugin, mut stream) = setup();
    request(&mock, &[("X-Modelgate-Verdict", b"allow"), ("x-modelgate-x", b"1"), ("x-modelgate-x", b"2")]);
    stream.request_headers(&mock, &plugin, false);
    assert_eq!(mock.request.borrow().len(), 3);
    let length = body(&mock, BENIGN);
    stream.request_body(&mock, &plugin, length, true);
    mock.set_headers(Side::Response, &[(":status", b"200"), ("x-modelgate-verdict", b"forged"), ("a", b"b")]);
    stream.response_headers(&mock, &plugin, true);
    assert_eq!(mock.values(Side::Response, "x-modelgate-verdict"), ["allow"]);
    assert_eq!(mock.response.borrow().len(), 3);
}

#[test]
fn what_the_host_does_not_show_does_not_go_on() {
    for (broken, promised) in [("headers", 4), ("body", 4), ("", 40)] {
        let (mock, plugin, mut stream) = setup();
        mock.broken.borrow_mut().push(broken);
        body(&mock, b"{}  ");
        let mut step = stream.request_headers(&mock, &plugin, false);
        if mock.answers.borrow().is_empty() {
            step = stream.request_body(&mock, &plugin, promised, true);
        }
        assert_eq!(step, Step::Hold);
        let answers = mock.answers.borrow();
        assert_eq!((answers.len(), answers[0].status), (1, 503), "{broken}");
        assert_eq!(mock.counted("host_refusals"), 1);
    }
}

#[test]
fn a_stream_that_cannot_be_answered_is_reset() {
    let (mock, plugin, mut stream) = setup();
    mock.broken.borrow_mut().push("answer");
    stream.request_headers(&mock, &plugin, false);
    assert_eq!(stream.request_body(&mock, &plugin, 0, true), Step::Hold);
    assert_eq!(mock.resets.get(), 1);
}

#[test]
fn a_caller_over_the_limit_is_refused_before_the_body() {
    let (mock, plugin, _) = setup();
    for _ in 0..3 {
        assert!(!Stream::default().request_headers(&mock, &plugin, false).eq(&Step::Continue));
    }
    assert!(mock.answers.borrow().is_empty());
    assert_eq!(Stream::default().request_headers(&mock, &plugin, false), Step::Hold);
    let answers = mock.answers.borrow();
    assert_eq!((answers.len(), answers[0].status), (1, 429));
    assert!(answers[0].headers.iter().any(|(name, _)| name == "retry-after"));
    assert_eq!(mock.counted("requests_total.model.demo.verdict.throttle"), 1);
    // Another address is another caller.
    mock.set_property(&["source", "address"], "192.0.2.8:4711");
    Stream::default().request_headers(&mock, &plugin, false);
    assert_eq!(mock.counted("requests_total.model.demo.verdict.throttle"), 1);
}

#[test]
fn what_access_logs_show_is_set_with_the_verdict() {
    let (mock, plugin, mut stream) = setup();
    stream.request_headers(&mock, &plugin, false);
    let length = body(&mock, b"{broken");
    stream.request_body(&mock, &plugin, length, true);
    let set = mock.set.borrow();
    assert_eq!(set["modelgate.verdict"], "block");
    assert_eq!(set["modelgate.rule"], "unscannable.syntax");
    assert_eq!(set["modelgate.client"], "192.0.2.7");
    assert_eq!(set["modelgate.event"].len(), 36);
    assert_eq!((mock.counted("kind.syntax"), mock.counted("category.unscannable")), (1, 1));
}

#[test]
fn the_client_of_a_request_without_findings_is_shown_where_the_policy_says_so() {
    for (policy, shown) in [
        (r#"{"model":{"name":"demo"}}"#, None),
        (r#"{"model":{"name":"demo"},"report":{"every_client":true}}"#, Some("192.0.2.7")),
    ] {
        let (mock, _, mut stream) = setup();
        let plugin = Plugin::configure(&mock, policy.as_bytes()).unwrap();
        stream.request_headers(&mock, &plugin, false);
        let length = body(&mock, BENIGN);
        stream.request_body(&mock, &plugin, length, true);
        let set = mock.set.borrow();
        assert_eq!(set["modelgate.verdict"], "allow");
        assert_eq!(set.get("modelgate.client").map(String::as_str), shown);
    }
}

#[test]
fn an_answer_to_what_was_not_judged_is_kept_back_and_reported_once() {
    let (mock, plugin, mut stream) = setup();
    stream.request_headers(&mock, &plugin, false);
    stream.request_body(&mock, &plugin, 10, false);
    mock.set_property(&["response", "code_details"], UPSTREAM_ANSWERED);
    stream.response_headers(&mock, &plugin, true);
    assert_eq!(mock.answers.borrow()[0].status, 503);
    stream.response_headers(&mock, &plugin, true);
    stream.end(&mock, &plugin);
    assert_eq!((mock.counted("bypassed"), mock.counted("events_queued")), (1, 1));
    assert_eq!(mock.answers.borrow().len(), 1);
}

#[test]
fn what_the_policy_lets_by_is_not_held() {
    let mock = Mock::new();
    let policy = br#"{"model":{"name":"demo"},"unscannable":{"websocket":"flag","oversize":"allow"},"input":{"max_size":8}}"#;
    let plugin = Plugin::configure(&mock, policy).unwrap();
    mock.set_headers(
        Side::Request,
        &[(":method", b"GET"), (":path", b"/v1/realtime"), ("upgrade", b"websocket")],
    );
    let mut stream = Stream::default();
    assert_eq!(stream.request_headers(&mock, &plugin, false), Step::Continue);
    assert_eq!(stream.request_body(&mock, &plugin, 100, false), Step::Continue);
    assert_eq!((mock.counted("kind.websocket"), mock.counted("events_queued")), (1, 1));
    request(&mock, &[]);
    let mut stream = Stream::default();
    assert_eq!(stream.request_headers(&mock, &plugin, false), Step::Hold);
    assert_eq!(stream.request_body(&mock, &plugin, 9, false), Step::Continue);
    assert_eq!(stream.request_body(&mock, &plugin, 10, true), Step::Continue);
    assert_eq!(
        (mock.counted("kind.oversize"), mock.counted("events_queued")),
        (1, 1),
        "no event, but counted"
    );
}

#[test]
fn the_guards_own_time_is_recorded_when_the_stream_ends() {
    let (mock, plugin, mut stream) = setup();
    for _ in 0..2 {
        plugin.wake();
        plugin.begin(&mock);
        mock.now_ms.set(mock.now_ms.get() + 3);
        stream.spend(plugin.rest(&mock));
    }
    stream.end(&mock, &plugin);
    assert_eq!(mock.counted("guard_microseconds"), 6000);
}

#[test]
fn a_callback_asks_for_the_time_when_it_begins_and_ends_and_not_at_all_where_it_only_waits() {
    let (mock, plugin, mut stream) = setup();
    let asked = |run: &mut dyn FnMut() -> Step| {
        let before = mock.clocked.get();
        plugin.wake();
        run();
        plugin.rest(&mock);
        mock.clocked.get() - before
    };
    // The first request of a VM signs its roll, too.
    assert_eq!(asked(&mut || stream.request_headers(&mock, &plugin, false)), 2);
    let length = body(&mock, BENIGN);
    assert_eq!(asked(&mut || stream.request_body(&mock, &plugin, length, false)), 0);
    assert_eq!(asked(&mut || stream.request_body(&mock, &plugin, length, true)), 2);
    mock.set_headers(Side::Response, &[(":status", b"200"), ("content-type", b"application/json")]);
    assert_eq!(asked(&mut || stream.response_headers(&mock, &plugin, false)), 2);
    *mock.response_body.borrow_mut() = br#"{"choices":[]}"#.to_vec();
    assert_eq!(asked(&mut || stream.response_body(&mock, &plugin, 14, false)), 0);
    assert_eq!(asked(&mut || stream.response_body(&mock, &plugin, 14, true)), 2);
}

#[test]
fn the_user_is_named_by_the_claim_that_the_host_has_verified() {
    let mock = Mock::new();
    let policy = br#"{"model":{"name":"demo"},"identity":{"client":"jwt_claim","jwt_claim":"sub","jwt_payload":"token"},
        "limits":{"max_requests_per_minute":1}}"#;
    let plugin = Plugin::configure(&mock, policy).unwrap();
    let path = ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "token", "sub"];
    let decided = |user: &str, address: &str| {
        mock.set_property(&path, user);
        mock.set_property(&["source", "address"], address);
        request(&mock, &[("x-jwt-payload", b"forged"), ("jwt_payload", b"forged")]);
        let mut stream = Stream::default();
        stream.request_headers(&mock, &plugin, false);
        stream.is_decided()
    };
    assert!(!decided("ann", "192.0.2.1:1"));
    assert!(decided("ann", "192.0.2.2:1"), "over the limit, from wherever");
    assert!(!decided("bob", "192.0.2.1:1"));
    assert!(!decided("", "192.0.2.1:1"), "without a token the address counts");
    assert!(decided("", "192.0.2.1:1"));
}

#[test]
fn failed_attempts_are_counted_by_the_answers_status() {
    let mock = Mock::new();
    let policy = br#"{"model":{"name":"demo"},"limits":{"failed_attempts_threshold":3}}"#;
    let plugin = Plugin::configure(&mock, policy).unwrap();
    request(&mock, &[]);
    for (attempt, status) in [(1, "401"), (2, "200"), (3, "403"), (4, "404"), (5, "429")] {
        let mut stream = Stream::default();
        stream.request_headers(&mock, &plugin, false);
        let length = body(&mock, BENIGN);
        assert_eq!(stream.request_body(&mock, &plugin, length, true), Step::Continue);
        mock.set_headers(Side::Response, &[(":status", status.as_bytes())]);
        stream.response_headers(&mock, &plugin, true);
        stream.end(&mock, &plugin);
        stream.end(&mock, &plugin);
        assert_eq!(mock.counted("events_queued"), u64::from(attempt >= 4), "attempt {attempt}");
    }
}

#[test]
fn where_headers_cannot_wait_the_body_does() {
    let mut mock = Mock::new();
    mock.variables.insert("MODELGATE_HEADERS", "pass".into());
    let plugin = Plugin::configure(&mock, POLICY).unwrap();
    request(&mock, &[]);
    let mut stream = Stream::default();
    assert_eq!(stream.request_headers(&mock, &plugin, false), Step::Continue);
    let length = body(&mock, b"{broken");
    assert_eq!(stream.request_body(&mock, &plugin, length, false), Step::Hold);
    assert_eq!(stream.request_body(&mock, &plugin, length, true), Step::Hold);
    assert_eq!(mock.answers.borrow()[0].status, 400);
}

#[test]
fn the_route_is_asked_for_where_the_policy_minds_it_or_an_event_tells_it() {
    let exempt = br#"{"model":{"name":"demo"},"limits":{"exempt_routes":["health"]}}"#;
    let paths = br#"{"model":{"name":"demo"},"limits":{"exempt_routes":["/v1/models"]}}"#;
    let excepted =
        br#"{"model":{"name":"demo"},"exceptions":[{"rules":["pii.*"],"routes":["a"],"reason":"r"}]}"#;
    let cases = [(POLICY, BENIGN, 0), (paths, BENIGN, 0), (exempt, BENIGN, 1), (excepted, BENIGN, 1)];
    for (policy, bytes, expected) in cases.into_iter().chain([(POLICY, &b"{broken"[..], 1)]) {
        let mut mock = Mock::new();
        // Without a key events go to the log.
        mock.variables.clear();
        mock.set_property(&["xds", "route_name"], "model-api");
        let plugin = Plugin::configure(&mock, policy).unwrap();
        request(&mock, &[]);
        let mut stream = Stream::default();
        stream.request_headers(&mock, &plugin, false);
        let length = body(&mock, bytes);
        stream.request_body(&mock, &plugin, length, true);
        let asked = mock.asked.borrow().iter().filter(|path| *path == "xds.route_name").count();
        assert_eq!(asked, expected, "{} {}", policy.escape_ascii(), bytes.escape_ascii());
        let told = mock.lines.borrow().iter().filter(|line| line.contains(r#""route":"model-api""#)).count();
        assert_eq!(told, usize::from(bytes != BENIGN));
    }
}

/// A stream whose request was let through, and the policy's answer to what the model says.
fn asked(policy: &str, path: &str) -> (Mock, Plugin, Stream) {
    let mock = Mock::new();
    let policy = format!(r#"{{"model":{{"name":"demo"}},"detect":{{"canaries":["{CANARY}"]}},{policy}}}"#);
    let plugin = Plugin::configure(&mock, policy.as_bytes()).unwrap();
    mock.set_headers(
        Side::Request,
        &[(":method", b"POST"), (":path", path.as_bytes()), ("content-type", b"application/json")],
    );
    let mut stream = Stream::default();
    stream.request_headers(&mock, &plugin, false);
    let length = body(&mock, BENIGN);
    assert_eq!(stream.request_body(&mock, &plugin, length, true), Step::Continue);
    (mock, plugin, stream)
}

const CHAT: &str = "/v1/chat/completions";
const CANARY: &str = "Kestrel-7f3a-Harbour";

fn answer_head(mock: &Mock, media: &str) {
    mock.set_headers(
        Side::Response,
        &[(":status", b"200"), ("content-type", media.as_bytes()), ("content-length", b"999")],
    );
}

/// What the host has of the answer's body now.
fn has(mock: &Mock, bytes: &[u8]) -> usize {
    *mock.response_body.borrow_mut() = bytes.to_vec();
    bytes.len()
}

fn shown(mock: &Mock) -> String {
    String::from_utf8(mock.response_body.borrow().clone()).unwrap()
}

fn says(text: &str) -> Vec<u8> {
    format!(r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}}}}]}}"#)
        .into_bytes()
}

fn delta(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

const DONE: &str = "data: [DONE]\n\n";
const MASK: &str = r#""response":{"canary":"mask"}"#;
const BLOCK: &str = r#""response":{"canary":"block"}"#;

#[test]
fn a_whole_answer_is_held_masked_and_told_its_length() {
    let (mock, plugin, mut stream) = asked(MASK, CHAT);
    answer_head(&mock, "application/json");
    assert_eq!(stream.response_headers(&mock, &plugin, false), Step::Hold);
    let answer = says(&format!("It is {CANARY}."));
    let length = has(&mock, &answer);
    for held in [0, 1, length] {
        assert_eq!(stream.response_body(&mock, &plugin, held, false), Step::Hold);
    }
    assert_eq!(stream.response_body(&mock, &plugin, length, true), Step::Continue);
    assert_eq!(shown(&mock).as_bytes(), says("It is [redacted]."));
    let length = says("It is [redacted].").len().to_string();
    assert_eq!(mock.values(Side::Response, "content-length"), [length]);
    assert_eq!(mock.values(Side::Response, "x-modelgate-verdict"), ["mask"]);
    assert_eq!(
        (mock.counted("answers_total.model.demo.verdict.mask"), mock.counted("events_queued")),
        (1, 1)
    );
}

#[test]
fn a_whole_answer_that_ends_with_trailers_is_judged_as_well() {
    let (mock, plugin, mut stream) = asked(MASK, CHAT);
    answer_head(&mock, "application/json");
    stream.response_headers(&mock, &plugin, false);
    let length = has(&mock, &says(CANARY));
    assert_eq!(stream.response_body(&mock, &plugin, length, false), Step::Hold);
    assert_eq!(stream.response_trailers(&mock, &plugin), Step::Continue);
    assert_eq!(shown(&mock).as_bytes(), says("[redacted]"));
}

#[test]
fn a_refused_answer_is_replaced_once_and_the_reply_comes_by_unchanged() {
    let (mock, plugin, mut stream) = asked(BLOCK, CHAT);
    answer_head(&mock, "application/json");
    stream.response_headers(&mock, &plugin, false);
    let length = has(&mock, &says(CANARY));
    assert_eq!(stream.response_body(&mock, &plugin, length, true), Step::Hold);
    // The host sends the reply through the same callbacks.
    answer_head(&mock, "application/json");
    let length = has(&mock, says(CANARY).as_slice());
    assert_eq!(stream.response_headers(&mock, &plugin, false), Step::Continue);
    assert_eq!(stream.response_body(&mock, &plugin, length, true), Step::Continue);
    stream.end(&mock, &plugin);
    let answers = mock.answers.borrow();
    assert_eq!((answers.len(), answers[0].status, mock.resets.get()), (1, 400, 0));
    assert!(!answers[0].body.contains(CANARY));
    assert_eq!(shown(&mock).as_bytes(), says(CANARY), "what the host sends is its own");
    assert_eq!(mock.response.borrow().len(), 3);
}

#[test]
fn an_answer_that_is_too_long_passes_or_is_refused_as_the_policy_says() {
    for (unscannable, answered) in [("flag", None), ("block", Some(400))] {
        let (mock, plugin, mut stream) =
            asked(&format!(r#""response":{{"max_size":1024,"unscannable":"{unscannable}"}}"#), CHAT);
        mock.set_headers(Side::Response, &[(":status", b"200"), ("content-type", b"application/json")]);
        assert_eq!(stream.response_headers(&mock, &plugin, false), Step::Hold);
        let length = has(&mock, &says(&"a".repeat(2000)));
        assert_eq!(stream.response_body(&mock, &plugin, 1024, false), Step::Hold);
        let step = stream.response_body(&mock, &plugin, length, false);
        assert_eq!(step == Step::Continue, answered.is_none(), "{unscannable}");
        let answers = mock.answers.borrow();
        assert_eq!(answers.first().map(|answer| answer.status), answered);
        if answered.is_none() {
            assert_eq!(stream.response_body(&mock, &plugin, 7, true), Step::Continue);
            assert_eq!(shown(&mock).as_bytes(), says(&"a".repeat(2000)));
        }
    }
}

#[test]
fn a_streamed_answer_is_judged_chunk_by_chunk_and_promises_no_length() {
    let (mock, plugin, mut stream) = asked(MASK, CHAT);
    answer_head(&mock, "text/event-stream");
    assert_eq!(stream.response_headers(&mock, &plugin, false), Step::Continue);
    assert!(mock.values(Side::Response, "content-length").is_empty());
    let mut came = String::new();
    let sent = [delta("It is Kestrel-7f"), delta("3a-Harbour."), DONE.to_owned()].concat();
    for chunk in sent.as_bytes().chunks(5) {
        let length = has(&mock, chunk);
        assert_eq!(stream.response_body(&mock, &plugin, length, false), Step::Continue);
        came.push_str(&shown(&mock));
    }
    let masked = [delta("It is [redacted]"), delta("."), DONE.to_owned()].concat();
    assert_eq!(came, masked, "all of it, once the stream said that it is complete");
    has(&mock, b"");
    assert_eq!(stream.response_body(&mock, &plugin, 0, true), Step::Continue);
    assert_eq!(shown(&mock), "");
}

#[test]
fn after_the_ending_of_a_cut_stream_nothing_comes() {
    let (mock, plugin, mut stream) = asked(BLOCK, CHAT);
    answer_head(&mock, "text/event-stream");
    stream.response_headers(&mock, &plugin, false);
    let length = has(&mock, [delta(CANARY), DONE.to_owned()].concat().as_bytes());
    assert_eq!(stream.response_body(&mock, &plugin, length, false), Step::Continue);
    let ending = shown(&mock);
    assert!(
        ending.contains("content_filter") && ending.ends_with(DONE) && !ending.contains("Kest"),
        "{ending}"
    );
    for ends in [false, true] {
        let length = has(&mock, delta("more").as_bytes());
        assert_eq!(stream.response_body(&mock, &plugin, length, ends), Step::Continue);
        assert_eq!(shown(&mock), "");
    }
    assert_eq!((mock.answers.borrow().len(), mock.resets.get()), (0, 0));
    // Nobody ended it in time.
    mock.now_ms.set(mock.now_ms.get() + 2000);
    let length = has(&mock, delta("more").as_bytes());
    assert_eq!(stream.response_body(&mock, &plugin, length, false), Step::Hold);
    assert_eq!((mock.answers.borrow().len(), mock.resets.get()), (0, 1));
}

#[test]
fn trailers_end_a_stream_whose_text_still_waits() {
    for (complete, resets) in [(true, 0), (false, 1)] {
        let (mock, plugin, mut stream) = asked(MASK, CHAT);
        answer_head(&mock, "text/event-stream");
        stream.response_headers(&mock, &plugin, false);
        let done = if complete { DONE } else { "" };
        let length = has(&mock, format!("{}{done}", delta("It is a heron.")).as_bytes());
        assert_eq!(stream.response_body(&mock, &plugin, length, false), Step::Continue);
        // There is no body to write to any more.
        mock.broken.borrow_mut().push("replace_body");
        let step = if complete { Step::Continue } else { Step::Hold };
        assert_eq!(stream.response_trailers(&mock, &plugin), step);
        assert_eq!(mock.resets.get(), resets);
        assert_eq!(shown(&mock).is_empty(), !complete);
    }
}

#[test]
fn an_answer_that_the_host_does_not_show_or_change_does_not_go_on() {
    for (media, broken) in [
        ("application/json", "replace_body"),
        ("text/event-stream", "replace_body"),
        ("text/event-stream", "body"),
    ] {
        let (mock, plugin, mut stream) = asked(MASK, CHAT);
        answer_head(&mock, media);
        stream.response_headers(&mock, &plugin, false);
        mock.broken.borrow_mut().push(broken);
        let text = if media == "application/json" {
            says(CANARY)
        } else {
            [delta(CANARY).as_bytes(), DONE.as_bytes()].concat()
        };
        let length = has(&mock, &text);
        assert_eq!(stream.response_body(&mock, &plugin, length, true), Step::Hold, "{media} {broken}");
        assert_eq!((mock.resets.get(), mock.counted("host_refusals")), (1, 1), "{media} {broken}");
    }
    // A whole one that is not shown is one that cannot be inspected.
    for (unscannable, step) in [("flag", Step::Continue), ("block", Step::Hold)] {
        let (mock, plugin, mut stream) =
            asked(&format!(r#""response":{{"unscannable":"{unscannable}"}}"#), CHAT);
        answer_head(&mock, "application/json");
        stream.response_headers(&mock, &plugin, false);
        mock.broken.borrow_mut().push("body");
        let length = has(&mock, &says("hello"));
        assert_eq!(stream.response_body(&mock, &plugin, length, true), step, "{unscannable}");
        assert_eq!(mock.answers.borrow().len(), usize::from(step == Step::Hold));
    }
    // Headers that are not shown tell nothing of the body: it passes, and that is counted.
    let (mock, plugin, mut stream) = asked(MASK, CHAT);
    mock.broken.borrow_mut().push("headers");
    assert_eq!(stream.response_headers(&mock, &plugin, false), Step::Continue);
    assert_eq!(mock.counted("host_refusals"), 1);
}

/// A host that can hold neither heads nor answers back.
fn unpaused(policy: &str) -> (Mock, Plugin, Stream) {
    let (mock, mut plugin, stream) = asked(policy, CHAT);
    plugin.headers = Headers::Pass;
    plugin.answers = crate::plugin::Waiting::InFilter;
    (mock, plugin, stream)
}

/// Sends an answer in pieces of so many bytes to such a host: no callback may hold it. What the caller gets.
fn flows(policy: &str, media: &str, answer: &[u8], piece: usize) -> (String, Mock) {
    let (mock, plugin, mut stream) = unpaused(policy);
    answer_head(&mock, media);
    assert_eq!(stream.response_headers(&mock, &plugin, false), Step::Continue);
    assert!(mock.values(Side::Response, "content-length").is_empty());
    let mut came = String::new();
    let last = answer.len().div_ceil(piece);
    for (number, chunk) in answer.chunks(piece).enumerate() {
        let length = has(&mock, chunk);
        assert_eq!(stream.response_body(&mock, &plugin, length, number + 1 == last), Step::Continue);
        came.push_str(&shown(&mock));
    }
    stream.end(&mock, &plugin);
    assert!(mock.answers.borrow().is_empty() && mock.resets.get() == 0);
    (came, mock)
}

#[test]
fn where_answers_cannot_be_held_whole_ones_go_out_with_their_last_chunk() {
    for piece in [7, 10_000] {
        let (came, mock) = flows(MASK, "application/json", &says(&format!("It is {CANARY}.")), piece);
        assert_eq!(came.as_bytes(), says("It is [redacted]."));
        assert_eq!(mock.counted("answers_total.model.demo.verdict.mask"), 1);
        let (came, _) = flows(MASK, "application/json", &says("It is a heron."), piece);
        assert_eq!(came.as_bytes(), says("It is a heron."));
        let (came, _) = flows(BLOCK, "application/json", &says(CANARY), piece);
        assert!(came.contains("withheld") && !came.contains("Kest"), "{came}");
    }
}

#[test]
fn where_answers_cannot_be_held_too_long_ones_pass_or_end_as_the_policy_says() {
    let long = says(&"a".repeat(3000));
    for (unscannable, passes) in [("flag", true), ("block", false)] {
        let policy = format!(r#""response":{{"max_size":1024,"unscannable":"{unscannable}"}}"#);
        let (came, _) = flows(&policy, "application/json", &long, 100);
        if passes {
            assert_eq!(came.as_bytes(), long);
        } else {
            assert!(came.ends_with('}') && came.contains("withheld") && !came.contains("aaa"), "{came}");
        }
    }
}

#[test]
fn where_answers_cannot_be_held_streams_are_judged_as_ever() {
    let sent = [delta("It is Kestrel-7f"), delta("3a-Harbour."), DONE.to_owned()].concat();
    let masked = [delta("It is [redacted]"), delta("."), DONE.to_owned()].concat();
    assert_eq!(flows(MASK, "text/event-stream", sent.as_bytes(), 11).0, masked);
    let (came, _) = flows(BLOCK, "text/event-stream", sent.as_bytes(), 11);
    assert!(came.contains("content_filter") && !came.contains("Kest") && came.ends_with(DONE), "{came}");
}
