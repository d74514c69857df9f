//! SPF (RFC 7208): may this client send for that domain?
//!
//! [`check_host`] is the entry point. It asks DNS through a closure and is otherwise pure:
//!
//! | file | what |
//! |---|---|
//! | `session` | what is known of the SMTP session, and the identity that is checked (§2.3, §2.4, §4.3) |
//! | `record` | the grammar of a record (§4.5, §4.6, §5, §6, §12) |
//! | `macro_string` | macros (§7) |
//! | `name` | what DNS can be asked for |
//! | `question` | the seam to DNS |
//! | `client_name` | the validated names of the client (§5.5, macro `p`) |
//! | `evaluate` | `check_host` and its limits (§4, §5, §6.1) |
//! | `explanation` | what the domain owner says of a fail (§6.2) |
//! | `cost` | how many lookups a policy causes, and which others it rests on (§4.6.4) |

mod client_name;
mod cost;
mod evaluate;
mod explanation;
mod macro_string;
mod name;
mod question;
mod record;
mod session;

pub use cost::{Extent, MAX_COST_QUESTIONS, MAX_VISITED_TERMS, PolicyFault, PolicyFaultKind, SpfCost, cost};
pub use evaluate::{MAX_LOOKUPS, MAX_VOID_LOOKUPS, check_host};
pub use macro_string::{MacroError, MacroString};
pub(crate) use name::{is_at_or_under, is_nameable};
pub(crate) use question::ask;
pub use question::{Answer, Data, Question, QuestionKind};
pub use record::{Directive, Mechanism, PrefixLengths, Qualifier, Record, RecordError, is_spf};
pub use session::Session;

/// RFC 7208 §2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpfResult {
    Pass,
    Fail,
    SoftFail,
    Neutral,
    None,
    TempError,
    PermError,
}

impl SpfResult {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::None => "none",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// One evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfCheck {
    pub result: SpfResult,
    /// The domain that was asked, as lower-case A-labels; as it was given when it is no domain.
    pub domain: String,
    /// The text of the domain owner for a `fail` (RFC 7208 §6.2): printable ASCII. None means that the receiver's own
    /// words are due.
    pub explanation: Option<String>,
    /// Terms that caused DNS queries (RFC 7208 §4.6.4); the one that exceeded the limit included.
    pub lookups: usize,
    /// Of these, how many found nothing.
    pub void_lookups: usize,
}
