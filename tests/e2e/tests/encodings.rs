//! Compressed bodies through both doors: read as what they are, refused where they cannot be, and no bomb goes off.

use std::{io::Write as _, time::Duration};

use anyhow::{Context as _, Result, ensure};
use brotli::enc::BrotliEncoderParams;
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use modelgate_e2e::{
    ATTACK, CHAT, Door, chat,
    envoy::{count_seen, forget, healthy},
    stack,
};
use xtask::http::{Request, Response};

/// Bytes that a bomb makes, sixteen times what a body may have.
const BOMB: usize = 16 << 20;

type Squeeze = fn(&[u8]) -> Result<Vec<u8>>;

/// Each encoding, and how it is made.
const ENCODINGS: [(&str, Squeeze); 7] = [
    ("gzip", gzip),
    ("x-gzip", gzip),
    ("deflate", zlib),
    // As some servers do it, without the frame that RFC 9110 asks for.
    ("deflate", raw_deflate),
    ("br", brotli),
    ("zstd", zstd),
    ("gzip, br", |bytes| brotli(&gzip(bytes)?)),
];

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn zlib(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn raw_deflate(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn brotli(mut bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let params = BrotliEncoderParams { quality: 5, ..BrotliEncoderParams::default() };
    brotli::BrotliCompress(&mut bytes, &mut out, &params)?;
    Ok(out)
}

/// A frame of Zstandard (RFC 8878, section 3.1.1): blocks of one repeated byte where the content is that, as it is else.
fn zstd(bytes: &[u8]) -> Result<Vec<u8>> {
    /// The largest block.
    const BLOCK: usize = 128 << 10;
    // Magic number; no content size, no checksum; a window of 128 KiB (exponent 7, mantissa 0).
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 7 << 3];
    let blocks = bytes.chunks(BLOCK).count();
    for (number, block) in bytes.chunks(BLOCK).enumerate() {
        let first = block.first().context("an empty block")?;
        let repeats = block.iter().all(|byte| byte == first);
        let last = u32::from(number + 1 == blocks);
        let header = last | u32::from(repeats) << 1 | u32::try_from(block.len())? << 3;
        frame.extend(header.to_le_bytes().iter().take(3));
        frame.extend(if repeats { std::slice::from_ref(first) } else { block });
    }
    Ok(frame)
}

fn send(port: u16, encoding: &str, body: Vec<u8>) -> Result<Response> {
    Request::post(port, CHAT, body)
        .header("content-encoding", encoding)
        .timeout(Duration::from_secs(60))
        .send()
        .with_context(|| encoding.to_owned())
}

fn expect(what: &str, answer: &Response, statuses: &[u16], verdict: &str) -> Result<()> {
    let told = answer.header("x-modelgate-verdict");
    let is_good = statuses.contains(&answer.status) && told == Some(verdict);
    ensure!(is_good, "{what}: {} {told:?} {}", answer.status, answer.text());
    Ok(())
}

#[test]
fn compressed_bodies_are_judged_as_what_they_inflate_to() -> Result<()> {
    let mut stack = stack("encodings")?;
    let bomb = vec![b' '; BOMB];
    for (encoding, squeeze) in ENCODINGS {
        let (attack, bomb) = (squeeze(chat(ATTACK).as_bytes())?, squeeze(&bomb)?);
        let half = attack.get(..attack.len() / 2).context("no half")?;
        ensure!(bomb.len() < BOMB / 100, "{encoding}: the bomb has {} bytes", bomb.len());
        for door in Door::ALL {
            let port = door.unlimited(&stack.ports());
            let what = |case: &str| format!("{door:?}, {encoding}: {case}");
            forget(&stack)?;
            expect(&what("attack"), &send(port, encoding, attack.clone())?, &[400], "block")?;
            expect(&what("cut"), &send(port, encoding, half.to_vec())?, &[400, 415], "block")?;
            expect(&what("bomb"), &send(port, encoding, bomb.clone())?, &[413, 415], "block")?;
            ensure!(count_seen(&stack)? == 0, "{encoding}: something reached the model");
            // The stand-in reads no compressed body, but it was let through.
            let hello = send(port, encoding, squeeze(chat("What is a heron?").as_bytes())?)?;
            let told = hello.header("x-modelgate-verdict");
            ensure!(told == Some("allow") && count_seen(&stack)? == 1, "{}: {told:?}", what("hello"));
        }
    }
    healthy(&mut stack)
}
