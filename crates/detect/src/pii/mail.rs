//! Mail addresses: RFC 5321 in the form that people use, not all that it allows.
//!
//! A mailbox of a person is personal data, one of an office is not: `support@`, `noreply@`, `git@` and
//! the like weigh less, as do the names and domains that stand for any (RFC 2606, `user@domain`).

use super::{Setting, rules, text::byte_before};
use crate::detector::Sink;

/// RFC 5321, 4.5.3.1.1.
const LOCAL: usize = 64;
/// RFC 1035, 2.3.4.
const DOMAIN: usize = 253;

/// A mailbox of a person.
const PERSON: u16 = 900;
/// One that many read, or that stands for any.
const OFFICE: u16 = 450;

/// Reports the address round the at-sign; returns where to go on.
pub(super) fn look(bytes: &[u8], sign: usize, setting: Setting, sink: &mut Sink<'_>) -> usize {
    let behind = sign + 1;
    let reach = bytes.get(sign.saturating_sub(LOCAL)..sign).unwrap_or_default();
    let is_local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-'".contains(byte);
    let length = reach.iter().rev().take_while(|byte| is_local(byte)).count();
    let mut start = sign - length;
    // A quotation mark or a dot in front belongs to the sentence.
    while start < sign && bytes.get(start).is_some_and(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
    {
        start += 1;
    }
    // Letters of Latin, Greek and Cyrillic names; Chinese goes on behind an address without a space.
    let rest = bytes.get(behind..).unwrap_or_default();
    let is_domain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | 0x80..=0xdf);
    let length = rest.iter().take(DOMAIN).take_while(|byte| is_domain(byte)).count();
    let domain = rest.get(..length).unwrap_or_default();
    let trailing = domain.iter().rev().take_while(|byte| matches!(byte, b'.' | b'-')).count();
    let domain = domain.get(..length - trailing).unwrap_or_default();
    let local = bytes.get(start..sign).unwrap_or_default();
    if local.is_empty() || !is_name(domain) || byte_before(bytes, start) == b'@' {
        return behind;
    }
    let end = behind + domain.len();
    if is_within_address(bytes, start) {
        return end;
    }
    let weight = if is_office(local) || is_example(local, domain) { OFFICE } else { PERSON };
    sink.push(rules::MAIL, setting.contact(weight), start..end);
    end
}

/// Whether a user and password, or a path, of an address end in the at-sign: `scheme://user:word@host`.
fn is_within_address(bytes: &[u8], start: usize) -> bool {
    let before = bytes.get(start.saturating_sub(100)..start).unwrap_or_default();
    let length = before.iter().rev().take_while(|byte| byte.is_ascii_graphic()).count();
    let joined = before.get(before.len() - length..).unwrap_or_default();
    joined.windows(3).any(|sign| sign == b"://")
}

/// Whether it is a domain name: two labels or more, the last of letters.
fn is_name(domain: &[u8]) -> bool {
    let mut labels = domain.rsplit(|byte| *byte == b'.');
    let last = labels.next().unwrap_or_default();
    let is_top = last.starts_with(b"xn--")
        || (2..=24).contains(&last.len())
            && last.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    let mut more = 0;
    for label in labels {
        // 163.com is a name, 6.1.swift is a version.
        let number = label.len() < 3 && label.iter().all(u8::is_ascii_digit);
        if number || label.is_empty() || label.len() > 63 || label.starts_with(b"-") || label.ends_with(b"-")
        {
            return false;
        }
        more += 1;
    }
    is_top && more > 0 && !is_file(last)
}

/// Endings that follow an at-sign in code and file names, and are no top-level domain.
fn is_file(last: &[u8]) -> bool {
    [
        &b"png"[..],
        b"jpg",
        b"jpeg",
        b"gif",
        b"svg",
        b"js",
        b"ts",
        b"tsx",
        b"jsx",
        b"css",
        b"html",
        b"json",
        b"yaml",
        b"yml",
        b"toml",
        b"txt",
        b"xml",
        b"local",
        b"localhost",
        b"internal",
        b"lan",
        b"webp",
    ]
    .iter()
    .any(|ending| last.eq_ignore_ascii_case(ending))
}

/// RFC 2142 and what else offices call their mailboxes.
const OFFICES: &[&str] = &[
    "onboarding",
    "booking",
    "bookings",
    "reservas",
    "shop",
    "store",
    "ventas",
    "comercial",
    "verkauf",
    "buchhaltung",
    "redaktion",
    "presse",
    "contato",
    "atendimento",
    "suporte",
    "soporte",
    "opencode",
    "licensing",
    "partners",
    "partnerships",
    "investors",
    "ir",
    "abuse",
    "accounting",
    "accounts",
    "admin",
    "administrator",
    "alert",
    "alerts",
    "api",
    "billing",
    "bot",
    "bounce",
    "bounces",
    "bugs",
    "careers",
    "ci",
    "clientes",
    "community",
    "compliance",
    "conduct",
    "contact",
    "contacto",
    "contributors",
    "customercare",
    "customerservice",
    "daemon",
    "dev",
    "developer",
    "developers",
    "devops",
    "donotreply",
    "dpo",
    "editor",
    "enquiries",
    "events",
    "feedback",
    "finance",
    "ftp",
    "git",
    "github",
    "gitlab",
    "hello",
    "help",
    "helpdesk",
    "hg",
    "hi",
    "hostmaster",
    "hr",
    "info",
    "inquiries",
    "it",
    "jobs",
    "kontakt",
    "legal",
    "list",
    "lists",
    "mail",
    "mailer",
    "mailer-daemon",
    "maintainers",
    "marketing",
    "media",
    "membership",
    "news",
    "newsletter",
    "no-reply",
    "no.reply",
    "noc",
    "noreply",
    "notification",
    "notifications",
    "office",
    "ops",
    "orders",
    "pr",
    "postmaster",
    "press",
    "privacy",
    "promo",
    "recruiting",
    "registrar",
    "report",
    "reservations",
    "root",
    "sales",
    "security",
    "service",
    "services",
    "smtp",
    "sos",
    "spam",
    "staff",
    "subscribe",
    "support",
    "sysadmin",
    "team",
    "tech",
    "techsupport",
    "training",
    "tickets",
    "unsubscribe",
    "update",
    "updates",
    "webmaster",
    "welcome",
    "www",
    "postgres",
    "ubuntu",
    "ec2-user",
    "build",
    "builds",
    "ceo",
    "cto",
    "cfo",
    "board",
    "hr-team",
    "it-support",
    "oss",
    "opensource",
    "code",
    "commits",
    "discuss",
    "announce",
    "core",
];

