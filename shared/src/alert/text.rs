//! Texts for people.

use std::fmt::Write;

use super::{Alert, Contributor, LONGEST_SUBJECT, printable};
use crate::{
    alert_group::{AlertGroup, Scope},
    anomaly::{Channel, Kind, State},
};

/// Buckets in a sparkline: two hours.
const SPARKLINE: usize = 24;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Contributors in an email; the page and the text for machines have all of them.
const MOST_IN_EMAIL: usize = 6;

impl Alert {
    /// At most 100 printable ASCII characters, as SNS demands.
    #[must_use]
    pub fn subject(&self) -> String {
        let AlertGroup { severity, kind, .. } = &self.group;
        let subject = format!(
            "[{}] {} {}: {}",
            severity.as_str(),
            kind.as_str(),
            self.state.as_str(),
            printable(&self.group.scope.pattern())
        );
        subject.chars().take(LONGEST_SUBJECT).collect()
    }

    pub(super) fn email(&self) -> String {
        let AlertGroup { kind, severity, opened, .. } = &self.group;
        let mut text = format!(
            "{}: {}, severity {}\n\n",
            self.headline(),
            match self.state {
                State::Opened => "it has begun",
                State::Updated => "it got worse",
                State::Closed => "it is over",
            },
            severity.as_str()
        );
        let mut line = |label: &str, value: &str| {
            let _ = writeln!(text, "{label:<10}{value}");
        };
        line("What:", &self.comparison());
        line("Where:", &self.place());
        let end = self.end();
        match self.state {
            State::Opened | State::Updated => line("Since:", &format!("{opened} UTC, seen up to {end}")),
            State::Closed => line("When:", &format!("{opened} to {end} UTC, the last hour of it calm")),
        }
        line("Traffic:", &self.sparkline());
        for (index, contributor) in self.contributors.iter().take(MOST_IN_EMAIL).enumerate() {
            line(if index == 0 { "Who:" } else { "" }, &contributor.text());
        }
        if self.state != State::Closed {
            line("Do first:", first_step(*kind));
        }
        line("Runbook:", &self.runbook());
        if let Some(key) = &self.page_key {
            line("Page:", &format!("gatepost incident {key}"));
        }
        line("Dedup id:", &self.dedup_id());
        text
    }

    pub(super) fn sms(&self) -> String {
        let AlertGroup { kind, severity, worst, .. } = &self.group;
        let (severity, kind, channel) = (severity.as_str(), kind.as_str(), worst.channel.as_str());
        let (state, series) = (self.state.as_str(), printable(&self.group.scope.pattern()));
        let (actual, expected, chart) = (worst.actual, worst.expected, sparkline(&self.latest_totals()));
        format!("{severity} {kind} {state}: {series} {channel} {actual:.0}, expected {expected:.1} {chart}")
    }

    /// What happens where, in a few words.
    pub(super) fn headline(&self) -> String {
        format!("{} at {}", title(self.group.kind), printable(&self.group.scope.pattern()))
    }

    /// Expected against actual, in words.
    pub(super) fn comparison(&self) -> String {
        let worst = &self.group.worst;
        let (actual, expected) = (worst.actual, worst.expected);
        let counted =
            format!("{actual:.0} {} in five minutes, {expected:.1} expected", unit(worst.channel, self.group.kind));
        if 1.0 <= expected && 2.0 * expected <= actual {
            format!("{counted} ({:.0} times as many)", actual / expected)
        } else {
            counted
        }
    }

    pub(super) fn place(&self) -> String {
        let lead = printable(&self.group.lead);
        let others = self.group.members.len().saturating_sub(1);
        let others = others + usize::try_from(self.group.more_members).unwrap_or(usize::MAX);
        match &self.group.scope {
            Scope::Series(_) => lead,
            Scope::Flow(flow) => format!("flow {}, worst is {lead}, {others} more series", printable(flow)),
            Scope::Of(of) => format!("client or domain {}, worst is {lead}, {others} more series", printable(of)),
            Scope::All => format!("everywhere, worst is {lead}, {others} more series"),
        }
    }

    fn sparkline(&self) -> String {
        let totals = self.latest_totals();
        let largest = totals.iter().copied().filter(|total| total.is_finite()).fold(0.0, f64::max);
        format!("{} (two hours, highest bar {largest:.0})", sparkline(&totals))
    }

