use serde_json::{Value, json};

use super::*;
use crate::{
    alert_group::{Gathering, Sizes},
    anomaly::{Band, Judgement, step},
    calendar::Calendar,
};

fn flood() -> Reading {
    let (channel, kind) = (Channel::Total, Kind::Flood);
    Reading { channel, kind, expected: 12.25, actual: 512.0, z: 30.0, score: 0.8 }
}

fn at(text: &str) -> Bucket {
    Bucket::parse(text).expect("a time")
}

/// An alert of series that all opened in the same bucket, the first of them the worst.
fn opened_together(names: &[&str], sources: &Sources) -> Alert {
    let failures = Reading { channel: Channel::AuthFail, kind: Kind::AuthFailSurge, score: 0.5, ..flood() };
    let opened = at("2026-11-23T02:10");
    let events: Vec<_> = (0..)
        .zip(names)
        .map(|(place, name)| {
            let flood = Reading { score: 0.8 - 0.0001 * f64::from(place), ..flood() };
            step(None, name, &Judgement { readings: vec![flood, failures] }, opened).event.expect("opens at once")
        })
        .collect();
    let mut gathering = Gathering::default();
    gathering.take(&names.iter().copied().zip(&events).collect::<Vec<_>>(), &Sizes::default());
    let mut group = gathering.groups.into_values().next().expect("a group");
    let state = group.announce(opened, &Calendar::default()).expect("news");
    let band = Band { expected: 2.5, low: 0.0, high: 12.0 };
    let charted = |(age, total)| Charted { bucket: opened.minus(age), total, band };
    let chart = [(3, 1.0), (2, 2.0), (1, f64::NAN), (0, 8.0)].map(charted).to_vec();
    Alert::new(&group, state, opened, events.first(), sources, chart)
}

fn opened(series: &str) -> Alert {
    opened_together(&[series], &Sources::default())
}

fn message(alert: &Alert) -> (Value, Value) {
    let message: Value = serde_json::from_str(&alert.message_json()).expect("JSON");
    let default = serde_json::from_str(message["default"].as_str().expect("a string")).expect("JSON in JSON");
    (message, default)
}

#[test]
fn machines_get_every_field_of_the_contract() {
    let alert = opened("signup/k1");
    let key = alert.page_key_to_be();
    let (_, mut default) = message(&alert.with_page(key.clone()));
    let fingerprint = default["fingerprint"].as_str().expect("a string").to_owned();
    assert_eq!(default["dedup_id"], format!("{fingerprint}:opened:5984666"));
    assert_eq!(key, format!("incidents/{fingerprint}-5984666.html"));
    let fields = default.as_object_mut().expect("an object");
    fields.retain(|name, _| name != "dedup_id" && name != "fingerprint");
    assert_eq!(
        default,
        json!({
            "version": 1, "state": "opened", "kind": "flood", "severity": "high", "series": "signup/k1",
            "channel": "total", "window": {"start": "2026-11-23T02:10:00Z", "end": "2026-11-23T02:15:00Z"},
            "expected": 12.25, "actual": 512.0, "score": 0.8, "first_seen": "2026-11-23T02:10:00Z",
            "contributors": [
                {"what": "channel", "channel": "auth_fail", "kind": "auth_fail_surge", "expected": 12.25, "actual": 512.0, "score": 0.5}
            ],
            "runbook": "docs/RUNBOOK.md#flood", "page_key": key
        })
    );
}

