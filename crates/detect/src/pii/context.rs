//! The words round a number that say what it is.
//!
//! Each byte of a text is read here at most once however many numbers ask: what was recognised last is
//! kept in a ring.

use super::{
    text::byte,
    words::{CLOSE, WORDS},
};

/// What a word hints at, as bits.
pub(super) type Hints = u64;

/// How far before a number its name may stand, in bytes.
const BEFORE: usize = 56;
/// And how far behind it.
const BEHIND: usize = 24;
/// Recognised words kept. More in such a window add nothing.
const KEPT: usize = 24;
/// Longer words are read in part.
const LONGEST: usize = 40;

/// A reader of the words of one text, front to back.
pub(super) struct Context<'a> {
    bytes: &'a [u8],
    /// Read up to here.
    read: usize,
    /// Where recognised words end, and their hints.
    ring: [(usize, Hints); KEPT],
    next: usize,
}

impl<'a> Context<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, read: 0, ring: [(0, 0); KEPT], next: 0 }
    }

    /// The hints round the stretch from `start` to `end`.
    pub(super) fn hints(&mut self, start: usize, end: usize) -> Hints {
        self.hints_within(start.saturating_sub(BEFORE), end + BEHIND)
    }

    /// The hints of the words before `start`.
    pub(super) fn hints_before(&mut self, start: usize) -> Hints {
        self.hints_within(start.saturating_sub(BEFORE), start)
    }

    fn hints_within(&mut self, from: usize, to: usize) -> Hints {
        let to = to.min(self.bytes.len());
        if self.read < from {
            // A word that begins before the window counts if it ends within.
            self.read = from - from.min(self.bytes.len()).min(16).min(from - self.read);
        }
        while self.read < to {
            self.read_word();
        }
        let seen = self.ring.iter().filter(|(place, _)| (from..=to).contains(place));
        seen.fold(0, |hints, (_, more)| hints | more)
    }

    /// Reads one word, or one byte that belongs to none.
    fn read_word(&mut self) {
        let at = self.read;
        let rest = self.bytes.get(at..).unwrap_or_default();
        if matches!(rest, [0x80..=0xbf, ..]) {
            // The rest of a character whose beginning was left out.
            self.read = at + 1;
            return;
        }
        let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80;
        let length = rest.iter().take(LONGEST).take_while(|byte| is_letter(byte)).count();
        if length == 0 {
            self.read = at + 1;
            return;
        }
        let word = rest.get(..length).unwrap_or_default();
        // Scripts written without spaces are looked at from each of their characters on.
        if byte(word, 0) >= 0xe0 {
            let step = if byte(word, 0) >= 0xf0 { 4 } else { 3 };
            if let Some((entry, hints)) = CLOSE.iter().find(|(entry, _)| rest.starts_with(entry.as_bytes())) {
                self.keep(at + entry.len(), *hints);
            }
            self.read = at + step;
            return;
        }
        let mut folded = [0; LONGEST];
        let folded = fold(word, &mut folded);
        if let Some(hints) = look_up(folded) {
            self.keep(at + length, hints);
        }
        // A word in camel case or behind an underscore ends where the letters do; a longer one goes on.
        self.read = at + length;
    }

    fn keep(&mut self, place: usize, hints: Hints) {
        if let Some(slot) = self.ring.get_mut(self.next) {
            *slot = (place, hints);
        }
        self.next = (self.next + 1) % KEPT;
    }
}

/// Lower case for Latin, Greek and Cyrillic; what does not fit is left out.
fn fold<'b>(word: &[u8], into: &'b mut [u8; LONGEST]) -> &'b [u8] {
    let mut len = 0;
    let mut push = |byte: u8| {
        if let Some(place) = into.get_mut(len) {
            *place = byte;
            len += 1;
        }
    };
    if word.is_ascii() {
        word.iter().for_each(|byte| push(byte.to_ascii_lowercase()));
    } else {
        let valid = core::str::from_utf8(word).unwrap_or_else(|error| {
            let (valid, _) = word.split_at_checked(error.valid_up_to()).unwrap_or_default();
            core::str::from_utf8(valid).unwrap_or_default()
        });
        for c in valid.chars().flat_map(char::to_lowercase) {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(&mut push);
        }
    }
    into.get(..len).unwrap_or_default()
}

/// What the words of the list begin with, as bits: three bytes, or two and a zero. Lets most words go unread.
static BEGINNINGS: [u64; 64] = beginnings();

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a wrong index is an error")]
const fn beginnings() -> [u64; 64] {
    let (mut bits, mut at) = ([0; 64], 0);
    while at < WORDS.len() {
        let entry = WORDS[at].0.as_bytes();
        if entry.len() >= 2 {
            let third = if entry.len() > 2 && entry[2] != b'*' { entry[2] } else { 0 };
            let bit = beginning(entry[0], entry[1], third);
            bits[bit / 64] |= 1 << (bit % 64);
        }
        at += 1;
    }
    bits
}

const fn beginning(first: u8, second: u8, third: u8) -> usize {
    ((first as usize * 31 + second as usize) * 37 + third as usize) % 4096
}

fn may_begin(first: u8, second: u8, third: u8) -> bool {
    let bit = beginning(first, second, third);
    BEGINNINGS.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 != 0)
}

/// All that a word in lower case hints at. An entry that ends in a star stands for all words that begin
/// with it.
fn look_up(word: &[u8]) -> Option<Hints> {
    let [first, second] = *word.first_chunk()?;
    if !may_begin(first, second, byte(word, 2)) && !may_begin(first, second, 0) {
        return None;
    }
    // As numbers: comparing slices costs a call.
    let head = u16::from_be_bytes([first, second]);
    let begins =
        |entry: &str| u16::from_be_bytes(entry.as_bytes().first_chunk().copied().unwrap_or_default());
    let from = WORDS.partition_point(|(entry, _)| begins(entry) < head);
    let candidates = WORDS.get(from..)?.iter().take_while(|(entry, _)| begins(entry) == head);
    let matching = candidates.filter(|(entry, _)| match entry.as_bytes() {
        [stem @ .., b'*'] => word.starts_with(stem),
        whole => whole == word,
    });
    let hints = matching.fold(0, |hints, (_, more)| hints | more);
    (hints != 0).then_some(hints)
}
