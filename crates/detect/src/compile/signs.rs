//! Which phrases the words round a hit rule out.
//!
//! A phrase matches only where a word of each of its items stands near the anchor. So every list of words that a
//! phrase asks for gets one of 63 bits, its sign, and every word of a text the signs of all the lists that it may
//! be on: one look into a small table. The signs of the words nearby, taken together, must hold all that a phrase
//! asks for; most phrases are told apart by that alone. The last bit tells
//! whether a key may begin with the word, so that most words are looked up but once.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use super::{
    frequency::Frequencies,
    keys::{first_bytes, word_key},
    sort::{sort_by, sort_by_number},
    tables::{Alternative, Laid, Posting, Step, Word},
};

/// Words on each side of a hit that are looked at.
pub const NEARBY: usize = 20;

/// How far away a word may be that a phrase asks for: the nearer, the fewer words answer for it.
pub const LEVELS: [usize; 5] = [1, 2, 4, 8, NEARBY];

/// Signs behind a hit and before it, up to each of the [`LEVELS`].
pub type Round = [[u64; LEVELS.len()]; 2];

/// The sign of a word that a key may begin with.
const KEY: u32 = 63;

/// Bytes of a word that signs go by.
pub const WIDTH: u32 = 4;

/// Occurrences in a million words from which on a list tells nothing: one of it is nearly always near.
const EVERYWHERE: u64 = 200_000;

/// The first bytes of a word by which it has its signs.
type Beginning = u32;

/// Lists of words that lie behind an anchor and before it, each with the words that it is away at most.
type Wants = [Vec<(usize, usize)>; 2];

/// The signs of words.
#[derive(Clone, Debug)]
pub struct SignTable {
    /// By how much a hash is shifted to give a place.
    pub shift: u32,
    /// The signs of all the words with one hash.
    pub signs: Vec<u64>,
    /// The signs that must be there among the words behind an anchor and before it. Many postings ask for the same.
    pub needs: Vec<Round>,
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

    /// Whether there are all the signs that a phrase needs; `false` is certain.
    #[inline(always)]
    pub fn may_match(&self, needs: u32, round: &Round) -> bool {
        let needs = self.needs.get(needs as usize).copied().unwrap_or_default();
        let missing = needs.as_flattened().iter().zip(round.as_flattened());
        missing.fold(0, |missing, (needed, there)| missing | needed & !there) == 0
    }

    /// Room for so many words: up to one place in two is taken. Twice the room saves 3 % of the time, for 64 KiB.
    fn with_room(words: usize) -> Self {
        let bits = (words * 2).next_power_of_two().trailing_zeros().clamp(6, 16);
        Self { shift: 32 - bits, signs: vec![0; 1 << bits], needs: Vec::new() }
    }

