//! Activity: how much of what happened, per series and five-minute bucket.

pub mod part;

use std::collections::BTreeMap;

use crate::crowd::{Crowd, Standing};

/// Counts of one series in one bucket, by channel.
pub type Tally = BTreeMap<String, u64>;

/// The count of the most frequent name of a bucket, and how many names there were: of domains, or where none are known, of
/// networks. Channels that are read, but never counted one by one.
pub const TOP_1: &str = "top1";
pub const DISTINCT: &str = "distinct";

/// What one series did in one bucket, all instances together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    pub tally: Tally,
    /// Domains that were asked about, or that mail came from.
    pub domains: Standing,
    /// Networks (/24, /48) that requests came from.
    pub networks: Standing,
}

/// What one instance counted of one series in one bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    channels: [u64; Channel::ALL.len()],
    pub domains: Crowd,
    pub networks: Crowd,
}

/// What is counted of a series. The words are column names of history files and attribute names of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Every request or message.
    Total,
    /// A caller that could not be authenticated, or a message that failed DMARC.
    AuthFail,
    /// Refused by a rate limit.
    Limited,
    Accept,
    Review,
    Reject,
    Deliver,
    Defer,
    Quarantine,
    /// A verdict about a domain of throw-away mailboxes.
    Disposable,
    /// A message whose sender SPF does not cover, and one of whose signatures none is good.
    SpfFail,
    DkimFail,
    /// A message that could not be looked into.
    Uninspected,
}

impl Channel {
    pub const ALL: [Self; 13] = [
        Self::Total,
        Self::AuthFail,
        Self::Limited,
        Self::Accept,
        Self::Review,
        Self::Reject,
        Self::Deliver,
        Self::Defer,
        Self::Quarantine,
        Self::Disposable,
        Self::SpfFail,
        Self::DkimFail,
        Self::Uninspected,
    ];

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
            Self::Disposable => "disposable",
            Self::SpfFail => "spf_fail",
            Self::DkimFail => "dkim_fail",
            Self::Uninspected => "uninspected",
        }
    }
}

impl Counts {
    pub fn count(&mut self, channel: Channel) {
        if let Some(count) = self.channels.get_mut(channel as usize) {
            *count += 1;
        }
    }

    /// Channels that counted something.
    pub fn counted(&self) -> impl Iterator<Item = (Channel, u64)> {
        Channel::ALL.into_iter().zip(self.channels).filter(|(_, count)| 0 < *count)
    }

    pub fn absorb(&mut self, other: &Self) {
        self.channels.iter_mut().zip(other.channels).for_each(|(count, more)| *count += more);
        self.domains.absorb(&other.domains);
        self.networks.absorb(&other.networks);
    }
}

impl Activity {
    /// Adds [`TOP_1`] and [`DISTINCT`] to the tally, once everything is there.
    pub fn complete(&mut self) {
        let crowd = if self.domains.is_empty() { &self.networks } else { &self.domains };
        if let Some((_, count)) = crowd.top(1).first() {
            *self.tally.entry(TOP_1.to_owned()).or_default() += count;
            *self.tally.entry(DISTINCT.to_owned()).or_default() += crowd.distinct();
        }
    }
}

/// Name of a series: what flows, and for whom.
#[must_use]
pub fn series(flow: &str, client: &str) -> String {
    format!("{flow}/{client}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_has_a_count_of_its_own() {
        let mut counts = Counts::default();
        for (times, channel) in Channel::ALL.into_iter().enumerate() {
            (0..=times).for_each(|_| counts.count(channel));
        }
        let counted: Vec<(Channel, u64)> = counts.counted().collect();
        assert_eq!(counted, Channel::ALL.into_iter().zip(1..).collect::<Vec<_>>());
        counts.absorb(&counts.clone());
        assert_eq!(counts.counted().map(|(_, count)| count).sum::<u64>(), 2 * (1..=13).sum::<u64>());
    }

    #[test]
    fn the_mix_is_told_by_domains_or_where_there_are_none_by_networks() {
        let mut activity = Activity::default();
        activity.networks.add("192.0.2.0/24", 5);
        activity.networks.add_member(65);
        let mut with_domains = activity.clone();
        with_domains.domains.add("a.example", 3);
        for (activity, top) in [(&mut activity, 5), (&mut with_domains, 3)] {
            activity.complete();
            assert_eq!(activity.tally[TOP_1], top);
        }
        assert_eq!(activity.tally[DISTINCT], 1);
    }
}
