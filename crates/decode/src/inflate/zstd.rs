//! Zstandard (RFC 8878): one frame. A checksum of the content is passed over: it guards against accidents, and costs a
//! pass over the text.

use alloc::vec::Vec;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder, errors::FrameDecoderError};

use super::{all_read, broken, too_large};
use crate::Problem;

/// The largest window in bytes: what RFC 9659 asks of HTTP. The decoder holds that much, and no more.
const MAX_WINDOW_BYTES: u64 = 8 << 20;

/// Undoes Zstandard.
pub(super) fn zstd(bytes: &[u8], cap: usize) -> Result<Vec<u8>, Problem> {
    let mut rest = bytes;
    let read = |rest: &[u8]| bytes.len() - rest.len();
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(MAX_WINDOW_BYTES);
    decoder.init(&mut rest).map_err(|error| match error {
        FrameDecoderError::WindowSizeTooBig { .. } => too_large(0),
        _ if bytes.len() < 6 => broken(bytes.len(), "the compressed body is cut short"),
        _ => broken(0, "no Zstandard frame"),
    })?;
    if usize::try_from(decoder.content_size()).map_or(true, |size| size > cap) {
        return Err(too_large(0));
    }
    let mut text = Vec::new();
    loop {
        // A block gives at most 128 KiB; the decoder keeps a window of them.
        let done = decoder.decode_blocks(&mut rest, BlockDecodingStrategy::UptoBlocks(1));
        let done = done.map_err(|_| match rest.len() {
            0 => broken(bytes.len(), "the compressed body is cut short"),
            _ => broken(read(rest), "the compressed body is broken"),
        })?;
        if decoder.can_collect() > cap - text.len() {
            return Err(too_large(read(rest)));
        }
        text.extend(decoder.collect().unwrap_or_default());
        if done {
            all_read(bytes, read(rest))?;
            return Ok(text);
        }
    }
}
