//! What a policy asks of the detectors.

use detect::{Options, Packs};

use crate::{Detect, Policy};

impl Policy {
    /// The options of an engine that finds whatever the live policy or its shadow looks for. What only one of them
    /// wants is told apart when it is judged.
    #[must_use]
    pub fn options(&self) -> Options {
        let document = self.document();
        let sections: [Option<&Detect>; 2] =
            [Some(&document.detect), document.shadow.as_ref().map(|shadow| &shadow.detect)];
        let any = |wants: fn(&Detect) -> bool| sections.iter().flatten().any(|section| wants(section));
        Options {
            paranoia: sections.iter().flatten().map(|section| section.paranoia.level()).max().unwrap_or(1),
            packs: Packs {
                injection: any(|section| section.packs.injection),
                jailbreak: any(|section| section.packs.jailbreak),
                extraction: any(|section| section.packs.extraction),
                secret: any(|section| section.packs.secret),
                pii: any(|section| section.packs.pii),
                exfiltration: any(|section| section.packs.exfiltration),
                web_payload: any(|section| section.packs.web_payload),
                structure: any(|section| section.packs.structure),
                classifier: any(|section| section.packs.classifier),
            },
            canaries: sections
                .iter()
                .flatten()
                .flat_map(|section| section.canaries.iter().cloned())
                .collect(),
            ..Options::default()
        }
    }
}
