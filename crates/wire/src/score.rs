//! Scores without floating point, so that every target computes the same one.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A score between 0 and 1 in thousandths; in JSON a number such as `0.873`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u16);

impl Score {
    /// Nothing suspicious.
    pub const ZERO: Self = Self(0);
    /// Certain.
    pub const ONE: Self = Self(1000);

    /// A score of `thousandths`/1000; more than 1000 counts as 1000.
    #[must_use]
    pub const fn from_thousandths(thousandths: u16) -> Self {
        if thousandths > 1000 { Self::ONE } else { Self(thousandths) }
    }

    /// The score in thousandths, 0 to 1000.
    #[must_use]
    pub const fn thousandths(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

impl Serialize for Score {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        if !(0.0..=1.0).contains(&value) {
            return Err(serde::de::Error::custom("a score lies between 0 and 1"));
        }
        // In range by the check above; adding a half rounds, since the cast truncates.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0.0 to 1000.5")]
        Ok(Self((value * 1000.0 + 0.5) as u16))
    }
}