    fn latest_totals(&self) -> Vec<f64> {
        let skipped = self.chart.len().saturating_sub(SPARKLINE);
        self.chart.iter().skip(skipped).map(|charted| charted.total).collect()
    }
}

impl Contributor {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Channel { channel, kind, expected, actual, .. } => {
                format!("also {actual:.0} {}, {expected:.1} expected", unit(*channel, *kind))
            }
            Self::Series { name, kind, channel, expected, actual, .. } => {
                let (name, title, unit) = (printable(name), title(*kind).to_lowercase(), unit(*channel, *kind));
                format!("series {name}: {title}, {actual:.0} {unit}, {expected:.1} expected")
            }
            Self::MoreSeries { count } => format!("and {count} more series"),
            Self::Domain { name, count, share } => {
                format!("domain {}: {count} ({:.0} %)", printable(name), 100.0 * share)
            }
            Self::Network { name, count, share } => {
                format!("network {}: {count} ({:.0} %)", printable(name), 100.0 * share)
            }
        }
    }
}

pub(super) fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Flood => "Flood",
        Kind::Spike => "More traffic than usual",
        Kind::AuthFailSurge => "Surge of failed authentications",
        Kind::SingleSender => "One name makes up the traffic",
        Kind::MixShift => "Other names than usual",
        Kind::Silence => "Less traffic than usual",
        Kind::RejectionSurge => "More addresses rejected",
        Kind::DisposableSurge => "More throw-away addresses",
        Kind::KeyGuessing => "Somebody guesses keys",
        Kind::QuarantineSurge => "More mail held back",
        Kind::InspectorFailures => "Mail that could not be looked into",
        Kind::CountersMissing => "Nothing is counted anywhere",
    }
}

/// What somebody who was woken does before anything else; the runbook has the rest.
pub(super) fn first_step(kind: Kind) -> &'static str {
    match kind {
        Kind::Flood => "see who it is: one client is held by its rate limit, many need the stage's throttle lowered",
        Kind::Spike => "ask whether a campaign or launch was announced; if so, put it into the calendar",
        Kind::AuthFailSurge => {
            "look where it comes from: a network to block, or a client or sender that broke its own credentials"
        }
        Kind::SingleSender => "look at the name that stands out, and keep it out if nobody knows it",
        Kind::MixShift => "ask whether the client migrated; if not, treat it as enumeration and look at the networks",
        Kind::Silence => "check that the client is up, the API answers and the receipt rule set is active",
        Kind::RejectionSurge => {
            "look at the domains: a list that somebody tries out, or a form that sends something else"
        }
        Kind::DisposableSurge => "look at the networks behind it, and whether the flow should refuse what it lets pass",
        Kind::KeyGuessing => "look where it comes from, and ask clients whether one of them lost its key",
        Kind::QuarantineSurge => "list what is held: is it one sender, one finding, or one list that changed",
        Kind::InspectorFailures => {
            "look at the log of inspect-attachment: a message that kills it, or a function that fails"
        }
        Kind::CountersMissing => "check that the API answers, and that its log shows no refused writes of counters",
    }
}

fn unit(channel: Channel, kind: Kind) -> &'static str {
    match channel {
        Channel::Total => "requests or messages",
        Channel::AuthFail => "failed authentications",
        Channel::Top1 => "of the most frequent name",
        Channel::Distinct => "different names",
        Channel::Limited => "refused by a rate limit",
        Channel::Part => match kind {
            Kind::RejectionSurge => "rejected",
            Kind::DisposableSurge => "throw-away addresses",
            Kind::QuarantineSurge => "held back",
            Kind::InspectorFailures => "not looked into",
            Kind::Flood
            | Kind::Spike
            | Kind::AuthFailSurge
            | Kind::SingleSender
            | Kind::MixShift
            | Kind::Silence
            | Kind::KeyGuessing
            | Kind::CountersMissing => "failed authentications",
        },
    }
}

/// One bar per value, from zero to the largest; a value that was not counted is a gap.
#[must_use]
pub fn sparkline(values: &[f64]) -> String {
    let largest = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    values.iter().map(|&value| if value.is_finite() { bar(value, largest) } else { ' ' }).collect()
}

fn bar(value: f64, largest: f64) -> char {
    let eighths = if largest > 0.0 { value.max(0.0) / largest * 7.0 } else { 0.0 };
    let height = (0..7_u8).filter(|&step| f64::from(step) + 0.5 <= eighths).count();
    BARS.get(height).copied().unwrap_or(' ')
}
