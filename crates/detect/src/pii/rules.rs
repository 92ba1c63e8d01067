//! What is known of each kind of personal data.
//!
//! The weight here is that of a certain match; a finding has the weight of what was seen. What alone
//! tells of a person weighs 820 and more: a checked number, a number beside its name, a mailbox of a
//! person. What documentation and programs are full of weighs less, so that it is reported and does not
//! decide: role mailboxes and example domains, private and documentation addresses, test cards, dates,
//! streets.

use crate::{Category, Roles, Rule, Severity};

/// MITRE ATLAS "LLM Data Leakage".
const LEAKAGE: &[&str] = &["AML.T0057"];
/// OWASP "Sensitive Information Disclosure", in both numberings.
const DISCLOSURE: &[&str] = &["LLM02:2025", "LLM02:2026"];

/// A rule of this pack.
const fn personal(id: &'static str, summary: &'static str, severity: Severity, weight: u16) -> Rule {
    Rule {
        id,
        summary,
        category: Category::Pii,
        severity,
        weight,
        paranoia: 1,
        roles: Roles::judged_by(Category::Pii),
        owasp: DISCLOSURE,
        atlas: LEAKAGE,
    }
}

/// An identity, tax or insurance number of a country.
const fn national(id: &'static str, summary: &'static str) -> Rule {
    personal(id, summary, Severity::High, 920)
}

pub(super) const MAIL: usize = 0;
pub(super) const PHONE: usize = 1;
pub(super) const ADDRESS: usize = 2;
pub(super) const CARD: usize = 3;
pub(super) const IBAN: usize = 4;
pub(super) const CRYPTO: usize = 5;
pub(super) const ACCOUNT: usize = 6;
pub(super) const IP: usize = 7;
pub(super) const MAC: usize = 8;
pub(super) const IMEI: usize = 9;
pub(super) const PASSPORT: usize = 10;
pub(super) const LICENCE: usize = 11;
pub(super) const PLATE: usize = 12;
pub(super) const VIN: usize = 13;
pub(super) const BIRTH: usize = 14;
pub(super) const GB_NHS: usize = 15;
pub(super) const GB_NINO: usize = 16;
pub(super) const DE_TAX: usize = 17;
pub(super) const DE_CARD: usize = 18;
pub(super) const FR_NIR: usize = 19;
pub(super) const ES_DNI: usize = 20;
pub(super) const IT_CF: usize = 21;
pub(super) const NL_BSN: usize = 22;
pub(super) const BE_NN: usize = 23;
pub(super) const PL_PESEL: usize = 24;
pub(super) const PL_NIP: usize = 25;
pub(super) const CZ_RC: usize = 26;
pub(super) const SE_PNR: usize = 27;
pub(super) const NO_FNR: usize = 28;
pub(super) const DK_CPR: usize = 29;
pub(super) const FI_HETU: usize = 30;
pub(super) const PT_NIF: usize = 31;
pub(super) const RO_CNP: usize = 32;
pub(super) const BG_EGN: usize = 33;
pub(super) const TR_TCKN: usize = 34;
pub(super) const GR_AFM: usize = 35;
pub(super) const GR_AMKA: usize = 36;
pub(super) const HR_OIB: usize = 37;
pub(super) const YU_JMBG: usize = 38;
pub(super) const CH_AHV: usize = 39;
pub(super) const AT_SVNR: usize = 40;
pub(super) const BALTIC: usize = 41;
pub(super) const LV_PK: usize = 42;
pub(super) const HU_TAJ: usize = 43;
pub(super) const IE_PPS: usize = 44;
pub(super) const RU_SNILS: usize = 45;
pub(super) const RU_INN: usize = 46;
pub(super) const UA_TIN: usize = 47;
pub(super) const US_SSN: usize = 48;
pub(super) const US_ITIN: usize = 49;
pub(super) const CA_SIN: usize = 50;
pub(super) const BR_CPF: usize = 51;
pub(super) const BR_CNPJ: usize = 52;
pub(super) const AR_CUIT: usize = 53;
pub(super) const CL_RUT: usize = 54;
pub(super) const EC_CEDULA: usize = 55;
pub(super) const MX_CURP: usize = 56;
pub(super) const MX_RFC: usize = 57;
pub(super) const AU_TFN: usize = 58;
pub(super) const AU_MEDICARE: usize = 59;
pub(super) const NZ_IRD: usize = 60;
pub(super) const IN_AADHAAR: usize = 61;
pub(super) const IN_PAN: usize = 62;
pub(super) const CN_ID: usize = 63;
pub(super) const JP_MY_NUMBER: usize = 64;
pub(super) const KR_RRN: usize = 65;
pub(super) const TW_ID: usize = 66;
pub(super) const HK_ID: usize = 67;
pub(super) const SG_NRIC: usize = 68;
pub(super) const TH_ID: usize = 69;
pub(super) const ID_NIK: usize = 70;
pub(super) const MY_IC: usize = 71;
pub(super) const ZA_ID: usize = 72;
pub(super) const IL_ID: usize = 73;
pub(super) const AE_ID: usize = 74;
pub(super) const PK_CNIC: usize = 75;
pub(super) const EG_ID: usize = 76;
pub(super) const KZ_IIN: usize = 77;
pub(super) const SA_ID: usize = 78;

