//! SPF (RFC 7208): the result of `check_host`. The evaluation itself is in `io/authentication.rs` as long as it is
//! mail-auth's; callers see only this type.

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
    /// The domain that was asked.
    pub domain: String,
    /// The text of the domain owner for a `fail` (RFC 7208 §6.2).
    pub explanation: Option<String>,
    /// Terms that caused DNS queries (RFC 7208 §4.6.4).
    pub lookups: usize,
    /// Of these, how many found nothing.
    pub void_lookups: usize,
}
