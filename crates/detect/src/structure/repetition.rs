//! The same over and over: what makes a model diverge from its instructions
//! (<https://arxiv.org/abs/2311.17035>), what pushes them out of its window, and what costs most.
//!
//! A run that repeats with a period is found from any point of it: a few bytes there stand again one
//! period on. So points a fixed way apart are probed, and where a probe hits, the run is measured byte by
//! byte in both directions.

use memchr::memchr_iter;

use super::rules::{PADDING, REPEATED};
use crate::{canary::commonness, detector::Sink};

/// Bytes between probes; of a shorter run that lies between two of them nothing is said.
pub(super) const STEP: usize = 1024;
/// Bytes of a run that is worth a report.
const SHORTEST: usize = 0x300;
/// Longest period.
const LONGEST: usize = 1024;
/// Bytes that must stand again.
const PROBE: usize = 12;
/// Periods that are measured for one probe.
const TRIES: usize = 4;

pub(super) fn scan(text: &[u8], from_tool: bool, sink: &mut Sink<'_>) {
    let (mut at, mut done) = (STEP / 2, 0);
    while let Some(probe) = text.get(at..at + PROBE) {
        let mut next = at + STEP;
        for period in periods(text, at, probe) {
            let run = measure(text, at, period, done);
            if run.1 - run.0 >= SHORTEST {
                report(text, run, period, from_tool, sink);
                next = next.max(run.1);
                done = run.1;
                break;
            }
        }
        at = next;
    }
}

/// The distances at which a probe stands again.
fn periods<'a>(text: &'a [u8], at: usize, probe: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let rare = probe.iter().enumerate().min_by_key(|(_, byte)| commonness(**byte)).map_or(0, |(at, _)| at);
    let from = at + rare + 1;
    let end = (from + LONGEST).min(text.len());
    let byte = probe.get(rare).copied().unwrap_or(b' ');
    memchr_iter(byte, text.get(from..end).unwrap_or_default())
        .map(|step| step + 1)
        .filter(move |period| text.get(at + period..at + period + PROBE) == Some(probe))
        .take(TRIES)
}

/// How far text around `at` equals the text one period on, not before `least`.
fn measure(text: &[u8], at: usize, period: usize, least: usize) -> (usize, usize) {
    let same = |(a, b): &(&u8, &u8)| a == b;
    let ahead = text.get(at..).unwrap_or_default().iter().zip(text.get(at + period..).unwrap_or_default());
    let forward = ahead.take_while(same).count();
    let behind = text.get(least..at).unwrap_or_default().iter().rev();
    let one_on = text.get(least..at + period).unwrap_or_default().iter().rev();
    let backward = behind.zip(one_on).take_while(same).count();
    (at - backward, at + forward + period)
}

fn report(text: &[u8], (start, end): (usize, usize), period: usize, from_tool: bool, sink: &mut Sink<'_>) {
    let length = end - start;
    let unit = text.get(start..start + period).unwrap_or_default();
    let letters = unit.iter().filter(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    let distinct = unit.iter().any(|byte| Some(byte) != unit.first());
    if letters < 3 || !distinct {
        let weight = match length {
            0x2_0000.. => 850,
            0x8000.. => 600,
            0x1000.. => 300,
            _ => return,
        };
        return sink.push(PADDING, weight, start..end);
    }
    // A probe may have hit a multiple of the period; that only undercounts.
    let times = length / period;
    let weight = match (times, length) {
        (100.., 0x2000..) => 850,
        (50.., 0x1000..) => 700,
        (40.., 0x400..) => 500,
        (20.., SHORTEST..) => 300,
        _ => return,
    };
    // Programs repeat their lines.
    sink.push(REPEATED, if from_tool { weight / 2 } else { weight }, start..end);
}