    fn add(&mut self, word: Beginning, signs: u64) {
        if let Some(into) = self.signs.get_mut(place(word, self.shift)) {
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

/// Gives the words of all phrases and keys their signs, and each posting those it asks for.
pub(super) fn sign(
    postings: &mut [Posting],
    laid: &Laid,
    keys: &[u64],
    frequencies: &Frequencies,
) -> SignTable {
    let mut lists = Lists {
        laid,
        frequencies,
        known: Vec::new(),
        of_words: BTreeMap::new(),
        of_items: vec![None; laid.lists.len()],
        of_phrases: vec![None; laid.phrases.len()],
    };
    let next_to: Vec<_> = postings.iter().map(|posting| lists.next_to(posting).unwrap_or_default()).collect();
    let signs = lists.signs();
    let mut needed = BTreeMap::new();
    // Words that are an alternative by themselves all ask for the same.
    let mut of_alone = vec![None; laid.phrases.len()];
    for (posting, next_to) in postings.iter_mut().zip(next_to) {
        let Posting::Phrase { phrase, needs, .. } = posting else { continue };
        let mut alone = of_alone.get_mut(*phrase as usize).filter(|_| next_to.taken == [0, 0]);
        *needs = alone.as_deref().copied().flatten().unwrap_or_else(|| {
            let [items_behind, items_before] = lists.items_of(*phrase);
            let ([behind, before], [taken_behind, taken_before]) = (&next_to.lists, next_to.taken);
            let round = [
                levels(behind, items_behind, taken_behind, &signs),
                levels(before, items_before, taken_before, &signs),
            ];
            let number = needed.len();
            // Fewer than there are postings, which are counted in 32 bits.
            u32::try_from(*needed.entry(round).or_insert(number)).unwrap_or(u32::MAX)
        });
        if let Some(alone) = &mut alone {
            **alone = Some(*needs);
        }
    }
    let mut distinct: Vec<_> = lists.known.iter().flat_map(|list| &list.words).copied().collect();
    sort_by_number(&mut distinct, |word| u64::from(*word));
    distinct.dedup();
    let mut table = SignTable::with_room(distinct.len() + keys.len());
    // A key of raw bytes may go on behind the word that it begins with.
    keys.iter().for_each(|key| table.add(beginning(word_key(*key)), 1 << KEY));
    let mut needs = vec![Round::default(); needed.len()];
    for (round, number) in needed {
        if let Some(into) = needs.get_mut(number) {
            *into = round;
        }
    }
    table.needs = needs;
    for (list, sign) in lists.known.iter().zip(signs) {
        list.words.iter().for_each(|word| table.add(*word, sign));
    }
    table
}

/// The signs of lists by how far away they are at most: of words next to an anchor, and of items behind so many words.
fn levels(
    next_to: &[(usize, usize)],
    items: &[(usize, usize)],
    taken: usize,
    signs: &[u64],
) -> [u64; LEVELS.len()] {
    let items = items.iter().map(|(list, away)| (*list, away + taken));
    let mut levels = [0; LEVELS.len()];
    for (list, away) in next_to.iter().copied().chain(items) {
        // None is farther than the last level, or it is not asked for.
        let level = LEVELS.iter().zip(&mut levels).find(|(level, _)| away <= **level);
        if let (Some((_, level)), Some(sign)) = (level, signs.get(list)) {
            *level |= sign;
        }
    }
    levels
}

/// What the words of an anchor ask for that stand next to it.
#[derive(Default)]
struct NextTo {
    lists: Wants,
    /// How many there are behind it and before it.
    taken: [usize; 2],
}

/// A list of words that phrases ask for.
struct Wanted {
    words: Vec<Beginning>,
    /// The most frequent of them.
    most: Beginning,
    /// How often one of them is met.
    frequency: u64,
}

/// The lists of words that phrases ask for.
struct Lists<'a> {
    laid: &'a Laid,
    frequencies: &'a Frequencies,
    known: Vec<Wanted>,
    /// Those of a single word.
    of_words: BTreeMap<Beginning, usize>,
    /// What was found for each of the tables' lists met so far.
    of_items: Vec<Option<Option<usize>>>,
    /// What was found for the items of each of the tables' phrases met so far.
    of_phrases: Vec<Option<Wants>>,
}

impl Lists<'_> {
    /// What must stand next to a posting's word for it to match. `None` if its place is not there.
    fn next_to(&mut self, posting: &Posting) -> Option<NextTo> {
        let Posting::Phrase { phrase: number, alternative, word, .. } = *posting else { return None };
        let laid = self.laid;
        let phrase = laid.phrases.get(number as usize)?;
        let (before, rest) = phrase.of(&laid.steps).split_at_checked(usize::from(phrase.anchor))?;
        let (anchor, after) = rest.split_first()?;
        if let Some(None) = self.of_phrases.get(number as usize) {
            let items = Some([self.items(after.iter()), self.items(before.iter().rev())]);
            *self.of_phrases.get_mut(number as usize)? = items;
        }
        let Step::Item { list, .. } = *anchor else { return None };
        let list = laid.lists.get(list as usize)?;
        let sequence = list.of(&laid.alternatives).get(usize::from(alternative))?.of(&laid.words);
        let (words_before, rest) = sequence.split_at_checked(usize::from(word))?;
        let (_, words_after) = rest.split_first()?;
        Some(NextTo {
            lists: [self.words(words_after.iter()), self.words(words_before.iter().rev())],
            taken: [words_after.len(), words_before.len()],
        })
    }

    /// The lists of the items behind a phrase's anchor and before it.
    fn items_of(&self, phrase: u32) -> [&[(usize, usize)]; 2] {
        let items = self.of_phrases.get(phrase as usize).and_then(Option::as_ref);
        items.map_or([&[]; 2], |[behind, before]| [behind, before])
    }

    /// The lists of single words next to an anchor.
    fn words<'w>(&mut self, words: impl Iterator<Item = &'w Word>) -> Vec<(usize, usize)> {
        let mut lists = Vec::new();
        for (away, word) in (1..=NEARBY).zip(words) {
            if let Some((word, frequency)) = self.beginning(word) {
                let known = self.of_words.get(&word).copied();
                let list = known.unwrap_or_else(|| self.list(&[(word, frequency)]));
                self.of_words.insert(word, list);
                lists.push((list, away));
            }
        }
        lists
    }

