//! Messages that SES stored and nobody finished: SES takes a crash, a timeout or throttling of the verifier for
//! CONTINUE and never asks again, so somebody has to.

use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, stream};
use gatepost::{
    disposition::Disposition,
    io::{ledger::Entry, messages::Waiting, table::unix_seconds},
};

use tokio::time::Instant;

use crate::Scanner;

/// A message that nobody decided for this long was left behind; a deferred one is tried again as often.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(5 * 60);

/// A placed message is removed from `inbound/` after this: several rules may still be reading it before.
const CLEARED_AFTER: Duration = Duration::from_secs(10 * 60);

/// Messages that one sweep looks at, and at how many at once.
const MOST_MESSAGES: usize = 5_000;
const AT_ONCE: usize = 8;

/// Nothing is begun after this: the function has 120 s, and what was begun takes 30 s at most.
const BEGIN_WITHIN: Duration = Duration::from_secs(70);

/// The characters that message ids of SES consist of.
const NAMES_BEGIN_WITH: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

/// A deferred message waits as long again as it has waited, up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(2 * 3600);

/// What a waiting message needs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Need {
    /// To be judged, judged again, or put in its place, for these recipients (none when nobody knows them).
    Verifier {
        recipients: Vec<String>,
    },
    /// To be removed from `inbound/`.
    Clearing,
    Patience,
}

impl Scanner {
    /// Hands what was left behind to the verifier, and clears what is done. Answers how many were handed over.
    /// Failures are logged; the next sweep meets the same messages.
    pub(crate) async fn sweep(&self, now: SystemTime) -> usize {
        // Begins elsewhere each time: more messages than are looked at, or a few that hang, must not keep the others from
        // their turn.
        let turn = usize::try_from(unix_seconds(now) / 60).unwrap_or(0) % NAMES_BEGIN_WITH.len();
        let start = NAMES_BEGIN_WITH.get(turn..=turn).unwrap_or_default();
        let waiting = match self.messages.waiting(start, MOST_MESSAGES).await {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::error!(
                    cause = gatepost::io::telemetry::with_causes(&error),
                    "inbound messages cannot be listed"
                );
                return 0;
            }
        };
        let begin_until = Instant::now() + BEGIN_WITHIN;
        let sweeps: Vec<_> = waiting.iter().map(|message| self.sweep_one(message, now, begin_until)).collect();
        let handed_over: Vec<bool> = stream::iter(sweeps).buffer_unordered(AT_ONCE).collect().await;
        handed_over.into_iter().filter(|handed_over| *handed_over).count()
    }

    async fn sweep_one(&self, message: &Waiting, now: SystemTime, begin_until: Instant) -> bool {
        if age(message, now) < LEFT_BEHIND_AFTER || begin_until < Instant::now() {
            return false;
        }
        let entries = match self.ledger.entries(&message.message_id).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::error!(
                    message.id = message.message_id,
                    cause = gatepost::io::telemetry::with_causes(&error),
                    "not swept"
                );
                return false;
            }
        };
        match need(&entries, age(message, now), unix_seconds(now)) {
            Need::Verifier { recipients } => self.hand_over(message, &recipients).await,
            Need::Clearing => self.clear(message).await,
            Need::Patience => false,
        }
    }

    async fn hand_over(&self, message: &Waiting, recipients: &[String]) -> bool {
        let event = serde_json::json!({"sweep": {"message_id": message.message_id, "recipients": recipients}});
        match self.verifier.invoke(event.to_string().into_bytes()).await {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(
                    message.id = message.message_id,
                    cause = gatepost::io::telemetry::with_causes(&error),
                    "not judged again"
                );
                false
            }
        }
    }

    async fn clear(&self, message: &Waiting) -> bool {
        if let Err(error) = self.messages.clear_inbound(&message.message_id).await {
            tracing::error!(
                message.id = message.message_id,
                cause = gatepost::io::telemetry::with_causes(&error),
                "not cleared"
            );
        }
        false
    }
}