/// The rules by the numbers above.
pub(crate) const RULES: &[Rule] = &[
    personal("pii.contact.email", "E-mail address of a person", Severity::High, 900),
    personal("pii.contact.phone", "Telephone number", Severity::High, 850),
    personal("pii.contact.address", "What looks like a postal address", Severity::Low, 250),
    personal("pii.financial.card", "Payment card number", Severity::Critical, 950),
    personal("pii.financial.iban", "International bank account number", Severity::High, 950),
    personal("pii.financial.crypto", "Address of a crypto-currency wallet", Severity::Medium, 850),
    personal("pii.financial.account", "Bank account number beside its name", Severity::Medium, 500),
    personal("pii.network.ip", "IP address of a person or a host", Severity::Medium, 850),
    personal("pii.network.mac", "Address of a network card", Severity::Low, 500),
    personal("pii.network.imei", "Number of a mobile device", Severity::Medium, 900),
    personal("pii.document.passport", "Passport number", Severity::High, 870),
    personal("pii.document.driving-licence", "Driving licence number", Severity::High, 870),
    personal("pii.vehicle.plate", "Number plate", Severity::Low, 300),
    personal("pii.vehicle.vin", "Vehicle identification number", Severity::Medium, 820),
    personal("pii.personal.birth-date", "Date of birth", Severity::Low, 250),
    national("pii.national.gb-nhs", "British NHS number"),
    national("pii.national.gb-nino", "British National Insurance number"),
    national("pii.national.de-tax-id", "German tax identification number"),
    national("pii.national.de-identity-card", "German identity card number"),
    national("pii.national.fr-nir", "French social security number (NIR)"),
    national("pii.national.es-dni", "Spanish identity number (DNI, NIE)"),
    national("pii.national.it-codice-fiscale", "Italian tax code"),
    national("pii.national.nl-bsn", "Dutch citizen service number"),
    national("pii.national.be-national-number", "Belgian national register number"),
    national("pii.national.pl-pesel", "Polish PESEL number"),
    national("pii.national.pl-nip", "Polish tax number"),
    national("pii.national.cz-birth-number", "Czech or Slovak birth number"),
    national("pii.national.se-personal-number", "Swedish personal number"),
    national("pii.national.no-birth-number", "Norwegian birth number"),
    national("pii.national.dk-cpr", "Danish CPR number"),
    national("pii.national.fi-personal-code", "Finnish personal identity code"),
    national("pii.national.pt-nif", "Portuguese tax number"),
    national("pii.national.ro-cnp", "Romanian personal numeric code"),
    national("pii.national.bg-egn", "Bulgarian civil number"),
    national("pii.national.tr-identity-number", "Turkish identity number"),
    national("pii.national.gr-afm", "Greek tax number"),
    national("pii.national.gr-amka", "Greek social security number"),
    national("pii.national.hr-oib", "Croatian personal identification number"),
    national("pii.national.yu-jmbg", "Citizen's number of the states of former Yugoslavia"),
    national("pii.national.ch-ahv", "Swiss social security number"),
    national("pii.national.at-social-security", "Austrian social security number"),
    national("pii.national.ee-lt-personal-code", "Estonian or Lithuanian personal code"),
    national("pii.national.lv-personal-code", "Latvian personal code"),
    national("pii.national.hu-social-security", "Hungarian social security number"),
    national("pii.national.ie-pps", "Irish PPS number"),
    national("pii.national.ru-snils", "Russian pension number"),
    national("pii.national.ru-inn", "Russian tax number"),
    national("pii.national.ua-tax-number", "Ukrainian tax number"),
    national("pii.national.us-ssn", "US Social Security number"),
    national("pii.national.us-itin", "US taxpayer number (ITIN)"),
    national("pii.national.ca-sin", "Canadian Social Insurance number"),
    national("pii.national.br-cpf", "Brazilian CPF"),
    national("pii.national.br-cnpj", "Brazilian CNPJ"),
    national("pii.national.ar-cuit", "Argentine CUIT or CUIL"),
    national("pii.national.cl-rut", "Chilean RUT"),
    national("pii.national.ec-cedula", "Ecuadorian identity number"),
    national("pii.national.mx-curp", "Mexican CURP"),
    national("pii.national.mx-rfc", "Mexican tax number (RFC)"),
    national("pii.national.au-tfn", "Australian tax file number"),
    national("pii.national.au-medicare", "Australian Medicare number"),
    national("pii.national.nz-ird", "New Zealand IRD number"),
    national("pii.national.in-aadhaar", "Indian Aadhaar number"),
    national("pii.national.in-pan", "Indian PAN"),
    national("pii.national.cn-resident-id", "Chinese resident identity number"),
    national("pii.national.jp-my-number", "Japanese Individual Number"),
    national("pii.national.kr-rrn", "Korean resident registration number"),
    national("pii.national.tw-identity-number", "Taiwanese identity number"),
    national("pii.national.hk-identity-card", "Hong Kong identity card number"),
    national("pii.national.sg-nric", "Singaporean NRIC or FIN"),
    national("pii.national.th-citizen-id", "Thai citizen number"),
    national("pii.national.id-nik", "Indonesian NIK"),
    national("pii.national.my-identity-card", "Malaysian identity card number"),
    national("pii.national.za-identity-number", "South African identity number"),
    national("pii.national.il-identity-number", "Israeli identity number"),
    national("pii.national.ae-emirates-id", "Emirates identity number"),
    national("pii.national.pk-cnic", "Pakistani CNIC"),
    national("pii.national.eg-national-id", "Egyptian national number"),
    national("pii.national.kz-iin", "Kazakh individual number"),
    national("pii.national.sa-identity-number", "Saudi identity or residence number"),
];
