//! What an address is wanted for.

/// What the caller is about to do with the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// A new account.
    Signup,
    /// A reset link for an account that exists.
    PasswordReset,
    /// A login code for an account that exists.
    Login,
    /// A subscription.
    Newsletter,
    /// Anything else.
    Other,
}

impl Flow {
    /// Every flow.
    pub const ALL: [Self; 5] = [Self::Signup, Self::PasswordReset, Self::Login, Self::Newsletter, Self::Other];

    /// Reads the word of the wire format; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flow| flow.as_str() == text)
    }

    /// The word of the wire format and the first part of a series name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::PasswordReset => "password_reset",
            Self::Login => "login",
            Self::Newsletter => "newsletter",
            Self::Other => "other",
        }
    }

    /// Whether the address belongs to an account already, whose owner must not be locked out by a newer list.
    #[must_use]
    pub const fn has_account(self) -> bool {
        matches!(self, Self::PasswordReset | Self::Login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_read_by_their_wire_names_only() {
        for (text, expected) in [
            ("signup", Some(Flow::Signup)),
            ("password_reset", Some(Flow::PasswordReset)),
            ("login", Some(Flow::Login)),
            ("newsletter", Some(Flow::Newsletter)),
            ("other", Some(Flow::Other)),
            ("Signup", None),
            ("", None),
        ] {
            assert_eq!(Flow::parse(text), expected, "{text}");
        }
    }
}
