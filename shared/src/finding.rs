//! What was found in a message, and how much it weighs.

use std::borrow::Cow;

/// How a finding counts towards the disposition. Ordered: the later, the stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look; never decides by itself.
    Review,
    Quarantine,
    Reject,
}

impl Severity {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Review => "review",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// `None` for a word that is no severity.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Info, Self::Review, Self::Quarantine, Self::Reject]
            .into_iter()
            .find(|severity| severity.as_str() == word)
    }
}

/// One thing found: a stable code, its weight, one sentence, and the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable, snake case, documented in the README.
    pub code: Cow<'static, str>,
    pub severity: Severity,
    /// One sentence that a mail administrator understands.
    pub detail: String,
    /// `header`, `body`, a part path or a URL.
    pub location: String,
    /// The question could not be answered now and may be answerable later.
    pub defers: bool,
}

impl Finding {
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>, severity: Severity, detail: impl Into<String>) -> Self {
        Self { code: code.into(), severity, detail: detail.into(), location: "header".to_owned(), defers: false }
    }

    #[must_use]
    pub fn at(mut self, location: impl Into<String>) -> Self {
        self.location = location.into();
        self
    }

    /// Marks a finding that asks for another look later.
    #[must_use]
    pub fn deferring(mut self) -> Self {
        self.defers = true;
        self
    }
}
