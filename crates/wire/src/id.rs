//! Event ids: UUIDv7 ([RFC 9562](https://www.rfc-editor.org/rfc/rfc9562), section 5.7).

use core::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A UUIDv7: 48 bits of Unix time in milliseconds, then 74 random bits. Sorts by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(u128);

/// A text that is no UUIDv7 in its 36-character form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidEventId;

impl fmt::Display for InvalidEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event id is a UUIDv7 such as 0190b3c4-7f00-7abc-8def-0123456789ab")
    }
}

impl core::error::Error for InvalidEventId {}

impl EventId {
    /// An id for the moment `unix_ms`, made unique by ten bytes of entropy (74 of their 80 bits are used).
    #[must_use]
    pub const fn new(unix_ms: u64, entropy: [u8; 10]) -> Self {
        let mut random: u128 = 0;
        let [a, b, c, d, e, f, g, h, i, j] = entropy;
        let bytes = [a, b, c, d, e, f, g, h, i, j];
        let mut rest: &[u8] = &bytes;
        while let [first, tail @ ..] = rest {
            random = (random << 8) | *first as u128;
            rest = tail;
        }
        let time = ((unix_ms & 0xffff_ffff_ffff) as u128) << 80;
        let rand_a = (random >> 62) & 0xfff;
        let rand_b = random & 0x3fff_ffff_ffff_ffff;
        Self(time | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)
    }

    /// The id in network byte order, as RFC 9562 lays it out.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The id of these bytes in network byte order.
    ///
    /// # Errors
    /// When version or variant are not those of a UUIDv7.
    pub const fn from_bytes(bytes: [u8; 16]) -> Result<Self, InvalidEventId> {
        let value = u128::from_be_bytes(bytes);
        if (value >> 76) & 0xf == 7 && (value >> 62) & 0b11 == 0b10 {
            Ok(Self(value))
        } else {
            Err(InvalidEventId)
        }
    }

    /// The moment in the id, Unix time in milliseconds.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        (self.0 >> 80) as u64
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            v >> 96,
            (v >> 80) & 0xffff,
            (v >> 64) & 0xffff,
            (v >> 48) & 0xffff,
            v & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EventId {
    type Err = InvalidEventId;

    fn from_str(text: &str) -> Result<Self, InvalidEventId> {
        if text.len() != 36 {
            return Err(InvalidEventId);
        }
        let mut value: u128 = 0;
        for (at, byte) in text.bytes().enumerate() {
            match (at, byte) {
                (8 | 13 | 18 | 23, b'-') => {}
                (8 | 13 | 18 | 23, _) => return Err(InvalidEventId),
                (_, byte) => {
                    let digit = char::from(byte).to_digit(16).ok_or(InvalidEventId)?;
                    value = (value << 4) | u128::from(digit);
                }
            }
        }
        Self::from_bytes(value.to_be_bytes())
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = alloc::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
