//! Europe, with Russia, Ukraine and Türkiye.

use super::{
    super::{
        check::{day, digit, luhn, mod_11_10, number, weighted},
        rules::*,
        words,
    },
    National,
    Need::{Form, Name, Nothing},
    kind,
};

pub(super) const KINDS: &[National] = &[
    kind(GB_NHS, 10, &[&[3, 3, 4]], nhs, Name, words::GB_NHS),
    kind(DE_TAX, 11, &[&[2, 3, 3, 3]], steuer_id, Name, words::DE),
    kind(FR_NIR, 15, &[&[1, 2, 2, 2, 3, 3, 2], &[13, 2]], nir, Nothing, words::FR),
    kind(NL_BSN, 9, &[&[4, 2, 3], &[3, 3, 3]], bsn, Name, words::NL),
    kind(BE_NN, 11, &[&[2, 2, 2, 3, 2], &[6, 3, 2]], belgian, Form, words::BE),
    kind(PL_PESEL, 11, &[], pesel, Name, words::PL),
    kind(PL_NIP, 10, &[&[3, 3, 2, 2], &[3, 2, 2, 3]], nip, Name, words::PL),
    kind(CZ_RC, 10, &[&[6, 4]], rodne_cislo, Name, words::CZ),
    kind(SE_PNR, 10, &[&[6, 4]], swedish, Form, words::SE),
    kind(SE_PNR, 12, &[&[8, 4]], swedish_long, Form, words::SE),
    kind(NO_FNR, 11, &[&[6, 5]], norwegian, Form, words::NO),
    kind(DK_CPR, 10, &[&[6, 4]], danish, Name, words::DK),
    kind(PT_NIF, 9, &[&[3, 3, 3]], portuguese, Name, words::PT),
    kind(RO_CNP, 13, &[], romanian, Nothing, words::RO),
    kind(BG_EGN, 10, &[], bulgarian, Name, words::BG),
    kind(TR_TCKN, 11, &[&[3, 3, 3, 2]], turkish, Name, words::TR),
    kind(GR_AFM, 9, &[], greek, Name, words::GR),
    kind(GR_AMKA, 11, &[], |d| birthday(d, 0) && luhn(d), Name, words::GR),
    kind(HR_OIB, 11, &[], mod_11_10, Name, words::YU),
    kind(YU_JMBG, 13, &[], jmbg, Nothing, words::YU),
    kind(CH_AHV, 13, &[&[3, 4, 4, 2]], swiss, Nothing, words::NAMED),
    kind(AT_SVNR, 10, &[&[4, 6]], austrian, Name, words::DE | words::SOCIAL),
    kind(BALTIC, 11, &[], baltic, Name, words::NAMED),
    kind(LV_PK, 11, &[&[6, 5]], latvian, Form, words::NAMED),
    kind(HU_TAJ, 9, &[&[3, 3, 3]], hungarian, Name, words::NAMED),
    kind(RU_SNILS, 11, &[&[3, 3, 3, 2]], snils, Form, words::RU),
    kind(RU_INN, 12, &[], inn, Name, words::RU),
    kind(UA_TIN, 10, &[], ukrainian, Name, words::UA | words::TAX),
];

/// Day, month and year, two digits each, from `from` on.
fn birthday(d: &[u8], from: usize) -> bool {
    day(number(d, from + 2, 2), number(d, from, 2))
}

/// Year, month and day, two digits each, from `from` on.
fn born(d: &[u8], from: usize) -> bool {
    day(number(d, from + 2, 2), number(d, from + 4, 2))
}