fn need(entries: &[Entry], age: Duration, now_s: u64) -> Need {
    let is_due = |entry: &&Entry| match entry.disposition {
        None => true,
        Some(Disposition::Defer) => next_look_s(entry) <= now_s,
        Some(Disposition::Deliver | Disposition::Quarantine | Disposition::Reject) => !entry.is_placed,
    };
    let is_done = |entry: &Entry| entry.decided().is_some() && entry.is_placed;
    match entries.iter().find(is_due) {
        Some(entry) => Need::Verifier { recipients: entry.recipients.clone() },
        None if entries.is_empty() => Need::Verifier { recipients: Vec::new() },
        None if entries.iter().all(is_done) && CLEARED_AFTER <= age => Need::Clearing,
        None => Need::Patience,
    }
}

/// When a deferred message is judged again, in Unix seconds.
fn next_look_s(entry: &Entry) -> u64 {
    let waited_s = entry.judged_at_s.saturating_sub(entry.first_seen_s);
    entry.judged_at_s + waited_s.clamp(LEFT_BEHIND_AFTER.as_secs(), LONGEST_WAIT.as_secs())
}

fn age(message: &Waiting, now: SystemTime) -> Duration {
    Duration::from_secs(unix_seconds(now).saturating_sub(message.since_s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost::io::ledger::EntryKey;

    const NOW_S: u64 = 1_000_000;

    fn entry(disposition: Option<Disposition>, is_placed: bool, first_seen_ago_s: u64, judged_ago_s: u64) -> Entry {
        Entry {
            key: EntryKey::new("m", &[], "verify-inbound"),
            recipients: vec!["ann@receiver.example".to_owned()],
            disposition,
            report_key: String::new(),
            is_placed,
            is_released: false,
            is_reopened: false,
            first_seen_s: NOW_S - first_seen_ago_s,
            judged_at_s: NOW_S - judged_ago_s,
        }
    }

    fn verifier(recipients: &[&str]) -> Need {
        Need::Verifier { recipients: recipients.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn what_nobody_decided_or_placed_goes_to_the_verifier_and_what_is_done_is_cleared_later() {
        use Disposition::{Defer, Deliver};
        let (six, eleven) = (Duration::from_secs(360), Duration::from_secs(660));
        let to_ann = verifier(&["ann@receiver.example"]);
        for (entries, age, expected) in [
            (vec![], six, verifier(&[])),
            (vec![entry(None, false, 360, 0)], six, to_ann.clone()),
            (vec![entry(Some(Deliver), false, 360, 360)], six, to_ann.clone()),
            (vec![entry(Some(Deliver), true, 360, 360)], six, Need::Patience),
            (vec![entry(Some(Deliver), true, 660, 660)], eleven, Need::Clearing),
            (vec![entry(Some(Deliver), true, 660, 660), entry(None, false, 600, 0)], eleven, to_ann.clone()),
        ] {
            assert_eq!(need(&entries, age, NOW_S), expected, "{entries:?}");
        }
        assert_eq!(need(&[entry(Some(Defer), false, 299, 299)], six, NOW_S), Need::Patience);
        assert_eq!(need(&[entry(Some(Defer), false, 300, 300)], six, NOW_S), to_ann);
    }

    #[test]
    fn a_deferred_message_waits_as_long_again_as_it_has_waited_up_to_two_hours() {
        use Disposition::Defer;
        for (first_seen_ago_s, judged_ago_s, expected) in [
            (1_000, 300, Need::Patience),
            (1_400, 700, verifier(&["ann@receiver.example"])),
            (80_000, 7_199, Need::Patience),
            (80_000, 7_200, verifier(&["ann@receiver.example"])),
        ] {
            let entries = [entry(Some(Defer), false, first_seen_ago_s, judged_ago_s)];
            assert_eq!(need(&entries, Duration::from_secs(first_seen_ago_s), NOW_S), expected, "{entries:?}");
        }
    }
}
