//! Which phrases the words round a hit rule out.
//!
//! A phrase matches only where a word of each of its items stands near the anchor. So every list of words that a
//! phrase asks for gets one of 63 bits, its sign, and every word of a text the signs of all the lists that it may
//! be on: one look into a small table. The signs of the words nearby, taken together, must hold all that a phrase
//! asks for; most phrases are told apart by that alone. The last bit tells
//! whether a key may begin with the word, so that most words are looked up but once.

use alloc::{borrow::Cow, collections::BTreeMap, vec, vec::Vec};

use super::{
    frequency,
    keys::{first_bytes, word_key},
    tables::{Alternative, Phrase, Posting, Slice, Step, Word},
};

/// Words on each side of a hit that are looked at.
pub const NEARBY: usize = 10;

/// The sign of a word that a key may begin with.
const KEY: u32 = 63;

/// Bytes of a word that signs go by.
const WIDTH: u32 = 4;

/// Occurrences in a million words from which on a list tells nothing: one of it is nearly always near.
const EVERYWHERE: u64 = 60_000;

/// The first bytes of a word by which it has its signs.
type Beginning = u32;

/// The lists of words that lie behind an anchor and before it.
type Wants = [Vec<usize>; 2];

/// The signs of words.
#[derive(Clone, Debug)]
pub struct SignTable {
    /// By how much a hash is shifted to give a place.
    pub shift: u32,
    /// The signs of all the words with one hash.
    pub signs: Cow<'static, [u64]>,
    /// The signs that must be there among the words behind an anchor and before it. Many postings ask for the same.
    pub needs: Cow<'static, [[u64; 2]]>,
}

impl SignTable {
    /// The signs of the word that begins with these bytes, zeros behind it.
    #[inline(always)]
    pub fn of(signs: &[u64], shift: u32, word: u64) -> u64 {
        signs.get(place(beginning(word), shift)).copied().unwrap_or(0)
    }

    /// 1 if a key may begin with the word that has these signs; 0 is certain.
    #[inline(always)]
    pub const fn may_be_key(signs: u64) -> u64 {
        signs >> KEY
    }

    /// Room for so many words: up to one place in two is taken. Twice the room saves 3 % of the time, for 64 KiB.
    fn with_room(words: usize) -> Self {
        let bits = (words * 2).next_power_of_two().trailing_zeros().clamp(6, 16);
        Self { shift: 32 - bits, signs: Cow::Owned(vec![0; 1 << bits]), needs: Cow::default() }
    }

    fn add(&mut self, word: Beginning, signs: u64) {
        if let Some(into) = self.signs.to_mut().get_mut(place(word, self.shift)) {
            *into |= signs;
        }
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the bytes that signs go by")]
const fn beginning(word: u64) -> Beginning {
    word as Beginning
}

#[inline(always)]
const fn place(word: Beginning, shift: u32) -> usize {
    (word.wrapping_mul(0x9e37_79b1) >> shift) as usize
}

/// The tables that phrases are laid out in.
#[derive(Clone, Copy)]
pub(super) struct Laid<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) words: &'a [Word],
    pub(super) alternatives: &'a [Alternative],
    pub(super) steps: &'a [Step],
    pub(super) phrases: &'a [Phrase],
}

/// Gives the words of all phrases and keys their signs, and each posting those it asks for.
pub(super) fn sign(postings: &mut [Posting], laid: Laid<'_>, keys: &[u64]) -> SignTable {
    let mut lists = Lists {
        laid,
        known: BTreeMap::new(),
        frequencies: BTreeMap::new(),
        of_items: BTreeMap::new(),
        of_words: BTreeMap::new(),
    };
    let wants: Vec<_> = postings.iter().map(|posting| lists.wants(posting).unwrap_or_default()).collect();
    let signs = lists.signs();
    let mut needed = BTreeMap::new();
    for (posting, want) in postings.iter_mut().zip(wants) {
        if let Posting::Phrase { needs, .. } = posting {
            let pair = want.map(|lists| {
                lists.into_iter().filter_map(|list| signs.get(list)).fold(0, |all, sign| all | sign)
            });
            let number = needed.len();
            // Fewer than there are postings, which are counted in 32 bits.
            *needs = u32::try_from(*needed.entry(pair).or_insert(number)).unwrap_or(u32::MAX);
        }
    }
    let mut table = SignTable::with_room(lists.frequencies.len() + keys.len());
    // A key of raw bytes may go on behind the word that it begins with.
    keys.iter().for_each(|key| table.add(beginning(word_key(*key)), 1 << KEY));
    let mut needs = vec![[0; 2]; needed.len()];
    for (pair, number) in needed {
        if let Some(into) = needs.get_mut(number) {
            *into = pair;
        }
    }
    table.needs = Cow::Owned(needs);
    for (list, number) in &lists.known {
        let sign = signs.get(*number).copied().unwrap_or(0);
        list.iter().for_each(|word| table.add(*word, sign));
    }
    table
}

/// The lists of words that phrases ask for, each one once.
struct Lists<'a> {
    laid: Laid<'a>,
    /// By their words in ascending order.
    known: BTreeMap<Vec<Beginning>, usize>,
    frequencies: BTreeMap<Beginning, u64>,
    /// The list of each item met so far, by the place of its alternatives: patterns share them.
    of_items: BTreeMap<(u32, u32), Option<usize>>,
    /// How often words are met, by their beginning and whether there is more: counting takes long.
    of_words: BTreeMap<(Beginning, bool), u64>,
}

