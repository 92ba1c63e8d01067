//! Linear models in whole numbers, and where in a text they are surest.
//!
//! A head's score of a window is `bias + scale × sum of weights × damping(length)`, the weights one byte
//! each. The damping makes long and short windows comparable. Nothing is a float, so every target
//! computes the same score.

use alloc::{boxed::Box, vec::Vec};
use core::ops::Range;

use super::features::{BITS, RUN, Walk};

/// Heads, whose weights of a bucket lie together.
pub const HEADS: usize = 3;
/// Characters in a block. Windows are whole blocks, but for the last of a text.
pub const BLOCK: usize = RUN;
/// Blocks in a small and in a large window: a sentence, and a paragraph.
pub const WINDOWS: [usize; 2] = [2, 5];
/// The longest window in characters.
pub const LONGEST: usize = BLOCK * WINDOWS[1];
/// Texts up to so many characters have thresholds of their own; longer ones have the last. The more
/// windows a text has, the higher the best of them scores by chance.
pub const LENGTHS: [usize; 3] = [160, 400, 1500];
/// Thresholds of a head in one kind of language.
pub const THRESHOLDS: usize = LENGTHS.len() + 1;
/// A score of 1 as a whole number.
pub const UNIT: i64 = 1024;
/// What a weight byte of a bucket without weight is: they are stored with this added.
pub const ZERO: u8 = 128;
/// Points of the link, half a [`UNIT`] apart, the middle one at the threshold.
pub const LINK: usize = 17;
/// Bytes of weights: [`HEADS`] a bucket, and one more, so that each can be loaded as a word.
pub const WEIGHTS: usize = (HEADS << BITS) + 1;
/// Fraction bits of the damping and of the scale.
const FRACTION: u32 = 16;

/// What is known of a head beside its weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// What a window scores before anything was seen, in [`UNIT`]s.
    pub bias: i64,
    /// What a weight of 1 scores, in [`UNIT`]s with 16 fraction bits.
    pub scale: i64,
    /// The score from which a text is an attack, by script (mostly ASCII, other) and by length.
    pub thresholds: [[i64; THRESHOLDS]; 2],
    /// Thousandths by how far a score lies over the threshold.
    pub link: [u16; LINK],
}

/// The models. Read with [`Model::read`].
#[derive(Clone, Debug)]
pub struct Model {
    weights: Box<[u8; WEIGHTS]>,
    heads: [Head; HEADS],
    /// By length in characters, with 16 fraction bits.
    damping: Vec<i64>,
}

/// The best window for a head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Best {
    /// Its score in [`UNIT`]s.
    pub score: i64,
    /// Where it lies, in bytes of the comparable text.
    pub range: Range<usize>,
}

/// What the heads make of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    /// The best window of each head.
    pub best: [Best; HEADS],
    /// The text's length in characters.
    pub characters: usize,
    /// How many of them are ASCII.
    pub ascii: usize,
}

impl Model {
    /// Reads models from their two files; `None` if these are no such files.
    ///
    /// The numbers' file holds little-endian 32-bit words: for each head the bias, the scale, the thresholds
    /// and the link; then the damping for each length from 0 to [`LONGEST`].
    #[must_use]
    pub fn read(weights: &[u8], numbers: &[u8]) -> Option<Self> {
        Self::of(weights.into(), numbers)
    }

    /// The same with weights that are its own.
    pub(super) fn of(weights: Box<[u8]>, numbers: &[u8]) -> Option<Self> {
        let weights = weights.try_into().ok()?;
        let (words, []) = numbers.as_chunks::<4>() else { return None };
        let mut words = words.iter().map(|word| i64::from(i32::from_le_bytes(*word)));
        let mut heads = [Head::default(); HEADS];
        for head in &mut heads {
            head.bias = words.next()?;
            head.scale = words.next()?;
            for threshold in head.thresholds.iter_mut().flatten() {
                *threshold = words.next()?;
            }
            for point in &mut head.link {
                *point = u16::try_from(words.next()?).ok().filter(|point| *point <= 1000)?;
            }
        }
        let damping: Vec<i64> = words.collect();
        (damping.len() == LONGEST + 1).then_some(Self { weights, heads, damping })
    }

    /// The numbers' file for [`Self::read`].
    #[must_use]
    pub fn numbers(heads: &[Head; HEADS], damping: &[i64]) -> Vec<u8> {
        let head = |head: &Head| {
            let thresholds = head.thresholds.iter().flatten().copied();
            let link = head.link.iter().map(|point| i64::from(*point));
            [head.bias, head.scale].into_iter().chain(thresholds).chain(link).collect::<Vec<_>>()
        };
        let words = heads.iter().flat_map(head).chain(damping.iter().copied());
        words.flat_map(|word| i32::try_from(word).unwrap_or(i32::MAX).to_le_bytes()).collect()
    }

    /// Scores every window of a comparable text.
    #[must_use]
    pub fn score(&self, bytes: &[u8]) -> Scores {
        let mut scan = Scan { model: self, blocks: Default::default(), count: 0, scores: Scores::default() };
        let mut walk = Walk::new(bytes);
        let mut start = 0;
        while walk.left() > 0 {
            let mut sums = Sums::default();
            let (mut characters, mut ascii) = (0, 0);
            if walk.run(|bucket| sums.add(self.load(bucket))) {
                (characters, ascii) = (RUN, RUN);
            }
            while characters < BLOCK
                && let Some(piece) = walk.step()
            {
                sums.add(self.load(piece.bucket));
                if let Some(pair) = piece.pair {
                    sums.add(self.load(pair));
                }
                characters += 1;
                ascii += usize::from(piece.is_ascii);
            }
            let end = bytes.len() - walk.left();
            scan.scores.ascii += ascii;
            scan.end_block(Block { start, characters, sums: sums.get() }, end);
            start = end;
        }
        scan.finish(start)
    }

