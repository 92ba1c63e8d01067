//! Brotli (RFC 7932).

use alloc::{vec, vec::Vec};

use alloc_no_stdlib::{Allocator, SliceWrapper, SliceWrapperMut};
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState};

use super::{all_read, broken, grown, too_large};
use crate::{Problem, ProblemKind};

/// The largest window, as a power of two: what encoders use unless told otherwise. A larger one costs up to 16 MiB, which
/// a filter's VM never gives back.
const MAX_WINDOW_BITS: u32 = 22;

/// Undoes Brotli.
pub(super) fn brotli(bytes: &[u8], cap: usize) -> Result<Vec<u8>, Problem> {
    if bytes.first().is_some_and(|first| window_bits(*first) > MAX_WINDOW_BITS) {
        return Err(Problem::new(ProblemKind::UnsupportedType, 0, "a window larger than allowed"));
    }
    let mut state = BrotliState::new_strict(Heap, Heap, Heap);
    let mut text = vec![0; grown(0, bytes.len(), cap)];
    let (mut unread, mut read, mut written, mut total) = (bytes.len(), 0, 0, 0);
    loop {
        let mut room = text.len() - written;
        let result = BrotliDecompressStream(
            &mut unread,
            &mut read,
            bytes,
            &mut room,
            &mut written,
            &mut text,
            &mut total,
            &mut state,
        );
        match result {
            _ if written > cap => return Err(too_large(read)),
            BrotliResult::ResultSuccess => {
                all_read(bytes, bytes.len() - unread)?;
                text.truncate(written);
                return Ok(text);
            }
            BrotliResult::NeedsMoreOutput if text.len() > cap => return Err(too_large(read)),
            BrotliResult::NeedsMoreOutput => text.resize(grown(text.len(), 0, cap), 0),
            BrotliResult::NeedsMoreInput => {
                return Err(broken(bytes.len(), "the compressed body is cut short"));
            }
            BrotliResult::ResultFailure => return Err(broken(read, "the compressed body is broken")),
        }
    }
}

/// The size of the window that a first byte asks for, as a power of two (RFC 7932, section 9.1).
fn window_bits(first: u8) -> u32 {
    let high = u32::from(first >> 1 & 7);
    if first & 1 == 0 {
        16
    } else if high != 0 {
        17 + high
    } else {
        // 10 to 15 and 17: all of them small.
        17
    }
}

/// The global heap, in the form that the decoder asks for.
struct Heap;

/// Memory of the heap.
#[derive(Default)]
struct Memory<T>(Vec<T>);

impl<T> SliceWrapper<T> for Memory<T> {
    fn slice(&self) -> &[T] {
        &self.0
    }
}

impl<T> SliceWrapperMut<T> for Memory<T> {
    fn slice_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T: Clone + Default> Allocator<T> for Heap {
    type AllocatedMemory = Memory<T>;

    fn alloc_cell(&mut self, length: usize) -> Memory<T> {
        Memory(vec![T::default(); length])
    }

    fn free_cell(&mut self, _memory: Memory<T>) {}
}