#[test]
fn people_are_told_what_where_since_when_by_whom_and_what_to_do() {
    let sources = Sources {
        domains: vec![("throwaway.example".to_owned(), 384), ("example.com".to_owned(), 28)],
        networks: vec![("203.0.113.0/24".to_owned(), 512)],
        total: 512,
    };
    let alert = opened_together(&["signup/k1", "signup/k2"], &sources);
    let (message, default) = message(&alert);
    let email = message["email"].as_str().expect("a string");
    let expected = "Flood at signup/*: it has begun, severity high\n\n\
        What:     512 requests or messages in five minutes, 12.2 expected (42 times as many)\n\
        Where:    flow signup, worst is signup/k1, 1 more series\n\
        Since:    2026-11-23T02:10 UTC, seen up to 2026-11-23T02:15\n\
        Traffic:  ▂▃ █ (two hours, highest bar 8)\n\
        Who:      domain throwaway.example: 384 (75 %)\n\
        \x20         domain example.com: 28 (6 %)\n\
        \x20         network 203.0.113.0/24: 512 (100 %)\n\
        \x20         also 512 failed authentications, 12.2 expected\n\
        \x20         series signup/k2: flood, 512 requests or messages, 12.2 expected\n\
        Do first: see who it is: one client is held by its rate limit, many need the stage's throttle lowered\n\
        Runbook:  docs/RUNBOOK.md#flood\n";
    assert!(email.starts_with(expected), "{email}");
    assert_eq!(message["sms"], "high flood opened: signup/* total 512, expected 12.2 ▂▃ █");
    let domain = json!({"what": "domain", "name": "throwaway.example", "count": 384, "share": 0.75});
    assert_eq!(default["contributors"][0], domain);
}

#[test]
fn an_incident_of_thousands_of_series_names_ten_and_counts_the_others() {
    let names: Vec<String> = (0..700).map(|number| format!("signup/k{number}")).collect();
    let alert = opened_together(&names.iter().map(String::as_str).collect::<Vec<_>>(), &Sources::default());
    let (_, default) = message(&alert);
    let contributors = default["contributors"].as_array().expect("a list");
    assert_eq!(contributors.last(), Some(&json!({"what": "more_series", "count": 689})));
    assert_eq!(contributors.len(), 1 + 10 + 1);
}

#[test]
fn filters_get_kind_severity_state_and_flow() {
    for (series, flow) in [
        (["inbound/example.com"].as_slice(), "inbound"),
        (&["Sign up/x"], "other"),
        (&[""], "other"),
        (&["signup/k1", "signup/k2"], "signup"),
        (&["signup/k1", "login/k1"], "several"),
    ] {
        let alert = opened_together(series, &Sources::default());
        let attributes = alert.attributes().map(|(name, value)| format!("{name}={value}")).join(" ");
        assert_eq!(attributes, format!("kind=flood severity=high state=opened flow={flow}"));
    }
}

fn hostile() -> String {
    format!("signup/\r\nSubject: x\u{202e}\u{0}\"'<script>&{}", "\u{1f600}".repeat(100_000))
}

#[test]
fn a_hostile_series_name_neither_breaks_the_subject_nor_swells_the_message() {
    let sources = Sources { domains: vec![(hostile(), 1)], networks: vec![(hostile(), 1)], total: 2 };
    let alert = opened_together(&[&hostile()], &sources);
    let expected = format!("[high] flood opened: signup/??Subject:?x??\"'<script>&{}", "?".repeat(48 - 32));
    assert_eq!(alert.subject(), expected);
    assert!(alert.message_json().len() < 16 * 1024);
    assert!(alert.message_json().is_char_boundary(0) && !alert.email().contains('\r'));
}

#[test]
fn a_page_escapes_every_name_and_asks_nobody_for_anything() {
    let sources = Sources { domains: vec![(hostile(), 1)], networks: vec![(hostile(), 1)], total: 2 };
    let page = opened_together(&[&hostile(), "signup/k2"], &sources).page();
    assert!(page.contains("&lt;script&gt;&amp;") && !page.contains("<script"), "{page}");
    for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "\u{202e}"] {
        assert!(!page.contains(outside), "{outside} in {page}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn a_page_shows_series_band_and_incident() {
    let page = opened("signup/k1").page();
    for part in
        ["class=window", "<polygon class=band", "<polyline class=actual", "class=expected", "prefers-color-scheme"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(page.contains("Open since 2026-11-23T02:10 UTC, last seen 2026-11-23T02:15."), "{page}");
    let bare = Alert { chart: Vec::new(), ..opened("signup/k1") };
    assert!(bare.page().contains("There is no chart"));
}

#[test]
fn a_sparkline_runs_from_zero_to_the_largest_value() {
    for (values, chart) in [
        (vec![], ""),
        (vec![0.0, 0.0], "▁▁"),
        (vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "▁▂▃▄▅▆▇█"),
        (vec![-5.0, f64::INFINITY, 1e300], "▁ █"),
    ] {
        assert_eq!(sparkline(&values), chart);
    }
}
