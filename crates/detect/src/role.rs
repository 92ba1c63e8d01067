//! Whose words a text is.

use crate::finding::Category;

/// The part of a conversation that a text comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// The application's own instructions.
    System,
    /// The person, or whoever speaks for one.
    User,
    /// The model.
    Assistant,
    /// The result of a tool, or a document.
    Tool,
    /// Not known: judged as the user's.
    #[default]
    Unknown,
}

impl Role {
    /// Whether findings of a category mean anything in this role. The application may tell its own
    /// model what it likes: its words are no injection. A credential is one in every role.
    #[must_use]
    pub const fn is_judged_by(self, category: Category) -> bool {
        match category {
            Category::PromptInjection | Category::Jailbreak | Category::PromptExtraction => {
                !matches!(self, Self::System)
            }
            Category::Secret | Category::Tensor => true,
        }
    }
}
