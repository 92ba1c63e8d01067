//! Bits, the lowest of each byte first.

/// Why a stream is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is broken, or cut short.
    Broken,
    /// It holds more than is allowed.
    TooLarge,
    /// It asks for a larger window than is allowed.
    Window,
}

/// Reads bits.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    buffer: u64,
    filled: u32,
    is_over: bool,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, buffer: 0, filled: 0, is_over: false }
    }

    /// The first byte of which nothing was taken.
    pub(super) const fn at(&self) -> usize {
        self.at - (self.filled / 8) as usize
    }

    /// Whether bits were asked for that are not there.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    fn fill(&mut self) {
        while self.filled <= 56
            && let Some(byte) = self.bytes.get(self.at)
        {
            self.buffer |= u64::from(*byte) << self.filled;
            self.filled += 8;
            self.at += 1;
        }
    }

    /// The next 32 bits, which stay; zeros behind the end.
    pub(super) fn peek(&mut self) -> u32 {
        if self.filled < 32 {
            self.fill();
        }
        u32::try_from(self.buffer & 0xffff_ffff).unwrap_or(0)
    }

    /// Goes past so many bits, at most 32.
    pub(super) fn pass(&mut self, count: u32) -> Result<(), Fault> {
        if self.filled < count {
            self.fill();
        }
        if self.filled < count {
            self.is_over = true;
            return Err(Fault::Broken);
        }
        self.buffer >>= count;
        self.filled -= count;
        Ok(())
    }

    /// A number of so many bits, at most 32.
    pub(super) fn take(&mut self, count: u32) -> Result<u32, Fault> {
        let bits = u64::from(self.peek()) & ((1 << count) - 1);
        self.pass(count)?;
        u32::try_from(bits).map_err(|_| Fault::Broken)
    }

    /// A number from 1 to 256, as section 9.2 of the RFC writes how many of something there are.
    pub(super) fn amount(&mut self) -> Result<usize, Fault> {
        if self.take(1)? == 0 {
            return Ok(1);
        }
        let bits = self.take(3)?;
        Ok((1 << bits) + 1 + self.take(bits)? as usize)
    }

    /// Goes to the next whole byte, past zeros.
    pub(super) fn align(&mut self) -> Result<(), Fault> {
        match self.take(self.filled % 8)? {
            0 => Ok(()),
            _ => Err(Fault::Broken),
        }
    }

    /// So many whole bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let from = self.at();
        let Some(bytes) = self.bytes.get(from..).and_then(|rest| rest.get(..count)) else {
            self.is_over = true;
            return Err(Fault::Broken);
        };
        (self.at, self.buffer, self.filled) = (from + count, 0, 0);
        Ok(bytes)
    }
}