/// NHS Data Dictionary, "NHS NUMBER": modulus 11.
fn nhs(d: &[u8]) -> bool {
    let check = 11 - weighted(d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    check != 10 && check % 11 == digit(d, 9)
}

/// § 139b AO: one digit of the first ten stands twice or thrice, ISO 7064 MOD 11,10.
fn steuer_id(d: &[u8]) -> bool {
    let mut counts = [0u8; 10];
    for value in d.iter().take(10) {
        if let Some(count) = counts.get_mut(usize::from(*value)) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let most = counts.iter().max().copied().unwrap_or(0);
    digit(d, 0) != 0 && repeated == 1 && most <= 3 && mod_11_10(d)
}

/// INSEE: sex, year, month, department, commune, order, key 97 less the remainder.
fn nir(d: &[u8]) -> bool {
    let month = number(d, 3, 2);
    matches!(digit(d, 0), 1 | 2 | 3 | 4 | 7 | 8)
        && (1..=12).chain(20..=42).chain(50..=99).any(|known| known == month)
        && number(d, 13, 2) == 97 - number(d, 0, 13) % 97
}

/// Logius, "elfproef": the last digit counts -1.
fn bsn(d: &[u8]) -> bool {
    let sum = weighted(d, &[9, 8, 7, 6, 5, 4, 3, 2]);
    sum > 0 && sum % 11 == digit(d, 8)
}

/// Rijksregister: 97 less the remainder of nine digits, with a 2 before them for births from 2000 on.
fn belgian(d: &[u8]) -> bool {
    let (body, check) = (number(d, 0, 9), number(d, 9, 2));
    let month = number(d, 2, 2);
    let month = month.saturating_sub(if month > 40 {
        40
    } else if month > 20 {
        20
    } else {
        0
    });
    day(month, number(d, 4, 2).max(1))
        && (97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check)
}

/// Ustawa o ewidencji ludności: month raised by the century, weights 1 3 7 9.
fn pesel(d: &[u8]) -> bool {
    day(number(d, 2, 2) % 20, number(d, 4, 2))
        && weighted(d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
}

fn nip(d: &[u8]) -> bool {
    weighted(d, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == digit(d, 9)
}

/// Zákon 133/2000: divisible by 11; 50 is added to a woman's month.
fn rodne_cislo(d: &[u8]) -> bool {
    let month = number(d, 2, 2) % 50;
    day(if month > 20 { month - 20 } else { month }, number(d, 4, 2)) && number(d, 0, 10).is_multiple_of(11)
}

/// Skatteverket: Luhn over ten digits; 60 is added to the day of a coordination number.
fn swedish(d: &[u8]) -> bool {
    let date = number(d, 4, 2);
    day(number(d, 2, 2), if date > 60 { date - 60 } else { date }) && luhn(d)
}

fn swedish_long(d: &[u8]) -> bool {
    matches!(number(d, 0, 2), 18..=20) && d.get(2..).is_some_and(swedish)
}

/// Skatteetaten: two check digits, modulus 11.
fn norwegian(d: &[u8]) -> bool {
    let date = number(d, 0, 2);
    day(number(d, 2, 2) % 40, if date > 40 { date - 40 } else { date })
        && weighted(d, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
        && weighted(d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// CPR-kontoret: the modulus is no longer kept, so the date alone is looked at.
fn danish(d: &[u8]) -> bool {
    birthday(d, 0)
}

/// Decreto-Lei 14/2013: modulus 11.
fn portuguese(d: &[u8]) -> bool {
    let check = 11 - weighted(d, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    matches!(digit(d, 0), 1..=3 | 5 | 6 | 8 | 9) && if check > 9 { 0 } else { check } == digit(d, 8)
}

/// Sex and century, date, county, weights 279146358279.
fn romanian(d: &[u8]) -> bool {
    let check = weighted(d, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    digit(d, 0) != 0
        && born(d, 1)
        && (1..=52).contains(&number(d, 7, 2))
        && if check == 10 { 1 } else { check } == digit(d, 12)
}

/// Month raised by 20 before 1900 and by 40 from 2000 on.
fn bulgarian(d: &[u8]) -> bool {
    let check = weighted(d, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
    day(number(d, 2, 2) % 20, number(d, 4, 2)) && check == digit(d, 9)
}

/// Nüfus: two check digits over odd and even places.
fn turkish(d: &[u8]) -> bool {
    let odd = weighted(d, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weighted(d, &[0, 1, 0, 1, 0, 1, 0, 1]);
    let tenth = (odd * 7 + 10 * 8 - even) % 10;
    digit(d, 0) != 0 && tenth == digit(d, 9) && (odd + even + tenth) % 10 == digit(d, 10)
}

/// Powers of two, modulus 11.
fn greek(d: &[u8]) -> bool {
    let sum: u32 = d.iter().take(8).fold(0, |sum, value| (sum + u32::from(*value)) * 2);
    sum > 0 && sum % 11 % 10 == digit(d, 8)
}

/// Day, month, three digits of the year, region, order, modulus 11.
fn jmbg(d: &[u8]) -> bool {
    let check = 11 - weighted(d, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    birthday(d, 0) && matches!(digit(d, 4), 0 | 8 | 9) && if check > 9 { 0 } else { check } == digit(d, 12)
}

/// An EAN-13 with the country's prefix.
fn swiss(d: &[u8]) -> bool {
    number(d, 0, 3) == 756 && weighted(d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

/// The fourth digit checks the others; a date stands behind.
fn austrian(d: &[u8]) -> bool {
    let sum = weighted(d, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    digit(d, 0) != 0 && birthday(d, 4) && sum % 11 == digit(d, 3)
}

/// Estonia and Lithuania share the form: sex and century, date, order, modulus 11 twice.
fn baltic(d: &[u8]) -> bool {
    let first = weighted(d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let check = if first < 10 { first } else { weighted(d, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10 };
    matches!(digit(d, 0), 1..=6) && born(d, 1) && check == digit(d, 10)
}

/// Before 2017: a date, the century, order, modulus 11.
fn latvian(d: &[u8]) -> bool {
    let sum = weighted(d, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
    birthday(d, 0) && digit(d, 6) < 3 && (1 + sum) % 11 % 10 == digit(d, 10)
}

fn hungarian(d: &[u8]) -> bool {
    weighted(d, &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == digit(d, 8)
}

/// Pension fund: weights 9 to 1, modulus 101.
fn snils(d: &[u8]) -> bool {
    let sum = u64::from(weighted(d, &[9, 8, 7, 6, 5, 4, 3, 2, 1]));
    sum > 0 && sum % 101 % 100 == number(d, 9, 2)
}

/// Persons' tax number: two check digits.
fn inn(d: &[u8]) -> bool {
    let first = weighted(d, &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10;
    let second = weighted(d, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10;
    first == digit(d, 10) && second == digit(d, 11)
}

fn ukrainian(d: &[u8]) -> bool {
    let minus = digit(d, 0);
    let plus = weighted(d, &[0, 5, 7, 9, 4, 6, 10, 5, 7]);
    (plus + 11 * 9 - minus) % 11 % 10 == digit(d, 9)
}
