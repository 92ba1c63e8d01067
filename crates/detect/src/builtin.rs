//! The rules that come with the crate, as `build.rs` packed them.

use alloc::vec::Vec;
use core::str;

use crate::{
    compile::{Builder, unpack::Reader},
    finding::{Category, Rule, Severity},
    lzma,
    role::Roles,
};

mod generated {
    include!(concat!(env!("OUT_DIR"), "/rules.rs"));
}

/// What they look for: how many bytes [`crate::compile::pack`] needs, and these compressed.
static PATTERNS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/patterns.bin"));

/// What is known of them: how many, then for each the number of its shape, its weight, and its id and summary, each with
/// its length before it. Compressed where there is a place to keep them expanded: ids and summaries are borrowed from here
/// for good.
#[cfg(feature = "std")]
static RULES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rules.bin"));
#[cfg(not(feature = "std"))]
static RULES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rules-as-they-are.bin"));

/// Bytes of the rules.
pub(crate) const TABLES: usize = PATTERNS.len() + RULES.len();

#[cfg(feature = "std")]
fn known() -> &'static [u8] {
    static KNOWN: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    KNOWN.get_or_init(|| expanded(RULES).unwrap_or_default())
}

#[cfg(not(feature = "std"))]
const fn known() -> &'static [u8] {
    RULES
}

/// What many rules have in common.
struct Shape {
    category: Category,
    severity: Severity,
    paranoia: u8,
    roles: Roles,
    owasp: &'static [&'static str],
    atlas: &'static [&'static str],
}

/// What they look for, to be laid out. A test holds that it can be read.
pub(crate) fn builder() -> Builder {
    expanded(PATTERNS).and_then(|packed| Builder::unpack(&packed)).unwrap_or_default()
}

/// What `build.rs` compressed, behind its length.
fn expanded(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(bytes);
    let count = usize::try_from(reader.number()?).ok()?;
    lzma::expand(reader.rest(), count)
}

/// What is known of each rule, in the order of its number in the patterns.
pub(crate) fn rules() -> Vec<Rule> {
    let mut reader = Reader::new(known());
    let count = reader.count().unwrap_or(0);
    (0..count).map_while(|_| rule(&mut reader)).collect()
}

fn rule(reader: &mut Reader<'static>) -> Option<Rule> {
    let shape = generated::SHAPES.get(reader.number()? as usize)?;
    let weight = u16::try_from(reader.number()?).ok()?;
    let mut text = || {
        let length = reader.count()?;
        str::from_utf8(reader.raw(length)?).ok()
    };
    let (id, summary) = (text()?, text()?);
    let Shape { category, severity, paranoia, roles, owasp, atlas } = *shape;
    Some(Rule { id, summary, category, severity, weight, paranoia, roles, owasp, atlas })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::println;

    use super::*;

    /// What the rules may take of a filter, in bytes: patterns, ids, summaries and all. The classifier's weights, these
    /// and the Unicode tables share 512 KiB.
    const BUDGET: usize = 180 << 10;

    #[test]
    fn the_rules_stay_in_their_budget() {
        let shapes = size_of_val(&generated::SHAPES) + 64 * generated::SHAPES.len();
        for (part, size) in generated::SIZES {
            println!("{part:<20} {size:>7} bytes, not compressed");
        }
        let total = PATTERNS.len() + RULES.len() + shapes;
        println!("{:<20} {total:>7} bytes for {} rules, compressed", "all", rules().len());
        assert!(total <= BUDGET, "the rules take {total} bytes of {BUDGET}");
    }

    #[test]
    fn what_was_packed_is_read_whole() {
        let count = Reader::new(known()).count();
        assert_eq!(Some(rules().len()), count);
        assert!(rules().len() > 200);
        let packed = expanded(PATTERNS).unwrap();
        let builder = Builder::unpack(&packed).unwrap();
        let (again, sizes) = builder.pack();
        assert_eq!(again.len(), packed.len());
        assert!(again == packed, "packed again it is the same");
        assert_eq!(sizes.iter().map(|(_, size)| size).sum::<usize>(), packed.len(), "a part is not counted");
    }

    #[test]
    fn what_is_cut_off_or_broken_is_told() {
        let packed = expanded(PATTERNS).unwrap();
        for end in (0..packed.len()).step_by(997) {
            assert!(Builder::unpack(&packed[..end]).is_none(), "cut off at {end}");
        }
        let mut broken = packed;
        for at in (0..broken.len()).step_by(4001) {
            // Whatever becomes of it, nothing panics.
            broken[at] ^= 0xff;
            drop(Builder::unpack(&broken).map(Builder::finish));
            broken[at] ^= 0xff;
        }
    }
}
