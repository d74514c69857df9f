//! Activity: how much of what happened, per series and five-minute bucket.

use std::collections::BTreeMap;

/// Counts of one series in one bucket, by channel.
pub type Tally = BTreeMap<String, u64>;

/// What is counted of a series. The words are column names of history files and attribute names of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Every request or message.
    Total,
    /// A caller that could not be authenticated, or a message that failed DMARC.
    AuthFail,
    /// Refused by the rate limit.
    Limited,
    Accept,
    Review,
    Reject,
    Deliver,
    Defer,
    Quarantine,
}

impl Channel {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::AuthFail => "auth_fail",
            Self::Limited => "limited",
            Self::Accept => "accept",
            Self::Review => "review",
            Self::Reject => "reject",
            Self::Deliver => "deliver",
            Self::Defer => "defer",
            Self::Quarantine => "quarantine",
        }
    }
}

/// Name of a series: what flows, and for whom.
#[must_use]
pub fn series(flow: &str, client: &str) -> String {
    format!("{flow}/{client}")
}
