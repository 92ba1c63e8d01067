//! Packs what normalising asks the Unicode Character Database into small tables.
//!
//! `unicode-normalization` answers from perfect hashes, which are quick and fill 150 KB. These tables are searched by
//! bisection and fill less than half of that.

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fmt::{Debug, Write as _},
    fs,
    path::Path,
};

use unicode_normalization::{
    IsNormalized,
    char::{
        canonical_combining_class, compose, decompose_canonical, decompose_compatible, is_combining_mark,
    },
    is_nfkc_quick,
};

/// Planes with characters that are decomposed.
const PLANES: u32 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut source = String::new();
    table(&mut source, "TRAITS", "u32", &traits())?;
    let decomposed = decomposed();
    table(&mut source, "COMPOSED", "u64", &composed(&decomposed))?;
    decompositions(&mut source, &decomposed)?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("unicode.rs"), source)?;
    Ok(())
}

fn all() -> impl Iterator<Item = char> {
    (0x80..=u32::from(char::MAX)).filter_map(char::from_u32)
}

const fn is_hangul(c: char) -> bool {
    matches!(c, '\u{ac00}'..='\u{d7a3}')
}

fn table<T: Debug>(source: &mut String, name: &str, of: &str, rows: &[T]) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(source, "static {name}: [{of}; {}] = {rows:?};", rows.len())?)
}

/// Where the traits change: the first character, 2 bits of the quick check, 1 of marks, 8 of the combining class.
fn traits() -> Vec<u32> {
    let mut rows = vec![0];
    let mut last = 0;
    for c in all() {
        let quick = match is_nfkc_quick(std::iter::once(c)) {
            IsNormalized::Yes => 0,
            IsNormalized::No => 1,
            IsNormalized::Maybe => 2,
        };
        let now = quick << 9 | u32::from(is_combining_mark(c)) << 8 | u32::from(canonical_combining_class(c));
        if now != last {
            rows.push(u32::from(c) << 11 | now);
            last = now;
        }
    }
    rows
}

/// The compatibility decomposition of each character that has one, and whether it has no such canonical one. Those of
/// Hangul are computed.
fn decomposed() -> BTreeMap<char, (String, bool)> {
    let texts = all().filter(|c| !is_hangul(*c)).map(|c| {
        let (mut compatible, mut canonical) = (String::new(), String::new());
        decompose_compatible(c, |part| compatible.push(part));
        decompose_canonical(c, |part| canonical.push(part));
        let only = compatible != canonical;
        (c, (compatible, only))
    });
    texts.filter(|(c, (text, _))| *text != c.to_string()).collect()
}

/// The pairs that compose, and what they compose to: 21 bits each.
fn composed(decomposed: &BTreeMap<char, (String, bool)>) -> Vec<u64> {
    let seconds: Vec<_> =
        all().filter(|c| is_nfkc_quick(std::iter::once(*c)) == IsNormalized::Maybe).collect();
    let parts = decomposed.values().flat_map(|(text, _)| text.chars());
    let mut firsts: Vec<_> = decomposed.keys().copied().chain(parts).collect();
    firsts.sort_unstable();
    firsts.dedup();
    let pairs = firsts.iter().flat_map(|first| seconds.iter().map(move |second| (*first, *second)));
    let rows = pairs.filter_map(|(first, second)| {
        let whole = compose(first, second).filter(|whole| !is_hangul(*whole))?;
        Some([first, second, whole].into_iter().fold(0, |row, c| row << 21 | u64::from(u32::from(c))))
    });
    rows.collect()
}

/// The decompositions: where each plane begins, the characters' lower 16 bits, where the text of each begins (the
/// highest bit says that it is no canonical one), and the texts.
fn decompositions(
    source: &mut String,
    decomposed: &BTreeMap<char, (String, bool)>,
) -> Result<(), Box<dyn Error>> {
    let planes: Vec<_> = (0..=PLANES)
        .map(|plane| decomposed.keys().filter(|c| u32::from(**c) >> 16 < plane).count())
        .collect();
    if planes.last() != Some(&decomposed.len()) {
        return Err("characters of further planes are decomposed".into());
    }
    table(source, "PLANES", "usize", &planes)?;
    let keys: Vec<_> = decomposed.keys().map(|c| u32::from(*c) & 0xffff).collect();
    table(source, "KEYS", "u16", &keys)?;
    let (mut texts, mut starts) = (String::new(), Vec::new());
    for (text, only) in decomposed.values() {
        starts.push(texts.len() | usize::from(*only) << 15);
        texts.push_str(text);
    }
    if texts.len() >= 1 << 15 {
        return Err("the decompositions are too long to be found by 15 bits".into());
    }
    starts.push(texts.len());
    table(source, "STARTS", "u16", &starts)?;
    Ok(writeln!(source, "static TEXTS: &str = {texts:?};")?)
}