impl Lists<'_> {
    /// What must be near for a posting to match. `None` if its place is not there.
    fn wants(&mut self, posting: &Posting) -> Option<Wants> {
        let Posting::Phrase { phrase, step, alternative, word, .. } = *posting else { return None };
        let laid = self.laid;
        let steps = laid.phrases.get(phrase as usize)?.steps.of(laid.steps);
        let (before, rest) = steps.split_at_checked(usize::from(step))?;
        let (anchor, after) = rest.split_first()?;
        let Step::Item { alternatives, longest, .. } = *anchor else { return None };
        let sequence = alternatives.of(laid.alternatives).get(usize::from(alternative))?.of(laid.words);
        let (words_before, rest) = sequence.split_at_checked(usize::from(word))?;
        let (_, words_after) = rest.split_first()?;
        let mut ahead = self.words(words_after.iter());
        let mut behind = self.words(words_before.iter().rev());
        ahead.extend(self.items(after.iter(), longest.into()));
        behind.extend(self.items(before.iter().rev(), longest.into()));
        Some([ahead, behind])
    }

    /// The lists of single words next to an anchor.
    fn words<'w>(&mut self, words: impl Iterator<Item = &'w Word>) -> Vec<usize> {
        let mut lists = Vec::new();
        for word in words.take(NEARBY) {
            if let Some(word) = self.beginning(word) {
                lists.push(self.list(vec![word]));
            }
        }
        lists
    }

    /// The lists of the items that surely stand near an anchor, `reach` words of which are taken up by its own.
    fn items<'s>(&mut self, steps: impl Iterator<Item = &'s Step>, mut reach: usize) -> Vec<usize> {
        let mut lists = Vec::new();
        for step in steps {
            match *step {
                Step::Gap { most, .. } => reach += usize::from(most),
                Step::Item { alternatives, longest, optional, .. } => {
                    reach += usize::from(longest);
                    if reach > NEARBY {
                        break;
                    }
                    if !optional {
                        lists.extend(self.item(alternatives));
                    }
                }
            }
        }
        lists
    }

    /// The list of an item.
    fn item(&mut self, alternatives: Slice) -> Option<usize> {
        let place = (alternatives.first, alternatives.count);
        if let Some(known) = self.of_items.get(&place) {
            return *known;
        }
        let list = self.rarest(alternatives).map(|words| self.list(words));
        self.of_items.insert(place, list);
        list
    }

    /// The rarest word of each alternative. `None` if one has none that signs can go by.
    fn rarest(&mut self, alternatives: Slice) -> Option<Vec<(Beginning, u64)>> {
        let laid = self.laid;
        let rarest = |sequence: &Alternative| {
            let words = sequence.of(laid.words).iter();
            words.filter_map(|word| self.beginning(word)).min_by_key(|(_, frequency)| *frequency)
        };
        alternatives.of(laid.alternatives).iter().map(rarest).collect()
    }

    /// By what a word has its signs, and how often that is met. `None` for a stem that is too short.
    fn beginning(&mut self, word: &Word) -> Option<(Beginning, u64)> {
        let text = word.text(self.laid.bytes);
        let cut = text.get(..WIDTH as usize);
        if cut.is_none() && !word.whole {
            return None;
        }
        let beginning = beginning(first_bytes(word.key, WIDTH));
        let count = || frequency::of_word(cut.unwrap_or(text), cut.is_none()).into();
        Some((beginning, *self.of_words.entry((beginning, cut.is_some())).or_insert_with(count)))
    }

    fn list(&mut self, words: Vec<(Beginning, u64)>) -> usize {
        let mut list: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        self.frequencies.extend(words);
        list.sort_unstable();
        list.dedup();
        let next = self.known.len();
        *self.known.entry(list).or_insert(next)
    }

    /// A sign for each list. Lists with the same most frequent word share one, for they are met together; rare ones
    /// share with rare ones, so that the frequent ones do not spoil them; one that is met everywhere has none.
    fn signs(&self) -> Vec<u64> {
        let mut families = BTreeMap::<Beginning, (u64, Vec<usize>)>::new();
        for (list, number) in &self.known {
            let frequency = |word: &Beginning| self.frequencies.get(word).copied().unwrap_or(0);
            let total: u64 = list.iter().map(frequency).sum();
            if let Some(most) = list.iter().copied().max_by_key(frequency)
                && total < EVERYWHERE
            {
                let family = families.entry(most).or_default();
                family.0 = family.0.max(total);
                family.1.push(*number);
            }
        }
        let mut families: Vec<_> = families.into_values().collect();
        families.sort_unstable();
        let mut most = 500;
        loop {
            let mut signs = vec![0; self.known.len()];
            let (mut bit, mut sum) = (0, 0);
            for (frequency, lists) in &families {
                if sum > 0 && sum + frequency > most {
                    (bit, sum) = (bit + 1, 0);
                }
                sum += frequency;
                for list in lists {
                    if let Some(into) = signs.get_mut(*list) {
                        *into = 1u64.checked_shl(bit).unwrap_or(0);
                    }
                }
            }
            if bit < KEY {
                return signs;
            }
            most += most / 4;
        }
    }
}
