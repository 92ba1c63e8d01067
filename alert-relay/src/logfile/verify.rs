//! Finds every edit, removal, reordering and truncation of a sealed log, and says where.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use super::{
    chain::{self, ChainKey, State, unseal},
    keep::{Note, Part},
};
use crate::clock::Civil;

/// Problems told; more are counted.
const MAX_TOLD: usize = 100;
/// Keys between two that are kept.
const STRIDE: usize = 1024;
/// Most numbers looked at: a bit each, 128 MiB.
const MAX_NUMBERS: u64 = 1 << 30;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Lines whose seal is right.
    pub(crate) good: u64,
    /// Lines that were deleted when they were old enough.
    pub(crate) deleted: u64,
    /// Lines from before the chain began.
    pub(crate) before: u64,
    /// What is wrong: file, line, and what.
    pub(crate) problems: Vec<String>,
    /// Problems beyond those.
    pub(crate) more: u64,
}

impl Report {
    fn add(&mut self, problem: String) {
        if self.problems.len() < MAX_TOLD {
            self.problems.push(problem);
        } else {
            self.more += 1;
        }
    }
}

/// The keys of all lines, made from the first.
struct Keys(Vec<ChainKey>);

impl Keys {
    fn of(&mut self, seq: u64) -> Option<ChainKey> {
        let seq = usize::try_from(seq).ok()?;
        while self.0.len() <= seq / STRIDE {
            let last = *self.0.last()?;
            self.0.push((0..STRIDE).fold(last, |key, _| key.next()));
        }
        let kept = *self.0.get(seq / STRIDE)?;
        Some((0..seq % STRIDE).fold(kept, |key, _| key.next()))
    }
}

/// Which numbers were seen.
#[derive(Default)]
struct Seen {
    bits: Vec<u64>,
    notes: Vec<Note>,
}

impl Seen {
    fn has(&self, seq: u64) -> bool {
        let word = usize::try_from(seq / 64).ok().and_then(|at| self.bits.get(at));
        word.is_some_and(|word| word & (1 << (seq % 64)) != 0)
    }

    fn set(&mut self, seq: u64) {
        let at = usize::try_from(seq / 64).unwrap_or(usize::MAX);
        if at >= self.bits.len() {
            self.bits.resize(at.saturating_add(1), 0);
        }
        if let Some(word) = self.bits.get_mut(at) {
            *word |= 1 << (seq % 64);
        }
    }

    /// Runs of numbers below `end` that were not seen, first and last.
    fn gaps(&self, end: u64) -> Vec<(u64, u64)> {
        let mut gaps: Vec<(u64, u64)> = Vec::new();
        for seq in (0..end).filter(|seq| !self.has(*seq)) {
            match gaps.last_mut() {
                Some((_, last)) if *last + 1 == seq => *last = seq,
                _ => gaps.push((seq, seq)),
            }
        }
        gaps
    }
}

/// Reads every file of a directory. `heads` are those of mails, `number:seal`.
///
/// # Errors
/// When files cannot be read.
pub(super) fn verify(
    directory: &Path,
    first: ChainKey,
    state: Option<State>,
    heads: &[String],
) -> io::Result<Report> {
    let (mut report, mut seen, mut keys) = (Report::default(), Seen::default(), Keys(vec![first]));
    let mut end = check_state(&mut report, &mut keys, state.as_ref());
    let bound = if state.is_some() { end } else { MAX_NUMBERS };
    for head in heads {
        end = end.max(check_head(&mut report, &mut keys, head));
    }
    let since = Civil::of(state.map_or(0, |state| state.since_ms)).log();
    let mut check = Check { keys, bound, since };
    let mut above: Option<(String, u64)> = None;
    for part in Part::all(directory)? {
        let mut highest = above.take().filter(|(base, _)| *base == part.base).map(|(_, seq)| seq);
        check.part(&part, &mut highest, &mut seen, &mut report)?;
        above = highest.map(|seq| (part.base.clone(), seq));
    }
    if state.is_none() {
        end = end.max(seen.bits.len() as u64 * 64);
        while end > 0 && !seen.has(end - 1) {
            end -= 1;
        }
    }
    missing(directory, &mut report, &seen, end)?;
    Ok(report)
}

/// How many lines the state says there are.
fn check_state(report: &mut Report, keys: &mut Keys, state: Option<&State>) -> u64 {
    match state {
        None => {
            report.add("the chain's state is not there: lines missing at the end cannot be told".to_owned());
            0
        }
        Some(state) if state.next > MAX_NUMBERS => {
            report.add(format!("the chain's state names {} lines, more than can be checked", state.next));
            0
        }
        Some(state) if keys.of(state.next).is_none_or(|key| key != state.key) => {
            report.add("the chain's state was not made from this key".to_owned());
            state.next
        }
        Some(state) => state.next,
    }
}

