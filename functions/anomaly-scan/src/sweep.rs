//! Messages that SES stored and nobody finished: SES takes a crash, a timeout or throttling of the verifier for
//! CONTINUE and never asks again, so somebody has to.

use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, stream};
use gatepost::{
    disposition::Disposition,
    io::{ledger::Entry, messages::Waiting, table::unix_seconds},
};

use crate::Scanner;

/// A message without a report for this long was left behind; a deferred one is tried again as often.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(5 * 60);

/// A placed message is removed from `inbound/` after this: several rules may still be reading it before.
const CLEARED_AFTER: Duration = Duration::from_secs(10 * 60);

/// Messages that one sweep looks at, and at how many at once.
const MOST_MESSAGES: usize = 5_000;
const AT_ONCE: usize = 8;

/// What a waiting message needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// To be judged, or judged again.
    Judgement,
    /// To be removed from `inbound/`, once it lies in these places.
    Clearing,
    Patience,
}

impl Scanner {
    /// Hands what was left behind to the verifier, and clears what is done. Answers how many were handed over.
    /// Failures are logged; the next sweep meets the same messages.
    pub(crate) async fn sweep(&self, now: SystemTime) -> usize {
        let waiting = match self.messages.waiting(MOST_MESSAGES).await {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::error!(cause = %error, "inbound messages cannot be listed");
                return 0;
            }
        };
        let sweeps: Vec<_> = waiting.iter().map(|message| self.sweep_one(message, now)).collect();
        let handed_over: Vec<bool> = stream::iter(sweeps).buffer_unordered(AT_ONCE).collect().await;
        handed_over.into_iter().filter(|handed_over| *handed_over).count()
    }

    async fn sweep_one(&self, message: &Waiting, now: SystemTime) -> bool {
        if age(message, now) < LEFT_BEHIND_AFTER {
            return false;
        }
        let entries = match self.ledger.entries(&message.message_id).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::error!(message.id = message.message_id, cause = %error, "not swept");
                return false;
            }
        };
        match need(&entries, age(message, now), unix_seconds(now)) {
            Need::Judgement => self.hand_over(message).await,
            Need::Clearing => self.clear(message, &entries).await,
            Need::Patience => false,
        }
    }

    async fn hand_over(&self, message: &Waiting) -> bool {
        let event = serde_json::json!({"sweep": {"message_id": message.message_id}});
        match self.verifier.invoke(event.to_string().into_bytes()).await {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(message.id = message.message_id, cause = %error, "not judged again");
                false
            }
        }
    }

    /// A decided message that does not lie in its place was interrupted while it was copied: the verifier finishes it.
    async fn clear(&self, message: &Waiting, entries: &[Entry]) -> bool {
        for disposition in entries.iter().filter_map(|entry| entry.disposition) {
            match self.messages.is_placed(&message.message_id, disposition).await {
                Ok(true) => {}
                Ok(false) => return self.hand_over(message).await,
                Err(error) => {
                    tracing::error!(message.id = message.message_id, cause = %error, "not cleared");
                    return false;
                }
            }
        }
        if let Err(error) = self.messages.clear_inbound(&message.message_id).await {
            tracing::error!(message.id = message.message_id, cause = %error, "not cleared");
        }
        false
    }
}

fn need(entries: &[Entry], age: Duration, now_s: u64) -> Need {
    let undecided = |entry: &Entry| match entry.disposition {
        None => true,
        Some(Disposition::Defer) => entry.judged_at_s + LEFT_BEHIND_AFTER.as_secs() <= now_s,
        Some(Disposition::Deliver | Disposition::Quarantine | Disposition::Reject) => false,
    };
    let is_deferred = |entry: &Entry| entry.disposition == Some(Disposition::Defer);
    if entries.is_empty() || entries.iter().any(undecided) {
        Need::Judgement
    } else if entries.iter().any(is_deferred) || age < CLEARED_AFTER {
        Need::Patience
    } else {
        Need::Clearing
    }
}

fn age(message: &Waiting, now: SystemTime) -> Duration {
    Duration::from_secs(unix_seconds(now).saturating_sub(message.since_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_000_000;

    fn entry(disposition: Option<Disposition>, judged_ago_s: u64) -> Entry {
        Entry { recipients: Vec::new(), disposition, judged_at_s: NOW_S - judged_ago_s }
    }

    #[test]
    fn what_nobody_decided_is_judged_and_what_is_decided_is_cleared_later() {
        use Disposition::{Defer, Deliver};
        let (six, eleven) = (Duration::from_secs(360), Duration::from_secs(660));
        for (entries, age, expected) in [
            (vec![], six, Need::Judgement),
            (vec![entry(None, 0)], six, Need::Judgement),
            (vec![entry(Some(Defer), 299)], eleven, Need::Patience),
            (vec![entry(Some(Defer), 300)], eleven, Need::Judgement),
            (vec![entry(Some(Deliver), 360)], six, Need::Patience),
            (vec![entry(Some(Deliver), 660)], eleven, Need::Clearing),
            (vec![entry(Some(Deliver), 660), entry(None, 0)], eleven, Need::Judgement),
        ] {
            assert_eq!(need(&entries, age, NOW_S), expected, "{entries:?}");
        }
    }
}