fn is_office(local: &[u8]) -> bool {
    let base = local.split(|byte| *byte == b'+').next().unwrap_or_default();
    let known = |name: &[u8]| OFFICES.iter().any(|office| name.eq_ignore_ascii_case(office.as_bytes()));
    // support-eu@, security.team@
    known(base)
        || base.split(|byte| matches!(byte, b'-' | b'.' | b'_')).any(|part| part.len() > 3 && known(part))
}

/// Names that stand for any mailbox.
const ANYBODY: &[&str] = &[
    "src",
    "dst",
    "foo.bar",
    "from_address",
    "to_address",
    "sender_email",
    "some.one",
    "user",
    "users",
    "username",
    "usuario",
    "utilisateur",
    "benutzer",
    "name",
    "first.last",
    "firstname.lastname",
    "first.lastname",
    "firstname",
    "lastname",
    "your",
    "you",
    "your.name",
    "yourname",
    "your-email",
    "your_email",
    "youremail",
    "my",
    "me",
    "myname",
    "myemail",
    "my-email",
    "my_email",
    "email",
    "e-mail",
    "mail",
    "foo",
    "bar",
    "baz",
    "test",
    "tests",
    "testing",
    "tester",
    "testuser",
    "test.user",
    "test_user",
    "example",
    "sample",
    "demo",
    "dummy",
    "fake",
    "someone",
    "somebody",
    "anyone",
    "person",
    "address",
    "recipient",
    "sender",
    "to",
    "from",
    "receiver",
    "a",
    "b",
    "c",
    "x",
    "y",
    "z",
    "abc",
    "xyz",
    "aaa",
    "xxx",
    "client",
    "customer",
    "employee",
    "student",
    "guest",
    "john",
    "jane",
    "john.doe",
    "jane.doe",
    "johndoe",
    "janedoe",
    "john_doe",
    "jane_doe",
    "jdoe",
    "doe",
    "alice",
    "bob",
    "joe",
    "john.smith",
    "johnsmith",
    "john_smith",
    "jane.smith",
    "janesmith",
    "jsmith",
    "max.mustermann",
    "mustermann",
    "friend",
    "boss",
    "manager",
    "hacker",
    "attacker",
    "victim",
    "evil",
    "malicious",
    "spammer",
    "phisher",
    "owner",
    "author",
    "myuser",
    "new",
    "old",
];

/// Parts of a name that nobody bears.
const SHAM: &[&str] =
    &["doe", "fake", "test", "example", "dummy", "sample", "demo", "mustermann", "user", "noreply", "bot"];

/// Domains that nobody has: RFC 2606 and RFC 6761, and what people write in their place.
const NOWHERE: &[&str] = &[
    "domain",
    "yourdomain",
    "your-domain",
    "mydomain",
    "company",
    "yourcompany",
    "your-company",
    "mycompany",
    "email",
    "mail",
    "mymail",
    "host",
    "hostname",
    "server",
    "site",
    "website",
    "yoursite",
    "foo",
    "bar",
    "baz",
    "abc",
    "xyz",
    "test",
    "testing",
    "example",
    "sample",
    "demo",
    "acme",
    "contoso",
    "corp",
    "organization",
    "business",
    "school",
    "college",
    "university",
    "provider",
    "somewhere",
    "somedomain",
    "anything",
    "place",
    "evil",
    "attacker",
    "malicious",
    "hacker",
    "phishing",
    "fake",
    "spam",
    "scam",
    "users.noreply.github",
    "noreply.github",
    "xxx",
    "aaa",
    "x",
    "y",
    "z",
    "a",
    "b",
    "c",
];

fn is_example(local: &[u8], domain: &[u8]) -> bool {
    let mut labels = domain.rsplit(|byte| *byte == b'.');
    let top = labels.next().unwrap_or_default();
    let second = labels.next().unwrap_or_default();
    let is =
        |part: &[u8], list: &[&str]| list.iter().any(|known| part.eq_ignore_ascii_case(known.as_bytes()));
    let digits = local.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let name = local.get(..local.len() - digits).unwrap_or_default();
    is(top, &["example", "test", "invalid", "localhost", "tld", "xxx"])
        || is(second, NOWHERE)
        || is(domain.strip_suffix(b".com").unwrap_or_default(), NOWHERE)
        || name.is_empty() && local.len() < 4
        || is(name, ANYBODY)
        || local.split(|byte| matches!(byte, b'.' | b'_' | b'-')).any(|part| is(part, SHAM))
}
