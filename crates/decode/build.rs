//! Brotli's dictionary and its transforms (RFC 7932, appendices A and B) in half of their bytes, from the crate that the
//! tests hold our decoder against.

use std::{env, error::Error, fs, path::Path};

use brotli_decompressor::{
    dictionary::kBrotliDictionary,
    transform::{TransformDictionaryWord, kNumTransforms, kTransforms},
};
use miniz_oxide::deflate::compress_to_vec;

/// A word that no transform changes but by what it puts before and behind it and takes off.
const WORD: &[u8; 24] = b"XXXXXXXXXXXXXXXXXXXXXXXX";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut all = kBrotliDictionary.to_vec();
    for (number, transform) in (0..kNumTransforms).zip(&kTransforms) {
        let mut out = [0u8; 64];
        let length = TransformDictionaryWord(&mut out, WORD, i32::try_from(WORD.len())?, number);
        let out = out.get(..usize::try_from(length)?).ok_or("a transform is too long")?;
        let mut around = out.split(|byte| *byte == b'X');
        let (before, behind) = (around.next().unwrap_or_default(), around.next_back().unwrap_or_default());
        all.push(transform.transform);
        for text in [before, behind] {
            all.push(u8::try_from(text.len())?);
            all.extend_from_slice(text);
        }
    }
    let packed = compress_to_vec(&all, 10);
    fs::write(Path::new(&env::var("OUT_DIR")?).join("brotli.bin"), packed)?;
    Ok(())
}
