//! Africa and Asia.

use super::{
    super::{
        check::{day, digit, luhn, number, verhoeff, weighted},
        rules::*,
        words,
    },
    National,
    Need::{Form, Name, Nothing},
    kind,
};

pub(super) const KINDS: &[National] = &[
    kind(IN_AADHAAR, 12, &[&[4, 4, 4]], aadhaar, Name, words::IN_AADHAAR),
    kind(CN_ID, 18, &[&[6, 8, 4]], chinese, Nothing, words::CN),
    kind(JP_MY_NUMBER, 12, &[&[4, 4, 4]], japanese, Name, words::JP),
    kind(KR_RRN, 13, &[&[6, 7]], korean, Form, words::KR),
    kind(TH_ID, 13, &[&[1, 4, 5, 2, 1]], thai, Form, words::TH),
    kind(ID_NIK, 16, &[], indonesian, Name, words::INDONESIA),
    kind(MY_IC, 12, &[&[6, 2, 4]], malaysian, Form, words::MY),
    kind(ZA_ID, 13, &[&[6, 4, 3], &[6, 4, 1, 2]], south_african, Nothing, words::ZA),
    kind(IL_ID, 9, &[&[8, 1]], luhn, Name, words::IL),
    kind(AE_ID, 15, &[&[3, 4, 7, 1]], emirati, Nothing, words::AE),
    kind(PK_CNIC, 13, &[&[5, 7, 1]], pakistani, Form, words::NAMED),
    kind(EG_ID, 14, &[], egyptian, Name, words::NAMED),
    kind(KZ_IIN, 12, &[], kazakh, Name, words::NAMED),
    kind(SA_ID, 10, &[], |d| matches!(digit(d, 0), 1 | 2) && luhn(d), Name, words::NAMED),
];

/// Year, month and day, two digits each.
fn born(d: &[u8], from: usize) -> bool {
    day(number(d, from + 2, 2), number(d, from + 4, 2))
}

/// UIDAI: no leading 0 or 1, Verhoeff.
fn aadhaar(d: &[u8]) -> bool {
    digit(d, 0) > 1 && verhoeff(d)
}

/// GB 11643-1999: area, date of birth, order, ISO 7064 MOD 11-2. The X is another form's.
fn chinese(d: &[u8]) -> bool {
    let sum = weighted(d, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let check = (12 - sum % 11) % 11;
    matches!(number(d, 0, 2), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
        && matches!(number(d, 6, 2), 18..=20)
        && born(d, 8)
        && check == digit(d, 17)
}

/// Ordinance 85 of 2014: modulus 11.
fn japanese(d: &[u8]) -> bool {
    let remainder = weighted(d, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    if remainder < 2 { digit(d, 11) == 0 } else { 11 - remainder == digit(d, 11) }
}

/// Date and sex. The check digit is random in what was issued since October 2020.
fn korean(d: &[u8]) -> bool {
    born(d, 0) && matches!(digit(d, 6), 1..=8)
}

/// Weights 13 to 2, modulus 11.
fn thai(d: &[u8]) -> bool {
    let sum = weighted(d, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    matches!(digit(d, 0), 1..=8) && (11 - sum % 11) % 10 == digit(d, 12)
}

/// Province, regency, district, date (40 added to a woman's day), order.
fn indonesian(d: &[u8]) -> bool {
    matches!(number(d, 0, 2), 11..=19 | 21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=97)
        && day(number(d, 8, 2), number(d, 6, 2) % 40)
        && number(d, 12, 4) != 0
}

/// Date, place of birth, order.
fn malaysian(d: &[u8]) -> bool {
    born(d, 0) && matches!(number(d, 6, 2), 1..=16 | 21..=59 | 60..=68 | 71..=79 | 82..=93 | 98 | 99)
}

/// Date, sex, citizenship, Luhn.
fn south_african(d: &[u8]) -> bool {
    born(d, 0) && digit(d, 10) < 3 && matches!(digit(d, 11), 8 | 9) && luhn(d)
}

/// Country code 784, year of birth, Luhn.
fn emirati(d: &[u8]) -> bool {
    number(d, 0, 3) == 784 && matches!(number(d, 3, 4), 1900..=2099) && luhn(d)
}

/// Province, then division, district and family; hyphens only.
fn pakistani(d: &[u8]) -> bool {
    matches!(digit(d, 0), 1..=7)
}

/// Century, date, governorate, order.
fn egyptian(d: &[u8]) -> bool {
    matches!(digit(d, 0), 2 | 3) && born(d, 1) && matches!(number(d, 7, 2), 1..=35 | 88)
}

/// Date, century and sex, modulus 11 twice.
fn kazakh(d: &[u8]) -> bool {
    let first = weighted(d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11;
    let second = || weighted(d, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11;
    born(d, 0) && matches!(digit(d, 6), 1..=6) && if first == 10 { second() } else { first } == digit(d, 11)
}
