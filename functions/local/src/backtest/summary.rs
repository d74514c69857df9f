//! What is printed in the end.

use std::collections::BTreeMap;
use std::io::{self, Write};

use gatepost::bucket::BUCKET_SECONDS;

use super::replay::{History, SENSITIVITIES};

const BUCKETS_PER_WEEK: f64 = (7 * 24 * 3600 / BUCKET_SECONDS) as f64;

#[derive(Default)]
pub(super) struct Summary {
    series: u64,
    rows: u64,
    alerts: u64,
    weeks: f64,
    kinds: BTreeMap<&'static str, u64>,
    otherwise: [u64; 4],
}

impl Summary {
    pub(super) fn add(&mut self, history: &History) {
        self.series += 1;
        self.rows += history.rows;
        if let (Some(first), Some(last)) = (history.first, history.last) {
            self.weeks += f64::from(last.since(first) + 1) / BUCKETS_PER_WEEK;
        }
        for alert in &history.alerts {
            self.alerts += 1;
            *self.kinds.entry(alert.incident.kind.as_str()).or_default() += 1;
        }
        for (sum, opened) in self.otherwise.iter_mut().zip(history.otherwise) {
            *sum += opened;
        }
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { series, rows, alerts, .. } = self;
        let rate = self.per_week(*alerts);
        writeln!(out, "series {series}  rows {rows}  alerts {alerts}  alerts per series-week {rate:.3}")?;
        for (kind, alerts) in &self.kinds {
            writeln!(out, "  {kind:16} {alerts:6}")?;
        }
        writeln!(out, "at another sensitivity there would have been")?;
        let (less, more) =
            SENSITIVITIES.iter().zip(self.otherwise).partition::<Vec<_>, _>(|(factor, _)| **factor < 1.0);
        for (factor, alerts) in less.into_iter().chain([(&1.0, *alerts)]).chain(more) {
            writeln!(out, "  x {factor:<14.2} {alerts:6} alerts, {:.3} per series-week", self.per_week(alerts))?;
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "no history holds 2^52 alerts")]
    fn per_week(&self, alerts: u64) -> f64 {
        if self.weeks > 0.0 { alerts as f64 / self.weeks } else { 0.0 }
    }
}
