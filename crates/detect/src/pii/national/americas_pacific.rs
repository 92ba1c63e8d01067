//! The Americas, Australia and New Zealand.

use super::{
    super::{
        check::{digit, luhn, number, weighted},
        rules::*,
        words,
    },
    National,
    Need::{Form, Name},
    kind,
};

pub(super) const KINDS: &[National] = &[
    kind(US_SSN, 9, &[&[3, 2, 4]], social_security, Form, words::SOCIAL),
    kind(US_ITIN, 9, &[&[3, 2, 4]], taxpayer, Form, words::TAX),
    kind(CA_SIN, 9, &[&[3, 3, 3]], canadian, Name, words::CA | words::SOCIAL),
    kind(BR_CPF, 11, &[&[3, 3, 3, 2]], cpf, Form, words::BR),
    kind(BR_CNPJ, 14, &[&[2, 3, 3, 4, 2]], cnpj, Form, words::BR),
    kind(AR_CUIT, 11, &[&[2, 8, 1]], cuit, Form, words::AR),
    kind(CL_RUT, 8, &[&[1, 3, 3, 1], &[7, 1]], rut, Name, words::CL),
    kind(CL_RUT, 9, &[&[2, 3, 3, 1], &[8, 1]], rut, Name, words::CL),
    kind(EC_CEDULA, 10, &[&[9, 1]], ecuadorian, Name, words::EC),
    kind(AU_TFN, 9, &[&[3, 3, 3]], tax_file, Name, words::AU),
    kind(AU_MEDICARE, 10, &[&[4, 5, 1]], medicare, Name, words::AU),
    kind(AU_MEDICARE, 11, &[&[4, 5, 1, 1], &[4, 5, 2]], medicare, Name, words::AU),
    kind(NZ_IRD, 8, &[&[2, 3, 3]], ird, Name, words::NZ),
    kind(NZ_IRD, 9, &[&[3, 3, 3]], ird, Name, words::NZ),
];

/// SSA, "The SSN Numbering Scheme" and its randomisation of 2011: areas 000, 666 and from 900 on, group 00
/// and serial 0000 are never issued. 078-05-1120 was printed on a wallet insert and
/// 219-09-9999 on a pamphlet.
fn social_security(d: &[u8]) -> bool {
    !matches!(number(d, 0, 3), 0 | 666 | 900..)
        && number(d, 3, 2) != 0
        && number(d, 5, 4) != 0
        && !matches!(number(d, 0, 9), 78_051_120 | 219_099_999)
}

/// IRS: from 900 on, with groups set aside for it.
fn taxpayer(d: &[u8]) -> bool {
    number(d, 0, 3) >= 900 && matches!(number(d, 3, 2), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

fn canadian(d: &[u8]) -> bool {
    !matches!(digit(d, 0), 0 | 8) && luhn(d)
}

/// Receita Federal: two check digits, modulus 11.
fn cpf(d: &[u8]) -> bool {
    let check = |sum: u32| sum * 10 % 11 % 10;
    check(weighted(d, &[10, 9, 8, 7, 6, 5, 4, 3, 2])) == digit(d, 9)
        && check(weighted(d, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])) == digit(d, 10)
}

fn cnpj(d: &[u8]) -> bool {
    let check = |sum: u32| if sum % 11 < 2 { 0 } else { 11 - sum % 11 };
    check(weighted(d, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) == digit(d, 12)
        && check(weighted(d, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) == digit(d, 13)
}

/// AFIP: the kind of person in two digits, modulus 11.
fn cuit(d: &[u8]) -> bool {
    let check = 11 - weighted(d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    matches!(number(d, 0, 2), 20 | 23 | 24 | 25 | 26 | 27 | 30 | 33 | 34)
        && match check {
            11 => 0,
            10 => 9,
            check => check,
        } == digit(d, 10)
}

/// Modulus 11 with weights 2 to 7 from the right. The letter K is another form's.
fn rut(d: &[u8]) -> bool {
    let Some((check, body)) = d.split_last() else { return false };
    let sum: u32 =
        body.iter().rev().zip([2u32, 3, 4, 5, 6, 7].iter().cycle()).map(|(d, w)| u32::from(*d) * w).sum();
    (11 - sum % 11) % 11 == u32::from(*check)
}

/// Registro Civil: province, third digit below 6, Luhn over nine.
fn ecuadorian(d: &[u8]) -> bool {
    (1..=24).contains(&number(d, 0, 2)) && digit(d, 2) < 6 && luhn(d)
}

/// ATO: weighted sum divisible by 11.
fn tax_file(d: &[u8]) -> bool {
    weighted(d, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
}

/// Services Australia: the ninth digit checks the first eight.
fn medicare(d: &[u8]) -> bool {
    matches!(digit(d, 0), 2..=6) && weighted(d, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == digit(d, 8)
}

/// Inland Revenue: modulus 11, with other weights where the first leave 10.
fn ird(d: &[u8]) -> bool {
    let mut padded = [0; 9];
    for (place, value) in padded.iter_mut().rev().zip(d.iter().rev()) {
        *place = *value;
    }
    let check = |weights: &[u8]| (11 - weighted(&padded, weights) % 11) % 11;
    let first = check(&[3, 2, 7, 6, 5, 4, 3, 2]);
    let check = if first == 10 { check(&[7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
    (10_000_000..=150_000_000).contains(&number(&padded, 0, 9)) && check == digit(&padded, 8)
}
