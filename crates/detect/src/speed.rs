//! Measurements, run by hand:
//!
//! ```text
//! cargo test --release -p modelgate-detect --lib -- --ignored --nocapture speed
//! ```
//! `MODELGATE_BENCH_TEXT` names a text file to measure on in place of the built-in prose.

extern crate std;

use alloc::{format, string::String, vec::Vec};
use std::{eprintln, hint::black_box, time::Instant};

use crate::{
    Category, Engine, Options, Role, Rule, Scratch, Severity,
    compile::{Patterns, Proof},
    search::{Found, search},
};

const PROSE: &str = include_str!("speed.txt");

fn prose() -> String {
    match std::env::var("MODELGATE_BENCH_TEXT") {
        Ok(path) => std::fs::read_to_string(path).unwrap(),
        Err(_) => PROSE.into(),
    }
}

/// Texts of about `size` bytes, a mebibyte in all, so that no predictor learns them by heart.
fn texts(size: usize) -> Vec<String> {
    let mut prose = prose();
    while prose.len() < 1 << 20 {
        prose.push_str(&prose.clone());
    }
    let mut texts = Vec::new();
    let mut rest = prose.as_str();
    while let Some((text, behind)) = rest.split_at_checked(rest.floor_char_boundary(size)) {
        if text.len() + 4 < size {
            break;
        }
        texts.push(text.into());
        rest = behind;
    }
    texts
}

/// Prints the sum of each text's best of several rounds: what else the machine does only ever adds.
fn measure(name: &str, texts: &[String], mut run: impl FnMut(&str)) {
    let bytes: usize = texts.iter().map(String::len).sum();
    let mut best = alloc::vec![f64::INFINITY; texts.len()];
    for _ in 0..15 {
        for (text, best) in texts.iter().zip(&mut best) {
            let start = Instant::now();
            run(text);
            *best = best.min(start.elapsed().as_secs_f64());
        }
    }
    let best: f64 = best.iter().sum();
    eprintln!(
        "{name:<44} {:>8.0} MB/s {:>10.2} ns/byte",
        bytes as f64 / best / 1e6,
        best * 1e9 / bytes as f64
    );
}

fn own_rules(count: usize) -> Vec<(Rule, Patterns)> {
    let word = |number: usize| -> String {
        (0..4)
            .map(|place| {
                ["ka", "ro", "mi", "te", "su", "lan", "ver", "dos", "pel", "qui"]
                    [number / 10usize.pow(place) % 10]
            })
            .collect()
    };
    let rule = Rule {
        id: "injection.own.rule",
        summary: "A rule of the operator's",
        category: Category::PromptInjection,
        severity: Severity::Low,
        weight: 100,
        paranoia: 1,
        roles: crate::Roles::ALL,
        owasp: &[],
        atlas: &[],
    };
    let patterns = |number| Patterns {
        phrases: [format!("{} {}", word(number), word(number * 7 + 3))].into(),
        tokens: Vec::new(),
        proof: Proof::default(),
    };
    (0..count).map(|number| (rule, patterns(number))).collect()
}

#[test]
#[ignore = "measures speed; run by hand in a release build"]
fn speed_by_stage() {
    let engine = Engine::new(&Options::default());
    let mut scratch = Scratch::default();
    let mut normalised = normalise::Normalised::default();
    let mut found = Found::default();
    let (mut out, mut decoded) = (Vec::new(), Vec::new());
    for size in [200, 2 << 10, 32 << 10, 1 << 20] {
        let texts = texts(size);
        measure(&format!("normalise, {size} bytes"), &texts, |text| normalised.set(black_box(text)));
        measure(&format!("views, {size} bytes"), &texts, |text| {
            decoded.clear();
            normalise::views(black_box(text), &mut normalise::Budget::default(), &mut decoded);
        });
        let padded: Vec<_> = texts
            .iter()
            .map(|text| {
                normalised.set(text);
                String::from_utf8(normalised.padded().to_vec()).unwrap()
            })
            .collect();
        measure(&format!("search, {size} bytes"), &padded, |text| {
            search(black_box(text).as_bytes(), engine.tables(), &mut found);
        });
        measure(&format!("scan_text, {size} bytes"), &texts, |text| {
            out.clear();
            engine.scan_text(black_box(text), Role::User, &mut scratch, &mut out);
        });
    }
}

