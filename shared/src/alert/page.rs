//! The page of an incident: one file of HTML with its chart in it, for light and dark screens, without scripts or anything outside.

use std::fmt::Write;

use super::{Alert, Contributor, text};
use crate::{
    anomaly::{Channel, State},
    chart::{self, Chart, Mark, Size},
    html::escaped,
};

const STYLE: &str = ":root{color-scheme:light dark;--ink:#1b1f24;--dim:#5b6570;--paper:#fff;--rule:#d7dce1}\
    @media(prefers-color-scheme:dark){:root{--ink:#e8ebee;--dim:#a0a9b3;--paper:#14171a;--rule:#343a41}}\
    body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}\
    h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:1.75rem 0 .5rem}p{margin:.25rem 0}.dim{color:var(--dim)}\
    table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .75rem .3rem 0;\
    border-bottom:1px solid var(--rule)}td,h1{overflow-wrap:anywhere}th{font-weight:600}\
    @media(min-width:40rem){th{white-space:nowrap}}";

pub(super) fn render(alert: &Alert) -> String {
    let headline = escaped(&alert.headline());
    let mut html = format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8>\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=viewport content='width=device-width'><title>{headline}</title><style>{STYLE}{}</style></head><body>\
         <h1>{headline}</h1><p class=dim>{}</p><p>{}.</p>",
        chart::STYLE,
        escaped(&standing(alert)),
        escaped(&alert.comparison()),
    );
    html.push_str(&chart(alert));
    html.push_str(&facts(alert));
    html.push_str(&contributors(alert));
    html.push_str("</body></html>\n");
    html
}

fn standing(alert: &Alert) -> String {
    let (severity, opened, end) = (alert.group.severity.as_str(), alert.group.opened, alert.end());
    match alert.state {
        State::Opened | State::Updated => format!("Severity {severity}. Open since {opened} UTC, last seen {end}."),
        State::Closed => format!("Severity {severity}. Over: {opened} to {end} UTC."),
    }
}

fn facts(alert: &Alert) -> String {
    let worst = &alert.group.worst;
    let rows = [
        ("Where", alert.place()),
        ("Worst bucket", format!("{} {:.0}, {:.1} expected", worst.channel.as_str(), worst.actual, worst.expected)),
        ("Score", format!("{:.2} of 1; {:.1} opens an incident", worst.score, crate::anomaly::THRESHOLD)),
        ("Do first", text::first_step(alert.group.kind).to_owned()),
        ("Runbook", alert.runbook()),
        ("Fingerprint", alert.group.fingerprint.clone()),
        ("Latest message", alert.dedup_id()),
    ];
    let mut html = "<h2>Facts</h2><table>".to_owned();
    for (label, value) in rows {
        let _ = write!(html, "<tr><th scope=row>{label}</th><td>{}</td></tr>", escaped(&value));
    }
    html + "</table>"
}

fn contributors(alert: &Alert) -> String {
    if alert.contributors.is_empty() {
        return String::new();
    }
    let mut html = "<h2>Who has a part in it</h2><table>".to_owned();
    for contributor in &alert.contributors {
        let since = match contributor {
            Contributor::Series { since, .. } => since.as_str(),
            Contributor::Channel { .. }
            | Contributor::MoreSeries { .. }
            | Contributor::Domain { .. }
            | Contributor::Network { .. } => "",
        };
        let _ = write!(html, "<tr><td>{}</td><td class=dim>{}</td></tr>", escaped(&contributor.text()), escaped(since));
    }
    html + "</table>"
}

fn chart(alert: &Alert) -> String {
    let chart = Chart {
        points: &alert.chart,
        unfinished: None,
        incident: Some((alert.group.opened, alert.bucket)),
        label: "Traffic in buckets of five minutes",
    };
    let remark = match alert.group.worst.channel {
        Channel::Total => "",
        Channel::AuthFail | Channel::Top1 | Channel::Distinct | Channel::Limited | Channel::Part => {
            "The chart shows all traffic; what stands out is a part of it."
        }
    };
    match chart.svg(Size::Page) {
        Some(svg) => svg + &chart::key(&[Mark::Counted, Mark::Expected, Mark::Band, Mark::Incident], remark),
        None => "<p class=dim>There is no chart: nothing was counted lately.</p>".to_owned(),
    }
}
