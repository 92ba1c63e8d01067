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
    /// A value that is no prose: a name, an identifier, metadata.
    Field,
    /// Not known: judged as the user's.
    #[default]
    Unknown,
}

impl Role {
    /// Every role, in the order of their declaration.
    pub const ALL: [Self; 6] =
        [Self::System, Self::User, Self::Assistant, Self::Tool, Self::Field, Self::Unknown];
}

/// A set of roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// Every role.
    pub const ALL: Self = Self::of(&Role::ALL);

    /// The given roles.
    #[must_use]
    pub const fn of(roles: &[Role]) -> Self {
        let (mut bits, mut rest) = (0, roles);
        while let [role, others @ ..] = rest {
            bits |= 1 << *role as u8;
            rest = others;
        }
        Self(bits)
    }

    /// The roles in which findings of a category mean anything. The application may tell its own model
    /// what it likes: its words are no injection. A credential is one in every role. Code in prose is
    /// a question about code; in an identifier it is a payload.
    #[must_use]
    pub const fn judged_by(category: Category) -> Self {
        match category {
            Category::PromptInjection
            | Category::Jailbreak
            | Category::PromptExtraction
            | Category::Structure => {
                Self::of(&[Role::User, Role::Assistant, Role::Tool, Role::Field, Role::Unknown])
            }
            Category::WebPayload => Self::of(&[Role::Field]),
            Category::Exfiltration => Self::of(&[Role::Assistant, Role::Tool, Role::User, Role::Unknown]),
            Category::Secret | Category::Pii | Category::Tensor => Self::ALL,
        }
    }

    /// Whether a role is among them.
    #[must_use]
    pub const fn contains(self, role: Role) -> bool {
        self.0 & 1 << role as u8 != 0
    }
}