    /// The lists of the items that surely stand near an anchor.
    fn items<'s>(&mut self, steps: impl Iterator<Item = &'s Step>) -> Vec<(usize, usize)> {
        let (mut lists, mut reach) = (Vec::new(), 0);
        for step in steps {
            match *step {
                Step::Gap { most, .. } => reach += usize::from(most),
                Step::Item { list, optional } => {
                    let Some(longest) = self.laid.lists.get(list as usize).map(|list| list.longest) else {
                        break;
                    };
                    reach += usize::from(longest);
                    if reach > NEARBY {
                        break;
                    }
                    if !optional {
                        lists.extend(self.item(list).map(|list| (list, reach)));
                    }
                }
            }
        }
        lists
    }

    /// The list of an item.
    fn item(&mut self, list: u32) -> Option<usize> {
        if let Some(Some(known)) = self.of_items.get(list as usize) {
            return *known;
        }
        let found = self.rarest(list).map(|words| self.list(&words));
        if let Some(into) = self.of_items.get_mut(list as usize) {
            *into = Some(found);
        }
        found
    }

    /// The rarest word of each alternative. `None` if one has none that signs can go by.
    fn rarest(&self, list: u32) -> Option<Vec<(Beginning, u64)>> {
        let laid = self.laid;
        let rarest = |sequence: &Alternative| {
            let words = sequence.of(&laid.words).iter();
            words.filter_map(|word| self.beginning(word)).min_by_key(|(_, frequency)| *frequency)
        };
        laid.lists.get(list as usize)?.of(&laid.alternatives).iter().map(rarest).collect()
    }

    /// By what a word has its signs, and how often that is met. `None` for a stem that is too short.
    fn beginning(&self, word: &Word) -> Option<(Beginning, u64)> {
        let text = word.text(&self.laid.bytes);
        let cut = text.get(..WIDTH as usize);
        if cut.is_none() && !word.whole {
            return None;
        }
        let beginning = beginning(first_bytes(word.key, WIDTH));
        Some((beginning, self.frequencies.of_word(cut.unwrap_or(text), cut.is_none()).into()))
    }

    fn list(&mut self, words: &[(Beginning, u64)]) -> usize {
        let most = words.iter().max_by_key(|(word, frequency)| (*frequency, *word));
        self.known.push(Wanted {
            words: words.iter().map(|(word, _)| *word).collect(),
            most: most.map_or(0, |(word, _)| *word),
            frequency: words.iter().map(|(_, frequency)| frequency).sum(),
        });
        self.known.len() - 1
    }

    /// A sign for each list. Lists with the same most frequent word share one, for they are met together; rare ones
    /// share with rare ones, so that the frequent ones do not spoil them; one that is met everywhere has none.
    fn signs(&self) -> Vec<u64> {
        let mut families = BTreeMap::<Beginning, (u64, Vec<usize>)>::new();
        for (number, list) in self.known.iter().enumerate().filter(|(_, list)| list.frequency < EVERYWHERE) {
            let family = families.entry(list.most).or_default();
            family.0 = family.0.max(list.frequency);
            family.1.push(number);
        }
        let mut families: Vec<_> = families.into_values().collect();
        sort_by(&mut families, |a, b| a < b);
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
