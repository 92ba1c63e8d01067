//! Held against the crate that everybody uses, on what its encoder makes of texts of all kinds.

extern crate std;

use alloc::{format, string::String, vec::Vec};
use std::io::{Read as _, Write as _};

use super::*;

fn packed(text: &[u8], quality: u32, window: u32) -> Vec<u8> {
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, quality, window);
    writer.write_all(text).unwrap();
    writer.into_inner()
}

fn theirs(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    brotli::Decompressor::new(bytes, 4096).read_to_end(&mut text).ok()?;
    Some(text)
}

fn dice(state: &mut u32) -> usize {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*state >> 16) as usize
}

/// Texts of all kinds: prose that the dictionary has words of, JSON, noise, runs, other scripts, nothing.
fn texts() -> Vec<Vec<u8>> {
    let mut state = 7;
    let words = "the The time Time people World government, In and that with from information which their \
        Größe été español русский язык 日本語 International ,\"role\":\"user\" https://www.example.org/index.html";
    let words: Vec<&str> = words.split(' ').collect();
    let mut texts = alloc::vec![Vec::new(), b"a".to_vec(), alloc::vec![0; 5000], b"ab".repeat(3000)];
    for length in [3, 20, 200, 5000, 40_000] {
        let mut text = String::new();
        while text.len() < length {
            text.push_str(words[dice(&mut state) % words.len()]);
            text.push_str([" ", "  ", ". ", "\n", ", "][dice(&mut state) % 5]);
        }
        texts.push(text.into_bytes());
        texts.push((0..length).map(|_| dice(&mut state).to_le_bytes()[0]).collect());
        let rows: Vec<String> =
            (0..length / 20).map(|n| format!("{{\"n\":{n},\"x\":{}}}", dice(&mut state) % 90)).collect();
        texts.push(rows.join(",").into_bytes());
        // A mixture has several types of blocks.
        texts.push(texts.iter().rev().take(3).flatten().copied().collect());
    }
    texts
}

#[test]
fn what_their_encoder_makes_is_read_as_it_was() {
    let mut bodies = 0;
    for text in texts() {
        for (quality, window) in [(0, 22), (1, 16), (2, 18), (5, 22), (9, 20), (11, 22), (11, 10)] {
            let body = packed(&text, quality, window);
            let read = brotli(&body, text.len());
            assert!(
                read.as_ref() == Ok(&text),
                "{} bytes at {quality}: {:?}",
                text.len(),
                read.map(|it| it.len())
            );
            bodies += 1;
        }
    }
    assert!(bodies > 150);
}

#[test]
fn every_word_and_transform_is_that_of_the_standard() {
    let words = Words::new().unwrap();
    let mut count = 0;
    for (length, bits) in
        (4usize..).zip([10u32, 10, 11, 11, 10, 10, 10, 10, 10, 9, 9, 8, 7, 7, 8, 7, 7, 6, 6, 5, 5])
    {
        for transform in 0..121usize {
            for index in (0..1usize << bits).step_by(37) {
                let mut ours = Vec::new();
                words.append(length, transform << bits | index, &mut ours).unwrap();
                let place = brotli_decompressor::dictionary::kBrotliDictionaryOffsetsByLength[length]
                    as usize
                    + length * index;
                let word = &brotli_decompressor::dictionary::kBrotliDictionary[place..place + length];
                let mut theirs = [0; 64];
                let number = i32::try_from(transform).unwrap();
                let end = brotli_decompressor::transform::TransformDictionaryWord(
                    &mut theirs,
                    word,
                    i32::try_from(length).unwrap(),
                    number,
                );
                assert_eq!(ours, &theirs[..usize::try_from(end).unwrap()], "{length} {transform} {index}");
                count += 1;
            }
        }
        assert_eq!(words.append(length, 121 << bits, &mut Vec::new()), None);
    }
    assert!(count > 30_000);
    for length in [0, 3, 25] {
        assert_eq!(words.append(length, 0, &mut Vec::new()), None);
    }
}

#[test]
fn a_broken_body_is_read_as_they_read_it_or_not_at_all() {
    let mut state = 3;
    let (mut both, mut neither) = (0, 0);
    for text in texts().into_iter().filter(|text| text.len() < 6000) {
        for quality in [1, 5, 11] {
            let body = packed(&text, quality, 18);
            for _ in 0..40 {
                let mut broken = body.clone();
                for _ in 0..=dice(&mut state) % 3 {
                    let at = dice(&mut state) % broken.len().min(80);
                    broken[at] ^= 1 << (dice(&mut state) % 8);
                }
                match brotli(&broken, 1 << 20) {
                    Ok(ours) => {
                        // They read on where a window is larger, and past the end.
                        assert!(theirs(&broken).is_none_or(|theirs| theirs == ours), "{broken:?}");
                        both += 1;
                    }
                    Err(problem) if problem.kind == ProblemKind::Compression => {
                        assert!(theirs(&broken).is_none(), "{broken:?}: {problem}");
                        neither += 1;
                    }
                    Err(_) => {}
                }
            }
        }
    }
    assert!(both > 100 && neither > 1000, "{both} {neither}");
}