/// How many lines a head proves.
fn check_head(report: &mut Report, keys: &mut Keys, head: &str) -> u64 {
    let number = head.split(':').next().and_then(|number| number.parse::<u64>().ok());
    match number.filter(|number| *number <= MAX_NUMBERS) {
        Some(number) if keys.of(number).is_some_and(|key| key.head(number) == head) => number,
        _ => {
            report.add(format!("head {head:?} was not made from this key"));
            0
        }
    }
}

struct Check {
    keys: Keys,
    bound: u64,
    /// When the chain began, as lines begin.
    since: String,
}

impl Check {
    fn part(
        &mut self,
        part: &Part,
        highest: &mut Option<u64>,
        seen: &mut Seen,
        report: &mut Report,
    ) -> io::Result<()> {
        let (name, mut at) = (part.name(), 0);
        // The key of the line expected next: numbers of a file mostly follow each other.
        let mut ready: Option<(u64, ChainKey)> = None;
        let read = part.each_line(|bytes, ended| {
            at += 1;
            let place = format!("{name}:{at}");
            let Some(line) = std::str::from_utf8(bytes).ok().filter(|_| ended) else {
                return report.add(format!("{place}: not a whole line of the log"));
            };
            let Some((text, seq, mac)) = unseal(line) else {
                // What was written before the chain began.
                if line.get(..self.since.len()).is_some_and(|time| time < self.since.as_str()) {
                    report.before += 1;
                } else {
                    report.add(format!("{place}: the line has no seal"));
                }
                return;
            };
            let key = match ready {
                Some((number, key)) if number == seq => Some(key),
                _ if seq < self.bound => self.keys.of(seq),
                _ => None,
            };
            let Some(key) = key.filter(|key| key.mac(seq, &part.base, text) == mac) else {
                return report
                    .add(format!("{place}: the line was changed, or does not belong here (number {seq})"));
            };
            ready = Some((seq + 1, key.next()));
            if seen.has(seq) {
                return report.add(format!("{place}: the line is there twice (number {seq})"));
            }
            if highest.is_some_and(|highest| highest > seq) {
                report.add(format!("{place}: the line is out of order (number {seq})"));
            }
            *highest = Some(highest.map_or(seq, |highest| highest.max(seq)));
            seen.set(seq);
            report.good += 1;
            seen.notes.extend(Note::parse(text).filter(|_| part.is_own()));
        });
        if let Err(e) = read {
            report.add(format!("{name}:{}: cannot be read on: {e}", at + 1));
        }
        Ok(())
    }
}

/// Numbers below `end` that no line has. Those that notes account for are fine, if the notes' sums agree.
fn missing(directory: &Path, report: &mut Report, seen: &Seen, end: u64) -> io::Result<()> {
    let notes = Note::merged(seen.notes.clone());
    let (mut absent, mut outside) = (0, Vec::new());
    for (first, last) in seen.gaps(end) {
        let at = notes.partition_point(|note| note.last < first);
        match notes.get(at) {
            Some(note) if note.first <= first && last <= note.last => absent += last - first + 1,
            _ => outside.push((first, last)),
        }
    }
    let noted: u64 = notes.iter().map(|note| note.lines).sum();
    report.deleted = noted.min(absent);
    if absent > noted {
        report.add(format!(
            "{} lines are missing beside those that were old enough to be deleted",
            absent - noted
        ));
    }
    let wanted = outside.iter().filter_map(|(first, _)| first.checked_sub(1)).collect();
    let places = locate(directory, &wanted)?;
    for (first, last) in outside {
        let after = match first.checked_sub(1).and_then(|before| places.get(&before)) {
            Some(place) => format!("after {place}"),
            None if first == 0 => "at the beginning".to_owned(),
            None => "after a line that is gone too".to_owned(),
        };
        let end_says = if last + 1 == end { ", up to the end" } else { "" };
        report.add(match first == last {
            true => format!("line number {first} is missing, {after}{end_says}"),
            false => format!("lines number {first} to {last} are missing, {after}{end_says}"),
        });
    }
    Ok(())
}

/// File and line of some numbers.
fn locate(directory: &Path, wanted: &BTreeSet<u64>) -> io::Result<BTreeMap<u64, String>> {
    let mut places = BTreeMap::new();
    for part in Part::all(directory)?.iter().filter(|_| !wanted.is_empty()) {
        let (name, mut at) = (part.name(), 0);
        // What cannot be read was told before.
        let _ = part.each_line(|line, _| {
            at += 1;
            let seq = std::str::from_utf8(line).ok().and_then(unseal).map(|(_, seq, _)| seq);
            if let Some(seq) = seq.filter(|seq| wanted.contains(seq)) {
                places.entry(seq).or_insert_with(|| format!("{name}:{at}"));
            }
        });
    }
    Ok(places)
}

/// The state of a chain, if there is one.
///
/// # Errors
/// When its file cannot be read.
pub(super) fn state(path: &Path) -> io::Result<Option<State>> {
    chain::state(path)
}