#[test]
fn work_hardly_depends_on_the_number_of_rules_nor_on_the_length_of_a_text() {
    // What is looked at for a text: its words, what is found among them, and the steps that verification takes.
    let work = |engine: &Engine, texts: &[String]| {
        let (mut scratch, mut out) = (Scratch::default(), Vec::new());
        let (mut work, mut bytes) = (0, 0);
        for text in texts {
            engine.scan_text(text, Role::User, &mut scratch, &mut out);
            work += scratch.found.words_seen() + 10 * scratch.found.hits.len() + 4 * scratch.steps();
            bytes += text.len();
        }
        1000 * work / bytes
    };
    let options = Options { decode_depth: 0, ..Options::default() };
    let prose = &texts(2 << 10)[..64];
    let [few, many] =
        [100, 10_000].map(|count| work(&Engine::with_rules(&options, own_rules(count)).unwrap(), prose));
    assert!(many * 10 <= few * 12, "{many} with many rules, {few} with few");
    let engine = Engine::new(&options);
    let lengths = [200, 2 << 10, 1 << 20].map(|size| {
        let texts = texts(size);
        let count = ((256 << 10) / size).clamp(1, texts.len());
        work(&engine, &texts[..count])
    });
    let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
    assert!(most * 10 <= least * 12 && *least > 0, "{lengths:?} by length");
}

#[test]
#[ignore = "measures speed; run by hand in a release build"]
fn speed_by_number_of_rules() {
    let texts = texts(2 << 10);
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    for count in [0, 100, 1000, 10_000] {
        let start = Instant::now();
        let engine = Engine::with_rules(&Options::default(), own_rules(count)).unwrap();
        eprintln!("{count} own rules compiled in {:?}", start.elapsed());
        measure(&format!("scan_text, {count} own rules"), &texts, |text| {
            out.clear();
            engine.scan_text(black_box(text), Role::User, &mut scratch, &mut out);
        });
    }
    let start = Instant::now();
    black_box(Engine::new(&Options::default()));
    eprintln!("built-in rules made ready in {:?}", start.elapsed());
}

#[test]
#[ignore = "measures speed; run by hand in a release build"]
fn speed_on_hostile_text() {
    let engine = Engine::new(&Options::default());
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    measure("benign prose", &texts(32 << 10), |text| {
        engine.scan_text(text, Role::User, &mut scratch, &mut out)
    });
    for piece in crate::tests::hostile::PIECES {
        let text = piece.repeat((32 << 10) / piece.len());
        measure(&format!("{piece:?}"), &[text], |text| {
            out.clear();
            engine.scan_text(black_box(text), Role::User, &mut scratch, &mut out);
        });
        if scratch.is_exhausted() {
            eprintln!("a budget ran out");
        }
    }
}

#[test]
#[ignore = "prints which rules are verified most; run by hand"]
fn speed_lost_on_postings() {
    let engine = Engine::new(&Options::default());
    let text = texts(1 << 20).concat();
    let mut normalised = normalise::Normalised::default();
    normalised.set(&text);
    let mut found = Found::default();
    search(normalised.padded(), engine.tables(), &mut found);
    let tables = engine.tables();
    let mut counts = alloc::collections::BTreeMap::<String, (usize, usize)>::new();
    let mut postings = 0;
    for hit in &found.hits {
        let at = hit.at as usize;
        let rest = &normalised.padded()[at..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let word = if length == 0 { &rest[..6] } else { &rest[..length] };
        let entry = counts.entry(String::from_utf8_lossy(word).into()).or_default();
        entry.0 += 1;
        entry.1 += hit.count as usize;
        postings += hit.count as usize;
    }
    let words = text.split_whitespace().count();
    eprintln!(
        "{words} words, {} hits, {postings} postings; {} phrases",
        found.hits.len(),
        tables.phrases.len()
    );
    for place in crate::compile::keys::Place::ALL {
        eprintln!(
            "{place:?}: {} keys, filter of {} bytes",
            tables.keys(place).entries.len(),
            tables.keys(place).filter.len() * 8
        );
    }
    let sizes = sizes(tables);
    eprintln!("{} bytes of tables: {sizes:?}", sizes.iter().map(|(_, size)| size).sum::<usize>());
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, (_, postings))| core::cmp::Reverse(*postings));
    for (word, (hits, postings)) in counts.iter().take(70) {
        eprintln!("{word:<20} {hits:>6} hits {postings:>8} postings");
    }
}

