//! File names of the incident log. The model's name comes from outside and must not choose a path.

/// Longest part of a name that a model may fill, in bytes; file systems allow 255 for the whole name.
const MAX_MODEL_BYTES: usize = 80;

/// Names of files that are no model's.
const RESERVED: [&str; 2] = ["other", "chain"];

/// The name for what the log notes about itself.
pub(super) fn own(date: &str) -> String {
    format!("security_chain_{date}.log")
}

/// The name for the models of one day beyond the number of files allowed.
pub(super) fn overflow(date: &str) -> String {
    format!("security_other_{date}.log")
}

/// `security_{model}_{date}.log`. A model's name that had to be changed gets a hash of the original, so that two
/// models do not share a file by accident.
pub(super) fn file_name(model: &str, date: &str) -> String {
    format!("security_{}_{date}.log", safe(model))
}

/// Letters, digits, `-`, `_` and single dots inside.
fn safe(model: &str) -> String {
    let mut name = String::new();
    for c in model.chars() {
        if name.len() >= MAX_MODEL_BYTES {
            break;
        }
        let keep = c.is_ascii_alphanumeric()
            || matches!(c, '-' | '_')
            || (c == '.' && !name.is_empty() && !name.ends_with('.'));
        name.push(if keep { c } else { '_' });
    }
    if name == model && !name.is_empty() && !RESERVED.contains(&name.as_str()) {
        name
    } else {
        format!("{name}-{:08x}", fnv1a(model.as_bytes()))
    }
}

/// FNV-1a, 32 bits: for telling names apart, not against forgery.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_ordinary_names_as_they_are() {
        for model in ["demo", "gpt-4.1", "llama_3-70b", "a", "Model7"] {
            assert_eq!(file_name(model, "2026-11-20"), format!("security_{model}_2026-11-20.log"));
        }
    }

    #[test]
    fn hostile_names_stay_one_harmless_component() {
        let long = "x".repeat(10_000);
        let hostile = [
            "../../etc/passwd",
            "..",
            ".",
            "",
            "/",
            "a/b",
            "a\\b",
            "c:\\x",
            "a\0b",
            "a\nb",
            "a..b",
            ".hidden",
            "name ",
            "ümlaut",
            "\u{202e}gol.x",
            "other",
            "chain",
            "-rf*?",
            &long,
        ];
        let mut seen = std::collections::HashSet::new();
        for model in hostile {
            let name = file_name(model, "2026-11-20");
            assert!(name.len() <= 255 && name.starts_with("security_") && name.ends_with("_2026-11-20.log"));
            assert!(!name.contains("..") && !name.contains(['/', '\\', '\0', '\n']), "{name:?}");
            assert!(name.bytes().all(|b| b.is_ascii_graphic()), "{name:?}");
            assert!(seen.insert(name), "{model:?} shares its file");
        }
        assert!(seen.len() >= 18);
        assert!(!seen.contains(&overflow("2026-11-20")) && !seen.contains(&own("2026-11-20")));
    }
}
