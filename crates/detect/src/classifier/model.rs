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
/// Shorter texts are not judged, if they are mostly ASCII: names, answers and the inputs of embeddings, in which a word
/// or two weigh more than they say. What attacks in so few letters is for the rules.
const SHORTEST: usize = 24;
/// Thresholds of a head in one kind of language.
pub const THRESHOLDS: usize = LENGTHS.len() + 1;
/// A score of 1 as a whole number.
pub const UNIT: i64 = 1024;
/// What a weight byte of a bucket without weight is: they are stored with this added.
pub const ZERO: u8 = 128;
/// Points of the link, half a [`UNIT`] apart, the middle one at the threshold.
pub const LINK: usize = 17;
/// Bytes of the weights' file: [`HEADS`] a bucket, and one more.
pub const WEIGHTS: usize = (HEADS << BITS) + 1;
/// Bits that a weight has for itself where several are added at once …
const FIELD: u32 = 10;
/// … and how many at most, so that no sum runs over.
const AT_ONCE: usize = 4;
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
    /// For each bucket the weights of the heads, [`FIELD`] bits each.
    weights: Box<[u32; 1 << BITS]>,
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
        let weights: &[u8; WEIGHTS] = weights.try_into().ok()?;
        let (buckets, _) = weights.as_chunks::<HEADS>();
        let field = |all: u32, weight: &u8| all << FIELD | u32::from(*weight);
        let fields = buckets.iter().map(|weights| weights.iter().rev().fold(0, field));
        let weights = fields.collect::<Box<[u32]>>().try_into().ok()?;
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
        let mut scan = Scan {
            model: self,
            blocks: Default::default(),
            windows: Default::default(),
            count: 0,
            scores: Scores::default(),
        };
        let mut walk = Walk::new(bytes);
        let mut start = 0;
        while walk.left() > 0 {
            let mut sums = Sums::default();
            let (mut characters, mut ascii) = (0, 0);
            while characters < BLOCK {
                let run = walk.run(BLOCK - characters, |buckets| sums.add(self, buckets));
                characters += run;
                ascii += run;
                if run > 0 {
                    continue;
                }
                let Some(piece) = walk.step() else { break };
                sums.add(self, &[piece.bucket]);
                if let Some(pair) = piece.pair {
                    sums.add(self, &[pair]);
                }
                characters += 1;
                ascii += usize::from(piece.is_ascii);
            }
            let end = bytes.len() - walk.left();
            scan.scores.ascii += ascii;
            scan.end_block(Block { start, end, characters, sums: sums.get() });
            start = end;
        }
        scan.finish()
    }

    /// The weights of a bucket, the first head's lowest.
    #[inline(always)]
    fn load(&self, bucket: u16) -> u32 {
        self.weights.get(usize::from(bucket)).copied().unwrap_or_default()
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

/// The threshold for a text; `None` for one that is too short to be judged.
fn threshold(head: &Head, scores: &Scores) -> Option<i64> {
    let length = LENGTHS.iter().filter(|length| scores.characters > **length).count();
    let ascii = is_mostly_ascii(scores);
    let shortest = if ascii { SHORTEST } else { 1 };
    head.thresholds.get(usize::from(!ascii))?.get(length).copied().filter(|_| scores.characters >= shortest)
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
    /// Two heads, the other one's field between them.
    two: u64,
    one: u32,
    /// How many buckets there were: each added [`ZERO`] to each sum.
    buckets: u32,
}

impl Sums {
    /// Adds the weights of at most [`AT_ONCE`] buckets.
    #[inline(always)]
    fn add(&mut self, model: &Model, buckets: &[u16]) {
        const LOW: u32 = (1 << FIELD) - 1;
        let sum: u32 = buckets.iter().map(|bucket| model.load(*bucket)).sum();
        self.two += u64::from(sum & (LOW << (2 * FIELD) | LOW));
        self.one += sum >> FIELD & LOW;
        self.buckets += u32::try_from(buckets.len()).unwrap_or_default();
    }

    fn get(self) -> [i64; HEADS] {
        let zero = i64::from(self.buckets) * i64::from(ZERO);
        let low = self.two & ((1 << (2 * FIELD)) - 1);
        [low, u64::from(self.one), self.two >> (2 * FIELD)].map(|sum| sum.cast_signed() - zero)
    }
}

const _: () = assert!(AT_ONCE * 255 < 1 << FIELD && HEADS * FIELD as usize <= u32::BITS as usize);
// At most two buckets a character of a block.
const _: () = assert!(2 * BLOCK * 255 < 1 << (2 * FIELD));

/// A block of characters, or several that follow each other.
#[derive(Clone, Copy, Default)]
struct Block {
    /// Where it begins and ends, in bytes.
    start: usize,
    end: usize,
    characters: usize,
    sums: [i64; HEADS],
}

impl Block {
    /// With the block behind it.
    fn extend(&mut self, next: &Self) {
        self.end = next.end;
        self.characters += next.characters;
        self.sums.iter_mut().zip(next.sums).for_each(|(sum, next)| *sum += next);
    }

    /// Without its first block.
    fn shorten(&mut self, first: &Self) {
        self.start = first.end;
        self.characters -= first.characters;
        self.sums.iter_mut().zip(first.sums).for_each(|(sum, first)| *sum -= first);
    }
}

struct Scan<'m> {
    model: &'m Model,
    /// The last blocks, each in the place of its number.
    blocks: [Block; WINDOWS[1]],
    /// The last windows, or all there is.
    windows: [Block; WINDOWS.len()],
    /// How many blocks there were.
    count: usize,
    scores: Scores,
}

impl Scan<'_> {
    fn end_block(&mut self, block: Block) {
        self.scores.characters += block.characters;
        for (window, blocks) in self.windows.iter_mut().zip(WINDOWS) {
            window.extend(&block);
            let left = self.count.checked_sub(blocks).and_then(|left| self.blocks.get(left % WINDOWS[1]));
            if let Some(left) = left {
                window.shorten(left);
            }
            if self.count + 1 >= blocks {
                judge(self.model, window, &mut self.scores.best);
            }
        }
        if let Some(place) = self.blocks.get_mut(self.count % WINDOWS[1]) {
            *place = block;
        }
        self.count += 1;
    }

    fn finish(mut self) -> Scores {
        for (window, blocks) in self.windows.iter().zip(WINDOWS) {
            if self.count < blocks && self.count > 0 {
                judge(self.model, window, &mut self.scores.best);
            }
        }
        self.scores
    }
}

/// Scores a window.
fn judge(model: &Model, window: &Block, best: &mut [Best; HEADS]) {
    let damping = model.damping.get(window.characters).copied().unwrap_or_default();
    for ((head, best), sum) in model.heads.iter().zip(best).zip(window.sums) {
        let score = head.bias + ((sum * damping * head.scale) >> (2 * FRACTION));
        if best.range.is_empty() || score > best.score {
            *best = Best { score, range: window.start..window.end };
        }
    }
}