/// The bytes of each table.
fn sizes(tables: &crate::compile::Tables) -> [(&'static str, usize); 16] {
    let keys = tables.keys.iter().map(|table| {
        size_of_val(&*table.filter) + size_of_val(&*table.buckets) + size_of_val(&*table.entries)
    });
    [
        ("bytes", size_of_val(&*tables.bytes)),
        ("words", size_of_val(&*tables.words)),
        ("alternatives", size_of_val(&*tables.alternatives)),
        ("lists", size_of_val(&*tables.lists)),
        ("steps", size_of_val(&*tables.steps)),
        ("phrases", size_of_val(&*tables.phrases)),
        ("literals", size_of_val(&*tables.literals)),
        ("pieces", size_of_val(&*tables.pieces)),
        ("raws", size_of_val(&*tables.raws)),
        ("classes", size_of_val(&*tables.classes)),
        ("elements", size_of_val(&*tables.elements)),
        ("stopwords", size_of_val(&*tables.stopwords)),
        ("tokens", size_of_val(&*tables.tokens)),
        ("postings", size_of_val(&*tables.postings)),
        ("keys", keys.sum::<usize>()),
        ("signs", size_of_val(&*tables.signs.signs) + size_of_val(&*tables.signs.needs)),
    ]
}

#[test]
#[ignore = "measures speed; run by hand in a release build"]
fn speed_of_loading() {
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        let start = Instant::now();
        black_box(Engine::new(&Options::default()));
        best = best.min(start.elapsed().as_secs_f64());
    }
    eprintln!("built-in rules made ready in {:.2} ms", best * 1e3);
}

#[test]
#[ignore = "measures speed; run by hand in a release build"]
fn speed_by_detector() {
    use crate::{
        canary::{self, Canary},
        detector::{Installed, Subject},
        exfiltration::{self, Exfiltration},
        pii::{self, Pii},
        scratch::{Buffers, Layer},
        secret::{self, Secret},
        structure::{self, Structure},
    };
    let options = Options::default();
    let canary = Canary::new(&["Kestrel-7f3a-Harbour".into()]).unwrap();
    let detectors = [
        ("exfiltration", Installed::new(Exfiltration, exfiltration::RULES, &options)),
        ("structure", Installed::new(Structure, structure::RULES, &options)),
        ("personal data", Installed::new(Pii, pii::RULES, &options)),
        ("secrets by name", Installed::new(Secret, secret::RULES, &options)),
        ("canary", Installed::new(canary, canary::RULES, &options)),
    ];
    let (layer, mut buffers, mut out) = (Layer::default(), Buffers::default(), Vec::new());
    let mut run = |name: &str, detector: &Installed, texts: &[String]| {
        let mut normalised = Vec::new();
        for text in texts {
            let mut one = normalise::Normalised::default();
            one.set(text);
            normalised.push(one);
        }
        let mut forms = normalised.iter().cycle();
        measure(name, texts, |text| {
            out.clear();
            let Some(normalised) = forms.next() else { return };
            let subject = Subject {
                text: black_box(text),
                normalised,
                role: Role::User,
                is_read: false,
                is_code: false,
                is_reading: false,
            };
            let mut room = crate::room::Room::new(64, false);
            detector.scan(&subject, &layer, &mut buffers, &mut room, &mut out);
        });
    };
    for (name, detector) in &detectors {
        for size in [2 << 10, 32 << 10] {
            run(&format!("{name}, {size} bytes"), detector, &texts(size));
        }
    }
    let engine = Engine::new(&options);
    let print = engine.prompt_print(&texts(8 << 10).swap_remove(3));
    let mut scratch = Scratch::default();
    measure("prompt echo, with normalising and decoding", &texts(2 << 10), |text| {
        black_box(engine.scan_echo(&print, black_box(text), &mut scratch));
    });
    let hostile = [
        crate::exfiltration::tests::PIECES,
        crate::structure::tests::PIECES,
        crate::pii::tests::PIECES,
        crate::secret::tests::PIECES,
    ];
    for ((name, detector), pieces) in detectors.iter().zip(hostile) {
        for piece in pieces {
            let text = piece.repeat((32 << 10) / piece.len());
            run(&format!("{name} on {piece:?}"), detector, &[text]);
        }
    }
}
