//! Where in a text something may begin, and the numbers that begin there.

/// The byte at `at`; a line break where the text has none.
pub(super) fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(b'\n')
}

/// The byte before `at`; a line break at the beginning.
pub(super) fn byte_before(bytes: &[u8], at: usize) -> u8 {
    at.checked_sub(1).map_or(b'\n', |before| byte(bytes, before))
}

/// The letters and digits round `at`, at most [`WORD`] bytes to either side.
pub(super) fn word_round(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = bytes.get(at.saturating_sub(WORD)..at).unwrap_or_default();
    let start = at - before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    (start, word_end(bytes, at))
}

/// Where the letters and digits from `at` on end, at most [`WORD`] bytes further.
pub(super) fn word_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take(WORD).take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

/// Longer runs of letters and digits are no number of a person.
pub(super) const WORD: usize = 80;

/// What stands between two groups of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nothing: the first group.
    #[default]
    None,
    Space,
    Hyphen,
    Dot,
    Slash,
    /// A bracket, perhaps with a space.
    Bracket,
}

/// A group of digits, or of letters and digits, in a number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) gap: Gap,
    /// Whether there are digits alone.
    pub(super) digits: bool,
}

impl Group {
    pub(super) const fn len(&self) -> usize {
        self.end - self.start
    }
}

/// Groups with at most a space or a sign between them.
#[derive(Debug)]
pub(super) struct Run {
    groups: [Group; Self::GROUPS],
    len: usize,
    end: usize,
}

impl Run {
    /// More groups than any number of a person has.
    pub(super) const GROUPS: usize = 16;
    /// Groups in one number of them.
    pub(super) const FORM: usize = 8;

    /// The run whose first group is the word from `start` to `end`.
    pub(super) fn read(bytes: &[u8], start: usize, end: usize) -> Self {
        let mut run = Self { groups: [Group::default(); Self::GROUPS], len: 0, end };
        let (mut at, mut end, mut gap) = (start, end, Gap::None);
        for place in &mut run.groups {
            let word = bytes.get(at..end).unwrap_or_default();
            let leading = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let digits = leading == word.len();
            // An extension may follow without a space: 9740x11144.
            let behind = word.get(leading..).unwrap_or_default();
            let extension = leading > 1
                && matches!(behind, [b'x' | b'X', rest @ ..]
                    if (1..=6).contains(&rest.len()) && rest.iter().all(u8::is_ascii_digit));
            *place = Group {
                start: at,
                end: if extension { at + leading } else { end },
                gap,
                digits: digits || extension,
            };
            run.len += 1;
            run.end = end;
            if extension {
                break;
            }
            let Some((next, between)) = gap_at(bytes, end) else { break };
            let next_end = word_end(bytes, next);
            if !bytes.get(next..next_end).unwrap_or_default().iter().any(u8::is_ascii_digit) {
                break;
            }
            if let Some([b'x' | b'X', extension @ ..]) = bytes.get(next..next_end)
                && run.len > 1
                && extension.iter().all(u8::is_ascii_digit)
            {
                run.end = next_end;
                break;
            }
            (at, end, gap) = (next, next_end, between);
        }
        run
    }

    pub(super) fn groups(&self) -> &[Group] {
        self.groups.get(..self.len).unwrap_or_default()
    }

    /// Where its last word ends, an extension with it.
    pub(super) const fn end(&self) -> usize {
        self.end
    }

    /// Where the search goes on behind this run. One cut short is read again from its middle.
    pub(super) fn resume(&self) -> usize {
        let last = if self.len == Self::GROUPS { Self::GROUPS / 2 } else { self.len.saturating_sub(1) };
        self.groups.get(last).map_or(0, |group| group.end)
    }
}

/// Where the next group would begin, and what stands before it.
fn gap_at(bytes: &[u8], at: usize) -> Option<(usize, Gap)> {
    let (mut next, mut gap) = (at, Gap::None);
    loop {
        let rest = bytes.get(next..)?;
        let (length, kind) = match rest {
            [b' ', ..] => (1, Gap::Space),
            // No-break space, narrow no-break space.
            [0xc2, 0xa0, ..] => (2, Gap::Space),
            [0xe2, 0x80, 0xaf, ..] => (3, Gap::Space),
            [b'-', ..] => (1, Gap::Hyphen),
            // Hyphen, non-breaking hyphen, figure dash, en dash.
            [0xe2, 0x80, 0x90..=0x93, ..] => (3, Gap::Hyphen),
            [b'.', ..] => (1, Gap::Dot),
            [b'/', ..] => (1, Gap::Slash),
            [b'(' | b')', ..] => (1, Gap::Bracket),
            _ => break,
        };
        gap = match (gap, kind) {
            (Gap::None, kind) => kind,
            (Gap::Space, Gap::Bracket)
            | (Gap::Bracket, Gap::Space | Gap::Hyphen | Gap::Dot | Gap::Bracket) => Gap::Bracket,
            _ => return None,
        };
        next += length;
    }
    (gap != Gap::None && byte(bytes, next).is_ascii_alphanumeric()).then_some((next, gap))
}

/// The digits of some groups, as values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Digits {
    values: [u8; Self::MOST],
    len: usize,
}

impl Digits {
    /// More than any number here has.
    pub(super) const MOST: usize = 20;

    /// Appends the digits in `bytes`; `false` if there is no room.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> bool {
        for digit in bytes.iter().filter(|byte| byte.is_ascii_digit()) {
            let Some(place) = self.values.get_mut(self.len) else { return false };
            *place = digit - b'0';
            self.len += 1;
        }
        true
    }

    pub(super) fn values(&self) -> &[u8] {
        self.values.get(..self.len).unwrap_or_default()
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

/// How a stretch stands in its surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edges {
    /// In the midst of something longer.
    Within,
    /// Behind or before a sign that numbers of persons seldom stand at: part of an address, a sum, a
    /// list of values.
    Signs,
    /// Apart.
    Free,
}

/// How the bytes from `start` to `end` stand in the text.
pub(super) fn edges(bytes: &[u8], start: usize, end: usize) -> Edges {
    let before = match byte_before(bytes, start) {
        b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => Edges::Within,
        b'.' | b',' if byte_before(bytes, start.saturating_sub(1)).is_ascii_digit() => Edges::Within,
        b'=' | b'/' | b'&' | b'%' | b'$' | b'-' | b'.' | b'~' | b'\\' => Edges::Signs,
        _ => Edges::Free,
    };
    let next_but_one = byte(bytes, end + 1);
    let after = match byte(bytes, end) {
        b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => Edges::Within,
        b'.' | b',' if next_but_one.is_ascii_digit() => Edges::Within,
        b'-' | b'/' | b'%' | b'&' | b'=' if next_but_one.is_ascii_alphanumeric() => Edges::Signs,
        b'%' | b'$' => Edges::Signs,
        _ => Edges::Free,
    };
    before.min(after)
}
