//! How fast bodies are decoded: `cargo run --release -p modelgate-decode --example throughput`.

use std::{hint::black_box, time::Instant};

use modelgate_decode::{Input, Limits, decode};

/// Time to spend on each body, in milliseconds.
const SPAN_MS: u128 = 300;
/// Rounds; the best counts.
const ROUNDS: usize = 5;

fn chat(bytes: usize, sentence: &str) -> String {
    let mut body = String::from(
        r#"{"model":"gpt-4o-mini","temperature":0.2,"messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":""#,
    );
    while body.len() + 4 < bytes {
        body += sentence;
    }
    body + r#""}]}"#
}

fn turns(bytes: usize) -> String {
    let mut body =
        String::from(r#"{"model":"gpt-4o-mini","messages":[{"role":"system","content":"Be brief."}"#);
    while body.len() < bytes {
        body += r#",{"role":"user","content":"How long does the dough have to rest before baking?"}"#;
    }
    body + "]}"
}

fn floats(bytes: usize) -> String {
    let mut body = String::from(r#"{"inputs":[{"name":"x","shape":[COUNT],"datatype":"FP32","data":["#);
    let mut count = 0;
    while body.len() < bytes {
        body += &format!("{}.{},", count % 7, 1234 + count % 8765);
        count += 1;
    }
    body.pop();
    (body + "]}]}").replace("COUNT", &count.to_string())
}

fn nested(open: &str, close: &str, bytes: usize) -> String {
    let unit = open.repeat(40) + &close.repeat(40) + ",";
    format!("[{}0]", unit.repeat(bytes / unit.len()))
}

fn main() {
    const PLAIN: &str =
        "The quick brown fox jumps over the lazy dog, and nobody in the village minds it at all. ";
    const ESCAPED: &str = r#"He said \u201cgood morning\u201d and left.\nThe door was \"open\". "#;
    const GERMAN: &str = "Die Bäckerin prüft den Teig, während es draußen noch dämmert und die Öfen glühen. ";
    let cases = [
        ("chat 2 KB", "/v1/chat/completions", chat(2048, PLAIN)),
        ("chat 32 KB", "/v1/chat/completions", chat(32_768, PLAIN)),
        ("chat 1 MB", "/v1/chat/completions", chat(1_000_000, PLAIN)),
        ("chat 32 KB, umlauts", "/v1/chat/completions", chat(32_768, GERMAN)),
        ("chat 32 KB, escapes", "/v1/chat/completions", chat(32_768, ESCAPED)),
        ("chat 32 KB, 400 turns", "/v1/chat/completions", turns(32_768)),
        ("kserve 32 KB of floats", "/v2/models/x/infer", floats(32_768)),
        ("32 KB of brackets", "/any", nested("[", "]", 32_768)),
        ("32 KB of empty strings", "/any", format!("[{}\"\"]", "\"\",".repeat(10_900))),
        ("32 KB of short names", "/any", {
            let names: String = (0..4000).map(|number| format!("\"{number:x}\":0,")).collect();
            format!("{{{names}\"z\":0}}")
        }),
    ];
    for (name, path, body) in &cases {
        let input = Input {
            protocol: None,
            path,
            content_type: Some("application/json"),
            body: body.as_bytes(),
            ..Input::default()
        };
        let limits = Limits::default();
        if let Err(problem) = decode(&input, &limits) {
            println!("{name}: {problem}");
            continue;
        }
        let mut best = f64::MAX;
        for _ in 0..ROUNDS {
            let (start, mut runs) = (Instant::now(), 0_u32);
            while start.elapsed().as_millis() < SPAN_MS / ROUNDS as u128 {
                for _ in 0..8 {
                    let _ = black_box(decode(black_box(&input), &limits));
                }
                runs += 8;
            }
            best = best.min(start.elapsed().as_secs_f64() / f64::from(runs));
        }
        let rate = body.len() as f64 / best / 1e6;
        println!("{name:24} {:8} bytes {:10.2} µs {rate:9.0} MB/s", body.len(), best * 1e6);
    }
}
