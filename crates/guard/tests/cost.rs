//! What texts made to cost much cost, by a count that is the same on every machine. `examples/cost.rs` measures them.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test, and a generator that it shares"
)]

#[path = "../examples/cost/texts.rs"]
mod texts;

use detect::{Engine, Options, Role, Scratch};

/// A byte of no text costs more than so many bytes of prose. By callgrind the dearest are, at 2 KiB, sentences without
/// spaces that have quotation marks between them (25 times prose) and short words of random letters and signs (25), at 8 KiB
/// mixtures (24): each is read anew several times over.
const MOST: usize = 28;

/// Texts of so many bytes.
const SIZE: usize = 2 << 10;

fn instructions(engine: &Engine, text: &str, scratch: &mut Scratch) -> usize {
    engine.scan_text(text, Role::User, scratch, &mut Vec::new());
    scratch.work().instructions()
}

#[test]
fn no_text_costs_many_times_what_prose_costs() {
    let engine = Engine::new(&Options::default());
    let mut scratch = Scratch::default();
    let all = texts::all(SIZE);
    assert!(all.len() > 400, "{}", all.len());
    let prose = instructions(&engine, &all[0].1, &mut scratch) / all[0].1.len();
    assert!((100..200).contains(&prose), "{prose} instructions a byte");
    let mut dearest = 0;
    for (name, text) in &all {
        let cost = instructions(&engine, text, &mut scratch) / text.len();
        assert!(cost <= MOST * prose, "{name}: {cost} instructions a byte: {:?}", scratch.work());
        dearest = dearest.max(cost);
    }
    assert!(dearest > MOST * prose / 2, "{dearest} instructions a byte: these texts are not dear at all");
}

#[test]
fn what_a_text_costs_grows_with_its_length() {
    let engine = Engine::new(&Options::default());
    let mut scratch = Scratch::default();
    for name in [
        "random graphic, words",
        "sentences with quotes between",
        "mixture 28",
        "piece sk-",
        "attack, masked",
    ] {
        let [short, long] = [2 << 10, 32 << 10].map(|size| {
            let all = texts::all(size);
            let (_, text) = all.iter().find(|(known, _)| known == name).unwrap();
            instructions(&engine, text, &mut scratch) / text.len()
        });
        assert!(long <= short * 2, "{name}: {short} instructions a byte, {long} in a long text");
    }
}