    /// The weights of a bucket, the first head's lowest.
    #[inline(always)]
    fn load(&self, bucket: u16) -> u32 {
        let at = usize::from(bucket) * HEADS;
        let word = self.weights.get(at..at + 4).and_then(|bytes| bytes.first_chunk::<4>());
        word.map_or(0, |word| u32::from_le_bytes(*word))
    }

    /// How sure a head is, in thousandths: 800 at the threshold.
    #[must_use]
    pub fn weight(&self, head: usize, scores: &Scores) -> u16 {
        self.weight_near(head, scores, 0)
    }

    /// The same with every threshold lower by so much.
    pub(super) fn weight_near(&self, head: usize, scores: &Scores, lower: i64) -> u16 {
        let (Some(head), Some(best)) = (self.heads.get(head), scores.best.get(head)) else { return 0 };
        let Some(threshold) = threshold(head, scores) else { return 0 };
        link(&head.link, best.score - threshold + lower)
    }
}

/// The threshold for a text; `None` for one without characters.
fn threshold(head: &Head, scores: &Scores) -> Option<i64> {
    let length = LENGTHS.iter().filter(|length| scores.characters > **length).count();
    let script = usize::from(!is_mostly_ascii(scores));
    head.thresholds.get(script)?.get(length).copied().filter(|_| scores.characters > 0)
}

/// Whether a text is in a script that the training text is mostly in.
#[must_use]
pub fn is_mostly_ascii(scores: &Scores) -> bool {
    (scores.characters - scores.ascii) * 5 < scores.characters
}

/// Straight lines between the points.
fn link(points: &[u16; LINK], over: i64) -> u16 {
    const STEP: i64 = UNIT / 2;
    #[expect(clippy::cast_possible_wrap, reason = "a handful of points")]
    const LAST: i64 = (LINK - 1) as i64;
    let at = (over + STEP * (LAST / 2)).clamp(0, STEP * LAST);
    let point = |number: i64| {
        usize::try_from(number).ok().and_then(|number| points.get(number)).copied().map_or(0, i64::from)
    };
    let (low, high) = (point(at / STEP), point((at / STEP + 1).min(LAST)));
    u16::try_from(low + (high - low) * (at % STEP) / STEP).unwrap_or_default()
}

/// Sums of weights over a block.
#[derive(Clone, Copy, Default)]
struct Sums {
    /// Two heads in 16 bits each: at most two buckets a character of a block, so that no sum runs over.
    two: u32,
    one: u32,
    /// How many buckets there were: each added [`ZERO`] to each sum.
    buckets: u32,
}

impl Sums {
    #[inline(always)]
    const fn add(&mut self, word: u32) {
        self.two += word & 0x00ff_00ff;
        self.one += word >> 8 & 0xff;
        self.buckets += 1;
    }

    fn get(self) -> [i64; HEADS] {
        let zero = i64::from(self.buckets) * i64::from(ZERO);
        [self.two & 0xffff, self.one, self.two >> 16].map(|sum| i64::from(sum) - zero)
    }
}

const _: () = assert!(2 * BLOCK * 255 <= 0xffff);

/// A block of characters.
#[derive(Clone, Copy, Default)]
struct Block {
    /// Where it begins, in bytes.
    start: usize,
    characters: usize,
    sums: [i64; HEADS],
}

struct Scan<'m> {
    model: &'m Model,
    /// The last blocks, the newest last.
    blocks: [Block; WINDOWS[1]],
    /// How many blocks there were.
    count: usize,
    scores: Scores,
}

impl Scan<'_> {
    fn end_block(&mut self, block: Block, end: usize) {
        self.blocks.rotate_left(1);
        if let Some(last) = self.blocks.last_mut() {
            *last = block;
        }
        self.count += 1;
        self.scores.characters += block.characters;
        for blocks in WINDOWS {
            if self.count >= blocks {
                self.judge(blocks, end);
            }
        }
    }

    fn finish(mut self, end: usize) -> Scores {
        for blocks in WINDOWS {
            if self.count < blocks && self.count > 0 {
                self.judge(self.count, end);
            }
        }
        self.scores
    }

    /// Scores the window of the last so many blocks.
    fn judge(&mut self, blocks: usize, end: usize) {
        let window = self.blocks.get(self.blocks.len() - blocks..).unwrap_or_default();
        let characters: usize = window.iter().map(|block| block.characters).sum();
        let start = window.first().map_or(0, |block| block.start);
        let damping = self.model.damping.get(characters).copied().unwrap_or_default();
        for (number, (head, best)) in self.model.heads.iter().zip(&mut self.scores.best).enumerate() {
            let sum: i64 = window.iter().filter_map(|block| block.sums.get(number)).sum();
            let score = head.bias + ((sum * damping * head.scale) >> (2 * FRACTION));
            if best.range.is_empty() || score > best.score {
                *best = Best { score, range: start..end };
            }
        }
    }
}
