//! Payment cards: issuer ranges (ISO/IEC 7812, as the networks publish them) and Luhn's check digit.

use super::{
    check::{luhn, number, sequential, uniform},
    context::Context,
    national::Candidate,
    rules,
    text::{Edges, Gap},
    words,
};

/// The ways a card's digits are grouped.
const FORMS: &[&[u8]] = &[&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 4, 3], &[4, 4, 4, 1], &[4, 4, 5]];

pub(super) fn judge(candidate: &Candidate<'_>, context: &mut Context<'_>) -> Option<(usize, u16)> {
    let (values, form) = (candidate.values, candidate.form);
    let grouped = form.len() > 1;
    if candidate.edges == Edges::Within
        || grouped
            && (!FORMS.contains(&form) || !matches!(candidate.gap, Gap::Space | Gap::Hyphen | Gap::Dot))
        || !is_issued(values)
        || !luhn(values)
    {
        return None;
    }
    let named = context.hints(candidate.start, candidate.end) & words::CARD != 0;
    let weight = match () {
        () if is_test(values) => 500,
        () if named => 950,
        () if candidate.edges == Edges::Signs => 500,
        () if grouped || values.len() >= 15 => 900,
        // Thirteen digits are a trade number (EAN) or a time stamp as well.
        () => 400,
    };
    Some((rules::CARD, weight))
}

/// Whether a network issues numbers that begin so, of this length.
fn is_issued(values: &[u8]) -> bool {
    let (four, six) = (number(values, 0, 4), number(values, 0, 6));
    match values.len() {
        13 => four / 1000 == 4,
        14 => matches!(four, 3000..=3059 | 3095 | 3600..=3699 | 3800..=3999),
        15 => matches!(four / 100, 34 | 37),
        16 => {
            matches!(
                four,
                4000..=4999 | 5100..=5599 | 2221..=2720 | 6011 | 6440..=6599 | 3528..=3589 | 6200..=6299
                    | 8100..=8199 | 2200..=2204 | 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 | 9792
            ) || matches!(six, 606_282 | 636_368 | 627_780 | 508_500..=508_999 | 353_800)
        }
        17..=19 => {
            matches!(four, 4000..=4999 | 6200..=6299 | 6011 | 6440..=6599 | 5018 | 5020 | 5038 | 6304 | 6759 | 6761..=6763)
        }
        _ => false,
    }
}

/// The numbers that payment services publish for tests, and those a person types for one: nearly all
/// the same digit, or counted up.
fn is_test(values: &[u8]) -> bool {
    let Some((_, rest)) = values.split_first() else { return true };
    let distinct = (0..10u8).filter(|digit| values.contains(digit)).count();
    distinct <= 3
        || uniform(rest)
        || values.windows(8).any(sequential)
        || values.windows(7).any(uniform)
        || matches!(
            number(values, 0, values.len()),
            5_555_555_555_554_444
                | 378_282_246_310_005
                | 371_449_635_398_431
                | 378_734_493_671_000
                | 6_011_111_111_111_117
                | 6_011_000_990_139_424
                | 30_569_309_025_904
                | 38_520_000_023_237
                | 3_530_111_333_300_000
                | 3_566_002_020_360_505
                | 5_105_105_105_105_100
                | 4_012_888_888_881_881
                | 4_000_056_655_665_556
                | 5_200_828_282_828_210
                | 4_012_001_037_141_112
                | 2_223_003_122_003_222
        )
}
