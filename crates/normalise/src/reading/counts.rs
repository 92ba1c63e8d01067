//! What a stretch is made of.

/// Counts of characters and words of a stretch.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Each ASCII letter, in either case.
    pub(super) letters: [u32; 26],
    /// All of them.
    pub(super) alphabetic: u32,
    pub(super) digits: u32,
    /// Everything else that is ASCII and seen.
    pub(super) symbols: u32,
    /// Dots and dashes.
    pub(super) signals: u32,
    /// What stands between white space …
    pub(super) pieces: u32,
    /// … a single character, …
    pub(super) single: u32,
    /// … letters with digits or symbols among them, …
    pub(super) mixed: u32,
    /// … and letters ending in `ay`.
    pub(super) ay: u32,
    /// Letters with none beside them.
    pub(super) lonely: u32,
}

impl Counts {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut counts = Self::default();
        for piece in bytes.split(u8::is_ascii_whitespace).filter(|piece| !piece.is_empty()) {
            counts.add(piece);
        }
        counts
    }

    fn add(&mut self, piece: &[u8]) {
        self.pieces += 1;
        self.single += u32::from(piece.len() == 1);
        let (mut alphabetic, mut other, mut run) = (0, 0, 0);
        for byte in piece {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' => {
                    let letter = usize::from((byte | 0x20) - b'a');
                    self.letters.get_mut(letter).into_iter().for_each(|count| *count += 1);
                    alphabetic += 1;
                    run += 1;
                    continue;
                }
                b'0'..=b'9' => {
                    self.digits += 1;
                    other += 1;
                }
                _ if byte.is_ascii_graphic() => {
                    self.symbols += 1;
                    self.signals += u32::from(matches!(byte, b'.' | b'-' | b'_'));
                    other += u32::from(b"@$!|+(".contains(byte));
                }
                _ => {}
            }
            self.lonely += u32::from(run == 1);
            run = 0;
        }
        self.lonely += u32::from(run == 1);
        self.alphabetic += alphabetic;
        self.mixed += u32::from(alphabetic > 0 && other > 0);
        let word = piece.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |last| last + 1);
        self.ay += u32::from(piece.get(..word).is_some_and(|word| word.len() > 3 && word.ends_with(b"ay")));
    }

    /// Everything that is ASCII and seen.
    pub(super) const fn graphic(&self) -> u32 {
        self.alphabetic + self.digits + self.symbols
    }
}
